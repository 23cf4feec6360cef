//! [`AlgorithmError`].

use job_runner::job_core::strict::InvalidBody;
use thiserror::Error;

use super::InvalidParameter;
use crate::watch::Stopped;

/// Why an algorithm gave no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AlgorithmError {
    /// The watcher stopped the work.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The parameters are not a JSON object, have a name twice, or have a wrong value.
    #[error(transparent)]
    Request(#[from] InvalidBody),
    /// A parameter does not fit the graph.
    #[error(transparent)]
    Parameter(#[from] InvalidParameter),
    /// The shortest paths from a vertex are more than can be counted.
    #[error(
        "more than 10^308 shortest paths begin at {0:?}, which are too many to count: give another weight, or seeds"
    )]
    TooManyPaths(String),
}
