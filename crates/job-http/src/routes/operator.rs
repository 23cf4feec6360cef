//! `/operator/jobs`: the jobs of every graph and the rows that they have so far, for operators (extension).

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use job_runner::{Engine, JobId, PageRequest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    cancel::end,
    download,
    explain::MOST,
    list::{FilterQuery, Jobs, Listed, SearchQuery, before},
    status,
};
use crate::{
    body::json,
    context::Context,
    download::Form,
    extract::{Operate, Params, Project},
    failure::ApiFailure,
    openapi::{Cancelled, Failures, StatusBody},
    overview::Overview,
    search::Search,
};

/// Jobs of every graph, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperatorJobs {
    jobs: Vec<OperatorJob>,
    /// `before` of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A job with its graph.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperatorJob {
    /// The graph, as the engine names it; empty of a job that cannot be read.
    graph: String,
    /// The owner that was given at submission.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// The labels that were given at submission.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    labels: BTreeSet<String>,
    /// Why the job failed, or why its record cannot be read.
    #[serde(rename = "failReason", skip_serializing_if = "Option::is_none")]
    fail_reason: Option<String>,
    #[serde(flatten)]
    job: Overview,
}

impl OperatorJob {
    fn of(listed: &Listed, engine: &Engine) -> Self {
        let job = Overview::listed(listed, engine);
        match listed {
            Ok(record) => Self {
                graph: record.spec.graph().to_owned(),
                owner: record.spec.options().owner.clone(),
                labels: record.spec.options().labels.clone(),
                fail_reason: record.failure.as_ref().map(|failure| failure.message.clone()),
                job,
            },
            Err(unreadable) => Self {
                graph: String::new(),
                owner: None,
                labels: BTreeSet::new(),
                fail_reason: Some(unreadable.reason.clone()),
                job,
            },
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OperatorQuery {
    /// Only jobs of this graph, as the engine names it.
    graph: Option<String>,
    /// How many of the newest jobs to skip.
    #[param(value_type = Option<u64>, format = "uint64", minimum = 0, default = 0)]
    offset: Option<String>,
    /// The most jobs to list.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 1_000, default = 1_000)]
    limit: Option<String>,
    /// Only jobs older than this one.
    before: Option<String>,
}

/// Extension: the jobs of every graph, served or not, with their progress.
#[utoipa::path(
    get,
    path = "/operator/jobs",
    operation_id = "operatorJobs",
    params(OperatorQuery, FilterQuery, SearchQuery),
    responses((status = 200, description = "Jobs, the newest first.", body = OperatorJobs), Failures)
)]
pub(crate) async fn jobs(
    State(api): State<Context>,
    _: Project<Operate>,
    Params(query): Params<OperatorQuery>,
    Params(filter): Params<FilterQuery>,
    Params(search): Params<SearchQuery>,
) -> Result<Json<OperatorJobs>, ApiFailure> {
    let page = PageRequest::parse_at_most(query.offset.as_deref(), query.limit.as_deref(), MOST)?;
    let before = before(query.before.as_deref())?;
    let filter = filter.on(query.graph)?;
    let read = move |api: &Context| {
        let jobs = Jobs::new(api.reader.clone(), filter, page, before, false);
        let jobs = jobs.found_by(Search::new(search.q.as_deref(), true));
        let (jobs, next) = jobs.all(|listed| OperatorJob::of(listed, &api.engine))?;
        Ok(Json(OperatorJobs { jobs, next }))
    };
    api.call(read).await
}

/// Extension: cancels a job of any graph, served or not.
#[utoipa::path(
    delete,
    path = "/operator/jobs/{jobId}",
    operation_id = "operatorCancelJob",
    params(("jobId" = String, Path, description = "Id of the job; any other text names no job.")),
    responses((status = 200, description = "The cancel is stored.", body = Cancelled), Failures)
)]
pub(crate) async fn cancel(State(api): State<Context>, asked: Project<Operate>) -> Result<Response, ApiFailure> {
    let ask = move |api: &Context| {
        let id = asked.job.parse::<JobId>().ok();
        let job = id.map_or(Ok(None), |id| api.engine.job(id))?;
        end(api, &asked.job, job.as_ref())
    };
    api.call(ask).await?;
    Ok(json(StatusCode::OK, api.dialect.cancelled()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RowsQuery {
    /// The first row of the page.
    #[param(value_type = Option<u64>, format = "uint64", minimum = 0, default = 0)]
    offset: Option<String>,
    /// The most rows of the page.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 100_000, default = 100_000)]
    limit: Option<String>,
    /// `csv` or `jsonl`: the whole result as a file, in place of a page.
    #[param(value_type = Option<String>, pattern = "^(csv|jsonl)$")]
    format: Option<String>,
    /// `true` puts `'` before a text of a CSV file that a spreadsheet would take for a formula.
    #[serde(rename = "guardFormulas")]
    #[param(rename = "guardFormulas", value_type = Option<bool>, default = false)]
    guard_formulas: Option<String>,
}

/// Extension: the status of a job of any graph, served or not. Of a job that runs in this process, the rows so far.
///
/// The number of a row never changes; `data_total_size` grows until the job is complete.
#[utoipa::path(
    get,
    path = "/operator/jobs/{jobId}/rows",
    operation_id = "operatorJobRows",
    params(("jobId" = String, Path, description = "Id of the job; any other text names no job."), RowsQuery),
    responses(
        (
            status = 200,
            description = "The state, or a page of rows; with `format` the whole result.",
            content((StatusBody = "application/json"), (String = "text/csv"), (String = "application/x-ndjson"))
        ),
        Failures
    )
)]
pub(crate) async fn rows(
    State(api): State<Context>,
    asked: Project<Operate>,
    Params(query): Params<RowsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiFailure> {
    let page = PageRequest::parse(query.offset.as_deref(), query.limit.as_deref())?;
    if let Some(form) = Form::asked(query.format.as_deref(), query.guard_formulas.as_deref(), &headers)? {
        let whole = move |api: &Context| {
            let job = api.any_job(&asked.job)?;
            download::send(api, &api.refresh(&job, &asked.job)?, form, &headers)
        };
        return api.call(whole).await;
    }
    let read = move |api: &Context| {
        let job = api.any_job(&asked.job)?;
        status::send(api, job.status_so_far(api.dialect, page)?)
    };
    api.call(read).await
}
