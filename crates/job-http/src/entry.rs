//! [`Entry`]: a job in the list of the API.

use job_runner::{
    Engine, JobKind, JobRecord, JobSnapshot, JobState, Outcome, Progress, Timestamp, Unreadable,
    wire::{ApiError, Dialect},
};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

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
        // What runs is looked at anew, so that its state and its progress are of one moment.
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

impl Entry {
    /// A job whose record cannot be read: what there is to say is why.
    pub(crate) fn unreadable(job: &Unreadable) -> Self {
        Self {
            job_id: job.job.to_string(),
            raw_request: String::new(),
            task_type: "Unknown",
            can_stop: false,
            progress: "0".to_owned(),
            start_time: String::new(),
            fail_reason: Some(job.reason.clone()),
            end_time: String::new(),
            status: "failed",
        }
    }
}

fn task_type(kind: &JobKind) -> &'static str {
    match kind {
        JobKind::VertexFilter => "VertexQuery",
        JobKind::EdgeFilter => "EdgeQuery",
        JobKind::Algorithm(name) if name == Exporter::KIND => "ExportResult",
        JobKind::Algorithm(_) => "Algorithm",
    }
}

/// The body as the client sent it; of an algorithm, its two fields that the engine keeps.
fn raw_request(record: &JobRecord) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'r> {
        algorithm_name: &'r str,
        parameters: &'r RawValue,
    }
    let parameters = record.spec.parameters().as_str();
    match record.spec.kind() {
        JobKind::Algorithm(name) if name != Exporter::KIND => serde_json::from_str(parameters)
            .and_then(|parameters| serde_json::to_string(&Request { algorithm_name: name, parameters }))
            .unwrap_or_default(),
        _ => parameters.to_owned(),
    }
}

/// One that failed has 100, as in the document's sample.
fn percent(record: &JobRecord, progress: &Progress) -> u8 {
    match record.state {
        JobState::Waiting => 0,
        JobState::Running { .. } => progress.percent(),
        JobState::Complete(Outcome::Cancelled) => record.progress.unwrap_or(0),
        JobState::Complete(_) => 100,
    }
}

fn time(time: Option<Timestamp>) -> String {
    time.and_then(|time| jiff::Timestamp::from_microsecond(i64::try_from(time.as_micros()).ok()?).ok())
        .map_or_else(String::new, |time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
}
