//! [`Turn`]: lets one thread at a time do a task that calls the store.

use crate::seam::sync::{Condvar, Mutex};

/// Admits one thread at a time. No lock is held during the turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    is_taken: Mutex<bool>,
    free: Condvar,
}

impl Turn {
    /// Waits until no other thread has the turn, and takes it. Dropping the returned guard ends the turn.
    pub(crate) fn take(&self) -> impl Drop + '_ {
        let mut is_taken = self.is_taken.lock();
        while *is_taken {
            self.free.wait(&mut is_taken);
        }
        *is_taken = true;
        Taken(self)
    }
}

struct Taken<'a>(&'a Turn);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.is_taken.lock() = false;
        self.0.free.notify_one();
    }
}
