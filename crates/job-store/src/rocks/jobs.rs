//! Records in RocksDB, and what is found by them.

use std::collections::{BTreeMap, BTreeSet};

use job_core::{JobId, JobRecord, JobSpec, Timestamp};
use rocksdb::{Direction, IteratorMode, ReadOptions, WriteBatch};

use super::{
    JOBS, ROWS, RocksStore, decode, failure,
    locks::{Held, Locks},
};
use crate::{Durability, ErrorKind, JobStore, Listed, Pin, Seat, StoreError, codec, contract, key_value::keys};

impl JobStore for RocksStore {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.inner.seats.take(engine)
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "insert";
        self.enter(OPERATION)?;
        let _held = self.lock_with_work(records.iter());
        let jobs = self.family(JOBS, OPERATION)?;
        let mut batch = WriteBatch::default();
        let mut ids = BTreeSet::new();
        let mut names = BTreeMap::new();
        let news = self.inner.newest.pass(records, || self.newest_id(OPERATION))?;
        for record in records {
            if let Some(key) = &record.spec.options().idempotency_key {
                let name = keys::idempotency(record.spec.graph_name(), key);
                if let Some(job) = names.get(&name) {
                    return Err(contract::key_taken(*job, key));
                }
                if let Some(job) = self.id_at(&name, OPERATION)?
                    && self.record(job, OPERATION)?.as_ref().is_none_or(contract::holds_key)
                {
                    return Err(contract::key_taken(job, key));
                }
                batch.put_cf(jobs, &name, record.id.as_bytes());
                names.insert(name, record.id);
            }
            let key = keys::key(keys::RECORD, record.id);
            if !news && (!ids.insert(record.id) || self.has(&key, OPERATION, record.id)?) {
                return Err(StoreError::new(ErrorKind::AlreadyExists, OPERATION, "the id is taken").on(record.id));
            }
            batch.put_cf(jobs, key, codec::encode_record(record));
        }
        // After the records: keys that come in order cost the memtable a third of others.
        for record in records.iter().filter(|record| !record.state.is_complete()) {
            batch.put_cf(jobs, keys::key(keys::UNFINISHED, record.id), []);
        }
        self.write(batch, durability, OPERATION, None)?;
        self.inner.locks.remember_new(records);
        Ok(())
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        const OPERATION: &str = "read the record";
        if let Some(record) = self.inner.records.get(id) {
            return Ok(Some(record));
        }
        // Under the lock, or a removal could pass between the read and the note. Who cannot have it just reads.
        let held = self.inner.locks.try_job(id);
        let record = self.record(id, OPERATION)?;
        if let (Some(record), Some(_)) = (&record, held) {
            self.inner.records.note(id, record);
        }
        Ok(record)
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "replace the record";
        self.enter(OPERATION)?;
        let held = self.inner.locks.job(next.id);
        let mut batch = WriteBatch::default();
        let replaced = self.stage_record(&mut batch, next, OPERATION)?;
        self.stage_end(&mut batch, next.id, &replaced, OPERATION)?;
        let dropped =
            next.state.is_complete() && self.stage_drop_rows(&mut batch, next.id, u32::MAX, OPERATION)?;
        self.commit(batch, &[next], durability, OPERATION, &held)?;
        if dropped {
            self.inner.reclaimer.queue(next.id, u32::MAX);
        }
        Ok(())
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        const OPERATION: &str = "list";
        let jobs = self.family(JOBS, OPERATION)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(keys::records(before));
        let mut iterator = self.inner.db.raw_iterator_cf_opt(jobs, options);
        iterator.seek_to_last();
        for _ in 0..skip {
            if !iterator.valid() {
                break;
            }
            iterator.prev();
        }
        let mut entries = Vec::new();
        while entries.len() < limit {
            let Some((key, value)) = iterator.item() else { break };
            let id = keys::id(key).ok_or_else(|| bad_key(key, OPERATION))?;
            entries.push(Listed::of(id, decode(id, value, OPERATION))?);
            iterator.prev();
        }
        iterator.status().map_err(|e| failure(OPERATION, None, &e))?;
        Ok(entries)
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        const OPERATION: &str = "list the unfinished jobs";
        let jobs = self.family(JOBS, OPERATION)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(keys::group(keys::UNFINISHED));
        let mode = IteratorMode::From(&[keys::UNFINISHED], Direction::Forward);
        let mut entries = Vec::new();
        // One state of the store: of jobs that end together all are found, or none.
        let snapshot = self.inner.db.snapshot();
        for entry in snapshot.iterator_cf_opt(jobs, options, mode) {
            let (key, _) = entry.map_err(|e| failure(OPERATION, None, &e))?;
            let id = keys::id(&key).ok_or_else(|| bad_key(&key, OPERATION))?;
            let found = snapshot.get_pinned_cf(jobs, keys::key(keys::RECORD, id));
            let found = found.map_err(|e| failure(OPERATION, Some(id), &e))?;
            let record = found.map(|bytes| decode(id, &bytes, OPERATION));
            entries.extend(record.map(|record| Listed::of(id, record)).transpose()?);
        }
        Ok(entries)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        const OPERATION: &str = "remove the record";
        self.enter(OPERATION)?;
        // What must be locked is in the record, which never changes in that.
        let record = match self.record(id, OPERATION) {
            Err(error) if error.kind == ErrorKind::Corrupt => return self.remove_unreadable(id, OPERATION),
            found => found?,
        };
        let Some(record) = record else { return Ok(false) };
        let held = self.lock_with_work(std::iter::once(&record));
        let Some(record) = self.record(id, OPERATION)? else { return Ok(false) };
        contract::check_removable(&record, self.is_pinned(id)?)?;
        let mut batch = WriteBatch::default();
        self.stage_remove(&mut batch, &record, OPERATION)?;
        let dropped = if record.size.rows > 0 {
            // No look at the rows: it could mean a block from the disk.
            self.stage_tombstone(&mut batch, id, u32::MAX, OPERATION)?;
            true
        } else {
            self.stage_drop_rows(&mut batch, id, u32::MAX, OPERATION)?
        };
        // Before the write: a reader that misses the rows must not be told that their job is still there.
        self.inner.records.forget(id);
        self.inner.results.forget(id);
        self.inner.blocks.forget(id);
        self.write(batch, Durability::Buffered, OPERATION, Some(id))?;
        drop(held);
        if dropped {
            self.inner.reclaimer.queue(id, u32::MAX);
        }
        Ok(true)
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        self.id_at(&keys::idempotency(graph, key), "find the idempotency key")
    }

    fn find_finished(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        const OPERATION: &str = "find a finished job";
        let Some(hash) = contract::work_hash(spec) else { return Ok(None) };
        let Some(id) = self.id_at(&keys::work(hash), OPERATION)? else { return Ok(None) };
        let record = self.record(id, OPERATION)?;
        Ok(record.filter(|record| record.spec.is_same_work(spec)).map(|record| record.id))
    }

    fn touch(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        const OPERATION: &str = "note when results were read";
        self.enter(OPERATION)?;
        let stripes = reads.iter().map(|(id, _)| Locks::stripe(id)).collect();
        let _held = self.inner.locks.all(stripes);
        let jobs = self.family(JOBS, OPERATION)?;
        let mut batch = WriteBatch::default();
        for (id, at) in reads {
            if self.has(&keys::key(keys::RECORD, *id), OPERATION, *id)? {
                batch.put_cf(jobs, keys::key(keys::LAST_READ, *id), at.as_micros().to_be_bytes());
            }
        }
        if batch.is_empty() { Ok(()) } else { self.write(batch, Durability::Buffered, OPERATION, None) }
    }

    fn last_read(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        const OPERATION: &str = "read when the result was read";
        let found = self.inner.db.get_pinned_cf(self.family(JOBS, OPERATION)?, keys::key(keys::LAST_READ, id));
        let Some(bytes) = found.map_err(|e| failure(OPERATION, Some(id), &e))? else { return Ok(None) };
        let micros = <[u8; 8]>::try_from(&*bytes).map_err(|_| {
            StoreError::new(ErrorKind::Corrupt, OPERATION, format!("the time has {} bytes", bytes.len())).on(id)
        })?;
        Ok(Some(Timestamp::from_micros(u64::from_be_bytes(micros))))
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        const OPERATION: &str = "pin";
        self.enter(OPERATION)?;
        let _held = self.inner.locks.job(id);
        if !self.has(&keys::key(keys::RECORD, id), OPERATION, id)? {
            return Err(contract::no_such_job(id, OPERATION));
        }
        let jobs = self.family(JOBS, OPERATION)?;
        let mut batch = WriteBatch::default();
        match pin {
            Pin::Keep => batch.put_cf(jobs, keys::key(keys::PINNED, id), []),
            Pin::Release => batch.delete_cf(jobs, keys::key(keys::PINNED, id)),
        }
        self.write(batch, Durability::Synced, OPERATION, Some(id))
    }

    fn is_pinned(&self, id: JobId) -> Result<bool, StoreError> {
        self.has(&keys::key(keys::PINNED, id), "read the pin", id)
    }
}

impl RocksStore {
    /// The locks of a job and of what finds it.
    fn stripes(record: &JobRecord) -> impl Iterator<Item = usize> {
        let key = record.spec.options().idempotency_key.as_ref();
        let name = key.map(|key| Locks::stripe(keys::idempotency(record.spec.graph_name(), key)));
        let work = contract::work_hash(&record.spec).map(Locks::stripe);
        [Some(Locks::stripe(record.id)), name, work].into_iter().flatten()
    }

    /// The greatest id in the store.
    fn newest_id(&self, operation: &'static str) -> Result<JobId, StoreError> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(keys::group(keys::RECORD));
        let mut iterator = self.inner.db.raw_iterator_cf_opt(self.family(JOBS, operation)?, options);
        iterator.seek_to_last();
        let newest = iterator.key().map(|key| keys::id(key).ok_or_else(|| bad_key(key, operation))).transpose()?;
        iterator.status().map_err(|e| failure(operation, None, &e))?;
        Ok(newest.unwrap_or(JobId::MIN))
    }

    fn id_at(&self, key: &[u8], operation: &'static str) -> Result<Option<JobId>, StoreError> {
        let found = self.inner.db.get_pinned_cf(self.family(JOBS, operation)?, key);
        let Some(bytes) = found.map_err(|e| failure(operation, None, &e))? else { return Ok(None) };
        let id = <[u8; 16]>::try_from(&*bytes).map_err(|_| bad_key(&bytes, operation))?;
        Ok(Some(JobId::from_bytes(id)))
    }

    /// Locks jobs and the entries that their work will have in the index.
    pub(super) fn lock_with_work<'r>(&self, records: impl Iterator<Item = &'r JobRecord>) -> Held<'_> {
        self.inner.locks.all(records.flat_map(Self::stripes).collect())
    }

    /// Compares the revision and stages the record. The caller holds the job's lock until the batch is written.
    pub(super) fn stage_record(
        &self,
        batch: &mut WriteBatch,
        next: &JobRecord,
        operation: &'static str,
    ) -> Result<Replaced, StoreError> {
        let (revision, unfinished, checkpoint) = if let Some(known) = self.inner.locks.known(next.id) {
            (Some(known.revision), true, known.checkpoint)
        } else {
            let found = self.record(next.id, operation)?;
            let unfinished = found.as_ref().is_some_and(|record| !record.state.is_complete());
            (found.map(|record| record.revision), unfinished, true)
        };
        contract::check_revision(revision, next, operation)?;
        let jobs = self.family(JOBS, operation)?;
        batch.put_cf(jobs, keys::key(keys::RECORD, next.id), codec::encode_record(next));
        Ok(Replaced { ends: next.state.is_complete() && unfinished, checkpoint })
    }

    /// Stages what else changes when a job ends.
    pub(super) fn stage_end(
        &self,
        batch: &mut WriteBatch,
        job: JobId,
        replaced: &Replaced,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        if !replaced.ends {
            return Ok(());
        }
        // Put once, deleted once: the two vanish together at the next flush, so that listing the unfinished
        // jobs never wades through the finished.
        batch.single_delete_cf(self.family(JOBS, operation)?, keys::key(keys::UNFINISHED, job));
        if replaced.checkpoint { self.stage_drop_checkpoint(batch, job, operation) } else { Ok(()) }
    }

    /// Writes what [`stage_record`](Self::stage_record) staged, and moves the fences of the jobs' writers.
    pub(super) fn commit(
        &self,
        batch: WriteBatch,
        records: &[&JobRecord],
        durability: Durability,
        operation: &'static str,
        _held: &Held<'_>,
    ) -> Result<(), StoreError> {
        let job = if let [only] = records { Some(only.id) } else { None };
        for next in records {
            self.inner.records.forget(next.id);
        }
        let written = self.write(batch, durability, operation, job);
        for next in records {
            match &written {
                Ok(()) => self.inner.locks.remember(next),
                Err(_) => self.inner.locks.forget(next.id),
            }
        }
        written
    }

    fn stage_remove(
        &self,
        batch: &mut WriteBatch,
        record: &JobRecord,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let jobs = self.family(JOBS, operation)?;
        batch.delete_cf(jobs, keys::key(keys::RECORD, record.id));
        batch.delete_cf(jobs, keys::key(keys::RESULT, record.id));
        if self.last_read(record.id)?.is_some() {
            batch.delete_cf(jobs, keys::key(keys::LAST_READ, record.id));
        }
        if let Some(key) = &record.spec.options().idempotency_key {
            let name = keys::idempotency(record.spec.graph_name(), key);
            // Another may have it, since this one has failed.
            if self.id_at(&name, operation)? == Some(record.id) {
                batch.delete_cf(jobs, name);
            }
        }
        if let Some(work) = contract::work_hash(&record.spec).map(keys::work)
            && self.id_at(&work, operation)? == Some(record.id)
        {
            batch.delete_cf(jobs, work);
        }
        Ok(())
    }

    /// Removes a job that nobody can read. Its record does not say what finds it, so every such entry is looked at.
    fn remove_unreadable(&self, id: JobId, operation: &'static str) -> Result<bool, StoreError> {
        let held = self.inner.locks.everything();
        contract::check_unreadable_removable(id, self.is_pinned(id)?)?;
        let jobs = self.family(JOBS, operation)?;
        let mut batch = WriteBatch::default();
        for group in [keys::RECORD, keys::RESULT, keys::LAST_READ] {
            batch.delete_cf(jobs, keys::key(group, id));
        }
        let unfinished = keys::key(keys::UNFINISHED, id);
        if self.has(&unfinished, operation, id)? {
            batch.single_delete_cf(jobs, unfinished);
        }
        for group in [keys::IDEMPOTENCY, keys::WORK] {
            let mut options = ReadOptions::default();
            options.set_iterate_range(keys::group(group));
            for entry in self.inner.db.iterator_cf_opt(jobs, options, IteratorMode::Start) {
                let (key, value) = entry.map_err(|e| failure(operation, Some(id), &e))?;
                if *value == *id.as_bytes() {
                    batch.delete_cf(jobs, key);
                }
            }
        }
        self.stage_drop_checkpoint(&mut batch, id, operation)?;
        self.stage_tombstone(&mut batch, id, u32::MAX, operation)?;
        self.inner.records.forget(id);
        self.inner.results.forget(id);
        self.inner.blocks.forget(id);
        self.inner.locks.forget(id);
        self.write(batch, Durability::Buffered, operation, Some(id))?;
        drop(held);
        self.inner.reclaimer.queue(id, u32::MAX);
        Ok(true)
    }

    /// Stages a range delete of the rows of `0..=attempt`, unless there are none: a tombstone costs every reader.
    /// Says whether it did; then the job is to be queued for reclaiming once the batch is written.
    pub(super) fn stage_drop_rows(
        &self,
        batch: &mut WriteBatch,
        job: JobId,
        attempt: u32,
        operation: &'static str,
    ) -> Result<bool, StoreError> {
        let rows = self.family(ROWS, operation)?;
        let range = keys::blocks_until(job, attempt);
        let mut options = ReadOptions::default();
        options.set_iterate_range(range.clone());
        // Only whether there is a key: its value need not stay in memory.
        options.fill_cache(false);
        let mut iterator = self.inner.db.raw_iterator_cf_opt(rows, options);
        iterator.seek_to_first();
        let any = iterator.valid();
        iterator.status().map_err(|e| failure(operation, Some(job), &e))?;
        drop(iterator);
        if any {
            self.stage_tombstone(batch, job, attempt, operation)?;
        }
        Ok(any)
    }

    fn stage_tombstone(
        &self,
        batch: &mut WriteBatch,
        job: JobId,
        attempt: u32,
        operation: &'static str,
    ) -> Result<(), StoreError> {
        let range = keys::blocks_until(job, attempt);
        batch.delete_range_cf(self.family(ROWS, operation)?, range.start, range.end);
        batch.put_cf(self.family(JOBS, operation)?, keys::dropped(job, attempt), []);
        Ok(())
    }
}

/// What a record that is staged does to its job.
pub(super) struct Replaced {
    ends: bool,
    /// Whether the job may have a checkpoint.
    checkpoint: bool,
}

fn bad_key(key: &[u8], operation: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, operation, format!("a key or an id has {} bytes", key.len()))
}
