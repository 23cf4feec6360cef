//! The `OpenAPI` document and the page.

use axum::{body::Body, http::Request};
use job_http::Api;

use crate::host::{service, with};

#[tokio::test]
async fn the_document_describes_every_operation() {
    let service = with(Api::exports);
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
            "executeAlgorithm",
            "explainJob",
            "exportJobResult",
            "health",
            "listGraphs",
            "listJobs",
            "overviewJobs",
            "queryEdges",
            "queryVertices",
            "showJobStatus",
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
