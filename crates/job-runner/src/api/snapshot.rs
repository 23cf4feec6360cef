//! [`JobSnapshot`]: a job at one moment.

use std::sync::Arc;

use job_core::{JobRecord, JobState, RowList, Timestamp};

use crate::{
    api::explain::Explanation,
    engine::core::EngineCore,
    job::{attempt::Attempt, entry::Entry, place::Place, progress::Progress},
};

/// A job at one moment. All fields are of that moment. Those of a running job are of its running attempt, and a
/// job whose record is complete is explained as complete.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobSnapshot {
    /// The job.
    pub record: JobRecord,
    /// Why the job waits, its progress, or why it ended.
    pub explanation: Explanation,
    /// The progress; empty for a job that has not run, or that another engine runs.
    pub progress: Progress,
    /// Rows of its list; of a running job, those that can be read so far.
    pub rows: u64,
    /// The name of its list; `None` for a job that has no list yet.
    pub list: Option<String>,
}

/// The data that are read under one lock of the job.
pub(crate) struct Look {
    pub(crate) record: JobRecord,
    /// The running attempt of the job, if this engine runs it.
    pub(crate) attempt: Option<Arc<Attempt>>,
    /// Whether this engine has the job.
    pub(crate) here: bool,
    pub(crate) place: Place,
}

impl Look {
    pub(crate) fn at(engine: &EngineCore, entry: &Entry) -> Self {
        let state = entry.lock();
        let running = matches!(state.record.state, JobState::Running { .. });
        Self {
            record: state.record.clone(),
            attempt: state
                .place
                .attempt()
                .cloned()
                .filter(|attempt| running && attempt.number == state.record.attempt),
            here: engine.source.has(&state.place),
            place: state.place.clone(),
        }
    }

    pub(crate) fn progress(&self, now: Timestamp) -> Progress {
        match &self.attempt {
            Some(attempt) => attempt.counter.snapshot(now),
            None => Progress::at_rest(&self.record),
        }
    }
}

impl JobSnapshot {
    pub(crate) fn of(engine: &EngineCore, entry: &Entry) -> Self {
        let look = Look::at(engine, entry);
        let progress = look.progress(engine.clock.now());
        let list = look.attempt.as_ref().and_then(|attempt| attempt.readable());
        let rows =
            if look.attempt.is_some() { list.as_ref().map_or(0, RowList::rows) } else { look.record.size.rows };
        Self {
            explanation: Explanation::of(engine, &look, &progress),
            rows,
            list: list.map(|list| list.name().to_owned()),
            progress,
            record: look.record,
        }
    }
}
