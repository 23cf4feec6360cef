//! Golden answers of each dialect.

use std::sync::{Arc, Mutex, mpsc};

use axum::{body::Body, http::Request};
use job_http::Dialect;
use job_runner::{JobContext, JobSpec};
use serde_json::json;

use crate::host::{Service, builder, over, with};

struct Golden {
    waiting: &'static str,
    running: &'static str,
    so_far: &'static str,
    page: &'static str,
    values: &'static str,
    failed: (u16, &'static str),
    unknown: (u16, &'static str),
    submitted: &'static str,
    submitted_edges: &'static str,
    submitted_algorithm: &'static str,
    cancelled: &'static str,
    stopped: (u16, &'static str),
    ended: &'static str,
    listed: &'static str,
    no_graph: (u16, &'static str),
    refused: &'static str,
}

const DOCUMENT: Golden = Golden {
    waiting: r#"{"status":"waiting"}"#,
    running: r#"{"status":"running"}"#,
    so_far: r#"{"data":{"outputs":{"data_return_size":1,"data_offset":3,"data_total_size":TOTAL,"score":[{"v":3}]}},"status":"running"}"#,
    page: r#"{"data":{"outputs":{"data_return_size":0,"data_offset":0,"data_total_size":0,"vertices":[]}},"status":"complete"}"#,
    values: r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}},"status":"complete"}"#,
    failed: (
        400,
        r#"{"errorMessage":"Running algorithm [shortest_path] error: parameter [source] is invalid!","errorCode":"GES.8301"}"#,
    ),
    unknown: (400, r#"{"errorMessage":"can not find job, jobId is  1","errorCode":"GES.8301"}"#),
    submitted: r#"{"jobId":"ID","jobType":0}"#,
    submitted_edges: r#"{"jobId":"ID","jobType":0}"#,
    submitted_algorithm: r#"{"jobId":"ID","jobType":1}"#,
    cancelled: "{}",
    stopped: (
        400,
        r#"{"errorMessage":"Running vertex filter error: the job was cancelled!","errorCode":"GES.8301"}"#,
    ),
    ended: r#"{"errorMessage":"can not find job to cancel, id is ID","errorCode":"GES.8303"}"#,
    listed: r#"{"jobs":[{"jobId":"ID","rawRequest":"{\"labels\":[\"user\"]}","taskType":"VertexQuery","canStop":true,"progress":"0","startTime":"","endTime":"","status":"waiting"}]}"#,
    no_graph: (404, r#"{"errorMessage":"graph [none] is not found","errorCode":"GES.8006"}"#),
    refused: r#"{"errorMessage":"parameter limit is 0: it must be a whole number from 1 to 100000","errorCode":"GES.8005"}"#,
};

const MEMORY_2025: Golden = Golden {
    waiting: r#"{"status":"pending"}"#,
    running: r#"{"status":"running"}"#,
    so_far: r#"{"data":{"outputs":{"data_return_size":1,"data_offset":3,"data_total_size":TOTAL,"score":[{"v":3}]}},"status":"running"}"#,
    page: r#"{"data":{"outputs":{"data_return_size":0,"data_offset":0,"data_total_size":0,"vertices":[]}},"status":"success"}"#,
    values: r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}},"status":"success"}"#,
    failed: (
        200,
        r#"{"errorMessage":"Running algorithm [shortest_path] error: parameter [source] is invalid!","errorCode":"GES.8301","status":"failed"}"#,
    ),
    unknown: (400, r#"{"errorMessage":"can not find job, jobId is  1","errorCode":"GES.8301"}"#),
    submitted: r#"{"jobId":"ID","jobType":1}"#,
    submitted_edges: r#"{"jobId":"ID","jobType":0}"#,
    submitted_algorithm: r#"{"jobId":"ID","jobType":1}"#,
    cancelled: "{}",
    stopped: (
        200,
        r#"{"errorMessage":"Running vertex filter error: the job was cancelled!","errorCode":"GES.8301","status":"failed"}"#,
    ),
    ended: r#"{"errorMessage":"Can not find job to cancel, jobId is ID","errorCode":"GES.8303"}"#,
    listed: r#"{"jobs":[{"jobId":"ID","rawRequest":"{\"labels\":[\"user\"]}","taskType":"VertexQuery","canStop":true,"progress":"0","startTime":"","endTime":"","status":"pending"}]}"#,
    no_graph: (404, r#"{"errorMessage":"graph [none] is not found","errorCode":"GES.8006"}"#),
    refused: r#"{"errorMessage":"parameter limit is 0: it must be a whole number from 1 to 100000","errorCode":"GES.8005"}"#,
};

const DATABASE: Golden = Golden {
    waiting: r#"{"status":"pending","result":"success"}"#,
    running: r#"{"status":"running","result":"success"}"#,
    so_far: r#"{"data":{"outputs":{"data_return_size":1,"data_offset":3,"data_total_size":TOTAL,"score":[{"v":3}]}},"status":"running","result":"success"}"#,
    page: r#"{"data":{"outputs":{"data_return_size":0,"data_offset":0,"data_total_size":0,"vertices":[]}},"status":"complete","result":"success"}"#,
    values: r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}},"status":"complete","result":"success"}"#,
    failed: (
        200,
        r#"{"errorMessage":"Running algorithm [shortest_path] error: parameter [source] is invalid!","errorCode":"GES.8301","status":"failed","result":"failed"}"#,
    ),
    unknown: (400, r#"{"errorMessage":"can not find job, jobId is 1","errorCode":"GES.8301","result":"failed"}"#),
    submitted: r#"{"jobId":"ID"}"#,
    submitted_edges: r#"{"jobId":"ID"}"#,
    submitted_algorithm: r#"{"jobId":"ID"}"#,
    cancelled: r#"{"result":"success"}"#,
    stopped: (
        200,
        r#"{"errorMessage":"Running vertex filter error: the job was cancelled!","errorCode":"GES.8301","status":"failed","result":"failed"}"#,
    ),
    ended: r#"{"errorMessage":"can not find job to cancel, id is ID","errorCode":"GES.8303","result":"failed"}"#,
    listed: r#"{"jobs":[{"jobId":"ID","status":"pending","request":{"command":"vertex_query","url":"/ges/v1.0/demo/graphs/movies/vertices/action?action_id=query","rawRequest":"{\"labels\":[\"user\"]}"}}],"totalCount":1,"result":"success"}"#,
    no_graph: (400, r#"{"errorMessage":"graph : none not exist","errorCode":"GES.8000","result":"failed"}"#),
    refused: r#"{"errorMessage":"parameter limit is 0: it must be a whole number from 1 to 100000","errorCode":"GES.8005","result":"failed"}"#,
};

#[tokio::test]
async fn each_dialect_answers_in_its_own_words() {
    for (dialect, golden) in
        [(Dialect::Document, DOCUMENT), (Dialect::Memory2025, MEMORY_2025), (Dialect::Database, DATABASE)]
    {
        let service = with(|api| api.dialect(dialect));
        let text = |id: &dyn std::fmt::Display, body: String| body.replace(&id.to_string(), "ID");

        let submitted = service.post("/vertices/action?action_id=query", r#"{"labels":["user"]}"#).await;
        let id = submitted.json()["jobId"].as_str().unwrap().to_owned();
        assert_eq!(text(&id, submitted.body), golden.submitted);
        assert_eq!(service.get(&format!("/jobs/{id}/status")).await.body, golden.waiting);
        assert_eq!(text(&id, service.get("/jobs/status").await.body), golden.listed);
        for _ in 0..2 {
            let cancelled = service.delete(&format!("/jobs/{id}")).await;
            assert_eq!((cancelled.status.as_u16(), cancelled.body.as_str()), (200, golden.cancelled));
        }

        let stopped = service.get(&format!("/jobs/{id}/status")).await;
        assert_eq!((stopped.status.as_u16(), stopped.body.as_str()), golden.stopped);
        for (path, body, expected) in [
            ("/edges/action?action_id=query", r#"{"labels":["rate"]}"#, golden.submitted_edges),
            (
                "/action?action_id=execute-algorithm",
                r#"{"algorithmName":"path","executionMode":"async"}"#,
                golden.submitted_algorithm,
            ),
        ] {
            let submitted = service.post(path, body).await;
            let id = submitted.json()["jobId"].as_str().unwrap().to_owned();
            assert_eq!((submitted.status.as_u16(), text(&id, submitted.body).as_str()), (200, expected));
        }

        let page = service.run_rows(0);
        let ended = service.delete(&format!("/jobs/{page}")).await;
        assert_eq!((ended.status.as_u16(), text(&page, ended.body).as_str()), (400, golden.ended));
        assert_eq!(service.status(page, "").await.body, golden.page);
        let values = service.run(JobSpec::algorithm("path"));
        assert_eq!(service.status(values, "").await.body, golden.values);
        let failed = service.run(JobSpec::algorithm("shortest_path"));
        let failed = service.status(failed, "").await;
        assert_eq!((failed.status.as_u16(), failed.body.as_str()), golden.failed);
        let unknown = service.get("/jobs/1/status").await;
        assert_eq!((unknown.status.as_u16(), unknown.body.as_str()), golden.unknown);
        let refused = service.status(page, "?limit=0").await;
        assert_eq!((refused.status.as_u16(), refused.body.as_str()), (400, golden.refused));
        let none = Request::get("/ges/v1.0/demo/graphs/none/jobs/status").body(Body::empty()).unwrap();
        let none = service.send(none).await;
        assert_eq!((none.status.as_u16(), none.body.as_str()), golden.no_graph);
    }
}

#[tokio::test]
async fn each_dialect_answers_about_a_running_job_in_its_own_words() {
    for (dialect, golden) in
        [(Dialect::Document, DOCUMENT), (Dialect::Memory2025, MEMORY_2025), (Dialect::Database, DATABASE)]
    {
        let (started, starts) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let (started, ends) = (Mutex::new(started), Mutex::new(ends));
        let engine = builder(Arc::new(job_runner::store::MemoryStore::default()))
            .workers(1)
            .algorithm("score", move |ctx: &mut JobContext| {
                let mut rows = ctx.rows("score")?;
                // Rows for many blocks, so that some are stored.
                (0..100_000).try_for_each(|n| rows.push(&json!({"v": n})))?;
                started.lock().unwrap().send(()).unwrap();
                ends.lock().unwrap().recv().unwrap();
                Ok(())
            })
            .open()
            .unwrap();
        let service = over(Arc::new(engine), |api| api.dialect(dialect).operator());
        let id = service.submit(JobSpec::algorithm("score"));
        tokio::task::spawn_blocking(move || starts.recv().unwrap()).await.unwrap();

        let running = service.status(id, "").await;
        assert_eq!((running.status.as_u16(), running.body.as_str()), (200, golden.running));
        let rows = Request::get(format!("/operator/jobs/{id}/rows?offset=3&limit=1")).body(Body::empty()).unwrap();
        let rows = service.send(rows).await;
        let total = rows.json()["data"]["outputs"]["data_total_size"].to_string();
        let expected = golden.so_far.replace("TOTAL", &total);
        assert_eq!((rows.status.as_u16(), rows.body), (200, expected));
        end.send(()).unwrap();
    }
}

fn kept(dialect: Dialect) -> (Service, job_runner::JobId) {
    let engine = builder(Arc::new(job_runner::store::MemoryStore::default()))
        .algorithm("greedy", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("score")?;
            (0..10).try_for_each(|n| rows.push(&json!({ n.to_string(): n })))
        })
        .open()
        .unwrap();
    let service = over(Arc::new(engine), |api| api.dialect(dialect));
    let id = service.run(JobSpec::algorithm("greedy").max_rows(2).keep_rows());
    (service, id)
}

/// The client of the database edition asks until the state is `complete` or `failed`, and gives up at an error.
#[tokio::test]
async fn the_loop_of_a_client_ends_in_every_dialect_that_it_can_meet() {
    for dialect in [Dialect::Document, Dialect::Database] {
        let service = with(|api| api.dialect(dialect));
        let cancelled = service.submit(JobSpec::vertex_filter());
        service.engine.job(cancelled).unwrap().unwrap().cancel().unwrap();
        let ended = [cancelled, service.run(JobSpec::algorithm("shortest_path")), service.run_rows(1)];
        for id in ended {
            let answer = service.status(id, "").await;
            let ends = answer.status.is_client_error()
                || ["complete", "failed"].contains(&answer.json()["status"].as_str().unwrap());
            assert!(ends, "{}: {}", dialect.name(), answer.body);
        }
    }
}

/// The newest pages of the memory edition: rows of ranks are objects, and a list says how many jobs there are.
#[tokio::test]
async fn rows_of_ranks_are_objects_in_the_newest_pages() {
    let engine = builder(Arc::new(job_runner::store::MemoryStore::default()))
        .algorithm("pagerank", |ctx: &mut JobContext| {
            ctx.set_output("runtime", &0.5)?;
            let mut rows = ctx.rows("pagerank")?;
            (0..20_000).try_for_each(|n| rows.push(&json!({ format!("v\"{n}"): n })))
        })
        .open()
        .unwrap();
    let service = over(Arc::new(engine), |api| api.dialect(Dialect::Memory2025Rows));
    let id = service.run(JobSpec::algorithm("pagerank"));
    let page = service.status(id, "?offset=9999&limit=2").await;
    let expected = json!({"data": {"outputs": {"runtime": 0.5, "data_return_size": 2, "data_offset": 9_999,
        "data_total_size": 20_000, "results": [{"id": "v\"9999", "pagerank": 9_999},
        {"id": "v\"10000", "pagerank": 10_000}]}}, "status": "success"});
    assert_eq!(page.json(), expected);
    // A page of several blocks.
    let all = service.status(id, "").await.json();
    let rows = all["data"]["outputs"]["results"].as_array().unwrap();
    assert!((0_u64..).zip(rows).all(|(n, row)| row["pagerank"] == n && row["id"] == format!("v\"{n}")));
    assert_eq!(rows.len(), 20_000);
    assert!(service.get("/jobs/status").await.body.ends_with(r#"],"jobCount":1}"#));
}

#[tokio::test]
async fn rows_kept_by_a_job_that_failed_are_shown_by_the_dialect_that_has_a_word_for_it() {
    let (service, id) = kept(Dialect::Memory2025);
    assert_eq!(
        service.status(id, "?offset=1").await.body,
        concat!(
            r#"{"data":{"outputs":{"data_return_size":1,"data_offset":1,"data_total_size":2,"#,
            r#""score":[{"1":1}]}},"status":"partiallyFailed"}"#
        )
    );
    let (service, id) = kept(Dialect::Document);
    assert_eq!(service.status(id, "").await.error().1, "GES.8301");
    let (service, id) = kept(Dialect::Database);
    assert_eq!(
        service.status(id, "").await.body,
        concat!(
            r#"{"errorMessage":"Running algorithm [greedy] error: its budget of 2 rows is used up!","#,
            r#""errorCode":"GES.8301","status":"failed","result":"failed"}"#
        )
    );
}
