//! The statuses that calls return, and the states of jobs.

use job_runner::{EngineError, JobError, JobState, Outcome as End, StoreError, store::ErrorKind};

/// The result of every call: [`JOB_OK`], or the class of an error. [`job_last_error`](crate::job_last_error) has
/// the sentence. Later versions may add statuses, so a caller must treat an unknown one as an error.
pub type JobStatus = i32;

/// The call has succeeded.
pub const JOB_OK: JobStatus = 0;
/// An argument cannot be used: it is NULL, not UTF-8, invalid JSON, or an invalid option.
pub const JOB_ERROR_ARGUMENT: JobStatus = 1;
/// A handle is not valid: it was freed, or it is the handle of another kind of object.
pub const JOB_ERROR_HANDLE: JobStatus = 2;
/// There is no such job, or no checkpoint.
pub const JOB_ERROR_NOT_FOUND: JobStatus = 3;
/// The job has ended, so it cannot be cancelled.
pub const JOB_ERROR_COMPLETE: JobStatus = 4;
/// Another request has this idempotency key, or another caller changed the job first.
pub const JOB_ERROR_CONFLICT: JobStatus = 5;
/// The queue is full. Nothing was stored; the same call may succeed later.
pub const JOB_ERROR_BUSY: JobStatus = 6;
/// The store does not answer, or the machine lacks a resource. The same call may succeed later.
pub const JOB_ERROR_UNAVAILABLE: JobStatus = 7;
/// The engine is shut down.
pub const JOB_ERROR_CLOSED: JobStatus = 8;
/// The job has not ended in the given time.
pub const JOB_ERROR_TIMEOUT: JobStatus = 9;
/// The job was asked to stop. The handler has to return this status.
pub const JOB_ERROR_STOPPED: JobStatus = 10;
/// A budget of the job is used up. The handler has to return this status.
pub const JOB_ERROR_BUDGET: JobStatus = 11;
/// The buffer is too small. The call has returned the needed size, and the content of the buffer is undefined.
pub const JOB_ERROR_BUFFER: JobStatus = 12;
/// The store cannot be used: it is damaged, of another version, or open for reading only.
pub const JOB_ERROR_STORE: JobStatus = 13;
/// Another process or another engine has the store.
pub const JOB_ERROR_LOCKED: JobStatus = 14;
/// This library was built without the feature that the call needs.
pub const JOB_ERROR_UNSUPPORTED: JobStatus = 15;
/// The process was forked from the one that has the engine.
pub const JOB_ERROR_FORKED: JobStatus = 16;
/// The wait would never end: the call is in a callback, or jobs would wait for each other.
pub const JOB_ERROR_CANNOT_WAIT: JobStatus = 17;
/// The engine is freed, and a handler has not stopped in time. The code of the handler must stay in memory.
pub const JOB_ERROR_RUNNING: JobStatus = 18;
/// For handlers: the job fails. [`job_context_fail`](crate::job_context_fail) gives the reason.
pub const JOB_ERROR_FAILED: JobStatus = 19;
/// For handlers: the job failed for now and runs again later. [`job_context_retry`](crate::job_context_retry) gives the
/// reason.
pub const JOB_ERROR_TRANSIENT: JobStatus = 20;
/// A callback ended the call: it did not return 0.
pub const JOB_ERROR_CALLBACK: JobStatus = 21;
/// The call panicked, by a bug of the library or of a function of the host in Rust. The process goes on.
pub const JOB_ERROR_PANIC: JobStatus = 22;

/// The state of a job. Later versions may add states.
pub type JobStateCode = i32;

/// The job is stored and has not started.
pub const JOB_STATE_WAITING: JobStateCode = 0;
/// A worker runs the job.
pub const JOB_STATE_RUNNING: JobStateCode = 1;
/// The job runs and was asked to stop.
pub const JOB_STATE_CANCELLING: JobStateCode = 2;
/// The job has succeeded, and its whole result is stored.
pub const JOB_STATE_SUCCEEDED: JobStateCode = 3;
/// The job has failed.
pub const JOB_STATE_FAILED: JobStateCode = 4;
/// The job was cancelled.
pub const JOB_STATE_CANCELLED: JobStateCode = 5;

pub(crate) const fn state_code(state: JobState) -> JobStateCode {
    match state {
        JobState::Waiting => JOB_STATE_WAITING,
        JobState::Running { cancelling: false } => JOB_STATE_RUNNING,
        JobState::Running { cancelling: true } => JOB_STATE_CANCELLING,
        JobState::Complete(End::Succeeded) => JOB_STATE_SUCCEEDED,
        JobState::Complete(End::Failed) => JOB_STATE_FAILED,
        JobState::Complete(End::Cancelled) => JOB_STATE_CANCELLED,
    }
}

pub(crate) const fn of_engine(error: &EngineError) -> JobStatus {
    match error {
        EngineError::QueueFull { .. } => JOB_ERROR_BUSY,
        EngineError::ShuttingDown | EngineError::LeftUnfinished(_) | EngineError::Closed(_) => JOB_ERROR_CLOSED,
        EngineError::ToldToStop { .. } => JOB_ERROR_STOPPED,
        EngineError::CannotWait { .. } => JOB_ERROR_CANNOT_WAIT,
        EngineError::UnknownJob(_) => JOB_ERROR_NOT_FOUND,
        EngineError::AlreadyComplete(_) => JOB_ERROR_COMPLETE,
        EngineError::KeyTaken { .. } => JOB_ERROR_CONFLICT,
        EngineError::Store(error) => of_store(error),
        _ if error.is_retryable() => JOB_ERROR_UNAVAILABLE,
        _ => JOB_ERROR_ARGUMENT,
    }
}

pub(crate) const fn of_store(error: &StoreError) -> JobStatus {
    match error.kind {
        ErrorKind::NotFound => JOB_ERROR_NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => JOB_ERROR_CONFLICT,
        ErrorKind::Fenced => JOB_ERROR_STOPPED,
        ErrorKind::AlreadyOpen => JOB_ERROR_LOCKED,
        ErrorKind::Invalid => JOB_ERROR_ARGUMENT,
        ErrorKind::Full | ErrorKind::Unavailable => JOB_ERROR_UNAVAILABLE,
        _ => JOB_ERROR_STORE,
    }
}

pub(crate) const fn of_job(error: &JobError) -> JobStatus {
    match error {
        JobError::Stopped(_) => JOB_ERROR_STOPPED,
        JobError::Transient(_) => JOB_ERROR_UNAVAILABLE,
        JobError::OverBudget(..) => JOB_ERROR_BUDGET,
        JobError::Store(error) => of_store(error),
        _ => JOB_ERROR_ARGUMENT,
    }
}
