//! Handles that name nothing.

use std::{
    ffi::{c_char, c_void},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use job::*;

use crate::support::{MEMORY, algorithm, builder, ok, open, submit, told, wait};

unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: JobContext) -> JobStatus {
    JOB_OK
}

/// The answers of every call that takes an engine.
fn of_engine(engine: JobEngine) -> Vec<JobStatus> {
    let job = JobId { bytes: [1; 16] };
    let (mut id, mut state, mut length) = (job, 0, 0);
    let (none, size) = (ptr::null_mut(), &raw mut length);
    let text = b"{\"kind\":\"vertex_filter\",\"graph\":\"g\"}";
    // SAFETY: all places are there.
    unsafe {
        vec![
            job_engine_health(engine),
            job_engine_stats(engine, none, 0, size),
            job_submit(engine, text.as_ptr().cast(), text.len(), 0, &raw mut id),
            job_state(engine, &raw const job, &raw mut state),
            job_wait(engine, &raw const job, 0, &raw mut state),
            job_on_complete(engine, &raw const job, Some(ended), ptr::null_mut(), None),
            job_cancel(engine, &raw const job),
            job_remove(engine, &raw const job),
            job_pin(engine, &raw const job, 1),
            job_explain(engine, &raw const job, none, 0, size),
            job_list(engine, ptr::null(), 0, none, 0, size),
            job_page(engine, &raw const job, 0, 1, none, 0, size, ptr::null_mut()),
            job_page_pieces(engine, &raw const job, 0, 1, Some(piece), ptr::null_mut(), ptr::null_mut()),
            job_status_payload(engine, &raw const job, ptr::null(), 0, 0, 1, none, 0, size, ptr::null_mut()),
            job_status_pieces(
                engine,
                &raw const job,
                ptr::null(),
                0,
                0,
                1,
                Some(piece),
                ptr::null_mut(),
                ptr::null_mut(),
            ),
            job_engine_shutdown(engine, 0, ptr::null_mut(), ptr::null_mut()),
            job_engine_free(engine),
        ]
    }
}

unsafe extern "C-unwind" fn ended(_: *mut c_void, _: *const JobId, _: JobStateCode) {}

unsafe extern "C-unwind" fn piece(_: *mut c_void, _: *const c_char, _: usize) -> i32 {
    0
}

/// The answers of every call that takes a context or a list.
fn of_handler(context: JobContext, rows: JobRows) -> Vec<JobStatus> {
    let (mut id, mut number, mut size, mut list) = (JobId { bytes: [0; 16] }, 0, 0, 0);
    let mut text = ptr::null();
    let name = b"x".as_ptr().cast();
    // SAFETY: all places are there.
    unsafe {
        vec![
            job_context_id(context, &raw mut id),
            job_context_attempt(context, &raw mut number),
            job_context_spec(context, &raw mut text, &raw mut size),
            job_context_check_stopped(context),
            job_context_set_progress(context, 1, 2),
            job_context_set_output(context, name, 1, b"1".as_ptr().cast(), 1),
            job_context_rows(context, name, 1, &raw mut list),
            job_context_save_checkpoint(context, name.cast(), 1),
            job_context_load_checkpoint(context, ptr::null_mut(), 0, &raw mut size),
            job_context_report_memory(context, 1),
            job_context_acquire_threads(context, 1, &raw mut size),
            job_context_release_threads(context),
            job_context_fail(context, name, 1),
            job_context_retry(context, name, 1),
            job_context_scan(context, name, 1, 0, 1, 0, Some(scan), ptr::null_mut()),
            job_rows_push(rows, b"1".as_ptr().cast(), 1),
            job_rows_push_unchecked(rows, b"1".as_ptr().cast(), 1),
            job_rows_push_many(rows, b"1".as_ptr().cast(), [1_usize].as_ptr().cast(), 1, 1),
            job_rows_close(rows),
        ]
    }
}

unsafe extern "C-unwind" fn scan(_: *mut c_void, _: JobContext, _: JobRows, _: u64, _: u64) -> JobStatus {
    JOB_OK
}

#[test]
fn a_handle_that_names_nothing_is_an_error_of_every_call() {
    let engine = open(MEMORY, &[]);
    let builder = builder(&[]);
    let freed = open(MEMORY, &[]);
    ok(job_engine_free(freed));
    for handle in [0, 1, u64::MAX, freed, builder, engine ^ 1 << 24, engine + 1] {
        let answers = of_engine(handle);
        assert!(answers.iter().all(|status| *status == JOB_ERROR_HANDLE), "{handle:#x}: {answers:?}");
    }
    for handle in [0, 1, u64::MAX, freed, builder, engine] {
        let answers = of_handler(handle, handle);
        assert!(answers.iter().all(|status| *status == JOB_ERROR_HANDLE), "{handle:#x}: {answers:?}");
    }
    assert!(told().contains("is no list of rows: it was closed or freed"), "{}", told());
    for handle in [0, 7, engine] {
        let mut opened = 9;
        // SAFETY: the text has its length, and the places are there.
        let statuses = unsafe {
            [
                job_builder_free(handle),
                job_builder_handler(handle, b"x".as_ptr().cast(), 1, Some(nothing), ptr::null_mut(), None),
                job_engine_open(handle, MEMORY.as_ptr().cast(), MEMORY.len(), &raw mut opened),
            ]
        };
        assert_eq!((statuses, opened), ([JOB_ERROR_HANDLE; 3], 0));
    }
    ok(job_builder_free(builder));
    assert_eq!(job_builder_free(builder), JOB_ERROR_HANDLE);
    ok(job_engine_free(engine));
    assert_eq!(job_engine_free(engine), JOB_ERROR_HANDLE);
}

/// The handles of a handler, for those who ask after its end.
struct Seen {
    context: AtomicU64,
    rows: AtomicU64,
    part: AtomicU64,
}

unsafe extern "C-unwind" fn show(data: *mut c_void, context: JobContext) -> JobStatus {
    // SAFETY: the test gives this data.
    let seen = unsafe { &*data.cast::<Seen>() };
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    let opened = unsafe { job_context_rows(context, b"x".as_ptr().cast(), 1, &raw mut rows) };
    seen.context.store(context, Ordering::Release);
    seen.rows.store(rows, Ordering::Release);
    if opened != JOB_OK {
        return opened;
    }
    // SAFETY: the text has its length, and the function is for this data.
    unsafe { job_context_scan(context, b"x".as_ptr().cast(), 1, 0, 1, 1, Some(show_part), data) }
}

unsafe extern "C-unwind" fn show_part(
    data: *mut c_void,
    _: JobContext,
    rows: JobRows,
    _: u64,
    _: u64,
) -> JobStatus {
    // SAFETY: the test gives this data.
    unsafe { &*data.cast::<Seen>() }.part.store(rows, Ordering::Release);
    // A part is closed by the library alone.
    if job_rows_close(rows) == JOB_ERROR_ARGUMENT { JOB_OK } else { JOB_ERROR_FAILED }
}

#[test]
fn a_context_and_its_lists_have_no_handle_after_the_handler() {
    let seen = Seen { context: AtomicU64::new(0), rows: AtomicU64::new(0), part: AtomicU64::new(0) };
    let engine = open(MEMORY, &[("show", show, ptr::from_ref(&seen).cast_mut().cast())]);
    let job = submit(engine, &algorithm("show"));
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED);
    let part = seen.part.load(Ordering::Acquire);
    for rows in [seen.rows.load(Ordering::Acquire), part] {
        assert_ne!(rows, 0);
        let answers = of_handler(seen.context.load(Ordering::Acquire), rows);
        assert!(answers.iter().all(|status| *status == JOB_ERROR_HANDLE), "{answers:?}");
    }
    ok(job_engine_free(engine));
}

unsafe extern "C-unwind" fn leave_a_writer(data: *mut c_void, context: JobContext) -> JobStatus {
    // SAFETY: the test gives this data.
    let pushed = unsafe { &*data.cast::<AtomicU64>() };
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_context_rows(context, b"x".as_ptr().cast(), 1, &raw mut rows) });
    thread::spawn(move || {
        // SAFETY: the text has its length.
        while unsafe { job_rows_push(rows, b"1".as_ptr().cast(), 1) } == JOB_OK {
            pushed.fetch_add(1, Ordering::AcqRel);
        }
        pushed.fetch_or(1 << 63, Ordering::AcqRel);
    });
    while pushed.load(Ordering::Acquire) < 1_000 {
        thread::yield_now();
    }
    JOB_OK
}

#[test]
fn a_thread_that_writes_after_the_handler_is_refused_and_loses_no_row_before() {
    let pushed = AtomicU64::new(0);
    let engine = open(MEMORY, &[("leave", leave_a_writer, ptr::from_ref(&pushed).cast_mut().cast())]);
    let job = submit(engine, &algorithm("leave"));
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED);
    while pushed.load(Ordering::Acquire) >> 63 == 0 {
        thread::yield_now();
    }
    let rows = pushed.load(Ordering::Acquire) & (u64::MAX >> 1);
    assert_eq!(crate::support::explain(engine, &job)["rows"], rows);
    ok(job_engine_free(engine));
}
