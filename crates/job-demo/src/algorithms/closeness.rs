//! `closeness`: how near one vertex is to all others.

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, paths::Hops, request};
use crate::{
    graph::{Direction, Graph},
    watch::Watch,
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Closeness {
    /// `source`: the id of the vertex; required.
    pub source: String,
}

impl TryFrom<Fields> for Closeness {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let source = fields.vertex("source")?;
        fields.finish()?;
        Ok(Self { source })
    }
}

impl Fits for Closeness {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::vertex(graph, "source", &self.source)?;
        Ok(())
    }
}

/// One over the mean distance to the reachable vertices, times their share of the graph (Wasserman and Faust, 1994).
/// So closeness in a small component is small. From 0, for a vertex without neighbours, to 1. Directions do not count.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when the source is no vertex, [`AlgorithmError::Stopped`].
pub fn closeness(graph: &Graph, params: &Closeness, watch: &dyn Watch) -> Result<f64, AlgorithmError> {
    let source = request::vertex(graph, "source", &params.source)?;
    let hops = Hops::search(graph.adjacency(Direction::Both), source, u32::MAX, None, watch)?;
    let sum: u64 = hops.reached.iter().filter_map(|&vertex| hops.to(vertex)).map(u64::from).sum();
    if sum == 0 {
        return Ok(0.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "sums of fewer than 2^32 distances below 2^20")]
    let (others, sum) = ((hops.reached.len() - 1) as f64, sum as f64);
    Ok(others / sum * others / f64::from(graph.vertex_count() - 1))
}

/// `closeness`, `source`. Not paged.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: Closeness = request::read(parameters)?;
    let closeness = closeness(graph, &params, watch)?;
    Ok(Answer::new(vec![("closeness", closeness.into()), ("source", params.source.into())], None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn a_path_and_a_stranger_are_computed_by_hand() {
        let graph = sample::graph(5, &[(0, 1), (2, 1), (2, 3)]);
        let of = |source: &str| closeness(&graph, &Closeness { source: source.to_owned() }, &Unwatched).unwrap();
        // From vertex 0 the others are 1, 2 and 3 edges away: 3/6, and it reaches 3 of the 4 others.
        assert!((of("0") - 0.5 * 0.75).abs() < 1e-12);
        assert!((of("1") - 0.75 * 0.75).abs() < 1e-12);
        assert!(of("4").abs() < 1e-12);
    }
}
