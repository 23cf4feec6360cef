//! The list of jobs.

use std::sync::Arc;

use job_http::Dialect;
use job_runner::{
    JobSpec,
    store::{FaultStore, MemoryStore, Store},
};
use serde_json::json;

use crate::host::{builder, over, service, with};

#[tokio::test]
async fn jobs_are_listed_newest_first_with_what_was_asked() {
    let service = service();
    let failed =
        service.run(JobSpec::algorithm("shortest_path").with_parameters(&json!({"source": "0000"})).unwrap());
    let done = service.run(JobSpec::vertex_filter().with_parameters(&json!({"labels": ["user"]})).unwrap());
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

/// One unreadable job must not turn every list into an error.
#[tokio::test]
async fn a_job_that_cannot_be_read_is_listed_among_the_others() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()) as Arc<dyn Store>);
    let service = over(Arc::new(builder(Arc::new(store.clone())).open().unwrap()), |api| api);
    let jobs = [(); 3].map(|()| service.submit(JobSpec::vertex_filter()));
    store.damage(jobs[1]);
    let why = "cannot be read: injected: the record is damaged";
    let listed = service.get("/jobs/status").await.json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(
        listed["jobs"][1],
        json!({
            "jobId": jobs[1].to_string(), "rawRequest": "", "taskType": "Unknown", "canStop": false, "progress": "0",
            "startTime": "", "failReason": why, "endTime": "", "status": "failed",
        })
    );
    assert_eq!(listed["jobs"][2]["jobId"], jobs[0].to_string());
    let page = service.get("/jobs/status?offset=1&limit=1").await.json();
    assert_eq!(page["jobs"], json!([listed["jobs"][1]]));
    let overview = service.get("/jobs/overview").await.json();
    assert_eq!(overview["jobs"][1]["state"], "unreadable");
    assert_eq!(overview["jobs"][1]["why"], json!({"reason": "unreadable", "sentence": why}));
    assert_eq!(overview["jobs"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn pages_of_a_long_list_are_its_parts() {
    let service = service();
    let mut ids: Vec<String> = (0..700).map(|_| service.submit(JobSpec::vertex_filter()).to_string()).collect();
    ids.reverse();
    for _ in 0..300 {
        service.engine.submit(JobSpec::vertex_filter().with_graph("other/movies")).unwrap();
    }
    for (offset, limit) in [(0, 700), (0, 255), (255, 2), (256, 256), (699, 5), (650, 100)] {
        let list = service.get(&format!("/jobs/status?offset={offset}&limit={limit}")).await.json();
        let listed: Vec<&str> =
            list["jobs"].as_array().unwrap().iter().map(|job| job["jobId"].as_str().unwrap()).collect();
        assert_eq!(listed, &ids[offset..(offset + limit).min(700)]);
    }
}

/// With an offset, new jobs move every page: 52 of 2,653 jobs would be listed twice.
#[tokio::test]
async fn a_walk_by_cursor_repeats_no_job_while_new_ones_come() {
    for (path, step) in
        [("/jobs/status", 7), ("/jobs/overview", 7), ("/jobs/status", 300), ("/jobs/overview", 300)]
    {
        let service = service();
        let mut ids: Vec<String> =
            (0..700).map(|_| service.submit(JobSpec::vertex_filter()).to_string()).collect();
        ids.reverse();
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = service.get(&format!("{path}?limit={step}{cursor}")).await.json();
            let jobs = page["jobs"].as_array().unwrap();
            walked.extend(jobs.iter().map(|job| job["jobId"].as_str().unwrap().to_owned()));
            if jobs.len() < step {
                break;
            }
            cursor = format!("&before={}", walked.last().unwrap());
            if path == "/jobs/overview" {
                assert_eq!(format!("&before={}", page["next"].as_str().unwrap()), cursor);
            }
            service.submit(JobSpec::vertex_filter());
        }
        assert_eq!(walked, ids, "{path} by {step}");
    }
}

#[tokio::test]
async fn a_cursor_is_an_id_and_goes_with_an_offset_and_the_total() {
    let service = with(|api| api.dialect(Dialect::Database));
    let ids: Vec<String> = (0..10).map(|_| service.submit(JobSpec::vertex_filter()).to_string()).collect();
    let page = service.get(&format!("/jobs/status?before={}&offset=2&limit=3", ids[8])).await.json();
    let listed: Vec<&str> =
        page["jobs"].as_array().unwrap().iter().map(|job| job["jobId"].as_str().unwrap()).collect();
    assert_eq!(listed, [&ids[5], &ids[4], &ids[3]]);
    assert_eq!(page["totalCount"], 10);
    for path in ["/jobs/status", "/jobs/overview"] {
        let (status, code, message) = service.get(&format!("{path}?before=yesterday")).await.error();
        assert_eq!((status, code.as_str()), (400, "GES.8005"));
        assert!(message.starts_with("parameter before is \"yesterday\""), "{message}");
        let last = service.get(&format!("{path}?before={}", ids[0])).await.json();
        assert_eq!((&last["jobs"], &last["next"]), (&json!([]), &json!(null)));
    }
}

/// The answer must not list 1,000 of 1,503 jobs without a sign that there are more.
#[tokio::test]
async fn an_overview_of_more_jobs_than_it_may_have_is_refused_not_cut() {
    let service = service();
    for limit in ["5000", "1001", "0", "-1", "4294967297"] {
        let expected = format!("parameter limit is {limit}: it must be a whole number from 1 to 1000");
        let answer = service.get(&format!("/jobs/overview?limit={limit}")).await;
        assert_eq!(answer.error(), (400, "GES.8005".to_owned(), expected));
    }
    for _ in 0..1_003 {
        service.submit(JobSpec::vertex_filter());
    }
    let page = service.get("/jobs/overview").await.json();
    assert_eq!(page["jobs"].as_array().unwrap().len(), 1_000);
    let rest = service.get(&format!("/jobs/overview?before={}", page["next"].as_str().unwrap())).await.json();
    assert_eq!((rest["jobs"].as_array().unwrap().len(), &rest["next"]), (3, &json!(null)));
}

#[tokio::test]
async fn other_dialects_have_other_words_for_states() {
    for (dialect, words) in [
        (Dialect::Memory2025, ["pending", "success", "failed"]),
        (Dialect::Database, ["pending", "success", "failed"]),
    ] {
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

/// A page of one graph must not read every newer job of all graphs.
#[tokio::test]
async fn a_list_is_filtered_by_state_kind_owner_and_label() {
    let service = service();
    let done = service.run(JobSpec::vertex_filter().owner("Sarah"));
    let failed = service.run(JobSpec::algorithm("shortest_path").label("nightly"));
    let waiting = service.submit(JobSpec::edge_filter().owner("Sarah").label("nightly").label("team=搜索"));
    service.engine.submit(JobSpec::edge_filter().with_graph("other/movies").owner("Sarah")).unwrap();
    for (query, expected) in [
        ("state=waiting", vec![waiting]),
        ("state=failed,waiting", vec![waiting, failed]),
        ("kind=vertex_filter", vec![done]),
        ("kind=shortest_path&state=failed", vec![failed]),
        ("kind=shortest_path&state=succeeded", vec![]),
        ("owner=Sarah", vec![waiting, done]),
        ("owner=Sarah&limit=1&offset=1", vec![done]),
        ("owner=sarah", vec![]),
        ("label=nightly", vec![waiting, failed]),
        ("label=team%3D%E6%90%9C%E7%B4%A2", vec![waiting]),
        ("label=nightly&owner=Sarah", vec![waiting]),
    ] {
        for path in ["/jobs/status", "/jobs/overview"] {
            let list = service.get(&format!("{path}?{query}")).await.json();
            let ids: Vec<&str> =
                list["jobs"].as_array().unwrap().iter().map(|job| job["jobId"].as_str().unwrap()).collect();
            assert_eq!(ids, expected.iter().map(ToString::to_string).collect::<Vec<_>>(), "{path}?{query}");
        }
    }
    let refused = service.get("/jobs/status?state=done").await.error();
    assert_eq!((refused.0, refused.1.as_str()), (400, "GES.8005"));
    assert!(refused.2.starts_with("parameter state is done: it must be one or some of waiting,"), "{}", refused.2);
}
