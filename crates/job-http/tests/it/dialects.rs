//! Golden answers of each dialect.

use job_http::Dialect;
use job_runner::{JobContext, JobSpec};
use serde_json::json;

use crate::host::{Service, builder, over, with};
use std::sync::Arc;

struct Golden {
    waiting: &'static str,
    page: &'static str,
    values: &'static str,
    failed: (u16, &'static str),
    unknown: (u16, &'static str),
    submitted: &'static str,
    cancelled: &'static str,
    ended: &'static str,
}

const DOCUMENT: Golden = Golden {
    waiting: r#"{"status":"waiting"}"#,
    page: r#"{"data":{"outputs":{"data_return_size":0,"data_offset":0,"data_total_size":0,"vertices":[]}},"status":"complete"}"#,
    values: r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}},"status":"complete"}"#,
    failed: (
        400,
        r#"{"errorMessage":"Running algorithm [shortest_path] error: parameter [source] is invalid!","errorCode":"GES.8301"}"#,
    ),
    unknown: (400, r#"{"errorMessage":"can not find job, jobId is  1","errorCode":"GES.8301"}"#),
    submitted: r#"{"jobId":"ID","jobType":0}"#,
    cancelled: "{}",
    ended: r#"{"errorMessage":"can not find job to cancel, id is ID","errorCode":"GES.8303"}"#,
};

const LATER: Golden = Golden {
    waiting: r#"{"status":"pending"}"#,
    page: r#"{"data":{"outputs":{"data_return_size":0,"data_offset":0,"data_total_size":0,"vertices":[]}},"status":"success"}"#,
    values: r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}},"status":"success"}"#,
    failed: (
        200,
        r#"{"errorMessage":"Running algorithm [shortest_path] error: parameter [source] is invalid!","errorCode":"GES.8301","status":"failed"}"#,
    ),
    unknown: (400, r#"{"errorMessage":"can not find job, jobId is  1","errorCode":"GES.8301"}"#),
    submitted: r#"{"jobId":"ID","jobType":1}"#,
    cancelled: "{}",
    ended: r#"{"errorMessage":"Can not find job to cancel, jobId is ID","errorCode":"GES.8303"}"#,
};

const DATABASE: Golden = Golden {
    waiting: r#"{"status":"pending","result":"success"}"#,
    page: r#"{"data":{"outputs":{"data_return_size":0,"data_offset":0,"data_total_size":0,"vertices":[]}},"status":"complete","result":"success"}"#,
    values: r#"{"data":{"outputs":{"path":["46","133","130","78"],"source":"46","target":"78"}},"status":"complete","result":"success"}"#,
    failed: (
        200,
        r#"{"errorMessage":"Running algorithm [shortest_path] error: parameter [source] is invalid!","errorCode":"GES.8301","status":"failed","result":"failed"}"#,
    ),
    unknown: (400, r#"{"errorMessage":"can not find job, jobId is 1","errorCode":"GES.8301","result":"failed"}"#),
    submitted: r#"{"jobId":"ID"}"#,
    cancelled: r#"{"result":"success"}"#,
    ended: r#"{"errorMessage":"can not find job to cancel, id is ID","errorCode":"GES.8303","result":"failed"}"#,
};

#[tokio::test]
async fn each_dialect_answers_in_its_own_words() {
    for (dialect, golden) in
        [(Dialect::Document, DOCUMENT), (Dialect::Later, LATER), (Dialect::Database, DATABASE)]
    {
        let service = with(|api| api.dialect(dialect));
        let text = |id: &dyn std::fmt::Display, body: String| body.replace(&id.to_string(), "ID");

        let submitted = service.post("/vertices/action?action_id=query", r#"{"labels":["user"]}"#).await;
        let id = submitted.json()["jobId"].as_str().unwrap().to_owned();
        assert_eq!(text(&id, submitted.body), golden.submitted);
        assert_eq!(service.get(&format!("/jobs/{id}/status")).await.body, golden.waiting);
        for _ in 0..2 {
            let cancelled = service.delete(&format!("/jobs/{id}")).await;
            assert_eq!((cancelled.status.as_u16(), cancelled.body.as_str()), (200, golden.cancelled));
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

#[tokio::test]
async fn rows_kept_by_a_job_that_failed_are_shown_by_the_dialect_that_has_a_word_for_it() {
    let (service, id) = kept(Dialect::Later);
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
    assert_eq!(service.status(id, "").await.json()["status"], "failed");
}
