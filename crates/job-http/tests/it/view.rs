//! All that is known about one job, the kinds of work, and what a page finds in a list.

use axum::{body::Body, http::Request};
use job_http::{Api, Graph, GraphCatalog};
use job_runner::{
    Declaration, Engine, JobContext, JobError, JobId, JobKind, JobSpec, Parameter, ParameterType, RetryPolicy,
    store::{MemoryStore, SharedMemory},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use crate::host::{MOVIES, Service, builder, over, service, with};

async fn get(service: &Service, path: &str) -> Value {
    let answer = service.send(Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()
}

fn flaky() -> Engine {
    let body = |ctx: &mut JobContext| {
        if ctx.attempt() < 3 {
            return Err(JobError::transient(format!("busy in {}", ctx.attempt())));
        }
        let mut rows = ctx.rows("score")?;
        (0..10).try_for_each(|n| rows.push(&n))
    };
    let at_once = RetryPolicy::new(Duration::ZERO, Duration::ZERO);
    builder(Arc::new(MemoryStore::default())).algorithm("flaky", body).retry(at_once).open().unwrap()
}

#[tokio::test]
async fn a_job_is_viewed_with_its_request_and_its_attempts() {
    let service = over(Arc::new(flaky()), Api::operator);
    let request = json!({"big": 9_007_199_254_740_993_u64, "one": 1.0});
    let spec = JobSpec::algorithm("flaky").with_parameters(&request).unwrap();
    let spec = spec.owner("sarah").label("nightly").priority(-3).max_rows(50).graph_version("7");
    let id = service.run(spec);
    let view = get(&service, &format!("{MOVIES}/jobs/{id}")).await;
    assert_eq!(view, get(&service, &format!("/operator/jobs/{id}")).await);
    let at = 1_716_458_040_000_u64;
    let failed = |attempt: u32| {
        let failure = json!({"kind": "handler", "message": format!("busy in {attempt}")});
        json!({"attempt": attempt, "started": at, "ended": at, "failure": failure})
    };
    assert_eq!(view["attempts"], json!([failed(1), failed(2)]));
    assert_eq!(view["segments"], json!([{"attempt": 3, "segment": 0, "rows": 10, "bytes": 19}]));
    let expected = [
        ("jobId", json!(id.to_string())),
        ("kind", json!("flaky")),
        ("state", json!("succeeded")),
        ("attempt", json!(3)),
        ("failedAttempts", json!(2)),
        ("maxAttempts", json!(3)),
        ("request", request),
        ("owner", json!("sarah")),
        ("labels", json!(["nightly"])),
        ("priority", json!(-3)),
        ("class", json!("read")),
        ("graphVersion", json!("7")),
        ("budget", json!({"rows": 50})),
        ("segmentsTotal", json!(1)),
        ("rows", json!(10)),
        ("bytes", json!(19)),
    ];
    for (name, value) in expected {
        assert_eq!(view[name], value, "{name}");
    }
    let raw = service.get(&format!("/jobs/{id}")).await.body;
    assert!(raw.contains(r#""request":{"big":9007199254740993,"one":1.0}"#), "the digits are kept: {raw}");
}

#[tokio::test]
async fn a_job_of_another_graph_is_not_viewed() {
    let service = with(Api::operator);
    let other = service.engine.submit(JobSpec::vertex_filter().with_graph("demo/films")).unwrap().id();
    assert_eq!(service.get(&format!("/jobs/{other}")).await.error().1, "GES.8301");
    assert_eq!(get(&service, &format!("/operator/jobs/{other}")).await["state"], "waiting");
    assert_eq!(service.get("/jobs/1").await.error().1, "GES.8301");
}

#[tokio::test]
async fn a_list_has_short_requests_and_the_reason_of_a_failure() {
    let service = service();
    let long = "x".repeat(3_000);
    service.submit(JobSpec::vertex_filter().with_parameters(&json!({"labels": [long]})).unwrap());
    service.submit(JobSpec::vertex_filter().with_parameters(&json!({"labels": ["user"]})).unwrap());
    service.run(JobSpec::algorithm("shortest_path"));
    let jobs = get(&service, &format!("{MOVIES}/jobs/overview")).await["jobs"].take();
    assert_eq!(jobs[0]["failure"], json!({"kind": "handler", "message": "parameter [source] is invalid"}));
    assert_eq!(jobs[1]["request"], json!({"labels": ["user"]}));
    assert_eq!((&jobs[2]["request"], &jobs[2]["maxAttempts"]), (&Value::Null, &json!(3)));
}

#[tokio::test]
async fn kinds_are_listed_with_the_parameters_that_the_host_declares() {
    let declared = Declaration::new("Ranks")
        .parameter(Parameter::number("alpha").above(0).below(1).default(0.85))
        .parameter(Parameter::list("seeds", ParameterType::String).required());
    let engine = builder(Arc::new(MemoryStore::default()))
        .algorithm("page rank", |_: &mut JobContext| Ok(()))
        .declare(JobKind::Algorithm("page rank".to_owned()), declared)
        .algorithm(job_http::Exporter::KIND, |_: &mut JobContext| Ok(()))
        .open()
        .unwrap();
    let service = over(Arc::new(engine), |api| api);
    let kinds = get(&service, &format!("{MOVIES}/kinds")).await["kinds"].take();
    let names: Vec<&str> = kinds.as_array().unwrap().iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(names, ["vertex_filter", "edge_filter", "page rank", "path", "shortest_path"]);
    assert_eq!(kinds[0], json!({"kind": "vertex_filter"}));
    let alpha = json!({
        "name": "alpha", "type": "number", "required": false, "default": 0.85, "minimum": 0, "exclusiveMinimum": true,
        "maximum": 1, "exclusiveMaximum": true
    });
    let seeds = json!({"name": "seeds", "type": "array", "required": true, "items": "string"});
    assert_eq!(kinds[2], json!({"kind": "page rank", "description": "Ranks", "parameters": [alpha, seeds]}));

    let document = get(&service, "/openapi.json").await;
    let schema = &document["components"]["schemas"]["Parameters.page_rank"];
    assert_eq!(
        schema["properties"]["alpha"],
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.85})
    );
    assert_eq!(schema["required"], json!(["seeds"]));
    let body = &document["components"]["schemas"]["AlgorithmBody"]["properties"]["parameters"]["anyOf"];
    assert_eq!(body[0], json!({"$ref": "#/components/schemas/Parameters.page_rank"}));
}

#[tokio::test]
async fn a_text_finds_jobs_by_id_work_and_graph() {
    let service = with(Api::operator);
    let path = service.run(JobSpec::algorithm("path"));
    let filter = service.submit(JobSpec::vertex_filter());
    let found = async |path: &str| {
        let jobs = get(&service, path).await["jobs"].take();
        jobs.as_array().unwrap().iter().map(|job| job["jobId"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (path, filter) = (path.to_string(), filter.to_string());
    let end = &filter[filter.len() - 8..];
    for (query, expected) in [
        ("PATH", vec![&path]),
        ("filter", vec![&filter]),
        (end, vec![&filter]),
        (&filter, vec![&filter]),
        ("", vec![&filter, &path]),
        ("nothing%20of%20this", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(found(&format!("{MOVIES}/jobs/overview?q={query}")).await, expected, "{query}");
        assert_eq!(found(&format!("/operator/jobs?q={query}")).await, expected, "{query}");
    }
    assert_eq!(found(&format!("{MOVIES}/jobs/overview?q=movies")).await, [""; 0], "the graph is that of the path");
    assert_eq!(found("/operator/jobs?q=Movies").await, [filter, path]);
}

#[tokio::test]
async fn a_search_among_many_jobs_goes_on_by_its_cursor() {
    let service = service();
    let wanted = service.run(JobSpec::algorithm("path")).to_string();
    for _ in 0..12_000 {
        drop(service.engine.submit(JobSpec::vertex_filter().with_graph("demo/movies")));
        if service.engine.figures().waiting > 9_000 {
            service.engine.driver().run_until_idle();
        }
    }
    let first = get(&service, &format!("{MOVIES}/jobs/overview?q=path&limit=5")).await;
    assert_eq!(first["jobs"], json!([]));
    let next = first["next"].as_str().unwrap();
    let second = get(&service, &format!("{MOVIES}/jobs/overview?q=path&limit=5&before={next}")).await;
    assert_eq!(second["jobs"][0]["jobId"], wanted);
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test]
async fn jobs_are_counted_by_state() {
    let service = with(Api::operator);
    service.run(JobSpec::algorithm("path"));
    service.run(JobSpec::algorithm("shortest_path"));
    service.submit(JobSpec::vertex_filter());
    drop(service.engine.submit(JobSpec::vertex_filter().with_graph("demo/films")));
    let of = |jobs: u64| json!({"jobs": jobs, "more": false});
    let expected = json!({"counts": {
        "waiting": of(1), "running": of(0), "cancelling": of(0), "succeeded": of(1), "failed": of(1), "cancelled": of(0)
    }});
    assert_eq!(get(&service, &format!("{MOVIES}/jobs/counts")).await, expected);
    assert_eq!(get(&service, "/operator/jobs/counts?graph=demo/movies").await, expected);
    assert_eq!(get(&service, "/operator/jobs/counts").await["counts"]["waiting"], of(2));
    let some = get(&service, "/operator/jobs/counts?state=failed,waiting&kind=shortest_path").await;
    assert_eq!(some, json!({"counts": {"failed": of(1), "waiting": of(0)}}));
}

/// Waits until the answer at a path has this member.
async fn until(service: &Service, path: &str, name: &str) -> Value {
    loop {
        let view = get(service, path).await;
        if !view[name].is_null() {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_engine_that_has_a_job_of_a_shared_store_is_told() {
    let store = SharedMemory::new(MemoryStore::default());
    let (end, ends) = mpsc::channel::<()>();
    let ends = Mutex::new(ends);
    let body = move |_: &mut JobContext| {
        let _ = ends.lock().recv();
        Ok(())
    };
    let reads = Engine::builder_shared(Arc::new(store.claimant())).open().unwrap();
    let runs = Engine::builder_shared(Arc::new(store)).algorithm("long", body).open().unwrap();
    let (runs, reads) = (over(Arc::new(runs), |api| api), over(Arc::new(reads), Api::operator));
    let id = runs.submit(JobSpec::algorithm("long"));
    let path = format!("{MOVIES}/jobs/{id}");
    let own = until(&runs, &path, "engine").await;
    let other = get(&reads, &path).await["engine"].take();
    assert_eq!((&own["engine"]["isHere"], &other["isHere"]), (&json!(true), &json!(false)));
    assert_eq!(own["engine"]["id"], other["id"]);
    assert!(other["leaseUntil"].as_u64() > own["submitted"].as_u64());
    assert_eq!(get(&reads, &format!("/operator/jobs/{id}")).await["engine"]["id"], other["id"]);
    drop(end);
    runs.engine.job(id).unwrap().unwrap().wait().unwrap();
    assert_eq!(get(&runs, &path).await["engine"], Value::Null);
}

#[tokio::test]
async fn an_engine_alone_has_no_lease() {
    let service = service();
    let id = service.submit(JobSpec::vertex_filter());
    assert_eq!(get(&service, &format!("{MOVIES}/jobs/{id}")).await["engine"], Value::Null);
}

#[tokio::test]
async fn a_job_that_runs_another_again_tells_it_also_when_that_is_removed() {
    let service = service();
    let first = service.run(JobSpec::vertex_filter());
    let foreign = service.engine.submit(JobSpec::vertex_filter().with_graph("other/movies")).unwrap().id();
    let again = async |of: JobId| {
        let submitted = service.post(&format!("/vertices/action?action_id=query&again_of={of}"), "{}").await;
        let id = submitted.json()["jobId"].as_str().unwrap().to_owned();
        (id.clone(), get(&service, &format!("{MOVIES}/jobs/{id}")).await["againOf"].take())
    };
    let (second, told) = again(first).await;
    assert_eq!(told, json!({"jobId": first.to_string(), "state": "succeeded"}));
    let view = get(&service, &format!("{MOVIES}/jobs/{first}")).await;
    assert_eq!(view["againOf"], Value::Null);
    assert!(service.engine.remove(first).unwrap());
    let told = get(&service, &format!("{MOVIES}/jobs/{second}")).await["againOf"].take();
    assert_eq!(told, json!({"jobId": first.to_string(), "state": "removed"}));
    let (_, told) = again(foreign).await;
    assert_eq!(told["state"], "removed", "nothing is told of other graphs");
    let refused = service.post("/vertices/action?action_id=query&again_of=7", "{}").await.error();
    assert_eq!((refused.0, refused.1.as_str()), (400, "GES.8005"));
    assert_eq!(refused.2, "parameter again_of is 7: it must be the id of a job");
}

/// Its ids of vertices are a prefix and a number.
#[derive(Debug)]
struct Completing;

impl GraphCatalog for Completing {
    fn find(&self, _: &str, name: &str) -> Option<Graph> {
        (name == "movies").then(|| Graph::new("movies"))
    }

    fn complete(&self, _: &Graph, prefix: &str, _: usize) -> Option<Vec<String>> {
        if prefix == "slow" {
            thread::sleep(Duration::from_secs(2));
        }
        Some((0..100).map(|n| format!("{prefix}{n}")).collect())
    }
}

#[tokio::test]
async fn a_host_completes_ids_of_vertices_within_bounds() {
    let engine = Arc::new(builder(Arc::new(MemoryStore::default())).open().unwrap());
    let router = Api::new(Arc::clone(&engine), Completing).router();
    let service = Service { engine, router };
    let found = async |query: &str| {
        let found = get(&service, &format!("{MOVIES}/vertices/ids{query}")).await["vertices"].take();
        found.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("").await.len(), 20, "whatever the host gives");
    assert_eq!(found("?prefix=%E8%8E%8E%20%26&limit=2").await, ["莎 &0", "莎 &1"]);
    for (query, expected) in [
        ("?limit=21".to_owned(), (400, "GES.8005")),
        ("?limit=0".to_owned(), (400, "GES.8005")),
        (format!("?prefix={}", "x".repeat(257)), (400, "GES.8005")),
        ("?prefix=slow".to_owned(), (503, "GES.8602")),
    ] {
        let (status, code, sentence) = service.get(&format!("/vertices/ids{query}")).await.error();
        assert_eq!((status, code.as_str()), expected, "{query}: {sentence}");
    }
    let silent = crate::host::service().get("/vertices/ids?prefix=a").await.error();
    assert_eq!(silent, (404, "GES.8006".to_owned(), "this service completes no ids of vertices".to_owned()));
}
