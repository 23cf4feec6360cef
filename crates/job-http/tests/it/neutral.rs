//! The surface that names no service, and surfaces of the host's own.

use std::sync::Arc;

use axum::{body::Body, http::Request};
use job_http::{Api, Dialect, Graph, GraphCatalog, HostAction, Surface};
use job_runner::{JobContext, JobError, JobId, JobSpec, store::MemoryStore};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::host::{Answer, Service, builder, over, row, service, with};

const JOBS: &str = "/v1/demo/graphs/movies/jobs";

/// The service's surface, and a neutral one below `/v1`.
fn both(api: Api) -> Api {
    let neutral = Surface::builder().prefix("/v1/{projectId}").neutral().build().unwrap();
    api.surfaces([Surface::service(), neutral]).action(HostAction::new("clear-graph"))
}

impl Service {
    async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        self.send(request).await
    }
}

#[tokio::test]
async fn a_job_goes_from_start_to_end_without_the_name_of_a_service() {
    let service = with(both);
    let body = r#"{"kind":"vertex_filter","parameters":{"rows":3},"owner":"Sarah","labels":["nightly"],
        "againOf":"018bcfe5-6800-7000-8000-000000000000"}"#;
    let submitted = service.ask("POST", JOBS, body).await;
    let id = submitted.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(submitted.status, 202);
    assert_eq!(submitted.headers["location"], format!("{JOBS}/{id}"));
    let record = service.engine.reader().record(id.parse().unwrap()).unwrap().unwrap();
    assert_eq!(record.spec.options().again_of.unwrap().to_string(), "018bcfe5-6800-7000-8000-000000000000");
    let waiting = json!({"id": id, "kind": "vertex_filter", "state": "waiting", "progress": 0, "attempt": 0, "rows": 0,
        "submittedAt": "2024-05-23T09:54:00.000000Z"});
    assert_eq!(submitted.json(), waiting);
    assert_eq!(service.ask("GET", &format!("{JOBS}/{id}"), "").await.json(), waiting);
    let unfinished = service.ask("GET", &format!("{JOBS}/{id}/result"), "").await;
    assert_eq!((unfinished.status.as_u16(), &unfinished.json()["code"]), (409, &json!("job_unfinished")));

    service.engine.driver().run_until_idle();
    let done = service.ask("GET", &format!("{JOBS}/{id}?wait=10"), "").await.json();
    assert_eq!((&done["state"], &done["rows"], &done["progress"]), (&json!("succeeded"), &json!(3), &json!(100)));
    let page = service.ask("GET", &format!("{JOBS}/{id}/result?offset=1&limit=1"), "").await;
    let expected = json!({"outputs": {}, "list": "vertices", "offset": 1, "total": 3, "rows": [row(1)]});
    assert_eq!(page.json(), expected);
    let tag = page.headers["etag"].to_str().unwrap();
    let again = Request::get(format!("{JOBS}/{id}/result?offset=1&limit=1")).header("If-None-Match", tag);
    assert_eq!(service.send(again.body(Body::empty()).unwrap()).await.status, 304);
    let explained = service.ask("GET", &format!("{JOBS}/{id}/explain"), "").await.json();
    assert_eq!(explained["state"], "succeeded");

    for query in ["", "?owner=Sarah&label=nightly&state=succeeded", "?kind=vertex_filter"] {
        let listed = service.ask("GET", &format!("{JOBS}{query}"), "").await.json();
        assert_eq!(listed["jobs"], json!([done]), "{query}");
    }
    assert_eq!(service.ask("GET", &format!("{JOBS}?kind=edge_filter"), "").await.json(), json!({"jobs": []}));
}

#[tokio::test]
async fn pages_of_the_list_follow_their_cursor() {
    let service = with(both);
    let ids: Vec<JobId> = (0..3).map(|_| service.submit(JobSpec::vertex_filter())).collect();
    let mut found = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = service.ask("GET", &format!("{JOBS}{query}"), "").await.json();
        let jobs = page["jobs"].as_array().unwrap();
        found.extend(jobs.iter().map(|job| job["id"].as_str().unwrap().parse::<JobId>().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=2&before={next}");
    }
    found.reverse();
    assert_eq!(found, ids);
}

#[tokio::test]
async fn a_cancel_has_no_body_and_is_repeated_without_harm() {
    let service = with(both);
    let id = service.submit(JobSpec::vertex_filter());
    for _ in 0..2 {
        let cancelled = service.ask("DELETE", &format!("{JOBS}/{id}"), "").await;
        assert_eq!((cancelled.status.as_u16(), cancelled.body.as_str()), (204, ""));
    }
    let result = service.ask("GET", &format!("{JOBS}/{id}/result"), "").await;
    assert_eq!((result.status.as_u16(), &result.json()["code"]), (409, &json!("job_cancelled")));
    let done = service.run(JobSpec::algorithm("path"));
    let late = service.ask("DELETE", &format!("{JOBS}/{done}"), "").await;
    assert_eq!((late.status.as_u16(), &late.json()["code"]), (409, &json!("job_not_cancellable")));
}

#[tokio::test]
async fn every_error_is_problem_details() {
    let service = with(both);
    let failed = service.run(JobSpec::algorithm("shortest_path"));
    let done = service.run(JobSpec::algorithm("path"));
    for (method, path, body, status, code) in [
        ("GET", format!("{JOBS}/1"), "", 404, "unknown_job"),
        ("DELETE", format!("{JOBS}/1"), "", 404, "unknown_job"),
        ("GET", format!("{JOBS}/1/explain"), "", 404, "unknown_job"),
        ("GET", format!("{JOBS}/{failed}/result"), "", 409, "job_failed"),
        ("GET", format!("{JOBS}/{done}/result?limit=0"), "", 400, "invalid_parameter"),
        ("GET", "/v1/demo/graphs/films/jobs".to_owned(), "", 404, "not_found"),
        ("GET", format!("/v1/other/graphs/movies/jobs/{done}"), "", 404, "unknown_job"),
        ("PUT", JOBS.to_owned(), "", 405, "not_found"),
        ("POST", JOBS.to_owned(), "[]", 400, "invalid_parameter"),
        ("POST", JOBS.to_owned(), "{}", 400, "invalid_parameter"),
        ("POST", JOBS.to_owned(), r#"{"kind":"path","k":1}"#, 400, "invalid_parameter"),
        ("POST", JOBS.to_owned(), r#"{"kind":"path","parameters":[]}"#, 400, "invalid_parameter"),
        ("POST", JOBS.to_owned(), r#"{"kind":"nonsense"}"#, 400, "algorithm_refused"),
        ("POST", JOBS.to_owned(), r#"{"kind":"export-result"}"#, 400, "algorithm_refused"),
        ("POST", JOBS.to_owned(), r#"{"kind":"action:import"}"#, 400, "invalid_parameter"),
    ] {
        let answer = service.ask(method, &path, body).await;
        let problem = answer.json();
        assert_eq!(
            (answer.status.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{method} {path} {body}"
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        assert_eq!((&problem["type"], &problem["status"]), (&json!("about:blank"), &json!(status)));
        assert!(
            !problem["detail"].as_str().unwrap().is_empty() && !answer.body.contains("GES."),
            "{}",
            answer.body
        );
    }
}

#[tokio::test]
async fn an_action_of_the_host_is_submitted_by_its_kind() {
    let service = with(both);
    let answer = service.ask("POST", JOBS, r#"{"kind":"action:clear-graph","parameters":{"a": 1.50}}"#).await;
    let id: JobId = answer.json()["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(answer.json()["kind"], "action:clear-graph");
    let spec = service.engine.job(id).unwrap().unwrap().record().spec;
    assert_eq!((spec.parameters().as_str(), spec.graph()), (r#"{"a": 1.50}"#, "demo/movies"));
}

#[tokio::test]
async fn a_client_may_prefer_to_wait_for_the_result() {
    let service = with(both);
    let ask = |seconds: &str| {
        let request = Request::post(JOBS).header("Prefer", format!("handling=lenient, wait={seconds}"));
        let request = request.body(Body::from(r#"{"kind":"path"}"#)).unwrap();
        let router = service.router.clone();
        tokio::spawn(async move { Answer::of(router.oneshot(request).await.unwrap()).await })
    };
    let waiting = ask("20");
    while service.engine.reader().list(job_runner::PageRequest::default()).unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    service.engine.driver().run_until_idle();
    let answer = waiting.await.unwrap();
    let expected = json!({"outputs": {"path": ["46", "133", "130", "78"], "source": "46", "target": "78"}});
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    tokio::time::pause();
    let answer = ask("1").await.unwrap();
    assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (202, &json!("waiting")));
    assert_eq!(answer.headers["preference-applied"], "respond-async");
}

#[derive(Debug)]
struct OneGraph;

impl GraphCatalog for OneGraph {
    fn find(&self, project: &str, name: &str) -> Option<Graph> {
        (project == "mine" && name == "movies").then(|| Graph::new("movies"))
    }
}

/// `/jobs`, as short as it can be.
#[tokio::test]
async fn a_host_with_one_graph_has_neither_graph_nor_project_in_its_paths() {
    let engine = Arc::new(builder(Arc::new(MemoryStore::default())).open().unwrap());
    let surface = Surface::builder().neutral().project("mine").graph("movies").build().unwrap();
    let router = Api::new(Arc::clone(&engine), OneGraph).surfaces([surface]).router();
    let service = Service { engine, router };
    let id = service.ask("POST", "/jobs", r#"{"kind":"path"}"#).await.json()["id"].as_str().unwrap().to_owned();
    service.engine.driver().run_until_idle();
    assert_eq!(service.ask("GET", &format!("/jobs/{id}"), "").await.json()["state"], "succeeded");
    let nowhere = service.ask("GET", "/ges/v1.0/mine/graphs/movies/jobs/status", "").await;
    assert_eq!((nowhere.status.as_u16(), &nowhere.json()["code"]), (404, &json!("not_found")));
}

/// The words of the service at a path of the host's own, with codes of its own.
#[tokio::test]
async fn prefix_dialect_and_codes_are_the_hosts() {
    let surface = Surface::builder().prefix("/graphs-of-mine/{projectId}").dialect(Dialect::Memory2025);
    let surface = surface.code("GES.8301", "MINE-1").code("GES.8006", "MINE-2").build().unwrap();
    let service = with(|api| api.surfaces([surface]));
    let base = "/graphs-of-mine/demo/graphs/movies";
    let failed = service.run(JobSpec::algorithm("shortest_path"));
    let message = "Running algorithm [shortest_path] error: parameter [source] is invalid!";
    let answer = service.ask("GET", &format!("{base}/jobs/{failed}/status"), "").await;
    let expected = json!({"errorMessage": message, "errorCode": "MINE-1", "status": "failed"});
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    assert_eq!(service.ask("GET", &format!("{base}/jobs/1/status"), "").await.error().1, "MINE-1");
    assert_eq!(service.ask("GET", "/ges/v1.0/demo/graphs/movies/jobs/status", "").await.error().1, "MINE-2");
}

#[tokio::test]
async fn a_client_chooses_the_dialect_where_the_host_lets_it() {
    let surface = Surface::builder().dialect_by_header().build().unwrap();
    let open = with(|api| api.surfaces([surface]));
    let closed = service();
    for (service, varies, header, expected) in [
        (&open, true, "database", r#"{"status":"pending","result":"success"}"#),
        (&open, true, "memory-2025", r#"{"status":"pending"}"#),
        (&open, true, "document", r#"{"status":"waiting"}"#),
        (&closed, false, "database", r#"{"status":"waiting"}"#),
    ] {
        let id = service.submit(JobSpec::vertex_filter());
        let path = format!("/ges/v1.0/demo/graphs/movies/jobs/{id}/status");
        let asked = Request::get(path).header("X-Job-Dialect", header).body(Body::empty()).unwrap();
        let answer = service.send(asked).await;
        assert_eq!(answer.body, expected, "{header}");
        assert_eq!(answer.headers.get_all("vary").iter().any(|value| value == "x-job-dialect"), varies);
    }
    let asked = Request::get("/ges/v1.0/demo/graphs/movies/jobs/1/status").header("X-Job-Dialect", "later");
    let (status, _, message) = open.send(asked.body(Body::empty()).unwrap()).await.error();
    assert_eq!(
        (status, message.as_str()),
        (
            400,
            "header X-Job-Dialect is later: it must be one of document, memory-2025, memory-2025-rows, database"
        )
    );
}

/// The bodies of the document's edition are the same, so a header tells the endings apart.
#[tokio::test]
async fn endings_are_told_apart_by_a_header() {
    let service = service();
    let cancelled = service.submit(JobSpec::vertex_filter());
    service.engine.job(cancelled).unwrap().unwrap().cancel().unwrap();
    let waiting = service.submit(JobSpec::vertex_filter());
    let failed = service.run(JobSpec::algorithm("shortest_path"));
    let succeeded = service.run(JobSpec::algorithm("path"));
    let waits = service.submit(JobSpec::vertex_filter());
    let unknown = "1".to_owned();
    for (id, ending) in [
        (cancelled.to_string(), Some("cancelled")),
        (waiting.to_string(), Some("succeeded")),
        (failed.to_string(), Some("failed")),
        (succeeded.to_string(), Some("succeeded")),
        (waits.to_string(), None),
        (unknown, Some("unknown")),
    ] {
        let answer = service.get(&format!("/jobs/{id}/status")).await;
        let found = answer.headers.get("x-job-ending").map(|value| value.to_str().unwrap());
        assert_eq!(found, ending, "{id}");
    }
}

#[tokio::test]
async fn the_management_plane_has_its_alias() {
    let surface = Surface::builder().management_alias().build().unwrap();
    let service = with(|api| api.surfaces([surface]));
    let failed = service.run(JobSpec::algorithm("shortest_path"));
    let path = |version| format!("/{version}/demo/graphs/movies/jobs/{failed}/status");
    let v1 = service.ask("GET", &path("v1.0"), "").await.json();
    assert_eq!(
        v1,
        json!({"jobId": failed.to_string(), "status": "failed", "jobType": "GraphManagement", "jobName": "Algorithm",
            "relatedGraph": "movies", "beginTime": "2024-05-23T09:54:00", "endTime": "2024-05-23T09:54:00",
            "failReason": "Running algorithm [shortest_path] error: parameter [source] is invalid!",
            "jobProgress": 100.0})
    );
    let v2 = service.ask("GET", &path("v2"), "").await.json();
    assert_eq!((&v2["job_id"], &v2["fail_reason"]), (&v1["jobId"], &v1["failReason"]));
    let unknown = service.ask("GET", "/v1.0/demo/graphs/movies/jobs/1/status", "").await.error();
    assert_eq!((unknown.0, unknown.1.as_str()), (400, "GES.8301"));
    let body = service.ask("GET", "/v1.0/demo/graphs/movies/jobs/1/status", "").await.json();
    assert_eq!(body["errorMsg"], body["errorMessage"]);
    let without = self::service().send(Request::get(path("v1.0")).body(Body::empty()).unwrap()).await;
    assert_eq!(without.status, 404);
}

#[tokio::test]
async fn the_document_has_every_surface() {
    let service = with(both);
    let document: Value = service.ask("GET", "/openapi.json", "").await.json();
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/status",
        "/v1/{projectId}/graphs/{graphName}/jobs",
        "/health",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    let mut ids: Vec<&str> = Vec::new();
    for (path, methods) in paths {
        for operation in methods.as_object().unwrap().values() {
            ids.push(operation["operationId"].as_str().unwrap());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                assert!(parameter["in"] != "path" || path.contains(&format!("{{{name}}}")), "{path} {name}");
            }
        }
    }
    let number = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), number);
    let problem =
        &document["paths"]["/v1/{projectId}/graphs/{graphName}/jobs"]["post"]["responses"]["400"]["content"];
    assert!(problem["application/problem+json"]["schema"]["$ref"].as_str().unwrap().ends_with("/Problem"));
}

/// A handler that fails is told with its reason.
#[tokio::test]
async fn a_failed_job_has_its_reason() {
    let engine = builder(Arc::new(MemoryStore::default()));
    let engine = engine.algorithm("fails", |_: &mut JobContext| Err(JobError::failed("k is 0")));
    let service = over(Arc::new(engine.open().unwrap()), both);
    let id = service.run(JobSpec::algorithm("fails"));
    let job = service.ask("GET", &format!("{JOBS}/{id}"), "").await.json();
    assert_eq!(
        (&job["state"], &job["reason"]),
        (&json!("failed"), &json!("Running algorithm [fails] error: k is 0!"))
    );
}

#[tokio::test]
async fn a_graph_that_is_not_there_has_the_code_of_its_page() {
    let service = with(Api::exports);
    let export = "/ges/v1.0/demo/graphs/films/jobs/1/action?action_id=export-result";
    let answer = service.ask("POST", export, "{}").await.error();
    assert_eq!(answer, (400, "GES.8011".to_owned(), "graph [films] is not found".to_owned()));
    let database = with(|api| api.dialect(Dialect::Database));
    let listed = database.ask("GET", "/ges/v1.0/demo/graphs/films/jobs/status", "").await;
    assert_eq!(listed.status, 400);
    let expected = json!({"errorMessage": "graph : films not exist", "errorCode": "GES.8000", "result": "failed"});
    assert_eq!(listed.json(), expected);
}
