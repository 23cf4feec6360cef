//! Limits, refusals, the state of the engine.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use axum::{
    body::Body,
    http::{Request, header},
};
use job_http::{Api, ApiFailure, Graph, GraphCatalog, JobRequest, Limits};
use job_runner::{
    JobSpec, PageRequest, SystemClock,
    store::{Fault, FaultStore, MemoryStore},
};

use crate::host::{Host, MOVIES, Service, builder, over, service, with};

#[tokio::test]
async fn a_full_queue_asks_to_come_again() {
    let engine = builder(Arc::new(MemoryStore::default())).queue_bound(1).open().unwrap();
    let service = over(Arc::new(engine), |api| api);
    service.submit(JobSpec::vertex_filter());
    let answer = service.post("/vertices/action?action_id=query", "{}").await;
    let (status, code, message) = answer.error();
    assert_eq!((status, code.as_str()), (503, "GES.8602"));
    assert!(message.starts_with("the queue of read jobs is full"), "{message}");
    assert_eq!(answer.headers[header::RETRY_AFTER], "2");
}

#[tokio::test]
async fn after_closing_everything_is_refused() {
    let mut gate = None;
    let service = with(|api| {
        gate = Some(api.shutdown_handle());
        api
    });
    let id = service.run_rows(1);
    assert_eq!(service.status(id, "").await.status, 200);
    gate.unwrap().close();
    let health = Request::get("/health").body(Body::empty()).unwrap();
    let answers = [
        service.status(id, "").await,
        service.get("/jobs/status").await,
        service.delete(&format!("/jobs/{id}")).await,
        service.post("/vertices/action?action_id=query", "{}").await,
        service.send(health).await,
    ];
    for answer in answers {
        let expected = (503, "GES.8602".to_owned(), "the service is shutting down".to_owned());
        assert_eq!(answer.error(), expected);
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
    }
}

#[tokio::test]
async fn a_long_body_is_refused() {
    let service = with(|api| api.limits(Limits::default().body_bytes(100)));
    let body = format!("{{\"labels\":[\"{}\"]}}", "x".repeat(100));
    let answer = service.post("/vertices/action?action_id=query", body).await;
    let expected = (413, "GES.8000".to_owned(), "the body is too long: at most 100 bytes are allowed".to_owned());
    assert_eq!(answer.error(), expected);
}

/// A host that checks a request until the sender of this channel is dropped.
#[derive(Debug)]
struct Slow(Mutex<mpsc::Receiver<()>>);

impl GraphCatalog for Slow {
    fn find(&self, project: &str, name: &str) -> Option<Graph> {
        Host.find(project, name)
    }

    fn check(&self, graph: &Graph, work: &JobRequest) -> Result<JobSpec, ApiFailure> {
        let _ = self.0.lock().unwrap().recv();
        Host.check(graph, work)
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let (end, ends) = mpsc::channel();
    let engine = Arc::new(builder(Arc::new(MemoryStore::default())).open().unwrap());
    // Only a request with `wait` gets the time for it.
    let limits = Limits::default().answer_time(Duration::ZERO).longest_wait(Duration::from_hours(1));
    let router = Api::new(Arc::clone(&engine), Slow(Mutex::new(ends))).limits(limits).router();
    let answer = Service { engine, router }.post("/vertices/action?action_id=query", "{}").await;
    let (status, code, message) = answer.error();
    assert_eq!((status, code.as_str()), (503, "GES.8602"));
    assert!(message.starts_with("the answer took too long"), "{message}");
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    drop(end);
}

#[tokio::test]
async fn hostile_requests_are_refused_with_a_sentence() {
    let service = service();
    let deep = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let algorithm =
        |name: &str, parameters: &str| format!(r#"{{"algorithmName":"{name}","parameters":{parameters}}}"#);
    for (path, body) in [
        ("/vertices/action?action_id=query", deep.clone()),
        ("/edges/action?action_id=query", deep.clone()),
        ("/action?action_id=execute-algorithm", algorithm("path", &deep)),
        ("/action?action_id=execute-algorithm", algorithm(&"a".repeat(257), "{}")),
        ("/action?action_id=execute-algorithm", deep.clone()),
        ("/vertices/action?action_id=query", format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20))),
    ] {
        let answer = service.post(path, body).await;
        let (status, _, message) = answer.error();
        assert!((400..500).contains(&status) && !message.is_empty(), "{answer:?}");
        assert!(answer.body.len() < 500, "{}", answer.body.len());
    }
    let long = "9".repeat(30_000);
    for query in [format!("?offset={long}"), format!("?limit={long}"), format!("?wait={long}")] {
        let answer = service.get(&format!("/jobs/{long}/status{query}")).await;
        assert!(answer.status.is_client_error() && answer.body.len() < 500, "{}", answer.body.len());
    }
    let graph = Request::get(format!("/ges/v1.0/{long}/graphs/{long}/jobs/status")).body(Body::empty()).unwrap();
    let action = service.post(&format!("/action?action_id={long}"), "{}").await;
    let cancel = service.delete(&format!("/jobs/{long}")).await;
    for answer in [service.send(graph).await, action, cancel] {
        assert!(answer.status.is_client_error() && answer.body.len() < 500, "{}", answer.body.len());
    }
    assert!(service.engine.reader().list(PageRequest::default()).unwrap().is_empty());
}

/// An error must not repeat a megabyte of a name, a path or a number.
#[tokio::test]
async fn no_error_shows_more_than_64_characters_of_what_was_given() {
    let service = with(Api::exports);
    let done = service.run_rows(1);
    let long = "x".repeat(30_000);
    let (vertices, algorithm) = ("vertices/action?action_id=query", "action?action_id=execute-algorithm");
    let export = format!("jobs/{done}/action?action_id=export-result");
    let bodies = [
        (vertices, long.clone()),
        (vertices, format!("\"{long}\"")),
        (vertices, format!(r#"{{"{long}":1,"{long}":2}}"#)),
        (vertices, format!(r#"{{"a":"\ud800{long}"}}"#)),
        (algorithm, format!(r#"{{"algorithmName":"{long}"}}"#)),
        (algorithm, format!(r#"{{"algorithmName":"path","executionMode":"{long}"}}"#)),
        (algorithm, format!(r#"{{"algorithmName":"path","parameters":"{long}"}}"#)),
        (export.as_str(), format!(r#"{{"format":"{long}"}}"#)),
        (export.as_str(), format!(r#"{{"erase":"{long}"}}"#)),
        (export.as_str(), format!(r#"{{"exportPath":"../{long}"}}"#)),
        (export.as_str(), format!(r#"{{"fileName":"../{long}"}}"#)),
    ];
    let post = |(path, body): (&str, String)| ("POST".to_owned(), format!("{MOVIES}/{path}"), body);
    let get = |path: String| ("GET".to_owned(), path, String::new());
    let paths = [
        format!("/{long}"),
        format!("/ges/v1.0/{long}/graphs/{long}/jobs/status"),
        format!("{MOVIES}/jobs/{long}/status"),
        format!("{MOVIES}/jobs/{long}/explain"),
        format!("{MOVIES}/jobs/status?limit={long}"),
        format!("{MOVIES}/jobs/status?before={long}"),
        format!("{MOVIES}/jobs/overview?offset={long}"),
        format!("{MOVIES}/jobs/status?{long}&{long}"),
        format!("{MOVIES}/jobs/{done}/status?wait={long}"),
    ];
    let others = [
        ("x".repeat(1_000), format!("{MOVIES}/jobs/status"), String::new()),
        ("DELETE".to_owned(), format!("{MOVIES}/jobs/{long}"), String::new()),
        ("POST".to_owned(), format!("{MOVIES}/vertices/action?action_id={long}"), "{}".to_owned()),
        ("PUT".to_owned(), format!("{MOVIES}/{long}"), String::new()),
    ];
    for (method, path, body) in bodies.map(post).into_iter().chain(paths.map(get)).chain(others) {
        let request = Request::builder().method(&*method).uri(&path).body(Body::from(body)).unwrap();
        let answer = service.send(request).await;
        let (status, code, message) = answer.error();
        assert!((400..500).contains(&status) && code.starts_with("GES."), "{method} {path:.100}: {answer:?}");
        assert!(!message.contains(&"x".repeat(65)), "{method} {:.100}: {} bytes", path, message.len());
    }
}

#[tokio::test]
async fn requests_over_the_rate_are_refused_for_all_routes_together() {
    let service = with(|api| api.limits(Limits::default().requests(2, Duration::from_hours(1))));
    let id = service.submit(JobSpec::vertex_filter());
    let mut statuses = Vec::new();
    for _ in 0..2 {
        statuses.push(service.status(id, "").await.status.as_u16());
        statuses.push(service.get("/jobs/status").await.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 503, 503]);
    let refused = service.status(id, "").await;
    assert_eq!(refused.error().1, "GES.8602");
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn requests_over_the_number_at_once_are_refused() {
    let service = with(|api| api.limits(Limits::default().concurrent(1)));
    let id = service.submit(JobSpec::algorithm("path"));
    let waits = service.status(id, "?wait=50");
    let refused = async {
        // The other request is polled first, and waits for the job.
        let refused = service.status(id, "").await;
        service.engine.driver().run_one();
        refused
    };
    let (answered, refused) = tokio::join!(biased; waits, refused);
    assert_eq!((answered.status.as_u16(), refused.error().0), (200, 503));
    assert_eq!(service.status(id, "").await.status, 200);
}

fn faulty(workers: usize) -> (Service, FaultStore<MemoryStore>) {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let builder = builder(Arc::new(store.clone()));
    let builder = if workers == 0 { builder.manual() } else { builder.workers(workers) };
    let engine = builder.clock(Arc::new(SystemClock)).open().unwrap();
    (over(Arc::new(engine), |api| api), store)
}

#[tokio::test]
async fn a_store_that_fails_for_now_asks_to_come_again() {
    let (service, store) = faulty(0);
    store.plan(Fault::Write(0));
    let answer = service.post("/vertices/action?action_id=query", "{}").await;
    assert_eq!((answer.error().0, answer.error().1.as_str()), (503, "GES.8602"));
    assert_eq!(service.post("/vertices/action?action_id=query", "{}").await.status, 200);
}

#[tokio::test]
async fn an_unhealthy_engine_takes_no_jobs_but_answers_for_those_it_has() {
    let (service, store) = faulty(1);
    // The submission is write 0; the start of the job is the next.
    store.plan(Fault::WritesFrom(1));
    let id = service.submit(JobSpec::algorithm("path"));
    while service.engine.health().is_ok() {
        tokio::task::yield_now().await;
    }
    let health = || service.send(Request::get("/health").body(Body::empty()).unwrap());
    assert_eq!(health().await.error().0, 503);
    let answer = service.post("/vertices/action?action_id=query", "{}").await;
    assert_eq!((answer.error().0, answer.error().1.as_str()), (503, "GES.8602"));
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(service.status(id, "").await.status, 200);
    store.plan(Fault::Never);
    assert_eq!(service.status(id, "?wait=50").await.json()["status"], "complete");
    assert_eq!(health().await.status, 200);
}

/// On a busy machine an answer may have the figures of the last count.
#[tokio::test]
async fn health_is_told() {
    let service = service();
    for expected in [r#"{"waiting":0,"running":0}"#, r#"{"waiting":1,"running":0}"#] {
        let mut told = String::new();
        for _ in 0..100 {
            let health = Request::get("/health").body(Body::empty()).unwrap();
            told = service.send(health).await.body;
            if told == expected {
                break;
            }
        }
        assert_eq!(told, expected);
        service.submit(JobSpec::vertex_filter());
    }
}
