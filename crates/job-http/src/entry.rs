//! A job in the list of the API, as it is at this moment.

use job_runner::{
    Engine, JobRecord, JobSnapshot, JobState, Unreadable,
    wire::{Dialect, ListedJob},
};

use crate::export::Exporter;

/// A job in the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    job_id: String,
    /// The body of the request, as text.
    raw_request: String,
    /// `VertexQuery`, `EdgeQuery`, `Algorithm` or `ExportResult`; `Unknown` of a job that cannot be read.
    task_type: &'static str,
    /// Whether it can be cancelled.
    can_stop: bool,
    /// From `"0"` to `"100"`.
    progress: String,
    /// UTC, such as `2024-05-23 09:54:00`; empty before the start.
    start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_reason: Option<String>,
    /// UTC; empty before the end.
    end_time: String,
    status: &'static str,
}

impl Entry {
    pub(crate) fn of(record: &JobRecord, engine: &Engine, dialect: Dialect) -> Self {
        // A job that runs is read again, so that its state and its progress are of one moment.
        let running = matches!(record.state, JobState::Running { .. });
        if running && let Ok(Some(job)) = engine.job(record.id) {
            let JobSnapshot { record, progress, .. } = job.snapshot();
            return Self::at(&record, &progress, dialect);
        }
        Self::at(record, &Progress::default(), dialect)
    }

    fn at(record: &JobRecord, progress: &Progress, dialect: Dialect) -> Self {
        Self {
            job_id: record.id.to_string(),
            raw_request: raw_request(record),
            task_type: task_type(record.spec.kind()),
            can_stop: matches!(record.state, JobState::Waiting | JobState::Running { cancelling: false }),
            progress: percent(record, progress).to_string(),
            start_time: time(record.started_at),
            fail_reason: ApiError::of_job(record).map(|error| error.message),
            end_time: time(record.finished_at),
            status: dialect.listed(record),
        }
    }
}

fn of(record: &JobRecord, engine: &Engine, dialect: Dialect) -> ListedJob {
    // What runs is looked at anew, so that its state and its progress are of one moment.
    let running = matches!(record.state, JobState::Running { .. });
    if running && let Ok(Some(job)) = engine.job(record.id) {
        let JobSnapshot { record, progress, .. } = job.snapshot();
        return dialect.listed_job(&record, progress.percent());
    }
    dialect.listed_job(record, 0)
}
