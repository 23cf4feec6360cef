//! Requests for work.

use serde_json::json;

use crate::host::service;

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
        assert_eq!((spec.graph_name(), spec.options().graph_version.as_deref()), ("demo/movies", Some("1")));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_run_is_no_job() {
    let service = service();
    for (path, body, code) in [
        ("/vertices/action?action_id=query", "", "GES.8202"),
        ("/vertices/action?action_id=query", "[]", "GES.8202"),
        ("/edges/action?action_id=query", "{", "GES.8101"),
        ("/vertices/action?action_id=delete", "{}", "GES.8005"),
        ("/vertices/action", "{}", "GES.8005"),
        ("/action?action_id=execute-algorithm", "{}", "GES.8401"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":""}"#, "GES.8401"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"nonsense"}"#, "GES.8402"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"export-result"}"#, "GES.8402"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path","parameters":[]}"#, "GES.8402"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path","executionMode":"now"}"#, "GES.8404"),
        ("/action?action_id=execute-algorithm", r#"{"algorithmName":"path","executionMode":"sync"}"#, "GES.8404"),
    ] {
        let answer = service.post(path, body).await;
        assert_eq!((answer.error().0, answer.error().1.as_str()), (400, code), "{path} {body}");
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
