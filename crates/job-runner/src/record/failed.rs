//! Keeps why an attempt gave no result, before its job waits again.

use job_core::{Event, FailedAttempt, JobRecord, Timestamp};
use job_store::{ErrorKind, StoreError};

use crate::engine::core::EngineCore;

/// Keeps the failure of an attempt that `event` ends, if the job waits for another one. It is called before the record
/// is replaced, while the attempt may still write. An attempt that ends otherwise writes nothing here: the record has
/// its failure.
///
/// # Errors
/// When the store fails. A list that is damaged begins anew, and costs no job.
pub(crate) fn keep_failure(
    engine: &EngineCore,
    record: &JobRecord,
    event: &Event,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (Event::Requeue(failure, _) | Event::Suspect(failure)) = event else { return Ok(()) };
    let (job, attempt) = (record.id, record.attempt);
    let earlier = if attempt > 1 { engine.store().failures(job) } else { Ok(Vec::new()) };
    let earlier = match earlier {
        Err(error) if error.kind == ErrorKind::Corrupt => {
            tracing::error!(%job, %error, "the failed attempts of a job cannot be read: the list begins anew");
            Vec::new()
        }
        earlier => earlier?,
    };
    let started = record.started_at.unwrap_or(record.submitted_at);
    let failed = FailedAttempt { attempt, started, ended: now, failure: failure.clone() };
    match engine.store().save_failures(job, attempt, &failed.after(earlier)) {
        // The record has been replaced: by an earlier try whose answer was lost, or by another engine. The write of the
        // record that comes next finds out which.
        Err(error) if matches!(error.kind, ErrorKind::Fenced | ErrorKind::NotFound) => Ok(()),
        kept => kept,
    }
}
