//! A store that does not answer uses up the places of its calls, and delays no other request.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use job_http::Limits;
use job_runner::{
    JobId, JobSpec,
    store::{Fault, FaultStore, MemoryStore},
};
use tokio::task::JoinHandle;

use crate::host::{Answer, MOVIES, Service, builder, over};

/// A service whose store hangs while this value lives. A route that blocks the test's only thread would wait for
/// ever. So the store answers after a while, and the test fails.
struct Hanging {
    service: Arc<Service>,
    store: FaultStore<MemoryStore>,
    waiting: JobId,
    ended: JobId,
    late: Arc<AtomicBool>,
    done: Option<mpsc::Sender<()>>,
}

impl Hanging {
    fn new(limits: Limits) -> Self {
        let store = FaultStore::new(Arc::new(MemoryStore::default()));
        let engine = Arc::new(builder(Arc::new(store.clone())).open().unwrap());
        let service = Arc::new(over(engine, |api| api.limits(limits).exports()));
        let ended = service.run_rows(3);
        let waiting = service.submit(JobSpec::vertex_filter());
        let (late, (done, is_done)) = (Arc::<AtomicBool>::default(), mpsc::channel());
        let (guard, told) = (store.clone(), Arc::clone(&late));
        thread::spawn(move || {
            if is_done.recv_timeout(Duration::from_secs(30)) == Err(mpsc::RecvTimeoutError::Timeout) {
                told.store(true, Ordering::SeqCst);
                guard.plan(Fault::Never);
            }
        });
        store.plan(Fault::Hang);
        Self { service, store, waiting, ended, late, done: Some(done) }
    }

    fn start(&self, method: Method, path: &str, body: &'static str) -> JoinHandle<Answer> {
        let request = Request::builder().method(method).uri(format!("{MOVIES}{path}"));
        let (service, request) = (Arc::clone(&self.service), request.body(Body::from(body)).unwrap());
        tokio::spawn(async move { service.send(request).await })
    }

    /// Lets every task run that is ready.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    async fn in_time<T>(&self, answer: impl Future<Output = T>) -> T {
        let answer = answer.await;
        assert!(!self.late.load(Ordering::SeqCst), "the thread that serves requests was blocked");
        answer
    }

    async fn health(&self) -> Answer {
        let health = Request::get("/health").body(Body::empty()).unwrap();
        self.in_time(self.service.send(health)).await
    }

    async fn figures(&self) -> Answer {
        let figures = Request::get("/figures").body(Body::empty()).unwrap();
        self.in_time(self.service.send(figures)).await
    }

    fn answer_again(&self) {
        self.store.plan(Fault::Never);
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.answer_again();
        drop(self.done.take());
    }
}

/// Every route that reads the store or a job, for a job that has ended and one that waits. The cancel of the
/// latter is first, so that the store writes it while the others read the job.
fn everything(waiting: JobId, ended: JobId) -> Vec<(Method, String, &'static str)> {
    let mut requests = vec![
        (Method::GET, "/jobs/status".to_owned(), ""),
        (Method::GET, "/jobs/overview".to_owned(), ""),
        (Method::GET, "/jobs/overview?q=path".to_owned(), ""),
        (Method::GET, "/jobs/counts".to_owned(), ""),
        (Method::POST, "/vertices/action?action_id=query".to_owned(), "{}"),
        (Method::POST, "/edges/action?action_id=query".to_owned(), "{}"),
        (Method::POST, "/action?action_id=execute-algorithm".to_owned(), r#"{"algorithmName":"path"}"#),
    ];
    for id in [ended, waiting] {
        requests.push((Method::GET, format!("/jobs/{id}/status"), ""));
        requests.push((Method::GET, format!("/jobs/{id}/status?wait=1"), ""));
        requests.push((Method::GET, format!("/jobs/{id}/events"), ""));
        requests.push((Method::GET, format!("/jobs/{id}/explain"), ""));
        requests.push((Method::GET, format!("/jobs/{id}"), ""));
        requests.push((Method::POST, format!("/jobs/{id}/action?action_id=export-result"), "{}"));
        requests.push((Method::DELETE, format!("/jobs/{id}"), ""));
    }
    requests.reverse();
    requests
}

#[tokio::test]
async fn a_store_that_does_not_answer_blocks_no_thread_that_serves() {
    let hanging = Hanging::new(Limits::default());
    assert_eq!(hanging.health().await.status, 200);
    let mut begun = Vec::new();
    for (method, path, body) in everything(hanging.waiting, hanging.ended) {
        begun.push((path.clone(), hanging.start(method, &path, body)));
        hanging.settle().await;
        // A route of the host, and a route of the API without the store.
        assert_eq!(hanging.in_time(tokio::spawn(async { 7 })).await.unwrap(), 7, "{path}");
        assert_eq!(hanging.health().await.status, 200, "{path}");
        assert_eq!(hanging.figures().await.status, 200, "{path}");
    }
    hanging.answer_again();
    for (path, answer) in begun {
        let answer = hanging.in_time(answer).await.unwrap();
        assert!(answer.status.as_u16() < 500, "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_request_without_a_place_for_its_call_is_refused_at_once() {
    let hanging = Hanging::new(Limits::default().store_calls(2));
    let ended = format!("/jobs/{}/status", hanging.ended);
    let begun: Vec<_> = (0..2).map(|_| hanging.start(Method::GET, &ended, "")).collect();
    hanging.settle().await;
    for (method, path, body) in everything(hanging.waiting, hanging.ended) {
        let refused = hanging.in_time(hanging.start(method, &path, body)).await.unwrap();
        if path == format!("/jobs/{}/status", hanging.waiting) {
            assert_eq!(refused.status, 200, "the state of a job in memory needs no call");
            continue;
        }
        let expected =
            (503, "GES.8602".to_owned(), "the job store answers too slowly; try again later".to_owned());
        assert_eq!(refused.error(), expected, "{path}");
        assert!(refused.headers.contains_key(header::RETRY_AFTER));
    }
    // A place stays taken when its client goes, since the call goes on.
    for request in begun {
        request.abort();
        assert!(request.await.is_err());
    }
    assert_eq!(hanging.start(Method::GET, &ended, "").await.unwrap().status, 503);
    hanging.answer_again();
    while hanging.in_time(hanging.start(Method::GET, &ended, "")).await.unwrap().status != 200 {}
}

#[tokio::test]
async fn an_answer_that_the_store_holds_up_is_given_up_in_time() {
    let limits = Limits::default().answer_time(Duration::from_millis(10)).longest_wait(Duration::ZERO);
    let hanging = Hanging::new(limits);
    for (method, path, body) in everything(hanging.waiting, hanging.ended) {
        if path.contains("wait=") || path.contains("export") {
            continue;
        }
        let in_memory = method == Method::GET && path.contains(&hanging.waiting.to_string());
        if in_memory && path.ends_with("/events") {
            continue; // It begins at once, and ends with its job.
        }
        let answer = hanging.in_time(hanging.start(method, &path, body)).await.unwrap();
        if in_memory {
            assert_eq!(answer.status, 200, "{path}: a look at an unfinished job waits for no write of it");
            continue;
        }
        let (status, _, message) = answer.error();
        assert_eq!(status, 503, "{path}");
        assert!(message.starts_with("the answer took too long"), "{path}: {message}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{path}");
    }
}
