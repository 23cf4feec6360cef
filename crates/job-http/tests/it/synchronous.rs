//! Synchronous submissions (`executionMode: sync`).

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use job_http::{Api, Dialect, Limits};
use job_runner::{JobId, PageRequest, store::MemoryStore};
use serde_json::json;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::host::{Answer, MOVIES, Service, builder, over, row, with};

const RUN: &str = "/action?action_id=execute-algorithm";

/// A synchronous request for an algorithm, in a task.
fn ask(service: &Service, body: &str) -> JoinHandle<Answer> {
    let request = Request::post(format!("{MOVIES}{RUN}")).body(Body::from(body.to_owned())).unwrap();
    let router = service.router.clone();
    tokio::spawn(async move { Answer::of(router.oneshot(request).await.unwrap()).await })
}

/// The one job, when it is stored.
async fn stored(service: &Service) -> JobId {
    loop {
        if let Some(job) = service.engine.reader().list(PageRequest::default()).unwrap().first() {
            return job.id;
        }
        tokio::task::yield_now().await;
    }
}

fn never() -> Limits {
    Limits::default().sync_time(Duration::from_hours(1))
}

fn service(set: impl FnOnce(Api) -> Api) -> Service {
    let engine =
        builder(Arc::new(MemoryStore::default())).algorithm("rows", |ctx: &mut job_runner::JobContext| {
            ctx.set_output("source", "46")?;
            let mut rows = ctx.rows("vertices")?;
            (0..5).try_for_each(|n| rows.push(&row(n)))
        });
    over(Arc::new(engine.open().unwrap()), set)
}

#[tokio::test]
async fn a_synchronous_request_is_answered_with_the_result() {
    for (dialect, body, end) in [
        (Dialect::Document, r#"{"algorithmName":"path","executionMode":"sync"}"#, "}"),
        (Dialect::Memory2025, r#"{"algorithmName":"path","executionMode":"sync"}"#, "}"),
        // The mode of the database edition by default.
        (Dialect::Database, r#"{"algorithmName":"path"}"#, r#","result":"success"}"#),
    ] {
        let service = service(|api| api.limits(never()).dialect(dialect));
        let waiting = ask(&service, body);
        stored(&service).await;
        service.engine.driver().run_until_idle();
        let answer = waiting.await.unwrap();
        let outputs = r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}}"#;
        assert_eq!((answer.status.as_u16(), answer.body), (200, format!("{outputs}{end}")), "{}", dialect.name());
    }
}

#[tokio::test]
async fn the_body_names_the_page_of_a_synchronous_answer() {
    let service = service(|api| api.limits(never()));
    let body = r#"{"algorithmName":"rows","executionMode":"sync","offset":"3","limit":1}"#;
    let waiting = ask(&service, body);
    stored(&service).await;
    service.engine.driver().run_until_idle();
    let expected = json!({"data": {"outputs": {"source": "46", "data_return_size": 1, "data_offset": 3,
        "data_total_size": 5, "vertices": [row(3)]}}});
    assert_eq!(waiting.await.unwrap().json(), expected);
}

#[tokio::test]
async fn a_failed_job_is_answered_with_its_reason_and_the_code_of_the_action() {
    let service = service(|api| api.limits(never()));
    let waiting = ask(&service, r#"{"algorithmName":"shortest_path","executionMode":"sync"}"#);
    stored(&service).await;
    service.engine.driver().run_until_idle();
    let message = "Running algorithm [shortest_path] error: parameter [source] is invalid!".to_owned();
    assert_eq!(waiting.await.unwrap().error(), (400, "GES.8402".to_owned(), message));
}

/// The job is the client's all the same: it goes on, and its result is read like any other.
#[tokio::test]
async fn after_the_bound_the_answer_is_the_id_and_says_so() {
    let service = with(|api| api.limits(Limits::default().sync_time(Duration::ZERO)));
    let answer = service.post(RUN, r#"{"algorithmName":"path","executionMode":"sync"}"#).await;
    let id = stored(&service).await;
    let expected = format!(r#"{{"jobId":"{id}","jobType":1,"executionMode":"async","status":"waiting"}}"#);
    assert_eq!((answer.status.as_u16(), answer.body), (202, expected));
    assert_eq!(answer.headers["preference-applied"], "respond-async");
    service.engine.driver().run_until_idle();
    assert!(service.status(id, "").await.body.contains(r#""status":"complete""#));
}

/// The bound comes on top of the time of answers.
#[tokio::test]
async fn the_time_of_answers_does_not_end_the_wait() {
    tokio::time::pause();
    let limits = Limits::default().answer_time(Duration::from_secs(1)).sync_time(Duration::from_secs(20));
    let service = service(|api| api.limits(limits));
    let begun = tokio::time::Instant::now();
    let answer = ask(&service, r#"{"algorithmName":"path","executionMode":"sync"}"#).await.unwrap();
    assert_eq!(answer.status, 202);
    assert_eq!(begun.elapsed().as_secs(), 20);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_job_running() {
    let service = service(|api| api.limits(never()));
    let waiting = ask(&service, r#"{"algorithmName":"path","executionMode":"sync"}"#);
    let id = stored(&service).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    service.engine.driver().run_until_idle();
    assert!(service.status(id, "").await.body.contains(r#""path":["46""#));
}

/// There is one place for calls to the store, and 30 requests wait.
#[tokio::test]
async fn a_request_that_waits_holds_no_place_that_others_need() {
    let service = service(|api| api.limits(never().store_calls(1)));
    let mut waiting = Vec::new();
    for n in 1..=30 {
        waiting.push(ask(&service, r#"{"algorithmName":"path","executionMode":"sync"}"#));
        while service.engine.reader().list(PageRequest::default()).unwrap().len() < n {
            tokio::task::yield_now().await;
        }
    }
    let id = stored(&service).await;
    assert_eq!(service.status(id, "").await.body, r#"{"status":"waiting"}"#);
    assert_eq!(service.post("/vertices/action?action_id=query", "{}").await.status, 200);
    service.engine.driver().run_until_idle();
    for answer in waiting {
        assert_eq!(answer.await.unwrap().status, 200);
    }
}

/// A second request with the key waits for the same job.
#[tokio::test]
async fn a_synchronous_request_that_is_sent_again_is_the_same_job() {
    let service = service(|api| api.limits(never()));
    let keyed = || {
        let request = Request::post(format!("{MOVIES}{RUN}")).header("Idempotency-Key", "one");
        let request = request.body(Body::from(r#"{"algorithmName":"path","executionMode":"sync"}"#)).unwrap();
        let router = service.router.clone();
        tokio::spawn(async move { Answer::of(router.oneshot(request).await.unwrap()).await })
    };
    let (one, two) = (keyed(), keyed());
    stored(&service).await;
    service.engine.driver().run_until_idle();
    assert_eq!(one.await.unwrap().body, two.await.unwrap().body);
    assert_eq!(service.engine.reader().list(PageRequest::default()).unwrap().len(), 1);
}
