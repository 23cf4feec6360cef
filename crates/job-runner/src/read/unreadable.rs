//! [`Unreadable`]: a stored job whose record cannot be read. Other jobs go on.

use std::collections::BTreeMap;

use job_core::JobId;
use job_store::StoreError;
use serde::Serialize;

use crate::seam::sync::Mutex;

/// A stored job whose record cannot be read: it is damaged, or a later version wrote it. The engine leaves it
/// alone, since that version may read it, until [`Engine::remove`](crate::Engine::remove) removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unreadable {
    /// The id of the job.
    pub job: JobId,
    /// The reason, in a sentence.
    pub reason: String,
}

/// The unreadable jobs that this engine has found.
#[derive(Debug, Default)]
pub(crate) struct SetAside(Mutex<BTreeMap<JobId, StoreError>>);

impl SetAside {
    /// Adds an unreadable job. Returns whether it is new.
    pub(crate) fn add(&self, job: JobId, error: &StoreError) -> bool {
        self.0.lock().insert(job, error.clone()).is_none()
    }

    pub(crate) fn all(&self) -> Vec<Unreadable> {
        let aside = self.0.lock();
        aside.iter().map(|(job, error)| Unreadable { job: *job, reason: reason(error) }).collect()
    }

    /// Removes a job that was removed from the store.
    pub(crate) fn forget(&self, job: JobId) {
        self.0.lock().remove(&job);
    }
}

/// The reason why a job is in a list without its record.
pub(crate) fn reason(error: &StoreError) -> String {
    format!("cannot be read: {}", error.detail)
}
