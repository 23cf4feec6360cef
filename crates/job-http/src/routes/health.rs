//! `GET /health`: whether jobs are taken and their outcomes can be stored (extension).

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{context::Context, failure::Failure, openapi::Failures};

/// What the engine does at this moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Waiting jobs.
    waiting: usize,
    /// Running jobs.
    running: usize,
}

/// Extension: whether the engine is well.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    responses((status = 200, description = "It is.", body = Health), Failures)
)]
pub(crate) async fn health(State(api): State<Context>) -> Result<Json<Health>, Failure> {
    if api.gate.is_closed() {
        return Err(Failure::unavailable("the service is shutting down"));
    }
    api.engine.health()?;
    let stats = api.engine.stats();
    Ok(Json(Health {
        waiting: stats.read.waiting + stats.write.waiting,
        running: stats.read.running + stats.write.running,
    }))
}
