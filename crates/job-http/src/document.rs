//! The `OpenAPI` document of all surfaces.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::{context::Context, routes::own, surface::Style};

/// The document of one surface, of that of its routes.
pub(crate) fn of_surface(document: Value, api: &Context) -> Value {
    let mut document = match api.surface.style() {
        Style::Service => own::described(document, api),
        Style::Neutral => with_problems(document),
    };
    for (path, operation) in operations(&mut document) {
        if let Some(parameters) = at(operation, &["parameters"]).as_array_mut() {
            let is_there = |parameter: &Value| {
                !is(parameter, "in", "path") || path.contains(&format!("{{{}}}", text(parameter, "name")))
            };
            parameters.retain(is_there);
        }
    }
    document
}

/// One document of several. No two operations have one id.
pub(crate) fn merged(documents: Vec<Value>) -> Value {
    let mut documents = documents.into_iter();
    let mut all = documents.next().unwrap_or_default();
    for mut document in documents {
        for part in ["/paths", "/components/schemas"] {
            let Some(Value::Object(more)) = document.pointer_mut(part).map(Value::take) else { continue };
            if let Some(known) = all.pointer_mut(part).and_then(Value::as_object_mut) {
                known.extend(more);
            }
        }
    }
    let mut ids = BTreeSet::new();
    for (_, operation) in operations(&mut all) {
        let id = text(operation, "operationId").to_owned();
        let numbered = (2..).map(|number| format!("{id}{number}"));
        let free = std::iter::once(id.clone()).chain(numbered).find(|id| !ids.contains(id)).unwrap_or_default();
        *at(operation, &["operationId"]) = json!(free);
        ids.insert(free);
    }
    all
}

/// The part of a document at this path. It is made if it is missing.
pub(crate) fn at<'v>(mut value: &'v mut Value, path: &[&str]) -> &'v mut Value {
    for name in path {
        if !value.is_object() {
            *value = json!({});
        }
        value = match value {
            Value::Object(members) => members.entry(*name).or_insert(Value::Null),
            other => return other,
        };
    }
    value
}

/// A text inside a part of a document; empty if there is none.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a part of a document has this text under a name.
pub(crate) fn is(value: &Value, name: &str, expected: &str) -> bool {
    text(value, name) == expected
}

/// Every operation with its path.
fn operations(document: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    let methods = paths.into_iter().flat_map(Map::iter_mut);
    methods.flat_map(|(path, methods)| {
        let operations = methods.as_object_mut().into_iter().flat_map(Map::iter_mut);
        operations.map(move |(_, operation)| (path, operation))
    })
}

/// Describes every error as problem details.
fn with_problems(mut document: Value) -> Value {
    for (_, operation) in operations(&mut document) {
        let Some(responses) = at(operation, &["responses"]).as_object_mut() else { continue };
        for (status, response) in responses.iter_mut() {
            if status.as_str() >= "400" {
                let schema = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
                *at(response, &["content"]) = json!({"application/problem+json": schema});
            }
        }
    }
    document
}
