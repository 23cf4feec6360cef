//! [`FilterError`]: a sentence and the service's code.

use job_runner::job_core::shown;
use thiserror::Error;

/// The service's codes for one of the two filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    /// A condition, or the body as a whole, is invalid.
    pub condition: &'static str,
    /// A label is invalid.
    pub label: &'static str,
    /// There is neither a condition nor a label.
    pub empty: &'static str,
    /// A sort is invalid.
    pub sort: &'static str,
    /// A predicate is unknown.
    pub predicate: &'static str,
}

impl Codes {
    /// Of vertex filters.
    pub const VERTEX: Self = Self {
        condition: "GES.8202",
        label: "GES.8201",
        empty: "GES.8203",
        sort: "GES.8205",
        predicate: "GES.8211",
    };
    /// Of edge filters.
    pub const EDGE: Self = Self {
        condition: "GES.8101",
        label: "GES.8102",
        empty: "GES.8103",
        sort: "GES.8104",
        predicate: "GES.8109",
    };
}

/// A filter that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} ({code})")]
pub struct FilterError {
    /// The service's code, such as `GES.8202`.
    pub code: &'static str,
    /// The given value, its place, and the allowed values.
    pub message: String,
}

impl FilterError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// There are more of something than are allowed.
    pub(super) fn too_many(code: &'static str, field: &str, number: usize, what: &str, most: usize) -> Self {
        Self::new(code, format!("{field} has {number} {what}: at most {most} are allowed"))
    }

    /// `field` has a value that is not among the ones that exist.
    pub(super) fn unknown(code: &'static str, field: &str, value: &str, known: &[impl AsRef<str>]) -> Self {
        /// The names that are told.
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
        let error = FilterError::unknown("GES.8201", "labels[0]", &"莎".repeat(100_000), &names);
        assert!(error.message.len() < 2_000, "{}", error.message.len());
        assert!(error.message.ends_with("name31, and others"), "{error}");
    }
}
