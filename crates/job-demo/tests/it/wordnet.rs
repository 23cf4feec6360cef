//! Facts about `WordNet`, each also computed by other means. Skipped without `WordNet`.

use std::{env, path::PathBuf, sync::OnceLock};

use job_demo::{
    algorithms::{
        closeness::{self, Closeness},
        cluster_coefficient, connected_component,
        degree_correlation::{self, DegreeCorrelation},
        k_hop::{self, KHop},
        kcore,
        pagerank::{self, PageRank},
        sssp::{self, Sssp},
        triangle_count,
    },
    filter::{Filter, Subject},
    graph::{Direction, Graph},
    watch::{Stopped, Unwatched},
    wordnet,
};

const DOG: &str = "dog.n.02084071";

fn graph() -> Option<&'static Graph> {
    static GRAPH: OnceLock<Option<Graph>> = OnceLock::new();
    // The directory of WordNet that the set-up found, if it is not the usual one.
    let named = env::var_os("JOB_ENGINE_WORDNET").map(PathBuf::from);
    let directory = named.unwrap_or_else(|| wordnet::DEFAULT_DIRECTORY.into());
    let graph = GRAPH.get_or_init(|| directory.exists().then(|| wordnet::load(&directory).unwrap())).as_ref();
    if graph.is_none() {
        test_servers::skip("WordNet is not installed (`sudo apt-get install wordnet-base`)");
    }
    graph
}

#[test]
fn its_components_and_triangles() {
    let Some(graph) = graph() else { return };
    let components = connected_component::components(graph, &Unwatched).unwrap();
    assert_eq!(components.largest_size, 115_426);
    assert_eq!(components.largest.map(|vertex| graph.id(vertex)), Some("entity.n.00001740"));
    assert_eq!((0..).zip(&components.first).filter(|(vertex, first)| vertex == *first).count(), 1_377);
    assert_eq!(triangle_count::triangles(graph, &Unwatched).unwrap().total, 10_616);
    let coefficient = cluster_coefficient::mean(&cluster_coefficient::coefficients(graph, &Unwatched).unwrap());
    assert!((coefficient - 0.048_342_559_725_5).abs() < 1e-12, "{coefficient}");
}

#[test]
fn its_vertices_without_pointers_are_found_whatever_the_sign_of_zero() {
    let Some(graph) = graph() else { return };
    for zero in ["0", "-0", "-0.0", "\"-0\"", "0.0", "0e5"] {
        let body =
            format!(r#"{{"vertexFilters":[{{"propertyName":"pointers","predicate":"=","values":[{zero}]}}]}}"#);
        let filter = Filter::compile(&body, Subject::Vertices, graph).unwrap();
        let mut found = 0;
        let counted = filter.select(graph.vertices(), &Unwatched, |_| {
            found += 1;
            Ok::<_, Stopped>(())
        });
        assert_eq!((counted, found), (Ok(()), 1_009), "{zero}");
    }
}

#[test]
fn its_cores() {
    let Some(graph) = graph() else { return };
    let mut sizes = [0; 6];
    for core in kcore::coreness(graph, &Unwatched).unwrap() {
        sizes[core as usize] += 1;
    }
    assert_eq!(sizes, [1_009, 48_302, 49_928, 18_004, 380, 36]);
}

#[test]
fn the_neighbourhood_of_the_dog() {
    let Some(graph) = graph() else { return };
    let hops = KHop { source: DOG.to_owned(), k: 3, mode: Direction::Both, statistics: false, num_thread: 1 };
    assert_eq!(k_hop::k_hop(graph, &hops, &Unwatched).unwrap().len(), 746);
    let near = closeness::closeness(graph, &Closeness { source: DOG.to_owned() }, &Unwatched).unwrap();
    assert!((near - 0.134_565_101_077_6).abs() < 1e-12, "{near}");
    let params = Sssp { source: DOG.to_owned(), weight: None, directed: true };
    let distances = sssp::distances(graph, &params, &Unwatched).unwrap();
    assert_eq!((distances.len(), distances.last().map(|row| row.1)), (111_743, Some(13.0)));
}

#[test]
fn its_ranks_and_degrees() {
    let Some(graph) = graph() else { return };
    let ranks = pagerank::pagerank(graph, &PageRank::default(), &Unwatched).unwrap();
    assert!((ranks.values.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(ranks.change < PageRank::default().convergence);
    let city = graph.find("city.n.08524735").unwrap();
    assert!((ranks.values[city as usize] - 0.001_272_36).abs() < 1e-7, "{}", ranks.values[city as usize]);
    let params = DegreeCorrelation { directed: true };
    let correlation = degree_correlation::degree_correlation(graph, &params, &Unwatched).unwrap();
    assert!((correlation + 0.073_114_255_138).abs() < 1e-11, "{correlation}");
}
