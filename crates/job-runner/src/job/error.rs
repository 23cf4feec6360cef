//! [`EngineError`]: why an engine refused a call. [`JobError`]: why the body of a job ended without success.

use std::{
    error::Error,
    fmt, io, iter,
    ops::{Deref, RangeInclusive},
    sync::Arc,
    time::Duration,
};

use job_core::{InvalidParameter, InvalidSpec, JobClass, JobId, JobKind, shown};
use job_store::StoreError;
use thiserror::Error;

use crate::job::cancel::StopCause;

/// Why an engine refused a call. It is a plain value, so every waiter of a job gets it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The queue of that class is full. Nothing was stored: submit again later, or wait for room with
    /// [`Engine::submit_timeout`](crate::Engine::submit_timeout).
    #[error("the queue of {} jobs is full: {bound} are waiting; try again later", class.as_str())]
    QueueFull {
        /// The class of jobs whose queue is full.
        class: JobClass,
        /// The most waiting jobs of that class.
        bound: usize,
    },
    /// The engine shuts down and takes no more work. Nothing was stored: submit to another one.
    #[error("the engine is shutting down: it takes no new jobs")]
    ShuttingDown,
    /// The job will not end in this engine, which was shut down first. It is stored, and runs when its store is
    /// opened again, or in another engine that shares the store.
    #[error("job {0} has not ended in this engine, which is shut down: the next one on its store goes on with it")]
    LeftUnfinished(JobId),
    /// The engine is shut down, and another engine may have the job, which would not learn of a change. Ask that
    /// engine.
    #[error("the engine is shut down: job {0} can be changed only in one that is open")]
    Closed(JobId),
    /// The store failed while the outcome of a job was written. The engine tries again, and takes no new job until
    /// it succeeds.
    #[error("the engine is unhealthy: {0}")]
    Unhealthy(#[source] StoreError),
    /// The job whose body waits was told to stop. The body should return this error as it is (`?`). The job then
    /// ends for that cause.
    #[error("job {job} waits no longer: it was told to stop: {cause}")]
    ToldToStop {
        /// The job whose body waited.
        job: JobId,
        /// Why the body was stopped.
        cause: StopCause,
    },
    /// The wait would never end, or the engine has no thread for it.
    #[error("{} cannot wait for job {awaited}: {reason}", waiter(*job))]
    CannotWait {
        /// The job whose body would wait; `None` in a callback.
        job: Option<JobId>,
        /// The job to wait for.
        awaited: JobId,
        /// The reason, with the remedy.
        reason: String,
    },
    /// Jobs that were waited for together did not all end in time: [`JobHandle::wait_all`](crate::JobHandle::wait_all).
    #[error("{} of {all} jobs did not end within {timeout:?}: {}", jobs.len(), some(jobs))]
    NotEnded {
        /// Those that did not, each with its [explanation](crate::Explanation), in the order in which they were named.
        jobs: Vec<(JobId, String)>,
        /// How many were waited for.
        all: usize,
        /// How long.
        timeout: Duration,
    },
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(JobId),
    /// The job is complete; a complete job never changes.
    #[error("job {0} is complete: it cannot be cancelled")]
    AlreadyComplete(JobId),
    /// The request cannot be run.
    #[error(transparent)]
    InvalidSpec(#[from] InvalidSpec),
    /// No handler of this engine runs such jobs, so that this one would wait for ever. Nothing was stored.
    /// [`EngineBuilder::accept_any_kind`](crate::EngineBuilder::accept_any_kind) takes it all the same, as a
    /// [front end](crate::EngineBuilder::front_end) does.
    #[error("no handler runs {}: {}", shown(&kind.to_string()), handlers(registered))]
    UnknownKind {
        /// Which kind was asked for.
        kind: JobKind,
        /// Those that the engine has handlers for, in order.
        registered: Vec<JobKind>,
    },
    /// The host refuses the request: its handler, or a [check](crate::EngineBuilder::check). Nothing was stored.
    #[error("{} refuses the request: {reason}", shown(&kind.to_string()))]
    Refused {
        /// Which kind was asked for.
        kind: JobKind,
        /// Why, in the words of the host.
        reason: String,
    },
    /// Another request has the idempotency key. Nothing was stored.
    #[error(
        "the idempotency key {key:?} is that of {}, {first}: it cannot name {other} as well; give each request a key of its own",
        job.map_or_else(|| "another request of the batch".to_owned(), |job| format!("job {job}"))
    )]
    KeyTaken {
        /// The key.
        key: String,
        /// The job that has the key; `None` if another request of the same batch has it.
        job: Option<JobId>,
        /// The request that took the key first, in words.
        first: String,
        /// The refused request, in words.
        other: String,
    },
    /// The requested page is out of range.
    #[error(transparent)]
    InvalidPage(#[from] InvalidParameter),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine cannot be opened with these options.
    #[error(transparent)]
    InvalidOption(#[from] InvalidOption),
    /// A thread could not be started.
    #[error("a worker thread could not be started: {0}")]
    Thread(#[source] Cause),
    /// A thread of the engine panicked outside of every handler and callback. It was started again, and the job
    /// that it ran has failed. [`Engine::health`](crate::Engine::health) reports it for a minute after the last
    /// panic.
    #[error("thread {thread} of the engine panicked in the last minute and was started anew: {message}")]
    ThreadPanicked {
        /// The name of the thread.
        thread: String,
        /// The message of the panic.
        message: String,
    },
}

impl EngineError {
    /// Whether the same call on the same engine may succeed later without any other action.
    ///
    /// ```
    /// use job_runner::{EngineError, JobClass};
    ///
    /// assert!(EngineError::QueueFull { class: JobClass::Read, bound: 10 }.is_retryable());
    /// assert!(!EngineError::ShuttingDown.is_retryable());
    /// ```
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::QueueFull { .. }
            | Self::Unhealthy(_)
            | Self::NotEnded { .. }
            | Self::Thread(_)
            | Self::ThreadPanicked { .. } => true,
            Self::Store(error) => error.kind.is_retryable(),
            Self::ShuttingDown
            | Self::ToldToStop { .. }
            | Self::CannotWait { .. }
            | Self::LeftUnfinished(_)
            | Self::Closed(_)
            | Self::UnknownJob(_)
            | Self::AlreadyComplete(_)
            | Self::InvalidSpec(_)
            | Self::UnknownKind { .. }
            | Self::Refused { .. }
            | Self::KeyTaken { .. }
            | Self::InvalidPage(_)
            | Self::InvalidOption(_) => false,
        }
    }
}

/// The kinds that an engine runs, for people.
fn handlers(registered: &[JobKind]) -> String {
    const MOST: usize = 20;
    if registered.is_empty() {
        return "this engine has no handler at all; one that only submits is opened as a front end".to_owned();
    }
    let names: Vec<String> =
        registered.iter().take(MOST).map(|kind| shown(&kind.to_string()).to_owned()).collect();
    let more = registered.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("this engine has handlers for {}{more}", names.join(", "))
}

/// The first of the jobs that did not end, and how many more there are.
fn some(jobs: &[(JobId, String)]) -> String {
    const MOST: usize = 10;
    let shown: Vec<String> = jobs.iter().take(MOST).map(|(job, why)| format!("job {job}: {why}")).collect();
    let more = jobs.len().saturating_sub(MOST);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    shown.join("; ") + &more
}

fn waiter(job: Option<JobId>) -> String {
    job.map_or_else(|| "a callback".to_owned(), |job| format!("job {job}"))
}

/// The cause of an [`EngineError`]. Two causes with the same text are equal.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Deref for Cause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Cause {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A cause that is only a text.
impl From<String> for Cause {
    fn from(words: String) -> Self {
        Self(Box::<dyn Error + Send + Sync>::from(words).into())
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self(Arc::new(error))
    }
}

/// Why the body of a job ended without success. `?` converts any error into it.
///
/// The error of a store or an engine keeps its class, so that a shortage is tried again. Any other error becomes
/// [`Failed`](Self::Failed), with its text and that of its sources, each once. The error itself is dropped then,
/// so this type is no [`Error`] and has no source.
///
/// ```
/// use job_runner::JobError;
///
/// fn body(input: &str) -> Result<u32, JobError> {
///     let text = std::fs::read_to_string(input)?;
///     text.trim().parse().map_err(|_| JobError::failed(format!("k is {text:?}: it must be a number")))
/// }
/// assert!(matches!(body("/no/such/file"), Err(JobError::Failed(reason)) if reason.starts_with("No such file")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError {
    /// The body stopped because it was asked to, for this cause.
    Stopped(StopCause),
    /// The work cannot be done. The text is the reason, one sentence for the job's caller.
    Failed(String),
    /// The work could not be done now, and another attempt may succeed. The text is the reason.
    Transient(String),
    /// The job would use more of this resource than its budget allows.
    OverBudget(Resource, u64),
    /// Rows could not be stored.
    Store(StoreError),
}

/// The quantity that a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Rows of the list.
    Rows,
    /// Bytes of JSON of the job's rows.
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

    /// As `?` does, for an error that need not be of a known type, such as `&*boxed`.
    #[must_use]
    pub fn from_error(error: &(dyn Error + 'static)) -> Self {
        if let Some(error) = error.downcast_ref::<StoreError>() {
            return Self::Store(error.clone());
        }
        if let Some(EngineError::ToldToStop { cause, .. }) = error.downcast_ref() {
            return Self::Stopped(*cause);
        }
        if let Some(EngineError::Store(error) | EngineError::Unhealthy(error)) = error.downcast_ref() {
            return Self::Store(error.clone());
        }
        let retryable = |cause: &(dyn Error + 'static)| {
            let store = cause.downcast_ref::<StoreError>().is_some_and(|error| error.kind.is_retryable());
            store || cause.downcast_ref::<EngineError>().is_some_and(EngineError::is_retryable)
        };
        let told = told(error);
        if chain(Some(error)).any(retryable) { Self::Transient(told) } else { Self::Failed(told) }
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(cause) => write!(f, "the job was told to stop: {cause}"),
            Self::Failed(reason) | Self::Transient(reason) => f.write_str(reason),
            Self::OverBudget(resource, limit) => write!(f, "its budget of {limit} {resource} is used up"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::from_error(&error)
    }
}

/// Outside of the body of a job, this error is an error like others.
impl From<JobError> for Box<dyn Error + Send + Sync> {
    fn from(error: JobError) -> Self {
        error.to_string().into()
    }
}

impl From<JobError> for Box<dyn Error> {
    fn from(error: JobError) -> Self {
        error.to_string().into()
    }
}

/// An error and its sources. The chain is cut off, since an error may be its own source.
fn chain<'e>(first: Option<&'e (dyn Error + 'static)>) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    const MOST: usize = 32;
    let beneath: fn(&&'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> = |error| (*error).source();
    iter::successors(first, beneath).take(MOST)
}

/// The text of an error and of its sources, each once: many errors repeat the text of their source.
fn told(error: &(dyn Error + 'static)) -> String {
    chain(error.source()).map(ToString::to_string).fold(error.to_string(), |mut told, cause| {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
        told
    })
}

/// An option of an engine that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the option {option} is {value}: it must be {range}")]
#[non_exhaustive]
pub struct InvalidOption {
    /// The method of [`EngineBuilder`](crate::EngineBuilder) that sets the option.
    pub option: &'static str,
    /// The given value.
    pub value: String,
    /// The allowed range.
    pub range: String,
}

impl InvalidOption {
    pub(crate) fn check<T: PartialOrd + fmt::Debug>(
        option: &'static str,
        value: &T,
        range: RangeInclusive<T>,
    ) -> Result<(), Self> {
        if range.contains(value) {
            return Ok(());
        }
        let range = format!("from {:?} to {:?}", range.start(), range.end());
        Err(Self { option, value: format!("{value:?}"), range })
    }
}

#[cfg(test)]
mod tests {
    use job_store::ErrorKind;

    use super::*;

    /// An error of a host whose source is another error.
    #[derive(Debug, Error)]
    enum Above {
        #[error("the index cannot be read")]
        Hides(#[source] Box<dyn Error>),
        #[error("the index cannot be read: {0}")]
        Repeats(#[source] StoreError),
    }

    #[derive(Debug, Error)]
    #[error("it is its own cause")]
    struct Own;

    #[derive(Debug)]
    struct Loop(Own);

    impl fmt::Display for Loop {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Error for Loop {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    fn store(kind: ErrorKind) -> StoreError {
        StoreError::new(kind, "read rows", "no")
    }

    #[test]
    fn an_error_of_any_sort_becomes_the_reason_with_all_that_is_beneath_it() {
        let io = || io::Error::other("the disk is gone");
        let hides = Above::Hides(Box::new(Above::Hides(Box::new(io()))));
        assert_eq!(JobError::from(hides), JobError::failed("the index cannot be read: the disk is gone"));
        assert_eq!(JobError::from(io()), JobError::failed("the disk is gone"));
        assert_eq!(JobError::from(Loop(Own)), JobError::failed("it is its own cause"));
        let boxed: Box<dyn Error + Send + Sync> = "in words".into();
        assert_eq!(JobError::from_error(&*boxed), JobError::failed("in words"));
        let back: Box<dyn Error + Send + Sync> = JobError::failed("in words").into();
        assert_eq!(back.to_string(), "in words");
    }

    #[test]
    fn an_error_of_a_store_or_an_engine_keeps_its_class() {
        let full = || store(ErrorKind::Full);
        assert_eq!(JobError::from(full()), JobError::Store(full()));
        assert_eq!(JobError::from(EngineError::Store(full())), JobError::Store(full()));
        assert_eq!(JobError::from(EngineError::Unhealthy(full())), JobError::Store(full()));
        let busy = EngineError::QueueFull { class: JobClass::Read, bound: 1 };
        assert_eq!(JobError::from(busy.clone()), JobError::transient(busy.to_string()));
        let unknown = EngineError::UnknownJob(JobId::MIN);
        assert_eq!(JobError::from(unknown.clone()), JobError::failed(unknown.to_string()));
        // The class is kept also if an error of the host is above it.
        let repeats = format!("the index cannot be read: {}", full());
        assert_eq!(JobError::from(Above::Repeats(full())), JobError::transient(repeats));
        let damaged = Above::Repeats(store(ErrorKind::Corrupt));
        assert!(matches!(JobError::from(damaged), JobError::Failed(_)));
    }

    #[test]
    fn every_error_keeps_its_cause() {
        let thread = EngineError::Thread(io::Error::other("no more threads").into());
        assert!(thread.source().is_some_and(<dyn Error>::is::<io::Error>), "{thread:?}");
        let below = StoreError::caused(ErrorKind::Unavailable, io::Error::other("cut"));
        let error = EngineError::Unhealthy(below.clone());
        let source = error.source().and_then(|source| source.source());
        assert!(source.is_some_and(<dyn Error>::is::<io::Error>), "{error:?}");
        // The source is found also through a transparent error.
        assert!(EngineError::Store(below).source().is_some_and(<dyn Error>::is::<io::Error>));
    }
}
