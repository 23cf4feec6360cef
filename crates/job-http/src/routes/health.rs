//! `GET /health`: whether jobs are taken and their outcomes can be stored (extension).

use axum::{Json, extract::State};

use crate::{context::Context, failure::ApiFailure, openapi::Failures, vitals::Health};

/// Extension: the state of the engine; 503 while it is not well.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    responses((status = 200, description = "The engine is well, and its figures.", body = Health), Failures)
)]
pub(crate) async fn health(State(api): State<Context>) -> Result<Json<Health>, ApiFailure> {
    if api.shutdown.is_closed() {
        return Err(ApiFailure::unavailable("the service is shutting down"));
    }
    api.engine.health()?;
    Ok(Json(api.vitals().of(&api.engine).await))
}
