//! [`FilterError`]: a sentence and the service's code.

use job_runner::{job_core::shown, wire::ErrorCode};
use thiserror::Error;

/// The service's codes for one of the two filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// A condition, or the body as a whole, is invalid.
    pub condition: ErrorCode,
    /// A label is invalid.
    pub label: ErrorCode,
    /// There is neither a condition nor a label.
    pub empty: ErrorCode,
    /// A sort is invalid.
    pub sort: ErrorCode,
    /// A predicate is unknown.
    pub predicate: ErrorCode,
}

impl Codes {
    /// The codes of vertex filters.
    pub const VERTEX: Self = Self {
        condition: ErrorCode::VertexCondition,
        label: ErrorCode::VertexLabel,
        empty: ErrorCode::VertexFilterEmpty,
        sort: ErrorCode::VertexSort,
        predicate: ErrorCode::VertexPredicate,
    };
    /// The codes of edge filters.
    pub const EDGE: Self = Self {
        condition: ErrorCode::EdgeCondition,
        label: ErrorCode::EdgeLabel,
        empty: ErrorCode::EdgeFilterEmpty,
        sort: ErrorCode::EdgeSort,
        predicate: ErrorCode::EdgePredicate,
    };
}

/// A filter that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} ({code})")]
pub struct FilterError {
    /// The service's code.
    pub code: ErrorCode,
    /// The given value, its place, and the allowed values.
    pub message: String,
}

impl FilterError {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// A field has more items than are allowed.
    pub(super) fn too_many(code: ErrorCode, field: &str, number: usize, what: &str, most: usize) -> Self {
        Self::new(code, format!("{field} has {number} {what}: at most {most} are allowed"))
    }

    /// `field` has a value that is not among the ones that exist.
    pub(super) fn unknown(code: ErrorCode, field: &str, value: &str, known: &[impl AsRef<str>]) -> Self {
        /// The most names that the error shows.
        const TOLD: usize = 32;
        let mut told: Vec<&str> = known.iter().take(TOLD).map(AsRef::as_ref).collect();
        if known.len() > TOLD {
            told.push("and others");
        }
        Self::new(code, format!("{field} is {:?}: it must be one of {}", shown(value), told.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_and_many_names_are_told_in_short() {
        let names: Vec<String> = (0..10_000).map(|n| format!("name{n}")).collect();
        let error = FilterError::unknown(ErrorCode::VertexLabel, "labels[0]", &"莎".repeat(100_000), &names);
        assert!(error.message.len() < 2_000, "{}", error.message.len());
        assert!(error.message.ends_with("name31, and others"), "{error}");
    }
}
