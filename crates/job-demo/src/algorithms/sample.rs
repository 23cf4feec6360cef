//! Small graphs for the tests.

use crate::graph::{Graph, GraphBuilder, Properties, Value};

/// A graph with the vertices 0..count, named by their numbers, and these edges.
pub(super) fn graph(count: u32, edges: &[(u32, u32)]) -> Graph {
    let mut builder = GraphBuilder::default();
    for vertex in 0..count {
        builder.vertex(vertex.to_string(), "v", Properties::default()).unwrap();
    }
    for &(source, target) in edges {
        builder.edge(source, target, "e", Properties::default()).unwrap();
    }
    builder.build()
}

/// The same graph with a property `weight` on every edge.
pub(super) fn weighted(count: u32, edges: &[(u32, u32, f64)]) -> Graph {
    let mut builder = GraphBuilder::default();
    for vertex in 0..count {
        builder.vertex(vertex.to_string(), "v", Properties::default()).unwrap();
    }
    for &(source, target, weight) in edges {
        let properties = Properties::from_iter([("weight", vec![Value::from(weight)])]);
        builder.edge(source, target, "e", properties).unwrap();
    }
    builder.build()
}
