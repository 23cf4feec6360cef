//! [`Ending`]: the header that tells apart how jobs ended.

use axum::http::{HeaderName, HeaderValue};
use job_runner::{JobRecord, JobState, Outcome};

/// The header. The body of the document's edition is one error for a job that failed, that was cancelled, or that is
/// not there.
pub(crate) const ENDING: HeaderName = HeaderName::from_static("x-job-ending");

/// How the job of a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    Failed,
    Cancelled,
    /// There is no such job.
    Unknown,
}

impl Ending {
    /// The ending of this job; `None` if it has not ended.
    pub(crate) const fn of(record: &JobRecord) -> Option<Self> {
        match record.state {
            JobState::Complete(Outcome::Succeeded) => Some(Self::Succeeded),
            JobState::Complete(Outcome::Failed) => Some(Self::Failed),
            JobState::Complete(Outcome::Cancelled) => Some(Self::Cancelled),
            JobState::Waiting | JobState::Running { .. } => None,
        }
    }

    pub(crate) const fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        })
    }
}
