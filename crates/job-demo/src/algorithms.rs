//! The algorithms of the demo's graph engine, each in a file of its own.
//!
//! Every file has the parameters as a type that deserializes from the request (numbers may come as numbers or as
//! strings), a plain function from graph and parameters to a result, and the form that the result has in the
//! payload. Results are the same on every run: ties are broken by graph order and nothing is random.

pub mod closeness;
pub mod cluster_coefficient;
pub mod connected_component;
pub mod degree_correlation;
pub mod k_hop;
pub mod kcore;
pub mod label_propagation;
pub mod pagerank;
pub mod personalrank;
pub mod shortest_path;
pub mod sssp;
pub mod triangle_count;

mod answer;
mod error;
mod paths;
mod power;
mod request;
#[cfg(test)]
mod sample;

pub use self::{
    answer::{Answer, List, Row, Values},
    error::AlgorithmError,
    power::Ranks,
    request::{Fields, InvalidParameter},
};
use crate::{graph::Graph, watch::Watch};

/// An algorithm under the name that requests call it by.
#[derive(Debug, Clone, Copy)]
pub struct Algorithm {
    name: &'static str,
    run: fn(&Graph, &str, &dyn Watch) -> Result<Answer, AlgorithmError>,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 12] = [
        Self { name: "pagerank", run: pagerank::answer },
        Self { name: "personalrank", run: personalrank::answer },
        Self { name: "kcore", run: kcore::answer },
        Self { name: "k_hop", run: k_hop::answer },
        Self { name: "shortest_path", run: shortest_path::answer },
        Self { name: "sssp", run: sssp::answer },
        Self { name: "connected_component", run: connected_component::answer },
        Self { name: "label_propagation", run: label_propagation::answer },
        Self { name: "triangle_count", run: triangle_count::answer },
        Self { name: "cluster_coefficient", run: cluster_coefficient::answer },
        Self { name: "degree_correlation", run: degree_correlation::answer },
        Self { name: "closeness", run: closeness::answer },
    ];

    /// The algorithm of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        const ALL: &[Algorithm] = &Algorithm::ALL;
        ALL.iter().find(|algorithm| algorithm.name == name)
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it with `parameters`, a JSON object.
    ///
    /// # Errors
    /// [`AlgorithmError`]: a parameter is missing, unknown or out of range, or `watch` stopped the work.
    pub fn run(&self, graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
        watch.checkpoint()?;
        (self.run)(graph, parameters, watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{movies, watch::tests::StopAt};

    const SOURCE: &str = r#"{"source":"Sarah","target":"Sidney","k":2}"#;

    /// The part of `SOURCE` that this algorithm takes.
    fn parameters(name: &str) -> String {
        let all: serde_json::Map<_, _> = serde_json::from_str(SOURCE).unwrap();
        let takes: &[&str] = match name {
            "personalrank" | "sssp" | "closeness" => &["source"],
            "shortest_path" => &["source", "target"],
            "k_hop" => &["source", "k"],
            "kcore" => &["k"],
            _ => &[],
        };
        let chosen: serde_json::Map<_, _> =
            all.into_iter().filter(|(name, _)| takes.contains(&name.as_str())).collect();
        serde_json::to_string(&chosen).unwrap()
    }

    #[test]
    fn every_algorithm_can_be_stopped_and_repeats_itself() {
        let graph = movies::load().unwrap();
        for algorithm in Algorithm::ALL {
            let parameters = parameters(algorithm.name);
            let stopped = algorithm.run(&graph, &parameters, &StopAt::new(1));
            assert!(matches!(stopped, Err(AlgorithmError::Stopped(_))), "{}", algorithm.name);
            let run = || algorithm.run(&graph, &parameters, &StopAt::new(usize::MAX)).unwrap();
            assert_eq!(run(), run(), "{}", algorithm.name);
        }
    }

    #[test]
    fn unknown_parameters_are_errors_everywhere() {
        let graph = movies::load().unwrap();
        for algorithm in Algorithm::ALL {
            let mut parameters = parameters(algorithm.name);
            parameters.truncate(parameters.len() - 1);
            let comma = if parameters.len() > 1 { "," } else { "" };
            let error =
                algorithm.run(&graph, &format!("{parameters}{comma}\"alhpa\":1}}"), &StopAt::new(9)).unwrap_err();
            assert!(error.to_string().starts_with("parameter alhpa is unknown: "), "{}: {error}", algorithm.name);
        }
    }
}
