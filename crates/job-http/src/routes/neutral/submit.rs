//! `POST .../jobs`: submits a job.

use std::borrow::Cow;

use axum::{
    Json,
    extract::{OriginalUri, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use job_runner::{
    JobId, JobKind, JobSpec, PageRequest, Parameters,
    job_core::{
        shown,
        strict::{self, InvalidBody, Raw},
    },
    wire::{self, ErrorCode},
};
use serde::Deserialize;

use super::result;
use crate::{
    catalog::{Graph, JobRequest},
    context::Context,
    extract::{Project, Submit, Text},
    failure::ApiFailure,
    key::Key,
    openapi::{Failures, Job, NewJob},
    patience::Patience,
    routes::{status::completion, sync::APPLIED},
};

/// The body of a submission.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'b> {
    kind: Option<String>,
    #[serde(borrow)]
    parameters: Option<Raw<'b>>,
    owner: Option<String>,
    labels: Option<Vec<String>>,
    #[serde(rename = "againOf")]
    again_of: Option<JobId>,
}

/// Submits a job.
///
/// With the header `Prefer: wait=10` the answer waits for up to 10 s, and not longer than the bound of the host. It is the
/// first page of the result if the job has ended by then, and the job otherwise.
#[utoipa::path(
    post,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs",
    operation_id = "submitJob",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ("Prefer" = Option<String>, Header, description = "`wait=` and a number of seconds (RFC 7240)."),
        ("Idempotency-Key" = Option<String>, Header, description = "A text of the client's own: the same request with the same key is the same job.")
    ),
    request_body(content = NewJob, example = json!({"kind": "pagerank", "parameters": {}})),
    responses(
        (status = 202, description = "The job is stored; `Location` is its path.", body = Job, headers(("Location" = String))),
        (status = 200, description = "The first page of the result (`Prefer: wait=`)."),
        Failures
    )
)]
pub(crate) async fn submit(
    State(api): State<Context>,
    project: Project<Submit>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    key: Key,
    patience: Patience,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    let graph = project.find_graph(&api).map_err(ApiFailure::not_found)?;
    let begin = move |api: &Context| key.submit(&api.engine, spec(api, &graph, &body)?);
    let job = api.call(begin).await?;
    let mut record = job.record();
    let wait = preferred(&headers);
    if !wait.is_zero() && !record.state.is_complete() {
        let wait = wait.min(api.limits.sync_time);
        patience.extend(wait);
        record = completion(&api, &job, wait).await?;
    }
    let path = format!("{}/{}", uri.path().trim_end_matches('/'), record.id);
    let answer = move |api: &Context| {
        if !wait.is_zero() && record.state.is_complete() {
            return result::of(api, &record, PageRequest::default(), &HeaderMap::new());
        }
        let mut response = (StatusCode::ACCEPTED, Json(super::shown(api, &record))).into_response();
        if !wait.is_zero() {
            response.headers_mut().insert(APPLIED, HeaderValue::from_static("respond-async"));
        }
        Ok(response)
    };
    let mut response = api.go_on(answer).await?;
    if let Ok(path) = HeaderValue::try_from(path) {
        response.headers_mut().insert(header::LOCATION, path);
    }
    Ok(response)
}

/// The seconds of `Prefer: wait=10`; 0 without it.
fn preferred(headers: &HeaderMap) -> std::time::Duration {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut words = values.flat_map(|value| value.split([',', ';'])).map(str::trim);
    let seconds = words.find_map(|word| word.strip_prefix("wait=")?.parse::<u32>().ok());
    std::time::Duration::from_secs(seconds.unwrap_or(0).into())
}

/// The work and the marks that a body asks for.
pub(crate) struct Asked {
    pub(crate) kind: JobKind,
    pub(crate) parameters: Parameters,
    owner: Option<String>,
    labels: Vec<String>,
    again_of: Option<JobId>,
}

impl Asked {
    /// Reads a body.
    pub(crate) fn read(text: &str) -> Result<Self, ApiFailure> {
        let refused = |invalid: InvalidBody| ApiFailure::parameter(invalid.to_string());
        let Body { kind, parameters, owner, labels, again_of } =
            strict::read("the body", text).map_err(refused)?;
        let kind = kind.filter(|kind| !kind.is_empty());
        let kind = kind.ok_or_else(|| ApiFailure::parameter("kind is missing: name the work"))?;
        let given = parameters.map_or("{}", |parameters| parameters.as_str());
        let parameters = strict::object("parameters", given.to_owned()).map_err(refused)?;
        let (kind, labels) = (JobKind::named(&kind), labels.unwrap_or_default());
        Ok(Self { kind, parameters, owner, labels, again_of })
    }

    /// Puts owner, labels and the earlier job on the work.
    pub(crate) fn put_on(self, mut spec: JobSpec) -> JobSpec {
        if let Some(owner) = self.owner {
            spec = spec.owner(owner);
        }
        if let Some(job) = self.again_of {
            spec = spec.again_of(job);
        }
        self.labels.into_iter().fold(spec, JobSpec::label)
    }
}

/// The work that a body asks for, as the host's catalog or the action of that kind has it.
fn spec(api: &Context, graph: &Graph, text: &str) -> Result<JobSpec, ApiFailure> {
    let asked = Asked::read(text)?;
    let spec = work(api, graph, asked.kind.clone(), asked.parameters.clone())?;
    Ok(wire::sent_as(graph.of(asked.put_on(spec)), text))
}

fn work(api: &Context, graph: &Graph, kind: JobKind, parameters: Parameters) -> Result<JobSpec, ApiFailure> {
    let request = match kind {
        JobKind::VertexFilter => JobRequest::VertexFilter(parameters),
        JobKind::EdgeFilter => JobRequest::EdgeFilter(parameters),
        JobKind::Algorithm(name) => {
            crate::action::check_name(&name)?;
            JobRequest::Algorithm { name, parameters }
        }
        JobKind::Action(name) => {
            let Some(action) = api.actions.of_kind(&name) else {
                let known = api.actions.kinds();
                let known =
                    if known.is_empty() { Cow::Borrowed("there are none") } else { known.join(", ").into() };
                return Err(ApiFailure::of(
                    ErrorCode::Parameter,
                    format!("action {} is unknown: the actions are {known}", shown(&name)),
                ));
            };
            return Ok(action.asked(api, graph, parameters.as_str().to_owned())?.spec);
        }
    };
    request.checked(api, graph)
}
