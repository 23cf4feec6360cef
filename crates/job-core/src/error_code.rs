//! [`ErrorCode`] and [`ApiError`]: what a failed query answers.

use std::fmt;

use crate::{Ending, InvalidParameter, JobKind, JobRecord, JobState, shown};

/// The service-plane codes that a job engine meets (the service's public error table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// GES.8000: a parameter has the wrong form.
    ParameterFormat,
    /// GES.8005: a parameter has a wrong value.
    Parameter,
    /// GES.8020: the caller may not do this.
    Forbidden,
    /// GES.8105: an edge filter failed.
    EdgeFilter,
    /// GES.8204: a vertex filter failed.
    VertexFilter,
    /// GES.8301: no such job, or the job failed.
    JobQuery,
    /// GES.8302: a job could not be read.
    JobQueryInternal,
    /// GES.8303: the job cannot be cancelled.
    JobCancel,
    /// GES.8304: cancelling went wrong.
    JobCancelInternal,
    /// GES.8401: algorithm or graph name is empty.
    AlgorithmName,
    /// GES.8402: the algorithm cannot be run.
    Algorithm,
    /// GES.8403: running the algorithm went wrong.
    AlgorithmInternal,
    /// GES.8404: the execution mode is unknown.
    AlgorithmMode,
    /// GES.8602: the engine takes no work now.
    Unavailable,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::ParameterFormat,
        Self::Parameter,
        Self::Forbidden,
        Self::EdgeFilter,
        Self::VertexFilter,
        Self::JobQuery,
        Self::JobQueryInternal,
        Self::JobCancel,
        Self::JobCancelInternal,
        Self::AlgorithmName,
        Self::Algorithm,
        Self::AlgorithmInternal,
        Self::AlgorithmMode,
        Self::Unavailable,
    ];

    /// The code as it is sent, such as `GES.8301`.
    ///
    /// ```
    /// assert_eq!(job_core::ErrorCode::JobQuery.as_str(), "GES.8301");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ParameterFormat => "GES.8000",
            Self::Parameter => "GES.8005",
            Self::Forbidden => "GES.8020",
            Self::EdgeFilter => "GES.8105",
            Self::VertexFilter => "GES.8204",
            Self::JobQuery => "GES.8301",
            Self::JobQueryInternal => "GES.8302",
            Self::JobCancel => "GES.8303",
            Self::JobCancelInternal => "GES.8304",
            Self::AlgorithmName => "GES.8401",
            Self::Algorithm => "GES.8402",
            Self::AlgorithmInternal => "GES.8403",
            Self::AlgorithmMode => "GES.8404",
            Self::Unavailable => "GES.8602",
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::JobQueryInternal | Self::JobCancelInternal | Self::AlgorithmInternal => 500,
            Self::Unavailable => 503,
            _ => 400,
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An answer that is an error: a code and a sentence.
///
/// ```
/// use job_core::ApiError;
///
/// let error = ApiError::unknown_job("9440a7eb");
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

    /// No such job. Any text may be asked for; it is repeated as the document's sample does, two blanks included.
    #[must_use]
    pub fn unknown_job(id: &str) -> Self {
        Self::new(ErrorCode::JobQuery, format!("can not find job, jobId is  {}", shown(id)))
    }

    /// No such job to cancel, or one that has ended already.
    #[must_use]
    pub fn not_cancellable(id: &str) -> Self {
        Self::new(ErrorCode::JobCancel, format!("can not find job to cancel, id is {}", shown(id)))
    }

    /// The status of a job that failed or was cancelled; `None` for any other. The service answers such a query
    /// with the code of an unknown job, and tells the two apart by the message alone.
    #[must_use]
    pub fn of_job(record: &JobRecord) -> Option<Self> {
        let reason = match record.state {
            JobState::Complete(Ending::Failed) => {
                record.failure.as_ref().map_or("no reason was recorded", |failure| failure.message.as_str())
            }
            JobState::Complete(Ending::Cancelled) => "the job was cancelled",
            _ => return None,
        };
        let work = match record.spec.kind() {
            JobKind::VertexFilter => "vertex filter".to_owned(),
            JobKind::EdgeFilter => "edge filter".to_owned(),
            JobKind::Algorithm(name) => format!("algorithm [{}]", shown(name)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
    }
}
