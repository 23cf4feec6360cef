//! Every kind of work as a job on the sample graph: the first rows of its payload are those of `golden/`.
//!
//! After a wanted change, `UPDATE_GOLDEN=1 cargo test --release -p job-demo payloads` writes the files anew.

use std::{env, fs, path::PathBuf, sync::Arc};

use job_demo::{algorithms::Algorithm, graphs::Graphs, handlers, watch::Unwatched};
use job_runner::{Engine, FailureKind, JobSpec, JobState, Outcome, PageRequest, store::MemoryStore};
use serde_json::{Value, json};

fn engine() -> Engine {
    let graphs = Arc::new(Graphs::new("/nowhere".into()));
    handlers::register(Engine::builder(Arc::new(MemoryStore::default())), &graphs).open().unwrap()
}

fn payload(engine: &Engine, spec: JobSpec) -> Value {
    let handle = engine.submit(spec.with_graph("movies")).unwrap();
    let record = handle.wait().unwrap();
    assert_eq!(record.state, JobState::Complete(Outcome::Succeeded), "{:?}", record.failure);
    let mut body = Vec::new();
    let status = engine.reader().status(handle.id(), PageRequest::new(0, 3).unwrap()).unwrap();
    status.write_to(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn requests() -> Vec<(&'static str, JobSpec, Value)> {
    let mut requests = vec![
        (
            "vertex_filter",
            JobSpec::vertex_filter(),
            json!({"vertexFilters": [{"propertyName": "Age", "predicate": "=", "values": ["18-24"], "type": "and"}]}),
        ),
        (
            "edge_filter",
            JobSpec::edge_filter(),
            json!({"edgeFilters": [{"propertyName": "Score", "predicate": ">=", "values": ["4"]}],
                "sorts": [{"propertyName": "Datetime", "orderValue": "decr"}], "offset": "0", "limit": "20"}),
        ),
    ];
    for algorithm in Algorithm::ALL {
        let name = algorithm.name();
        let parameters = match name {
            "personalrank" => json!({"source": "Sarah", "directed": "false"}),
            "sssp" | "closeness" => json!({"source": "Sarah"}),
            "shortest_path" | "all_shortest_paths" | "n_paths" | "common_neighbors" | "link_prediction" => {
                json!({"source": "Sarah", "target": "Sidney"})
            }
            "k_hop" => json!({"source": "Sarah", "k": "2"}),
            "kcore" => json!({"k": 10}),
            "triangle_count" => json!({"statistics": false}),
            "label_propagation" => json!({"initial": "Occupation"}),
            "betweenness" => json!({"seeds": "Lee,Alice"}),
            _ => json!({}),
        };
        requests.push((name, JobSpec::algorithm(name), parameters));
    }
    requests
}

#[test]
fn payloads_are_golden() {
    let engine = engine();
    for (name, spec, parameters) in requests() {
        let mut found = payload(&engine, spec.with_parameters(&parameters).unwrap());
        let filter = name.ends_with("_filter");
        let runtime = found["data"]["outputs"].get_mut("runtime");
        assert_eq!(runtime.is_none(), filter, "{name}: an algorithm has a runtime, a filter has none");
        if let Some(runtime) = runtime {
            assert!(runtime.as_f64().is_some_and(|seconds| seconds < 60.0), "{name}: {runtime}");
            *runtime = json!(0.0);
        }
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(format!("{name}.json"));
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        }
        let golden: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(found, golden, "{name}");
    }
}

/// The keys of `data.outputs` by the pages of the API, besides `runtime`.
#[test]
fn outputs_have_the_keys_of_the_api() {
    let engine = engine();
    let paged = ["data_return_size", "data_offset", "data_total_size"];
    for (name, spec, parameters) in requests() {
        let (own, is_paged): (&[&str], bool) = match name {
            "vertex_filter" => (&["vertices"], true),
            "edge_filter" => (&["edges"], true),
            "pagerank" => (&["pagerank"], true),
            "personalrank" => (&["source", "personalrank"], true),
            "kcore" => (&["coreness"], true),
            "k_hop" => (&["vertices", "source", "k", "k_hop_neighbors"], true),
            "shortest_path" => (&["path", "source", "target"], false),
            "sssp" => (&["distance", "source"], true),
            "connected_component" => (&["Max_WCC_size", "Max_WCC_id", "community"], true),
            "label_propagation" => (&["community"], true),
            "triangle_count" => (&["triangle_count", "vertex_triangles"], true),
            "cluster_coefficient" => (&["cluster_coefficient"], false),
            "degree_correlation" => (&["degree_correlation"], false),
            "closeness" => (&["closeness", "source"], false),
            "louvain" => (&["modularity", "community_num", "community"], true),
            "all_shortest_paths" | "n_paths" => (&["paths", "paths_number", "source", "target"], true),
            "common_neighbors" => (&["vertices", "common_neighbors", "source", "target"], true),
            "link_prediction" => (&["link_prediction", "source", "target"], false),
            "betweenness" => (&["betweenness", "samples", "standard_error"], true),
            other => unreachable!("{other}"),
        };
        let mut expected: Vec<&str> = own.to_vec();
        expected.extend(paged.iter().filter(|_| is_paged));
        if !name.ends_with("_filter") {
            expected.push("runtime");
        }
        expected.sort_unstable();
        let found = payload(&engine, spec.with_parameters(&parameters).unwrap());
        let mut keys: Vec<&str> =
            found["data"]["outputs"].as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, expected, "{name}");
    }
}

/// Requests as the pages of the API show them, with the ids of their samples.
#[test]
fn bodies_copied_from_the_pages_of_the_api_are_run() {
    let engine = engine();
    let vertices = r#"{"offset":0,"limit":2,"labels":["movies","user"],
        "vertexFilters":[{"propertyName":"Age","predicate":"=","values":["18-24"]}]}"#;
    let edges = r#"{"offset":"0","limit":"20","labels":["rate"],"edgeFilters":[
        {"propertyName":"Score","predicate":">=","values":["2"]},
        {"propertyName":"Datetime","predicate":"range","values":["1998-12-27 01:00:00","2000-12-31 00:12:38"],
         "type":"or"}]}"#;
    let mut requests = vec![(JobSpec::vertex_filter(), vertices), (JobSpec::edge_filter(), edges)];
    for (name, parameters) in [
        ("pagerank", r#"{"alpha":"0.85","convergence":"0.00001","max_iterations":"1000","directed":"true"}"#),
        ("pagerank", r#"{"max_iterations":2147483647,"num_thread":100}"#),
        ("label_propagation", r#"{"coveragence":"0.00001","max_iterations":"1000","initial":""}"#),
        ("louvain", r#"{"convergence":"0.00001","max_iterations":"100","weight":""}"#),
        ("n_paths", r#"{"source":"Lee","target":"Alice","n":10,"k":5,"directed":false}"#),
        ("n_paths", r#"{"source":"Vivian","target":"Katherine","directed":"false","n":"50","k":"3"}"#),
        ("common_neighbors", r#"{"source":"Lee","target":"Alice"}"#),
        ("all_shortest_paths", r#"{"source":"Alice","target":"Jay"}"#),
        ("betweenness", r#"{"directed":true,"seeds":"Lee,Alice"}"#),
        ("k_hop", r#"{"k":2,"source":"Lee","mode":"ALL","num_thread":4,"statistics":false}"#),
    ] {
        requests.push((JobSpec::algorithm(name), parameters));
    }
    for (spec, body) in requests {
        let kind = spec.kind().to_string();
        let parameters: Value = serde_json::from_str(body).unwrap();
        let found = payload(&engine, spec.with_parameters(&parameters).unwrap());
        let rows = found["data"]["outputs"]["data_total_size"].as_u64().unwrap();
        // Two users may have no common neighbour.
        assert!(rows > 0 || kind == "common_neighbors", "{kind} {body}: {found}");
    }
}

/// The sums of several threads are added in one order, so they are those of one thread to the last digit.
#[test]
fn several_threads_compute_the_values_of_one() {
    let graphs = Arc::new(Graphs::new("/nowhere".into()).synthetic(2_000));
    let builder = Engine::builder(Arc::new(MemoryStore::default())).workers(4);
    let engine = handlers::register(builder, &graphs).open().unwrap();
    for (name, parameters) in [("betweenness", json!({"directed": false})), ("pagerank", json!({"num_thread": 4}))]
    {
        let graph = graphs.get("synthetic").unwrap();
        let alone = Algorithm::find(name).unwrap().run(graph, &parameters.to_string(), &Unwatched).unwrap();
        let list = alone.list.unwrap();
        let spec = JobSpec::algorithm(name).with_graph("synthetic").with_parameters(&parameters).unwrap();
        let job = engine.submit(spec).unwrap();
        assert_eq!(job.wait().unwrap().state, JobState::Complete(Outcome::Succeeded), "{name}");
        let mut body = Vec::new();
        engine.reader().status(job.id(), PageRequest::default()).unwrap().write_to(&mut body).unwrap();
        let found = String::from_utf8(body).unwrap();
        let rows: Vec<_> = (0..list.len()).map(|place| list.row(graph, place).unwrap()).collect();
        // Texts are compared, because reading a number may change its last digit.
        assert!(found.contains(&serde_json::to_string(&rows).unwrap()), "{name} differs");
    }
}

#[test]
fn a_job_whose_threads_work_is_cancelled() {
    let graphs = Arc::new(Graphs::new("/nowhere".into()).synthetic(20_000));
    graphs.get("synthetic").unwrap();
    let builder = Engine::builder(Arc::new(MemoryStore::default())).workers(4);
    let engine = handlers::register(builder, &graphs).open().unwrap();
    let parameters = json!({"directed": false, "k": 20_000});
    let spec = JobSpec::algorithm("betweenness").with_graph("synthetic").with_parameters(&parameters).unwrap();
    let job = engine.submit(spec).unwrap();
    // Progress shows that the first parts are done and further ones are at work.
    while job.progress().done == 0 {
        std::thread::yield_now();
    }
    engine.cancel(job.id()).unwrap();
    assert_eq!(job.wait().unwrap().state, JobState::Complete(Outcome::Cancelled));
}

#[test]
fn a_sort_keeps_to_the_memory_of_its_job() {
    let engine = engine();
    let sorted = json!({"labels": ["user", "movies"], "sorts": [{"key": "Year"}]});
    for (memory, state) in [(1 << 20, Outcome::Succeeded), (1 << 10, Outcome::Failed)] {
        let spec =
            JobSpec::vertex_filter().with_graph("movies").with_parameters(&sorted).unwrap().max_memory(memory);
        let record = engine.submit(spec).unwrap().wait().unwrap();
        assert_eq!(record.state, JobState::Complete(state), "{memory}: {:?}", record.failure);
        let told = record.failure.map(|failure| (failure.kind, failure.message));
        let over = (FailureKind::MemoryBudget, "its budget of 1024 bytes of memory is used up".to_owned());
        assert_eq!(told, (state == Outcome::Failed).then_some(over));
    }
}

#[test]
fn a_bad_request_fails_with_a_sentence() {
    let engine = engine();
    for (spec, parameters, expected) in [
        (
            JobSpec::algorithm("pagerank"),
            json!({"alpha": 2}),
            "Running algorithm [pagerank] error: parameter alpha is 2: it must be a number above 0 and below 1!",
        ),
        (
            JobSpec::vertex_filter(),
            json!({"labels": ["usr"]}),
            "Running vertex filter error: labels[0] is \"usr\": it must be one of movies, user (GES.8201)!",
        ),
    ] {
        let handle = engine.submit(spec.with_graph("movies").with_parameters(&parameters).unwrap()).unwrap();
        assert_eq!(handle.wait().unwrap().state, JobState::Complete(Outcome::Failed));
        let status = engine.reader().status(handle.id(), PageRequest::default()).unwrap();
        let mut body = Vec::new();
        status.write_to(&mut body).unwrap();
        assert_eq!(status.payload().http_status(), 400);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({"errorMessage": expected, "errorCode": "GES.8301"}));
    }
}

/// These jobs must not use a worker of a process that does not serve their graph.
#[test]
fn a_job_of_a_graph_that_is_not_served_fails_at_once_with_a_sentence() {
    let graphs = Arc::new(Graphs::new("/nowhere".into()).serving(&["movies"]));
    let engine = handlers::register(Engine::builder(Arc::new(MemoryStore::default())), &graphs).open().unwrap();
    for (graph, sentence) in [
        (
            "wordnet",
            "graph wordnet is not served here, only movies: start with --graph wordnet and submit the job again",
        ),
        ("films", "graph \"films\" is unknown: it must be one of wordnet, movies, synthetic"),
    ] {
        for (_, spec, parameters) in requests() {
            let job = engine.submit(spec.with_graph(graph).with_parameters(&parameters).unwrap()).unwrap();
            let record = job.wait().unwrap();
            assert_eq!((record.state, record.attempt), (JobState::Complete(Outcome::Failed), 1));
            assert_eq!(record.failure.unwrap().message, sentence);
        }
    }
}
