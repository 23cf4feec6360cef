//! [`GraphBuilder`]: makes a [`Graph`].

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::{Arc, OnceLock},
};

use thiserror::Error;

use super::{Adjacency, Direction, Edge, Graph, Properties, Vertex, VertexIndex, Vocabulary};

/// Collects vertices and edges. Each is checked when it is added.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    vertices: Vec<Vertex>,
    edges: Vec<Edge>,
    by_id: HashMap<Arc<str>, VertexIndex>,
    parallel: HashMap<(VertexIndex, VertexIndex), u32>,
}

impl GraphBuilder {
    /// Adds a vertex.
    ///
    /// # Errors
    /// [`GraphError::DuplicateId`] when the id is taken, [`GraphError::Full`] after 2^32 - 1 vertices.
    pub fn vertex(
        &mut self,
        id: impl Into<Arc<str>>,
        label: impl Into<Arc<str>>,
        properties: Properties,
    ) -> Result<VertexIndex, GraphError> {
        let (id, label) = (id.into(), label.into());
        let index =
            u32::try_from(self.vertices.len()).ok().filter(|&index| index < u32::MAX).ok_or(GraphError::Full)?;
        match self.by_id.entry(Arc::clone(&id)) {
            Entry::Occupied(_) => return Err(GraphError::DuplicateId(id.to_string())),
            Entry::Vacant(free) => free.insert(index),
        };
        self.vertices.push(Vertex { id, label, properties });
        Ok(index)
    }

    /// The vertex with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<VertexIndex> {
        self.by_id.get(id).copied()
    }

    /// The vertex at this index.
    #[must_use]
    pub fn vertex_at(&self, index: VertexIndex) -> Option<&Vertex> {
        self.vertices.get(index as usize)
    }

    /// Adds an edge; its number among parallel edges is counted here.
    ///
    /// # Errors
    /// [`GraphError::NoVertex`] when an end was never added.
    pub fn edge(
        &mut self,
        source: VertexIndex,
        target: VertexIndex,
        label: impl Into<Arc<str>>,
        properties: Properties,
    ) -> Result<(), GraphError> {
        for end in [source, target] {
            if end as usize >= self.vertices.len() {
                return Err(GraphError::NoVertex(end));
            }
        }
        let next = self.parallel.entry((source, target)).or_default();
        let index = *next;
        *next = next.saturating_add(1);
        self.edges.push(Edge { index, source, target, label: label.into(), properties });
        Ok(())
    }

    /// Makes the graph: sorts its adjacency lists, and collects its labels and property names.
    #[must_use]
    pub fn build(self) -> Graph {
        let Self { vertices, edges, by_id, parallel: _ } = self;
        let count = u32::try_from(vertices.len()).unwrap_or(u32::MAX);
        let all: Vec<&Edge> = edges.iter().collect();
        let [out, into, both] = [Direction::Out, Direction::In, Direction::Both]
            .map(|direction| Adjacency::of(count, &all, direction));
        Graph {
            vertex_vocabulary: vocabulary(vertices.iter().map(|vertex| (&vertex.label, &vertex.properties))),
            edge_vocabulary: vocabulary(edges.iter().map(|edge| (&edge.label, &edge.properties))),
            out,
            into,
            both,
            vertices,
            edges,
            by_id,
            by_name: OnceLock::new(),
        }
    }
}

fn vocabulary<'a>(elements: impl Iterator<Item = (&'a Arc<str>, &'a Properties)>) -> Vocabulary {
    let (mut labels, mut names) = (BTreeSet::new(), BTreeSet::new());
    for (label, properties) in elements {
        if !labels.contains(label) {
            labels.insert(Arc::clone(label));
        }
        for name in properties.names() {
            if !names.contains(name) {
                names.insert(Arc::clone(name));
            }
        }
    }
    Vocabulary { labels: labels.into_iter().collect(), properties: names.into_iter().collect() }
}

/// A vertex or an edge that a graph does not take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GraphError {
    /// Two vertices have the same id.
    #[error("vertex {0} is there twice: give each vertex an id of its own")]
    DuplicateId(String),
    /// An end of an edge is not a vertex.
    #[error("an edge ends at vertex number {0}, which does not exist")]
    NoVertex(VertexIndex),
    /// There are too many vertices.
    #[error("the graph is full: at most {} vertices are allowed", u32::MAX)]
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_ids_and_loose_ends_are_errors() {
        let mut builder = GraphBuilder::default();
        builder.vertex("a", "x", Properties::default()).unwrap();
        assert_eq!(builder.vertex("a", "x", Properties::default()), Err(GraphError::DuplicateId("a".to_owned())));
        assert_eq!(builder.edge(0, 1, "e", Properties::default()), Err(GraphError::NoVertex(1)));
    }

    #[test]
    fn parallel_edges_are_numbered_per_pair_of_ends() {
        let mut builder = GraphBuilder::default();
        for id in ["a", "b"] {
            builder.vertex(id, "x", Properties::default()).unwrap();
        }
        for (source, target, label) in [(0, 1, "e"), (0, 1, "f"), (1, 0, "e"), (1, 1, "e")] {
            builder.edge(source, target, label, Properties::default()).unwrap();
        }
        let graph = builder.build();
        assert_eq!(graph.edges().iter().map(|edge| edge.index).collect::<Vec<_>>(), [0, 1, 0, 0]);
        assert_eq!(graph.adjacency(Direction::Both).neighbors(1), [0, 1]);
        assert_eq!(graph.edge_vocabulary().labels, ["e".into(), "f".into()]);
    }
}
