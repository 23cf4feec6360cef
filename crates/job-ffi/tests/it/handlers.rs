//! Handlers that C gives: what they may do, and how they end.

use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

use job::*;
use serde_json::{Value, json};

use crate::support::{MEMORY, Run, algorithm, explain, filled, ok, open, submit, until_stopped, wait};

/// The end of a job that this handler runs.
fn end_of(run: Run, spec: &str) -> Value {
    let engine = open(MEMORY, &[("x", run, ptr::null_mut())]);
    let job = submit(engine, spec);
    wait(engine, &job);
    let end = explain(engine, &job);
    ok(job_engine_free(engine));
    end
}

fn list(context: JobContext) -> JobRows {
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_context_rows(context, b"rows".as_ptr().cast(), 4, &raw mut rows) });
    rows
}

unsafe extern "C-unwind" fn write_rows(_: *mut c_void, context: JobContext) -> JobStatus {
    let rows = list(context);
    let (many, lengths) = (br#"{"a":1}[2]"3""#, [7_usize, 3, 3]);
    // SAFETY: the texts have their lengths.
    unsafe {
        ok(job_rows_push(rows, b" {\"a\": 1.50} ".as_ptr().cast(), 13));
        assert_eq!(job_rows_push(rows, b"{".as_ptr().cast(), 1), JOB_ERROR_ARGUMENT);
        ok(job_rows_push_unchecked(rows, b"{\"a\":  2}".as_ptr().cast(), 9));
        ok(job_rows_push_many(rows, many.as_ptr().cast(), lengths.as_ptr().cast(), 3, 1));
        ok(job_rows_push_many(rows, many.as_ptr().cast(), lengths.as_ptr().cast(), 3, 0));
        ok(job_rows_push_many(rows, ptr::null(), ptr::null(), 0, 1));
        // The rows before the wrong one stay.
        assert_eq!(
            job_rows_push_many(rows, b"7{".as_ptr().cast(), [1_usize, 1].as_ptr().cast(), 2, 1),
            JOB_ERROR_ARGUMENT
        );
        ok(job_rows_close(rows));
        ok(job_context_set_output(context, b"score".as_ptr().cast(), 5, b"1.50".as_ptr().cast(), 4));
        assert_eq!(
            job_context_set_output(context, b"score".as_ptr().cast(), 5, b"2".as_ptr().cast(), 1),
            JOB_ERROR_ARGUMENT
        );
    }
    JOB_OK
}

#[test]
fn rows_are_read_as_they_were_pushed() {
    let engine = open(MEMORY, &[("vertex_filter", write_rows, ptr::null_mut())]);
    let job = submit(engine, r#"{"kind":"vertex_filter","graph":"g"}"#);
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED, "{}", explain(engine, &job));
    assert_eq!(explain(engine, &job)["list"], "rows");
    // SAFETY: the id is there, and `filled` gives places that may be written.
    let body = filled(|buffer, capacity, length| unsafe {
        job_status_payload(
            engine,
            &raw const job,
            ptr::null(),
            0,
            0,
            100,
            buffer,
            capacity,
            length,
            ptr::null_mut(),
        )
    });
    let expected = concat!(
        r#"{"data":{"outputs":{"score":1.50,"data_return_size":9,"data_offset":0,"data_total_size":9,"#,
        r#""rows":[{"a": 1.50},{"a":  2},{"a":1},[2],"3",{"a":1},[2],"3",7]}},"status":"complete"}"#
    );
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    ok(job_engine_free(engine));
}

unsafe extern "C-unwind" fn give_up(_: *mut c_void, context: JobContext) -> JobStatus {
    let reason = "vertex Zoe is not in the graph";
    // SAFETY: the text has its length.
    unsafe { job_context_fail(context, reason.as_ptr().cast(), reason.len()) }
}

unsafe extern "C-unwind" fn give_up_silently(_: *mut c_void, _: JobContext) -> JobStatus {
    -77
}

unsafe extern "C-unwind" fn panics(_: *mut c_void, context: JobContext) -> JobStatus {
    list(context);
    panic!("a bug of the host")
}

unsafe extern "C-unwind" fn panics_in_a_scan(_: *mut c_void, context: JobContext) -> JobStatus {
    // SAFETY: the text has its length, and the function needs no data.
    unsafe { job_context_scan(context, b"rows".as_ptr().cast(), 4, 0, 50, 1, Some(panic_at_30), ptr::null_mut()) }
}

unsafe extern "C-unwind" fn panic_at_30(
    _: *mut c_void,
    _: JobContext,
    _: JobRows,
    first: u64,
    _: u64,
) -> JobStatus {
    assert_ne!(first, 30, "a bug of the host");
    JOB_OK
}

unsafe extern "C-unwind" fn second_list(_: *mut c_void, context: JobContext) -> JobStatus {
    let mut rows = list(context);
    // SAFETY: the text has its length, and the place may be written.
    unsafe { job_context_rows(context, b"another".as_ptr().cast(), 7, &raw mut rows) }
}

#[test]
fn a_handler_that_ends_badly_fails_its_job_with_the_reason() {
    for (run, kind, reason) in [
        (give_up as Run, "handler", "vertex Zoe is not in the graph"),
        (give_up_silently, "handler", "the handler returned the status -77 without a reason"),
        (panics, "panicked", "a bug of the host"),
        (panics_in_a_scan, "handler", "a bug of the host"),
        (second_list, "handler", "another"),
    ] {
        let end = end_of(run, &algorithm("x"));
        let told = end["failure"]["message"].as_str().unwrap();
        assert!(end["failure"]["kind"] == kind && told.contains(reason), "{reason}: {end}");
        assert_eq!(end["state"], "failed");
    }
}

unsafe extern "C-unwind" fn push_all(_: *mut c_void, context: JobContext) -> JobStatus {
    let rows = list(context);
    loop {
        // SAFETY: the text has its length.
        match unsafe { job_rows_push(rows, b"1".as_ptr().cast(), 1) } {
            JOB_OK => {}
            told => return told,
        }
    }
}

unsafe extern "C-unwind" fn use_memory(_: *mut c_void, context: JobContext) -> JobStatus {
    match job_context_report_memory(context, 10) {
        JOB_OK => job_context_report_memory(context, 11),
        told => told,
    }
}

#[test]
fn a_budget_that_is_used_up_ends_the_job() {
    for (run, budget, kind) in [
        (push_all as Run, "rows", "row_budget"),
        (push_all, "bytes", "byte_budget"),
        (use_memory, "memory", "memory_budget"),
    ] {
        let spec =
            format!(r#"{{"kind":{{"algorithm":"x"}},"graph":"g","options":{{"budget":{{"{budget}":10}}}}}}"#);
        let end = end_of(run, &spec);
        assert_eq!(end["failure"]["kind"], kind, "{end}");
    }
}

/// Saves on the first attempt, and finds what was saved on the second.
unsafe extern "C-unwind" fn in_two_attempts(_: *mut c_void, context: JobContext) -> JobStatus {
    let mut attempt = 0;
    // SAFETY: the place may be written.
    ok(unsafe { job_context_attempt(context, &raw mut attempt) });
    let (mut state, mut length) = ([0; 8], 0);
    // SAFETY: the places may be written.
    let loaded = unsafe { job_context_load_checkpoint(context, state.as_mut_ptr().cast(), 8, &raw mut length) };
    if attempt == 1 {
        assert_eq!(loaded, JOB_ERROR_NOT_FOUND);
        // SAFETY: the texts have their lengths.
        unsafe {
            ok(job_context_save_checkpoint(context, b"half".as_ptr().cast(), 4));
            // A reason of an earlier failure is not the one of this.
            assert_eq!(job_context_fail(context, b"x".as_ptr().cast(), 1), JOB_ERROR_FAILED);
            return job_context_retry(context, b"busy".as_ptr().cast(), 4);
        }
    }
    assert_eq!((loaded, &state[..length]), (JOB_OK, &b"half"[..]));
    // SAFETY: the places may be written.
    let small = unsafe { job_context_load_checkpoint(context, state.as_mut_ptr().cast(), 3, &raw mut length) };
    assert_eq!((small, length), (JOB_ERROR_BUFFER, 4));
    JOB_OK
}

#[test]
fn a_job_that_is_tried_again_finds_its_checkpoint() {
    let options = r#"{"store":"memory","retry":{"initial_backoff_ms":0,"max_backoff_ms":0}}"#;
    let engine = open(options, &[("x", in_two_attempts, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED, "{}", explain(engine, &job));
    assert_eq!(explain(engine, &job)["attempt"], 2);
    ok(job_engine_free(engine));
}

unsafe extern "C-unwind" fn look_at_itself(_: *mut c_void, context: JobContext) -> JobStatus {
    let (mut spec, mut length) = (ptr::null(), 0);
    // SAFETY: the places may be written.
    ok(unsafe { job_context_spec(context, &raw mut spec, &raw mut length) });
    let (mut granted, mut more) = (0, 0);
    // SAFETY: the places may be written.
    unsafe {
        ok(job_context_acquire_threads(context, 9, &raw mut granted));
        ok(job_context_acquire_threads(context, 9, &raw mut more));
    }
    assert_eq!((granted, more), (2, 1), "an engine of two threads, one of them a worker's");
    ok(job_context_release_threads(context));
    // SAFETY: the place may be written.
    ok(unsafe { job_context_acquire_threads(context, 9, &raw mut granted) });
    assert_eq!(granted, 2);
    ok(job_context_set_progress(context, 3, 4));
    // SAFETY: the library gives the text.
    unsafe { job_context_set_output(context, b"spec".as_ptr().cast(), 4, spec, length) }
}

#[test]
fn a_handler_sees_its_request_and_has_threads_of_its_engine() {
    let spec = r#"{"kind":{"algorithm":"x"},"graph":"g","parameters":{"k": 1.50},"options":{"priority":3}}"#;
    let options = r#"{"store":"memory","workers":1,"threads":2}"#;
    let engine = open(options, &[("x", look_at_itself, ptr::null_mut())]);
    let job = submit(engine, spec);
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED, "{}", explain(engine, &job));
    // SAFETY: the id is there, and `filled` gives places that may be written.
    let body = filled(|buffer, capacity, length| unsafe {
        job_status_payload(engine, &raw const job, ptr::null(), 0, 0, 1, buffer, capacity, length, ptr::null_mut())
    });
    let text = String::from_utf8(body.clone()).unwrap();
    assert!(text.contains(r#""parameters":{"k": 1.50}"#), "{text}");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"]["outputs"]["spec"]["options"]["priority"], 3);
    ok(job_engine_free(engine));
}

unsafe extern "C-unwind" fn scan_all(data: *mut c_void, context: JobContext) -> JobStatus {
    // SAFETY: the text has its length, and the function is for this data.
    unsafe { job_context_scan(context, b"rows".as_ptr().cast(), 4, 10, 1_010, 7, Some(scan_part), data) }
}

unsafe extern "C-unwind" fn scan_part(
    data: *mut c_void,
    context: JobContext,
    rows: JobRows,
    first: u64,
    end: u64,
) -> JobStatus {
    // SAFETY: the test gives this data.
    unsafe { &*data.cast::<AtomicU64>() }.fetch_add(1, Ordering::AcqRel);
    for id in first..end {
        let told = job_context_check_stopped(context);
        if told != JOB_OK {
            return told;
        }
        let row = id.to_string();
        // SAFETY: the text has its length.
        ok(unsafe { job_rows_push_unchecked(rows, row.as_ptr().cast(), row.len()) });
    }
    JOB_OK
}

#[test]
fn a_scan_calls_back_for_each_partition_and_its_rows_are_in_order() {
    let parts = AtomicU64::new(0);
    let engine = open(MEMORY, &[("x", scan_all, ptr::from_ref(&parts).cast_mut().cast())]);
    let job = submit(engine, &algorithm("x"));
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED, "{}", explain(engine, &job));
    // SAFETY: the id is there, and `filled` gives places that may be written.
    let page = filled(|buffer, capacity, length| unsafe {
        job_page(engine, &raw const job, 0, 100_000, buffer, capacity, length, ptr::null_mut())
    });
    let rows: Vec<u64> = serde_json::from_slice(&page).unwrap();
    assert_eq!((rows, parts.load(Ordering::Acquire)), ((10..1_010).collect(), 143));
    ok(job_engine_free(engine));
}

unsafe extern "C-unwind" fn fail_in_a_part(_: *mut c_void, context: JobContext) -> JobStatus {
    // SAFETY: the text has its length, and the function needs no data.
    unsafe { job_context_scan(context, b"rows".as_ptr().cast(), 4, 0, 10, 1, Some(fail_at_7), ptr::null_mut()) }
}

unsafe extern "C-unwind" fn fail_at_7(
    _: *mut c_void,
    context: JobContext,
    rows: JobRows,
    first: u64,
    _: u64,
) -> JobStatus {
    // SAFETY: the texts have their lengths.
    unsafe {
        ok(job_rows_push(rows, b"1".as_ptr().cast(), 1));
        if first == 7 { job_context_fail(context, b"row 7 is gone".as_ptr().cast(), 13) } else { JOB_OK }
    }
}

#[test]
fn a_scan_fails_with_the_reason_of_its_partition() {
    let end = end_of(fail_in_a_part, &algorithm("x"));
    assert_eq!((&end["failure"]["message"], &end["rows"]), (&json!("row 7 is gone"), &json!(0)), "{end}");
}

#[test]
fn a_handler_that_is_told_to_stop_and_does_is_cancelled() {
    let engine = open(MEMORY, &[("x", until_stopped, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    while explain(engine, &job)["state"] != "running" {
        std::thread::yield_now();
    }
    // SAFETY: the id is there.
    ok(unsafe { job_cancel(engine, &raw const job) });
    assert_eq!(wait(engine, &job), JOB_STATE_CANCELLED);
    // SAFETY: the id is there.
    assert_eq!(unsafe { job_cancel(engine, &raw const job) }, JOB_ERROR_COMPLETE);
    ok(job_engine_free(engine));
}

/// Fails by a call on graph `first`, and by the bare status of that on any other.
unsafe extern "C-unwind" fn status_alone(_: *mut c_void, context: JobContext) -> JobStatus {
    let (mut spec, mut length) = (ptr::null(), 0);
    // SAFETY: the places may be written.
    ok(unsafe { job_context_spec(context, &raw mut spec, &raw mut length) });
    // SAFETY: the library gives the text.
    let text = unsafe { std::slice::from_raw_parts(spec.cast::<u8>(), length) };
    let is_first = serde_json::from_slice::<Value>(text).unwrap()["graph"] == "first";
    // SAFETY: the text has its length.
    if is_first { unsafe { job_rows_push(list(context), b"{".as_ptr().cast(), 1) } } else { JOB_ERROR_ARGUMENT }
}

#[test]
fn the_reason_of_one_job_is_not_that_of_the_next_on_its_thread() {
    let engine = open(r#"{"store":"memory","workers":1}"#, &[("x", status_alone, ptr::null_mut())]);
    for (graph, reason) in [("first", "the row is not JSON"), ("second", "the status 1 without a reason")] {
        let job = submit(engine, &format!(r#"{{"kind":{{"algorithm":"x"}},"graph":"{graph}"}}"#));
        wait(engine, &job);
        let end = explain(engine, &job);
        assert!(end["failure"]["message"].as_str().unwrap().contains(reason), "{end}");
    }
    ok(job_engine_free(engine));
}
