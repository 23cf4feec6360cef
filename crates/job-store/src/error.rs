//! [`StoreError`]: what a store could not do, on which job, and what to do about it.

use std::fmt;

use job_core::JobId;
use thiserror::Error;

/// What a store could not do.
///
/// A plain value (`Clone`, `PartialEq`), so that every waiter of a job can be told and tests compare kinds.
///
/// ```
/// use job_store::{ErrorKind, StoreError};
///
/// let error = StoreError::new(ErrorKind::Full, "append rows", "no space left on device");
/// assert_eq!(error.to_string(), "could not append rows: no space left on device (free some disk space)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct StoreError {
    /// The class, which tells a caller what to do.
    pub kind: ErrorKind,
    /// What was tried, as a verb with its object: `append rows`.
    pub operation: &'static str,
    /// The job it was tried on, if one.
    pub job: Option<JobId>,
    /// What went wrong, in the words of whoever knew best.
    pub detail: String,
}

impl StoreError {
    /// An error that concerns no single job.
    #[must_use]
    pub fn new(kind: ErrorKind, operation: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, operation, job: None, detail: detail.into() }
    }

    /// The same error, on this job.
    #[must_use]
    pub fn on(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.operation)?;
        if let Some(job) = self.job {
            write!(f, " of job {job}")?;
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
    /// Somebody changed the record first: read it again.
    Conflict,
    /// The attempt that writes is over; its worker must stop.
    Fenced,
    /// Stored bytes are not what was written.
    Corrupt,
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
    /// Whether the same call may succeed later without anything else being done.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Unavailable | Self::Full)
    }

    const fn advice(self) -> Option<&'static str> {
        match self {
            Self::Corrupt => Some("run `job-demo inspect` on the store, and restore or remove the job"),
            Self::Format => Some("open it with the version that wrote it"),
            Self::Full => Some("free some disk space"),
            Self::AlreadyOpen => Some("close the other one first, or only read the store"),
            Self::ReadOnly => Some("open it for writing"),
            _ => None,
        }
    }
}
