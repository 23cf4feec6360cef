//! `cluster_coefficient`: how often two neighbours of a vertex are neighbours themselves.

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Values, triangle_count};
use crate::{
    graph::{Direction, Graph, VertexIndex},
    watch::Watch,
};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct ClusterCoefficient {
    /// `statistics`: true, the default, gives the mean only; false gives the coefficient of every vertex as well.
    pub statistics: bool,
}

impl TryFrom<Fields> for ClusterCoefficient {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let statistics = fields.flag("statistics", true)?;
        fields.finish()?;
        Ok(Self { statistics })
    }
}

impl Fits for ClusterCoefficient {}

/// For every vertex, in graph order: triangles at the vertex, divided by the pairs of its neighbours (Watts and
/// Strogatz, 1998). A vertex with fewer than two neighbours counts as 0. From 0 to 1.
///
/// # Errors
/// [`AlgorithmError::Stopped`].
#[expect(clippy::cast_precision_loss, reason = "counts of pairs below 2^52")]
pub fn coefficients(graph: &Graph, watch: &dyn Watch) -> Result<Vec<f64>, AlgorithmError> {
    let triangles = triangle_count::triangles(graph, watch)?;
    let adjacency = graph.adjacency(Direction::Both);
    let of = |(vertex, &triangles): (VertexIndex, &u64)| {
        if triangles == 0 {
            return 0.0;
        }
        let neighbors = adjacency.neighbors(vertex);
        let degree = neighbors.len() - usize::from(neighbors.binary_search(&vertex).is_ok());
        triangles as f64 / (degree * (degree - 1) / 2) as f64
    };
    Ok((0..).zip(&triangles.of).map(of).collect())
}

/// The mean of [`coefficients`]; 0 for an empty graph.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of vertices are below 2^32")]
pub fn mean(coefficients: &[f64]) -> f64 {
    if coefficients.is_empty() { 0.0 } else { coefficients.iter().sum::<f64>() / coefficients.len() as f64 }
}

/// `cluster_coefficient`, and unless `statistics` is true `vertex_cluster_coefficient`: `[{"id": value}, …]` in graph
/// order, paged.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: ClusterCoefficient = super::request::read(parameters)?;
    let coefficients = coefficients(graph, watch)?;
    let outputs = vec![("cluster_coefficient", mean(&coefficients).into())];
    let values = || Values::Doubles((0..).zip(coefficients).collect());
    let list = (!params.statistics).then(|| List { name: "vertex_cluster_coefficient", values: values() });
    Ok(Answer::new(outputs, list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn a_triangle_with_a_tail_is_computed_by_hand() {
        // 0 and 1 see one pair, joined; 2 sees three pairs, one of them joined; 3 sees none.
        let graph = sample::graph(4, &[(0, 1), (1, 2), (2, 0), (2, 3), (2, 2)]);
        let found = coefficients(&graph, &Unwatched).unwrap();
        assert_eq!(found, [1.0, 1.0, 1.0 / 3.0, 0.0]);
        assert!((mean(&found) - (1.0 + 1.0 + 1.0 / 3.0) / 4.0).abs() < 1e-12, "{found:?}");
        assert!(mean(&coefficients(&sample::graph(0, &[]), &Unwatched).unwrap()).abs() < 1e-12);
        assert_eq!(answer(&graph, "{}", &Unwatched).unwrap().list, None);
        let list = answer(&graph, r#"{"statistics":false}"#, &Unwatched).unwrap().list.unwrap();
        assert_eq!((list.name, list.len()), ("vertex_cluster_coefficient", 4));
    }
}
