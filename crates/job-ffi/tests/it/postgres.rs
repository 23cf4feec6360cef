//! A store in PostgreSQL, which engines of several hosts share.

use std::{ffi::c_void, ptr};

use job::*;
use serde_json::json;
use test_servers::Postgres;

use crate::support::{algorithm, explain, ok, open, submit, wait};

unsafe extern "C-unwind" fn three_rows(_: *mut c_void, context: JobContext) -> JobStatus {
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_context_rows(context, b"rows".as_ptr().cast(), 4, &raw mut rows) });
    for row in ["1", "2", "3"] {
        // SAFETY: the text has its length.
        ok(unsafe { job_rows_push(rows, row.as_ptr().cast(), row.len()) });
    }
    JOB_OK
}

#[test]
fn a_job_is_submitted_in_one_engine_runs_in_another_and_is_read_in_the_first() {
    let Some(database) = Postgres::start().unwrap() else { return };
    let options = |more: &str| {
        let url = json!(database.url());
        format!(
            r#"{{"store":{{"postgres":{url}}},"postgres":{{"schema":"of_c","connections":2,"timeout_ms":60000}},{more}}}"#
        )
    };
    let front = open(&options(r#""front_end":true"#), &[]);
    let job = submit(front, &algorithm("x"));
    let worker = open(&options(r#""workers":1,"lease_duration_ms":60000"#), &[("x", three_rows, ptr::null_mut())]);
    assert_eq!(wait(front, &job), JOB_STATE_SUCCEEDED, "{}", explain(front, &job));
    assert_eq!((&explain(front, &job)["rows"], &explain(front, &job)["list"]), (&json!(3), &json!("rows")));
    ok(job_engine_free(worker));
    ok(job_engine_free(front));
    let tables = database.sql("SELECT count(*) FROM of_c.jobs").unwrap();
    assert_eq!(tables.trim(), "1", "the schema is the one of the options");
}
