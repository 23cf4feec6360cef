//! Runs of a large segment that are not part of the table yet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::{self, JoinHandle},
};

use super::{KeyValue, KeyValueStore, SortedRun, call::Call, segment::OPERATION};
use crate::{ErrorKind, SegmentKey, StoreError};

/// A run of rows that is not part of the table yet.
pub(super) struct Run {
    run: Box<dyn SortedRun>,
    bytes: u64,
}

impl Run {
    /// `None` where the engine has no runs.
    pub(super) fn new(kv: &impl KeyValue, call: Call) -> Result<Option<Self>, StoreError> {
        let run = kv.sorted_run().map_err(|error| call.failed(error))?;
        Ok(run.map(|run| Self { run, bytes: 0 }))
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn put(&mut self, call: Call, key: &[u8; 32], block: &[u8]) -> Result<(), StoreError> {
        self.run.put(key, block).map_err(|error| call.failed(error))?;
        self.bytes += block.len() as u64;
        Ok(())
    }

    pub(super) fn publish<K: KeyValue>(
        mut self,
        store: &KeyValueStore<K>,
        key: SegmentKey,
    ) -> Result<(), StoreError> {
        if self.bytes == 0 {
            return Ok(());
        }
        let call = Call::on(OPERATION, key.job);
        // The run is sealed without the job's lock, because sealing waits for the disk.
        self.run.seal().map_err(|error| call.failed(error))?;
        let held = store.inner.locks.job(key.job);
        store.check_attempt(key, &held)?;
        self.run.publish().map_err(|error| call.failed(error))
    }
}

/// A thread that makes runs part of the store, in the order in which they are sent.
pub(super) struct Publisher {
    queue: Option<SyncSender<(Run, u64)>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Publisher {
    /// `None` when the system starts no thread; then the writer publishes by itself.
    pub(super) fn start<K: KeyValue>(
        store: &KeyValueStore<K>,
        key: SegmentKey,
        visible: &Arc<AtomicU64>,
    ) -> Option<Self> {
        // The thread has one run in hand and one in the queue. A writer that is faster than the disk waits.
        let (queue, runs) = mpsc::sync_channel::<(Run, u64)>(1);
        let (store, visible) = (store.clone(), Arc::clone(visible));
        let work = move || {
            for (run, rows) in runs {
                run.publish(&store, key)?;
                visible.fetch_add(rows, Ordering::Release);
            }
            Ok(())
        };
        let thread = thread::Builder::new().name("job-store-publish".to_owned()).spawn(work).ok()?;
        Some(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// `false` when the thread has ended.
    pub(super) fn send(&self, run: Run, rows: u64) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.send((run, rows)).is_ok())
    }

    pub(super) fn end(mut self) -> Result<(), StoreError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), StoreError> {
        self.queue = None;
        let ended = self.thread.take().map_or(Ok(Ok(())), JoinHandle::join);
        let panicked =
            |_| StoreError::new(ErrorKind::Unavailable, OPERATION, "the thread that publishes rows died");
        ended.map_err(panicked)?
    }
}

impl Drop for Publisher {
    /// The drop of a writer waits for its thread, so that the thread does not use the store afterwards.
    fn drop(&mut self) {
        let _ = self.join();
    }
}
