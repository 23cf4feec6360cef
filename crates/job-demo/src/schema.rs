//! The labels of a graph with their properties, and how often each occurs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::graph::{Graph, Properties, Value};

/// A label with its properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label<'g> {
    /// Its name.
    pub label: &'g str,
    /// `vertex` or `edge`.
    pub r#type: &'static str,
    /// Its properties, by their names.
    pub properties: Vec<Property<'g>>,
}

/// A property of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Property<'g> {
    name: &'g str,
    r#type: &'static str,
    cardinality: &'static str,
}

/// The labels of a graph: those of vertices, then those of edges.
///
/// ```
/// use job_demo::{movies, schema};
///
/// let graph = movies::load()?;
/// let labels = schema::labels(&graph);
/// assert!(labels.iter().any(|label| label.label == "user" && label.r#type == "vertex"));
/// # Ok::<(), job_demo::movies::SampleError>(())
/// ```
#[must_use]
pub fn labels(graph: &Graph) -> Vec<Label<'_>> {
    let vertices = graph.vertices().iter().map(|vertex| (&*vertex.label, &vertex.properties));
    let edges = graph.edges().iter().map(|edge| (&*edge.label, &edge.properties));
    let mut labels = of_type("vertex", vertices);
    labels.extend(of_type("edge", edges));
    labels
}

/// How many vertices and edges have each label, in the words of the service.
#[must_use]
pub fn counts(graph: &Graph) -> BTreeMap<&'static str, BTreeMap<&str, u64>> {
    let mut counts = BTreeMap::from([("labelInVertex", BTreeMap::new()), ("labelInEdge", BTreeMap::new())]);
    let vertices = graph.vertices().iter().map(|vertex| ("labelInVertex", &*vertex.label));
    let edges = graph.edges().iter().map(|edge| ("labelInEdge", &*edge.label));
    for (kind, label) in vertices.chain(edges) {
        *counts.entry(kind).or_default().entry(label).or_insert(0) += 1;
    }
    counts
}

fn of_type<'g>(kind: &'static str, elements: impl Iterator<Item = (&'g str, &'g Properties)>) -> Vec<Label<'g>> {
    let mut labels: BTreeMap<&str, BTreeMap<&str, Property<'g>>> = BTreeMap::new();
    for (label, properties) in elements {
        let known = labels.entry(label).or_default();
        for name in properties.names() {
            let (name, values) = (&**name, properties.get(name));
            let property = known.entry(name).or_insert(Property { name, r#type: "", cardinality: "single" });
            if values.len() > 1 {
                property.cardinality = "list";
            }
            for value in values {
                property.r#type = wider(property.r#type, of_value(value));
            }
        }
    }
    let label = |(label, properties): (&'g str, BTreeMap<_, _>)| Label {
        label,
        r#type: kind,
        properties: properties.into_values().collect(),
    };
    labels.into_iter().map(label).collect()
}

fn of_value(value: &Value) -> &'static str {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Number(number)) if number.is_f64() => "double",
        Ok(serde_json::Value::Number(_)) => "long",
        _ => "string",
    }
}

/// The type that has the values of both.
fn wider(one: &'static str, other: &'static str) -> &'static str {
    match (one, other) {
        ("", other) => other,
        (one, other) if one == other => one,
        ("long", "double") | ("double", "long") => "double",
        _ => "string",
    }
}
