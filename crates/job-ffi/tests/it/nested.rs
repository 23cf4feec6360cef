//! Calls from the inside of handlers and callbacks, and by many threads at once.

use std::{
    ffi::c_void,
    ptr,
    sync::atomic::{AtomicI32, AtomicU64, Ordering},
    thread,
};

use job::*;

use crate::support::{MEMORY, algorithm, explain, ok, open, submit, until_stopped, wait};

/// The engine of a handler, once it is open, and the answer of a call in it.
struct Own {
    engine: AtomicU64,
    answer: AtomicI32,
}

impl Own {
    fn new() -> Self {
        Self { engine: AtomicU64::new(0), answer: AtomicI32::new(-1) }
    }

    fn data(&self) -> *mut c_void {
        ptr::from_ref(self).cast_mut().cast()
    }

    /// The engine, as soon as the test has it.
    fn engine(&self) -> JobEngine {
        loop {
            match self.engine.load(Ordering::Acquire) {
                0 => thread::yield_now(),
                engine => return engine,
            }
        }
    }

    fn answer(&self) -> JobStatus {
        loop {
            match self.answer.load(Ordering::Acquire) {
                -1 => thread::yield_now(),
                answer => return answer,
            }
        }
    }
}

unsafe extern "C-unwind" fn free_own_engine(data: *mut c_void, context: JobContext) -> JobStatus {
    // SAFETY: the test gives this data.
    let own = unsafe { &*data.cast::<Own>() };
    own.answer.store(job_engine_free(own.engine()), Ordering::Release);
    // The job is left behind: nothing is stored any more.
    job_context_check_stopped(context)
}

#[test]
fn a_handler_that_frees_its_own_engine_is_told_that_it_still_runs() {
    let own = Own::new();
    let engine = open(MEMORY, &[("x", free_own_engine, own.data())]);
    submit(engine, &algorithm("x"));
    own.engine.store(engine, Ordering::Release);
    assert_eq!(own.answer(), JOB_ERROR_RUNNING);
    assert_eq!(job_engine_free(engine), JOB_ERROR_HANDLE);
}

unsafe extern "C-unwind" fn free_in_a_callback(data: *mut c_void, _: *const JobId, _: JobStateCode) {
    // SAFETY: the test gives this data.
    let own = unsafe { &*data.cast::<Own>() };
    own.answer.store(job_engine_free(own.engine()), Ordering::Release);
}

#[test]
fn a_callback_may_free_the_engine() {
    let own = Own::new();
    let engine = open(MEMORY, &[("x", until_stopped, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    while explain(engine, &job)["state"] != "running" {
        thread::yield_now();
    }
    // SAFETY: the id is there, and the function is for this data.
    ok(unsafe { job_on_complete(engine, &raw const job, Some(free_in_a_callback), own.data(), None) });
    // SAFETY: the id is there.
    ok(unsafe { job_cancel(engine, &raw const job) });
    own.engine.store(engine, Ordering::Release);
    assert_eq!(own.answer(), JOB_OK);
    assert_eq!(job_engine_free(engine), JOB_ERROR_HANDLE);
}

unsafe extern "C-unwind" fn wait_for_another(data: *mut c_void, _: JobContext) -> JobStatus {
    // SAFETY: the test gives this data.
    let own = unsafe { &*data.cast::<Own>() };
    let engine = own.engine();
    let job = submit(engine, &algorithm("inner"));
    // SAFETY: the id is there.
    unsafe { job_wait(engine, &raw const job, JOB_FOREVER, ptr::null_mut()) }
}

unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: JobContext) -> JobStatus {
    JOB_OK
}

#[test]
fn a_handler_may_wait_for_another_job_and_stops_with_the_status_of_the_wait() {
    let own = Own::new();
    let one = r#"{"store":"memory","workers":1}"#;
    let engine = open(one, &[("outer", wait_for_another, own.data()), ("inner", nothing, ptr::null_mut())]);
    own.engine.store(engine, Ordering::Release);
    let job = submit(engine, &algorithm("outer"));
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED, "{}", explain(engine, &job));
    ok(job_engine_free(engine));

    let own = Own::new();
    let inner = ("inner", until_stopped as _, ptr::null_mut());
    let engine = open(one, &[("outer", wait_for_another, own.data()), inner]);
    own.engine.store(engine, Ordering::Release);
    let job = submit(engine, &algorithm("outer"));
    while !explain(engine, &job)["explanation"].as_str().is_some_and(|told| told.starts_with("it waits for job")) {
        thread::yield_now();
    }
    // SAFETY: the id is there.
    ok(unsafe { job_cancel(engine, &raw const job) });
    assert_eq!(wait(engine, &job), JOB_STATE_CANCELLED, "{}", explain(engine, &job));
    ok(job_engine_free(engine));
}

const THREADS: u64 = 4;
const EACH: u64 = 2_000;

unsafe extern "C-unwind" fn write_by_many(_: *mut c_void, context: JobContext) -> JobStatus {
    let mut rows = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_context_rows(context, b"x".as_ptr().cast(), 1, &raw mut rows) });
    thread::scope(|scope| {
        for n in 0..THREADS {
            scope.spawn(move || {
                let mut own = 0;
                // SAFETY: the text has its length, and the place may be written.
                ok(unsafe { job_context_rows(context, b"x".as_ptr().cast(), 1, &raw mut own) });
                for row in 0..EACH {
                    let list = if row % 2 == 0 { rows } else { own };
                    let row = (n * EACH + row).to_string();
                    // SAFETY: the text has its length.
                    ok(unsafe { job_rows_push(list, row.as_ptr().cast(), row.len()) });
                    ok(job_context_check_stopped(context));
                }
                ok(job_rows_close(own));
            });
        }
    });
    JOB_OK
}

#[test]
fn many_threads_write_one_list_and_lists_of_their_own() {
    let engine = open(MEMORY, &[("x", write_by_many, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED, "{}", explain(engine, &job));
    // SAFETY: the id is there, and `filled` gives places that may be written.
    let page = crate::support::filled(|buffer, capacity, length| unsafe {
        job_page(engine, &raw const job, 0, 100_000, buffer, capacity, length, ptr::null_mut())
    });
    let mut rows: Vec<u64> = serde_json::from_slice(&page).unwrap();
    rows.sort_unstable();
    assert_eq!(rows, (0..THREADS * EACH).collect::<Vec<_>>());
    ok(job_engine_free(engine));
}

#[test]
fn engines_come_and_go_while_others_are_asked() {
    let engine = open(MEMORY, &[("x", nothing, ptr::null_mut())]);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..20 {
                    let own = open(MEMORY, &[("x", nothing, ptr::null_mut())]);
                    for engine in [own, engine] {
                        let job = submit(engine, &algorithm("x"));
                        assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED);
                    }
                    ok(job_engine_free(own));
                    assert_eq!(job_engine_health(own), JOB_ERROR_HANDLE);
                }
            });
        }
    });
    ok(job_engine_free(engine));
}
