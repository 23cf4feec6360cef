//! [`Unreadable`]: a job that is in the store and cannot be read. It holds nothing else up.

use std::collections::BTreeMap;

use job_core::JobId;
use job_store::StoreError;
use serde::Serialize;

use crate::seam::sync::Mutex;

/// A job that is in the store and cannot be read: its record is damaged, or a later version wrote it. It is left alone,
/// because that version may read it, until [`Engine::remove`](crate::Engine::remove) is asked to remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unreadable {
    /// Which.
    pub job: JobId,
    /// Why, in a sentence.
    pub reason: String,
}

/// The jobs that this engine has met and cannot read.
#[derive(Debug, Default)]
pub(crate) struct SetAside(Mutex<BTreeMap<JobId, StoreError>>);

impl SetAside {
    /// Adds a job that cannot be read; whether it was not among them.
    pub(crate) fn add(&self, job: JobId, error: &StoreError) -> bool {
        self.0.lock().insert(job, error.clone()).is_none()
    }

    pub(crate) fn all(&self) -> Vec<Unreadable> {
        let aside = self.0.lock();
        aside.iter().map(|(job, error)| Unreadable { job: *job, reason: reason(error) }).collect()
    }

    /// It was removed.
    pub(crate) fn forget(&self, job: JobId) {
        self.0.lock().remove(&job);
    }
}

/// Why a job is in a list without its record.
pub(crate) fn reason(error: &StoreError) -> String {
    format!("cannot be read: {}", error.detail)
}
