//! [`KeyValueStore`]: jobs and rows in any ordered key-value engine, over a small [adaptor](KeyValue).
//!
//! `RocksStore` and `RedbStore` are this store over two engines. Another engine, or another version of RocksDB,
//! needs an adaptor: point reads, scans, and batches that are made whole or not at all. The rest is here: keys,
//! blocks, locks, the compare of revisions, and caches. [`conformance`](crate::conformance) tests an adaptor.
//! `examples/fjall_store.rs` is a whole adaptor, for fjall. `hosts/rocksdb-0.23/adaptor` is one for an older RocksDB. This
//! one is for a map:
//!
//! ```
#![doc = include_str!("../../examples/btree_map.rs")]
//! ```

mod cache;
mod call;
mod changes;
mod format;
mod index;
mod jobs;
pub(crate) mod keys;
mod kv;
mod locks;
mod pinned;
mod results;
mod run;
mod search;
mod segment;
mod staged;
mod unfinished;

use std::{fmt, ops::ControlFlow, path::Path, sync::Arc};

use job_core::{JobId, JobRecord, JobResult};

use self::{
    cache::{Blocks, Decoded},
    call::Call,
    format::Index,
    index::Sums,
    locks::{Locks, Newest},
    unfinished::Unfinished,
};
pub use self::{
    changes::{Change, Changes},
    kv::{Batch, Dropped, EachEntry, Facts, KeyValue, Order, Pinned, Scan, SortedRun, Table, View},
};
use crate::{Backup, ErrorKind, Seats, StoreError, backup};

/// A store that keeps jobs and rows in an ordered key-value engine. Clones share the engine.
pub struct KeyValueStore<K: KeyValue> {
    inner: Arc<Inner<K>>,
}

struct Inner<K> {
    kv: K,
    facts: Facts,
    index: Index,
    sums: Sums,
    seats: Seats,
    locks: Locks,
    unfinished: Unfinished,
    newest: Newest,
    records: Decoded<JobRecord>,
    results: Decoded<JobResult>,
    blocks: Blocks,
}

impl<K: KeyValue> Clone for KeyValueStore<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: KeyValue> fmt::Debug for KeyValueStore<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyValueStore").field(&self.inner.kv).finish()
    }
}

impl<K: KeyValue> KeyValueStore<K> {
    /// Opens the store in an engine; an empty engine gets a new store. A store of an earlier version is brought up
    /// to date once, which reads every job. If the engine is read-only, the store stays as it is, and each
    /// filtered list costs a read of every job.
    ///
    /// # Errors
    /// `Format` when a later version wrote the store, or when a read-only engine has no store. `Corrupt` when it
    /// is damaged. `Invalid` when the engine asks for a packing that blocks do not have.
    pub fn new(kv: K) -> Result<Self, StoreError> {
        let facts = kv.facts();
        facts.packing.check_of_blocks("open the store")?;
        let index = format::check(&kv, !facts.read_only)?;
        if facts.reclaims && !facts.read_only {
            reclaim(&kv)?;
        }
        let inner = Inner {
            kv,
            facts,
            index,
            sums: Sums::default(),
            seats: Seats::default(),
            locks: Locks::default(),
            unfinished: Unfinished::default(),
            newest: Newest::default(),
            records: Decoded::default(),
            results: Decoded::default(),
            blocks: Blocks::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The engine of the store.
    #[must_use]
    pub fn engine(&self) -> &K {
        &self.inner.kv
    }

    /// The engine's present state, for the reads of a call.
    fn latest(&self, call: Call) -> Result<K::View<'_>, StoreError> {
        self.inner.kv.latest().map_err(|error| call.failed(error))
    }

    /// Checks the process before the call takes any lock.
    fn enter(&self, call: Call) -> Result<(), StoreError> {
        self.inner.kv.check_process().map_err(|error| call.failed(error))
    }

    /// Clears the cached record, result and block places of the job. The caller holds its lock.
    fn forget(&self, job: JobId) {
        self.inner.records.forget(job);
        self.inner.results.forget(job);
        self.inner.blocks.forget(job);
    }
}

impl<K: KeyValue> Backup for KeyValueStore<K> {
    fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        let call = Call::of(backup::OPERATION);
        self.enter(call)?;
        if self.inner.facts.read_only {
            return Err(call.failed(StoreError::new(ErrorKind::ReadOnly, "", "it was opened for reading only")));
        }
        backup::check_free(to)?;
        self.inner.kv.back_up(to).map_err(|error| call.failed(error))
    }
}

/// Reclaims again the rows that were dropped before the store was closed or died.
fn reclaim(kv: &impl KeyValue) -> Result<(), StoreError> {
    let call = Call::of("open the store");
    let view = kv.latest().map_err(|error| call.failed(error))?;
    let group = keys::group(keys::DROPPED);
    let notes = Scan { table: Table::Jobs, keys: &group.start..&group.end, order: Order::Ascending, again: false };
    call.scan(&view, &notes, |key, _| {
        if let Some((job, attempt)) = keys::of_dropped(key) {
            kv.reclaim(dropped(job, attempt));
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The rows of the attempts `0..=attempt`.
fn dropped(job: JobId, attempt: u32) -> Dropped {
    Dropped { keys: keys::blocks_until(job, attempt), note: keys::dropped(job, attempt).to_vec() }
}
