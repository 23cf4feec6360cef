//! Jobs: submitted, waited for, ended.

use std::{
    ffi::{c_char, c_void},
    io::Write,
    time::Duration,
};

use job_runner::{EngineError, JobHandle, JobId as Id, store::Pin};

use crate::{
    engine::{JobEngine, engine},
    error::{Failure, Outcome, call},
    host::{JobDestroy, UserData},
    memory::{Buffer, Out, Places, text, value},
    request,
    status::{JOB_ERROR_BUFFER, JOB_ERROR_TIMEOUT, JobStateCode, JobStatus, state_code},
};

/// The id of a job: 16 bytes that sort by the time of submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct JobId {
    /// The bytes of a UUID of version 7, in the order of its text.
    pub bytes: [u8; 16],
}

impl From<Id> for JobId {
    fn from(id: Id) -> Self {
        Self { bytes: *id.as_bytes() }
    }
}

impl From<JobId> for Id {
    fn from(id: JobId) -> Self {
        Self::from_bytes(id.bytes)
    }
}

/// The function that is called once when a job ends, on a thread of the engine. Keep it short, and do not wait in
/// it.
pub type JobCompleted =
    Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, job: *const JobId, state: JobStateCode)>;

/// Waits without a limit.
pub const JOB_FOREVER: u64 = u64::MAX;

/// The handle of a job of an engine.
pub(crate) fn job(handle: JobEngine, id: Id) -> Outcome<JobHandle> {
    Ok(engine(handle)?.engine.job(id)?.ok_or(EngineError::UnknownJob(id))?)
}

/// The text of an id: 36 bytes, lower case with hyphens.
///
/// # Safety
/// `job` has an id. `buffer` has `capacity` bytes that may be written, and `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_id_text(
    job: *const JobId,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let id = Id::from(unsafe { value(job, "job") }?);
        // SAFETY: the caller promises this, see `# Safety`.
        let mut buffer = unsafe { Buffer::new(buffer, capacity, length) }?;
        // A buffer accepts any number of bytes.
        let _ = write!(buffer, "{id}");
        buffer.finish()
    })
}

/// Reads the id from its text, which must be as [`job_id_text`] writes it.
///
/// # Safety
/// `id` has `length` bytes, and `job` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_id_parse(id: *const c_char, length: usize, job: *mut JobId) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let job = unsafe { Out::new(job, "job") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { text(id, length, "id") }?;
        let id: Id = id.parse().map_err(|error| Failure::argument(format!("{error}")))?;
        job.set(id.into());
        Ok(())
    })
}

/// Submits a job. `spec` is JSON: `{"kind": K, "graph": NAME, "parameters": {...}, "options": {...}}`. The kind is
/// `"vertex_filter"`, `"edge_filter"`, `{"algorithm": NAME}` or `{"action": NAME}`; parameters and options may be left
/// out. The options are `priority`, `class`, `idempotency_key`, `graph_version`, `reuse`, `deadline`, `budget`,
/// `keep_rows`, `max_attempts`, `owner`, `labels`, `trace_parent` and `again_of`. `trace_parent` is a `traceparent` of W3C
/// Trace Context. `again_of` is the id of an earlier job, whose request this one runs again.
///
/// When this call has returned [`JOB_OK`](crate::JOB_OK), the job is stored and will run. `wait_ms` is how long
/// the call waits for room in a full queue; with 0 it does not wait.
///
/// # Safety
/// `spec` has `length` bytes, and `job` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_submit(
    engine: JobEngine,
    spec: *const c_char,
    length: usize,
    wait_ms: u64,
    job: *mut JobId,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let job = unsafe { Out::new(job, "job") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let spec = request::spec(unsafe { text(spec, length, "spec") }?)?;
        let open = self::engine(engine)?;
        let submitted = match wait_ms {
            0 => open.engine.submit(spec),
            _ => open.engine.submit_timeout(spec, Duration::from_millis(wait_ms)),
        };
        job.set(submitted?.id().into());
        Ok(())
    })
}

/// Submits many jobs with one write, all or none. `specs` is a JSON list of specs as [`job_submit`] takes them. `jobs` has
/// room for `capacity` ids, and gets one for each spec, in their order. If there are more specs,
/// [`JOB_ERROR_BUFFER`](crate::JOB_ERROR_BUFFER) is returned and nothing is stored. `count` gets the number of specs in
/// both cases.
///
/// # Safety
/// `specs` has `length` bytes, `jobs` has room for `capacity` ids, and `count` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_submit_many(
    engine: JobEngine,
    specs: *const c_char,
    length: usize,
    jobs: *mut JobId,
    capacity: usize,
    count: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let count = unsafe { Out::new(count, "count") }?;
        count.set(0);
        // SAFETY: the caller promises this, see `# Safety`.
        let specs = request::specs(unsafe { text(specs, length, "specs") }?)?;
        count.set(specs.len());
        if specs.len() > capacity {
            let message = format!("there are {} specs, and room for {capacity} ids", specs.len());
            return Err(Failure::new(JOB_ERROR_BUFFER, message));
        }
        // SAFETY: the caller promises this, see `# Safety`.
        let places = unsafe { Places::new(jobs, specs.len(), "jobs") }?;
        let submitted = self::engine(engine)?.engine.submit_all(specs)?;
        places.fill(submitted.iter().map(|job| job.id().into()));
        Ok(())
    })
}

/// The state of a job: one of the `JOB_STATE_` numbers.
///
/// # Safety
/// `job` has an id, and `state` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_state(engine: JobEngine, job: *const JobId, state: *mut JobStateCode) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let state = unsafe { Out::new(state, "state") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        state.set(state_code(self::job(engine, id.into())?.refresh()?.state));
        Ok(())
    })
}

/// Waits until the job has ended, at most `timeout_ms`; with [`JOB_FOREVER`] without a limit.
/// [`JOB_ERROR_TIMEOUT`](crate::JOB_ERROR_TIMEOUT) if the job has not ended by then. A handler may wait for
/// another job. `state` gets the final state of the job; it may be NULL.
///
/// # Safety
/// `job` has an id, and `state` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_wait(
    engine: JobEngine,
    job: *const JobId,
    timeout_ms: u64,
    state: *mut JobStateCode,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let state = unsafe { Out::optional(state, "state") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = Id::from(unsafe { value(job, "job") }?);
        let job = self::job(engine, id)?;
        let ended = match timeout_ms {
            JOB_FOREVER => job.wait().map(Some),
            _ => job.wait_timeout(Duration::from_millis(timeout_ms)),
        }?;
        let Some(record) = ended else {
            let message = format!("job {id} has not ended in {timeout_ms} ms");
            return Err(Failure::new(JOB_ERROR_TIMEOUT, message));
        };
        if let Some(state) = state {
            state.set(state_code(record.state));
        }
        Ok(())
    })
}

/// Calls `completed` when the job has ended. The call comes on a thread of the engine, or at once on this thread
/// if the job has ended already. It does not come if the job does not end in this engine. `destroy` frees
/// `user_data` in every case, also when this call fails.
///
/// # Safety
/// `job` has an id. `completed` and `destroy` may be called with `user_data` on any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_on_complete(
    engine: JobEngine,
    job: *const JobId,
    completed: JobCompleted,
    user_data: *mut c_void,
    destroy: JobDestroy,
) -> JobStatus {
    call(|| {
        // The value is made first, so that the data is freed in any case.
        let user_data = UserData::new(user_data, destroy);
        let completed = completed.ok_or_else(|| Failure::argument("completed is NULL: give a function"))?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        self::job(engine, id.into())?.on_complete(move |record| {
            let id = JobId::from(record.id);
            // SAFETY: the host gave the function for this data, which is freed after it.
            unsafe { completed(user_data.get(), &raw const id, state_code(record.state)) }
        });
        Ok(())
    })
}

/// Requests the end of a job. A waiting job is cancelled when the call returns, a running one at its next check.
///
/// # Safety
/// `job` has an id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_cancel(engine: JobEngine, job: *const JobId) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        self::job(engine, id.into())?.cancel()?;
        Ok(())
    })
}

/// Removes a complete job with its rows. [`JOB_ERROR_NOT_FOUND`](crate::JOB_ERROR_NOT_FOUND) if there is no such
/// job, [`JOB_ERROR_ARGUMENT`](crate::JOB_ERROR_ARGUMENT) if it is unfinished or pinned.
///
/// # Safety
/// `job` has an id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_remove(engine: JobEngine, job: *const JobId) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let id = Id::from(unsafe { value(job, "job") }?);
        if self::engine(engine)?.engine.remove(id)? { Ok(()) } else { Err(EngineError::UnknownJob(id).into()) }
    })
}

/// Keeps a job from being removed if `pinned` is not 0. Otherwise allows its removal again.
///
/// # Safety
/// `job` has an id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_pin(engine: JobEngine, job: *const JobId, pinned: i32) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        let pin = if pinned == 0 { Pin::Release } else { Pin::Keep };
        Ok(self::engine(engine)?.store.pin(id.into(), pin)?)
    })
}
