//! [`Stats`]: the state of an engine at one moment.

use std::time::Duration;

use serde::Serialize;

use crate::read::unreadable::Unreadable;

/// The state of an engine at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Jobs that read.
    pub read: ClassStats,
    /// Jobs that write.
    pub write: ClassStats,
    /// Waiting jobs that no handler here can run.
    pub unhandled: usize,
    /// Running jobs that were asked to stop and have not stopped.
    pub cancelling: usize,
    /// Why the engine is unhealthy; `None` when it is well.
    pub unhealthy: Option<String>,
    /// How often a thread of the engine has panicked outside of every handler and callback, and was started anew.
    pub thread_panics: u64,
    /// Jobs in the store that this engine has found unreadable. It works on without them.
    pub unreadable: Vec<Unreadable>,
}

/// The jobs of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ClassStats {
    /// Jobs that wait.
    pub waiting: usize,
    /// Jobs that run.
    pub running: usize,
    /// How long the oldest waiting job has waited; 0 if none waits.
    pub oldest_waiting: Duration,
    /// How long the job that started first has been running; 0 if none runs.
    pub oldest_running: Duration,
}
