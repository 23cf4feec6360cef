//! The calls of a handler about its own job.

use std::{
    ffi::{c_char, c_void},
    io::Write,
};

use serde_json::value::RawValue;

use crate::{
    error::{Failure, call},
    handler::{self, JobContext},
    jobs::JobId,
    memory::{Buffer, Out, bytes, text},
    rows::JobRows,
    status::{JOB_ERROR_FAILED, JOB_ERROR_NOT_FOUND, JOB_ERROR_TRANSIENT, JobStatus},
};

/// The id of the job.
///
/// # Safety
/// `job` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_id(context: JobContext, job: *mut JobId) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let job = unsafe { Out::new(job, "job") }?;
        handler::with(context, |body| {
            job.set(body.context.id().into());
            Ok(())
        })
    })
}

/// The number of the attempt, from 1.
///
/// # Safety
/// `attempt` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_attempt(context: JobContext, attempt: *mut u32) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let attempt = unsafe { Out::new(attempt, "attempt") }?;
        handler::with(context, |body| {
            attempt.set(body.context.attempt());
            Ok(())
        })
    })
}

/// The request of the job as JSON, in the form of [`job_submit`](crate::job_submit). The text is valid until the
/// handler returns.
///
/// # Safety
/// `spec` and `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_spec(
    context: JobContext,
    spec: *mut *const c_char,
    length: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let spec = unsafe { Out::new(spec, "spec") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let length = unsafe { Out::new(length, "length") }?;
        handler::with(context, |body| {
            let text = body.spec()?;
            spec.set(text.as_ptr().cast());
            length.set(text.len());
            Ok(())
        })
    })
}

/// Checks whether the handler may go on: [`JOB_OK`](crate::JOB_OK), or
/// [`JOB_ERROR_STOPPED`](crate::JOB_ERROR_STOPPED), which the handler then returns. Call it about once a
/// millisecond: cancels, deadlines and shutdowns take effect here.
#[unsafe(no_mangle)]
pub extern "C" fn job_context_check_stopped(context: JobContext) -> JobStatus {
    call(|| handler::with(context, handler::check_stopped))
}

/// Reports that `done` of `total` steps are done.
#[unsafe(no_mangle)]
pub extern "C" fn job_context_set_progress(context: JobContext, done: u64, total: u64) -> JobStatus {
    call(|| {
        handler::with(context, |body| {
            body.context.set_progress(done, total);
            Ok(())
        })
    })
}

/// Sets a named value of the result. The value must be one JSON value, which is checked.
///
/// # Safety
/// `name` has `name_length` bytes, and `json` `json_length`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_set_output(
    context: JobContext,
    name: *const c_char,
    name_length: usize,
    json: *const c_char,
    json_length: usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let name = unsafe { text(name, name_length, "name") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let json = unsafe { bytes(json, json_length, "json") }?;
        let value = serde_json::from_slice::<&RawValue>(json)
            .map_err(|error| Failure::argument(format!("the output {name} is not one JSON value: {error}")))?;
        handler::with(context, |body| body.failures.of(body.context.set_output(name, value).map_err(Into::into)))
    })
}

/// Opens the list `name` of the job for appending. A second call with the same name appends after the existing
/// rows. Each open list holds up to 128 KiB in memory, so close a list before it is opened again.
///
/// # Safety
/// `name` has `length` bytes, and `rows` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_rows(
    context: JobContext,
    name: *const c_char,
    length: usize,
    rows: *mut JobRows,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let name = unsafe { text(name, length, "name") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let rows = unsafe { Out::new(rows, "rows") }?;
        rows.set(0);
        handler::with(context, |body| {
            rows.set(body.open_list(name)?);
            Ok(())
        })
    })
}

/// Stores a state of the handler, at most 64 MiB, for the next attempt. It replaces the state that was saved
/// before. When the call returns, the state survives the death of the process, but not a power loss.
///
/// # Safety
/// `state` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_save_checkpoint(
    context: JobContext,
    state: *const c_void,
    length: usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let state = unsafe { bytes(state, length, "state") }?;
        handler::with(context, |body| body.failures.of(body.context.save_checkpoint(state)))
    })
}

/// The state that was saved last, in this attempt or an earlier one; [`JOB_ERROR_NOT_FOUND`] if there is none.
///
/// # Safety
/// `buffer` has `capacity` bytes that may be written, and `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_load_checkpoint(
    context: JobContext,
    buffer: *mut c_void,
    capacity: usize,
    length: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let mut buffer = unsafe { Buffer::new(buffer, capacity, length) }?;
        handler::with(context, |body| {
            let Some(state) = body.failures.of(body.context.load_checkpoint())? else {
                return Err(Failure::new(JOB_ERROR_NOT_FOUND, "the job has saved no checkpoint"));
            };
            // A buffer accepts any number of bytes.
            let _ = buffer.write_all(&state);
            buffer.finish()
        })
    })
}

/// Reports that the handler uses `bytes` bytes of memory now. [`JOB_ERROR_BUDGET`](crate::JOB_ERROR_BUDGET) if
/// that is above the budget of the job.
#[unsafe(no_mangle)]
pub extern "C" fn job_context_report_memory(context: JobContext, bytes: u64) -> JobStatus {
    call(|| handler::with(context, |body| body.failures.of(body.context.report_memory(bytes))))
}

/// Asks for up to `most` threads for the work of this job, its own thread included. `granted` gets at least 1. The
/// threads are given back with [`job_context_release_threads`] or when the handler returns.
///
/// # Safety
/// `granted` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_acquire_threads(
    context: JobContext,
    most: usize,
    granted: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let granted = unsafe { Out::new(granted, "granted") }?;
        handler::with(context, |body| {
            let permits = body.context.acquire_threads(most);
            granted.set(permits.get());
            body.permits.lock().push(permits);
            Ok(())
        })
    })
}

/// Gives all granted threads back, except the thread of the handler.
#[unsafe(no_mangle)]
pub extern "C" fn job_context_release_threads(context: JobContext) -> JobStatus {
    call(|| {
        handler::with(context, |body| {
            body.permits.lock().clear();
            Ok(())
        })
    })
}

/// Sets the reason why the job fails, a sentence for its caller. Returns
/// [`JOB_ERROR_FAILED`](crate::JOB_ERROR_FAILED), which the handler has to return.
///
/// # Safety
/// `reason` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_fail(context: JobContext, reason: *const c_char, length: usize) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let reason = unsafe { text(reason, length, "reason") }?;
        handler::give_reason(context, JOB_ERROR_FAILED, reason)
    })
}

/// Sets the reason why the job cannot be done now. Returns [`JOB_ERROR_TRANSIENT`], which the handler has to
/// return. The job then runs again after a pause, up to its `max_attempts`.
///
/// # Safety
/// `reason` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_retry(
    context: JobContext,
    reason: *const c_char,
    length: usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let reason = unsafe { text(reason, length, "reason") }?;
        handler::give_reason(context, JOB_ERROR_TRANSIENT, reason)
    })
}
