//! `GET .../jobs/{jobId}/result`: a page of the result of a job.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use job_runner::{
    JobRecord, JobState, Outcome, PageRequest,
    wire::{ApiError, neutral_page},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    context::Context,
    etag,
    extract::{Params, Read, Scope},
    failure::ApiFailure,
    openapi::{Failures, ResultPage},
    routes::status::{send, tagged},
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultQuery {
    /// The first row of the page.
    #[param(value_type = Option<u64>, format = "uint64", minimum = 0, default = 0)]
    offset: Option<String>,
    /// The most rows of the page.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 100_000, default = 100_000)]
    limit: Option<String>,
}

/// A page of the result of a job that has succeeded. It never changes, so it has an `ETag`.
///
/// A job without a result, since it has not ended or has failed, is answered with 409.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/result",
    operation_id = "getJobResult",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job."),
        ResultQuery
    ),
    responses(
        (status = 200, description = "The outputs, and a page of the rows.", body = ResultPage),
        (status = 304, description = "The client has this page (`If-None-Match`)."),
        Failures
    )
)]
pub(crate) async fn result(
    State(api): State<Context>,
    scope: Scope<Read>,
    Params(query): Params<ResultQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiFailure> {
    let page = PageRequest::parse(query.offset.as_deref(), query.limit.as_deref())?;
    let read = move |api: &Context| {
        let (_, record) = api.job(&scope)?;
        of(api, &record, page, &headers)
    };
    api.call(read).await
}

/// A page of the result of this job. It may block.
pub(super) fn of(
    api: &Context,
    record: &JobRecord,
    page: PageRequest,
    headers: &HeaderMap,
) -> Result<Response, ApiFailure> {
    if record.state != JobState::Complete(Outcome::Succeeded) {
        return Err(without(record));
    }
    let tag = etag::of(record, page, "neutral");
    if tag.as_ref().is_some_and(|tag| etag::is_known(headers, tag)) {
        return Ok(tagged(StatusCode::NOT_MODIFIED.into_response(), tag));
    }
    let shown = api.reader.answer(
        record.id,
        page,
        |_| true,
        |_, result| match result {
            Some(result) => neutral_page(result, page),
            None => api.dialect.status(record, None, page),
        },
    )?;
    let Some(shown) = shown else { return Err(api.unknown_job(&record.id.to_string())) };
    Ok(tagged(send(api, shown)?, tag))
}

/// The answer about a job that has no result.
pub(super) fn without(record: &JobRecord) -> ApiFailure {
    let (code, why) = match (ApiError::of_job(record), record.state) {
        (Some(error), JobState::Complete(Outcome::Cancelled)) => ("job_cancelled", error.message),
        (Some(error), _) => ("job_failed", error.message),
        (None, state) => ("job_unfinished", format!("job {} is {state}: wait for its end first", record.id)),
    };
    ApiFailure::new(code, why).with_status(StatusCode::CONFLICT)
}
