//! [`Staged`]: the changes of one call, which are read, compared and written under locks.

use std::ops::ControlFlow;

use job_core::{JobId, JobRecord};

use super::{
    Batch, Dropped, KeyValue, KeyValueStore, Order, Scan, Table,
    call::Call,
    dropped,
    index::{Change, Ended},
    keys,
    locks::{Beside, Held, Locks},
};
use crate::{Durability, StoreError, codec, contract};

/// The changes of one call, which holds the locks of the jobs and of the entries that lead to them.
pub(super) struct Staged<'k, K: KeyValue> {
    pub(super) store: &'k KeyValueStore<K>,
    pub(super) call: Call,
    pub(super) view: K::View<'k>,
    pub(super) batch: K::Batch<'k>,
    dropped: Vec<Dropped>,
    ended: Vec<JobId>,
    pub(super) change: Change,
    held: Held<'k>,
}

/// The effect of a staged record on its job.
pub(super) struct Replaced {
    pub(super) ends: bool,
    beside: Beside,
}

impl<K: KeyValue> KeyValueStore<K> {
    /// Begins a change under these locks.
    pub(super) fn stage<'k>(&'k self, call: Call, held: Held<'k>) -> Result<Staged<'k, K>, StoreError> {
        let (view, batch) = (self.latest(call)?, self.batch(call)?);
        let (dropped, ended) = (Vec::new(), Vec::new());
        Ok(Staged { store: self, call, view, batch, dropped, ended, change: Change::default(), held })
    }

    /// Locks jobs and the index entries of their work.
    pub(super) fn lock_with_work<'r>(&self, records: impl Iterator<Item = &'r JobRecord>) -> Held<'_> {
        self.inner.locks.all(records.flat_map(stripes).collect())
    }

    pub(super) fn batch(&self, call: Call) -> Result<K::Batch<'_>, StoreError> {
        self.inner.kv.batch().map_err(|error| call.failed(error))
    }

    pub(super) fn write(&self, batch: K::Batch<'_>, durability: Durability, call: Call) -> Result<(), StoreError> {
        self.inner.kv.commit(batch, durability).map_err(|error| call.failed(error))
    }
}

/// The locks of a job and of the entries that lead to it.
fn stripes(record: &JobRecord) -> impl Iterator<Item = usize> {
    let key = record.spec.options().idempotency_key.as_ref();
    let name = key.map(|key| Locks::stripe(keys::idempotency(record.spec.graph(), key)));
    let work = contract::work_hash(&record.spec).map(Locks::stripe);
    [Some(Locks::stripe(record.id)), name, work].into_iter().flatten()
}

impl<K: KeyValue> Staged<'_, K> {
    /// Writes all changes. Before it releases the locks, calls `settle` with whether the write succeeded.
    pub(super) fn commit(self, durability: Durability, settle: impl FnOnce(bool)) -> Result<(), StoreError> {
        let Self { store, call, view, batch, dropped, ended, change, held } = self;
        drop(view);
        let written = store.write(batch, durability, call);
        settle(written.is_ok());
        if written.is_ok() {
            store.inner.sums.add(change);
            store.inner.unfinished.end(&ended);
        }
        drop(held);
        written?;
        for rows in dropped {
            store.inner.kv.reclaim(rows);
        }
        Ok(())
    }

    /// Writes what [`record`](Self::record) staged, and moves the fences of the jobs' writers.
    pub(super) fn commit_records(self, records: &[&JobRecord], durability: Durability) -> Result<(), StoreError> {
        let inner = &self.store.inner;
        for next in records {
            inner.records.forget(next.id);
        }
        self.commit(durability, |written| {
            for next in records {
                if written { inner.locks.remember(next) } else { inner.locks.forget(next.id) }
            }
        })
    }

    /// Compares the revision and stages the record.
    pub(super) fn record(&mut self, next: &JobRecord) -> Result<Replaced, StoreError> {
        let (revision, unfinished, beside) =
            if let Some((revision, beside)) = self.store.inner.locks.known(next.id) {
                (Some(revision), true, beside)
            } else {
                let found = self.call.record(&self.view, next.id)?;
                let unfinished = found.as_ref().is_some_and(|record| !record.state.is_complete());
                (found.map(|record| record.revision), unfinished, Beside::ANYTHING)
            };
        contract::check_revision(revision, next, self.call.operation)?;
        self.batch.put(Table::Jobs, &keys::key(keys::RECORD, next.id), &codec::encode_record(next));
        Ok(Replaced { ends: next.state.is_complete() && unfinished, beside })
    }

    /// Stages the other changes of a job's end.
    pub(super) fn end(&mut self, job: JobId, replaced: &Replaced) -> Result<(), StoreError> {
        if !replaced.ends {
            return Ok(());
        }
        // The key was put once. In a tree of sorted runs it vanishes together with this deletion at the next
        // flush. So a list of the unfinished jobs never reads past the finished ones.
        self.batch.delete_once(Table::Jobs, &keys::key(keys::UNFINISHED, job));
        self.ended.push(job);
        if replaced.beside.checkpoint { self.drop_checkpoint(job) } else { Ok(()) }
    }

    /// Stages the index entries of the jobs that end.
    pub(super) fn index_ends<'r>(
        &mut self,
        replaced: impl Iterator<Item = (&'r JobRecord, &'r Replaced)>,
    ) -> Result<(), StoreError> {
        let ends = replaced.filter(|(_, replaced)| replaced.ends);
        let ended: Vec<_> = ends.map(|(record, replaced)| Ended { record, noted: replaced.beside.note }).collect();
        self.index(&ended)
    }

    /// Stages the deletion of a job's checkpoint, if it has one: a deletion costs more than the look-up.
    fn drop_checkpoint(&mut self, job: JobId) -> Result<(), StoreError> {
        if self.call.about(job).value(&self.view, Table::Checkpoints, job.as_bytes())?.is_some() {
            self.batch.delete(Table::Checkpoints, job.as_bytes());
        }
        Ok(())
    }

    /// Stages a removal: the record, and the entries that find it and keep it.
    pub(super) fn remove(&mut self, record: &JobRecord) -> Result<(), StoreError> {
        for group in [keys::RECORD, keys::RESULT] {
            self.batch.delete(Table::Jobs, &keys::key(group, record.id));
        }
        for group in [keys::LAST_READ, keys::FAILURES] {
            let beside = keys::key(group, record.id);
            if self.call.has(&self.view, &beside)? {
                self.batch.delete(Table::Jobs, &beside);
            }
        }
        self.unindex(record)?;
        if let Some(key) = &record.spec.options().idempotency_key {
            // Another job may have the key, since this one has failed.
            self.delete_if_of(&keys::idempotency(record.spec.graph(), key), record.id)?;
        }
        if let Some(work) = contract::work_hash(&record.spec) {
            self.delete_if_of(&keys::work(work), record.id)?;
        }
        if record.size.rows > 0 {
            // The rows are not looked up, since that could read a block from the disk.
            self.delete_rows(record.id, u32::MAX);
            return Ok(());
        }
        self.drop_rows(record.id, u32::MAX).map(drop)
    }

    fn delete_if_of(&mut self, key: &[u8], job: JobId) -> Result<(), StoreError> {
        if self.call.id_at(&self.view, key)? == Some(job) {
            self.batch.delete(Table::Jobs, key);
        }
        Ok(())
    }

    /// Stages the removal of an unreadable job. Its record does not say which entries lead to it, so every such
    /// entry is read.
    pub(super) fn remove_unreadable(&mut self, id: JobId) -> Result<(), StoreError> {
        self.unindex_unreadable(id)?;
        self.ended.push(id);
        let Self { call, view, batch, .. } = self;
        for group in [keys::RECORD, keys::RESULT, keys::LAST_READ, keys::FAILURES] {
            batch.delete(Table::Jobs, &keys::key(group, id));
        }
        let unfinished = keys::key(keys::UNFINISHED, id);
        if call.has(view, &unfinished)? {
            batch.delete_once(Table::Jobs, &unfinished);
        }
        for group in [keys::IDEMPOTENCY, keys::WORK].map(keys::group) {
            let names =
                Scan { table: Table::Jobs, keys: &group.start..&group.end, order: Order::Ascending, again: false };
            call.scan(view, &names, |key, value| {
                if value == id.as_bytes() {
                    batch.delete(Table::Jobs, key);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        self.drop_checkpoint(id)?;
        self.delete_rows(id, u32::MAX);
        Ok(())
    }

    /// Stages the deletion of the rows of the attempts `0..=attempt`. Returns whether there are such rows. Without
    /// rows nothing is deleted, since a deleted range costs every reader.
    pub(super) fn drop_rows(&mut self, job: JobId, attempt: u32) -> Result<bool, StoreError> {
        let range = keys::blocks_until(job, attempt);
        // The scan only asks whether there is a key, so its value need not stay in memory.
        let keys = range.start.as_slice()..range.end.as_slice();
        let rows = Scan { table: Table::Rows, keys, order: Order::Ascending, again: false };
        let mut any = false;
        self.call.about(job).scan(&self.view, &rows, |_, _| {
            any = true;
            Ok(ControlFlow::Break(()))
        })?;
        if any {
            self.delete_rows(job, attempt);
        }
        Ok(any)
    }

    fn delete_rows(&mut self, job: JobId, attempt: u32) {
        let rows = dropped(job, attempt);
        self.batch.delete_range(Table::Rows, &rows.keys.start..&rows.keys.end);
        if self.store.inner.facts.reclaims {
            self.batch.put(Table::Jobs, &rows.note, &[]);
            self.dropped.push(rows);
        }
    }
}
