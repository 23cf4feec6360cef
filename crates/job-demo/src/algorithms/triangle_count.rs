//! `triangle_count`: the number of triangles: three vertices with an edge between every two.
#![expect(
    clippy::indexing_slicing,
    reason = "every vertex of an adjacency is below the vertex count, the length of the arrays"
)]

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::{Pace, Watch},
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct TriangleCount {
    /// `statistics`: true, the default, gives the total only; false gives the triangles of every vertex as well.
    pub statistics: bool,
}

impl TryFrom<Fields> for TriangleCount {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let statistics = fields.flag("statistics", true)?;
        fields.finish()?;
        Ok(Self { statistics })
    }
}

impl Fits for TriangleCount {}

/// The triangles of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triangles {
    /// How many there are.
    pub total: u64,
    /// The number of triangles of each vertex, in graph order; their sum is three times the total.
    pub of: Vec<u64>,
}

/// Counts triangles. Directions, loops and parallel edges do not count.
///
/// Every edge is read from its end with fewer neighbours. So a vertex with many neighbours costs at most the
/// square root of the edges for each of them. petgraph has no such function.
///
/// # Errors
/// [`AlgorithmError::Stopped`].
pub fn triangles(graph: &Graph, watch: &dyn Watch) -> Result<Triangles, AlgorithmError> {
    let count = graph.vertex_count();
    let upward = Upward::new(graph);
    let mut of = vec![0; count as usize];
    let mut total = 0;
    let mut marked_by = vec![VertexIndex::MAX; count as usize];
    let mut pace = Pace::new(watch);
    watch.progress(0, u64::from(count));
    for first in 0..count {
        for &second in upward.of(first) {
            marked_by[second as usize] = first;
        }
        for &second in upward.of(first) {
            let thirds = upward.of(second);
            pace.step_to(1 + thirds.len(), u64::from(first), u64::from(count))?;
            for &third in thirds {
                if marked_by[third as usize] == first {
                    total += 1;
                    for corner in [first, second, third] {
                        of[corner as usize] += 1;
                    }
                }
            }
        }
        pace.step_to(1, u64::from(first), u64::from(count))?;
    }
    watch.progress(u64::from(count), u64::from(count));
    Ok(Triangles { total, of })
}

/// For every vertex its neighbours that have more neighbours than itself, or as many and a higher index.
struct Upward {
    start: Vec<usize>,
    targets: Vec<VertexIndex>,
}

impl Upward {
    fn new(graph: &Graph) -> Self {
        let adjacency = graph.adjacency(Direction::Both);
        let rank = |vertex: VertexIndex| (adjacency.neighbors(vertex).len(), vertex);
        let mut start = vec![0];
        let mut targets = Vec::new();
        for vertex in 0..graph.vertex_count() {
            let own = rank(vertex);
            targets.extend(adjacency.neighbors(vertex).iter().copied().filter(|&neighbor| rank(neighbor) > own));
            start.push(targets.len());
        }
        Self { start, targets }
    }

    fn of(&self, vertex: VertexIndex) -> &[VertexIndex] {
        &self.targets[self.start[vertex as usize]..self.start[vertex as usize + 1]]
    }
}

/// `triangle_count`, and unless `statistics` is true `vertex_triangles`: `[{"id": count}, …]` in graph order, paged.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: TriangleCount = super::request::read(parameters)?;
    let Triangles { total, of } = triangles(graph, watch)?;
    let list = (!params.statistics)
        .then(|| List { name: "vertex_triangles", values: Values::Ints((0..).zip(of).collect()) });
    Ok(Answer::new(vec![("triangle_count", total.into())], list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn a_square_with_both_diagonals_has_four() {
        let edges = [(0, 1), (1, 0), (0, 2), (0, 3), (1, 2), (3, 1), (2, 3), (3, 3), (4, 0), (4, 0), (4, 1)];
        let found = triangles(&sample::graph(6, &edges), &Unwatched).unwrap();
        assert_eq!(found, Triangles { total: 5, of: vec![4, 4, 3, 3, 1, 0] });
    }

    #[test]
    fn the_list_is_given_when_asked_for() {
        let graph = sample::graph(3, &[(0, 1), (1, 2), (2, 0)]);
        assert_eq!(answer(&graph, "{}", &Unwatched).unwrap().list, None);
        let list = answer(&graph, r#"{"statistics":"false"}"#, &Unwatched).unwrap().list.unwrap();
        assert_eq!(list.values, Values::Ints(vec![(0, 1), (1, 1), (2, 1)]));
    }
}
