//! `personalrank`: how often a random walk that restarts at one vertex visits each vertex.

use serde::Deserialize;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Ranks, Values, answer,
    power::{self, Power, Restart},
    request,
};
use crate::{graph::Graph, watch::Watch};

/// The parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct PersonalRank {
    /// `source`: the id of the vertex to start at; required.
    pub source: String,
    /// `alpha`: the probability of following an edge instead of restarting; above 0, below 1, 0.85 by default.
    pub alpha: f64,
    /// `convergence`: stop when an iteration changes all ranks together by less than this; above 0, below 1,
    /// 0.00001 by default.
    pub convergence: f64,
    /// `max_iterations`: stop after this number of iterations; 1 to 2000, 1000 by default.
    pub max_iterations: u32,
    /// `directed`: whether edges are followed from source to target only; true by default.
    pub directed: bool,
}

impl TryFrom<Fields> for PersonalRank {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let source = fields.vertex("source")?;
        let Power { alpha, convergence, max_iterations, directed } = Power::read(&mut fields)?;
        fields.finish()?;
        Ok(Self { source, alpha, convergence, max_iterations, directed })
    }
}

impl Fits for PersonalRank {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::vertex(graph, "source", &self.source)?;
        Ok(())
    }
}

/// Ranks every vertex as seen from the source; a vertex without edges to follow sends its rank back there.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when the source is no vertex, [`AlgorithmError::Stopped`].
pub fn personalrank(graph: &Graph, params: &PersonalRank, watch: &dyn Watch) -> Result<Ranks, AlgorithmError> {
    let source = request::vertex(graph, "source", &params.source)?;
    let PersonalRank { alpha, convergence, max_iterations, directed, .. } = *params;
    let power = Power { alpha, convergence, max_iterations, directed };
    power::iterate(graph, &power, Restart::At(source), watch)
}

/// `source`, and `personalrank`: `[{"id": rank}, …]`, the highest first.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let params: PersonalRank = request::read(parameters)?;
    let ranks = personalrank(graph, &params, watch)?;
    let values = Values::Doubles(answer::falling(&ranks.values, f64::total_cmp));
    Ok(Answer::new(vec![("source", params.source.into())], Some(List { name: "personalrank", values })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    #[test]
    fn a_pair_is_computed_by_hand_and_strangers_have_nothing() {
        // 0 -> 1, and 1 leads nowhere: r0 = 0.15 + 0.85 r1, r1 = 0.85 r0.
        let graph = sample::graph(3, &[(0, 1), (2, 0)]);
        let params: PersonalRank = serde_json::from_str(r#"{"source":"0"}"#).unwrap();
        let ranks = personalrank(&graph, &params, &Unwatched).unwrap().values;
        for (rank, expected) in ranks.iter().zip([1.0 / 1.85, 0.85 / 1.85, 0.0]) {
            assert!((rank - expected).abs() < 1e-4, "{ranks:?}");
        }
    }

    #[test]
    fn the_source_must_exist() {
        let graph = sample::graph(1, &[]);
        let error = answer(&graph, r#"{"source":"9"}"#, &Unwatched).unwrap_err();
        assert_eq!(error.to_string(), r#"parameter source is "9": it must be the id of a vertex of the graph"#);
        let error = answer(&graph, "{}", &Unwatched).unwrap_err();
        assert_eq!(error.to_string(), "parameter source is missing: it must be the id of a vertex of the graph");
    }
}
