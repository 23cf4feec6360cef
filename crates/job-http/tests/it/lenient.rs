//! Unknown parameters: refused by default, or left out and told.

use std::sync::Arc;

use axum::{body::Body, http::Request};
use job_http::Surface;
use job_runner::{
    Declaration, EngineBuilder, JobContext, JobError, JobKind, JobSpec, Parameter, store::MemoryStore,
};
use serde_json::{Value, json};

use crate::host::{Service, over, strict_builder};

/// Takes `k` and `convergence`, and refuses all else.
fn check(spec: &JobSpec) -> Result<(), JobError> {
    let given: std::collections::BTreeMap<String, Value> = spec.parameters().read()?;
    match given.keys().find(|name| !["k", "convergence", "coveragence"].contains(&name.as_str())) {
        Some(name) => Err(JobError::failed(format!("parameter {name} is unknown"))),
        None => Ok(()),
    }
}

fn engine() -> EngineBuilder {
    let kind = JobKind::Algorithm("kcore".to_owned());
    let declared = Declaration::new("The coreness").parameter(Parameter::integer("k"));
    let declared = declared.parameter(Parameter::number("convergence").also("coveragence"));
    strict_builder(Arc::new(MemoryStore::default()))
        .algorithm("kcore", |_: &mut JobContext| Ok(()))
        .check(kind.clone(), check)
        .declare(kind, declared)
        .declare(JobKind::VertexFilter, Declaration::new("Vertices").parameter(Parameter::integer("rows")))
}

fn service(engine: EngineBuilder) -> Service {
    let neutral = Surface::builder().prefix("/v1/{projectId}").neutral().build().unwrap();
    over(Arc::new(engine.open().unwrap()), |api| api.surfaces([Surface::service(), neutral]))
}

const RUN: &str = "/action?action_id=execute-algorithm";
const BODY: &str = r#"{"algorithmName":"kcore","parameters":{"k":3,"alhpa":0.5,"coveragence":0.1,"x":{}}}"#;

#[tokio::test]
async fn by_default_a_request_goes_to_the_check_as_it_is() {
    let service = service(engine());
    let (status, _, message) = service.post(RUN, BODY).await.error();
    assert_eq!((status, message.contains("parameter alhpa is unknown")), (400, true), "{message}");
    let known = service.post(RUN, r#"{"algorithmName":"kcore","parameters":{"k":3}}"#).await.json();
    let id = known["jobId"].as_str().unwrap();
    assert_eq!(service.get(&format!("/jobs/{id}/explain")).await.json()["ignored"], Value::Null);
}

#[tokio::test]
async fn by_the_choice_of_the_host_they_are_left_out_and_told() {
    let service = service(engine().ignore_unknown_parameters());
    let acknowledged = service.post(RUN, BODY).await.json();
    let id = acknowledged["jobId"].as_str().unwrap().to_owned();
    for path in [format!("/jobs/{id}/explain"), format!("/jobs/{id}")] {
        assert_eq!(service.get(&path).await.json()["ignored"], json!(["alhpa", "x"]), "{path}");
    }
    let overview = service.get("/jobs/overview").await.json();
    assert_eq!(overview["jobs"][0]["ignored"], json!(["alhpa", "x"]));
    let view = service.get(&format!("/jobs/{id}")).await.json();
    assert_eq!(view["request"], json!({"k": 3, "coveragence": 0.1}));
    // The list shows the body that came.
    assert_eq!(service.get("/jobs/status").await.json()["jobs"][0]["rawRequest"], BODY);
    service.engine.driver().run_until_idle();
    assert_eq!(service.get(&format!("/jobs/{id}/status")).await.status, 200);

    let filter = service.post("/vertices/action?action_id=query", r#"{"rows":1,"lables":["user"]}"#).await.json();
    let explained = service.get(&format!("/jobs/{}/explain", filter["jobId"].as_str().unwrap())).await.json();
    assert_eq!(explained["ignored"], json!(["lables"]));
    // A kind without a declaration keeps all.
    let path = service.post(RUN, r#"{"algorithmName":"path","parameters":{"x":1}}"#).await.json();
    let view = service.get(&format!("/jobs/{}", path["jobId"].as_str().unwrap())).await.json();
    assert_eq!((&view["request"], &view["ignored"]), (&json!({"x": 1}), &Value::Null));
}

#[tokio::test]
async fn the_neutral_surface_leaves_them_out_too_and_values_are_still_checked() {
    let service = service(engine().ignore_unknown_parameters());
    let jobs = "/v1/demo/graphs/movies/jobs";
    let send =
        async |body: &str| service.send(Request::post(jobs).body(Body::from(body.to_owned())).unwrap()).await;
    let submitted = send(r#"{"kind":"kcore","parameters":{"k":3,"K":3}}"#).await;
    assert_eq!(submitted.status, 202, "{}", submitted.body);
    let path = format!("{jobs}/{}/explain", submitted.json()["id"].as_str().unwrap());
    let explained = service.send(Request::get(path).body(Body::empty()).unwrap()).await.json();
    assert_eq!(explained["ignored"], json!(["K"]));
    // A name twice is no unknown parameter.
    assert_eq!(send(r#"{"kind":"kcore","parameters":{"k":3,"k":4}}"#).await.status, 400);
}

/// An embedded host submits without a server, also several at once.
#[test]
fn a_request_that_no_server_has_read_is_treated_alike() {
    let spec = || {
        let spec = JobSpec::algorithm("kcore").with_graph("g").with_parameters(&json!({"k": 3, "alhpa": 1}));
        spec.unwrap()
    };
    let strict = engine().open().unwrap();
    assert!(strict.submit(spec()).is_err());
    let lenient = engine().ignore_unknown_parameters().open().unwrap();
    for job in lenient.submit_all([spec(), spec()]).unwrap() {
        let record = job.record();
        assert_eq!(record.spec.parameters().as_str(), r#"{"k":3}"#);
        assert_eq!(record.spec.options().ignored.iter().collect::<Vec<_>>(), ["alhpa"]);
    }
}

/// However many there are, the record stays short.
#[test]
fn sixteen_names_are_kept_of_which_each_is_cut() {
    let lenient = engine().ignore_unknown_parameters().open().unwrap();
    let many: serde_json::Map<String, Value> =
        (0..1_000).map(|n| (format!("{n:03}{}", "莎".repeat(300)), json!(1))).collect();
    let spec = JobSpec::algorithm("kcore").with_graph("g").with_parameters(&many).unwrap();
    let record = lenient.submit(spec).unwrap().record();
    let ignored = &record.spec.options().ignored;
    assert_eq!((ignored.len(), record.spec.parameters().as_str()), (16, "{}"));
    assert!(ignored.iter().all(|name| name.chars().count() <= 64), "{ignored:?}");
}
