//! `cluster_coefficient`: how often two neighbours of a vertex are neighbours themselves.

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, triangle_count};
use crate::{
    graph::{Direction, Graph},
    watch::Watch,
};

/// No parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct ClusterCoefficient;

impl TryFrom<Fields> for ClusterCoefficient {
    type Error = InvalidParameter;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        fields.finish()?;
        Ok(Self)
    }
}

impl Fits for ClusterCoefficient {}

/// The mean over all vertices of: triangles at the vertex, divided by the pairs of its neighbours (Watts and
/// Strogatz, 1998). A vertex with fewer than two neighbours counts as 0. From 0 to 1; 0 for an empty graph.
///
/// # Errors
/// [`AlgorithmError::Stopped`].
#[expect(clippy::cast_precision_loss, reason = "counts of pairs below 2^52")]
pub fn cluster_coefficient(graph: &Graph, watch: &dyn Watch) -> Result<f64, AlgorithmError> {
    let triangles = triangle_count::triangles(graph, watch)?;
    let adjacency = graph.adjacency(Direction::Both);
    let mut sum = 0.0;
    for (vertex, triangles) in (0..).zip(&triangles.of).filter(|&(_, triangles)| *triangles > 0) {
        let neighbors = adjacency.neighbors(vertex);
        let degree = neighbors.len() - usize::from(neighbors.binary_search(&vertex).is_ok());
        sum += *triangles as f64 / (degree * (degree - 1) / 2) as f64;
    }
    Ok(if graph.vertex_count() == 0 { 0.0 } else { sum / f64::from(graph.vertex_count()) })
}

/// `cluster_coefficient`. Not paged.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let ClusterCoefficient = super::request::read(parameters)?;
    Ok(Answer::new(vec![("cluster_coefficient", cluster_coefficient(graph, watch)?.into())], None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn a_triangle_with_a_tail_is_computed_by_hand() {
        // 0 and 1 see one pair, joined; 2 sees three pairs, one of them joined; 3 sees none.
        let graph = sample::graph(4, &[(0, 1), (1, 2), (2, 0), (2, 3), (2, 2)]);
        let found = cluster_coefficient(&graph, &Unwatched).unwrap();
        assert!((found - (1.0 + 1.0 + 1.0 / 3.0) / 4.0).abs() < 1e-12, "{found}");
        assert!(cluster_coefficient(&sample::graph(0, &[]), &Unwatched).unwrap().abs() < 1e-12);
    }
}
