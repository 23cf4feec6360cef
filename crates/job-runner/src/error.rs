//! [`EngineError`]: what an engine answers instead of doing something. [`JobError`]: how a handler ends badly.

use std::fmt;

use job_core::{
    ApiError, ErrorCode, InvalidOutput, InvalidParameter, InvalidSpec, JobClass, JobId, strict::InvalidBody,
};
use job_store::{InvalidRow, StoreError};
use thiserror::Error;

use crate::config::InvalidOption;

/// Why an engine did not do what it was asked. A plain value: every waiter of a job can be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The queue of that class is full. Nothing was stored: submit again later, or wait for room with
    /// [`Engine::submit_timeout`](crate::Engine::submit_timeout).
    #[error("the queue of {} jobs is full: {bound} are waiting; try again later", class.as_str())]
    QueueFull {
        /// Which queue.
        class: JobClass,
        /// How many may wait.
        bound: usize,
    },
    /// The engine shuts down and takes no more work.
    #[error("the engine is shutting down: it takes no new jobs")]
    ShuttingDown,
    /// The store failed while the outcome of a job was written. The engine goes on trying; until then no new job
    /// is taken.
    #[error("the engine is unhealthy: {0}")]
    Unhealthy(StoreError),
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(JobId),
    /// The job is complete; a complete job never changes.
    #[error("job {0} is complete: it cannot be cancelled")]
    AlreadyComplete(JobId),
    /// The request is not one that can be run.
    #[error(transparent)]
    InvalidSpec(#[from] InvalidSpec),
    /// The page asked for is out of range.
    #[error(transparent)]
    InvalidPage(#[from] InvalidParameter),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine cannot be opened as it is set up.
    #[error(transparent)]
    InvalidOption(#[from] InvalidOption),
    /// A thread could not be started.
    #[error("a worker thread could not be started: {0}")]
    Thread(String),
    /// A thread of the engine panicked outside of every handler and callback. It has been started anew; the job it ran
    /// has failed. [`Engine::health`](crate::Engine::health) says so for a minute after the last panic.
    #[error("thread {thread} of the engine panicked in the last minute and was started anew: {message}")]
    ThreadPanicked {
        /// The name of the thread.
        thread: String,
        /// The message of the panic.
        message: String,
    },
}

impl From<&EngineError> for ApiError {
    /// The code and message a client of the API gets.
    fn from(error: &EngineError) -> Self {
        match error {
            EngineError::UnknownJob(id) => Self::unknown_job(&id.to_string()),
            EngineError::AlreadyComplete(id) => Self::not_cancellable(&id.to_string()),
            EngineError::InvalidSpec(invalid) => Self::new(ErrorCode::Parameter, invalid.to_string()),
            EngineError::InvalidPage(invalid) => invalid.clone().into(),
            EngineError::QueueFull { .. }
            | EngineError::ShuttingDown
            | EngineError::Unhealthy(_)
            | EngineError::ThreadPanicked { .. } => Self::new(ErrorCode::Unavailable, error.to_string()),
            EngineError::Store(_) | EngineError::InvalidOption(_) | EngineError::Thread(_) => {
                Self::new(ErrorCode::JobQueryInternal, error.to_string())
            }
        }
    }
}

/// How the body of a job ends when it does not end well. `?` carries it.
///
/// ```
/// use job_runner::JobError;
///
/// fn body(input: &str) -> Result<u32, JobError> {
///     input.parse().map_err(|_| JobError::failed(format!("parameter k is {input:?}: it must be a number")))
/// }
/// assert!(matches!(body("many"), Err(JobError::Failed(_))));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// The body stops because a checkpoint told it to.
    Cancelled,
    /// The work cannot be done: the reason, one sentence for the caller of the job.
    Failed(String),
    /// The work could not be done now; another attempt may succeed.
    Transient(String),
    /// The job would have used more than its budget allows.
    OverBudget(Resource, u64),
    /// Rows could not be stored.
    Store(StoreError),
}

/// What a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Rows of the list.
    Rows,
    /// Bytes of JSON of those rows.
    Bytes,
    /// Bytes of memory, as the handler reports them.
    Memory,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rows => "rows",
            Self::Bytes => "bytes of rows",
            Self::Memory => "bytes of memory",
        })
    }
}

impl JobError {
    /// The work cannot be done, for this reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }

    /// The work could not be done now, for this reason; the engine tries again, with growing pauses.
    pub fn transient(reason: impl Into<String>) -> Self {
        Self::Transient(reason.into())
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the job was told to stop"),
            Self::Failed(reason) | Self::Transient(reason) => f.write_str(reason),
            Self::OverBudget(resource, limit) => write!(f, "its budget of {limit} {resource} is used up"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for JobError {}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<InvalidRow> for JobError {
    fn from(invalid: InvalidRow) -> Self {
        Self::Failed(invalid.to_string())
    }
}

impl From<InvalidOutput> for JobError {
    fn from(invalid: InvalidOutput) -> Self {
        Self::Failed(invalid.to_string())
    }
}

/// Parameters that do not fit the handler's type.
impl From<InvalidBody> for JobError {
    fn from(invalid: InvalidBody) -> Self {
        Self::Failed(invalid.to_string())
    }
}

/// JSON of the handler's own that cannot be read or written.
impl From<serde_json::Error> for JobError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
