//! [`TimeWindow`]: the vertices and edges of a time.

use std::cmp::Ordering;

use super::{Fields, InvalidParameter};
use crate::{
    graph::{Adjacency, Direction, Edge, Graph, Number, Properties, Value},
    watch::{Stopped, Watch},
};

/// Two times. An element that has a time in a property is used only if that lies between them.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeWindow {
    property: String,
    looks_at: LooksAt,
    start: Option<Time>,
    end: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LooksAt {
    Vertices,
    Edges,
    Both,
}

/// A time of a request: compared as a number with numbers, and as a text with texts.
#[derive(Debug, Clone, PartialEq)]
struct Time(String);

impl Time {
    fn order(&self, value: &Value) -> Ordering {
        match (value, Number::parse(&self.0), value.exact()) {
            (Value::Text(text), ..) => self.0.as_str().cmp(text),
            (_, Some(time), Some(value)) => time.order(value),
            // A number comes before every text.
            _ => Ordering::Greater,
        }
    }
}

impl TimeWindow {
    /// Reads the object `timeWindow`.
    pub(super) fn read(mut fields: Fields) -> Result<Self, InvalidParameter> {
        let mut read = || {
            let property = fields.text("filterName")?;
            let property =
                property.ok_or_else(|| InvalidParameter::new("filterName", "missing", "a property with times"))?;
            let looks_at = match fields.text("filterType")?.as_deref() {
                None | Some("BOTH") => LooksAt::Both,
                Some("V") => LooksAt::Vertices,
                Some("E") => LooksAt::Edges,
                Some(other) => {
                    return Err(InvalidParameter::new("filterType", format!("{other:?}"), "V, E or BOTH"));
                }
            };
            let [start, end] = [fields.word("startTime")?, fields.word("endTime")?];
            Ok(Self { property, looks_at, start: start.map(Time), end: end.map(Time) })
        };
        let window = read();
        let known = window.and_then(|window| fields.finish().map(|()| window));
        known.map_err(|error| error.inside("timeWindow"))
    }

    /// Whether the graph has the property.
    pub(super) fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        let vertices = graph.vertex_vocabulary().has_property(&self.property);
        let edges = graph.edge_vocabulary().has_property(&self.property);
        let (is_known, one) = match self.looks_at {
            LooksAt::Vertices => (vertices, "vertex"),
            LooksAt::Edges => (edges, "edge"),
            LooksAt::Both => (vertices || edges, "vertex or edge"),
        };
        let property = format!("{:?}", self.property);
        let unknown = || {
            let allowed = format!("a property that at least one {one} has");
            InvalidParameter::new("filterName", property, allowed).inside("timeWindow")
        };
        if is_known { Ok(()) } else { Err(unknown()) }
    }

    /// The neighbours of every vertex along the direction, and against it, over what is used.
    pub(super) fn adjacencies(
        &self,
        graph: &Graph,
        direction: Direction,
        watch: &dyn Watch,
    ) -> Result<[Adjacency; 2], Stopped> {
        let used: Vec<bool> = graph
            .vertices()
            .iter()
            .map(|vertex| self.looks_at == LooksAt::Edges || self.has(&vertex.properties))
            .collect();
        watch.check_stopped()?;
        let is_used = |edge: &Edge| {
            let ends = [edge.source, edge.target].iter().all(|&end| used.get(end as usize) == Some(&true));
            ends && (self.looks_at == LooksAt::Vertices || self.has(&edge.properties))
        };
        let along: Vec<_> = graph.edges().iter().filter(|edge| is_used(edge)).collect();
        watch.check_stopped()?;
        let back = super::paths::reverse(direction);
        Ok([direction, back].map(|direction| Adjacency::of(graph.vertex_count(), &along, direction)))
    }

    fn has(&self, properties: &Properties) -> bool {
        properties.get(&self.property).first().is_none_or(|value| {
            let is_late = self.start.as_ref().is_none_or(|start| start.order(value).is_le());
            is_late && self.end.as_ref().is_none_or(|end| end.order(value).is_ge())
        })
    }
}
