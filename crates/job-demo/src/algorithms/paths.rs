//! Distances from one vertex, for the algorithms about paths.
#![expect(
    clippy::indexing_slicing,
    reason = "every vertex of an adjacency is below the vertex count, the length of the arrays"
)]

use std::collections::HashMap;

use petgraph::{Directed, algo::dijkstra, csr::Csr};

use super::{AlgorithmError, InvalidParameter};
use crate::{
    graph::{Adjacency, Direction, Edge, Graph, VertexIndex},
    watch::{Pace, Stopped, Watch},
};

/// The distance of each vertex, in edges.
pub(super) struct Hops {
    /// The reached vertices, the nearest first; the first is the source.
    pub(super) reached: Vec<VertexIndex>,
    of: Vec<u32>,
}

impl Hops {
    const FAR: u32 = u32::MAX;

    /// Searches breadth first, at most `most` edges deep, until `target` is reached.
    ///
    /// petgraph's `Bfs` visits vertices in the same order, but gives no depth.
    pub(super) fn search(
        adjacency: &Adjacency,
        source: VertexIndex,
        most: u32,
        target: Option<VertexIndex>,
        watch: &dyn Watch,
    ) -> Result<Self, Stopped> {
        let mut of = vec![Self::FAR; adjacency.rows().node_count()];
        of[source as usize] = 0;
        let mut reached = vec![source];
        let mut pace = Pace::new(watch);
        let total = of.len() as u64;
        watch.progress(0, total);
        let mut next = 0;
        while let Some(&vertex) = reached.get(next) {
            let depth = of[vertex as usize];
            if depth == most || Some(vertex) == target {
                break;
            }
            next += 1;
            let neighbors = adjacency.neighbors(vertex);
            // The total is an upper bound: the search may reach fewer vertices.
            pace.step_to(1 + neighbors.len(), next as u64, total)?;
            for &neighbor in neighbors {
                if of[neighbor as usize] == Self::FAR {
                    of[neighbor as usize] = depth + 1;
                    reached.push(neighbor);
                }
            }
        }
        watch.progress(total, total);
        Ok(Self { reached, of })
    }

    /// How many vertices the graph has.
    pub(super) const fn vertices(&self) -> usize {
        self.of.len()
    }

    pub(super) fn to(&self, vertex: VertexIndex) -> Option<u32> {
        self.of.get(vertex as usize).copied().filter(|&hops| hops != Self::FAR)
    }
}

/// The graph with the lightest edge between any two vertices.
pub(super) struct Weights(Csr<(), f64, Directed, VertexIndex>);

impl Weights {
    /// Reads the weights from an edge property; an edge without it weighs 1.
    pub(super) fn read(
        graph: &Graph,
        property: &str,
        directed: bool,
        watch: &dyn Watch,
    ) -> Result<Self, AlgorithmError> {
        weight_property(graph, Some(property))?;
        let mut pace = Pace::new(watch);
        let mut edges = Vec::with_capacity(graph.edges().len());
        for edge in graph.edges() {
            pace.step(8)?;
            let weight = weight(graph, edge, property)?;
            edges.push((edge.source, edge.target, weight));
            if !directed {
                edges.push((edge.target, edge.source, weight));
            }
        }
        watch.check_stopped()?;
        edges.sort_unstable_by(|left, right| {
            (left.0, left.1).cmp(&(right.0, right.1)).then(left.2.total_cmp(&right.2))
        });
        edges.dedup_by_key(|edge| (edge.0, edge.1));
        let mut rows = Csr::from_sorted_edges(&edges).unwrap_or_default();
        while rows.node_count() < graph.vertices().len() {
            rows.add_node(());
        }
        Ok(Self(rows))
    }

    /// The length of the lightest path to every reachable vertex. With a `target`, the search ends when it has
    /// reached the target.
    pub(super) fn distances(
        &self,
        source: VertexIndex,
        target: Option<VertexIndex>,
        watch: &dyn Watch,
    ) -> Result<HashMap<VertexIndex, f64>, Stopped> {
        let mut pace = Pace::new(watch);
        let (mut settled, total) = (0, self.0.node_count() as u64);
        watch.progress(0, total);
        let mut stopped = Ok(());
        // petgraph's search can be left only in the test for the goal.
        let goal = |vertex: &VertexIndex| {
            // A vertex costs far more than in a plain loop, since it goes through a heap and a hash map.
            stopped = pace.step_to(64 * (1 + self.0.neighbors_slice(*vertex).len()), settled, total);
            settled = total.min(settled + 1);
            stopped.is_err() || Some(*vertex) == target
        };
        let found = dijkstra::with_dynamic_goal(&self.0, source, goal, |edge| *edge.weight());
        stopped?;
        watch.progress(total, total);
        Ok(found.scores.into_iter().collect())
    }

    /// The vertices that an edge leads to, with its weight.
    pub(super) fn neighbors(&self, vertex: VertexIndex) -> impl Iterator<Item = (VertexIndex, f64)> {
        self.0.neighbors_slice(vertex).iter().copied().zip(self.0.edges_slice(vertex).iter().copied())
    }

    fn between(&self, source: VertexIndex, target: VertexIndex) -> Option<f64> {
        let place = self.0.neighbors_slice(source).binary_search(&target).ok()?;
        self.0.edges_slice(source).get(place).copied()
    }
}

/// Whether an edge has the property that a request takes weights from.
pub(super) fn weight_property(graph: &Graph, property: Option<&str>) -> Result<(), InvalidParameter> {
    match property {
        Some(property) if !graph.edge_vocabulary().has_property(property) => {
            let allowed = "a property that at least one edge has";
            Err(InvalidParameter::new("weight", format!("{property:?}"), allowed))
        }
        _ => Ok(()),
    }
}

/// The weight of an edge; 1 without the property.
pub(super) fn weight(graph: &Graph, edge: &Edge, property: &str) -> Result<f64, InvalidParameter> {
    let Some(value) = edge.properties.get(property).first() else {
        return Ok(1.0);
    };
    value.number().filter(|weight| *weight > 0.0 && weight.is_finite()).ok_or_else(|| {
        let (source, target) = (graph.id(edge.source), graph.id(edge.target));
        let allowed = format!("a property of numbers above 0, which it is not from {source} to {target}");
        InvalidParameter::new("weight", format!("{property:?}"), allowed)
    })
}

/// The path to `target`, found backwards: each step goes to the first vertex that fits the distance.
pub(super) fn path_by_hops(before: &Adjacency, hops: &Hops, target: VertexIndex) -> Vec<VertexIndex> {
    let Some(mut left) = hops.to(target) else {
        return Vec::new();
    };
    let mut path = vec![target];
    let mut at = target;
    while left > 0 {
        left -= 1;
        let Some(&step) = before.neighbors(at).iter().find(|&&vertex| hops.to(vertex) == Some(left)) else {
            break;
        };
        path.push(step);
        at = step;
    }
    path.reverse();
    path
}

/// The same search for weighted paths. Weights are above 0, so the distance falls with each step, and the walk
/// ends.
#[expect(clippy::float_cmp, reason = "a distance was made by this very addition")]
pub(super) fn path_by_weight(
    graph: &Graph,
    direction: Direction,
    weights: &Weights,
    distances: &HashMap<VertexIndex, f64>,
    target: VertexIndex,
) -> Vec<VertexIndex> {
    let before = graph.adjacency(reverse(direction));
    let mut path = Vec::new();
    let mut at = Some(target).filter(|target| distances.contains_key(target));
    while let Some(vertex) = at {
        path.push(vertex);
        at = before.neighbors(vertex).iter().copied().find(|step| {
            match (distances.get(step), distances.get(&vertex), weights.between(*step, vertex)) {
                (Some(before), Some(here), Some(weight)) => before < here && before + weight == *here,
                _ => false,
            }
        });
    }
    path.reverse();
    path
}

/// The other way.
pub(super) const fn reverse(direction: Direction) -> Direction {
    match direction {
        Direction::Out => Direction::In,
        Direction::In => Direction::Out,
        Direction::Both => Direction::Both,
    }
}
