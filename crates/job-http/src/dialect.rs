//! [`Dialect`]: the words of one edition of the API.

use job_runner::{ApiError, Ending, JobKind, JobRecord, JobState, job_core::shown};

/// An edition of the API. Paths, parameters and rows are the same in all of them; words differ.
///
/// | | `Document` | `Later` | `Database` |
/// | --- | --- | --- | --- |
/// | states | `waiting` `running` `complete` | `pending` `running` `success` `failed` `partiallyFailed` | `pending` `running` `complete` `failed` |
/// | a failed job | 400, GES.8301 | 200, `status` and the error | 200, `status` and the error |
/// | a failed job that kept rows | 400, GES.8301 | `partiallyFailed` with `data` | as any failed job |
/// | `result` | never | never | `success` or `failed`, always |
/// | `jobType` of a vertex filter | 0 | 1 | no `jobType` at all |
/// | an unknown job | `jobId is  X` (two blanks) | `jobId is  X` | `jobId is X` |
///
/// Of a cancelled job no edition says anything; here it is a failed job whose reason is that it was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// The API document that this library implements.
    #[default]
    Document,
    /// Later editions of the same service.
    Later,
    /// The database edition of the service.
    Database,
}

impl Dialect {
    /// Whether every answer carries `result`.
    pub(crate) const fn has_result(self) -> bool {
        matches!(self, Self::Database)
    }

    /// The whole answer about a job that is not complete.
    pub(crate) const fn unfinished(self, state: JobState) -> &'static [u8] {
        let waiting = matches!(state, JobState::Waiting);
        match (self, waiting) {
            (Self::Document, true) => br#"{"status":"waiting"}"#,
            (Self::Later, true) => br#"{"status":"pending"}"#,
            (Self::Database, true) => br#"{"status":"pending","result":"success"}"#,
            (Self::Document | Self::Later, false) => br#"{"status":"running"}"#,
            (Self::Database, false) => br#"{"status":"running","result":"success"}"#,
        }
    }

    /// What follows `"status":` in the answer about a job that succeeded, to the end.
    pub(crate) const fn succeeded(self) -> &'static [u8] {
        match self {
            Self::Document => br#""complete"}"#,
            Self::Later => br#""success"}"#,
            Self::Database => br#""complete","result":"success"}"#,
        }
    }

    /// The same of a job that failed; `None` where such a query is answered with a plain error.
    pub(crate) const fn failed(self) -> Option<&'static [u8]> {
        match self {
            Self::Document => None,
            Self::Later => Some(br#""failed"}"#),
            Self::Database => Some(br#""failed","result":"failed"}"#),
        }
    }

    /// The same of a job that failed and kept rows; `None` where these are not shown.
    pub(crate) const fn partially_failed(self) -> Option<&'static [u8]> {
        match self {
            Self::Later => Some(br#""partiallyFailed"}"#),
            Self::Document | Self::Database => None,
        }
    }

    /// The state of a job in a list. Lists tell failed jobs apart in every edition.
    pub(crate) const fn listed(self, record: &JobRecord) -> &'static str {
        match (record.state, self) {
            (JobState::Waiting, Self::Document) => "waiting",
            (JobState::Waiting, _) => "pending",
            (JobState::Running { .. }, _) => "running",
            (JobState::Complete(Ending::Succeeded), Self::Document) => "complete",
            (JobState::Complete(Ending::Succeeded), _) => "success",
            (JobState::Complete(_), Self::Later) if record.size.rows > 0 => "partiallyFailed",
            (JobState::Complete(_), _) => "failed",
        }
    }

    /// `jobType` of an acknowledged job: opaque numbers, taken from the samples of the edition.
    pub(crate) const fn job_type(self, kind: &JobKind) -> Option<u8> {
        match (self, kind) {
            (Self::Database, _) => None,
            (Self::Document, JobKind::VertexFilter) | (_, JobKind::EdgeFilter) => Some(0),
            _ => Some(1),
        }
    }

    pub(crate) const fn cancelled(self) -> &'static [u8] {
        match self {
            Self::Document | Self::Later => b"{}",
            Self::Database => br#"{"result":"success"}"#,
        }
    }

    pub(crate) fn unknown_job(self, id: &str) -> ApiError {
        match self {
            Self::Document | Self::Later => ApiError::unknown_job(id),
            Self::Database => {
                ApiError::new(job_runner::ErrorCode::JobQuery, format!("can not find job, jobId is {}", shown(id)))
            }
        }
    }

    pub(crate) fn not_cancellable(self, id: &str) -> ApiError {
        match self {
            Self::Document | Self::Database => ApiError::not_cancellable(id),
            Self::Later => {
                let message = format!("Can not find job to cancel, jobId is {}", shown(id));
                ApiError::new(job_runner::ErrorCode::JobCancel, message)
            }
        }
    }
}
