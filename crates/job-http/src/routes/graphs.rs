//! `GET .../graphs`: the graphs of a project (extension).

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    context::Context,
    extract::{List, Project},
    failure::ApiFailure,
    openapi::Failures,
};

/// The graphs of a project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GraphNames {
    graphs: Vec<String>,
}

/// Extension: the graphs of a project.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs",
    operation_id = "listGraphs",
    params(("projectId" = String, Path, description = "Project that the graphs belong to.")),
    responses((status = 200, description = "The names of the graphs.", body = GraphNames), Failures)
)]
pub(crate) async fn graphs(
    State(api): State<Context>,
    project: Project<List>,
) -> Result<Json<GraphNames>, ApiFailure> {
    api.call(move |api| Ok(Json(GraphNames { graphs: api.graphs.names(&project.name) }))).await
}
