//! [`ApiError`]: a code and a sentence.

use std::fmt;

use super::ErrorCode;
use crate::{InvalidParameter, JobKind, JobRecord, JobState, Outcome, shown};

/// An answer that is an error: a code and a sentence.
///
/// ```
/// use job_core::wire::Dialect;
///
/// let error = Dialect::Document.unknown_job("9440a7eb");
/// assert_eq!(error.to_string(), "GES.8301: can not find job, jobId is  9440a7eb");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The code.
    pub code: ErrorCode,
    /// The sentence.
    pub message: String,
}

impl ApiError {
    /// An error of this code.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The error that answers a query about a failed or cancelled job; `None` for any other job. It has the code
    /// of an unknown job, so only the message tells the two apart.
    #[must_use]
    pub fn of_job(record: &JobRecord) -> Option<Self> {
        let reason = match record.state {
            JobState::Complete(Outcome::Failed) => {
                record.failure.as_ref().map_or("no reason was recorded", |failure| failure.message.as_str())
            }
            JobState::Complete(Outcome::Cancelled) => "the job was cancelled",
            _ => return None,
        };
        let work = match record.spec.kind() {
            JobKind::VertexFilter => "vertex filter".to_owned(),
            JobKind::EdgeFilter => "edge filter".to_owned(),
            JobKind::Algorithm(name) => format!("algorithm [{}]", shown(name)),
            JobKind::Action(name) => format!("action [{}]", shown(name)),
        };
        Some(Self::new(ErrorCode::JobQuery, format!("Running {work} error: {reason}!")))
    }
}

impl From<InvalidParameter> for ApiError {
    fn from(invalid: InvalidParameter) -> Self {
        Self::new(ErrorCode::Parameter, invalid.to_string())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}
