//! [`View`]: all that is known about one job, for people.

use std::collections::BTreeSet;

use job_runner::{FailedAttempt, Failure, JobHandle, JobRecord, Parameters, Segment, store::Holder};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    context::Context,
    failure::ApiFailure,
    openapi::FailureBody,
    overview::{Overview, millis},
};

/// A job with its request, its limits, its failed attempts and the segments of its result. Times are milliseconds since
/// 1970, UTC.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    #[serde(flatten)]
    job: Overview,
    /// The parameters of the job, as they were given.
    #[schema(value_type = Object)]
    request: Parameters,
    /// The owner that was given at submission.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The labels that were given at submission.
    labels: BTreeSet<String>,
    /// From -128 to 127; a job with a greater one runs earlier.
    #[schema(format = "int8")]
    priority: i8,
    /// `read` or `write`.
    class: &'static str,
    /// The place in a trace from which the job was submitted: its header `traceparent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    /// The earlier job whose request this one runs again.
    #[serde(skip_serializing_if = "Option::is_none")]
    again_of: Option<AgainBody>,
    /// Of engines that share a store: which of them has the job, and until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<EngineBody>,
    /// The version of the graph that the job reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    graph_version: Option<String>,
    /// The job fails if it is not complete by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    deadline: Option<u64>,
    budget: BudgetBody,
    /// Attempts that gave no result, the oldest first: the last 8 of them.
    attempts: Vec<AttemptBody>,
    /// The first 1,000 segments of the result.
    segments: Vec<SegmentBody>,
    /// Segments of the result.
    #[schema(format = "uint64")]
    segments_total: usize,
}

/// An earlier job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgainBody {
    job_id: String,
    /// Its state; `removed` if its graph has no such job any more.
    state: String,
}

impl AgainBody {
    /// Only a job of the same graph is told, so that no client learns of jobs of others. It may block.
    fn of(api: &Context, record: &JobRecord) -> Result<Option<Self>, ApiFailure> {
        let Some(id) = record.spec.options().again_of else { return Ok(None) };
        let found = api.reader.record(id)?.filter(|found| found.spec.graph() == record.spec.graph());
        let state = found.map_or_else(|| "removed".to_owned(), |found| found.state.to_string());
        Ok(Some(Self { job_id: id.to_string(), state }))
    }
}

/// The engine that has a job of a shared store.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EngineBody {
    /// Its id: that of the claimant, as the store has it.
    id: String,
    /// Whether it is the engine that answers.
    is_here: bool,
    /// The end of its lease, by the clock of the store. While the engine lives, it renews the lease.
    #[schema(format = "uint64")]
    lease_until: u64,
}

impl From<Holder> for EngineBody {
    fn from(holder: Holder) -> Self {
        Self { id: holder.claimant, is_here: holder.is_asked, lease_until: millis(holder.until) }
    }
}

/// The most that a job may use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BudgetBody {
    /// Rows of its list.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    rows: Option<u64>,
    /// Bytes of JSON of its rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    bytes: Option<u64>,
    /// Bytes of memory, as its handler reports them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uint64")]
    memory: Option<u64>,
}

/// An attempt that gave no result.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttemptBody {
    /// Its number; the first is 1.
    #[schema(format = "uint32")]
    attempt: u32,
    #[schema(format = "uint64")]
    started: u64,
    /// When it ended or, of one that died with its process, when that was found.
    #[schema(format = "uint64")]
    ended: u64,
    #[schema(value_type = FailureBody)]
    failure: Failure,
}

/// A part of the rows of a result, which one worker wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SegmentBody {
    #[schema(format = "uint32")]
    attempt: u32,
    #[schema(format = "uint32")]
    segment: u32,
    #[schema(format = "uint64")]
    rows: u64,
    /// Bytes of their JSON.
    #[schema(format = "uint64")]
    bytes: u64,
}

impl View {
    /// The most segments of a view.
    const SEGMENTS: usize = 1_000;

    /// Reads a job, its failed attempts and the segments of its result. It may block.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn of(api: &Context, job: &JobHandle) -> Result<Self, ApiFailure> {
        let snapshot = job.snapshot();
        let record = snapshot.record.clone();
        let attempts = api.reader.failed_attempts(&record)?;
        let result = if record.state.is_complete() { api.reader.result(record.id)? } else { None };
        let engine = if record.state.is_complete() { None } else { api.engine.holder(record.id)? };
        let again_of = AgainBody::of(api, &record)?;
        let segments =
            result.as_ref().and_then(|result| result.list.as_ref()).map_or(&[][..], |list| list.segments());
        let view = Self::new(snapshot.into(), &record, attempts, segments);
        Ok(Self { again_of, engine: engine.map(EngineBody::from), ..view })
    }

    fn new(job: Overview, record: &JobRecord, attempts: Vec<FailedAttempt>, segments: &[Segment]) -> Self {
        let options = record.spec.options();
        Self {
            job,
            request: record.spec.parameters().clone(),
            owner: options.owner.clone(),
            labels: options.labels.clone(),
            priority: options.priority,
            class: options.class.as_str(),
            trace: options.trace_parent.clone(),
            again_of: None,
            engine: None,
            graph_version: options.graph_version.clone(),
            deadline: options.deadline.map(millis),
            budget: BudgetBody {
                rows: options.budget.rows,
                bytes: options.budget.bytes,
                memory: options.budget.memory,
            },
            attempts: attempts.into_iter().map(AttemptBody::from).collect(),
            segments: segments.iter().take(Self::SEGMENTS).map(SegmentBody::from).collect(),
            segments_total: segments.len(),
        }
    }
}

impl From<FailedAttempt> for AttemptBody {
    fn from(failed: FailedAttempt) -> Self {
        let (started, ended) = (millis(failed.started), millis(failed.ended));
        Self { attempt: failed.attempt, started, ended, failure: failed.failure }
    }
}

impl From<&Segment> for SegmentBody {
    fn from(segment: &Segment) -> Self {
        Self { attempt: segment.attempt, segment: segment.number, rows: segment.rows, bytes: segment.bytes }
    }
}
