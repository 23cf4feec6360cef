//! [`Width`]: how many threads a job may use inside, out of one budget for the whole engine.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicUsize, Ordering},
};

/// The threads that no job has.
#[derive(Debug, Clone)]
pub(crate) struct Spare(Arc<AtomicUsize>);

impl Spare {
    pub(crate) fn new(threads: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(threads)))
    }

    pub(crate) fn grant(&self, most: usize) -> Width {
        let wanted = most.saturating_sub(1);
        let mut extra = 0;
        let taken = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |spare| {
            extra = spare.min(wanted);
            Some(spare - extra)
        });
        // The closure never refuses.
        let extra = if taken.is_ok() { extra } else { 0 };
        Width { grant: Arc::new(Grant { spare: self.clone(), extra: AtomicUsize::new(extra) }), extra }
    }
}

/// Threads that were granted and are not given back yet.
#[derive(Debug)]
pub(crate) struct Grant {
    spare: Spare,
    extra: AtomicUsize,
}

impl Grant {
    /// Gives them back, once.
    pub(crate) fn give_back(&self) {
        self.spare.0.fetch_add(self.extra.swap(0, Ordering::AcqRel), Ordering::AcqRel);
    }
}

/// Threads that a job was granted; they go back when this is dropped, and at the latest when its body has returned.
#[derive(Debug)]
pub struct Width {
    grant: Arc<Grant>,
    extra: usize,
}

impl Width {
    /// How many threads the job may use, its own included.
    #[must_use]
    pub const fn get(&self) -> usize {
        self.extra + 1
    }

    pub(crate) fn grant(&self) -> Weak<Grant> {
        Arc::downgrade(&self.grant)
    }
}

impl Drop for Width {
    fn drop(&mut self) {
        self.grant.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_together_never_have_more_than_there_are() {
        let spare = Spare::new(3);
        let first = spare.grant(3);
        let second = spare.grant(8);
        assert_eq!((first.get(), second.get(), spare.grant(8).get()), (3, 2, 1));
        drop(first);
        assert_eq!(spare.grant(0).get(), 1);
        assert_eq!(spare.grant(9).get(), 3);
    }
}
