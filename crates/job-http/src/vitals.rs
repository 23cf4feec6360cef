//! [`Vitals`]: the figures of `/health`, without a wait for the store.

use std::{sync::Arc, time::Duration};

use job_runner::Engine;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::calls::Calls;

/// The engine's state at this moment.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Waiting jobs.
    #[schema(format = "uint64")]
    waiting: usize,
    /// Running jobs.
    #[schema(format = "uint64")]
    running: usize,
    /// Jobs in the store that cannot be read; they keep the engine from nothing else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<UnreadableJob>,
}

/// A job that cannot be read.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnreadableJob {
    job_id: String,
    /// Why.
    reason: String,
}

impl Health {
    fn of(engine: &Engine) -> Self {
        let stats = engine.stats();
        Self {
            waiting: stats.read.waiting + stats.write.waiting,
            running: stats.read.running + stats.write.running,
            unreadable: stats
                .unreadable
                .into_iter()
                .map(|job| UnreadableJob { job_id: job.job.to_string(), reason: job.reason })
                .collect(),
        }
    }
}

/// Counts jobs, one count at a time. A count takes the lock of every job, and a write to a store that hangs may
/// hold one of them. Then a request gets the figures of the last count.
#[derive(Debug)]
pub(crate) struct Vitals {
    count: Calls,
    last: Arc<Mutex<Health>>,
}

/// How long a request waits for a count.
const PATIENCE: Duration = Duration::from_millis(50);

impl Default for Vitals {
    fn default() -> Self {
        Self { count: Calls::new(1), last: Arc::default() }
    }
}

impl Vitals {
    pub(crate) async fn of(&self, engine: &Arc<Engine>) -> Health {
        let (engine, last) = (Arc::clone(engine), Arc::clone(&self.last));
        let count = self.count.go_on(move || {
            let health = Health::of(&engine);
            last.lock().clone_from(&health);
            health
        });
        match timeout(PATIENCE, count).await {
            Ok(Ok(health)) => health,
            _ => self.last.lock().clone(),
        }
    }
}
