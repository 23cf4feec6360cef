//! `DELETE .../jobs/{jobId}`: asks for the end of a job.

use axum::{http::StatusCode, response::Response};
use job_runner::{EngineError, JobHandle, JobState, Outcome, wire::ErrorCode};

use crate::{
    body::json,
    context::Context,
    extract::{Cancel, Here, Scope},
    failure::ApiFailure,
    openapi::{Cancelled, Failures},
};

/// Cancels a job.
///
/// A waiting job is cancelled at once, a running one at its next check. A cancelled job is answered the same
/// way; a job that is complete otherwise cannot be cancelled.
#[utoipa::path(
    delete,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}",
    operation_id = "cancelJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job.")
    ),
    responses((status = 200, description = "The cancel is stored.", body = Cancelled), Failures)
)]
pub(crate) async fn cancel(Here(api): Here, scope: Scope<Cancel>) -> Result<Response, ApiFailure> {
    api.call(move |api| ask(api, &scope)).await?;
    Ok(json(StatusCode::OK, api.dialect.cancelled()))
}

fn ask(api: &Context, scope: &Scope<Cancel>) -> Result<(), ApiFailure> {
    match api.job(scope) {
        Ok((job, _)) => end(api, &scope.job, Some(&job)),
        Err(failure) if failure.code() == ErrorCode::JobQuery.as_str() => end(api, &scope.job, None),
        Err(failure) => Err(failure),
    }
}

/// Requests the end of the job with this id.
pub(crate) fn end(api: &Context, name: &str, job: Option<&JobHandle>) -> Result<(), ApiFailure> {
    let refused = || Err(api.not_cancellable(name));
    let Some(job) = job else { return refused() };
    match job.cancel() {
        Ok(_) => Ok(()),
        // The cancel was sent again, by a proxy for example, because its answer was lost.
        Err(EngineError::AlreadyComplete(_)) if job.record().state == JobState::Complete(Outcome::Cancelled) => {
            Ok(())
        }
        Err(EngineError::AlreadyComplete(_) | EngineError::UnknownJob(_)) => refused(),
        Err(error) => Err(error.into()),
    }
}
