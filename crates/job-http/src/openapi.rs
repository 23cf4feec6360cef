//! The `OpenAPI` document: made from the routes, served at `/openapi.json`.
//!
//! The types here describe bodies that are streamed or kept as text, and so have no type of their own.
#![expect(dead_code, reason = "types that only describe")]

use std::collections::HashMap;

use utoipa::{IntoResponses, OpenApi, ToSchema};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Jobs of a graph engine",
        description = "Long work answers at once with a job id; the status of the job is asked for, and then its rows, page by page."
    ),
    components(schemas(ErrorBody, Problem))
)]
pub(crate) struct Document;

/// The body of an error.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorBody {
    /// The fault, in one sentence.
    error_message: String,
    /// The code of the service.
    #[schema(pattern = r"^GES\.[0-9]{4}$")]
    error_code: String,
    /// `failed`, in the dialect of the database edition only.
    result: Option<String>,
}

/// An error by RFC 9457, of the surface that names no service.
#[derive(ToSchema)]
pub(crate) struct Problem {
    /// `about:blank`: the problem is that of the status.
    r#type: String,
    /// The words of the status.
    title: String,
    #[schema(format = "uint32")]
    status: u32,
    /// The fault, in one sentence.
    detail: String,
    /// One word for programs, such as `unknown_job`.
    code: String,
}

/// A job, on the surface that names no service.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    id: String,
    /// `vertex_filter`, `edge_filter`, the name of an algorithm, or `action:` and the name of an action.
    kind: Option<String>,
    /// `waiting`, `running`, `cancelling`, `succeeded`, `failed` or `cancelled`; `unreadable` of a job that cannot be read.
    state: String,
    /// Percent.
    #[schema(format = "uint8")]
    progress: u8,
    /// Counts the starts.
    #[schema(format = "uint32")]
    attempt: u32,
    /// Rows of the result.
    #[schema(format = "uint64")]
    rows: u64,
    /// By RFC 3339, in UTC.
    submitted_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    /// Why it failed or was cancelled.
    reason: Option<String>,
}

/// Jobs, the newest first.
#[derive(ToSchema)]
pub(crate) struct JobPage {
    jobs: Vec<Job>,
    /// `before` of the next page; absent on the last.
    next: Option<String>,
}

/// A request for work, on the surface that names no service.
#[derive(ToSchema)]
pub(crate) struct NewJob {
    /// `vertex_filter`, `edge_filter`, the name of an algorithm, or `action:` and the name of an action.
    kind: String,
    /// The parameters of the work: for a filter or an action, the body that the service takes.
    #[schema(value_type = Option<Object>)]
    parameters: Option<serde_json::Value>,
    /// For whom the job runs.
    owner: Option<String>,
    /// Labels to find it by.
    labels: Option<Vec<String>>,
    /// The id of the job whose request this one runs again. It may be removed by now.
    #[schema(rename = "againOf")]
    again_of: Option<String>,
}

/// A page of a result, on the surface that names no service.
#[derive(ToSchema)]
pub(crate) struct ResultPage {
    /// Named values.
    #[schema(value_type = Object)]
    outputs: serde_json::Value,
    /// The name of the list of rows; absent if there is none, as the other members then.
    list: Option<String>,
    /// The first row of the page.
    #[schema(format = "uint64")]
    offset: Option<u64>,
    /// Rows of the whole list.
    #[schema(format = "uint64")]
    total: Option<u64>,
    rows: Option<Vec<serde_json::Value>>,
}

/// The acknowledgement of a job: from now on it is stored.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Acknowledged {
    job_id: String,
    /// Opaque.
    #[schema(format = "uint8")]
    job_type: Option<u8>,
}

/// The acknowledgement of a job, or the result of one that ran at once.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answered {
    /// Of an asynchronous answer.
    job_id: Option<String>,
    /// Opaque.
    #[schema(format = "uint8")]
    job_type: Option<u8>,
    /// Of a synchronous answer.
    data: Option<StatusData>,
    /// `success`, of a synchronous answer in the dialect of the database edition.
    result: Option<String>,
}

/// Extension: the acknowledgement of a job that has not ended while a synchronous request waited.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotYet {
    job_id: String,
    /// Opaque.
    #[schema(format = "uint8")]
    job_type: Option<u8>,
    /// `async`: the mode of the answer.
    execution_mode: String,
    /// The state of the job.
    status: String,
}

/// How every operation may fail.
#[derive(IntoResponses)]
pub(crate) enum Failures {
    /// The request is wrong, the job is unknown, or the job failed.
    #[response(status = 400)]
    BadRequest(ErrorBody),
    /// The client is not known.
    #[response(status = 401)]
    Unauthorized(ErrorBody),
    /// The client may not do this.
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// There is no such graph.
    #[response(status = 404)]
    NotFound(ErrorBody),
    /// The body did not come in time.
    #[response(status = 408)]
    Slow(ErrorBody),
    /// The `Idempotency-Key` was used for another request.
    #[response(status = 409)]
    KeyUsed(ErrorBody),
    /// The body is too long.
    #[response(status = 413)]
    TooLong(ErrorBody),
    /// The body is compressed.
    #[response(status = 415)]
    Encoded(ErrorBody),
    /// The service failed.
    #[response(status = 500)]
    Internal(ErrorBody),
    /// The service takes no requests, or no more of them at the moment.
    #[response(status = 503, headers(("Retry-After" = u32, description = "Seconds to wait.")))]
    Unavailable(ErrorBody),
}

/// The status of a job, with a page of its result if it has succeeded.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusBody {
    /// `waiting`, `running` or `complete`; other dialects have other words.
    status: String,
    data: Option<StatusData>,
    /// Why the job failed, in the dialects of 2025.
    error_message: Option<String>,
    error_code: Option<String>,
    /// `success` or `failed`, in the dialect of the database edition only.
    result: Option<String>,
}

#[derive(ToSchema)]
pub(crate) struct StatusData {
    outputs: StatusOutputs,
}

/// Named values and at most one list of rows, under names of the work's own: `vertices` of a vertex filter, `edges` of
/// an edge filter. The rows of an algorithm are objects of one key, the id of a vertex, or bare ids.
#[derive(ToSchema)]
pub(crate) struct StatusOutputs {
    /// Rows of a vertex filter.
    vertices: Option<Vec<VertexRow>>,
    /// Rows of an edge filter.
    edges: Option<Vec<EdgeRow>>,
    /// Rows of this page.
    #[schema(format = "uint64")]
    data_return_size: Option<u64>,
    /// The offset of the request.
    #[schema(format = "uint64")]
    data_offset: Option<u64>,
    /// Rows of the whole result.
    #[schema(format = "uint64")]
    data_total_size: Option<u64>,
    /// Seconds of an algorithm.
    runtime: Option<f64>,
    /// Values and a list of an algorithm, under names of its own.
    #[serde(flatten)]
    others: HashMap<String, serde_json::Value>,
}

/// A vertex.
#[derive(ToSchema)]
pub(crate) struct VertexRow {
    id: String,
    label: String,
    /// For each property, the list of its values.
    properties: HashMap<String, Vec<serde_json::Value>>,
}

/// An edge.
#[derive(ToSchema)]
pub(crate) struct EdgeRow {
    source: String,
    target: String,
    /// The number of the edge among those between the same two vertices, as text.
    index: String,
    label: String,
    /// For each property, the list of its values.
    properties: HashMap<String, Vec<serde_json::Value>>,
}

/// A named part of a job.
#[derive(ToSchema)]
#[schema(no_recursion)]
pub(crate) struct Part {
    name: String,
    #[schema(format = "uint64")]
    done: u64,
    /// 0 while unknown.
    #[schema(format = "uint64")]
    total: u64,
    /// The parts of this part.
    tasks: Vec<Self>,
}

/// A parameter of a kind of work.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParameterBody {
    name: String,
    /// `boolean`, `integer`, `number`, `string`, `array` or `object`.
    r#type: String,
    /// The meaning, in a sentence.
    description: Option<String>,
    /// Whether a request without it is refused.
    required: bool,
    /// The value of a request without it.
    default: Option<serde_json::Value>,
    /// The least value.
    minimum: Option<f64>,
    /// Whether `minimum` itself is too small; absent stands for false.
    exclusive_minimum: Option<bool>,
    /// The greatest value.
    maximum: Option<f64>,
    /// Whether `maximum` itself is too great; absent stands for false.
    exclusive_maximum: Option<bool>,
    /// The values, if there are only these.
    r#enum: Option<Vec<serde_json::Value>>,
    /// `vertex` for the id of a vertex, `label` and `property` for their names.
    format: Option<String>,
    /// The type of the elements of an array.
    items: Option<String>,
}

/// Why an attempt gave no result.
#[derive(ToSchema)]
pub(crate) struct FailureBody {
    /// `handler`, `panicked`, `interrupted`, `shutdown`, `store`, `deadline`, `row_budget`, `byte_budget` or
    /// `memory_budget`.
    kind: String,
    message: String,
}

/// A server-sent event.
#[derive(ToSchema)]
pub(crate) struct JobEvent {
    /// `job`.
    event: String,
    /// The answer of `explain`, as text.
    data: String,
}

#[derive(ToSchema)]
pub(crate) struct Cancelled {
    /// `success`, in the dialect of the database edition only.
    result: Option<String>,
}

/// A job in the list. Besides the id and the state, the dialect of the database edition has `request` alone, and the others
/// have all the rest.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    job_id: String,
    /// The body of the request that came, as text.
    raw_request: Option<String>,
    /// `VertexQuery`, `EdgeQuery`, `Algorithm` or `ExportResult`; `Unknown` of a job that cannot be read.
    task_type: Option<String>,
    /// Whether the job can be cancelled.
    can_stop: Option<bool>,
    /// From `"0"` to `"100"`.
    progress: Option<String>,
    /// UTC, such as `2024-05-23 09:54:00`; empty before the start.
    start_time: Option<String>,
    fail_reason: Option<String>,
    /// UTC; empty before the end.
    end_time: Option<String>,
    status: String,
    request: Option<SentRequest>,
}

/// The request of a job in the list of the database edition.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SentRequest {
    /// Such as `execute_algorithm`.
    command: String,
    /// The path that it was sent to.
    url: String,
    /// The body that came, as text.
    raw_request: String,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobListBody {
    jobs: Vec<Entry>,
    /// In the newest dialect of the memory edition only.
    #[schema(format = "uint64")]
    job_count: Option<u64>,
    /// In the dialect of the database edition only.
    #[schema(format = "uint64")]
    total_count: Option<u64>,
    /// `success`, in the dialect of the database edition only.
    result: Option<String>,
}

/// A job, as the management plane of the service tells it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Managed {
    job_id: String,
    /// `pending`, `running`, `success` or `failed`.
    status: String,
    /// `GraphManagement`.
    job_type: String,
    /// Such as `Algorithm` or `VertexQuery`.
    job_name: String,
    related_graph: String,
    /// UTC, such as `2024-05-23T09:54:00`; absent before the start.
    begin_time: Option<String>,
    end_time: Option<String>,
    fail_reason: Option<String>,
    /// Percent.
    job_progress: f64,
}

/// A job, as the second version of the management plane tells it.
#[derive(ToSchema)]
pub(crate) struct ManagedV2 {
    job_id: String,
    /// `pending`, `running`, `success` or `failed`.
    status: String,
    /// `GraphManagement`.
    job_type: String,
    /// Such as `Algorithm` or `VertexQuery`.
    job_name: String,
    related_graph: String,
    /// UTC, such as `2024-05-23T09:54:00`; absent before the start.
    begin_time: Option<String>,
    end_time: Option<String>,
    fail_reason: Option<String>,
    /// Percent.
    job_progress: f64,
}

/// Labels, or conditions, or both.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VertexFilterBody {
    /// A vertex matches if it has one of these labels.
    labels: Option<Vec<String>>,
    /// Conditions, joined from left to right.
    vertex_filters: Option<Vec<FilterCondition>>,
    /// How many of the first matches are not stored.
    #[schema(format = "uint64")]
    offset: Option<u64>,
    /// The most rows of the stored result; all by default.
    #[schema(format = "uint64")]
    limit: Option<u64>,
    /// The order of the rows; without it, the order of the graph.
    sorts: Option<Vec<FilterSort>>,
}

/// Labels, or conditions, or both.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EdgeFilterBody {
    /// An edge matches if it has one of these labels.
    labels: Option<Vec<String>>,
    /// Conditions, joined from left to right.
    edge_filters: Option<Vec<FilterCondition>>,
    /// How many of the first matches are not stored.
    #[schema(format = "uint64")]
    offset: Option<u64>,
    /// The most rows of the stored result; all by default.
    #[schema(format = "uint64")]
    limit: Option<u64>,
    /// The order of the rows; without it, the order of the graph.
    sorts: Option<Vec<FilterSort>>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilterCondition {
    property_name: String,
    /// Such as `=`, `<`, `range` or `has`.
    predicate: String,
    #[schema(value_type = Option<Vec<String>>)]
    values: Option<Vec<serde_json::Value>>,
    /// `and` (the default) or `or`.
    r#type: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilterSort {
    /// `id`, `label`, or `property`.
    key: Option<String>,
    /// The property of the key `property`.
    property_name: Option<String>,
    /// `incr` (the default) or `decr`.
    order_value: Option<String>,
}

#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlgorithmBody {
    /// The name of the algorithm, such as `pagerank`.
    #[schema(min_length = 1)]
    algorithm_name: String,
    /// The parameters of the algorithm.
    #[schema(value_type = Option<Object>)]
    parameters: Option<serde_json::Value>,
    /// `async` answers the id of the job. `sync` answers the result, or after 30 s the id. The default is that of the
    /// dialect: `sync` in the database edition, else `async`.
    #[schema(pattern = "^(async|sync)$")]
    execution_mode: Option<String>,
    /// The first row of a synchronous answer.
    #[schema(format = "uint64", minimum = 0, default = 0)]
    offset: Option<u64>,
    /// The most rows of a synchronous answer.
    #[schema(format = "uint32", minimum = 1, maximum = 100_000, default = 100_000)]
    limit: Option<u32>,
}
