//! `GET .../jobs/{jobId}/explain` and `GET .../jobs/overview`: jobs with progress and explanation (extensions).

use axum::{Json, extract::State};
use job_runner::PageRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::list::{FilterQuery, Jobs, SearchQuery, before};
use crate::{
    context::Context,
    extract::{List, Params, Read, Scope},
    failure::ApiFailure,
    openapi::Failures,
    overview::Overview,
    search::Search,
};

/// Extension: why a job waits, how far it is, why it ended.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/explain",
    operation_id = "explainJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("jobId" = String, Path, description = "Id of the job; any other text names no job.")
    ),
    responses((status = 200, description = "The state, the progress and the reason, of one moment.", body = Overview), Failures)
)]
pub(crate) async fn explain(State(api): State<Context>, scope: Scope<Read>) -> Result<Json<Overview>, ApiFailure> {
    let explain = move |api: &Context| {
        let (job, _) = api.job(&scope)?;
        Ok(Json(job.snapshot().into()))
    };
    api.call(explain).await
}

/// Jobs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overviews {
    jobs: Vec<Overview>,
    /// `before` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The largest `limit` of an overview.
pub(crate) const MOST: u32 = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OverviewQuery {
    /// How many of the newest jobs to skip.
    #[param(value_type = Option<u64>, format = "uint64", minimum = 0, default = 0)]
    offset: Option<String>,
    /// The most jobs to list.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 1_000, default = 1_000)]
    limit: Option<String>,
    /// Only jobs older than this one. The id of the last job of a page gives the next page, which repeats no job
    /// however many new ones come meanwhile.
    before: Option<String>,
}

/// Extension: the jobs of a graph with their progress.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/overview",
    operation_id = "overviewJobs",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        OverviewQuery,
        FilterQuery,
        SearchQuery
    ),
    responses((status = 200, description = "Jobs, the newest first.", body = Overviews), Failures)
)]
pub(crate) async fn overview(
    State(api): State<Context>,
    scope: Scope<List>,
    Params(query): Params<OverviewQuery>,
    Params(filter): Params<FilterQuery>,
    Params(search): Params<SearchQuery>,
) -> Result<Json<Overviews>, ApiFailure> {
    let page = PageRequest::parse_at_most(query.offset.as_deref(), query.limit.as_deref(), MOST)?;
    let before = before(query.before.as_deref())?;
    let filter = filter.on(Some(scope.graph.key))?;
    let read = move |api: &Context| {
        let jobs = Jobs::new(api.reader.clone(), filter, page, before, false);
        let jobs = jobs.found_by(Search::new(search.q.as_deref(), false));
        let (jobs, next) = jobs.all(|listed| Overview::listed(listed, &api.engine))?;
        Ok(Json(Overviews { jobs, next }))
    };
    api.call(read).await
}
