//! [`Answer`]: a result in the form of the payload.

use std::{cmp::Ordering, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value as Json;

use crate::graph::{Graph, VertexIndex};

/// The named values of a result, and the list that is paged, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Names and values of `data.outputs`.
    pub outputs: Vec<(&'static str, Json)>,
    /// The paged list.
    pub list: Option<List>,
}

impl Answer {
    pub(super) fn new(outputs: Vec<(&'static str, Json)>, list: Option<List>) -> Self {
        Self { outputs, list }
    }

    pub(super) fn list(name: &'static str, values: Values) -> Self {
        Self { outputs: Vec::new(), list: Some(List { name, values }) }
    }
}

/// A list of rows under its name in `data.outputs`.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// The name, such as `pagerank`.
    pub name: &'static str,
    /// The rows, before vertices have become ids.
    pub values: Values,
}

/// The values of the rows, each for a vertex.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// The ids of some vertices.
    Ids(Vec<VertexIndex>),
    /// A number for each of some vertices.
    Doubles(Vec<(VertexIndex, f64)>),
    /// A whole number for each of some vertices.
    Ints(Vec<(VertexIndex, u64)>),
    /// A text for every vertex of the graph, in graph order.
    Texts(Vec<Arc<str>>),
    /// The ids of the vertices on each of some paths.
    Paths(Paths),
}

/// Paths, one after the other in one allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    vertices: Vec<VertexIndex>,
    /// Where each path ends in `vertices`.
    ends: Vec<usize>,
}

impl Paths {
    pub(super) fn push(&mut self, path: &[VertexIndex]) {
        self.vertices.extend_from_slice(path);
        self.ends.push(self.vertices.len());
    }

    /// How many paths there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no path.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The vertices of a path, the source first; `None` past the last path.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&[VertexIndex]> {
        let start = place.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before))?;
        self.vertices.get(*start..*self.ends.get(place)?)
    }

    /// The memory that they use.
    pub(super) fn bytes(&self) -> u64 {
        let ends = self.ends.capacity() * size_of::<usize>();
        (ends + self.vertices.capacity() * size_of::<VertexIndex>()) as u64
    }
}

impl List {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Ids(rows) => rows.len(),
            Values::Doubles(rows) => rows.len(),
            Values::Ints(rows) => rows.len(),
            Values::Texts(rows) => rows.len(),
            Values::Paths(paths) => paths.len(),
        }
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row, 0 first; `None` past the end. `graph` must be the one that the algorithm read.
    #[must_use]
    pub fn row<'g>(&'g self, graph: &'g Graph, place: usize) -> Option<Row<'g>> {
        Some(match &self.values {
            Values::Ids(rows) => Row::Id(graph.id(*rows.get(place)?)),
            Values::Doubles(rows) => {
                rows.get(place).map(|&(vertex, value)| Row::Double(graph.id(vertex), value))?
            }
            Values::Ints(rows) => rows.get(place).map(|&(vertex, value)| Row::Int(graph.id(vertex), value))?,
            Values::Texts(rows) => Row::Text(&graph.vertices().get(place)?.id, rows.get(place)?),
            Values::Paths(paths) => Row::Path(graph, paths.get(place)?),
        })
    }
}

/// A row: an id, a list of ids, or an object with one key, the id.
#[derive(Debug, Clone, Copy)]
pub enum Row<'g> {
    /// `"id"`
    Id(&'g str),
    /// `{"id": 0.5}`
    Double(&'g str, f64),
    /// `{"id": 5}`
    Int(&'g str, u64),
    /// `{"id": "text"}`
    Text(&'g str, &'g str),
    /// `["id", "id"]`
    Path(&'g Graph, &'g [VertexIndex]),
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => serializer.serialize_str(id),
            Self::Double(id, value) => entry(serializer, id, value),
            Self::Int(id, value) => entry(serializer, id, value),
            Self::Text(id, value) => entry(serializer, id, value),
            Self::Path(graph, path) => serializer.collect_seq(path.iter().map(|&vertex| graph.id(vertex))),
        }
    }
}

/// An object with one key.
fn entry<S: Serializer, T: Serialize>(serializer: S, id: &str, value: T) -> Result<S::Ok, S::Error> {
    let mut row = serializer.serialize_map(Some(1))?;
    row.serialize_entry(id, &value)?;
    row.end()
}

/// Every vertex with its value, the greatest value first, equal ones in graph order.
pub(super) fn falling<T: Copy>(values: &[T], order: impl Fn(&T, &T) -> Ordering) -> Vec<(VertexIndex, T)> {
    let mut rows: Vec<_> = (0..).zip(values.iter().copied()).collect();
    rows.sort_by(|(_, left), (_, right)| order(right, left));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::sample;

    #[test]
    fn paths_are_kept_apart() {
        let mut paths = Paths::default();
        for path in [&[1, 2, 3][..], &[4], &[]] {
            paths.push(path);
        }
        let found: Vec<_> = (0..4).map(|place| paths.get(place)).collect();
        assert_eq!(found, [Some(&[1, 2, 3][..]), Some(&[4]), Some(&[]), None]);
        assert_eq!((paths.len(), Paths::default().get(0)), (3, None));
    }

    #[test]
    fn rows_are_objects_with_one_key_or_ids() {
        let graph = sample::graph(3, &[]);
        for (row, json) in [
            (Row::Path(&graph, &[2, 0]), r#"["2","0"]"#),
            (Row::Id("莎拉"), r#""莎拉""#),
            (Row::Double("a", 1.0), r#"{"a":1.0}"#),
            (Row::Int("a\"", 3), r#"{"a\"":3}"#),
            (Row::Text("a", "b"), r#"{"a":"b"}"#),
        ] {
            assert_eq!(serde_json::to_string(&row).unwrap(), json);
        }
    }

    #[test]
    fn falling_keeps_graph_order_among_equals() {
        assert_eq!(falling(&[1, 3, 1, 3], i32::cmp), [(1, 3), (3, 3), (0, 1), (2, 1)]);
    }
}
