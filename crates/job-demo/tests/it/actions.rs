//! The actions and lookups of the demo, over a socket and on the command line.

use serde_json::{Value, json};

use crate::serve::{Server, command};

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

/// A server, and the id of one of its users.
fn server(directory: &std::path::Path) -> (Server, String) {
    let server = Server::start(directory);
    let (_, users) = server.ask(
        "POST",
        "/action?action_id=filtered-query",
        r#"{"filters":[{"operator":"vertex","vertex_filter":{"property_filter":
            {"leftvalue":{"label_name":"labelName"},"predicate":"=","rightvalue":{"value":"user"}}}}]}"#,
    );
    let id = json(&users)["data"]["vertices"][0]["id"].as_str().unwrap().to_owned();
    (server, id)
}

#[test]
fn a_filtered_query_answers_at_once_or_as_a_job() {
    let directory = tempfile::tempdir().unwrap();
    let (server, user) = server(directory.path());
    let query = |mode: &str| json!({"executionMode": mode, "vertices": [user], "filters": [{"operator": "out"}, {"operator": "inV"}]});
    let path = "/action?action_id=filtered-query";
    let (status, body) = server.ask("POST", path, &query("sync").to_string());
    let at_once = json(&body);
    assert_eq!(status, 200, "{body}");
    let rows = at_once["data"]["vertices"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["id"].is_string()), "{body}");
    let (_, body) = server.ask("POST", path, &query("async").to_string());
    let id = json(&body)["jobId"].as_str().unwrap().to_owned();
    let (_, body) = server.ask("GET", &format!("/jobs/{id}/status?wait=30"), "");
    assert_eq!(&json(&body)["data"]["outputs"]["vertices"], &at_once["data"]["vertices"]);
    let (_, listed) = server.ask("GET", "/jobs/status?kind=action:filtered-query&limit=1", "");
    assert_eq!(json(&listed)["jobs"][0]["taskType"], "FilteredQuery");
    let (status, body) = server.ask("POST", path, r#"{"vertices":["nobody"],"filters":[{"operator":"out"}]}"#);
    assert_eq!((status, &json(&body)["errorCode"]), (400, &json!("GES.8806")));
}

#[test]
fn the_small_graph_is_cleared_for_real_and_its_summary_and_schema_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = server(directory.path());
    let (_, summary) = server.ask("GET", "/summary?label_details=true", "");
    let data = &json(&summary)["data"];
    let counted: u64 =
        data["labelDetails"]["labelInVertex"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!((data["vertexNum"].as_u64(), counted), (Some(160), 160), "{summary}");
    let (_, schema) = server.ask("GET", "/schema?label=user", "");
    assert_eq!(json(&schema)["data"]["type"], "vertex", "{schema}");
    assert!(
        json(&schema)["data"]["properties"].as_array().unwrap().iter().any(|property| property["name"] == "Age")
    );
    let (status, body) = server.ask("GET", "/schema?label=actor", "");
    assert_eq!((status, &json(&body)["errorCode"]), (400, &json!("GES.8803")));

    let cleared = command(directory.path()).args(["submit", "action:clear-graph", "--wait"]).output().unwrap();
    assert!(cleared.status.success(), "{}", String::from_utf8_lossy(&cleared.stderr));
    let (_, summary) = server.ask("GET", "/summary", "");
    assert_eq!(json(&summary), json!({"data": {"vertexNum": 0, "edgeNum": 0}}));
    let (_, schema) = server.ask("GET", "/schema", "");
    assert_eq!(json(&schema), json!({"data": {"schema": []}}));
}

#[test]
fn the_neutral_surface_and_the_alias_of_the_management_plane_are_served() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let (status, body) = server.post("/v1/graphs/movies/jobs", r#"{"kind":"kcore","parameters":{}}"#);
    assert_eq!(status, 202, "{body}");
    let id = json(&body)["id"].as_str().unwrap().to_owned();
    let job = json(&server.get(&format!("/v1/graphs/movies/jobs/{id}?wait=30")));
    assert_eq!(job["state"], "succeeded");
    let managed = json(&server.get(&format!("/v1.0/demo/graphs/movies/jobs/{id}/status")));
    assert_eq!((&managed["status"], &managed["relatedGraph"]), (&json!("success"), &json!("movies")));
}
