//! [`Reads`]: the times of readings that are not noted in the store yet.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use job_core::{JobId, Timestamp};

use crate::seam::{
    clock::Clock,
    sync::{Condvar, Mutex},
};

/// The times of readings that are not noted in the store yet.
#[derive(Debug)]
pub(crate) struct Reads {
    clock: Arc<dyn Clock>,
    noted: Mutex<Noted>,
    /// Signalled when there are many notes, or when notes are not stored any more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Noted {
    young: HashMap<JobId, Timestamp>,
    /// Older notes, from before the young ones became too many.
    old: HashMap<JobId, Timestamp>,
    is_full: bool,
    is_closed: bool,
}

impl Reads {
    /// The most young notes, and the most old ones. The oldest are dropped if they are not stored in time.
    const MOST: usize = 50_000;

    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, noted: Mutex::default(), changed: Condvar::new() }
    }

    pub(crate) fn note(&self, id: JobId) {
        let now = self.clock.now();
        let mut noted = self.noted.lock();
        noted.young.insert(id, now);
        if noted.young.len() >= Self::MOST {
            let young = mem::take(&mut noted.young);
            let oldest = mem::replace(&mut noted.old, young);
            noted.is_full = true;
            drop(noted);
            self.changed.notify_all();
            drop(oldest);
        }
    }

    pub(crate) fn take(&self) -> Vec<(JobId, Timestamp)> {
        let mut noted = self.noted.lock();
        noted.is_full = false;
        let (mut all, young) = (mem::take(&mut noted.old), mem::take(&mut noted.young));
        drop(noted);
        all.extend(young);
        all.into_iter().collect()
    }

    /// Keeps notes that could not be stored, for the next try. A later note of the same job replaces an earlier
    /// one.
    pub(crate) fn put_back(&self, reads: Vec<(JobId, Timestamp)>) {
        let mut noted = self.noted.lock();
        for (id, read) in reads {
            if noted.old.len() >= Self::MOST {
                break;
            }
            if !noted.young.contains_key(&id) {
                noted.old.entry(id).or_insert(read);
            }
        }
    }

    /// Waits until it is time to store the notes, at most for this time; `false` if the engine is closed.
    pub(crate) fn rest(&self, at_most: Duration) -> bool {
        let mut noted = self.noted.lock();
        if !noted.is_full && !noted.is_closed {
            self.changed.wait_for(&mut noted, at_most);
        }
        !noted.is_closed
    }

    pub(crate) fn close(&self) {
        self.noted.lock().is_closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::clock::ManualClock;

    fn id(n: usize) -> JobId {
        JobId::from_parts(Timestamp::from_micros(u64::try_from(n).unwrap() * 1_000), [0; 10])
    }

    #[test]
    fn notes_that_nobody_stores_are_bounded_and_the_oldest_go() {
        let reads = Reads::new(Arc::new(ManualClock::default()));
        let all = 5 * Reads::MOST + 10;
        (0..all).for_each(|n| reads.note(id(n)));
        assert!(reads.rest(Duration::from_hours(1)), "it is time to store them");
        let taken: HashMap<_, _> = reads.take().into_iter().collect();
        assert!(taken.len() <= 2 * Reads::MOST, "{}", taken.len());
        assert!((all - Reads::MOST..all).all(|n| taken.contains_key(&id(n))));
        // Notes that cannot be stored stay within the bound too.
        reads.put_back(taken.into_iter().collect());
        reads.put_back((0..all).map(|n| (id(n), Timestamp::default())).collect());
        assert!(reads.take().len() <= 2 * Reads::MOST);
    }
}
