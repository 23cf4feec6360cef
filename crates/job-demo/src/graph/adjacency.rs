//! [`Adjacency`]: the neighbours of every vertex, in compressed rows.

use petgraph::{Directed, csr::Csr};

use super::{Edge, VertexIndex};

/// Which way edges are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From source to target.
    Out,
    /// From target to source.
    In,
    /// Either way: the undirected graph.
    Both,
}

impl Direction {
    /// [`Out`](Self::Out) when the direction of edges counts, else [`Both`](Self::Both).
    #[must_use]
    pub const fn directed(directed: bool) -> Self {
        if directed { Self::Out } else { Self::Both }
    }
}

/// The rows themselves, for the searches of petgraph; the weight of an edge is how many parallel edges it stands
/// for.
pub type Rows = Csr<(), u32, Directed, VertexIndex>;

/// The distinct neighbours of every vertex, sorted, with the number of parallel edges to each.
///
/// A vertex given to a method must be of the graph; that holds for every index that [`Graph`](super::Graph) hands out.
#[derive(Debug)]
pub struct Adjacency(Rows);

impl Adjacency {
    /// The neighbours along some edges.
    pub(crate) fn of(vertex_count: u32, edges: &[&Edge], direction: Direction) -> Self {
        let mut pairs = Vec::with_capacity(edges.len() * 2);
        for edge in edges {
            if direction != Direction::In {
                pairs.push((edge.source, edge.target));
            }
            // A loop is its own reverse and would be counted twice.
            if direction == Direction::In || (direction == Direction::Both && edge.source != edge.target) {
                pairs.push((edge.target, edge.source));
            }
        }
        Self::new(vertex_count, pairs)
    }

    /// Sorts `pairs` and joins equal ones.
    pub(super) fn new(vertex_count: u32, mut pairs: Vec<(VertexIndex, VertexIndex)>) -> Self {
        pairs.sort_unstable();
        let joined: Vec<_> = pairs
            .chunk_by(|left, right| left == right)
            .filter_map(|run| {
                run.first().map(|&(source, target)| (source, target, u32::try_from(run.len()).unwrap_or(u32::MAX)))
            })
            .collect();
        // Rows of sorted, distinct pairs are never refused. An empty graph stands in, so that this cannot panic.
        let mut rows = Rows::from_sorted_edges(&joined).unwrap_or_default();
        // petgraph makes rows up to the last vertex that has an edge.
        while rows.node_count() < vertex_count as usize {
            rows.add_node(());
        }
        Self(rows)
    }

    /// The distinct neighbours, ascending.
    #[must_use]
    pub fn neighbors(&self, vertex: VertexIndex) -> &[VertexIndex] {
        self.0.neighbors_slice(vertex)
    }

    /// The distinct neighbours, each with the number of parallel edges.
    pub fn weighted(&self, vertex: VertexIndex) -> impl Iterator<Item = (VertexIndex, u32)> {
        self.neighbors(vertex).iter().copied().zip(self.0.edges_slice(vertex).iter().copied())
    }

    /// How many edges the vertex has, parallel ones included.
    #[must_use]
    pub fn degree(&self, vertex: VertexIndex) -> u64 {
        self.0.edges_slice(vertex).iter().copied().map(u64::from).sum()
    }

    /// The rows for petgraph's own searches.
    #[must_use]
    pub const fn rows(&self) -> &Rows {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_edges_are_joined_and_counted() {
        let adjacency = Adjacency::new(4, vec![(2, 0), (0, 2), (0, 1), (0, 2)]);
        assert_eq!(adjacency.neighbors(0), [1, 2]);
        assert_eq!(adjacency.weighted(0).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
        assert_eq!((adjacency.degree(0), adjacency.degree(3)), (3, 0));
    }

    #[test]
    fn a_graph_without_edges_has_empty_rows() {
        assert!(Adjacency::new(2, Vec::new()).neighbors(1).is_empty());
    }
}
