//! [`Arcs`]: the neighbours of every vertex, with the weights of the edges to them.

use super::{AlgorithmError, paths};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::Pace,
};

/// An edge that is followed from its first vertex to its second, and its weight.
pub(super) type Arc = (VertexIndex, VertexIndex, f64);

/// The neighbours of every vertex in one direction. The weights of parallel edges are added.
pub(super) struct Arcs {
    /// Where the row of each vertex begins.
    start: Vec<usize>,
    rows: Vec<(VertexIndex, f64)>,
}

impl Arcs {
    /// Reads the weights from an edge property. Without one, every edge has weight 1.
    pub(super) fn read(
        graph: &Graph,
        direction: Direction,
        weight: Option<&str>,
        pace: &mut Pace<'_>,
    ) -> Result<Self, AlgorithmError> {
        Ok(Self::new(graph.vertices().len(), &sorted(graph, direction, weight, pace)?))
    }

    /// Joins arcs that are sorted by their vertices.
    pub(super) fn new(count: usize, sorted: &[Arc]) -> Self {
        let (mut start, mut rows) = (Vec::with_capacity(count + 1), Vec::with_capacity(sorted.len()));
        for run in sorted.chunk_by(|left, right| (left.0, left.1) == (right.0, right.1)) {
            if let Some(&(source, target, _)) = run.first() {
                start.resize(source as usize + 1, rows.len());
                rows.push((target, run.iter().map(|arc| arc.2).sum()));
            }
        }
        start.resize(count + 1, rows.len());
        Self { start, rows }
    }

    /// The distinct neighbours of a vertex, ascending.
    pub(super) fn of(&self, vertex: VertexIndex) -> &[(VertexIndex, f64)] {
        let place = vertex as usize;
        let range = self.start.get(place).copied().zip(self.start.get(place + 1).copied());
        range.and_then(|(start, end)| self.rows.get(start..end)).unwrap_or_default()
    }

    /// How many vertices there are.
    pub(super) const fn len(&self) -> usize {
        self.start.len() - 1
    }

    /// The memory that they use.
    pub(super) const fn bytes(&self) -> u64 {
        let start = self.start.capacity() * size_of::<usize>();
        (start + self.rows.capacity() * size_of::<(VertexIndex, f64)>()) as u64
    }
}

/// The arcs of a graph, sorted by their vertices. A loop is one arc.
fn sorted(
    graph: &Graph,
    direction: Direction,
    weight: Option<&str>,
    pace: &mut Pace<'_>,
) -> Result<Vec<Arc>, AlgorithmError> {
    let mut arcs = Vec::with_capacity(graph.edges().len() * 2);
    let Some(property) = weight else {
        let adjacency = graph.adjacency(direction);
        for vertex in 0..graph.vertex_count() {
            pace.step(1 + adjacency.neighbors(vertex).len())?;
            arcs.extend(adjacency.weighted(vertex).map(|(next, times)| (vertex, next, f64::from(times))));
        }
        return Ok(arcs);
    };
    for edge in graph.edges() {
        pace.step(8)?;
        let weight = paths::weight(graph, edge, property)?;
        if direction != Direction::In {
            arcs.push((edge.source, edge.target, weight));
        }
        if direction == Direction::In || (direction == Direction::Both && edge.source != edge.target) {
            arcs.push((edge.target, edge.source, weight));
        }
    }
    arcs.sort_by_key(|&(source, target, _)| (source, target));
    Ok(arcs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn parallel_edges_add_up_and_loops_count_once() {
        let graph = sample::weighted(4, &[(0, 1, 2.0), (0, 1, 0.5), (1, 0, 4.0), (2, 2, 8.0)]);
        let of = |direction, weight| {
            let arcs = Arcs::read(&graph, direction, weight, &mut Pace::new(&Unwatched)).unwrap();
            (0..4).map(|vertex| arcs.of(vertex).to_vec()).collect::<Vec<_>>()
        };
        let weight = Some("weight");
        assert_eq!(of(Direction::Out, weight), [vec![(1, 2.5)], vec![(0, 4.0)], vec![(2, 8.0)], vec![]]);
        assert_eq!(of(Direction::In, weight), [vec![(1, 4.0)], vec![(0, 2.5)], vec![(2, 8.0)], vec![]]);
        assert_eq!(of(Direction::Both, weight), [vec![(1, 6.5)], vec![(0, 6.5)], vec![(2, 8.0)], vec![]]);
        assert_eq!(of(Direction::Both, None), [vec![(1, 3.0)], vec![(0, 3.0)], vec![(2, 1.0)], vec![]]);
    }
}
