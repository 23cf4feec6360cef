//! `GET .../kinds`: the kinds of work and their parameters (extension).

use axum::{Json, extract::State};

use crate::{
    context::Context,
    extract::{List, Scope},
    failure::ApiFailure,
    kinds::Kinds,
    openapi::Failures,
};

/// Extension: the kinds of work that can be submitted on a graph, with the parameters that the host declares.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/kinds",
    operation_id = "listKinds",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph.")
    ),
    responses((status = 200, description = "The kinds, filters first.", body = Kinds), Failures)
)]
pub(crate) async fn kinds(State(api): State<Context>, _: Scope<List>) -> Result<Json<Kinds>, ApiFailure> {
    Ok(Json(Kinds::of(&api.engine)))
}
