//! [`Services`]: the calls of a running body to its engine.

use std::{fmt, sync::Arc, time::Duration};

use job_store::Store;

use super::{partition::Scan, threads::ThreadBudget};
use crate::seam::clock::Clock;

/// The services of an engine to a running body.
pub(crate) trait Services: fmt::Debug + Send + Sync {
    /// The store. The caller holds no lock of the engine.
    fn store(&self) -> &Arc<dyn Store>;

    fn clock(&self) -> &dyn Clock;

    /// How many threads run bodies and help with scans.
    fn workers(&self) -> usize;

    /// The threads that bodies may ask for.
    fn threads(&self) -> &ThreadBudget;

    /// The time after which the state of an iterative algorithm is saved again.
    fn checkpoint_interval(&self) -> Duration;

    /// Adds to the counts of stored rows, of their bytes of JSON, and of the bytes that the store has made of these.
    fn rows_written(&self, rows: u64, bytes: u64, packed: u64);

    /// Offers the partitions of a scan to idle workers.
    fn offer(&self, scan: &Arc<Scan>);

    /// Withdraws the offer of [`offer`](Self::offer).
    fn withdraw(&self, scan: &Arc<Scan>);
}
