//! `common_neighbors`: the vertices that are neighbours of two vertices at once.

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values, request};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::{Pace, Watch},
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct CommonNeighbors {
    /// `source`: the id of the one vertex; required.
    pub source: String,
    /// `target`: the id of the other vertex; required.
    pub target: String,
}

impl TryFrom<Fields> for CommonNeighbors {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let params = Self { source: fields.vertex("source")?, target: fields.vertex("target")? };
        fields.finish()?;
        Ok(params)
    }
}

impl Fits for CommonNeighbors {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::ends(graph, &self.source, &self.target)?;
        Ok(())
    }
}

/// The neighbours of two vertices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighborhood {
    /// The vertices that are neighbours of both, in graph order.
    pub common: Vec<VertexIndex>,
    /// How many vertices are neighbours of at least one.
    pub either: u64,
}

/// Compares the neighbours of two vertices. Directions, loops and parallel edges do not count.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when an end is no vertex, [`AlgorithmError::Stopped`].
pub fn neighborhood(
    graph: &Graph,
    source: &str,
    target: &str,
    watch: &dyn Watch,
) -> Result<Neighborhood, AlgorithmError> {
    let ends = request::ends(graph, source, target)?;
    let adjacency = graph.adjacency(Direction::Both);
    let [left, right] =
        ends.map(|end| adjacency.neighbors(end).iter().copied().filter(move |&other| other != end));
    let mut right = right.peekable();
    let mut found = Neighborhood { common: Vec::new(), either: 0 };
    let mut pace = Pace::new(watch);
    let total = adjacency.neighbors(ends[0]).len().max(1) as u64;
    watch.progress(0, total);
    for (done, neighbor) in (0..).zip(left) {
        // Both lists ascend.
        let before = std::iter::from_fn(|| right.next_if(|other| *other < neighbor)).count();
        pace.step_to(1 + before, done, total)?;
        found.either += before as u64 + 1;
        if right.next_if_eq(&neighbor).is_some() {
            found.common.push(neighbor);
        }
    }
    found.either += right.count() as u64;
    watch.progress(total, total);
    Ok(found)
}

/// `source`, `target`, `common_neighbors` (how many there are), and `vertices`: their ids, in graph order.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let CommonNeighbors { source, target } = request::read(parameters)?;
    let common = neighborhood(graph, &source, &target, watch)?.common;
    let outputs =
        vec![("source", source.into()), ("target", target.into()), ("common_neighbors", common.len().into())];
    Ok(Answer::new(outputs, Some(List { name: "vertices", values: Values::Ids(common) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn neighbours_of_both_and_of_either_are_counted_once() {
        // 0 has 1, 2, 3 and itself; 4 has 2, 3 and 5; 6 is alone.
        let edges = [(0, 1), (2, 0), (0, 3), (0, 3), (0, 0), (4, 3), (2, 4), (4, 5), (4, 2)];
        let graph = sample::graph(7, &edges);
        let of = |source, target| neighborhood(&graph, source, target, &Unwatched).unwrap();
        assert_eq!(of("0", "4"), Neighborhood { common: vec![2, 3], either: 4 });
        assert_eq!(of("4", "0"), of("0", "4"));
        // Each of two neighbours is in the neighbourhood of the other, and so not common.
        assert_eq!(of("0", "1"), Neighborhood { common: vec![], either: 4 });
        assert_eq!(of("0", "6"), Neighborhood { common: vec![], either: 3 });
        assert_eq!(of("4", "4"), Neighborhood { common: vec![2, 3, 5], either: 3 });
    }
}
