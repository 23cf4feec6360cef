//! The filtered query: a walk over the graph in layers, each with a filter of its own.
//!
//! It is the default form of the service's `filtered-query`: the answer is what the last layer finds.

mod body;
mod test;

use crate::{
    graph::{Edge, Graph, VertexIndex},
    watch::{Stopped, Watch},
};

pub use self::body::FilteredError;
use self::test::Test;

/// A filtered query, checked against a graph.
///
/// ```
/// use job_demo::{filtered::{Filtered, Found}, movies, watch::Unwatched};
///
/// let graph = movies::load()?;
/// let body = r#"{"vertices":["Sarah"],"filters":[{"operator":"out"},{"operator":"inV"}]}"#;
/// # let body = &body.replace("Sarah", &graph.vertices()[0].id);
/// let found = Filtered::compile(body, &graph)?.run(&graph, &Unwatched)?;
/// assert!(matches!(found, Found::Vertices(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Filtered {
    start: Vec<VertexIndex>,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    step: Step,
    ways: Ways,
    test: Option<Test>,
}

/// To what a layer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Vertices,
    Edges,
    /// The layer stays at the vertices that it gets. Only the first one may.
    Stay,
}

/// Which ends of an edge a layer looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ways {
    out: bool,
    into: bool,
}

/// The vertices or edges of the last layer, in graph order.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Vertices.
    Vertices(Vec<VertexIndex>),
    /// Edges, by their places in [`Graph::edges`].
    Edges(Vec<usize>),
}

impl Filtered {
    /// Walks through the layers. Cost: the edges of the graph, once for each layer.
    ///
    /// # Errors
    /// [`Stopped`] if `watch` stops the work.
    pub fn run(&self, graph: &Graph, watch: &dyn Watch) -> Result<Found, Stopped> {
        let mut found = Found::Vertices(self.start.clone());
        for (done, layer) in (0..).zip(&self.layers) {
            watch.progress(done, self.layers.len() as u64);
            found = layer.follow(graph, &found, watch)?;
        }
        watch.progress(self.layers.len() as u64, self.layers.len() as u64);
        Ok(found)
    }
}

/// How many edges are looked at between two checks.
const CHUNK: usize = 4_096;

impl Layer {
    fn follow(&self, graph: &Graph, from: &Found, watch: &dyn Watch) -> Result<Found, Stopped> {
        match from {
            Found::Vertices(vertices) if self.step == Step::Stay => Ok(self.vertices(graph, vertices)),
            Found::Vertices(vertices) => self.along_edges(graph, vertices, watch),
            Found::Edges(edges) => Ok(self.at_ends(graph, edges)),
        }
    }

    /// The edges of vertices, or the vertices behind them.
    fn along_edges(&self, graph: &Graph, from: &[VertexIndex], watch: &dyn Watch) -> Result<Found, Stopped> {
        let is_from = marks(graph, from.iter().copied());
        let marked = |vertex: VertexIndex| is_from.get(vertex as usize).copied().unwrap_or(false);
        let (mut edges, mut vertices) = (Vec::new(), Vec::new());
        for (number, chunk) in graph.edges().chunks(CHUNK).enumerate() {
            watch.check_stopped()?;
            for (place, edge) in (number * CHUNK..).zip(chunk) {
                let (out, into) = (self.ways.out && marked(edge.source), self.ways.into && marked(edge.target));
                if out || into {
                    edges.push(place);
                    vertices.extend(out.then_some(edge.target));
                    vertices.extend(into.then_some(edge.source));
                }
            }
        }
        Ok(match self.step {
            Step::Edges => Found::Edges(self.edges(graph, edges)),
            Step::Vertices | Step::Stay => self.vertices(graph, &vertices),
        })
    }

    /// The ends of edges: `outV` is where an edge begins, `inV` where it ends.
    fn at_ends(&self, graph: &Graph, from: &[usize]) -> Found {
        let edges: Vec<&Edge> = from.iter().filter_map(|&place| graph.edges().get(place)).collect();
        let begins = edges.iter().filter(|_| self.ways.out).map(|edge| edge.source);
        let ends = edges.iter().filter(|_| self.ways.into).map(|edge| edge.target);
        self.vertices(graph, &begins.chain(ends).collect::<Vec<_>>())
    }

    /// The vertices that pass the filter of the layer, each once, in graph order.
    fn vertices(&self, graph: &Graph, found: &[VertexIndex]) -> Found {
        let is_found = marks(graph, found.iter().copied());
        let passes =
            |(vertex, is_found): (&_, bool)| is_found && self.test.as_ref().is_none_or(|test| test.passes(vertex));
        let all = (0..).zip(graph.vertices().iter().zip(is_found));
        Found::Vertices(all.filter_map(|(index, vertex)| passes(vertex).then_some(index)).collect())
    }

    fn edges(&self, graph: &Graph, mut found: Vec<usize>) -> Vec<usize> {
        let passes = |edge: &Edge| self.test.as_ref().is_none_or(|test| test.passes(edge));
        found.retain(|&place| graph.edges().get(place).is_some_and(passes));
        found
    }
}

/// Whether each vertex is among these.
fn marks(graph: &Graph, vertices: impl Iterator<Item = VertexIndex>) -> Vec<bool> {
    let mut marks = vec![false; graph.vertices().len()];
    for vertex in vertices {
        if let Some(mark) = marks.get_mut(vertex as usize) {
            *mark = true;
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        graph::{GraphBuilder, Properties, Value},
        watch::Unwatched,
    };

    /// `Ann` and `Bob` rate films; `Bob` follows `Ann`.
    fn graph() -> Graph {
        let mut builder = GraphBuilder::default();
        let named = |name: &str, value: i64| Properties::from_iter([(name, vec![Value::from(value)])]);
        let ann = builder.vertex("Ann", "user", Properties::default()).unwrap();
        let bob = builder.vertex("Bob", "user", Properties::default()).unwrap();
        let old = builder.vertex("old", "movies", named("Year", 1950)).unwrap();
        let new = builder.vertex("new", "movies", named("Year", 2001)).unwrap();
        builder.edge(ann, old, "rate", named("Score", 3)).unwrap();
        builder.edge(ann, new, "rate", named("Score", 5)).unwrap();
        builder.edge(bob, new, "rate", named("Score", 4)).unwrap();
        builder.edge(bob, ann, "follows", Properties::default()).unwrap();
        builder.build()
    }

    fn found(vertices: &str, filters: &str) -> Vec<String> {
        let graph = graph();
        let body = format!(r#"{{"vertices":{vertices},"filters":[{filters}]}}"#);
        match Filtered::compile(&body, &graph).unwrap().run(&graph, &Unwatched).unwrap() {
            Found::Vertices(found) => found.iter().map(|&vertex| graph.id(vertex).to_owned()).collect(),
            Found::Edges(found) => found
                .iter()
                .map(|&place| {
                    let edge = &graph.edges()[place];
                    format!("{}-{}", graph.id(edge.source), graph.id(edge.target))
                })
                .collect(),
        }
    }

    fn filter(field: &str, left: &str, predicate: &str, right: &str) -> String {
        format!(
            r#""{field}":{{"property_filter":{{"leftvalue":{left},"predicate":"{predicate}","rightvalue":{{"value":{right}}}}}}}"#
        )
    }

    #[test]
    fn a_walk_finds_what_its_last_layer_names() {
        let label =
            |field: &str, name: &str| filter(field, r#"{"label_name":"labelName"}"#, "=", &format!("\"{name}\""));
        let rated = label("edge_filter", "rate");
        let recent = filter("vertex_filter", r#"{"property_name":"Year"}"#, ">=", "\"2000\"");
        for (vertices, layers, expected) in [
            (r#"["Ann"]"#, r#"{"operator":"outV"}"#.to_owned(), vec!["old", "new"]),
            (r#"["Ann"]"#, r#"{"operator":"inV"}"#.to_owned(), vec!["Bob"]),
            (r#"["Ann"]"#, r#"{"operator":"bothV"}"#.to_owned(), vec!["Bob", "old", "new"]),
            (r#"["Bob"]"#, r#"{"operator":"out"}"#.to_owned(), vec!["Bob-new", "Bob-Ann"]),
            (r#"["Bob"]"#, format!(r#"{{"operator":"out",{rated}}}"#), vec!["Bob-new"]),
            (r#"["Bob"]"#, format!(r#"{{"operator":"out",{rated}}},{{"operator":"inV"}}"#), vec!["new"]),
            (r#"["Bob"]"#, format!(r#"{{"operator":"out",{rated}}},{{"operator":"outV"}}"#), vec!["Bob"]),
            (r#"["Bob"]"#, r#"{"operator":"outV"},{"operator":"outV"}"#.to_owned(), vec!["old", "new"]),
            (r#"["Bob"]"#, format!(r#"{{"operator":"outV"}},{{"operator":"outV",{recent}}}"#), vec!["new"]),
            ("[]", format!(r#"{{"operator":"vertex",{}}}"#, label("vertex_filter", "user")), vec!["Ann", "Bob"]),
        ] {
            assert_eq!(found(vertices, &layers), expected, "{layers}");
        }
    }

    #[test]
    fn predicates_hold_by_this_table() {
        let years = |predicate: &str, right: &str| {
            let filter = filter("vertex_filter", r#"{"property_name":"Year"}"#, predicate, right);
            found("[]", &format!(r#"{{"operator":"vertex",{filter}}}"#))
        };
        for (predicate, right, expected) in [
            ("=", "1950", vec!["old"]),
            ("!=", "1950", vec!["new"]),
            ("<", "2001", vec!["old"]),
            (">", "1950", vec!["new"]),
            ("HAS", "\"\"", vec!["old", "new"]),
            ("HASNOT", "\"\"", vec!["Ann", "Bob"]),
            ("IN", "[1950,1951]", vec!["old"]),
            ("NOTIN", "[1950]", vec!["new"]),
            ("PREFIX", "\"19\"", vec!["old"]),
            ("SUBSTRING", "\"00\"", vec!["new"]),
        ] {
            assert_eq!(years(predicate, right), expected, "{predicate} {right}");
        }
        let [old, user] = [
            r#"{"property_filter":{"leftvalue":{"property_name":"Year"},"predicate":"<","rightvalue":{"value":"2000"}}}"#,
            r#"{"property_filter":{"leftvalue":{"label_name":"labelName"},"predicate":"=","rightvalue":{"value":"user"}}}"#,
        ];
        for (join, expected) in [("|", vec!["Ann", "Bob", "old"]), ("&", vec![])] {
            let both = format!(
                r#"{{"operator":"vertex","vertex_filter":{{"property_filter":{{"leftvalue":{old},"predicate":"{join}","rightvalue":{user}}}}}}}"#
            );
            assert_eq!(found("[]", &both), expected, "{join}");
        }
    }
}
