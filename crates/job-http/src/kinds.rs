//! [`Kinds`]: the kinds of work that the engine runs, with their parameters.

use job_runner::{Declaration, Engine, JobKind, Parameter, ParameterType};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{export::Exporter, openapi::ParameterBody};

/// The kinds of work that can be submitted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kinds {
    kinds: Vec<Kind>,
}

/// A kind of work. `vertex_filter` and `edge_filter` are submitted with their parameters as the body, every other kind as
/// an algorithm of that name.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the field is `kind` in the answer")]
pub(crate) struct Kind {
    /// `vertex_filter`, `edge_filter` or the name of an algorithm.
    kind: String,
    /// The work, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// The parameters; absent if the host has declared none, so that any may be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ParameterBody>>)]
    parameters: Option<Vec<Parameter>>,
}

impl Kinds {
    pub(crate) fn of(engine: &Engine) -> Self {
        Self { kinds: declared(engine).into_iter().map(Kind::new).collect() }
    }
}

impl Kind {
    fn new((kind, declared): (JobKind, Option<Declaration>)) -> Self {
        let kind = kind.to_string();
        match declared {
            Some(Declaration { description, parameters, .. }) => {
                Self { kind, description, parameters: Some(parameters) }
            }
            None => Self { kind, description: String::new(), parameters: None },
        }
    }
}

/// Exports have a route of their own.
fn declared(engine: &Engine) -> Vec<(JobKind, Option<Declaration>)> {
    // An action has an address of its own, and an export is asked for beside its job.
    let is_elsewhere = |kind: &JobKind| match kind {
        JobKind::Algorithm(name) => name == Exporter::KIND,
        JobKind::Action(_) => true,
        JobKind::VertexFilter | JobKind::EdgeFilter => false,
    };
    engine.kinds().into_iter().filter(|(kind, _)| !is_elsewhere(kind)).collect()
}

/// Adds the declared parameters of each algorithm to an `OpenAPI` document, as schemas of their own.
pub(crate) fn describe(document: &mut Value, engine: &Engine) {
    let mut all = Vec::new();
    for (kind, declared) in declared(engine) {
        let (JobKind::Algorithm(name), Some(declared)) = (kind, declared) else { continue };
        let schema = format!("Parameters.{}", name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_"));
        all.push(json!({"$ref": format!("#/components/schemas/{schema}")}));
        put(document, &schema, object(&name, &declared));
    }
    if all.is_empty() {
        return;
    }
    all.push(json!({"type": "object"}));
    let parameters = document.pointer_mut("/components/schemas/AlgorithmBody/properties/parameters");
    if let Some(parameters) = parameters {
        *parameters = json!({
            "description": "The parameters of the algorithm: those of its name, if they are declared.",
            "anyOf": all
        });
    }
}

fn put(document: &mut Value, name: &str, schema: Value) {
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.insert(name.to_owned(), schema);
    }
}

/// A declaration as a schema.
fn object(name: &str, declared: &Declaration) -> Value {
    let properties: Map<String, Value> =
        declared.parameters.iter().map(|parameter| (parameter.name.clone(), property(parameter))).collect();
    let required: Vec<&str> =
        declared.parameters.iter().filter(|one| one.required).map(|one| one.name.as_str()).collect();
    let mut schema = json!({
        "title": name, "description": declared.description, "type": "object", "properties": properties
    });
    if !required.is_empty() {
        set(&mut schema, "required", json!(required));
    }
    schema
}

/// A parameter as a schema. An exclusive bound is a number here, and a mark in a [`Parameter`].
fn property(parameter: &Parameter) -> Value {
    let mut schema = json!({"type": parameter.kind});
    if !parameter.description.is_empty() {
        set(&mut schema, "description", parameter.description.as_str().into());
    }
    let (least, greatest) = (
        if parameter.exclusive_minimum { "exclusiveMinimum" } else { "minimum" },
        if parameter.exclusive_maximum { "exclusiveMaximum" } else { "maximum" },
    );
    for (key, value) in
        [(least, &parameter.minimum), (greatest, &parameter.maximum), ("default", &parameter.default)]
    {
        if let Some(value) = value {
            set(&mut schema, key, value.clone());
        }
    }
    if !parameter.allowed.is_empty() {
        set(&mut schema, "enum", parameter.allowed.as_slice().into());
    }
    if let Some(format) = &parameter.format {
        set(&mut schema, "format", format.as_str().into());
    }
    if parameter.kind == ParameterType::Array {
        set(&mut schema, "items", parameter.items.map_or_else(|| json!({}), |items| json!({"type": items})));
    }
    schema
}

fn set(schema: &mut Value, key: &str, value: Value) {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert(key.to_owned(), value);
    }
}
