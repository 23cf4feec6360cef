//! Gives the space of removed rows back, behind the caller's back.
//!
//! A range tombstone has hidden the rows already. Here their files are deleted: whole ones at once, the rest by
//! compaction when enough has come together. A reader that is inside the rows goes on: its iterator holds the
//! files. One that comes later finds nothing, looks for the job, and reports that it was removed.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use job_core::JobId;
use parking_lot::Mutex;
use rocksdb::{CompactOptions, Direction, IteratorMode, Range, ReadOptions};

use super::{Db, JOBS, ROWS, failure, family};
use crate::{StoreError, key_value::keys, place::Place};

const OPERATION: &str = "reclaim the space";
/// Dead bytes inside files shared with other jobs before those files are rewritten.
const WORTH_COMPACTING: u64 = 32 << 20;

pub(super) struct Reclaimer {
    db: Arc<Db>,
    place: Arc<Place>,
    /// Started with the first removal: most stores are opened, read and closed without one.
    worker: Mutex<Option<Worker>>,
}

struct Worker {
    queue: Sender<(JobId, u32)>,
    thread: JoinHandle<()>,
}

impl Reclaimer {
    pub(super) fn new(db: Arc<Db>, place: Arc<Place>) -> Self {
        Self { db, place, worker: Mutex::new(None) }
    }

    /// Goes on with what was removed before the store was closed or died.
    pub(super) fn resume(&self) -> Result<(), StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(keys::group(keys::DROPPED));
        let mode = IteratorMode::From(&[keys::DROPPED], Direction::Forward);
        for entry in self.db.iterator_cf_opt(family(&self.db, JOBS, OPERATION)?, options, mode) {
            let (key, _) = entry.map_err(|e| failure(OPERATION, None, &e))?;
            if let Some((job, attempt)) = keys::of_dropped(&key) {
                self.queue(job, attempt);
            }
        }
        Ok(())
    }

    /// Frees the space of the hidden rows of `0..=attempt` soon.
    pub(super) fn queue(&self, job: JobId, attempt: u32) {
        let mut worker = self.worker.lock();
        if worker.is_none() {
            *worker = start(&self.db, &self.place);
        }
        // Without a thread the space comes back when the store is opened again.
        if let Some(worker) = &*worker {
            let _ = worker.queue.send((job, attempt));
        }
    }

    /// Waits until what is queued is done.
    pub(super) fn stop(&self) {
        if let Some(Worker { queue, thread }) = self.worker.lock().take() {
            drop(queue);
            let _ = thread.join();
        }
    }
}

fn start(db: &Arc<Db>, place: &Arc<Place>) -> Option<Worker> {
    let (queue, jobs) = mpsc::channel();
    let (db, place) = (Arc::clone(db), Arc::clone(place));
    let name = "job-store-reclaim".to_owned();
    let thread = thread::Builder::new().name(name).spawn(move || work(&db, &place, &jobs));
    match thread {
        Ok(thread) => Some(Worker { queue, thread }),
        Err(error) => {
            tracing::warn!(%error, "no thread to give space back: it comes back when the store is opened again");
            None
        }
    }
}

fn work(db: &Db, place: &Place, jobs: &Receiver<(JobId, u32)>) {
    let mut rest = Rest::default();
    while let Ok(first) = jobs.recv() {
        let removed: Vec<_> = std::iter::once(first).chain(jobs.try_iter()).collect();
        let reclaim = |&job| {
            // Files are deleted by their paths.
            place.check(OPERATION)?;
            reclaim(db, job, &mut rest)
        };
        let outcome = sync(db).and_then(|()| removed.iter().try_for_each(reclaim));
        if let Err(error) = outcome {
            tracing::warn!(%error, "the space of removed jobs was not given back: trying again at the next opening");
        }
    }
}

/// Dead rows in files that also hold rows of others.
#[derive(Default)]
struct Rest {
    bytes: u64,
    jobs: Vec<(JobId, u32)>,
}

/// Files are gone at once, also from the disk: what removed their rows has to be there before.
fn sync(db: &Db) -> Result<(), StoreError> {
    db.flush_wal(true).map_err(|e| failure(OPERATION, None, &e))
}

fn reclaim(db: &Db, (job, attempt): (JobId, u32), rest: &mut Rest) -> Result<(), StoreError> {
    let rows = family(db, ROWS, OPERATION)?;
    let failed = |e| failure(OPERATION, Some(job), &e);
    let range = keys::blocks_until(job, attempt);
    db.delete_file_in_range_cf(rows, &range.start, &range.end).map_err(failed)?;
    let left = db.get_approximate_sizes_cf(rows, &[Range::new(&range.start, &range.end)]);
    rest.bytes += left.into_iter().sum::<u64>();
    rest.jobs.push((job, attempt));
    if rest.bytes >= WORTH_COMPACTING {
        compact(db, rest)?;
    }
    db.delete_cf(family(db, JOBS, OPERATION)?, keys::dropped(job, attempt)).map_err(failed)
}

fn compact(db: &Db, rest: &mut Rest) -> Result<(), StoreError> {
    let rows = family(db, ROWS, OPERATION)?;
    let mut options = CompactOptions::default();
    // Others may flush and compact meanwhile.
    options.set_exclusive_manual_compaction(false);
    for (job, attempt) in rest.jobs.drain(..) {
        let range = keys::blocks_until(job, attempt);
        db.compact_range_cf_opt(rows, Some(&range.start), Some(&range.end), &options);
    }
    rest.bytes = 0;
    Ok(())
}
