//! A job in the list of the API, at this moment.

use job_runner::{
    Engine, JobKind, JobRecord, JobSnapshot, JobState, Unreadable,
    wire::{Dialect, ListedJob},
};

use crate::action::Actions;

/// Where the requests for jobs of a graph are sent.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// The path of the graph.
    pub(crate) graph: String,
    pub(crate) actions: Actions,
}

impl Place {
    /// The address of requests for work of this kind.
    fn of(&self, kind: &JobKind) -> String {
        let below = self.actions.address(kind);
        format!("{}/{below}", self.graph)
    }
}

/// The list entry of a job, or of one that cannot be read.
pub(crate) fn listed(
    job: &Result<JobRecord, Unreadable>,
    engine: &Engine,
    dialect: Dialect,
    place: &Place,
) -> ListedJob {
    match job {
        Ok(record) => of(record, engine, dialect, &place.of(record.spec.kind())),
        Err(unreadable) => dialect.unreadable_job(unreadable.job, &unreadable.reason),
    }
}

fn of(record: &JobRecord, engine: &Engine, dialect: Dialect, url: &str) -> ListedJob {
    // A running job is read again, so that its state and its progress are of one moment.
    let running = matches!(record.state, JobState::Running { .. });
    if running && let Ok(Some(job)) = engine.job(record.id) {
        let JobSnapshot { record, progress, .. } = job.snapshot();
        return dialect.listed_job(&record, progress.percent(), url);
    }
    dialect.listed_job(record, 0, url)
}
