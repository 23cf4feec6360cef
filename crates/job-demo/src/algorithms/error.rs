//! [`AlgorithmError`].

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
    /// The parameters are no JSON object, or one of them cannot be used.
    #[error(transparent)]
    Request(#[from] serde_json::Error),
    /// A parameter does not fit the graph.
    #[error(transparent)]
    Parameter(#[from] InvalidParameter),
}
