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
        })
    }
}

/// A row: an id, or an object with one key, the id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Row<'g> {
    /// `"id"`
    Id(&'g str),
    /// `{"id": 0.5}`
    Double(&'g str, f64),
    /// `{"id": 5}`
    Int(&'g str, u64),
    /// `{"id": "text"}`
    Text(&'g str, &'g str),
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Self::Id(id) = self {
            return serializer.serialize_str(id);
        }
        let mut row = serializer.serialize_map(Some(1))?;
        match self {
            Self::Id(_) => {}
            Self::Double(id, value) => row.serialize_entry(id, value)?,
            Self::Int(id, value) => row.serialize_entry(id, value)?,
            Self::Text(id, value) => row.serialize_entry(id, value)?,
        }
        row.end()
    }
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

    #[test]
    fn rows_are_objects_with_one_key_or_bare_ids() {
        for (row, json) in [
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
