//! [`ThreadPermits`]: the threads that a job may use, from one budget for the whole engine.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicUsize, Ordering},
};

/// The number of threads that no job has.
#[derive(Debug, Clone)]
pub(crate) struct ThreadBudget(Arc<AtomicUsize>);

impl ThreadBudget {
    pub(crate) fn new(threads: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(threads)))
    }

    pub(crate) fn grant(&self, most: usize) -> ThreadPermits {
        let wanted = most.saturating_sub(1);
        let mut extra = 0;
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            extra = left.min(wanted);
            Some(left - extra)
        });
        // The closure never refuses.
        let extra = if taken.is_ok() { extra } else { 0 };
        ThreadPermits { grant: Arc::new(Grant { budget: self.clone(), extra: AtomicUsize::new(extra) }), extra }
    }
}

/// Granted threads that are not given back yet.
#[derive(Debug)]
pub(crate) struct Grant {
    budget: ThreadBudget,
    extra: AtomicUsize,
}

impl Grant {
    /// Gives the threads back. A second call does nothing.
    pub(crate) fn give_back(&self) {
        self.budget.0.fetch_add(self.extra.swap(0, Ordering::AcqRel), Ordering::AcqRel);
    }
}

/// The threads that a job was granted. They go back when this is dropped, or at the latest when the body has
/// returned.
#[derive(Debug)]
pub struct ThreadPermits {
    grant: Arc<Grant>,
    extra: usize,
}

impl ThreadPermits {
    /// How many threads the job may use, its own thread included.
    #[must_use]
    pub const fn get(&self) -> usize {
        self.extra + 1
    }

    pub(crate) fn grant(&self) -> Weak<Grant> {
        Arc::downgrade(&self.grant)
    }
}

impl Drop for ThreadPermits {
    fn drop(&mut self) {
        self.grant.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_together_never_have_more_than_there_are() {
        let budget = ThreadBudget::new(3);
        let first = budget.grant(3);
        let second = budget.grant(8);
        assert_eq!((first.get(), second.get(), budget.grant(8).get()), (3, 2, 1));
        drop(first);
        assert_eq!(budget.grant(0).get(), 1);
        assert_eq!(budget.grant(9).get(), 3);
    }
}
