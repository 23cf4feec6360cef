//! A generated graph of any size, for work that takes long enough to be watched.
//!
//! Vertices are `v0`, `v1` and so on. Every tenth has the label `company`, the others `person`. Each but the first
//! `knows` two earlier ones, and earlier ones are known more often. The same number of vertices gives the same
//! graph on every machine.

use std::sync::Arc;

use crate::{
    chance::Chance,
    graph::{Graph, GraphBuilder, GraphError, Properties},
};

/// The number of vertices by default.
pub const DEFAULT: u32 = 1_000_000;

/// Builds the graph. Cost: some 500 bytes of memory a vertex while it is made.
///
/// ```
/// use job_demo::synthetic;
///
/// let graph = synthetic::make(1_000)?;
/// assert_eq!((graph.vertices().len(), graph.edges().len()), (1_000, 1_998));
/// # Ok::<(), job_demo::graph::GraphError>(())
/// ```
///
/// # Errors
/// When [`GraphBuilder`] does not take this number of vertices.
pub fn make(vertices: u32) -> Result<Graph, GraphError> {
    let mut builder = GraphBuilder::default();
    let [person, company, knows]: [Arc<str>; 3] = ["person", "company", "knows"].map(Into::into);
    for vertex in 0..vertices {
        let label = if vertex % 10 == 9 { &company } else { &person };
        builder.vertex(format!("v{vertex}"), Arc::clone(label), Properties::default())?;
    }
    let mut chance = Chance::new(u64::from(vertices));
    for vertex in 1..vertices {
        for _ in 0..2 {
            // A random part of a random part, so small numbers are more frequent.
            let end = chance.below(vertex) + 1;
            let target = chance.below(end);
            builder.edge(vertex, target, Arc::clone(&knows), Properties::default())?;
        }
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Direction;

    #[test]
    fn the_graph_is_the_same_every_time_and_the_early_are_known_best() {
        let graph = make(10_000).unwrap();
        let ends = |graph: &Graph| graph.edges().iter().map(|edge| (edge.source, edge.target)).collect::<Vec<_>>();
        assert_eq!(ends(&graph), ends(&make(10_000).unwrap()));
        assert_eq!(ends(&graph).last(), Some(&(9_999, 2_125)));
        assert!(graph.edges().iter().all(|edge| edge.target < edge.source), "there are no loops");
        let known = |vertex| graph.adjacency(Direction::In).degree(vertex);
        assert!(known(0) > 20 && (5_000..5_010).all(|vertex| known(vertex) < 20));
        let companies = graph.vertices().iter().filter(|vertex| &*vertex.label == "company").count();
        assert_eq!(companies, 1_000);
    }

    #[test]
    fn the_smallest_graphs_are_graphs() {
        for (vertices, edges) in [(0, 0), (1, 0), (2, 2)] {
            let graph = make(vertices).unwrap();
            assert_eq!((graph.vertex_count(), graph.edges().len()), (vertices, edges));
        }
    }
}
