//! `POST .../action`: submits vertex filters, edge filters and algorithms as jobs.

use axum::{extract::State, http::StatusCode, response::Response};
use job_runner::{
    JobSpec, Parameters,
    job_core::{
        shown,
        strict::{self, InvalidBody, Raw},
    },
    wire::ErrorCode,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    body::json,
    catalog::{Graph, JobRequest},
    context::Context,
    export::Exporter,
    extract::{FilterEdges, FilterVertices, Params, RunAlgorithm, Scope, Text},
    failure::ApiFailure,
    key::Key,
    openapi::{Acknowledged, AlgorithmBody, EdgeFilterBody, Failures, VertexFilterBody},
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

/// Extension: what lists are filtered by.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Marks {
    /// Extension: the user or service for which the job runs.
    owner: Option<String>,
    /// Extension: the labels of the job, separated by commas.
    label: Option<String>,
}

impl Marks {
    fn put_on(self, mut spec: JobSpec) -> JobSpec {
        if let Some(owner) = self.owner {
            spec = spec.owner(owner);
        }
        self.label.iter().flat_map(|labels| labels.split(',')).fold(spec, JobSpec::label)
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
    State(api): State<Context>,
    scope: Scope<FilterVertices>,
    Params(query): Params<QueryAction>,
    Params(marks): Params<Marks>,
    key: Key,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    action(query.action_id.as_deref(), "query")?;
    submit(&api, (key, marks), scope.graph, JobRequest::VertexFilter(object(body, ErrorCode::VertexCondition)?))
        .await
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
    State(api): State<Context>,
    scope: Scope<FilterEdges>,
    Params(query): Params<QueryAction>,
    Params(marks): Params<Marks>,
    key: Key,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    action(query.action_id.as_deref(), "query")?;
    submit(&api, (key, marks), scope.graph, JobRequest::EdgeFilter(object(body, ErrorCode::EdgeCondition)?)).await
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
pub(crate) async fn algorithm(
    State(api): State<Context>,
    scope: Scope<RunAlgorithm>,
    Params(query): Params<AlgorithmAction>,
    Params(marks): Params<Marks>,
    key: Key,
    Text(body): Text,
) -> Result<Response, ApiFailure> {
    action(query.action_id.as_deref(), "execute-algorithm")?;
    submit(&api, (key, marks), scope.graph, read_algorithm(&body)?).await
}

async fn submit(
    api: &Context,
    (key, marks): (Key, Marks),
    graph: Graph,
    request: JobRequest,
) -> Result<Response, ApiFailure> {
    let submit = move |api: &Context| {
        let spec = marks.put_on(graph.of(api.graphs.check(&graph, &request)?));
        let kind = spec.kind().clone();
        let job = key.submit(&api.engine, spec)?;
        Ok(json(StatusCode::OK, api.dialect.acknowledged(job.id(), Some(&kind))))
    };
    api.call(submit).await
}

/// Checks that a body is a JSON object, and keeps it unchanged.
pub(crate) fn object(text: String, code: ErrorCode) -> Result<Parameters, ApiFailure> {
    strict::object("the body", text).map_err(|invalid| ApiFailure::of(code, invalid.to_string()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlgorithmRequest<'b> {
    algorithm_name: Option<String>,
    #[serde(borrow)]
    parameters: Option<Raw<'b>>,
    execution_mode: Option<String>,
}

pub(crate) fn read_algorithm(body: &str) -> Result<JobRequest, ApiFailure> {
    let refused = |invalid: InvalidBody| ApiFailure::of(ErrorCode::Algorithm, invalid.to_string());
    let body: AlgorithmRequest<'_> = strict::read("the body", body).map_err(refused)?;
    match body.execution_mode.as_deref() {
        None | Some("async") => {}
        Some("sync") => {
            let message = "executionMode is sync: only async is served, with ?wait= on the status of the job";
            return Err(ApiFailure::of(ErrorCode::AlgorithmMode, message));
        }
        Some(_) => {
            return Err(ApiFailure::of(
                ErrorCode::AlgorithmMode,
                "executionMode is not correct, it should be sync or async",
            ));
        }
    }
    let name = body.algorithm_name.unwrap_or_default();
    if name.is_empty() {
        return Err(ApiFailure::of(ErrorCode::AlgorithmName, "algorithmName is empty: name the algorithm"));
    }
    if name == Exporter::KIND {
        return Err(ApiFailure::of(ErrorCode::Algorithm, format!("algorithm {name} is unknown")));
    }
    let parameters = body.parameters.map_or_else(
        || Ok(Parameters::default()),
        |parameters| strict::object("parameters", parameters.as_str().to_owned()),
    );
    Ok(JobRequest::Algorithm { name, parameters: parameters.map_err(refused)? })
}
