//! The demo's actions and lookups, as an API has them.

use std::{collections::BTreeMap, sync::Arc};

use job_demo::{actions::Action, check::check, graphs::Graphs, schema};
use job_http::{Api, ApiFailure, Asked, Graph, HostAction, HostLookup, Modes};
use job_runner::{
    JobSpec,
    job_core::{shown, strict},
    wire::Form,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Registers them.
pub(super) fn register(api: Api, graphs: &Arc<Graphs>) -> Api {
    let api = Action::ALL.into_iter().fold(api, |api, action| api.action(served(action, Arc::clone(graphs))));
    let (own, others) = (Arc::clone(graphs), Arc::clone(graphs));
    api.lookup(
        HostLookup::new("summary", move |graph, query| summary(&own, graph, query))
            .parameter("label_details")
            .summary("The number of vertices and edges."),
    )
    .lookup(
        HostLookup::new("schema", move |graph, query| labels(&others, graph, query))
            .parameter("label")
            .summary("The labels with their properties, or one of them."),
    )
}

fn served(action: Action, graphs: Arc<Graphs>) -> HostAction {
    let (code, modes, summary) = match action {
        Action::FilteredQuery => {
            ("GES.8806", Modes::SyncFirst, "Walks over the graph, with a filter at each step.")
        }
        Action::ClearGraph => ("GES.8012", Modes::AsyncOnly, "Removes every vertex and edge of the small graph."),
    };
    let form = if action == Action::FilteredQuery { Form::Flat } else { Form::Plain };
    let read = move |graph: &Graph, body: &str| {
        let refused = |why: String| ApiFailure::new(code, why);
        let parameters =
            strict::object("the body", body.to_owned()).map_err(|invalid| refused(invalid.to_string()))?;
        let Mode { execution_mode } =
            strict::read("the body", body).map_err(|invalid| refused(invalid.to_string()))?;
        let spec = JobSpec::action(action.name()).class(action.class()).with_raw_parameters(parameters);
        let spec = spec.with_graph(graph.key.as_str());
        check(&graphs, &spec).map_err(|error| refused(error.message))?;
        Ok(Asked::new(spec).mode(execution_mode.as_deref()))
    };
    let served = HostAction::new(action.name()).form(form).code(code).modes(modes).summary(summary).read(read);
    if action == Action::ClearGraph { served.without_type() } else { served }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mode {
    execution_mode: Option<String>,
}

fn loaded<'g>(graphs: &'g Graphs, graph: &Graph) -> Result<&'g job_demo::graph::Graph, ApiFailure> {
    graphs.get(&graph.key).map_err(|error| ApiFailure::new("GES.8001", error.to_string()))
}

fn summary(graphs: &Graphs, graph: &Graph, query: &BTreeMap<String, String>) -> Result<Value, ApiFailure> {
    let graph = loaded(graphs, graph)?;
    let (vertices, edges) = (graph.vertices().len(), graph.edges().len());
    match query.get("label_details").map(String::as_str) {
        None | Some("false") => Ok(json!({"vertexNum": vertices, "edgeNum": edges})),
        Some("true") => {
            Ok(json!({"vertexNum": vertices, "edgeNum": edges, "labelDetails": schema::counts(graph)}))
        }
        Some(other) => {
            let message = format!("parameter label_details is {}: it must be true or false", shown(other));
            Err(ApiFailure::new("GES.8001", message))
        }
    }
}

fn labels(graphs: &Graphs, graph: &Graph, query: &BTreeMap<String, String>) -> Result<Value, ApiFailure> {
    let labels = schema::labels(loaded(graphs, graph)?);
    let Some(name) = query.get("label") else { return Ok(json!({"schema": labels})) };
    let Some(found) = labels.iter().find(|label| label.label == name.as_str()) else {
        let names: Vec<&str> = labels.iter().map(|label| label.label).collect();
        let message = format!("parameter label is {}: it must be one of {}", shown(name), names.join(", "));
        return Err(ApiFailure::new("GES.8803", message));
    };
    Ok(json!({"type": found.r#type, "properties": found.properties}))
}
