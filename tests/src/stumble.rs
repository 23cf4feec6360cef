//! A store that kills its own process at a chosen write.

use std::sync::Arc;

use job_runner::store::{FaultStore, Moment, Store};

/// Where the process dies: at the write with this number, the first being 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    /// Stops before the write, which is then not done; or after it, so that its caller is not told.
    pub moment: Moment,
    /// Its number.
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
