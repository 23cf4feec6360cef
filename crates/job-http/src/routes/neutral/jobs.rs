//! `GET .../jobs`, `GET .../jobs/{jobId}` and `DELETE .../jobs/{jobId}`.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use job_runner::{PageRequest, wire::NeutralJob};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::{listed, shown};
use crate::{
    context::Context,
    extract::{Cancel, List, Params, Read, Scope},
    failure::ApiFailure,
    openapi::{Failures, Job, JobPage},
    routes::{
        cancel,
        list::{FilterQuery, Jobs, before},
        status,
    },
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The most jobs to list.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 1_000, default = 1_000)]
    limit: Option<String>,
    /// Only jobs older than this one: `next` of the page before.
    before: Option<String>,
}

#[derive(Debug, Serialize)]
struct Listed {
    jobs: Vec<NeutralJob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The most jobs of a page.
const MOST: u32 = 1_000;

/// The jobs of a graph, the newest first.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs",
    operation_id = "listGraphJobs",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        PageQuery,
        FilterQuery
    ),
    responses((status = 200, description = "Jobs, and the cursor of the next page.", body = JobPage), Failures)
)]
pub(crate) async fn list(
    State(api): State<Context>,
    scope: Scope<List>,
    Params(query): Params<PageQuery>,
    Params(filter): Params<FilterQuery>,
) -> Result<Response, ApiFailure> {
    let page = PageRequest::parse_at_most(None, query.limit.as_deref(), MOST)?;
    let before = before(query.before.as_deref())?;
    let filter = filter.on(Some(scope.graph.key))?;
    let read = move |api: &Context| {
        let jobs = Jobs::new(api.reader.clone(), filter, page, before, false);
        let (jobs, next) = jobs.all(|job| listed(api, job))?;
        Ok(Json(Listed { jobs, next }).into_response())
    };
    api.call(read).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Answer when the job is complete, or after this number of seconds if it is not by then.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 0, default = 0)]
    wait: Option<String>,
}

/// A job.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}",
    operation_id = "getJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job."),
        WaitQuery
    ),
    responses((status = 200, description = "The job at this moment.", body = Job), Failures)
)]
pub(crate) async fn job(
    State(api): State<Context>,
    scope: Scope<Read>,
    Params(query): Params<WaitQuery>,
) -> Result<Response, ApiFailure> {
    let wait = status::wait(query.wait.as_deref(), api.limits.longest_wait)?;
    let (job, record) = api.call(move |api| api.job(&scope)).await?;
    let record = match wait {
        Some(wait) if !record.state.is_complete() => status::completion(&api, &job, wait).await?,
        _ => record,
    };
    api.go_on(move |api| Ok(Json(shown(api, &record)).into_response())).await
}

/// Asks for the end of a job.
///
/// A waiting job is cancelled at once, a running one at its next check. A cancelled job is answered the same way.
#[utoipa::path(
    delete,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}",
    operation_id = "deleteJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job.")
    ),
    responses((status = 204, description = "The cancel is stored."), Failures)
)]
pub(crate) async fn cancel(State(api): State<Context>, scope: Scope<Cancel>) -> Result<Response, ApiFailure> {
    let ask = move |api: &Context| {
        let (job, _) = api.job(&scope)?;
        cancel::end(api, &scope.job, Some(&job))
    };
    api.call(ask).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
