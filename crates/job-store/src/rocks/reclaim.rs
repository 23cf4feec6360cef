//! Gives back the space of removed rows in a thread of its own.
//!
//! A range tombstone has hidden the rows already. This thread deletes whole files at once. It compacts files that
//! also hold rows of other jobs, when enough rows in them are dead. A reader inside the rows goes on, since its
//! iterator holds the files. A later reader finds no rows, looks for the job, and reports that it was removed.

use std::{
    ops::Range,
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;
use rocksdb::CompactOptions;

use super::{Database, failure, family};
use crate::{
    StoreError,
    key_value::{Dropped, Table},
    place::Place,
};

const OPERATION: &str = "reclaim the space";
/// The bytes of dead rows at which files that also hold rows of other jobs are rewritten.
const WORTH_COMPACTING: u64 = 32 << 20;

pub(super) struct Reclaimer<D> {
    db: Arc<D>,
    place: Arc<Place>,
    /// The thread is started at the first removal, since most stores are opened, read and closed without one.
    worker: Mutex<Option<Worker>>,
}

struct Worker {
    queue: Sender<Task>,
    thread: JoinHandle<()>,
}

enum Task {
    Reclaim(Dropped),
    /// Dropped when all tasks before it are done, which ends a wait.
    Tell(Sender<()>),
}

impl<D: Database> Reclaimer<D> {
    pub(super) fn new(db: Arc<D>, place: Arc<Place>) -> Self {
        Self { db, place, worker: Mutex::new(None) }
    }

    /// Frees the space of hidden rows soon.
    pub(super) fn queue(&self, dropped: Dropped) {
        let mut worker = self.worker.lock();
        if worker.is_none() {
            *worker = start(&self.db, &self.place);
        }
        // Without a thread, the next opening reclaims the space.
        if let Some(worker) = &*worker {
            let _ = worker.queue.send(Task::Reclaim(dropped));
        }
    }

    /// Waits until each task that was queued before has been tried.
    pub(super) fn wait(&self) {
        let (tell, told) = mpsc::channel();
        if let Some(worker) = &*self.worker.lock() {
            let _ = worker.queue.send(Task::Tell(tell));
        } else {
            return;
        }
        let _ = told.recv();
    }

    /// Waits until the queue is empty, and ends the thread.
    pub(super) fn stop(&self) {
        if let Some(Worker { queue, thread }) = self.worker.lock().take() {
            drop(queue);
            let _ = thread.join();
        }
    }
}

fn start<D: Database>(db: &Arc<D>, place: &Arc<Place>) -> Option<Worker> {
    let (queue, tasks) = mpsc::channel();
    let (db, place) = (Arc::clone(db), Arc::clone(place));
    let name = "job-store-reclaim".to_owned();
    let thread = thread::Builder::new().name(name).spawn(move || work(&*db, &place, &tasks));
    match thread {
        Ok(thread) => Some(Worker { queue, thread }),
        Err(error) => {
            tracing::warn!(%error, "no thread to give space back: it comes back when the store is opened again");
            None
        }
    }
}

fn work(db: &impl Database, place: &Place, tasks: &Receiver<Task>) {
    let mut rest = Rest::default();
    while let Ok(first) = tasks.recv() {
        let (mut removed, mut waiting) = (Vec::new(), Vec::new());
        for task in std::iter::once(first).chain(tasks.try_iter()) {
            match task {
                Task::Reclaim(dropped) => removed.push(dropped),
                Task::Tell(tell) => waiting.push(tell),
            }
        }
        let reclaim = |dropped| {
            // Files are deleted by path, so the path must still lead to the store.
            place.check(OPERATION)?;
            reclaim(db, dropped, &mut rest).map_err(|error| error.during(OPERATION, None))
        };
        let outcome = sync(db).and_then(|()| removed.into_iter().try_for_each(reclaim));
        if let Err(error) = outcome {
            tracing::warn!(%error, "the space of removed jobs was not given back: trying again at the next opening");
        }
        drop(waiting);
    }
}

/// Dead rows in files that also hold rows of others.
#[derive(Default)]
struct Rest {
    bytes: u64,
    keys: Vec<Range<Vec<u8>>>,
}

/// A deleted file is gone from the disk at once. So the write that removed its rows has to be on the disk before.
fn sync(db: &impl Database) -> Result<(), StoreError> {
    db.sync_log().map_err(|error| failure(error).during(OPERATION, None))
}

fn reclaim<D: Database>(db: &D, Dropped { keys, note }: Dropped, rest: &mut Rest) -> Result<(), StoreError> {
    let rows = family(db, Table::Rows)?;
    db.delete_files(&rows, &keys).map_err(failure)?;
    rest.bytes += db.approximate_size(&rows, &keys);
    rest.keys.push(keys);
    if rest.bytes >= WORTH_COMPACTING {
        compact(db, rest)?;
    }
    db.delete(&family(db, Table::Jobs)?, &note).map_err(failure)
}

fn compact(db: &impl Database, rest: &mut Rest) -> Result<(), StoreError> {
    let rows = family(db, Table::Rows)?;
    let mut options = CompactOptions::default();
    // Other flushes and compactions may run meanwhile.
    options.set_exclusive_manual_compaction(false);
    for keys in rest.keys.drain(..) {
        db.compact(&rows, &keys, &options);
    }
    rest.bytes = 0;
    Ok(())
}
