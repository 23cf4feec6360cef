//! `GET .../jobs/{jobId}`: all that is known about one job (extension).

use axum::{Json, extract::State};

use crate::{
    context::Context,
    extract::{Operate, Project, Read, Scope},
    failure::ApiFailure,
    openapi::Failures,
    view::View,
};

/// Extension: a job with its request, its limits, its failed attempts and the segments of its result.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}",
    operation_id = "viewJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job.")
    ),
    responses((status = 200, description = "The job.", body = View), Failures)
)]
pub(crate) async fn view(State(api): State<Context>, scope: Scope<Read>) -> Result<Json<View>, ApiFailure> {
    let read = move |api: &Context| {
        let (job, _) = api.job(&scope)?;
        View::of(api, &job)
    };
    Ok(Json(api.call(read).await?))
}

/// Extension: a job of any graph, served or not, with its request, its limits, its failed attempts and the segments of its
/// result.
#[utoipa::path(
    get,
    path = "/operator/jobs/{jobId}",
    operation_id = "operatorViewJob",
    params(("jobId" = String, Path, description = "Id of the job; any other text names no job.")),
    responses((status = 200, description = "The job.", body = View), Failures)
)]
pub(crate) async fn operator_view(
    State(api): State<Context>,
    asked: Project<Operate>,
) -> Result<Json<View>, ApiFailure> {
    let read = move |api: &Context| View::of(api, &api.any_job(&asked.job)?);
    Ok(Json(api.call(read).await?))
}
