//! The `OpenAPI` document and the page.

use std::collections::BTreeSet;

use axum::{body::Body, http::Request};
use job_http::{Api, Dialect, Surface};
use job_runner::JobSpec;
use serde_json::Value;
use tower::ServiceExt;

use crate::host::{service, with};

#[tokio::test]
async fn the_document_describes_every_operation() {
    let service = with(|api| api.exports().operator().metrics(String::new));
    let document = service.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.json();
    let mut operations: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    operations.sort_unstable();
    assert_eq!(
        operations,
        [
            "cancelJob",
            "completeVertices",
            "countJobs",
            "downloadRows",
            "executeAlgorithm",
            "explainJob",
            "exportJobResult",
            "figures",
            "health",
            "listGraphs",
            "listJobs",
            "listKinds",
            "metrics",
            "operatorCancelJob",
            "operatorCountJobs",
            "operatorJobRows",
            "operatorJobs",
            "operatorViewJob",
            "overviewJobs",
            "queryEdges",
            "queryVertices",
            "showJobStatus",
            "viewJob",
            "watchJob",
        ]
    );
    let status = &document["paths"]["/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/status"]["get"];
    let codes: Vec<&String> = status["responses"].as_object().unwrap().keys().collect();
    for code in ["200", "400", "401", "403", "404", "500", "503"] {
        assert!(codes.iter().any(|known| *known == code), "{code}");
    }
    let limit =
        status["parameters"].as_array().unwrap().iter().find(|parameter| parameter["name"] == "limit").unwrap();
    assert_eq!((&limit["schema"]["maximum"], &limit["schema"]["default"]), (&100_000.into(), &100_000.into()));
}

/// The schema of a parameter of a query.
fn parameter(document: &Value, path: &str, name: &str) -> Value {
    let all =
        &document["paths"][format!("/ges/v1.0/{{projectId}}/graphs/{{graphName}}{path}")]["get"]["parameters"];
    all.as_array().unwrap().iter().find(|parameter| parameter["name"] == name).unwrap()["schema"].clone()
}

/// Every value inside `json`, with its name.
fn each(json: &Value, name: &str, see: &mut impl FnMut(&str, &Value)) {
    see(name, json);
    match json {
        Value::Object(members) => members.iter().for_each(|(name, value)| each(value, name, see)),
        Value::Array(values) => values.iter().for_each(|value| each(value, name, see)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_tells_the_true_limits_numbers_and_rows() {
    let service = with(Api::exports);
    let document = service.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.json();
    for (path, most) in [("/jobs/overview", 1_000), ("/jobs/status", 100_000), ("/jobs/{jobId}/status", 100_000)] {
        let limit = parameter(&document, path, "limit");
        assert_eq!((&limit["maximum"], &limit["default"]), (&most.into(), &most.into()), "{path}");
        assert_eq!(service.get(&format!("/jobs/overview?limit={most}")).await.status == 200, most == 1_000);
    }
    let mut formats = BTreeSet::new();
    each(&document, "", &mut |name, value| {
        let Some(text) = value.as_str() else { return };
        if name == "format" {
            formats.insert(text.to_owned());
        }
        if name == "$ref" {
            let path = text.trim_start_matches('#');
            assert!(document.pointer(path).is_some_and(Value::is_object), "{value} is not there");
        }
    });
    // `int32` is the format of the seconds of `Retry-After`.
    assert_eq!(formats.into_iter().collect::<Vec<_>>(), ["double", "int32", "int8", "uint32", "uint64", "uint8"]);
    let schemas = &document["components"]["schemas"];
    let outputs = &schemas["StatusOutputs"]["properties"];
    for (list, row) in [("vertices", "VertexRow"), ("edges", "EdgeRow")] {
        assert!(outputs[list].to_string().contains(&format!("#/components/schemas/{row}")), "{}", outputs[list]);
        assert!(schemas[row]["properties"]["properties"]["additionalProperties"].is_object(), "{}", schemas[row]);
    }
    assert!(schemas["Steps"]["properties"]["tasks"].to_string().contains("#/components/schemas/Part"));
    assert!(schemas["Part"]["properties"]["tasks"].to_string().contains("#/components/schemas/Part"));
}

#[tokio::test]
async fn the_page_is_served_when_the_host_wants_it() {
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    assert_eq!(service().send(get("/")).await.status, 404);
    let service = with(|api| api.page("demo"));
    let page = service.send(get("/")).await;
    assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    assert_eq!(service.send(get("/page/config.json")).await.body, r#"{"project":"demo"}"#);
    for asset in ["/page/jobs.js", "/page/rows.js", "/page/words.js", "/page/style.css"] {
        assert_eq!(service.send(get(asset)).await.status, 200, "{asset}");
    }
}

/// Without a slash at the end of the page's path, a browser takes relative addresses to be beside the path.
#[tokio::test]
async fn the_page_finds_its_files_where_a_host_nests_it() {
    let service = with(|api| api.page("demo"));
    let nested = axum::Router::new().nest("/x/y", service.router.clone());
    let ask = |path: &str| nested.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
    let page = axum::body::to_bytes(ask("/x/y").await.unwrap().into_body(), usize::MAX).await.unwrap();
    assert!(String::from_utf8_lossy(&page).contains(r#"src="./y/page/jobs.js""#));
    assert_eq!(ask("/x/y/page/jobs.js").await.unwrap().status(), 200);
}

/// The alias of the management plane and the lists of every dialect are in the document as they are served.
#[tokio::test]
async fn the_document_describes_the_alias_and_both_forms_of_a_list() {
    let managed = Surface::builder().management_alias().build().unwrap();
    let service = with(|api| api.surfaces([managed]));
    let document = service.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.json();
    for (version, member) in [("v1.0", "jobId"), ("v2", "job_id")] {
        let path = format!("/{version}/{{projectId}}/graphs/{{graphName}}/jobs/{{jobId}}/status");
        let schema = &document["paths"][&path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        assert!(document["components"]["schemas"][name]["properties"][member].is_object(), "{version}");
    }
    let entry = &document["components"]["schemas"]["Entry"];
    let required = entry["required"].as_array().unwrap();
    assert_eq!(required, &["jobId", "status"].map(Value::from));
    for dialect in Dialect::ALL {
        let service = with(|api| api.dialect(dialect));
        service.submit(JobSpec::vertex_filter());
        let list = service.get("/jobs/status").await.json();
        for name in list["jobs"][0].as_object().unwrap().keys() {
            assert!(entry["properties"][name].is_object(), "{}: {name}", dialect.name());
        }
        let body = &document["components"]["schemas"]["JobListBody"]["properties"];
        for name in list.as_object().unwrap().keys() {
            assert!(body[name].is_object(), "{}: {name}", dialect.name());
        }
    }
}
