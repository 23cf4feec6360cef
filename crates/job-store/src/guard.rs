//! The rules of every shared store: changes that no claimant may make, and those that each may make.

use job_core::{JobRecord, JobState, Outcome};

use crate::{ErrorKind, StoreError};

/// Whether `next` is a cancel of `stored`. Every caller may ask for a cancel, also of a job that another has
/// claimed.
#[must_use]
pub fn is_cancel(stored: &JobRecord, next: &JobRecord) -> bool {
    match stored.state {
        JobState::Waiting => next.state == JobState::Complete(Outcome::Cancelled),
        JobState::Running { .. } => {
            next.state == JobState::Running { cancelling: true } && next.attempt == stored.attempt
        }
        JobState::Complete(_) => false,
    }
}

/// The error for an engine that wants a shared store for itself.
pub(crate) fn only_shared(engine: &str) -> StoreError {
    let detail = format!(
        "engines share this store, and {engine} wants it for itself: open it with `Engine::builder_shared` instead of \
         `Engine::builder`"
    );
    StoreError::new(ErrorKind::Invalid, "open an engine on the store", detail)
}
