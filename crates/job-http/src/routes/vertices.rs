//! `GET .../vertices/ids`: ids of vertices that complete what is typed (extension).

use std::time::Duration;

use axum::{Json, extract::State};
use job_runner::{JobSpec, PageRequest};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use crate::{
    context::Context,
    extract::{Params, Scope, Submit},
    failure::ApiFailure,
    openapi::Failures,
};

/// The most ids of an answer.
const MOST: u32 = 20;
/// A host that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct IdsQuery {
    /// The beginning of the ids; all ids have the empty one.
    #[param(value_type = Option<String>, max_length = 256)]
    prefix: Option<String>,
    /// The most ids to give.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 20, default = 20)]
    limit: Option<String>,
}

/// Ids of vertices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ids {
    /// Ids that begin with the prefix; there may be more of them in the graph.
    vertices: Vec<String>,
}

/// Extension: ids of vertices that begin with a text, for a form that a person fills in.
///
/// A host that completes no ids answers 404, one that takes longer than a second 503.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/vertices/ids",
    operation_id = "completeVertices",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        IdsQuery
    ),
    responses((status = 200, description = "Ids.", body = Ids), Failures)
)]
pub(crate) async fn ids(
    State(api): State<Context>,
    scope: Scope<Submit>,
    Params(query): Params<IdsQuery>,
) -> Result<Json<Ids>, ApiFailure> {
    let limit = PageRequest::parse_at_most(None, query.limit.as_deref(), MOST)?.limit();
    let prefix = query.prefix.unwrap_or_default();
    if prefix.len() > JobSpec::MAX_NAME {
        let (length, most) = (prefix.len(), JobSpec::MAX_NAME);
        return Err(ApiFailure::parameter(format!(
            "parameter prefix has {length} bytes: at most {most} are allowed"
        )));
    }
    let limit = usize::try_from(limit).unwrap_or(0);
    let complete = move |api: &Context| {
        let found = api.graphs.complete(&scope.graph, &prefix, limit);
        let mut vertices =
            found.ok_or_else(|| ApiFailure::not_found("this service completes no ids of vertices"))?;
        vertices.truncate(limit);
        Ok(Json(Ids { vertices }))
    };
    let late = |_| ApiFailure::unavailable("the ids of the graph cannot be looked up in time");
    timeout(PATIENCE, api.call(complete)).await.map_err(late)?
}
