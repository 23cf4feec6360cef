//! Requests for work.

use std::sync::Arc;

use job_runner::{JobError, JobKind, JobSpec, store::MemoryStore};
use serde_json::json;

use crate::host::{over, service, strict_builder};

#[tokio::test]
async fn each_kind_of_work_is_acknowledged_with_an_id_and_a_type() {
    let service = service();
    for (path, body, job_type) in [
        ("/vertices/action?action_id=query", json!({"labels": ["user"]}), 0),
        ("/edges/action?action_id=query", json!({"labels": ["rate"], "offset": "0", "limit": "20"}), 0),
        ("/action?action_id=execute-algorithm", json!({"algorithmName": "path", "parameters": {"k": 1}}), 1),
        ("/action?action_id=execute-algorithm", json!({"algorithmName": "path", "executionMode": "async"}), 1),
    ] {
        let answer = service.post(path, body.to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["jobType"]), (200, &json!(job_type)), "{path}");
        let id = answer.json()["jobId"].as_str().unwrap().to_owned();
        assert_eq!(service.get(&format!("/jobs/{id}/status")).await.body, r#"{"status":"waiting"}"#);
        let spec = service.engine.job(id.parse().unwrap()).unwrap().unwrap().record().spec;
        assert_eq!((spec.graph(), spec.options().graph_version.as_deref()), ("demo/movies", Some("1")));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_run_is_no_job() {
    let service = service();
    for (path, body, code) in [
        ("/vertices/action?action_id=query", "", "GES.8202"),
        ("/vertices/action?action_id=query", "[]", "GES.8202"),
        ("/vertices/action?action_id=query", r#"{"labels":[],"labels":[]}"#, "GES.8202"),
        ("/vertices/action?action_id=query&action_id=query", "{}", "GES.8005"),
        ("/action?action_id=execute-algorithm", r#"["path",{},"async"]"#, "GES.8402"),
        ("/edges/action?action_id=query", "{", "GES.8101"),
        ("/vertices/action?action_id=delete", "{}", "GES.8005"),
        ("/vertices/action", "{}", "GES.8005"),
        ("/action?action_id=execute-algorithm", "{}", "GES.8401"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":""}"#, "GES.8401"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"nonsense"}"#, "GES.8402"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"export-result"}"#, "GES.8402"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path","parameters":[]}"#, "GES.8402"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path","executionMode":"now"}"#, "GES.8404"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path","limit":0}"#, "GES.8005"),
        ("/vertices/action?action_id=query", r#"{"executionMode":"sync"}"#, "GES.8005"),
        ("/vertices/action?action_id=query", r#"{"executionMode":1}"#, "GES.8202"),
    ] {
        let answer = service.post(path, body).await;
        assert_eq!((answer.error().0, answer.error().1.as_str()), (400, code), "{path} {body}");
    }
    assert_eq!(service.get("/jobs/status").await.body, r#"{"jobs":[]}"#);
}

/// The engine asks its own host about requests that the catalog of the API lets through.
#[tokio::test]
async fn a_request_that_the_engine_refuses_is_answered_with_its_reason() {
    let store = Arc::new(MemoryStore::default());
    let kinds = [JobKind::VertexFilter, JobKind::EdgeFilter, JobKind::Algorithm("path".to_owned())];
    let engine = kinds.into_iter().fold(strict_builder(store), |builder, kind| {
        builder.check(kind, |_: &JobSpec| Err(JobError::failed("k is 0: it must be at least 1")))
    });
    let service = over(Arc::new(engine.open().unwrap()), |api| api);
    let algorithm = "/action?action_id=execute-algorithm";
    for (path, body, code, reason) in [
        ("/vertices/action?action_id=query", "{}", "GES.8202", "vertex_filter refuses the request: k is 0"),
        ("/edges/action?action_id=query", "{}", "GES.8101", "edge_filter refuses the request: k is 0"),
        (algorithm, r#"{"algorithmName":"path"}"#, "GES.8402", "path refuses the request: k is 0"),
        (
            algorithm,
            r#"{"algorithmName":"walk"}"#,
            "GES.8402",
            "no handler runs walk: this engine has handlers for",
        ),
    ] {
        let (status, found, message) = service.post(path, body).await.error();
        assert_eq!((status, found.as_str()), (400, code), "{path} {body}");
        assert!(message.starts_with(reason), "{message}");
    }
    assert_eq!(service.get("/jobs/status").await.body, r#"{"jobs":[]}"#);
}

#[tokio::test]
async fn work_on_a_graph_that_is_not_there_is_a_bad_request() {
    let service = service();
    for (path, code) in [
        ("vertices/action?action_id=query", "GES.8204"),
        ("edges/action?action_id=query", "GES.8105"),
        ("action?action_id=execute-algorithm", "GES.8402"),
    ] {
        let request = axum::http::Request::post(format!("/ges/v1.0/demo/graphs/demo/{path}"));
        let answer = service.send(request.body("{}".into()).unwrap()).await;
        assert_eq!(answer.error(), (400, code.to_owned(), "graph [demo] is not found".to_owned()));
    }
}

/// A list must not be read as a struct, field by field, and a second value under a key must be refused.
#[tokio::test]
async fn a_body_is_an_object_with_every_key_once_or_a_sentence_in_plain_words() {
    let service = service();
    let (vertices, edges, algorithm) = (
        "/vertices/action?action_id=query",
        "/edges/action?action_id=query",
        "/action?action_id=execute-algorithm",
    );
    for (path, body, sentence) in [
        (vertices, r#"["user"]"#, "the body is a list: it must be a JSON object"),
        (vertices, "7", "the body is 7: it must be a JSON object"),
        (vertices, "", "the body is empty: it must be JSON"),
        (edges, r#"{"a":[{"b":1,"c":2,"b":3}]}"#, "b is given twice: give it once"),
        (edges, r#"{"labels":["a"],}"#, "the body is not JSON from line 1, column 17 on"),
        (algorithm, r#"["path",{},"async"]"#, "the body is a list: it must be a JSON object"),
        (algorithm, r#"{"algorithmName":["path"]}"#, "algorithmName is a list: it must be a string"),
        (algorithm, r#"{"algorithmName":"path","executionMode":1}"#, "executionMode is 1: it must be a string"),
        (
            algorithm,
            r#"{"algorithmName":"path","parameters":[1]}"#,
            "parameters is a list: it must be a JSON object",
        ),
        (algorithm, r#"{"algorithmName":"path","parameters":{"k":1,"k":2}}"#, "k is given twice: give it once"),
        (
            algorithm,
            r#"{"algorithmName":"a","\u0061lgorithmName":"path"}"#,
            "algorithmName is given twice: give it once",
        ),
    ] {
        let (status, _, message) = service.post(path, body).await.error();
        assert_eq!((status, message.as_str()), (400, sentence), "{body}");
    }
    assert_eq!(service.get("/jobs/status").await.body, r#"{"jobs":[]}"#);
}

#[tokio::test]
async fn parameters_stay_as_they_were_written_byte_for_byte() {
    let service = service();
    let parameters =
        r#"{ "k":1.50,"x":0.1000000000000000055511151231257827,"y":1e300 , "z":[12345678901234567890123]}"#;
    let stored = async |path: &str, body: &str| {
        let id = service.post(path, body.to_owned()).await.json()["jobId"].as_str().unwrap().parse().unwrap();
        service.engine.job(id).unwrap().unwrap().record().spec.parameters().as_str().to_owned()
    };
    assert_eq!(stored("/edges/action?action_id=query", &format!(" {parameters}\n")).await, parameters);
    let body = format!(r#"{{"parameters" :  {parameters} , "algorithmName":"path", "executionMode":null}}"#);
    assert_eq!(stored("/action?action_id=execute-algorithm", &body).await, parameters);
    let body = r#"{"algorithmName":"path","parameters":null}"#;
    assert_eq!(stored("/action?action_id=execute-algorithm", body).await, "{}");
}

#[tokio::test]
async fn a_request_may_name_an_owner_and_labels() {
    let service = service();
    let path = "/vertices/action?action_id=query&owner=Sarah&label=nightly,team%3Dsearch,nightly";
    let id = service.post(path, r#"{"labels":["user"]}"#).await.json()["jobId"].as_str().unwrap().to_owned();
    let spec = service.engine.job(id.parse().unwrap()).unwrap().unwrap().record().spec;
    assert_eq!(spec.options().owner.as_deref(), Some("Sarah"));
    assert!(spec.options().labels.iter().eq(["nightly", "team=search"]));
    for marks in [
        "owner=",
        "label=",
        "label=a,,b",
        &format!("label={}", (0..18).map(|n| n.to_string()).collect::<Vec<_>>().join(",")),
    ] {
        let answer = service.post(&format!("/vertices/action?action_id=query&{marks}"), "{}").await;
        assert_eq!(answer.error().0, 400, "{marks}");
    }
}
