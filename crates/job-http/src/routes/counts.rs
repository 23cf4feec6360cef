//! `GET .../jobs/counts`: how many jobs there are in each state (extension).

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use job_runner::{JobFilter, StateCount};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::list::FilterQuery;
use crate::{
    context::Context,
    extract::{List, Operate, Params, Project, Scope},
    failure::ApiFailure,
    openapi::Failures,
};

/// The jobs in each state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counts {
    /// By state: `waiting`, `running`, `cancelling`, `succeeded`, `failed`, `cancelled`; only those that `state` names.
    counts: BTreeMap<String, Count>,
}

/// The jobs in one state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Count {
    /// Complete jobs are counted up to 1,000.
    #[schema(format = "uint64")]
    jobs: u64,
    /// Whether there are more.
    more: bool,
}

impl Counts {
    fn of(api: &Context, filter: &JobFilter) -> Result<Json<Self>, ApiFailure> {
        let count =
            |count: StateCount| (count.state.to_string(), Count { jobs: count.jobs, more: count.is_capped });
        Ok(Json(Self { counts: api.reader.counts(filter)?.into_iter().map(count).collect() }))
    }
}

/// Extension: how many jobs of a graph there are in each state.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/counts",
    operation_id = "countJobs",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        FilterQuery
    ),
    responses((status = 200, description = "The counts.", body = Counts), Failures)
)]
pub(crate) async fn counts(
    State(api): State<Context>,
    scope: Scope<List>,
    Params(filter): Params<FilterQuery>,
) -> Result<Json<Counts>, ApiFailure> {
    let filter = filter.on(Some(scope.graph.key))?;
    api.call(move |api| Counts::of(api, &filter)).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GraphQuery {
    /// Only jobs of this graph, as the engine names it.
    graph: Option<String>,
}

/// Extension: how many jobs there are in each state, of every graph, served or not.
#[utoipa::path(
    get,
    path = "/operator/jobs/counts",
    operation_id = "operatorCountJobs",
    params(GraphQuery, FilterQuery),
    responses((status = 200, description = "The counts.", body = Counts), Failures)
)]
pub(crate) async fn operator_counts(
    State(api): State<Context>,
    _: Project<Operate>,
    Params(of): Params<GraphQuery>,
    Params(filter): Params<FilterQuery>,
) -> Result<Json<Counts>, ApiFailure> {
    let filter = filter.on(of.graph)?;
    api.call(move |api| Counts::of(api, &filter)).await
}
