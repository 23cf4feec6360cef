//! The list of jobs.

use job_http::Dialect;
use job_runner::JobSpec;
use serde_json::json;

use crate::host::{service, with};

#[tokio::test]
async fn jobs_are_listed_newest_first_with_what_was_asked() {
    let service = service();
    let failed = service.run(JobSpec::algorithm("shortest_path").parameters(&json!({"source": "0000"})).unwrap());
    let done = service.run(JobSpec::vertex_filter().parameters(&json!({"labels": ["user"]})).unwrap());
    let waiting = service.submit(JobSpec::edge_filter());
    let expected = json!({"jobs": [
        {
            "jobId": waiting.to_string(), "rawRequest": "{}", "taskType": "EdgeQuery", "canStop": true,
            "progress": "0", "startTime": "", "endTime": "", "status": "waiting",
        },
        {
            "jobId": done.to_string(), "rawRequest": r#"{"labels":["user"]}"#, "taskType": "VertexQuery",
            "canStop": false, "progress": "100", "startTime": "2024-05-23 09:54:00",
            "endTime": "2024-05-23 09:54:00", "status": "complete",
        },
        {
            "jobId": failed.to_string(),
            "rawRequest": r#"{"algorithmName":"shortest_path","parameters":{"source":"0000"}}"#,
            "taskType": "Algorithm", "canStop": false, "progress": "100", "startTime": "2024-05-23 09:54:00",
            "failReason": "Running algorithm [shortest_path] error: parameter [source] is invalid!",
            "endTime": "2024-05-23 09:54:00", "status": "failed",
        },
    ]});
    assert_eq!(service.get("/jobs/status").await.json(), expected);
    let middle = service.get("/jobs/status?offset=1&limit=1").await.json();
    assert_eq!(middle["jobs"], json!([expected["jobs"][1]]));
    assert_eq!(service.get("/jobs/status?offset=9").await.body, r#"{"jobs":[]}"#);
    assert_eq!(service.get("/jobs/status?limit=100001").await.error().1, "GES.8005");
}

#[tokio::test]
async fn pages_of_a_long_list_are_its_parts() {
    let service = service();
    let mut ids: Vec<String> = (0..700).map(|_| service.submit(JobSpec::vertex_filter()).to_string()).collect();
    ids.reverse();
    for _ in 0..300 {
        service.engine.submit(JobSpec::vertex_filter().graph("other/movies")).unwrap();
    }
    for (offset, limit) in [(0, 700), (0, 255), (255, 2), (256, 256), (699, 5), (650, 100)] {
        let list = service.get(&format!("/jobs/status?offset={offset}&limit={limit}")).await.json();
        let listed: Vec<&str> =
            list["jobs"].as_array().unwrap().iter().map(|job| job["jobId"].as_str().unwrap()).collect();
        assert_eq!(listed, &ids[offset..(offset + limit).min(700)]);
    }
}

#[tokio::test]
async fn other_dialects_have_other_words_for_states() {
    for (dialect, words) in
        [(Dialect::Later, ["pending", "success", "failed"]), (Dialect::Database, ["pending", "success", "failed"])]
    {
        let service = with(|api| api.dialect(dialect));
        service.run(JobSpec::algorithm("shortest_path"));
        service.run(JobSpec::algorithm("path"));
        service.submit(JobSpec::vertex_filter());
        let list = service.get("/jobs/status?limit=3").await.json();
        assert_eq!([0, 1, 2].map(|n| list["jobs"][n]["status"].as_str().unwrap().to_owned()), words);
        let one = service.get("/jobs/status?limit=1").await.json();
        let database = dialect == Dialect::Database;
        assert_eq!(one["totalCount"], if database { json!(3) } else { json!(null) });
        assert_eq!(one["result"], if database { json!("success") } else { json!(null) });
    }
}
