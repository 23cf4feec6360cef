//! `POST .../action`: submits vertex filters, edge filters, algorithms and the actions of the host as jobs.

use axum::{http::StatusCode, response::Response};
use job_runner::{JobSpec, job_core::shown, wire};
use serde::Deserialize;
use utoipa::IntoParams;

use super::sync;
use crate::{
    action::{EDGES, GRAPH, Mode, VERTICES},
    body::json,
    context::Context,
    extract::{Here, Params, Project, Submit, Text},
    failure::ApiFailure,
    key::Key,
    openapi::{Acknowledged, AlgorithmBody, Answered, EdgeFilterBody, Failures, NotYet, VertexFilterBody},
    patience::Patience,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueryAction {
    /// The action: `query`.
    #[param(value_type = String, pattern = "^query$", required = true)]
    action_id: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlgorithmAction {
    /// The action: `execute-algorithm`.
    #[param(value_type = String, pattern = "^execute-algorithm$", required = true)]
    action_id: Option<String>,
}

/// Extension: what lists are filtered by, and the job that is run again.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Marks {
    /// Extension: the user or service for which the job runs.
    owner: Option<String>,
    /// Extension: the labels of the job, separated by commas.
    label: Option<String>,
    /// Extension: the id of the job whose request this one runs again. It may be removed by now.
    again_of: Option<String>,
}

impl Marks {
    fn put_on(self, mut spec: JobSpec) -> Result<JobSpec, ApiFailure> {
        if let Some(owner) = self.owner {
            spec = spec.owner(owner);
        }
        if let Some(job) = self.again_of {
            let wrong = |_| {
                ApiFailure::parameter(format!("parameter again_of is {}: it must be the id of a job", shown(&job)))
            };
            spec = spec.again_of(job.parse().map_err(wrong)?);
        }
        Ok(self.label.iter().flat_map(|labels| labels.split(',')).fold(spec, JobSpec::label))
    }
}

/// Checks that `action_id` names the one action of the path.
pub(crate) fn action(given: Option<&str>, expected: &str) -> Result<(), ApiFailure> {
    match given {
        Some(given) if given == expected => Ok(()),
        given => {
            let given = given.map_or("missing", shown);
            Err(ApiFailure::parameter(format!("parameter action_id is {given}: it must be {expected}")))
        }
    }
}

/// Starts a vertex filter.
#[utoipa::path(
    post,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/vertices/action",
    operation_id = "queryVertices",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        QueryAction,
        Marks,
        ("Idempotency-Key" = Option<String>, Header, description = "A text of the client's own: the same request with the same key is the same job.")
    ),
    request_body(content = VertexFilterBody, example = json!({"labels": ["user"]})),
    responses(
        (
            status = 200, description = "The job is stored.", body = Acknowledged,
            links(
                ("status" = (operation_id = "showJobStatus", parameters(("jobId" = "$response.body#/jobId")))),
                ("explanation" = (operation_id = "explainJob", parameters(("jobId" = "$response.body#/jobId")))),
                ("cancel" = (operation_id = "cancelJob", parameters(("jobId" = "$response.body#/jobId"))))
            )
        ),
        Failures
    )
)]
pub(crate) async fn vertices(
    Here(api): Here,
    project: Project<Submit>,
    Params(query): Params<QueryAction>,
    Params(marks): Params<Marks>,
    key: Key,
    patience: Patience,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    let submission = Submission { project, marks, key, patience, body };
    submit(&api, VERTICES, query.action_id.as_deref(), submission).await
}

/// Starts an edge filter.
#[utoipa::path(
    post,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/edges/action",
    operation_id = "queryEdges",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        QueryAction,
        Marks,
        ("Idempotency-Key" = Option<String>, Header, description = "A text of the client's own: the same request with the same key is the same job.")
    ),
    request_body(content = EdgeFilterBody, example = json!({"labels": ["rate"]})),
    responses(
        (
            status = 200, description = "The job is stored.", body = Acknowledged,
            links(
                ("status" = (operation_id = "showJobStatus", parameters(("jobId" = "$response.body#/jobId")))),
                ("explanation" = (operation_id = "explainJob", parameters(("jobId" = "$response.body#/jobId")))),
                ("cancel" = (operation_id = "cancelJob", parameters(("jobId" = "$response.body#/jobId"))))
            )
        ),
        Failures
    )
)]
pub(crate) async fn edges(
    Here(api): Here,
    project: Project<Submit>,
    Params(query): Params<QueryAction>,
    Params(marks): Params<Marks>,
    key: Key,
    patience: Patience,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    let submission = Submission { project, marks, key, patience, body };
    submit(&api, EDGES, query.action_id.as_deref(), submission).await
}

/// Starts an algorithm.
#[utoipa::path(
    post,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/action",
    operation_id = "executeAlgorithm",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        AlgorithmAction,
        Marks,
        ("Idempotency-Key" = Option<String>, Header, description = "A text of the client's own: the same request with the same key is the same job.")
    ),
    request_body(content = AlgorithmBody, example = json!({"algorithmName": "pagerank", "parameters": {}})),
    responses(
        (
            status = 200, description = "The job is stored, or has run in the mode `sync`.", body = Answered,
            links(
                ("status" = (operation_id = "showJobStatus", parameters(("jobId" = "$response.body#/jobId")))),
                ("explanation" = (operation_id = "explainJob", parameters(("jobId" = "$response.body#/jobId")))),
                ("cancel" = (operation_id = "cancelJob", parameters(("jobId" = "$response.body#/jobId"))))
            )
        ),
        (status = 202, description = "Extension: a synchronous request whose job has not ended in time.", body = NotYet),
        Failures
    )
)]
pub(crate) async fn algorithm(
    Here(api): Here,
    project: Project<Submit>,
    Params(query): Params<AlgorithmAction>,
    Params(marks): Params<Marks>,
    key: Key,
    patience: Patience,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    let submission = Submission { project, marks, key, patience, body };
    submit(&api, GRAPH, query.action_id.as_deref(), submission).await
}

/// The parts of a submission.
pub(crate) struct Submission {
    pub(crate) project: Project<Submit>,
    pub(crate) marks: Marks,
    pub(crate) key: Key,
    pub(crate) patience: Patience,
    pub(crate) body: String,
}

/// Submits what the action of this id at a path makes of the body, and answers as its mode says.
pub(crate) async fn submit(
    api: &Context,
    path: &str,
    id: Option<&str>,
    submission: Submission,
) -> Result<Response, ApiFailure> {
    let action = api.actions.find(path, id)?.clone();
    let Submission { project, marks, key, patience, body } = submission;
    let graph = project.find_graph(api).map_err(|message| action.no_graph(message))?;
    let form = action.answer_form();
    let begin = move |api: &Context| {
        let sent = (body.len() <= JobSpec::MAX_RAW_REQUEST).then(|| body.clone());
        let asked = action.asked(api, &graph, body)?;
        let mode = action.mode(&asked, api.dialect)?;
        let spec = marks.put_on(graph.of(asked.spec))?;
        let spec = match sent {
            Some(body) => wire::sent_as(spec, &body),
            None => spec,
        };
        let job = key.submit(&api.engine, spec)?;
        Ok((job, mode, asked.page, action))
    };
    let (job, mode, page, action) = api.call(begin).await.map_err(|failure| failure.in_form(form))?;
    match mode {
        Mode::Async => {
            let kind = job.record().spec.kind().clone();
            Ok(json(StatusCode::OK, action.acknowledgement(api.dialect, job.id(), &kind)))
        }
        Mode::Sync => {
            let waited = sync::answer(api, &action, job, page, &patience).await;
            waited.map_err(|failure| failure.in_form(form))
        }
    }
}
