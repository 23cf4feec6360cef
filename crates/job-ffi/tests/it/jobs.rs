//! Jobs, as a host submits and watches them.

use std::{
    ffi::c_void,
    ptr,
    sync::{
        Mutex,
        atomic::{AtomicI32, Ordering},
    },
    thread,
};

use job::*;
use serde_json::{Value, json};

use crate::support::{MEMORY, algorithm, explain, filled, ok, open, submit, told, until_stopped, wait};

unsafe extern "C-unwind" fn nothing(_: *mut c_void, _: JobContext) -> JobStatus {
    JOB_OK
}

fn stats(engine: JobEngine) -> Value {
    // SAFETY: `filled` gives places that may be written.
    let text = filled(|buffer, capacity, length| unsafe { job_engine_stats(engine, buffer, capacity, length) });
    serde_json::from_slice(&text).unwrap()
}

fn listed(engine: JobEngine, filter: &str) -> Value {
    // SAFETY: the text has its length, and `filled` gives places that may be written.
    let text = filled(|buffer, capacity, length| unsafe {
        job_list(engine, filter.as_ptr().cast(), filter.len(), buffer, capacity, length)
    });
    serde_json::from_slice(&text).unwrap()
}

fn text_of(job: &JobId) -> String {
    // SAFETY: the id is there, and `filled` gives places that may be written.
    let text = filled(|buffer, capacity, length| unsafe { job_id_text(job, buffer, capacity, length) });
    String::from_utf8(text).unwrap()
}

#[test]
fn an_id_is_read_as_it_is_written() {
    let engine = open(MEMORY, &[("x", nothing, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    let text = text_of(&job);
    let mut read = JobId { bytes: [0; 16] };
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_id_parse(text.as_ptr().cast(), text.len(), &raw mut read) });
    assert_eq!(read, job);
    let upper = text.to_uppercase();
    // SAFETY: as above.
    let status = unsafe { job_id_parse(upper.as_ptr().cast(), upper.len(), &raw mut read) };
    assert!(status == JOB_ERROR_ARGUMENT && told().contains("is not a job id"), "{status} {}", told());
    ok(job_engine_free(engine));
}

#[test]
fn many_jobs_are_submitted_together_or_none_is() {
    let engine = open(MEMORY, &[("x", nothing, ptr::null_mut())]);
    let submit_many = |specs: &str, capacity: usize| {
        let (mut jobs, mut count) = (vec![JobId { bytes: [0; 16] }; capacity], 99);
        let (text, length) = (specs.as_ptr().cast(), specs.len());
        // SAFETY: the text has its length, the list its places, and the count may be written.
        let status = unsafe { job_submit_many(engine, text, length, jobs.as_mut_ptr(), capacity, &raw mut count) };
        (status, count, jobs)
    };
    let list =
        |names: &[&str]| format!("[{}]", names.iter().map(|name| algorithm(name)).collect::<Vec<_>>().join(","));
    let (status, count, jobs) = submit_many(&list(&["x"; 3]), 4);
    ok(status);
    assert_eq!(count, 3);
    assert!(jobs[..3].is_sorted() && jobs[0] != jobs[1] && jobs[3].bytes == [0; 16], "{jobs:?}");
    assert!(jobs[..3].iter().all(|job| wait(engine, job) == JOB_STATE_SUCCEEDED));

    assert_eq!(submit_many(&list(&["x"; 3]), 2).0, JOB_ERROR_BUFFER);
    assert_eq!(submit_many(&list(&["x"; 3]), 2).1, 3);
    assert_eq!(submit_many(&list(&["x", "y"]), 2).0, JOB_ERROR_ARGUMENT);
    assert!(told().contains("no handler runs y"), "{}", told());
    assert_eq!(submit_many(r#"[{"kind":"vertex_filter","graph":"g"},{"kind":"x"}]"#, 2).0, JOB_ERROR_ARGUMENT);
    assert!(told().starts_with("spec 1: "), "{}", told());
    assert_eq!(submit_many("{}", 2).0, JOB_ERROR_ARGUMENT);
    ok(submit_many("[]", 0).0);
    assert_eq!(listed(engine, "")["jobs"].as_array().unwrap().len(), 3);
    ok(job_engine_free(engine));
}

#[test]
fn a_wait_ends_after_its_time_or_with_the_job() {
    let engine = open(MEMORY, &[("x", until_stopped, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    let mut state = -1;
    // SAFETY: the places are there.
    unsafe {
        assert_eq!(job_wait(engine, &raw const job, 0, &raw mut state), JOB_ERROR_TIMEOUT);
        assert_eq!(job_wait(engine, &raw const job, 5, ptr::null_mut()), JOB_ERROR_TIMEOUT);
        ok(job_cancel(engine, &raw const job));
        ok(job_wait(engine, &raw const job, JOB_FOREVER, &raw mut state));
        let unknown = JobId { bytes: [9; 16] };
        assert_eq!(job_wait(engine, &raw const unknown, 0, &raw mut state), JOB_ERROR_NOT_FOUND);
    }
    assert_eq!(state, JOB_STATE_CANCELLED);
    // SAFETY: the places are there.
    ok(unsafe { job_state(engine, &raw const job, &raw mut state) });
    assert_eq!(state, JOB_STATE_CANCELLED);
    ok(job_engine_free(engine));
}

#[test]
fn a_thread_that_waits_is_told_when_the_engine_is_freed() {
    let engine = open(MEMORY, &[("x", until_stopped, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    let waits = thread::spawn(move || {
        // SAFETY: the id is there.
        unsafe { job_wait(engine, &raw const job, JOB_FOREVER, ptr::null_mut()) }
    });
    while explain(engine, &job)["state"] != "running" {
        thread::yield_now();
    }
    ok(job_engine_free(engine));
    let status = waits.join().unwrap();
    // It came before the wait, or during it.
    assert!([JOB_ERROR_CLOSED, JOB_ERROR_HANDLE].contains(&status), "{status}");
}

/// The states that a callback was told, with an engine to wait in.
struct Told {
    engine: AtomicI32,
    states: Mutex<Vec<JobStateCode>>,
}

unsafe extern "C-unwind" fn tell(data: *mut c_void, _: *const JobId, state: JobStateCode) {
    // SAFETY: the test gives this data.
    let told = unsafe { &*data.cast::<Told>() };
    told.states.lock().unwrap().push(state);
    told.engine.fetch_add(1, Ordering::AcqRel);
}

#[test]
fn a_callback_comes_once_for_each_job_on_whichever_thread() {
    let told = Told { engine: AtomicI32::new(0), states: Mutex::default() };
    let engine = open(MEMORY, &[("x", nothing, ptr::null_mut()), ("long", until_stopped, ptr::null_mut())]);
    let data = ptr::from_ref(&told).cast_mut().cast::<c_void>();
    let jobs = [submit(engine, &algorithm("x")), submit(engine, &algorithm("long"))];
    for job in &jobs {
        // SAFETY: the id is there, and the function is for this data.
        ok(unsafe { job_on_complete(engine, job, Some(tell), data, None) });
    }
    // SAFETY: the id is there.
    ok(unsafe { job_cancel(engine, &raw const jobs[1]) });
    while told.engine.load(Ordering::Acquire) < 2 {
        thread::yield_now();
    }
    ok(job_engine_free(engine));
    let mut states = told.states.lock().unwrap().clone();
    states.sort_unstable();
    assert_eq!(states, [JOB_STATE_SUCCEEDED, JOB_STATE_CANCELLED]);
}

#[test]
fn a_list_has_the_newest_first_and_goes_on_behind_its_cursor() {
    let engine = open(MEMORY, &[("x", nothing, ptr::null_mut()), ("long", until_stopped, ptr::null_mut())]);
    let mut jobs: Vec<JobId> = (0..5).map(|_| submit(engine, &algorithm("x"))).collect();
    for job in &jobs {
        assert_eq!(wait(engine, job), JOB_STATE_SUCCEEDED);
    }
    submit(engine, &algorithm("long"));
    let page = listed(engine, r#"{"graph":"g","states":["succeeded"],"limit":2}"#);
    let ids = |page: &Value| -> Vec<String> {
        page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    };
    jobs.reverse();
    assert_eq!(ids(&page), [text_of(&jobs[0]), text_of(&jobs[1])]);
    let before = page["next"].as_str().unwrap();
    let page = listed(engine, &format!(r#"{{"kind":"x","before":"{before}","limit":10}}"#));
    assert_eq!((ids(&page).len(), &page["next"]), (3, &Value::Null));
    assert_eq!(listed(engine, "")["jobs"].as_array().unwrap().len(), 6);
    let long = &listed(engine, r#"{"kind":"long"}"#)["jobs"][0];
    assert!(long["explanation"].as_str().unwrap().starts_with("it "), "{long}");
    assert_eq!(listed(engine, r#"{"graph":"h"}"#), json!({"jobs": [], "next": null}));
    ok(job_engine_free(engine));
}

#[test]
fn a_job_is_removed_with_all_it_has_unless_it_is_pinned() {
    let engine = open(MEMORY, &[("x", nothing, ptr::null_mut())]);
    let job = submit(engine, &algorithm("x"));
    wait(engine, &job);
    // SAFETY: the id is there.
    unsafe {
        ok(job_pin(engine, &raw const job, 1));
        assert_eq!(job_remove(engine, &raw const job), JOB_ERROR_ARGUMENT);
        ok(job_pin(engine, &raw const job, 0));
        ok(job_remove(engine, &raw const job));
        assert_eq!(job_remove(engine, &raw const job), JOB_ERROR_NOT_FOUND);
    }
    ok(job_engine_free(engine));
}

#[test]
fn a_refused_request_says_why() {
    let engine =
        open(r#"{"store":"memory","workers":1,"queue_bound":1}"#, &[("x", until_stopped, ptr::null_mut())]);
    let mut job = JobId { bytes: [0; 16] };
    let mut submit_again = |spec: &str, wait| {
        // SAFETY: the text has its length, and the place may be written.
        unsafe { job_submit(engine, spec.as_ptr().cast(), spec.len(), wait, &raw mut job) }
    };
    let spec = |k: u32| {
        format!(
            r#"{{"kind":{{"algorithm":"x"}},"graph":"g","parameters":{{"k":{k}}},"options":{{"idempotency_key":"k"}}}}"#
        )
    };
    assert_eq!(submit_again(&spec(1), 0), JOB_OK);
    assert_eq!(submit_again(&spec(1), 0), JOB_OK);
    assert_eq!(submit_again(&spec(2), 0), JOB_ERROR_CONFLICT);
    while stats(engine)["read"]["running"] != 1 {
        thread::yield_now();
    }
    assert_eq!(submit_again(&algorithm("x"), 0), JOB_OK);
    assert_eq!(submit_again(&algorithm("x"), 0), JOB_ERROR_BUSY);
    assert_eq!(submit_again(&algorithm("x"), 5), JOB_ERROR_BUSY);
    assert_eq!(submit_again(&algorithm(""), 0), JOB_ERROR_ARGUMENT);
    ok(job_engine_health(engine));
    let (mut waiting, mut left) = (9, 9);
    // SAFETY: the places may be written.
    ok(unsafe { job_engine_shutdown(engine, 0, &raw mut waiting, &raw mut left) });
    assert_eq!((waiting, left), (2, 0));
    assert_eq!(submit_again(&algorithm("x"), 0), JOB_ERROR_CLOSED);
    ok(job_engine_free(engine));
}

#[cfg(any(feature = "redb", feature = "rocksdb"))]
#[test]
fn unfinished_jobs_go_on_after_the_next_open() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("jobs").display().to_string();
    let stores = [cfg!(feature = "redb").then_some("redb"), cfg!(feature = "rocksdb").then_some("rocksdb")];
    for store in stores.into_iter().flatten() {
        let options = json!({"store": {store: format!("{place}.{store}")}, "workers": 1}).to_string();
        let engine = open(&options, &[("x", until_stopped, ptr::null_mut())]);
        let job = submit(engine, &algorithm("x"));
        // No other engine opens it.
        let (builder, mut second) = (crate::support::builder(&[]), 0);
        // SAFETY: the text has its length, and the place may be written.
        let status = unsafe { job_engine_open(builder, options.as_ptr().cast(), options.len(), &raw mut second) };
        assert_eq!((status, second), (JOB_ERROR_LOCKED, 0), "{}", told());
        ok(job_builder_free(builder));
        ok(job_engine_free(engine));
        let engine = open(&options, &[("x", nothing, ptr::null_mut())]);
        assert_eq!(wait(engine, &job), JOB_STATE_SUCCEEDED, "{store}");
        ok(job_engine_free(engine));
    }
}

#[test]
fn a_wait_that_would_never_end_is_refused() {
    /// An engine, and the answer of a callback that waits in it.
    struct Waits(std::sync::atomic::AtomicU64, AtomicI32);
    unsafe extern "C-unwind" fn wait_in_a_callback(data: *mut c_void, _: *const JobId, _: JobStateCode) {
        // SAFETY: the test gives this data.
        let Waits(job, answer) = unsafe { &*data.cast::<Waits>() };
        // SAFETY: the test gives a place of a job.
        let other = unsafe { &*(job.load(Ordering::Acquire) as *const (JobEngine, JobId)) };
        // SAFETY: the id is there.
        let status = unsafe { job_wait(other.0, &raw const other.1, JOB_FOREVER, ptr::null_mut()) };
        answer.store(status, Ordering::Release);
    }
    let engine = open(MEMORY, &[("x", nothing, ptr::null_mut()), ("long", until_stopped, ptr::null_mut())]);
    let long = (engine, submit(engine, &algorithm("long")));
    let waits = Waits((&raw const long as u64).into(), AtomicI32::new(-1));
    let blocked = submit(engine, &algorithm("long"));
    // SAFETY: the id is there, and the function is for this data.
    ok(unsafe {
        job_on_complete(
            engine,
            &raw const blocked,
            Some(wait_in_a_callback),
            ptr::from_ref(&waits).cast_mut().cast(),
            None,
        )
    });
    while explain(engine, &blocked)["state"] != "running" {
        thread::yield_now();
    }
    // SAFETY: the id is there.
    ok(unsafe { job_cancel(engine, &raw const blocked) });
    while waits.1.load(Ordering::Acquire) == -1 {
        thread::yield_now();
    }
    assert_eq!(waits.1.load(Ordering::Acquire), JOB_ERROR_CANNOT_WAIT);
    ok(job_engine_free(engine));
}
