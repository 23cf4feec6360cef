//! The routes of the host's own actions and lookups, and their place in the `OpenAPI` document.

use std::collections::BTreeMap;

use super::submit::{Marks, Submission, submit};
use crate::{
    action::{EDGES, GRAPH, HostAction, VERTICES},
    body,
    context::Context,
    document::{at, is, text},
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
    let place = |path: &str| api.surface.place(&format!("{BASE}/{path}"));
    for path in [VERTICES, EDGES, GRAPH] {
        if actions.at(path).count() > 1 {
            describe(at(&mut document, &["paths", &place(path), "post"]), actions.at(path));
        }
    }
    let model = at(&mut document, &["paths", &place(GRAPH), "post"]).clone();
    for path in actions.own_paths() {
        let mut operation = model.clone();
        *at(&mut operation, &["operationId"]) = json!(format!("submit{}", camel(path)));
        let any = json!({"required": true, "content": {"application/json": {"schema": {}}}});
        *at(&mut operation, &["requestBody"]) = any;
        *at(&mut operation, &["summary"]) = json!("Starts an action of the host.");
        describe(&mut operation, actions.at(path));
        *at(&mut document, &["paths", &place(path), "post"]) = operation;
    }
    for lookup in lookups {
        *at(&mut document, &["paths", &place(&lookup.path), "get"]) = question(&model, lookup);
    }
    document
}

/// Describes the actions of one path: the ids, and a body that is that of any of them.
fn describe<'a>(operation: &mut Value, actions: impl Iterator<Item = &'a HostAction>) {
    let actions: Vec<&HostAction> = actions.collect();
    let ids: Vec<&str> = actions.iter().filter_map(|action| action.id()).collect();
    if let Some(parameters) = at(operation, &["parameters"]).as_array_mut() {
        if ids.is_empty() {
            parameters.retain(|parameter| !is(parameter, "name", "action_id"));
        }
        for parameter in parameters.iter_mut().filter(|parameter| is(parameter, "name", "action_id")) {
            *at(parameter, &["schema"]) = json!({"type": "string", "enum": ids});
            *at(parameter, &["description"]) = json!("The action.");
        }
    }
    let told = actions.iter().filter(|action| !action.summary.is_empty());
    let told: Vec<String> =
        told.map(|action| format!("- `{}`: {}", action.id().unwrap_or("no id"), action.summary)).collect();
    let description = [text(operation, "description"), &told.join("\n")].join("\n\n");
    *at(operation, &["description"]) = json!(description.trim());
    let schema = at(operation, &["requestBody", "content", JSON, "schema"]);
    *schema = json!({"anyOf": [schema.take(), {"type": "object"}]});
    *at(operation, &["responses", "202"]) =
        object("A synchronous request whose job has not ended in time: its id.");
    // A synchronous answer is a result.
    *at(operation, &["responses", "200", "content", JSON, "schema"]) = json!({"type": "object"});
}

const JSON: &str = "application/json";

/// An answer that is an object.
fn object(description: &str) -> Value {
    json!({"description": description, "content": {JSON: {"schema": {"type": "object"}}}})
}

/// The operation of a lookup.
fn question(model: &Value, lookup: &HostLookup) -> Value {
    let mut model = model.clone();
    let parameters = at(&mut model, &["parameters"]).as_array().cloned().unwrap_or_default();
    let in_path = parameters.into_iter().filter(|parameter| is(parameter, "in", "path"));
    let named = lookup
        .parameters
        .iter()
        .map(|name| json!({"name": name, "in": "query", "required": false, "schema": {"type": "string"}}));
    let parameters: Vec<Value> = in_path.chain(named).collect();
    *at(&mut model, &["responses", "200"]) = object("The answer, under `data`.");
    json!({
        "operationId": format!("ask{}", camel(&lookup.path)),
        "summary": lookup.summary,
        "parameters": parameters,
        "responses": at(&mut model, &["responses"]).take(),
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
