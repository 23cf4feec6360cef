//! The changes of later editions of the API, and the differences of its pages: row by row of the table in docs/http.md.
//! Each row is some requests to a server of the demo. Their answers are in `golden/facts`; `JOB_WRITE_GOLDEN=1` writes them anew.

use std::{collections::BTreeSet, env, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::{normal::Ids, serve::Server};

/// A row: its number, and its requests. `~` is the path of the graphs, and `ID` the first job of the row.
struct Row(&'static str, &'static [Ask]);

/// Dialect, method, path and body.
type Ask = (&'static str, &'static str, &'static str, &'static str);

const VERTICES: &str = "~/movies/vertices/action?action_id=query";
const EDGES: &str = "~/movies/edges/action?action_id=query";
const RUN: &str = "~/movies/action?action_id=execute-algorithm";
const PAGE: Ask = ("document", "GET", "~/movies/jobs/ID/status?limit=2&wait=30", "");

/// The start of an algorithm.
const fn run(body: &'static str) -> Ask {
    ("document", "POST", RUN, body)
}

/// A filter of vertices.
const fn vertices(body: &'static str) -> Ask {
    ("document", "POST", VERTICES, body)
}

const ROWS: [Row; 24] = [
    Row(
        "12.1-property",
        &[
            vertices(
                r#"{"labels":["user"],"sorts":[{"key":"property","propertyName":"Age","orderValue":"incr"}]}"#,
            ),
            PAGE,
        ],
    ),
    Row("12.1-id", &[vertices(r#"{"labels":["user"],"sorts":[{"key":"id","orderValue":"decr"}]}"#), PAGE]),
    Row(
        "12.1-label",
        &[("document", "POST", EDGES, r#"{"labels":["rate","friends"],"sorts":[{"key":"label"}]}"#), PAGE],
    ),
    Row("12.1-refused", &[vertices(r#"{"labels":["user"],"sorts":[{"key":"property"}]}"#)]),
    Row(
        "12.2-pagerank",
        &[run(r#"{"algorithmName":"pagerank","parameters":{"num_thread":99,"max_iterations":2147483647}}"#), PAGE],
    ),
    Row(
        "12.2-label_propagation",
        &[run(r#"{"algorithmName":"label_propagation","parameters":{"coveragence":0.1,"weight":"Score"}}"#), PAGE],
    ),
    Row(
        "12.2-k_hop",
        &[
            run(
                r#"{"algorithmName":"k_hop","parameters":{"source":"Sarah","k":2,"statistics":true,"num_thread":0}}"#,
            ),
            PAGE,
        ],
    ),
    Row(
        "12.2-personalrank",
        &[run(r#"{"algorithmName":"personalrank","parameters":{"source":"Sarah","weight":"Score"}}"#), PAGE],
    ),
    Row(
        "12.2-cluster_coefficient",
        &[run(r#"{"algorithmName":"cluster_coefficient","parameters":{"statistics":false}}"#), PAGE],
    ),
    Row(
        "12.2-shortest_path",
        &[
            run(
                r#"{"algorithmName":"shortest_path","parameters":{"source":"Sarah","target":"Sidney","timeWindow":{"filterName":"Datetime","filterType":"E","startTime":"1900-01-01","endTime":"2100-01-01"}}}"#,
            ),
            PAGE,
        ],
    ),
    Row(
        "12.3",
        &[
            run(
                r#"{"algorithmName":"k_hop","executionMode":"sync","limit":1,"parameters":{"source":"Sarah","k":1}}"#,
            ),
            (
                "database",
                "POST",
                RUN,
                r#"{"algorithmName":"k_hop","limit":1,"parameters":{"source":"Sarah","k":1}}"#,
            ),
            run(r#"{"algorithmName":"k_hop","executionMode":"now","parameters":{"source":"Sarah","k":1}}"#),
        ],
    ),
    Row(
        "12.4",
        &[
            ("memory-2025-rows", "POST", RUN, r#"{"algorithmName":"pagerank"}"#),
            ("memory-2025-rows", "GET", "~/movies/jobs/ID/status?limit=2&wait=30", ""),
            ("memory-2025", "GET", "~/movies/jobs/ID/status?limit=2&wait=30", ""),
        ],
    ),
    Row(
        "12.4-map",
        &[
            ("memory-2025-rows", "POST", RUN, r#"{"algorithmName":"sssp","parameters":{"source":"Sarah"}}"#),
            ("memory-2025-rows", "GET", "~/movies/jobs/ID/status?limit=2&wait=30", ""),
        ],
    ),
    Row("12.5-movies", &[vertices(r#"{"labels":["movies"]}"#), PAGE]),
    Row(
        "12.5-Datetime",
        &[
            (
                "document",
                "POST",
                EDGES,
                r#"{"edgeFilters":[{"propertyName":"Datetime","predicate":"range","values":["1900-01-01","2100-01-01"],"type":"and"}],"offset":"0","limit":"20"}"#,
            ),
            PAGE,
        ],
    ),
    Row("12.6", &[vertices(r#"{"labels":["user"],"limit":2}"#), PAGE]),
    Row(
        "12.7",
        &[
            ("document", "POST", "~/films/jobs/1/action?action_id=export-result", r#"{"exportPath":"out"}"#),
            ("database", "GET", "~/films/jobs/status", ""),
        ],
    ),
    Row(
        "12.8",
        &[
            run(r#"{ "algorithmName": "kcore" }"#),
            PAGE,
            ("document", "GET", "~/movies/jobs/status", ""),
            ("memory-2025", "GET", "~/movies/jobs/status", ""),
            ("memory-2025-rows", "GET", "~/movies/jobs/status", ""),
            ("database", "GET", "~/movies/jobs/status", ""),
        ],
    ),
    Row(
        "12.9",
        &[
            run(r#"{"algorithmName":"louvain"}"#),
            PAGE,
            (
                "document",
                "POST",
                "~/movies/jobs/ID/action?action_id=export-result",
                r#"{"exportPath":"out","fileName":"Louvain.csv","obsParameters":{"accessKey":"a","secretKey":"s"}}"#,
            ),
            (
                "document",
                "POST",
                "~/movies/jobs/ID/action?action_id=export-result",
                r#"{"exportPath":"out","paginate":{"enable":true}}"#,
            ),
            (
                "document",
                "POST",
                "~/movies/jobs/ID/action?action_id=export-result",
                r#"{"exportPath":"obs://bucket/out"}"#,
            ),
            // The job is not erased, unlike in the service.
            PAGE,
        ],
    ),
    Row(
        "12.10",
        &[
            vertices("{}"),
            ("document", "POST", EDGES, "{}"),
            ("document", "POST", "~/demo/action?action_id=execute-algorithm", r#"{"algorithmName":"pagerank"}"#),
            run(r#"{"algorithmName":"shortest_path","parameters":{"source":"nobody","target":"Sidney"}}"#),
        ],
    ),
    Row(
        "12.11",
        &[
            ("database", "GET", "~/movies/summary?label_details=true", ""),
            ("database", "GET", "~/movies/schema?label=user", ""),
            (
                "database",
                "POST",
                "~/movies/action?action_id=filtered-query",
                r#"{"executionMode":"async","vertices":["Sarah"],"filters":[{"operator":"outV"}]}"#,
            ),
            ("database", "GET", "~/movies/jobs/ID/status?limit=1&wait=30", ""),
            ("document", "POST", "~/movies/action?action_id=clear-graph", "{}"),
            ("database", "POST", "~/movies/action?action_id=clear-graph", "{}"),
        ],
    ),
    Row(
        "12.12",
        &[
            run(r#"{"algorithmName":"degree_correlation"}"#),
            PAGE,
            ("document", "GET", "/v1.0/demo/graphs/movies/jobs/ID/status", ""),
            ("document", "GET", "/v2/demo/graphs/movies/jobs/ID/status", ""),
            ("document", "GET", "/v1.0/demo/graphs/movies/jobs/1/status", ""),
        ],
    ),
    Row(
        "12.13-there",
        &[
            run(r#"{"algorithmName":"louvain","executionMode":"sync","limit":1}"#),
            run(
                r#"{"algorithmName":"all_shortest_paths","executionMode":"sync","limit":1,"parameters":{"source":"Sarah","target":"Sidney"}}"#,
            ),
            run(
                r#"{"algorithmName":"n_paths","executionMode":"sync","limit":1,"parameters":{"source":"Sarah","target":"Sidney"}}"#,
            ),
            run(
                r#"{"algorithmName":"common_neighbors","executionMode":"sync","limit":1,"parameters":{"source":"Sarah","target":"Sidney"}}"#,
            ),
            run(
                r#"{"algorithmName":"link_prediction","executionMode":"sync","parameters":{"source":"Sarah","target":"Sidney"}}"#,
            ),
            run(r#"{"algorithmName":"betweenness","executionMode":"sync","limit":1}"#),
        ],
    ),
    Row(
        "12.13-not",
        &[
            run(r#"{"algorithmName":"node2vec"}"#),
            run(r#"{"algorithmName":"realtime_recommendation"}"#),
            run(r#"{"algorithmName":"topicrank"}"#),
            run(r#"{"algorithmName":"edge_betweenness"}"#),
            run(r#"{"algorithmName":"od_betweenness"}"#),
            run(r#"{"algorithmName":"subgraph_matching"}"#),
            run(r#"{"algorithmName":"filtered_circle_detection"}"#),
            vertices(
                r#"{"vertexFilters":[{"propertyName":"Age","predicate":"full_text_match","values":["18"]}]}"#,
            ),
        ],
    ),
];

/// The answers to the requests of a row, each with its request.
fn answers(row: &Row) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let mut ids = Ids::default();
    let first = "018bcfe5-6800-7000-8000-000000000001";
    let mut ask = |(dialect, method, path, body): &Ask| {
        let path = path.replace('~', "/ges/v1.0/demo/graphs").replace("ID", &ids.restored(first));
        let (status, answer) = server.send_with(&format!("X-Job-Dialect: {dialect}"), method, &path, body);
        let answer = ids.normal(&answer);
        let path = ids.replaced(&path);
        json!({"dialect": dialect, "request": format!("{method} {path}"), "body": body, "status": status, "answer": answer})
    };
    row.1.iter().map(&mut ask).collect()
}

fn file(row: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/facts").join(format!("{row}.json"))
}

#[test]
fn every_row_of_the_facts_is_answered_as_its_golden_file_says() {
    let mut differing = Vec::new();
    for row in &ROWS {
        let found = answers(row);
        if env::var_os("JOB_WRITE_GOLDEN").is_some() {
            fs::write(file(row.0), serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        }
        let golden: Value = serde_json::from_str(&fs::read_to_string(file(row.0)).unwrap()).unwrap();
        if found != golden {
            differing.push(format!("{}: {}", row.0, serde_json::to_string_pretty(&found).unwrap()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The first lines of the file that an export of communities leaves are comments.
#[test]
fn an_exported_result_begins_with_comment_lines() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let run = "/action?action_id=execute-algorithm";
    let id = |body: &str| serde_json::from_str::<Value>(body).unwrap()["jobId"].as_str().unwrap().to_owned();
    let job = id(&server.ask("POST", run, r#"{"algorithmName":"louvain"}"#).1);
    server.ask("GET", &format!("/jobs/{job}/status?wait=30"), "");
    let export = format!("/jobs/{job}/action?action_id=export-result");
    let export = id(&server.ask("POST", &export, r#"{"exportPath":"out","fileName":"Louvain.csv"}"#).1);
    server.ask("GET", &format!("/jobs/{export}/status?wait=30"), "");
    let text = fs::read_to_string(directory.path().join("exports/out/Louvain.csv")).unwrap();
    for name in ["modularity", "community_num", "runtime", "data_total_size", "community"] {
        assert!(
            text.lines().any(|line| line.starts_with(&format!("# {name}:"))),
            "{name}: {}",
            &text[..200.min(text.len())]
        );
    }
    // A list shows no password of an export.
    let (_, listed) = server.ask("GET", "/jobs/status", "");
    assert!(!listed.contains("secretKey"), "{listed}");
}

/// docs/http.md has a line for each row, and each line has its rows here.
#[test]
fn the_table_of_facts_in_the_document_has_these_rows() {
    let text = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/http.md")).unwrap();
    let number = |name: &str| name.split('-').next().unwrap().to_owned();
    let told: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| 12.").and_then(|rest| rest.split(' ').next()))
        .map(|number| format!("12.{number}"))
        .collect();
    let tested: BTreeSet<String> = ROWS.iter().map(|row| number(row.0)).collect();
    assert_eq!(told, tested);
    assert_eq!(tested.len(), 13);
}
