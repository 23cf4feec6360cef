//! A job in the list of the API, at this moment.

use job_runner::{
    Engine, JobRecord, JobSnapshot, JobState, Unreadable,
    wire::{Dialect, ListedJob},
};

/// The list entry of a job, or of one that cannot be read.
pub(crate) fn listed(job: &Result<JobRecord, Unreadable>, engine: &Engine, dialect: Dialect) -> ListedJob {
    match job {
        Ok(record) => of(record, engine, dialect),
        Err(unreadable) => dialect.unreadable_job(unreadable.job, &unreadable.reason),
    }
}

fn of(record: &JobRecord, engine: &Engine, dialect: Dialect) -> ListedJob {
    // A running job is read again, so that its state and its progress are of one moment.
    let running = matches!(record.state, JobState::Running { .. });
    if running && let Ok(Some(job)) = engine.job(record.id) {
        let JobSnapshot { record, progress, .. } = job.snapshot();
        return dialect.listed_job(&record, progress.percent());
    }
    dialect.listed_job(record, 0)
}
