//! Clients behind proxies: lost answers, cut streams, bodies in other encodings.

use axum::{
    body::Body,
    http::{Method, Request},
    response::Response,
};
use http_body_util::BodyExt;
use job_http::Api;
use job_runner::{JobId, JobSpec, PageRequest};
use tower::ServiceExt;

use crate::host::{Answer, MOVIES, Service, service, with};

async fn post(service: &Service, path: &str, fields: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::builder().method(Method::POST).uri(format!("{MOVIES}{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    service.send(request.body(body.into()).unwrap()).await
}

const VERTICES: &str = "/vertices/action?action_id=query";
const ALGORITHM: &str = "/action?action_id=execute-algorithm";

fn jobs(service: &Service) -> usize {
    service.engine.reader().list(PageRequest::default()).unwrap().len()
}

#[tokio::test]
async fn a_request_that_is_sent_again_with_its_key_is_one_job() {
    let service = with(Api::exports);
    let done = service.run_rows(1).to_string();
    let export = format!("/jobs/{done}/action?action_id=export-result");
    for (number, (path, body, other)) in [
        (VERTICES, r#"{"labels":["user"]}"#, r#"{"labels":["movie"]}"#),
        ("/edges/action?action_id=query", r#"{"labels":["rate"]}"#, "{}"),
        (ALGORITHM, r#"{"algorithmName":"path"}"#, r#"{"algorithmName":"path","parameters":{"source":"1"}}"#),
        (&export, "{}", r#"{"fileName":"other.csv"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key {number}");
        let key = [("idempotency-key", key.as_str())];
        let before = jobs(&service);
        let first = post(&service, path, &key, body).await;
        let again = post(&service, path, &key, body).await;
        assert_eq!((again.status.as_u16(), &again.body), (200, &first.body), "{path}");
        assert_eq!(jobs(&service), before + 1, "{path}");
        let (status, code, message) = post(&service, path, &key, other).await.error();
        assert_eq!((status, code.as_str()), (409, "GES.8005"), "{path}: {message}");
        assert_eq!(jobs(&service), before + 1, "{path}");
        let unlike = post(&service, path, &[("idempotency-key", &format!("another {number}"))], body).await.body;
        let without = post(&service, path, &[], body).await.body;
        assert!(unlike != first.body && without != first.body && without != unlike, "{path}");
        // A key counts for one kind of work.
        let elsewhere = if path == VERTICES { ALGORITHM } else { VERTICES };
        assert_eq!(post(&service, elsewhere, &key, r#"{"algorithmName":"path"}"#).await.status, 409);
    }
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let service = service();
    let long = "k".repeat(257);
    for (fields, why) in [
        ([("idempotency-key", "")].as_slice(), "is empty: give a text of your own for each request"),
        (&[("idempotency-key", "a"), ("idempotency-key", "b")], "is given twice: give it once"),
        (&[("idempotency-key", "clé")], "has other characters than printable ASCII"),
        (&[("idempotency-key", &long)], "has 257 bytes: at most 256 are allowed"),
    ] {
        let expected = (400, "GES.8005".to_owned(), format!("header Idempotency-Key {why}"));
        assert_eq!(post(&service, VERTICES, fields, "{}").await.error(), expected);
    }
    assert_eq!(jobs(&service), 0);
}

#[tokio::test]
async fn a_cancel_that_is_sent_again_is_answered_as_the_first() {
    let service = service();
    let id = service.submit(JobSpec::vertex_filter());
    for _ in 0..3 {
        let answer = service.delete(&format!("/jobs/{id}")).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "{}"));
    }
}

async fn events(service: &Service, id: JobId, last: Option<&str>) -> Response {
    let mut request = Request::get(format!("{MOVIES}/jobs/{id}/events"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// The ids of all events, in order.
fn ids(events: &str) -> Vec<String> {
    events.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_browser_that_has_heard_of_the_end_asks_no_more() {
    let service = service();
    let id = service.submit(JobSpec::algorithm("path"));
    let mut stream = events(&service, id, None).await;
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    // The first bytes come before any event.
    let first = stream.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"retry"), "{first:?}");
    let waiting = stream.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    let cut = ids(std::str::from_utf8(&waiting).unwrap());
    drop(stream);
    service.engine.driver().run_until_idle();
    // The stream was cut before the end, so there is one more event.
    let rest = Answer::of(events(&service, id, Some(&cut[0])).await).await;
    assert_eq!(rest.status, 200);
    let last = ids(&rest.body);
    assert!(last.len() == 1 && last != cut && rest.body.contains("succeeded"), "{rest:?}");
    let nothing = Answer::of(events(&service, id, Some(&last[0])).await).await;
    assert_eq!((nothing.status.as_u16(), nothing.body.as_str()), (204, ""));
    for other in ["", "1", "9.end", "1.1"] {
        assert_eq!(events(&service, id, Some(other)).await.status(), 200, "{other}");
    }
    let gone = events(&service, "018bcfe5-6800-7000-8000-000000000000".parse().unwrap(), Some(&last[0])).await;
    assert_eq!(gone.status(), 400);
}

#[tokio::test]
async fn a_body_that_begins_with_a_byte_order_mark_is_read() {
    let service = service();
    let answer = post(&service, VERTICES, &[], "\u{feff}{\"labels\":[]}").await;
    let id: JobId = answer.json()["jobId"].as_str().unwrap().parse().unwrap();
    let record = service.engine.reader().record(id).unwrap().unwrap();
    assert_eq!(record.spec.parameters().as_str(), r#"{"labels":[]}"#);
    assert_eq!(post(&service, ALGORITHM, &[], "\u{feff}{\"algorithmName\":\"path\"}").await.status, 200);
    assert_eq!(post(&service, VERTICES, &[], "\u{feff}\u{feff}{}").await.status, 400);
}

#[tokio::test]
async fn a_body_that_is_encoded_is_refused() {
    let service = service();
    for (encoding, status) in
        [("gzip", 415), ("br", 415), ("identity, x", 415), ("", 415), ("identity", 200), ("Identity", 200)]
    {
        let answer = post(&service, VERTICES, &[("content-encoding", encoding)], "{}").await;
        assert_eq!(answer.status, status, "{encoding}");
        if status == 415 {
            assert!(answer.error().2.ends_with("it must be sent as it is"), "{answer:?}");
        }
    }
}
