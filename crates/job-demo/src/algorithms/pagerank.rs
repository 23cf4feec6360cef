//! `pagerank`: how often a random walk along the edges visits each vertex.

use serde::Deserialize;

use super::{
    AlgorithmError, Answer, Fields, Fits, InvalidParameter, Ranks, Values, answer,
    power::{self, Power, Restart},
};
use crate::{graph::Graph, watch::Watch};

/// The parameters; all have defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct PageRank {
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
}

impl Default for PageRank {
    fn default() -> Self {
        let Power { alpha, convergence, max_iterations, directed, num_thread } = Power::DEFAULT;
        Self { alpha, convergence, max_iterations, directed, num_thread }
    }
}

impl TryFrom<Fields> for PageRank {
    type Error = InvalidParameter;

    fn try_from(mut fields: Fields) -> Result<Self, Self::Error> {
        let Power { alpha, convergence, max_iterations, directed, num_thread } = Power::read(&mut fields)?;
        fields.finish()?;
        Ok(Self { alpha, convergence, max_iterations, directed, num_thread })
    }
}

impl Fits for PageRank {}

/// Ranks every vertex. Parallel edges count as often as there are; a vertex without edges to follow sends its rank
/// to all vertices alike.
///
/// # Errors
/// [`AlgorithmError::Stopped`].
pub fn pagerank(graph: &Graph, params: &PageRank, watch: &dyn Watch) -> Result<Ranks, AlgorithmError> {
    let PageRank { alpha, convergence, max_iterations, directed, num_thread } = *params;
    let power = Power { alpha, convergence, max_iterations, directed, num_thread };
    power::iterate(graph, &power, None, Restart::Anywhere, watch)
}

/// `pagerank`: `[{"id": rank}, …]`, the highest first.
pub(super) fn answer(graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
    let ranks = pagerank(graph, &super::request::read(parameters)?, watch)?;
    Ok(Answer::list("pagerank", Values::Doubles(answer::falling(&ranks.values, f64::total_cmp))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{algorithms::sample, watch::Unwatched};

    fn near(ranks: &Ranks, expected: &[f64]) {
        assert_eq!(ranks.values.len(), expected.len());
        for (value, expected) in ranks.values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-4, "{ranks:?}");
        }
    }

    #[test]
    fn a_star_is_computed_by_hand() {
        // Leaves point at 0, which points at nothing. A leaf has l, the centre l + 0.85 * 3l, and all sum up to 1.
        let graph = sample::graph(4, &[(1, 0), (2, 0), (3, 0)]);
        let leaf = 1.0 / 6.55;
        near(&pagerank(&graph, &PageRank::default(), &Unwatched).unwrap(), &[3.55 * leaf, leaf, leaf, leaf]);
    }

    #[test]
    fn a_ring_is_even_and_parallel_edges_pull() {
        let ring = sample::graph(3, &[(0, 1), (1, 2), (2, 0)]);
        near(&pagerank(&ring, &PageRank::default(), &Unwatched).unwrap(), &[1.0 / 3.0; 3]);
        let pulled = sample::graph(3, &[(0, 1), (0, 1), (0, 2), (1, 0), (2, 0)]);
        let ranks = pagerank(&pulled, &PageRank::default(), &Unwatched).unwrap();
        let base = 0.05;
        let centre = (base + 0.85 * 2.0 * base) / (1.0 - 0.85 * 0.85);
        near(&ranks, &[centre, base + 0.85 * centre * 2.0 / 3.0, base + 0.85 * centre / 3.0]);
    }

    #[test]
    fn the_limit_of_iterations_holds() {
        let graph = sample::graph(3, &[(0, 1), (1, 2)]);
        let params = PageRank { max_iterations: 2, ..PageRank::default() };
        assert_eq!(pagerank(&graph, &params, &Unwatched).unwrap().iterations, 2);
        assert!(pagerank(&sample::graph(0, &[]), &params, &Unwatched).unwrap().values.is_empty());
    }

    #[test]
    fn parameters_are_checked() {
        let params: PageRank = serde_json::from_str(r#"{"alpha":"0.9","max_iterations":"20"}"#).unwrap();
        assert_eq!(params, PageRank { alpha: 0.9, max_iterations: 20, ..PageRank::default() });
        let error = serde_json::from_str::<PageRank>(r#"{"alpha":1}"#).unwrap_err();
        assert_eq!(error.to_string(), "parameter alpha is 1: it must be a number above 0 and below 1");
    }
}
