//! The status of a job where the management plane of the service has it. Its published client asks there.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use job_runner::{
    JobRecord, JobState,
    wire::{Form, ManagedJob},
};

use crate::{
    context::Context,
    extract::{Read, Scope},
    failure::ApiFailure,
};

pub(super) fn routes() -> Router<Context> {
    let path = |version| format!("/{version}/{{projectId}}/graphs/{{graphName}}/jobs/{{jobId}}/status");
    Router::new().route(&path("v1.0"), get(v1)).route(&path("v2"), get(v2))
}

async fn v1(State(api): State<Context>, scope: Scope<Read>) -> Result<Response, ApiFailure> {
    api.call(move |api| Ok(Json(managed(api, &scope)?).into_response())).await
}

async fn v2(State(api): State<Context>, scope: Scope<Read>) -> Result<Response, ApiFailure> {
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
