//! The status of a job where the management plane of the service has it. Its published client asks there.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use job_runner::{
    JobRecord, JobState,
    wire::{Form, ManagedJob},
};

use crate::{
    context::Context,
    extract::{Read, Scope},
    failure::ApiFailure,
    openapi::{Failures, Managed, ManagedV2},
};

/// The state of a job, as the management plane of the service tells it.
#[utoipa::path(
    get,
    path = "/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/status",
    operation_id = "showManagedJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job.")
    ),
    responses((status = 200, description = "The job.", body = Managed), Failures)
)]
pub(crate) async fn v1(State(api): State<Context>, scope: Scope<Read>) -> Result<Response, ApiFailure> {
    api.call(move |api| Ok(Json(managed(api, &scope)?).into_response())).await
}

/// The state of a job, as the second version of the management plane of the service tells it.
#[utoipa::path(
    get,
    path = "/v2/{projectId}/graphs/{graphName}/jobs/{jobId}/status",
    operation_id = "showManagedJobV2",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job.")
    ),
    responses((status = 200, description = "The job.", body = ManagedV2), Failures)
)]
pub(crate) async fn v2(State(api): State<Context>, scope: Scope<Read>) -> Result<Response, ApiFailure> {
    api.call(move |api| Ok(Json(managed(api, &scope)?.into_v2()).into_response())).await
}

fn managed(api: &Context, scope: &Scope<Read>) -> Result<ManagedJob, ApiFailure> {
    let (job, record) = api.job(scope).map_err(|failure| failure.in_form(Form::Managed))?;
    let running = matches!(record.state, JobState::Running { .. });
    let of = |record: &JobRecord, percent| ManagedJob::of(record, &scope.name, percent);
    if !running {
        return Ok(of(&record, 0));
    }
    let snapshot = job.snapshot();
    Ok(of(&snapshot.record, snapshot.progress.percent()))
}
