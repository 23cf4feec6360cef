//! The algorithms of the demo's graph engine, each in a file of its own.
//!
//! Every file has a type for the parameters, which deserializes from the request. It also has a plain function
//! from graph and parameters to a result, and the form of that result in the payload. Results are the same on
//! every run: graph order decides between equals, and nothing is random.

pub mod all_shortest_paths;
pub mod betweenness;
pub mod closeness;
pub mod cluster_coefficient;
pub mod common_neighbors;
pub mod connected_component;
pub mod degree_correlation;
pub mod k_hop;
pub mod kcore;
pub mod label_propagation;
pub mod link_prediction;
pub mod louvain;
pub mod n_paths;
pub mod pagerank;
pub mod personalrank;
pub mod shortest_path;
pub mod sssp;
pub mod triangle_count;

mod answer;
mod arcs;
mod convergence;
mod error;
mod paths;
mod power;
mod request;
#[cfg(test)]
mod sample;
mod time_window;

use self::request::Fits;
pub use self::{
    answer::{Answer, List, Paths, Row, Values},
    error::AlgorithmError,
    power::Ranks,
    request::{Fields, InvalidParameter},
};
use crate::{graph::Graph, watch::Watch};

/// An algorithm and its name in requests.
#[derive(Debug, Clone, Copy)]
pub struct Algorithm {
    name: &'static str,
    check: fn(&Graph, &str) -> Result<(), AlgorithmError>,
    run: fn(&Graph, &str, &dyn Watch) -> Result<Answer, AlgorithmError>,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 18] = [
        Self { name: "pagerank", check: request::check::<pagerank::PageRank>, run: pagerank::answer },
        Self {
            name: "personalrank",
            check: request::check::<personalrank::PersonalRank>,
            run: personalrank::answer,
        },
        Self { name: "kcore", check: request::check::<kcore::KCore>, run: kcore::answer },
        Self { name: "k_hop", check: request::check::<k_hop::KHop>, run: k_hop::answer },
        Self {
            name: "shortest_path",
            check: request::check::<shortest_path::ShortestPath>,
            run: shortest_path::answer,
        },
        Self { name: "sssp", check: request::check::<sssp::Sssp>, run: sssp::answer },
        Self {
            name: "connected_component",
            check: request::check::<connected_component::ConnectedComponent>,
            run: connected_component::answer,
        },
        Self {
            name: "label_propagation",
            check: request::check::<label_propagation::LabelPropagation>,
            run: label_propagation::answer,
        },
        Self {
            name: "triangle_count",
            check: request::check::<triangle_count::TriangleCount>,
            run: triangle_count::answer,
        },
        Self {
            name: "cluster_coefficient",
            check: request::check::<cluster_coefficient::ClusterCoefficient>,
            run: cluster_coefficient::answer,
        },
        Self {
            name: "degree_correlation",
            check: request::check::<degree_correlation::DegreeCorrelation>,
            run: degree_correlation::answer,
        },
        Self { name: "closeness", check: request::check::<closeness::Closeness>, run: closeness::answer },
        Self { name: "louvain", check: request::check::<louvain::Louvain>, run: louvain::answer },
        Self {
            name: "all_shortest_paths",
            check: request::check::<all_shortest_paths::AllShortestPaths>,
            run: all_shortest_paths::answer,
        },
        Self { name: "n_paths", check: request::check::<n_paths::NPaths>, run: n_paths::answer },
        Self {
            name: "common_neighbors",
            check: request::check::<common_neighbors::CommonNeighbors>,
            run: common_neighbors::answer,
        },
        Self {
            name: "link_prediction",
            check: request::check::<link_prediction::LinkPrediction>,
            run: link_prediction::answer,
        },
        Self { name: "betweenness", check: request::check::<betweenness::Betweenness>, run: betweenness::answer },
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

    /// Checks that it can be run with `parameters`, a JSON object. Reads no element of the graph: the run finds a
    /// property with a wrong value.
    ///
    /// # Errors
    /// [`AlgorithmError`]: a parameter is missing, unknown, out of range or not of this graph.
    pub fn check(&self, graph: &Graph, parameters: &str) -> Result<(), AlgorithmError> {
        (self.check)(graph, parameters)
    }

    /// Runs the algorithm with `parameters`, a JSON object.
    ///
    /// # Errors
    /// [`AlgorithmError`]: a parameter is missing, unknown or out of range, or `watch` stopped the work.
    pub fn run(&self, graph: &Graph, parameters: &str, watch: &dyn Watch) -> Result<Answer, AlgorithmError> {
        watch.check_stopped()?;
        (self.run)(graph, parameters, watch)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::{
        graph::{GraphBuilder, Properties, Value},
        movies,
        watch::{Stopped, tests::StopAt},
    };

    const SOURCE: &str = r#"{"source":"Sarah","target":"Sidney","k":2}"#;

    /// The parameters of `SOURCE` that this algorithm takes.
    fn parameters(name: &str) -> String {
        let all: serde_json::Map<_, _> = serde_json::from_str(SOURCE).unwrap();
        let takes: &[&str] = match name {
            "personalrank" | "sssp" | "closeness" => &["source"],
            "shortest_path" | "all_shortest_paths" | "n_paths" | "common_neighbors" | "link_prediction" => {
                &["source", "target"]
            }
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

    /// Notes every report of progress.
    #[derive(Default)]
    struct Notes(RefCell<Vec<(u64, u64)>>);

    impl Watch for Notes {
        fn check_stopped(&self) -> Result<(), Stopped> {
            Ok(())
        }

        fn progress(&self, done: u64, total: u64) {
            self.0.borrow_mut().push((done, total));
        }
    }

    /// A tree in which every vertex has three children, with some edges across.
    fn tree(vertices: u32) -> Graph {
        let mut builder = GraphBuilder::default();
        for vertex in 0..vertices {
            let id =
                ["Sarah", "Sidney"].get(vertex as usize).map_or_else(|| vertex.to_string(), ToString::to_string);
            builder.vertex(id, "v", Properties::default()).unwrap();
        }
        for vertex in 1..vertices {
            let weight = Properties::from_iter([("weight", vec![Value::from(f64::from(vertex % 7 + 1))])]);
            builder.edge((vertex - 1) / 3, vertex, "e", weight).unwrap();
            if vertex % 5 == 0 {
                builder.edge(vertex, vertex / 2, "e", Properties::default()).unwrap();
            }
        }
        builder.build()
    }

    #[test]
    fn every_algorithm_says_how_far_it_is() {
        let graph = tree(20_000);
        let source = |more: &str| format!(r#"{{"source":"Sarah"{more}}}"#);
        let mut asked: Vec<(&str, String)> =
            Algorithm::ALL.iter().map(|algorithm| (algorithm.name, parameters(algorithm.name))).collect();
        asked.extend([
            ("k_hop", source(r#","k":100"#)),
            ("sssp", source(r#","weight":"weight""#)),
            ("shortest_path", source(r#","target":"19999""#)),
            ("shortest_path", source(r#","target":"19999","weight":"weight""#)),
            ("betweenness", r#"{"k":300,"directed":false}"#.to_owned()),
            ("betweenness", r#"{"k":300,"weight":"weight"}"#.to_owned()),
        ]);
        for (name, parameters) in asked {
            let notes = Notes::default();
            Algorithm::find(name).unwrap().run(&graph, &parameters, &notes).unwrap();
            let notes = notes.0.into_inner();
            let (first, last) = (notes[0], notes[notes.len() - 1]);
            assert!(first.0 == 0 && first.1 > 0, "{name}: it begins with {first:?}");
            assert_eq!((last.0, last.1), (first.1, first.1), "{name}: it ends with all of it");
            assert!(notes.iter().all(|(done, total)| done <= total && *total == first.1), "{name}: one total");
            assert!(notes.is_sorted(), "{name}: it never goes back");
            // Work near its source ends before it reports any progress.
            let is_near = parameters.contains("\"k\":2") || parameters.contains("\"target\":\"Sidney\"");
            let between = notes.iter().any(|(done, total)| (1..*total).contains(done));
            assert!(between || is_near, "{name} {parameters}: nothing between begin and end");
        }
    }

    /// An algorithm that converges in 5 of 1,000 iterations must not report half a percent and an hour to go.
    #[test]
    fn what_converges_early_is_half_done_half_way() {
        let graph = tree(20_000);
        for name in ["label_propagation", "pagerank"] {
            let notes = Notes::default();
            Algorithm::find(name).unwrap().run(&graph, "{}", &notes).unwrap();
            let notes = notes.0.into_inner();
            let (done, total) = notes[notes.len() / 2];
            assert!(
                done * 10 >= total * 2,
                "{name}: {done} of {total} in the middle of {} iterations",
                notes.len()
            );
        }
    }

    #[test]
    fn what_a_run_would_refuse_at_once_is_refused_before_it_is_stored() {
        let graph = movies::load().unwrap();
        let mut refused = 0;
        for algorithm in Algorithm::ALL {
            let own = parameters(algorithm.name);
            assert!(algorithm.check(&graph, &own).is_ok(), "{}", algorithm.name);
            for given in [
                "{}",
                "[]",
                r#"{"nonsense":1}"#,
                r#"{"source":"nobody","k":2,"target":"Sidney"}"#,
                r#"{"source":"nobody"}"#,
                r#"{"source":"nobody","k":2}"#,
                r#"{"source":"Sarah","k":0}"#,
                r#"{"source":"Sarah","target":"nobody"}"#,
                r#"{"source":"Sarah","target":"Sidney","weight":"length"}"#,
                r#"{"source":"Sarah","weight":"length"}"#,
                r#"{"initial":"colour"}"#,
                r#"{"alpha":2}"#,
                r#"{"k":"many"}"#,
                r#"{"statistics":3}"#,
            ] {
                let run = algorithm.run(&graph, given, &StopAt::new(usize::MAX)).err();
                let checked = algorithm.check(&graph, given).err();
                let told = |error: Option<AlgorithmError>| error.map(|error| error.to_string());
                let (run, checked) = (told(run), told(checked));
                refused += usize::from(run.is_some());
                assert_eq!(checked, run, "{} {given}", algorithm.name);
            }
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn long_parameters_are_told_in_short() {
        let graph = tree(2);
        let long = "x".repeat(500_000);
        for parameters in [
            format!(r#"{{"{long}":1}}"#),
            format!(r#"{{"source":"{long}"}}"#),
            format!(r#"{{"source":["{long}"]}}"#),
            format!(r#"{{"source":"Sarah","k":"{long}"}}"#),
            format!(r#"{{"source":"Sarah","k":1,"mode":"{long}"}}"#),
        ] {
            let told = Algorithm::find("k_hop").unwrap().run(&graph, &parameters, &StopAt::new(9)).unwrap_err();
            assert!(told.to_string().len() < 1_000, "{} bytes", told.to_string().len());
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
