//! `personalrank`: how often a random walk that restarts at one vertex visits each vertex.

use serde::Deserialize;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, List, Ranks, Values, answer, paths,
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
    /// `max_iterations`: stop after this number of iterations; 1 to 2147483647, 1000 by default.
    pub max_iterations: u32,
    /// `directed`: whether edges are followed from source to target only; true by default.
    pub directed: bool,
    /// `num_thread`: the most threads to use, of those that the engine has to spare; 1 to 40, 4 by default. A number out
    /// of range becomes the nearest in it.
    pub num_thread: usize,
    /// `weight`: the edge property with the weight of an edge, a number above 0. A walk follows an edge of weight 2 twice
    /// as often as one of weight 1. An edge without it has weight 1. By default every edge has weight 1.
    pub weight: Option<String>,
}

impl TryFrom<Fields> for PersonalRank {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let source = fields.vertex("source")?;
        let Power { alpha, convergence, max_iterations, directed, num_thread } = Power::read(&mut fields)?;
        let weight = fields.text("weight")?;
        fields.finish()?;
        Ok(Self { source, alpha, convergence, max_iterations, directed, num_thread, weight })
    }
}

impl Fits for PersonalRank {
    fn fits(&self, graph: &Graph) -> Result<(), InvalidParameter> {
        request::vertex(graph, "source", &self.source)?;
        paths::weight_property(graph, self.weight.as_deref())
    }
}

/// Ranks every vertex as seen from the source; a vertex without edges to follow sends its rank back there.
///
/// # Errors
/// [`AlgorithmError::Parameter`] when the source is no vertex or a weight no number above 0,
/// [`AlgorithmError::Stopped`].
pub fn personalrank(graph: &Graph, params: &PersonalRank, watch: &dyn Watch) -> Result<Ranks, AlgorithmError> {
    params.fits(graph)?;
    let source = request::vertex(graph, "source", &params.source)?;
    let PersonalRank { alpha, convergence, max_iterations, directed, num_thread, .. } = *params;
    let power = Power { alpha, convergence, max_iterations, directed, num_thread };
    power::iterate(graph, &power, params.weight.as_deref(), Restart::At(source), watch)
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
    fn weights_draw_the_walk() {
        let graph = sample::weighted(3, &[(0, 1, 3.0), (0, 2, 0.5), (0, 2, 0.5)]);
        let params: PersonalRank = serde_json::from_str(r#"{"source":"0","weight":"weight"}"#).unwrap();
        let ranks = personalrank(&graph, &params, &Unwatched).unwrap().values;
        assert!((ranks[1] - 3.0 * ranks[2]).abs() < 1e-12, "{ranks:?}");
        let error = answer(&graph, r#"{"source":"0","weight":"x"}"#, &Unwatched).unwrap_err().to_string();
        assert!(error.ends_with("it must be a property that at least one edge has"), "{error}");
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
