//! Pages and answers to status queries, into buffers and piece by piece.

use std::{
    ffi::{c_char, c_void},
    ptr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use job::*;

use crate::support::{MEMORY, algorithm, collect, filled, ok, open, submit, told, until_stopped, wait};

const ROWS: u64 = 30_000;

unsafe extern "C-unwind" fn numbers(_: *mut c_void, context: JobContext) -> JobStatus {
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_context_rows(context, b"numbers".as_ptr().cast(), 7, &raw mut rows) });
    for n in 0..ROWS {
        let row = format!(r#"{{"number":{n}}}"#);
        // SAFETY: the text has its length.
        ok(unsafe { job_rows_push(rows, row.as_ptr().cast(), row.len()) });
    }
    JOB_OK
}

fn page(engine: JobEngine, job: &JobId, offset: u64, limit: u32) -> (String, JobPage) {
    let mut size = JobPage { rows: 0, total: 0, partial: 0 };
    let size_place = &raw mut size;
    // SAFETY: the id is there, and `filled` gives places that may be written.
    let body = filled(|buffer, capacity, length| unsafe {
        job_page(engine, job, offset, limit, buffer, capacity, length, size_place)
    });
    (String::from_utf8(body).unwrap(), size)
}

#[test]
fn a_page_is_the_same_in_a_buffer_and_in_pieces() {
    let engine = open(MEMORY, &[("x", numbers, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED);
    for (offset, limit, rows) in
        [(0, 100_000, ROWS), (0, 1, 1), (9_999, 5_000, 5_000), (ROWS - 1, 9, 1), (ROWS, 9, 0)]
    {
        let expected: Vec<String> = (offset..offset + rows).map(|n| format!(r#"{{"number":{n}}}"#)).collect();
        let (body, size) = page(engine, &job, offset, limit);
        assert_eq!(body, format!("[{}]", expected.join(",")));
        assert_eq!(size, JobPage { rows, total: ROWS, partial: 0 });
        let (mut pieces, mut size) = (Vec::<u8>::new(), JobPage { rows: 9, total: 9, partial: 9 });
        let data = ptr::from_mut(&mut pieces).cast();
        // SAFETY: the id is there, and the function is for this data.
        ok(unsafe { job_page_pieces(engine, &raw const job, offset, limit, Some(collect), data, &raw mut size) });
        assert_eq!((pieces, size.rows), (expected.join(",").into_bytes(), rows));
    }
    for limit in [0, 100_001] {
        let mut length = 0;
        // SAFETY: the places are there.
        let status = unsafe {
            job_page(engine, &raw const job, 0, limit, ptr::null_mut(), 0, &raw mut length, ptr::null_mut())
        };
        assert!(status == JOB_ERROR_ARGUMENT && told().starts_with("parameter limit is"), "{status}: {}", told());
    }
    ok(job_engine_free(engine));
}

unsafe extern "C-unwind" fn refuse_the_second(data: *mut c_void, _: *const c_char, _: usize) -> i32 {
    // SAFETY: the test gives this data.
    let calls = unsafe { &mut *data.cast::<i32>() };
    *calls += 1;
    *calls - 1
}

unsafe extern "C-unwind" fn panic_at_once(_: *mut c_void, _: *const c_char, _: usize) -> i32 {
    panic!("a bug of the host")
}

#[test]
fn a_callback_that_wants_no_more_ends_the_answer() {
    let engine = open(MEMORY, &[("x", numbers, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    wait(engine, &job);
    let mut calls = 0;
    let data = ptr::from_mut(&mut calls).cast();
    // SAFETY: the id is there, and the functions are for this data.
    unsafe {
        let status =
            job_page_pieces(engine, &raw const job, 0, 100_000, Some(refuse_the_second), data, ptr::null_mut());
        assert_eq!((status, *data.cast::<i32>()), (JOB_ERROR_CALLBACK, 2));
        let status = job_page_pieces(engine, &raw const job, 0, 1, Some(panic_at_once), data, ptr::null_mut());
        assert!(status == JOB_ERROR_PANIC && told().contains("a bug of the host"), "{status}: {}", told());
    }
    ok(job_engine_free(engine));
}

#[test]
fn an_answer_is_that_of_the_rest_interface_in_each_dialect() {
    let engine = open(MEMORY, &[("x", numbers, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    wait(engine, &job);
    let unknown = JobId { bytes: *b"\x01\x8b\xcf\xe5\x68\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\x00" };
    let rows = r#"{"data":{"outputs":{"data_return_size":1,"data_offset":7,"data_total_size":30000,"numbers":[{"number":7}]}}"#;
    for (dialect, status, blanks, result) in [
        ("", "complete", "  ", ""),
        ("document", "complete", "  ", ""),
        ("memory-2025", "success", "  ", ""),
        ("memory-2025-rows", "success", "  ", ""),
        ("database", "complete", " ", r#","result":"failed""#),
    ] {
        let answer = |job: &JobId, http: *mut u32| {
            // SAFETY: the id is there, the text has its length, and `filled` gives places that may be written.
            let body = filled(|buffer, capacity, length| unsafe {
                let (text, bytes) = (dialect.as_ptr().cast(), dialect.len());
                job_status_payload(engine, job, text, bytes, 7, 1, buffer, capacity, length, http)
            });
            String::from_utf8(body).unwrap()
        };
        let mut http = 0;
        let good = if result.is_empty() { "" } else { r#","result":"success""# };
        assert_eq!(answer(&job, &raw mut http), format!(r#"{rows},"status":"{status}"{good}}}"#));
        assert_eq!(http, 200);
        let missing = format!(
            r#"{{"errorMessage":"can not find job, jobId is{blanks}018bcfe5-6800-7000-8000-000000000000","errorCode":"GES.8301"{result}}}"#
        );
        assert_eq!((answer(&unknown, &raw mut http), http), (missing, 400));
        let mut pieces = Vec::<u8>::new();
        let data = ptr::from_mut(&mut pieces).cast();
        // SAFETY: the id is there, the text has its length, and the function is for this data.
        ok(unsafe {
            let (text, bytes) = (dialect.as_ptr().cast(), dialect.len());
            job_status_pieces(engine, &raw const job, text, bytes, 7, 1, Some(collect), data, &raw mut http)
        });
        assert_eq!(pieces, answer(&job, ptr::null_mut()).into_bytes());
    }
    let (mut length, name) = (0, "esperanto");
    // SAFETY: the places are there.
    let status = unsafe {
        let (text, bytes) = (name.as_ptr().cast(), name.len());
        let (buffer, size) = (ptr::null_mut(), &raw mut length);
        job_status_payload(engine, &raw const job, text, bytes, 0, 1, buffer, 0, size, ptr::null_mut())
    };
    assert!(
        status == JOB_ERROR_ARGUMENT && told().contains("document, memory-2025, memory-2025-rows, database"),
        "{}",
        told()
    );
    ok(job_engine_free(engine));
}

unsafe extern "C-unwind" fn numbers_and_on(data: *mut c_void, context: JobContext) -> JobStatus {
    // SAFETY: this handler needs no data.
    let told = unsafe { numbers(data, context) };
    // SAFETY: the test gives this data.
    unsafe { &*data.cast::<AtomicBool>() }.store(true, Ordering::Release);
    // SAFETY: this handler needs no data.
    if told == JOB_OK { unsafe { until_stopped(data, context) } } else { told }
}

#[test]
fn a_running_job_has_the_rows_so_far() {
    let written = AtomicBool::new(false);
    let engine = open(MEMORY, &[("x", numbers_and_on, ptr::from_ref(&written).cast_mut().cast())]);
    let job = submit(engine, &algorithm("x"));
    while !written.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let (_, size) = page(engine, &job, 0, 100_000);
    assert!(size.partial == 1 && size.rows > 0 && size.rows == size.total, "{size:?}");
    ok(job_engine_free(engine));
}
