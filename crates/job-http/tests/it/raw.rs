//! The body that came, in lists (`rawRequest`).

use std::sync::Arc;

use axum::{body::Body, http::Request};
use job_http::{Api, ApiFailure, Asked, Dialect, Graph, HostAction, Surface};
use job_runner::{JobSpec, store::MemoryStore};
use proptest::{prelude::*, sample};
use serde_json::Value;
use tokio::runtime::Builder;

use crate::host::{Service, builder, over, with};

const NEUTRAL: &str = "/v1/demo/graphs/movies/jobs";
const SERVICE: &str = "/ges/v1.0/demo/graphs/movies";

fn surfaces(api: Api) -> Api {
    let service = Surface::builder().dialect_by_header().build().unwrap();
    let neutral = Surface::builder().prefix("/v1/{projectId}").neutral().build().unwrap();
    api.surfaces([service, neutral]).action(HostAction::new("clear-graph"))
}

async fn post(service: &Service, path: &str, body: &str) -> u16 {
    let request = Request::post(path).body(Body::from(body.to_owned())).unwrap();
    service.send(request).await.status.as_u16()
}

/// The body of the newest job, as this dialect lists it.
async fn listed(service: &Service, dialect: Dialect) -> String {
    let request = Request::get(format!("{SERVICE}/jobs/status?limit=1")).header("X-Job-Dialect", dialect.name());
    let list = service.send(request.body(Body::empty()).unwrap()).await.json();
    let job = &list["jobs"][0];
    let body = if dialect == Dialect::Database { &job["request"]["rawRequest"] } else { &job["rawRequest"] };
    body.as_str().unwrap().to_owned()
}

/// Blanks of JSON.
fn blank() -> impl Strategy<Value = &'static str> {
    sample::select(vec!["", "", " ", "\n", "\t ", "\r\n  "])
}

/// The text of a value that is no mode of execution.
fn value() -> impl Strategy<Value = String> {
    let plain =
        sample::select(vec!["null", "1.50", "-0", "1e2", "true", "[ 1,2 ]", r#"{"a" :"莎拉"}"#, r#""\u0041\/""#]);
    prop_oneof![5 => plain.prop_map(str::to_owned), 1 => (0..20_000_usize).prop_map(|n| format!("\"{}\"", "x".repeat(n)))]
}

/// An object with these members and up to four of its own.
fn object(members: Vec<String>) -> impl Strategy<Value = String> {
    let own = prop::collection::vec((blank(), blank(), value()), 0..4);
    (own, blank(), blank()).prop_map(move |(own, before, behind)| {
        let own =
            own.iter().enumerate().map(|(at, (name, colon, value))| format!("{name}\"own{at}\"{colon}:{value}"));
        let all: Vec<String> = members.iter().cloned().chain(own).collect();
        format!("{before}{{{}{behind}}}{before}", all.join(","))
    })
}

/// A path and a body that is accepted there.
fn submissions() -> impl Strategy<Value = (String, String)> {
    let at = |path: &str, body: BoxedStrategy<String>| {
        let path = path.to_owned();
        body.prop_map(move |body| (path.clone(), body)).boxed()
    };
    let parameters = || object(vec![]).prop_map(|parameters| format!("\"parameters\":{parameters}"));
    let algorithm =
        parameters().prop_flat_map(|parameters| object(vec!["\"algorithmName\":\"path\"".to_owned(), parameters]));
    let neutral = (blank(), parameters())
        .prop_map(|(blank, parameters)| format!("{{ \"kind\":\"path\"{blank},{parameters}}}"));
    prop_oneof![
        at(&format!("{SERVICE}/vertices/action?action_id=query"), object(vec![]).boxed()),
        at(
            &format!("{SERVICE}/edges/action?action_id=query"),
            object(vec!["\"executionMode\":null".to_owned()]).boxed()
        ),
        at(&format!("{SERVICE}/action?action_id=execute-algorithm"), algorithm.boxed()),
        at(&format!("{SERVICE}/action?action_id=clear-graph"), object(vec![]).boxed()),
        at(NEUTRAL, neutral.boxed()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_body_that_is_accepted_comes_back_byte_for_byte((path, body) in submissions()) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let service = with(surfaces);
            let status = post(&service, &path, &body).await;
            prop_assert!([200, 202].contains(&status), "{path} {body}");
            for dialect in Dialect::ALL {
                let found = listed(&service, dialect).await;
                if body.len() <= JobSpec::MAX_RAW_REQUEST {
                    prop_assert_eq!(&found, &body, "{} {}", path, dialect.name());
                } else {
                    // A longer one is made anew, or is the parameters themselves. It has no other blanks.
                    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                    let (found, body) = (value(&found), value(&body));
                    prop_assert!(found == body || found["parameters"] == body["parameters"]);
                }
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_body_is_kept_only_if_another_would_be_made() {
    let service = with(surfaces);
    for (path, body, kept) in [
        ("/vertices/action?action_id=query", r#"{ "labels":["user"]}"#, false),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path","parameters":{}}"#, false),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path"}"#, true),
    ] {
        assert_eq!(post(&service, &format!("{SERVICE}{path}"), body).await, 200);
        let newest = service.engine.reader().list(job_runner::PageRequest::default()).unwrap().remove(0);
        assert_eq!(newest.spec.options().raw_request.as_deref(), kept.then_some(body));
    }
}

/// The reader of an action may leave a password out of what lists show.
#[tokio::test]
async fn a_body_that_the_host_has_set_stays() {
    let read = |_: &Graph, _: &str| -> Result<Asked, ApiFailure> {
        Ok(Asked::new(JobSpec::action("import").raw_request(r#"{"secretKey":"..."}"#)))
    };
    let engine = Arc::new(builder(Arc::new(MemoryStore::default())).open().unwrap());
    let service = over(engine, |api| surfaces(api).action(HostAction::new("import").read(read)));
    let path = format!("{SERVICE}/action?action_id=import");
    assert_eq!(post(&service, &path, r#"{"secretKey":"s3cr3t"}"#).await, 200);
    assert_eq!(listed(&service, Dialect::Document).await, r#"{"secretKey":"..."}"#);
}

/// A client that sends a request anew after an outage may spell it in another way.
#[tokio::test]
async fn the_same_request_in_another_spelling_is_the_same_job() {
    let service = with(surfaces);
    let send = async |body: &str| {
        let request = Request::post(format!("{SERVICE}/action?action_id=execute-algorithm"));
        let request = request.header("Idempotency-Key", "nightly").body(Body::from(body.to_owned())).unwrap();
        service.send(request).await.json()["jobId"].clone()
    };
    let first = send(r#"{"algorithmName":"path"}"#).await;
    assert_eq!(send(r#"{"algorithmName": "path", "parameters":{}}"#).await, first);
    assert_eq!(listed(&service, Dialect::Memory2025).await, r#"{"algorithmName":"path"}"#);
}
