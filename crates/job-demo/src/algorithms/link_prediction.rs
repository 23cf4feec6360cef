//! `link_prediction`: how alike the neighbours of two vertices are, as a forecast of an edge between the two.

use serde::Deserialize;

use super::{AlgorithmError, Answer, Fields, Fits, InvalidParameter, common_neighbors::neighborhood, request};
use crate::{graph::Graph, watch::Watch};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct LinkPrediction {
    /// `source`: the id of the one vertex; required.
    pub source: String,
    /// `target`: the id of the other vertex; required.
    pub target: String,
}

impl TryFrom<Fields> for LinkPrediction {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let params = Self { source: fields.vertex("source")?, target: fields.vertex("target")? };
        fields.finish()?;
        Ok(params)
    }
}

impl Fits for LinkPrediction {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::ends(graph, &self.source, &self.target)?;
        Ok(())
    }
}

/// The neighbours of both vertices, divided by the neighbours of at least one (Jaccard, 1901). From 0 to 1; 0 if
/// there are none. Directions, loops and parallel edges do not count.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when an end is no vertex, [`AlgorithmError::Stopped`].
pub fn link_prediction(graph: &Graph, params: &LinkPrediction, watch: &dyn Watch) -> Result<f64, AlgorithmError> {
    let found = neighborhood(graph, &params.source, &params.target, watch)?;
    #[expect(clippy::cast_precision_loss, reason = "counts of vertices, below 2^32")]
    let (common, either) = (found.common.len() as f64, found.either as f64);
    Ok(if found.either == 0 { 0.0 } else { common / either })
}

/// `link_prediction`, `source`, `target`. Not paged.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: LinkPrediction = request::read(parameters)?;
    let found = link_prediction(graph, &params, watch)?;
    let outputs = vec![
        ("link_prediction", found.into()),
        ("source", params.source.into()),
        ("target", params.target.into()),
    ];
    Ok(Answer::new(outputs, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn a_square_is_computed_by_hand() {
        let graph = sample::graph(6, &[(0, 1), (1, 2), (2, 3), (3, 0), (0, 4)]);
        let of = |source: &str, target: &str| {
            let params = LinkPrediction { source: source.to_owned(), target: target.to_owned() };
            link_prediction(&graph, &params, &Unwatched).unwrap()
        };
        assert!((of("0", "2") - 2.0 / 3.0).abs() < 1e-12);
        assert!((of("1", "4") - 0.5).abs() < 1e-12);
        assert!(of("0", "5").abs() < 1e-12 && of("5", "5").abs() < 1e-12);
    }
}
