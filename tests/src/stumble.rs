//! A store that kills its own process at a chosen write.

use std::sync::Arc;

use job_runner::store::{FaultStore, Moment, Store};

/// The moment of the death: the write with this number, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// Whether the process dies before the write, which is then not done, or after it, so that the caller gets no
    /// answer.
    pub moment: Moment,
    /// The number of the write.
    pub write: u64,
}

/// Passes everything on to `inner` until the process dies.
#[must_use]
pub fn stumbling(inner: Arc<dyn Store>, death: Death) -> FaultStore {
    FaultStore::with_hook(inner, move |moment, write| {
        if (Death { moment, write }) == death {
            std::process::abort();
        }
    })
}
