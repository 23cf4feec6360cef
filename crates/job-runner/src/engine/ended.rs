//! [`EndedAttempt`]: an attempt whose body is over, until that is stored.

use std::{sync::Arc, time::Duration};

use job_core::{JobResult, Timestamp};

use crate::{decide::outcome::BodyOutcome, engine::core::EngineCore, handler::context::Core, job::entry::Entry};

/// How an attempt came to its end, before that is stored.
#[derive(Debug, Clone)]
pub(crate) enum BodyResult {
    /// The body returned, and all its rows are in the store.
    Well(JobResult),
    /// It did not, or they are not.
    Badly(BodyOutcome),
}

/// An attempt whose body is over, and whose outcome is to be stored.
#[derive(Debug)]
pub(crate) struct EndedAttempt {
    pub(crate) entry: Arc<Entry>,
    pub(crate) core: Arc<Core>,
    pub(crate) ended: BodyOutcome,
    pub(crate) result: Option<JobResult>,
    /// Whether rows of an attempt that was stopped can be kept: not when the store has lost them.
    pub(crate) keeps_rows: bool,
    /// The same in every try, so that a write that was done but reported as failed is known again.
    pub(crate) now: Timestamp,
    pub(crate) entropy: u64,
    /// How far the body was, in percent; the same in every try, too.
    pub(crate) percent: u8,
    /// For how long it used a worker.
    pub(crate) used: Duration,
}

impl EndedAttempt {
    pub(crate) fn new(
        engine: &EngineCore,
        entry: &Arc<Entry>,
        core: &Arc<Core>,
        ending: BodyResult,
        used: Duration,
    ) -> Self {
        let (ended, result) = match ending {
            BodyResult::Well(result) => (BodyOutcome::Well, Some(result)),
            BodyResult::Badly(ended) => (ended, None),
        };
        let entropy = u64::from(core.attempt.started.elapsed().subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (entry, core, now) = (Arc::clone(entry), Arc::clone(core), engine.clock.now());
        let percent = core.attempt.counter.snapshot().percent();
        Self { entry, core, ended, result, keeps_rows: true, now, entropy, percent, used }
    }
}
