//! [`Overview`]: a job as people want to see it.

use std::time::Duration;

use job_runner::{
    Engine, Explanation, JobHandle, JobRecord, JobState, PageRequest, Progress, TaskProgress, Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::Part;

/// A job with all there is to say about it. Times are milliseconds since 1970, UTC.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    job_id: String,
    /// `vertex_filter`, `edge_filter` or the name of an algorithm.
    kind: String,
    /// `waiting`, `running`, `cancelling`, `succeeded`, `failed` or `cancelled`.
    state: String,
    /// Counts the starts.
    #[schema(format = "uint32")]
    attempt: u32,
    /// Rows of the result; of a running job, those that are stored so far.
    #[schema(format = "uint64")]
    rows: u64,
    /// The name of the list of rows; empty if there is none.
    list: String,
    #[schema(format = "uint64")]
    submitted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    started: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    finished: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Steps>,
    /// Why it waits, how far it is or why it ended.
    why: Why,
}

/// How far a job is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Steps {
    #[schema(format = "uint64")]
    done: u64,
    /// 0 while unknown.
    #[schema(format = "uint64")]
    total: u64,
    /// Milliseconds that are probably left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    remaining: Option<u64>,
    /// Named parts.
    #[schema(value_type = Vec<Part>)]
    tasks: Vec<TaskProgress>,
}

/// An explanation, for people (`sentence`) and for programs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Why {
    /// One word for the reason.
    reason: &'static str,
    /// In English.
    sentence: String,
    /// How many jobs are ahead or run, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    jobs: Option<usize>,
}

impl Overview {
    pub(crate) fn of(record: &JobRecord, engine: &Engine) -> Self {
        let explanation = engine.explain(record.id).ok();
        let job = if record.state.is_complete() { None } else { engine.job(record.id).ok().flatten() };
        let (rows, list) = rows(record, job.as_ref());
        let progress = job.filter(|_| matches!(record.state, JobState::Running { .. }));
        Self {
            job_id: record.id.to_string(),
            kind: record.spec.kind().to_string(),
            state: record.state.to_string(),
            attempt: record.attempt,
            rows,
            list,
            submitted: millis(record.submitted_at),
            started: record.started_at.map(millis),
            finished: record.finished_at.map(millis),
            progress: progress.map(|job| Steps::of(job.progress())),
            why: explanation.map_or_else(Why::unknown, |explanation| Why::of(&explanation)),
        }
    }
}

fn rows(record: &JobRecord, running: Option<&JobHandle>) -> (u64, String) {
    let page = running.and_then(|job| job.page(PageRequest::default()).ok());
    page.map_or_else(|| (record.size.rows, String::new()), |page| (page.total(), page.list().to_owned()))
}

impl Steps {
    fn of(progress: Progress) -> Self {
        let remaining = progress.remaining.map(duration_millis);
        Self { done: progress.done, total: progress.total, remaining, tasks: progress.tasks }
    }
}

impl Why {
    fn unknown() -> Self {
        Self { reason: "unknown", sentence: String::new(), jobs: None }
    }

    fn of(explanation: &Explanation) -> Self {
        let (reason, jobs) = match explanation {
            Explanation::NoHandler(_) => ("noHandler", None),
            Explanation::Queued { ahead } => ("queued", Some(*ahead)),
            Explanation::GraphBusy { running, .. } => ("graphBusy", Some(*running)),
            Explanation::ClassBusy { running } => ("classBusy", Some(*running)),
            Explanation::Delayed { .. } => ("delayed", None),
            Explanation::Starting => ("starting", None),
            Explanation::Running { .. } => ("running", None),
            Explanation::Cancelling { .. } => ("cancelling", None),
            Explanation::Succeeded(_) => ("succeeded", None),
            Explanation::Failed(_) => ("failed", None),
            Explanation::Cancelled { .. } => ("cancelled", None),
            _ => ("other", None),
        };
        Self { reason, sentence: explanation.to_string(), jobs }
    }
}

fn millis(time: Timestamp) -> u64 {
    time.as_micros() / 1_000
}

fn duration_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
