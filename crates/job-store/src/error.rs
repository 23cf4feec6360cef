//! [`StoreError`]: the failed call of a store, the job, and the reason.

use std::{error::Error, fmt, sync::Arc};

use job_core::JobId;

/// The failure of a call to a store.
///
/// It is a plain value (`Clone`, `PartialEq`), so every waiter of a job gets it and tests compare kinds. Its
/// cause, if known, is its [`source`](Error::source), and does not count in a comparison.
///
/// A store gives the class and the error that it met:
///
/// ```
/// use std::{error::Error, io};
/// use job_store::{ErrorKind, StoreError};
///
/// fn flush() -> Result<(), io::Error> { Err(io::Error::other("no space left on device")) }
///
/// let error = flush().map_err(|error| StoreError::caused(ErrorKind::Full, error)).unwrap_err();
/// assert_eq!(error.to_string(), "the store failed: no space left on device (free some disk space)");
/// assert!(error.source().is_some_and(|source| source.is::<io::Error>()));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StoreError {
    /// The class, which tells a caller what to do.
    pub kind: ErrorKind,
    /// The operation, to be read after "could not": `append rows`. Empty if it is unknown.
    pub operation: &'static str,
    /// The job of the call, if the call is about one job.
    pub job: Option<JobId>,
    /// The reason, in the words of the part that failed.
    pub detail: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error that concerns no single job.
    ///
    /// ```
    /// use job_store::{ErrorKind, StoreError};
    ///
    /// let error = StoreError::new(ErrorKind::Conflict, "append rows", "the job has ended");
    /// assert_eq!(error.to_string(), "could not append rows: the job has ended");
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, operation, job: None, detail: detail.into(), source: None }
    }

    /// An error of this class with its cause. Its detail repeats the words of the cause.
    #[must_use]
    pub fn caused(kind: ErrorKind, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self::new(kind, "", source.to_string()).because(source)
    }

    /// The same error, on this job.
    #[must_use]
    pub fn on(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    /// The same error with the name of the failed call, unless the error has one.
    pub(crate) fn during(mut self, operation: &'static str, job: Option<JobId>) -> Self {
        if self.operation.is_empty() {
            self.operation = operation;
            self.job = self.job.or(job);
        }
        self
    }

    /// The same error, with this cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }
}

impl PartialEq for StoreError {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.operation, self.job, &self.detail)
            == (other.kind, other.operation, other.job, &other.detail)
    }
}

impl Eq for StoreError {}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.operation, self.job) {
            ("", None) => f.write_str("the store failed")?,
            ("", Some(job)) => write!(f, "the store failed on job {job}")?,
            (operation, None) => write!(f, "could not {operation}")?,
            (operation, Some(job)) => write!(f, "could not {operation} of job {job}")?,
        }
        write!(f, ": {}", self.detail)?;
        if let Some(advice) = self.kind.advice() {
            write!(f, " ({advice})")?;
        }
        Ok(())
    }
}

/// The class of a [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The job is not in the store.
    NotFound,
    /// The job is in the store already.
    AlreadyExists,
    /// Another caller changed the record first: read it again.
    Conflict,
    /// The attempt that writes is over; its worker must stop.
    Fenced,
    /// Stored bytes have changed since they were written.
    Corrupt,
    /// Rows of the attempt are gone, because the storage failed before they were flushed. The attempt must run
    /// again.
    Lost,
    /// The store was written by a version this one cannot read.
    Format,
    /// The disk is full.
    Full,
    /// Another process has the store open, or another engine works on it.
    AlreadyOpen,
    /// The store was opened for reading only.
    ReadOnly,
    /// The caller broke the contract of the call.
    Invalid,
    /// The storage failed for now.
    Unavailable,
}

impl ErrorKind {
    /// Whether the same call may succeed later without any other action.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Full)
    }

    const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Corrupt => Some("verify the store to find all damage, and restore or remove the job"),
            Self::Format => Some("open it with the version that wrote it"),
            Self::Full => Some("free some disk space"),
            Self::AlreadyOpen => Some("close the other one first, or only read the store"),
            Self::ReadOnly => Some("open it for writing"),
            _ => None,
        }
    }
}
