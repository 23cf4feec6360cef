//! The ids of the unfinished jobs, in memory. A scan of their entries passes the deletions of jobs that have just
//! ended, which a tree of sorted runs keeps for some time.

use std::{
    collections::BTreeSet,
    ops::Bound::{Excluded, Unbounded},
};

use job_core::{JobId, JobRecord};
use parking_lot::Mutex;

use crate::StoreError;

/// Every unfinished job, from the first filtered list on. Until then it takes no memory; then about 30 bytes a job.
#[derive(Default)]
pub(super) struct Unfinished(Mutex<Ids>);

#[derive(Default)]
struct Ids {
    /// `None` before the first list.
    all: Option<BTreeSet<JobId>>,
    /// The lists that are being made. Their views may be older than the end of a job.
    lists: usize,
    /// Jobs that have ended while a list is being made. They leave `all` when no list is left.
    ended: BTreeSet<JobId>,
}

/// A list that is being made. It finds every job that is unfinished in a view that is taken later, and others.
pub(super) struct Listing<'u>(&'u Unfinished);

impl Unfinished {
    /// Adds jobs that are about to be inserted: no view shows a job that is not here. The caller holds their locks.
    pub(super) fn begin(&self, records: &[JobRecord]) {
        let mut ids = self.0.lock();
        let Ids { all: Some(all), ended, .. } = &mut *ids else { return };
        for record in records.iter().filter(|record| !record.state.is_complete()) {
            all.insert(record.id);
            ended.remove(&record.id);
        }
    }

    /// Removes jobs that have ended. The caller holds their locks.
    pub(super) fn end(&self, jobs: &[JobId]) {
        if jobs.is_empty() {
            return;
        }
        let mut ids = self.0.lock();
        let Ids { all: Some(all), lists, ended } = &mut *ids else { return };
        if *lists > 0 {
            ended.extend(jobs);
        } else {
            for job in jobs {
                all.remove(job);
            }
        }
    }

    /// Forgets every job, after an insertion whose outcome is unknown. The next list loads them again.
    pub(super) fn forget(&self) {
        let mut ids = self.0.lock();
        ids.all = None;
        ids.ended.clear();
    }

    /// Begins a list. `load` reads the ids out of the store, and calls its argument with them before it lets a
    /// job be inserted or end.
    pub(super) fn list(
        &self,
        load: impl FnOnce(&dyn Fn(BTreeSet<JobId>)) -> Result<(), StoreError>,
    ) -> Result<Listing<'_>, StoreError> {
        let mut ids = self.0.lock();
        ids.lists += 1;
        let is_loaded = ids.all.is_some();
        drop(ids);
        let listing = Listing(self);
        if !is_loaded {
            load(&|loaded| self.0.lock().all = Some(loaded))?;
        }
        Ok(listing)
    }
}

impl Listing<'_> {
    /// Some jobs that are older than `before` and newer than `after`, newest first; none if there is no further
    /// one. `None` if the ids were forgotten meanwhile.
    pub(super) fn next(&self, after: Option<JobId>, before: Option<JobId>) -> Option<Vec<JobId>> {
        /// Others wait while ids are copied.
        const MOST: usize = 1_000;
        let bounds = (after.map_or(Unbounded, Excluded), before.map_or(Unbounded, Excluded));
        let is_empty = after.zip(before).is_some_and(|(after, before)| after >= before);
        let ids = self.0.0.lock();
        let all = ids.all.as_ref()?;
        // The range of a tree panics if it ends before it begins.
        Some(if is_empty { Vec::new() } else { all.range(bounds).rev().take(MOST).copied().collect() })
    }
}

impl Drop for Listing<'_> {
    fn drop(&mut self) {
        let mut ids = self.0.0.lock();
        ids.lists -= 1;
        if ids.lists == 0 {
            let ended = std::mem::take(&mut ids.ended);
            if let Some(all) = &mut ids.all {
                for job in &ended {
                    all.remove(job);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use job_core::{JobSpec, Timestamp};

    use super::*;

    fn id(n: u8) -> JobId {
        JobId::from_bytes([n; 16])
    }

    fn begin(unfinished: &Unfinished, ids: &[u8]) {
        let record = |&n| JobRecord::waiting(id(n), JobSpec::vertex_filter(), Timestamp::default());
        unfinished.begin(&ids.iter().map(record).collect::<Vec<_>>());
    }

    fn list<'u>(unfinished: &'u Unfinished, loaded: &[u8]) -> Listing<'u> {
        list_of(unfinished, loaded.iter().copied().map(id).collect())
    }

    fn list_of(unfinished: &Unfinished, loaded: BTreeSet<JobId>) -> Listing<'_> {
        let load = |set: &dyn Fn(BTreeSet<JobId>)| {
            set(loaded);
            Ok(())
        };
        unfinished.list(load).unwrap()
    }

    fn all(listing: &Listing<'_>) -> Option<Vec<JobId>> {
        listing.next(None, None)
    }

    #[test]
    fn a_list_finds_what_began_before_or_during_it_and_has_not_ended_before() {
        let unfinished = Unfinished::default();
        begin(&unfinished, &[9]);
        let first = list(&unfinished, &[2, 4]);
        begin(&unfinished, &[5]);
        unfinished.end(&[id(2)]);
        assert_eq!(all(&first), Some(vec![id(5), id(4), id(2)]));
        let second = list(&unfinished, &[]);
        drop(first);
        assert_eq!(all(&second), Some(vec![id(5), id(4), id(2)]));
        drop(second);
        assert_eq!(all(&list(&unfinished, &[])), Some(vec![id(5), id(4)]));
        unfinished.end(&[id(4)]);
        assert_eq!(all(&list(&unfinished, &[])), Some(vec![id(5)]));
    }

    #[test]
    fn a_job_that_ends_and_begins_again_during_a_list_is_unfinished() {
        let unfinished = Unfinished::default();
        let listing = list(&unfinished, &[1]);
        unfinished.end(&[id(1)]);
        begin(&unfinished, &[1]);
        drop(listing);
        assert_eq!(all(&list(&unfinished, &[])), Some(vec![id(1)]));
    }

    #[test]
    fn forgotten_ids_are_loaded_again() {
        let unfinished = Unfinished::default();
        let listing = list(&unfinished, &[1, 2]);
        unfinished.end(&[id(2)]);
        unfinished.forget();
        assert_eq!(all(&listing), None);
        let again = list(&unfinished, &[2]);
        drop(listing);
        assert_eq!(all(&again), Some(vec![id(2)]));
    }

    #[test]
    fn ids_come_in_pieces_newest_first_between_the_bounds() {
        let unfinished = Unfinished::default();
        let ids: BTreeSet<_> =
            (0..2_500).map(|n| JobId::from_parts(Timestamp::from_micros(n * 1_000), [0; 10])).collect();
        let (first, last) = (ids.first().copied(), ids.last().copied());
        let listing = list_of(&unfinished, ids.clone());
        let (mut found, mut before) = (Vec::new(), None);
        while let Some(next) = listing.next(None, before).filter(|next| !next.is_empty()) {
            before = next.last().copied();
            found.extend(next);
        }
        assert!(found.into_iter().eq(ids.iter().rev().copied()));
        assert_eq!(listing.next(first, last).unwrap().first(), ids.iter().rev().nth(1));
        for (after, before) in [(last, first), (first, first), (last, last)] {
            assert_eq!(listing.next(after, before), Some(Vec::new()));
        }
    }
}
