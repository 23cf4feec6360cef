//! The records of jobs, and the calls that find jobs.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use job_core::{JobFilter, JobId, JobRecord, JobSpec, Timestamp};

use super::{
    Batch, Dropped, KeyValue, KeyValueStore, Order, Scan, Table,
    call::Call,
    dropped,
    format::Index,
    index::{Ended, notes},
    keys,
    locks::Locks,
    search::Search,
};
use crate::{
    Durability, ErrorKind, JobStore, Kept, LeastUsed, Listed, Pin, Seat, StoreError, Usage, codec, contract, store,
};

impl<K: KeyValue> JobStore for KeyValueStore<K> {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.inner.seats.take(engine)
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        let call = Call::of("insert");
        self.enter(call)?;
        let mut staged = self.stage(call, self.lock_with_work(records.iter()))?;
        let mut ids = BTreeSet::new();
        let mut names = BTreeMap::new();
        let news = self.inner.newest.pass(records, || self.newest_id(call))?;
        if !news {
            self.wait_for_space_of(call, records)?;
        }
        for record in records {
            if let Some(key) = &record.spec.options().idempotency_key {
                let name = keys::idempotency(record.spec.graph(), key);
                if let Some(job) = names.get(&name) {
                    return Err(contract::key_taken(*job, key));
                }
                if let Some(job) = call.id_at(&staged.view, &name)?
                    && call.record(&staged.view, job)?.as_ref().is_none_or(contract::holds_key)
                {
                    return Err(contract::key_taken(job, key));
                }
                staged.batch.put(Table::Jobs, &name, record.id.as_bytes());
                names.insert(name, record.id);
            }
            let key = keys::key(keys::RECORD, record.id);
            if !news && (!ids.insert(record.id) || call.about(record.id).has(&staged.view, &key)?) {
                return Err(
                    StoreError::new(ErrorKind::AlreadyExists, call.operation, "the id is taken").on(record.id)
                );
            }
            staged.batch.put(Table::Jobs, &key, &codec::encode_record(record));
        }
        // These keys are put after all records, since keys in order cost a memtable a third of keys in another
        // order.
        for record in records.iter().filter(|record| !record.state.is_complete()) {
            staged.batch.put(Table::Jobs, &keys::key(keys::UNFINISHED, record.id), &[]);
        }
        let ended: Vec<_> = records
            .iter()
            .filter(|record| record.state.is_complete())
            .map(|record| Ended { record, noted: false })
            .collect();
        staged.index(&ended)?;
        self.inner.unfinished.begin(records);
        staged.commit(durability, |written| {
            if written {
                self.inner.locks.remember_new(records);
            } else {
                self.inner.unfinished.forget();
            }
        })
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        if let Some(record) = self.inner.records.get(id) {
            return Ok(Some(record));
        }
        // With the lock, the record may be put into the cache, since no removal comes between the read and the
        // cache. Without the lock, the record is only read.
        let held = self.inner.locks.try_job(id);
        let call = Call::of("read the record");
        let record = call.record(&self.latest(call)?, id)?;
        if let (Some(record), Some(_)) = (&record, held) {
            self.inner.records.note(id, record);
        }
        Ok(record)
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        let call = Call::on("replace the record", next.id);
        self.enter(call)?;
        let mut staged = self.stage(call, self.inner.locks.job(next.id))?;
        let replaced = staged.record(next)?;
        staged.end(next.id, &replaced)?;
        staged.index_ends(std::iter::once((next, &replaced)))?;
        if next.state.is_complete() {
            staged.drop_rows(next.id, u32::MAX)?;
        }
        staged.commit_records(&[next], durability)
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let call = Call::of("list");
        let (mut skip, mut entries) = (skip, Vec::new());
        if limit == 0 {
            return Ok(entries);
        }
        let range = keys::records(before);
        let keys = range.start.as_slice()..range.end.as_slice();
        let newest_first = Scan { table: Table::Jobs, keys, order: Order::Descending, again: true };
        call.scan(&self.latest(call)?, &newest_first, |key, value| {
            if skip > 0 {
                skip -= 1;
                return Ok(ControlFlow::Continue(()));
            }
            let id = call.id_in(key)?;
            entries.push(Listed::of(id, call.decode(id, value))?);
            Ok(if entries.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(entries)
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        let call = Call::of("list the unfinished jobs");
        let group = keys::group(keys::UNFINISHED);
        let oldest_first =
            Scan { table: Table::Jobs, keys: &group.start..&group.end, order: Order::Ascending, again: true };
        // One view of the store shows all or none of the jobs that end together.
        let view = self.inner.kv.view().map_err(|error| call.failed(error))?;
        let mut entries = Vec::new();
        call.scan(&view, &oldest_first, |key, _| {
            let id = call.id_in(key)?;
            let found = call.about(id).value(&view, Table::Jobs, &keys::key(keys::RECORD, id))?;
            let record = found.map(|bytes| call.decode(id, bytes.as_ref()));
            entries.extend(record.map(|record| Listed::of(id, record)).transpose()?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(entries)
    }

    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        match self.inner.index {
            _ if filter.takes_all() => self.entries(before, 0, limit),
            Index::Made => Search { filter, before, limit }.run(self),
            Index::Missing => store::filtered(self, filter, before, limit),
        }
    }

    fn kept(&self) -> Result<Kept, StoreError> {
        match self.inner.index {
            Index::Made => self.sums(),
            Index::Missing => store::kept(self),
        }
    }

    fn least_used(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        match self.inner.index {
            Index::Made => self.least(with_rows, after, limit),
            Index::Missing => store::least_used(self, with_rows, after, limit),
        }
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let call = Call::on("remove the record", id);
        self.enter(call)?;
        // The record decides which keys to lock, and that part of the record never changes.
        let record = match call.record(&self.latest(call)?, id) {
            Err(error) if error.kind == ErrorKind::Corrupt => return self.remove_unreadable(id, call),
            found => found?,
        };
        let Some(record) = record else { return Ok(false) };
        let mut staged = self.stage(call, self.lock_with_work(std::iter::once(&record)))?;
        let Some(record) = call.record(&staged.view, id)? else { return Ok(false) };
        contract::check_removable(&record, call.has(&staged.view, &keys::key(keys::PINNED, id))?)?;
        staged.remove(&record)?;
        // The cache is cleared before the write. A reader that misses the rows must not find the record of the
        // job.
        self.forget(id);
        staged.commit(Durability::Buffered, |_| ())?;
        Ok(true)
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        let call = Call::of("find the idempotency key");
        call.id_at(&self.latest(call)?, &keys::idempotency(graph, key))
    }

    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        let call = Call::of("find a finished job");
        let Some(hash) = contract::work_hash(spec) else { return Ok(None) };
        let view = self.latest(call)?;
        let Some(id) = call.id_at(&view, &keys::work(hash))? else { return Ok(None) };
        let record = call.record(&view, id)?;
        Ok(record.filter(|record| record.spec.is_same_work(spec)).map(|record| record.id))
    }

    fn record_reads(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        let call = Call::of("note when results were read");
        self.enter(call)?;
        let reads: BTreeMap<JobId, Timestamp> = reads.iter().copied().collect();
        let stripes = reads.keys().map(Locks::stripe).collect();
        let mut staged = self.stage(call, self.inner.locks.all(stripes))?;
        let mut any = false;
        for (id, at) in reads {
            any |= staged.read_at(id, at)?;
        }
        if any { staged.commit(Durability::Buffered, |_| ()) } else { Ok(()) }
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        let call = Call::on("pin", id);
        self.enter(call)?;
        let mut staged = self.stage(call, self.inner.locks.job(id))?;
        if !call.has(&staged.view, &keys::key(keys::RECORD, id))? {
            return Err(contract::no_such_job(id, call.operation));
        }
        let key = keys::key(keys::PINNED, id);
        staged.pin(id, pin)?;
        match pin {
            Pin::Keep => staged.batch.put(Table::Jobs, &key, &[]),
            Pin::Release => staged.batch.delete(Table::Jobs, &key),
        }
        staged.commit(Durability::Synced, |_| ())
    }

    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
        let call = Call::of("read what keeps jobs");
        let view = self.latest(call)?;
        let usage = |id: &JobId| {
            let (last_read, pinned) = notes(call.about(*id), &view, *id)?;
            Ok(Usage { last_read, pinned })
        };
        jobs.iter().map(usage).collect()
    }
}

impl<K: KeyValue> KeyValueStore<K> {
    /// The greatest id in the store, also of the jobs whose removed rows are still to be deleted.
    fn newest_id(&self, call: Call) -> Result<JobId, StoreError> {
        let view = self.latest(call)?;
        let mut newest = JobId::MIN;
        for group in [keys::RECORD, keys::DROPPED].map(keys::group) {
            let keys = group.start.as_slice()..group.end.as_slice();
            let newest_first = Scan { table: Table::Jobs, keys, order: Order::Descending, again: true };
            call.scan(&view, &newest_first, |key, _| {
                newest = newest.max(call.id_in(key)?);
                Ok(ControlFlow::Break(()))
            })?;
        }
        Ok(newest)
    }

    /// Waits until the rows of removed jobs that had these ids are deleted: their files are deleted with all that is in them.
    /// The caller holds the locks of the jobs.
    fn wait_for_space_of(&self, call: Call, records: &[JobRecord]) -> Result<(), StoreError> {
        if !self.inner.facts.reclaims {
            return Ok(());
        }
        for record in records {
            let pending = self.dropped_of(call, record.id)?;
            if pending.is_empty() {
                continue;
            }
            // Once more: the first time may have failed.
            for rows in pending {
                self.inner.kv.reclaim(rows);
            }
            self.inner.kv.wait_for_reclaim();
            if !self.dropped_of(call, record.id)?.is_empty() {
                let detail = "the rows of a removed job of this id are still to be deleted: try again later";
                return Err(call.about(record.id).failed(StoreError::new(ErrorKind::Unavailable, "", detail)));
            }
        }
        Ok(())
    }

    /// The rows of this job that were dropped and are still to be deleted.
    fn dropped_of(&self, call: Call, id: JobId) -> Result<Vec<Dropped>, StoreError> {
        let (first, last) = (keys::dropped(id, 0), keys::dropped(id, u32::MAX));
        let end = [last.as_slice(), &[0]].concat();
        let notes = Scan {
            table: Table::Jobs,
            keys: first.as_slice()..end.as_slice(),
            order: Order::Ascending,
            again: true,
        };
        let mut found = Vec::new();
        call.scan(&self.latest(call)?, &notes, |key, _| {
            found.extend(keys::of_dropped(key).map(|(job, attempt)| dropped(job, attempt)));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn remove_unreadable(&self, id: JobId, call: Call) -> Result<bool, StoreError> {
        let mut staged = self.stage(call, self.inner.locks.everything())?;
        contract::check_unreadable_removable(id, call.has(&staged.view, &keys::key(keys::PINNED, id))?)?;
        staged.remove_unreadable(id)?;
        self.forget(id);
        self.inner.locks.forget(id);
        staged.commit(Durability::Buffered, |_| ())?;
        Ok(true)
    }
}
