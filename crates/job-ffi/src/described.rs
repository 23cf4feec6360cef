//! Jobs as JSON: one job, or a page of a list.

use std::{ffi::c_char, io::Write};

use job_runner::{
    Engine, Explanation, Failure as JobFailure, JobHandle, JobId as Id, JobRecord, JobSnapshot, JobSpec, Progress,
    Timestamp, Unreadable,
};
use serde::Serialize;

use crate::{
    engine::{JobEngine, engine},
    error::{Outcome, call},
    jobs::{JobId, job},
    memory::{Buffer, text, value},
    request,
    status::JobStatus,
};

/// A job. Times are microseconds since 1970, UTC.
#[derive(Serialize)]
struct Described<'r> {
    id: Id,
    kind: String,
    graph: &'r str,
    state: String,
    explanation: Option<String>,
    progress: Option<Shown>,
    rows: u64,
    bytes: u64,
    list: Option<&'r str>,
    attempt: u32,
    failed_attempts: u32,
    revision: u64,
    submitted_at: Timestamp,
    started_at: Option<Timestamp>,
    cancel_requested_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    failure: Option<&'r JobFailure>,
    spec: &'r JobSpec,
}

#[derive(Serialize)]
struct Shown {
    done: u64,
    total: u64,
    percent: u8,
}

impl Shown {
    fn of(progress: &Progress) -> Self {
        Self { done: progress.done, total: progress.total, percent: progress.percent() }
    }
}

impl<'r> Described<'r> {
    fn of_record(record: &'r JobRecord) -> Self {
        Self {
            id: record.id,
            kind: record.spec.kind().to_string(),
            graph: record.spec.graph(),
            state: record.state.to_string(),
            explanation: Explanation::of_end(record).map(|end| end.to_string()),
            progress: None,
            rows: record.size.rows,
            bytes: record.size.bytes,
            list: None,
            attempt: record.attempt,
            failed_attempts: record.failed_attempts,
            revision: record.revision,
            submitted_at: record.submitted_at,
            started_at: record.started_at,
            cancel_requested_at: record.cancel_requested_at,
            finished_at: record.finished_at,
            not_before: record.not_before,
            failure: record.failure.as_ref(),
            spec: &record.spec,
        }
    }

    fn of(snapshot: &'r JobSnapshot) -> Self {
        Self {
            explanation: Some(snapshot.explanation.to_string()),
            progress: Some(Shown::of(&snapshot.progress)),
            rows: snapshot.rows,
            list: snapshot.list.as_deref(),
            ..Self::of_record(&snapshot.record)
        }
    }
}

/// A job of a list whose record cannot be read.
#[derive(Serialize)]
struct Unread<'r> {
    id: Id,
    unreadable: &'r str,
}

/// A job as a JSON object: its state, why it waits or how it ended, its progress, times, rows, failure and request.
///
/// # Safety
/// `job` has an id. `buffer` has `capacity` bytes that may be written, and `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_explain(
    engine: JobEngine,
    job: *const JobId,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let mut buffer = unsafe { Buffer::new(buffer, capacity, length) }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        let id = Id::from(id);
        let job: JobHandle = self::job(engine, id)?;
        job.refresh()?;
        let mut snapshot = job.snapshot();
        if snapshot.record.state.is_complete() {
            // The list of a complete job is in its result, which no list of jobs reads.
            let result = self::engine(engine)?.engine.reader().result(id)?;
            snapshot.list = result.and_then(|result| result.list).map(|list| list.name().to_owned());
        }
        buffer.write_json(&Described::of(&snapshot))?;
        buffer.finish()
    })
}

/// Jobs, the newest first, as `{"jobs": [...], "next": ID or null}`. `filter` is JSON, and may be empty:
/// `{"graph": NAME, "kind": NAME, "owner": NAME, "labels": [...], "states": [...], "before": ID, "limit": N}`. The
/// limit is from 1 to 1,000; 100 by default. For the next page, pass `next` of a page as `before`.
///
/// # Safety
/// `filter` has `filter_length` bytes. `buffer` has `capacity` bytes that may be written, and `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_list(
    engine: JobEngine,
    filter: *const c_char,
    filter_length: usize,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let mut buffer = unsafe { Buffer::new(buffer, capacity, length) }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let listing = request::listing(unsafe { text(filter, filter_length, "filter") }?)?;
        let open = self::engine(engine)?;
        let jobs = open.engine.reader().filtered(&listing.filter, listing.before, listing.limit)?;
        let is_full = jobs.len() == listing.limit as usize;
        let next = jobs.last().map(id_of).filter(|_| is_full);
        // A buffer accepts any number of bytes.
        let _ = buffer.write_all(b"{\"jobs\":[");
        for (at, job) in jobs.iter().enumerate() {
            if at > 0 {
                let _ = buffer.write_all(b",");
            }
            write_listed(&mut buffer, &open.engine, job)?;
        }
        let _ = buffer.write_all(b"],\"next\":");
        buffer.write_json(&next)?;
        let _ = buffer.write_all(b"}");
        buffer.finish()
    })
}

fn id_of(job: &Result<JobRecord, Unreadable>) -> Id {
    job.as_ref().map_or_else(|unreadable| unreadable.job, |record| record.id)
}

fn write_listed(out: &mut Buffer, engine: &Engine, job: &Result<JobRecord, Unreadable>) -> Outcome {
    match job {
        Ok(record) if record.state.is_complete() => out.write_json(&Described::of_record(record)),
        Ok(record) => match engine.job(record.id)? {
            Some(job) => out.write_json(&Described::of(&job.snapshot())),
            None => out.write_json(&Described::of_record(record)),
        },
        Err(unreadable) => out.write_json(&Unread { id: unreadable.job, unreadable: &unreadable.reason }),
    }
}
