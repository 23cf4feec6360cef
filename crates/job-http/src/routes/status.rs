//! `GET .../jobs/{jobId}/status`: the state of a job, or a page of its result.

use std::time::Duration;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use job_runner::{JobHandle, JobRecord, PageRequest, Status, job_core::shown, wire::StatusPayload};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use crate::{
    body,
    context::Context,
    ending::{ENDING, Ending},
    etag,
    extract::{Here, Params, Read, Scope},
    failure::ApiFailure,
    openapi::{Failures, StatusBody},
};

// The parameters are text, because this crate writes the errors about their values.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusQuery {
    /// The first row of the page.
    #[param(value_type = Option<u64>, format = "uint64", minimum = 0, default = 0)]
    pub(crate) offset: Option<String>,
    /// The most rows of the page.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 100_000, default = 100_000)]
    pub(crate) limit: Option<String>,
    /// Extension: answer when the job is complete, or after this number of seconds if it is not by then.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 0, default = 0)]
    pub(crate) wait: Option<String>,
}

/// The status of a job.
///
/// A job that has succeeded answers a page of its result. The page of a job never changes, so it has an `ETag`.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/status",
    operation_id = "showJobStatus",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job."),
        StatusQuery
    ),
    responses(
        (status = 200, description = "The state, or a page of the result.", body = StatusBody),
        (status = 304, description = "The client has this page (`If-None-Match`)."),
        Failures
    )
)]
pub(crate) async fn status(
    Here(api): Here,
    scope: Scope<Read>,
    Params(query): Params<StatusQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiFailure> {
    let page = PageRequest::parse(query.offset.as_deref(), query.limit.as_deref())?;
    let wait = wait(query.wait.as_deref(), api.limits.longest_wait)?;
    let (job, headers) = match look(&api, scope, page, wait, headers).await? {
        Looked::Answer(response) => return Ok(response),
        Looked::Unfinished(job, headers) => (job, headers),
    };
    let record = completion(&api, &job, wait.unwrap_or_default()).await?;
    api.go_on(move |api| answer(api, &record, page, &headers)).await
}

/// The first read of a job.
enum Looked {
    Answer(Response),
    Unfinished(JobHandle, HeaderMap),
}

/// Reads the job. A look at one that the engine has in memory needs no blocking thread, and is most of what is asked.
async fn look(
    api: &Context,
    scope: Scope<Read>,
    page: PageRequest,
    wait: Option<Duration>,
    headers: HeaderMap,
) -> Result<Looked, ApiFailure> {
    let in_memory = if wait.is_none() { api.job_in_memory(&scope) } else { None };
    if let Some(record) = in_memory {
        return Ok(Looked::Answer(answer(api, &record, page, &headers)?));
    }
    let read = move |api: &Context| {
        let (job, record) = api.job(&scope)?;
        if wait.is_none() || record.state.is_complete() {
            return Ok(Looked::Answer(answer(api, &record, page, &headers)?));
        }
        Ok(Looked::Unfinished(job, headers))
    };
    api.call(read).await
}

/// The answer about the present state of a job, with the first rows of its page. Runs on a blocking thread,
/// unless the job is unfinished: then nothing is read.
pub(super) fn answer(
    api: &Context,
    record: &JobRecord,
    page: PageRequest,
    headers: &HeaderMap,
) -> Result<Response, ApiFailure> {
    if !record.state.is_complete() {
        let payload = api.dialect.status(record, None, page);
        return Ok(body::json(StatusCode::OK, payload.head().to_vec()));
    }
    let tag = etag::of(record, page, api.dialect.name());
    let known = tag.as_ref().is_some_and(|tag| etag::is_known(headers, tag));
    let mut response = match api.surface.failure(api.dialect, record) {
        _ if known => StatusCode::NOT_MODIFIED.into_response(),
        Some(own) => body::json(code(&own), own.head().to_vec()),
        None => send(api, api.reader.status_in(api.dialect, record.id, page)?)?,
    };
    if let Some(ending) = Ending::of(record) {
        response.headers_mut().insert(ENDING, ending.value());
    }
    Ok(tagged(response, tag))
}

/// Adds the tag of a page. The job may be removed meanwhile; then there is no page any more.
pub(super) fn tagged(mut response: Response, tag: Option<HeaderValue>) -> Response {
    let has_page = [StatusCode::OK, StatusCode::NOT_MODIFIED].contains(&response.status());
    etag::put(&mut response, tag.filter(|_| has_page));
    response
}

fn code(payload: &StatusPayload) -> StatusCode {
    StatusCode::from_u16(payload.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Starts the answer to a status query. It reads the first rows here, on a blocking thread.
pub(super) fn send(api: &Context, status: Status) -> Result<Response, ApiFailure> {
    let code = code(status.payload());
    if code.is_server_error() {
        let body = String::from_utf8_lossy(status.payload().head()).into_owned();
        tracing::error!(body, "a status query was answered with an error");
    }
    Ok(body::json(code, body::start(status.pieces(), api.calls())?))
}

/// Waits until the job is complete, the time is over, or the service shuts down. Returns the job's record.
pub(super) async fn completion(api: &Context, job: &JobHandle, wait: Duration) -> Result<JobRecord, ApiFailure> {
    // A year: longer than any wait, and within the range of a clock.
    let until = Instant::now() + wait.min(Duration::from_hours(24 * 365));
    let end = tokio::select! {
        end = job.clone() => end.ok(),
        () = sleep_until(until) => None,
        () = api.shutdown.closed() => None,
    };
    if let Some(record) = end {
        return Ok(record);
    }
    let job = job.clone();
    api.go_on(move |api| api.refresh(&job, &job.id().to_string())).await
}

pub(crate) fn wait(text: Option<&str>, longest: Duration) -> Result<Option<Duration>, ApiFailure> {
    let Some(text) = text else { return Ok(None) };
    let seconds = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    match seconds.map(Duration::from_secs) {
        Some(wait) if wait <= longest => Ok(Some(wait).filter(|wait| !wait.is_zero())),
        _ => {
            let (shown, longest) = (shown(text), longest.as_secs());
            Err(ApiFailure::parameter(format!(
                "parameter wait is {shown}: it must be a whole number from 0 to {longest}"
            )))
        }
    }
}
