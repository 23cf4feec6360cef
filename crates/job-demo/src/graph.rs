//! The graph that the demo's algorithms and filters read: built once, then never changed.
//!
//! Vertices and edges keep the order in which they were added. "Graph order" below means that order, and every tie in
//! a result is broken by it. So the same request gives the same rows on every run.

mod adjacency;
mod build;
mod value;

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use serde::{Serialize, Serializer, ser::SerializeStruct};

pub(crate) use self::value::Number;
pub use self::{
    adjacency::{Adjacency, Direction, Rows},
    build::{GraphBuilder, GraphError},
    value::{Properties, Value},
};

/// The place of a vertex in [`Graph::vertices`].
pub type VertexIndex = u32;

/// A vertex. Serializes as `{"id":…,"label":…,"properties":{name:[…]}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Vertex {
    /// The id of the vertex, unique in the graph.
    pub id: Arc<str>,
    /// The label of the vertex, such as `user`.
    pub label: Arc<str>,
    /// Its properties.
    pub properties: Properties,
}

impl Serialize for Vertex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Vertex", 3)?;
        row.serialize_field("id", &*self.id)?;
        row.serialize_field("label", &*self.label)?;
        row.serialize_field("properties", &self.properties)?;
        row.end()
    }
}

/// An edge. It knows its ends by index; [`Graph::edge_row`] is the form that serializes.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// The number of the edge among those from the same source to the same target, from 0.
    pub index: u32,
    /// The source vertex.
    pub source: VertexIndex,
    /// The target vertex.
    pub target: VertexIndex,
    /// The label of the edge, such as `rate`.
    pub label: Arc<str>,
    /// Its properties.
    pub properties: Properties,
}

/// An edge with the ids of its ends. Serializes as
/// `{"index":"0","source":…,"label":…,"properties":{name:[…]},"target":…}`; `index` is a string.
#[derive(Debug, Clone, Copy)]
pub struct EdgeRow<'g> {
    edge: &'g Edge,
    source: &'g str,
    target: &'g str,
}

impl Serialize for EdgeRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_struct("Edge", 5)?;
        row.serialize_field("index", &self.edge.index.to_string())?;
        row.serialize_field("source", self.source)?;
        row.serialize_field("label", &*self.edge.label)?;
        row.serialize_field("properties", &self.edge.properties)?;
        row.serialize_field("target", self.target)?;
        row.end()
    }
}

/// The labels and property names that occur on vertices, or on edges, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Every label.
    pub labels: Vec<Arc<str>>,
    /// Every property name.
    pub properties: Vec<Arc<str>>,
}

impl Vocabulary {
    /// Whether a property of this name occurs.
    #[must_use]
    pub fn has_property(&self, name: &str) -> bool {
        self.properties.binary_search_by(|known| (**known).cmp(name)).is_ok()
    }
}

/// A directed graph with labels and properties; parallel edges and loops are allowed.
///
/// ```
/// use job_demo::graph::{Direction, GraphBuilder, Properties};
///
/// let mut builder = GraphBuilder::default();
/// let ann = builder.vertex("Ann", "user", Properties::default())?;
/// let bob = builder.vertex("Bob", "user", Properties::default())?;
/// builder.edge(ann, bob, "friends", Properties::default())?;
/// let graph = builder.build();
///
/// assert_eq!(graph.find("Bob"), Some(bob));
/// assert_eq!(graph.adjacency(Direction::Out).neighbors(ann), [bob]);
/// # Ok::<(), job_demo::graph::GraphError>(())
/// ```
#[derive(Debug)]
pub struct Graph {
    vertices: Vec<Vertex>,
    edges: Vec<Edge>,
    by_id: HashMap<Arc<str>, VertexIndex>,
    vertex_vocabulary: Vocabulary,
    edge_vocabulary: Vocabulary,
    out: Adjacency,
    into: Adjacency,
    both: Adjacency,
    /// The vertices in the order of their ids, from the first time that it is asked for.
    by_name: OnceLock<Vec<VertexIndex>>,
}

impl Graph {
    /// Every vertex, in graph order.
    #[must_use]
    pub fn vertices(&self) -> &[Vertex] {
        &self.vertices
    }

    /// Every edge, in graph order.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// How many vertices there are; fewer than 2^32.
    #[must_use]
    pub fn vertex_count(&self) -> u32 {
        u32::try_from(self.vertices.len()).unwrap_or(u32::MAX)
    }

    /// The vertex with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<VertexIndex> {
        self.by_id.get(id).copied()
    }

    /// Ids that begin with `prefix`, at most `limit` of them, in their order. The first call sorts all ids.
    ///
    /// ```
    /// let graph = job_demo::movies::load()?;
    /// assert_eq!(graph.ids_with("Sev", 20), ["Seven Winters in Lhasa", "Seventeen Kites"]);
    /// assert_eq!(graph.ids_with("S", 2), ["Salt and Lanterns", "Sarah"]);
    /// # Ok::<(), job_demo::movies::SampleError>(())
    /// ```
    #[must_use]
    pub fn ids_with(&self, prefix: &str, limit: usize) -> Vec<&str> {
        let sorted = self.by_name.get_or_init(|| {
            let mut all: Vec<VertexIndex> = (0..self.vertex_count()).collect();
            all.sort_unstable_by_key(|&vertex| self.id(vertex));
            all
        });
        let first = sorted.partition_point(|&vertex| self.id(vertex) < prefix);
        let from = sorted.iter().skip(first).map(|&vertex| self.id(vertex));
        from.take_while(|id| id.starts_with(prefix)).take(limit).collect()
    }

    /// The id of a vertex, or the empty string for an index that is not of this graph.
    #[must_use]
    pub fn id(&self, vertex: VertexIndex) -> &str {
        self.vertices.get(vertex as usize).map_or("", |vertex| &*vertex.id)
    }

    /// An edge in the form that serializes.
    #[must_use]
    pub fn edge_row<'g>(&'g self, edge: &'g Edge) -> EdgeRow<'g> {
        EdgeRow { edge, source: self.id(edge.source), target: self.id(edge.target) }
    }

    /// The neighbours of every vertex, along the direction.
    #[must_use]
    pub fn adjacency(&self, direction: Direction) -> &Adjacency {
        match direction {
            Direction::Out => &self.out,
            Direction::In => &self.into,
            Direction::Both => &self.both,
        }
    }

    /// The labels and property names of vertices.
    #[must_use]
    pub fn vertex_vocabulary(&self) -> &Vocabulary {
        &self.vertex_vocabulary
    }

    /// The labels and property names of edges.
    #[must_use]
    pub fn edge_vocabulary(&self) -> &Vocabulary {
        &self.edge_vocabulary
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_have_the_documents_shape() {
        let mut builder = GraphBuilder::default();
        let properties =
            Properties::from_iter([("Age", vec![Value::from("18-24")]), ("Year", vec![Value::from(1999)])]);
        let ann = builder.vertex("Ann", "user", properties).unwrap();
        let film = builder.vertex("film", "movie", Properties::default()).unwrap();
        for score in [4.5, 5.0] {
            builder.edge(ann, film, "rate", Properties::from_iter([("Score", vec![Value::from(score)])])).unwrap();
        }
        let graph = builder.build();
        assert_eq!(
            serde_json::to_string(&graph.vertices()[0]).unwrap(),
            r#"{"id":"Ann","label":"user","properties":{"Age":["18-24"],"Year":[1999]}}"#
        );
        assert_eq!(
            serde_json::to_value(graph.edge_row(&graph.edges()[1])).unwrap(),
            json!({"index": "1", "source": "Ann", "label": "rate", "properties": {"Score": [5.0]}, "target": "film"})
        );
    }
}
