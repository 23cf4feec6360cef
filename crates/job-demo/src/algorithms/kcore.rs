//! `kcore`: the coreness of every vertex: the greatest k such that it is in a part where each has k neighbours or more.
#![expect(
    clippy::indexing_slicing,
    reason = "vertices are below the vertex count and degrees below the bin count, the lengths of the arrays"
)]

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, Values, answer};
use crate::{
    graph::{Direction, Graph},
    watch::{Pace, Watch},
};

/// The parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct KCore {
    /// `k`: give only vertices whose coreness is at least this; 0, the default, gives all.
    pub k: u32,
}

impl TryFrom<Fields> for KCore {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let k = fields.whole("k", Some(0), 0..=u32::MAX)?;
        fields.finish()?;
        Ok(Self { k })
    }
}

impl Fits for KCore {}

/// The coreness of every vertex, in graph order. It is the greatest k such that the vertex is in a subgraph where each
/// vertex has k neighbours or more. Directions, loops and parallel edges do not count.
///
/// Removes vertices by rising degree, sorted in bins (Batagelj and Zaveršnik, 2003), in time linear in the edges.
/// petgraph has no such function.
///
/// # Errors
/// [`AlgorithmError::Stopped`].
pub fn coreness(graph: &Graph, watch: &dyn Watch) -> Result<Vec<u32>, AlgorithmError> {
    let adjacency = graph.adjacency(Direction::Both);
    let count = graph.vertex_count();
    let mut degrees = Vec::with_capacity(count as usize);
    for vertex in 0..count {
        let neighbors = adjacency.neighbors(vertex);
        let loops = usize::from(neighbors.binary_search(&vertex).is_ok());
        degrees.push(neighbors.len() - loops);
    }
    let mut bins = Bins::sort(&degrees);
    let mut pace = Pace::new(watch);
    watch.progress(0, u64::from(count));
    for place in 0..count as usize {
        let vertex = bins.order[place];
        let neighbors = adjacency.neighbors(vertex);
        pace.step_to(1 + neighbors.len(), place as u64, u64::from(count))?;
        for &neighbor in neighbors {
            if degrees[neighbor as usize] > degrees[vertex as usize] {
                bins.lower(neighbor, &mut degrees);
            }
        }
    }
    watch.progress(u64::from(count), u64::from(count));
    Ok(degrees.into_iter().map(|degree| u32::try_from(degree).unwrap_or(u32::MAX)).collect())
}

/// Vertices sorted by degree, with the place where each degree begins.
struct Bins {
    order: Vec<u32>,
    place: Vec<usize>,
    start: Vec<usize>,
}

impl Bins {
    fn sort(degrees: &[usize]) -> Self {
        let mut start = vec![0; degrees.iter().max().map_or(0, |max| max + 1)];
        for &degree in degrees {
            start[degree] += 1;
        }
        let mut sum = 0;
        for bin in &mut start {
            sum += std::mem::replace(bin, sum);
        }
        let mut free = start.clone();
        let mut order = vec![0; degrees.len()];
        let mut place = vec![0; degrees.len()];
        for (vertex, &degree) in (0..).zip(degrees) {
            let at = free[degree];
            free[degree] += 1;
            order[at] = vertex;
            place[vertex as usize] = at;
        }
        Self { order, place, start }
    }

    /// Lowers the degree of a vertex by one. The vertex changes places with the first of its bin, which then
    /// begins later.
    fn lower(&mut self, vertex: u32, degrees: &mut [usize]) {
        let degree = &mut degrees[vertex as usize];
        let first_at = self.start[*degree];
        let first = self.order[first_at];
        let own_at = self.place[vertex as usize];
        self.order.swap(first_at, own_at);
        self.place[first as usize] = own_at;
        self.place[vertex as usize] = first_at;
        self.start[*degree] += 1;
        *degree -= 1;
    }
}

/// `coreness`: `[{"id": k}, …]`, the greatest k first.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: KCore = super::request::read(parameters)?;
    let mut rows = answer::falling(&coreness(graph, watch)?, u32::cmp);
    rows.retain(|&(_, coreness)| coreness >= params.k);
    let rows = rows.into_iter().map(|(vertex, coreness)| (vertex, u64::from(coreness))).collect();
    Ok(Answer::list("coreness", Values::Ints(rows)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn a_square_with_tails_is_computed_by_hand() {
        // 0..4 are all joined (coreness 3), 4 hangs on two of them, 5 on 4, 6 is alone.
        let edges = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 2), (4, 0), (4, 1), (5, 4), (5, 5)];
        let graph = sample::graph(7, &edges);
        assert_eq!(coreness(&graph, &Unwatched).unwrap(), [3, 3, 3, 3, 2, 1, 0]);
        let rows = answer(&graph, r#"{"k":"2"}"#, &Unwatched).unwrap();
        assert_eq!(rows, Answer::list("coreness", Values::Ints(vec![(0, 3), (1, 3), (2, 3), (3, 3), (4, 2)])));
    }

    #[test]
    fn an_empty_graph_has_no_coreness() {
        assert_eq!(coreness(&sample::graph(0, &[]), &Unwatched).unwrap(), [0; 0]);
    }
}
