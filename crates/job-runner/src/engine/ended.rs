//! [`EndedAttempt`]: an attempt whose body has ended, and whose outcome is not stored yet.

use std::{sync::Arc, time::Duration};

use job_core::{JobResult, Timestamp};

use crate::{decide::outcome::BodyOutcome, engine::core::EngineCore, handler::context::Core, job::entry::Entry};

/// How the body of an attempt ended.
#[derive(Debug, Clone)]
pub(crate) enum BodyResult {
    /// The body returned, and all its rows are in the store.
    Well(JobResult),
    /// The body failed, or its rows are not all in the store.
    Badly(BodyOutcome),
}

/// An attempt whose body has ended, and whose outcome has to be stored.
#[derive(Debug)]
pub(crate) struct EndedAttempt {
    pub(crate) entry: Arc<Entry>,
    pub(crate) core: Arc<Core>,
    pub(crate) ended: BodyOutcome,
    pub(crate) result: Option<JobResult>,
    /// Whether the rows of a stopped attempt can be kept. They cannot if the store has lost them.
    pub(crate) keeps_rows: bool,
    /// The time of the end. It is the same in every try, so that a write that was reported as failed is
    /// recognized.
    pub(crate) now: Timestamp,
    pub(crate) entropy: u64,
    /// The progress of the body in percent, also the same in every try.
    pub(crate) percent: u8,
    /// How long the attempt used a worker.
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
        let entropy = engine.chance.of_attempt(entry.id, core.attempt.number);
        let (entry, core, now) = (Arc::clone(entry), Arc::clone(core), engine.clock.now());
        let percent = core.attempt.counter.snapshot(now).percent();
        Self { entry, core, ended, result, keeps_rows: true, now, entropy, percent, used }
    }
}
