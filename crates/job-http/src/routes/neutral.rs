//! The surface that names no service: `.../jobs`, with problem details.

mod jobs;
mod result;
pub(crate) mod submit;

use job_runner::{JobRecord, JobState, Unreadable, wire::NeutralJob};
use utoipa_axum::routes;

use super::Placed;
use crate::context::Context;

/// Adds its routes.
pub(super) fn routes(placed: Placed<'_>) -> Placed<'_> {
    placed
        .routes(routes!(submit::submit))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::job))
        .routes(routes!(jobs::cancel))
        .routes(routes!(result::result))
}

/// A job at this moment.
fn shown(api: &Context, record: &JobRecord) -> NeutralJob {
    // A running job is read again, so that its state and its progress are of one moment.
    let running = matches!(record.state, JobState::Running { .. });
    if running && let Ok(Some(job)) = api.engine.job(record.id) {
        let snapshot = job.snapshot();
        return NeutralJob::of(&snapshot.record, snapshot.progress.percent());
    }
    NeutralJob::of(record, 0)
}

fn listed(api: &Context, job: &Result<JobRecord, Unreadable>) -> NeutralJob {
    match job {
        Ok(record) => shown(api, record),
        Err(unreadable) => NeutralJob::unreadable(unreadable.job, &unreadable.reason),
    }
}
