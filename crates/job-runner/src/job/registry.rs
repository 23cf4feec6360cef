//! [`Registry`]: the unfinished jobs of this engine, each once.

use std::sync::Arc;

use job_core::{JobId, JobRecord};
use rustc_hash::FxHashMap;

use crate::job::{
    entry::{Entry, State},
    place::Place,
};

/// The jobs that this engine may run, and jobs of other engines for which this process has a handle. The [`Place`]
/// of each says which of the two it is.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    jobs: FxHashMap<JobId, Arc<Entry>>,
    unhandled: usize,
}

impl Registry {
    pub(crate) fn get(&self, id: JobId) -> Option<&Arc<Entry>> {
        self.jobs.get(&id)
    }

    /// The [`Entry`] of a job of a shared store, of which there is one.
    pub(crate) fn get_or_insert(&mut self, record: &JobRecord) -> Arc<Entry> {
        let entry = self.jobs.entry(record.id);
        Arc::clone(entry.or_insert_with(|| Arc::new(Entry::new(record.clone(), Place::Outside))))
    }

    pub(crate) fn insert(&mut self, entries: &[Arc<Entry>]) {
        self.jobs.extend(entries.iter().map(|entry| (entry.id, Arc::clone(entry))));
    }

    pub(crate) fn remove(&mut self, entry: &Entry) {
        let was_there = self.jobs.remove(&entry.id).is_some();
        if was_there && matches!(entry.lock().place, Place::Unhandled) {
            self.unhandled -= 1;
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.jobs.values().cloned().collect()
    }

    /// Notes that no handler of this engine can run this job.
    pub(crate) fn miss_handler(&mut self, state: &mut State) {
        state.place.miss_handler();
        self.unhandled += 1;
    }

    /// The number of jobs that no handler of this engine can run.
    pub(crate) const fn unhandled(&self) -> usize {
        self.unhandled
    }

    /// Removes the jobs of other engines that have no handle any more. Cost: a look at every job.
    pub(crate) fn forget_unasked(&mut self) {
        self.jobs.retain(|_, entry| Arc::strong_count(entry) > 1 || entry.is_needed());
    }
}
