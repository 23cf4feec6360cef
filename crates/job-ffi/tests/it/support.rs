//! The interface as a host wraps it: a panic for an error that no test expects.

use std::{
    ffi::{CStr, c_char, c_void},
    slice, thread,
};

use job::{
    JOB_ERROR_BUFFER, JOB_FOREVER, JOB_OK, JobBuilder, JobContext, JobEngine, JobId, JobStatus, job_builder_free,
    job_builder_handler, job_builder_new, job_context_check_stopped, job_engine_open, job_explain, job_last_error,
    job_submit, job_wait,
};
use serde_json::Value;

/// A handler that needs no data.
pub(crate) type Run = unsafe extern "C-unwind" fn(*mut c_void, JobContext) -> JobStatus;

pub(crate) const MEMORY: &str = r#"{"store":"memory","workers":2,"threads":2}"#;

/// The sentence of the last error of this thread.
pub(crate) fn told() -> String {
    let mut length = 0;
    // SAFETY: the place may be written.
    let text = unsafe { job_last_error(&raw mut length) };
    // SAFETY: the text ends with a byte 0, and no call comes between.
    let text = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
    assert_eq!(text.len(), length);
    text
}

#[track_caller]
pub(crate) fn ok(status: JobStatus) {
    assert_eq!(status, JOB_OK, "{}", told());
}

pub(crate) fn builder(handlers: &[(&str, Run, *mut c_void)]) -> JobBuilder {
    let mut builder = 0;
    // SAFETY: the place may be written.
    ok(unsafe { job_builder_new(&raw mut builder) });
    for (kind, run, data) in handlers {
        // SAFETY: the text has its length, and tests give functions for their data.
        ok(unsafe { job_builder_handler(builder, kind.as_ptr().cast(), kind.len(), Some(*run), *data, None) });
    }
    builder
}

/// Opens an engine with these handlers.
pub(crate) fn open(options: &str, handlers: &[(&str, Run, *mut c_void)]) -> JobEngine {
    let builder = builder(handlers);
    let mut engine = 0;
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_engine_open(builder, options.as_ptr().cast(), options.len(), &raw mut engine) });
    ok(job_builder_free(builder));
    engine
}

pub(crate) fn submit(engine: JobEngine, spec: &str) -> JobId {
    let mut job = JobId { bytes: [0; 16] };
    // SAFETY: the text has its length, and the place may be written.
    ok(unsafe { job_submit(engine, spec.as_ptr().cast(), spec.len(), 0, &raw mut job) });
    job
}

/// The spec of an algorithm without parameters.
pub(crate) fn algorithm(name: &str) -> String {
    format!(r#"{{"kind":{{"algorithm":"{name}"}},"graph":"g"}}"#)
}

pub(crate) fn wait(engine: JobEngine, job: &JobId) -> i32 {
    let mut state = -1;
    // SAFETY: both places are there.
    ok(unsafe { job_wait(engine, job, JOB_FOREVER, &raw mut state) });
    state
}

/// An answer of any length: asks for its size first. It may have grown by the next call.
pub(crate) fn filled(call: impl Fn(*mut c_char, usize, *mut usize) -> JobStatus) -> Vec<u8> {
    let (mut buffer, mut length) = (Vec::new(), 0);
    loop {
        match call(buffer.as_mut_ptr(), buffer.len(), &raw mut length) {
            JOB_ERROR_BUFFER => buffer.resize(length, 0),
            status => {
                ok(status);
                buffer.truncate(length);
                return buffer.into_iter().map(c_char::cast_unsigned).collect();
            }
        }
    }
}

pub(crate) fn explain(engine: JobEngine, job: &JobId) -> Value {
    // SAFETY: the id is there, and `filled` gives places that may be written.
    let text = filled(|buffer, capacity, length| unsafe { job_explain(engine, job, buffer, capacity, length) });
    serde_json::from_slice(&text).unwrap()
}

/// Collects pieces: the data is a `Vec<u8>`.
pub(crate) unsafe extern "C-unwind" fn collect(data: *mut c_void, bytes: *const c_char, length: usize) -> i32 {
    // SAFETY: the test gives a vector, and the library the bytes.
    unsafe { (*data.cast::<Vec<u8>>()).extend_from_slice(slice::from_raw_parts(bytes.cast(), length)) };
    0
}

/// A handler that ends when it is told to.
pub(crate) unsafe extern "C-unwind" fn until_stopped(_: *mut c_void, context: JobContext) -> JobStatus {
    loop {
        match job_context_check_stopped(context) {
            JOB_OK => thread::yield_now(),
            told => return told,
        }
    }
}
