//! [`AlgorithmError`].

use job_runner::job_core::strict::InvalidBody;
use thiserror::Error;

use super::InvalidParameter;
use crate::watch::Stopped;

/// Why an algorithm gave no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// It was stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The parameters are no JSON object, name one twice, or one of them cannot be used.
    #[error(transparent)]
    Request(#[from] InvalidBody),
    /// A parameter does not fit the graph.
    #[error(transparent)]
    Parameter(#[from] InvalidParameter),
}
