//! The routes of the host's own actions and lookups, and their place in the `OpenAPI` document.

use std::collections::BTreeMap;

use super::submit::{Marks, Submission, submit};
use crate::{
    action::{EDGES, GRAPH, HostAction, VERTICES},
    body,
    context::Context,
    extract::{Here, Params, Project, Read, Scope, Submit, Text},
    failure::ApiFailure,
    key::Key,
    lookup::HostLookup,
    patience::Patience,
};
use axum::{
    Router,
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The path of a graph.
const BASE: &str = "/ges/v1.0/{projectId}/graphs/{graphName}";

#[derive(Debug, Deserialize)]
struct Id {
    action_id: Option<String>,
}

/// Adds the paths that the host has registered.
pub(super) fn routes(mut router: Router<Context>, api: &Context) -> Router<Context> {
    for path in api.actions.own_paths() {
        let own = path.to_owned();
        let handler = async move |Here(api): Here,
                                  project: Project<Submit>,
                                  Params(Id { action_id }): Params<Id>,
                                  Params(marks): Params<Marks>,
                                  key: Key,
                                  patience: Patience,
                                  Text(body): Text| {
            let submission = Submission { project, marks, key, patience, body };
            submit(&api, &own, action_id.as_deref(), submission).await
        };
        router = router.route(&api.surface.place(&format!("{BASE}/{path}")), post(handler));
    }
    for lookup in &api.lookups {
        let own = lookup.clone();
        let handler =
            async move |Here(api): Here, scope: Scope<Read>, Params(query): Params<BTreeMap<String, String>>| {
                ask(&api, own, scope, query).await
            };
        router = router.route(&api.surface.place(&format!("{BASE}/{}", lookup.path)), get(handler));
    }
    router
}

async fn ask(
    api: &Context,
    lookup: HostLookup,
    scope: Scope<Read>,
    query: BTreeMap<String, String>,
) -> Result<Response, ApiFailure> {
    let answer = api.call(move |_| lookup.ask(&scope.graph, &query)).await?;
    Ok(body::json(StatusCode::OK, api.dialect.data(&answer)))
}

/// Adds to the document what the host has registered.
pub(crate) fn described(mut document: Value, api: &Context) -> Value {
    let (actions, lookups) = (&api.actions, &api.lookups);
    let at = |path: &str| api.surface.place(&format!("{BASE}/{path}"));
    for path in [VERTICES, EDGES, GRAPH] {
        if actions.at(path).count() > 1 {
            describe(&mut document["paths"][at(path)]["post"], actions.at(path));
        }
    }
    let model = document["paths"][at(GRAPH)]["post"].clone();
    for path in actions.own_paths() {
        let mut operation = model.clone();
        operation["operationId"] = json!(format!("submit{}", camel(path)));
        operation["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": {}}}});
        operation["summary"] = json!("Starts an action of the host.");
        describe(&mut operation, actions.at(path));
        document["paths"][at(path)]["post"] = operation;
    }
    for lookup in lookups {
        document["paths"][at(&lookup.path)]["get"] = question(&model, lookup);
    }
    document
}

/// Describes the actions of one path: the ids, and a body that is that of any of them.
fn describe<'a>(operation: &mut Value, actions: impl Iterator<Item = &'a HostAction>) {
    let actions: Vec<&HostAction> = actions.collect();
    let ids: Vec<&str> = actions.iter().filter_map(|action| action.id()).collect();
    if let Some(parameters) = operation["parameters"].as_array_mut() {
        if ids.is_empty() {
            parameters.retain(|parameter| parameter["name"] != "action_id");
        }
        for parameter in parameters.iter_mut().filter(|parameter| parameter["name"] == "action_id") {
            parameter["schema"] = json!({"type": "string", "enum": ids});
            parameter["description"] = json!("The action.");
        }
    }
    let told = actions.iter().filter(|action| !action.summary.is_empty());
    let told: Vec<String> =
        told.map(|action| format!("- `{}`: {}", action.id().unwrap_or("no id"), action.summary)).collect();
    let description = [operation["description"].as_str().unwrap_or_default(), &told.join("\n")].join("\n\n");
    operation["description"] = json!(description.trim());
    let content = &mut operation["requestBody"]["content"]["application/json"];
    content["schema"] = json!({"anyOf": [content["schema"], {"type": "object"}]});
    operation["responses"]["202"] = json!({
        "description": "A synchronous request whose job has not ended in time: its id.",
        "content": {"application/json": {"schema": {"type": "object"}}}
    });
    // A synchronous answer is a result.
    operation["responses"]["200"]["content"]["application/json"]["schema"] = json!({"type": "object"});
}

/// The operation of a lookup.
fn question(model: &Value, lookup: &HostLookup) -> Value {
    let parameters = model["parameters"].as_array().into_iter().flatten();
    let in_path = parameters.filter(|parameter| parameter["in"] == "path").cloned();
    let named = lookup
        .parameters
        .iter()
        .map(|name| json!({"name": name, "in": "query", "required": false, "schema": {"type": "string"}}));
    let mut responses = model["responses"].clone();
    responses["200"] = json!({
        "description": "The answer, under `data`.",
        "content": {"application/json": {"schema": {"type": "object"}}}
    });
    json!({
        "operationId": format!("ask{}", camel(&lookup.path)),
        "summary": lookup.summary,
        "parameters": in_path.chain(named).collect::<Vec<_>>(),
        "responses": responses,
    })
}

/// A path as a part of a name: `schema/labels` is `SchemaLabels`.
fn camel(path: &str) -> String {
    let words = path.split(|letter: char| !letter.is_ascii_alphanumeric());
    let capitalized = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    words.map(capitalized).collect()
}
