//! One request of everything, for each graph.

use job_runner::JobSpec;
use serde_json::{Error, Value, json};

use super::GraphName;

/// A vertex filter, an edge filter and every algorithm.
pub(super) fn of_everything(graph: GraphName) -> Result<Vec<JobSpec>, Error> {
    let on_graph = |spec: JobSpec, parameters: &Value| spec.with_graph(graph.as_str()).with_parameters(parameters);
    let (source, target) = match graph {
        GraphName::Wordnet => ("dog.n.02084071", "computer.n.03082979"),
        GraphName::Movies => ("Sarah", "Sidney"),
        GraphName::Synthetic => ("v0", "v1"),
    };
    let mut specs = vec![
        on_graph(JobSpec::vertex_filter(), &vertex_filter(graph))?,
        on_graph(JobSpec::edge_filter(), &edge_filter(graph))?,
    ];
    for (name, parameters) in [
        ("pagerank", json!({"alpha": "0.85", "convergence": "0.00001", "max_iterations": 1000})),
        ("personalrank", json!({"source": source, "directed": false})),
        ("kcore", json!({"k": 3})),
        ("k_hop", json!({"source": source, "k": 2, "mode": "ALL"})),
        ("shortest_path", json!({"source": source, "target": target})),
        ("sssp", json!({"source": source, "directed": true})),
        ("connected_component", json!({})),
        ("label_propagation", json!({})),
        ("triangle_count", json!({"statistics": false})),
        ("cluster_coefficient", json!({})),
        ("degree_correlation", json!({})),
        ("closeness", json!({"source": source})),
        ("louvain", json!({})),
        ("all_shortest_paths", json!({"source": source, "target": target})),
        ("n_paths", json!({"source": source, "target": target, "k": 10})),
        ("common_neighbors", json!({"source": source, "target": target})),
        ("link_prediction", json!({"source": source, "target": target})),
        ("betweenness", json!({"k": 20})),
    ] {
        specs.push(on_graph(JobSpec::algorithm(name), &parameters)?);
    }
    Ok(specs)
}

fn vertex_filter(graph: GraphName) -> Value {
    let (property, value) = match graph {
        GraphName::Wordnet => ("category", "noun.animal"),
        GraphName::Movies => ("Age", "18-24"),
        GraphName::Synthetic => return json!({"labels": ["company"]}),
    };
    json!({"vertexFilters": [{"propertyName": property, "predicate": "=", "values": [value], "type": "and"}]})
}

fn edge_filter(graph: GraphName) -> Value {
    match graph {
        GraphName::Wordnet => json!({"labels": ["antonym", "derivation"]}),
        GraphName::Movies => json!({
            "labels": ["rate"],
            "edgeFilters": [{"propertyName": "Score", "predicate": "range", "values": [4, 5]}],
            "sorts": [{"key": "Datetime", "orderValue": "decr"}],
        }),
        GraphName::Synthetic => json!({"labels": ["knows"]}),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum;
    use job_demo::{algorithms::Algorithm, check::check, graphs::Graphs};

    use super::*;

    #[test]
    fn every_algorithm_is_asked_for_once() {
        for graph in GraphName::value_variants().iter().copied() {
            let specs = of_everything(graph).unwrap();
            let kinds: BTreeSet<_> = specs.iter().map(|spec| spec.kind().to_string()).collect();
            assert_eq!((specs.len(), kinds.len()), (20, 20));
            assert!(Algorithm::ALL.iter().all(|algorithm| kinds.contains(algorithm.name())));
        }
    }

    #[test]
    fn what_is_asked_of_a_graph_that_is_made_up_can_be_run() {
        let graphs = Graphs::new("/nowhere".into()).synthetic(20);
        for graph in [GraphName::Movies, GraphName::Synthetic] {
            for spec in of_everything(graph).unwrap() {
                assert_eq!(check(&graphs, &spec), Ok(()), "{}", spec.kind());
            }
        }
    }
}
