//! `GET .../jobs/{jobId}/explain` and `GET .../jobs/overview`: jobs as people want to see them (extensions).

use axum::{Json, extract::State};
use job_runner::PageRequest;
use serde::Serialize;
use utoipa::ToSchema;

use super::list::{Jobs, ListQuery};
use crate::{
    context::Context,
    extract::{List, Params, Read, Scope},
    failure::Failure,
    openapi::Failures,
    overview::Overview,
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
    responses((status = 200, description = "All there is to say about it.", body = Overview), Failures)
)]
pub(crate) async fn explain(State(api): State<Context>, scope: Scope<Read>) -> Result<Json<Overview>, Failure> {
    let explain = move |api: &Context| {
        let (_, record) = api.job(&scope)?;
        Ok(Json(Overview::of(&record, &api.engine)))
    };
    api.call(explain).await
}

/// Jobs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overviews {
    jobs: Vec<Overview>,
}

/// The most jobs of an overview.
const MOST: u32 = 1_000;

/// Extension: the jobs of a graph with their progress; at most 1,000.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/overview",
    operation_id = "overviewJobs",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ListQuery
    ),
    responses((status = 200, description = "Jobs, the newest first.", body = Overviews), Failures)
)]
pub(crate) async fn overview(
    State(api): State<Context>,
    scope: Scope<List>,
    Params(query): Params<ListQuery>,
) -> Result<Json<Overviews>, Failure> {
    let page = PageRequest::parse(query.offset.as_deref(), query.limit.as_deref())?;
    let page = PageRequest::new(page.offset(), page.limit().min(MOST))?;
    let read = move |api: &Context| {
        let mut jobs = Jobs::new(api.reader.clone(), scope.graph.key, page);
        let mut overviews = Vec::new();
        while !jobs.is_full()
            && let Some(records) = jobs.next()?
        {
            overviews.extend(records.iter().map(|record| Overview::of(record, &api.engine)));
        }
        Ok(Json(Overviews { jobs: overviews }))
    };
    api.call(read).await
}
