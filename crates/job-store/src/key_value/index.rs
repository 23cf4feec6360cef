//! The index of finished jobs: entries are written with the end of a job, and go when it is removed.

use std::ops::ControlFlow;

use job_core::{JobId, JobRecord, Timestamp};
use parking_lot::Mutex;

use super::{Batch, KeyValue, KeyValueStore, Order, Scan, Table, View, call::Call, keys, staged::Staged};
use crate::{
    Durability, Kept, LeastUsed, Pin, StoreError,
    contract::{self, Term},
};

/// The number of complete jobs that can be removed, and the bytes of their rows.
#[derive(Default)]
pub(super) struct Sums {
    /// The sums at the last count of all jobs. The first caller counts, while others wait.
    counted: Mutex<Option<Change>>,
    /// The changes since the store was opened. A caller adds to them under the locks of its jobs.
    since: Mutex<Change>,
}

/// The jobs and bytes that were added, less those that were removed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    jobs: i64,
    bytes: i128,
}

impl Change {
    fn plus(self, other: Self) -> Self {
        Self { jobs: self.jobs + other.jobs, bytes: self.bytes + other.bytes }
    }

    fn came(&mut self, bytes: u64) {
        *self = self.plus(Self { jobs: 1, bytes: bytes.into() });
    }

    fn went(&mut self, bytes: u64) {
        *self = self.plus(Self { jobs: -1, bytes: -i128::from(bytes) });
    }
}

impl Sums {
    /// Adds what was written. The caller holds the locks of the jobs.
    pub(super) fn add(&self, change: Change) {
        if change.jobs != 0 || change.bytes != 0 {
            let mut since = self.since.lock();
            *since = since.plus(change);
        }
    }
}

impl<K: KeyValue> KeyValueStore<K> {
    /// Reads the whole order of last use at the first call, and nothing at later ones.
    pub(super) fn sums(&self) -> Result<Kept, StoreError> {
        let call = Call::of("count the finished jobs");
        let sums = &self.inner.sums;
        let mut counted = sums.counted.lock();
        let base = match *counted {
            Some(base) if !self.inner.facts.read_only => base,
            _ => {
                // All locks are held, so that no write comes between the reads of the store and of the changes.
                let held = self.inner.locks.everything();
                let view = self.inner.kv.view().map_err(|error| call.failed(error))?;
                let before = *sums.since.lock();
                drop(held);
                let mut base = Change { jobs: -before.jobs, bytes: -before.bytes };
                for_each_used(call, &view, keys::group(keys::USED), &mut |job| base.came(job.bytes))?;
                *counted = Some(base);
                base
            }
        };
        let now = base.plus(*sums.since.lock());
        Ok(Kept {
            jobs: u64::try_from(now.jobs).unwrap_or_default(),
            bytes: u64::try_from(now.bytes.max(0)).unwrap_or(u64::MAX),
        })
    }

    pub(super) fn least(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        let call = Call::of("list the jobs that were used longest ago");
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        let view = self.inner.kv.view().map_err(|error| call.failed(error))?;
        for class in [false, true].into_iter().skip(usize::from(with_rows)) {
            let range = keys::used_after(class, after);
            let keys = range.start.as_slice()..range.end.as_slice();
            let scan = Scan { table: Table::Jobs, keys, order: Order::Ascending, again: false };
            let mut left = limit;
            call.scan(&view, &scan, |key, value| {
                found.push(place(call, key, value)?);
                left -= 1;
                Ok(if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        found.sort_unstable_by_key(|job| (job.used, job.id));
        found.truncate(limit);
        Ok(found)
    }
}

fn place(call: Call, key: &[u8], value: &[u8]) -> Result<LeastUsed, StoreError> {
    keys::of_used(key, value).ok_or_else(|| call.corrupt("an entry in the order of last use is damaged"))
}

fn for_each_used(
    call: Call,
    view: &impl View,
    keys: std::ops::Range<[u8; 1]>,
    each: &mut dyn FnMut(LeastUsed),
) -> Result<(), StoreError> {
    let keys = keys.start.as_slice()..keys.end.as_slice();
    let scan = Scan { table: Table::Jobs, keys, order: Order::Ascending, again: false };
    call.scan(view, &scan, |key, value| {
        each(place(call, key, value)?);
        Ok(ControlFlow::Continue(()))
    })
}

/// A job that ends.
#[derive(Clone, Copy)]
pub(super) struct Ended<'r> {
    pub(super) record: &'r JobRecord,
    /// Whether the job may be pinned or may have been read.
    pub(super) noted: bool,
}

/// Puts the `at`-th term of each of these jobs. Keys in order cost a memtable a third of keys in another order.
fn put_terms(batch: &mut impl Batch, ended: &[Ended<'_>], at: usize) -> bool {
    let (mut key, mut any) = (Vec::with_capacity(64), false);
    for record in ended.iter().map(|ended| ended.record) {
        let (Some(term), Some(outcome)) = (Term::of(&record.spec).nth(at), contract::outcome(record)) else {
            continue;
        };
        key.clear();
        key.push(keys::TERM);
        term.append_to(&mut key);
        key.push(contract::outcome_number(outcome));
        key.extend_from_slice(record.id.as_bytes());
        batch.put(Table::Jobs, &key, &[]);
        any = true;
    }
    any
}

fn put_used(batch: &mut impl Batch, job: &LeastUsed) {
    batch.put(Table::Jobs, &keys::used(job), &job.bytes.to_be_bytes());
}

impl<K: KeyValue> Staged<'_, K> {
    /// Stages the entries of jobs that end.
    pub(super) fn index(&mut self, ended: &[Ended<'_>]) -> Result<(), StoreError> {
        let mut at = 0;
        while put_terms(&mut self.batch, ended, at) {
            at += 1;
        }
        for &Ended { record, noted } in ended {
            let (read, pinned) = if noted { self.notes(record.id)? } else { (None, false) };
            if let Some(used) = contract::last_used(record, read).filter(|_| !pinned) {
                self.put_used(&LeastUsed { id: record.id, used, bytes: record.size.bytes });
            }
        }
        Ok(())
    }

    /// Stages the deletion of the entries of a removed job, which has no pin.
    pub(super) fn unindex(&mut self, record: &JobRecord) -> Result<(), StoreError> {
        let Some(outcome) = contract::outcome(record).map(contract::outcome_number) else { return Ok(()) };
        for term in Term::of(&record.spec) {
            let key = [keys::term(term, outcome).as_slice(), record.id.as_bytes()].concat();
            self.batch.delete(Table::Jobs, &key);
        }
        let (read, _) = self.notes(record.id)?;
        self.take_used(record, read);
        Ok(())
    }

    /// Stages a new place in the order of last use. `before` and `after` are the times of the last reading.
    fn read_again(&mut self, record: &JobRecord, before: Option<Timestamp>, after: Timestamp) {
        let [from, to] = [before, Some(after)].map(|read| contract::last_used(record, read));
        if from != to
            && let Some(used) = to
        {
            self.take_used(record, before);
            self.put_used(&LeastUsed { id: record.id, used, bytes: record.size.bytes });
        }
    }

    /// Stages the time of a reading; `false` for an unknown job.
    pub(super) fn read_at(&mut self, id: JobId, at: Timestamp) -> Result<bool, StoreError> {
        let call = self.call.about(id);
        let key = keys::key(keys::RECORD, id);
        let Some(bytes) = call.value(&self.view, Table::Jobs, &key)? else { return Ok(false) };
        // An unreadable job keeps its place.
        let record = call.decode(id, bytes.as_ref()).ok();
        drop(bytes);
        if let Some(record) = record {
            let (before, pinned) = self.notes(id)?;
            if !pinned {
                self.read_again(&record, before, at);
            }
            self.store.inner.locks.remember_note(id);
        }
        self.batch.put(Table::Jobs, &keys::key(keys::LAST_READ, id), &at.as_micros().to_be_bytes());
        Ok(true)
    }

    /// Stages the effect of a pin on the order of last use.
    pub(super) fn pin(&mut self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        let (read, pinned) = self.notes(id)?;
        self.store.inner.locks.remember_note(id);
        // An unreadable job keeps its place.
        let Ok(Some(record)) = self.call.record(&self.view, id) else { return Ok(()) };
        match (pin, contract::last_used(&record, read)) {
            (Pin::Keep, Some(_)) if !pinned => self.take_used(&record, read),
            (Pin::Release, Some(used)) if pinned => {
                self.put_used(&LeastUsed { id, used, bytes: record.size.bytes });
            }
            _ => {}
        }
        Ok(())
    }

    fn put_used(&mut self, job: &LeastUsed) {
        put_used(&mut self.batch, job);
        self.change.came(job.bytes);
    }

    fn take_used(&mut self, record: &JobRecord, read: Option<Timestamp>) {
        if let Some(used) = contract::last_used(record, read) {
            let job = LeastUsed { id: record.id, used, bytes: record.size.bytes };
            self.batch.delete(Table::Jobs, &keys::used(&job));
            self.change.went(job.bytes);
        }
    }

    /// When the result of a job was last read, and whether the job is pinned.
    fn notes(&self, id: JobId) -> Result<(Option<Timestamp>, bool), StoreError> {
        notes(self.call.about(id), &self.view, id)
    }

    /// Stages the deletion of every entry of an unreadable job. Its record does not say which it has.
    pub(super) fn unindex_unreadable(&mut self, id: JobId) -> Result<(), StoreError> {
        let Self { call, view, batch, change, .. } = self;
        for group in [keys::TERM, keys::USED].map(keys::group) {
            let keys = group.start.as_slice()..group.end.as_slice();
            let all = Scan { table: Table::Jobs, keys, order: Order::Ascending, again: false };
            call.scan(view, &all, |key, value| {
                if keys::last_id(key) == Some(id) {
                    batch.delete(Table::Jobs, key);
                    if let Some(job) = keys::of_used(key, value) {
                        change.went(job.bytes);
                    }
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(())
    }
}

/// When the result of a job was last read, and whether the job is pinned.
pub(super) fn notes(call: Call, view: &impl View, id: JobId) -> Result<(Option<Timestamp>, bool), StoreError> {
    Ok((call.last_read(view, id)?, call.has(view, &keys::key(keys::PINNED, id))?))
}

/// Makes the index of a store without one. An earlier attempt may have been stopped, so the version of the store
/// is written last.
pub(super) fn build(kv: &impl KeyValue, call: Call) -> Result<(), StoreError> {
    const PIECE: usize = 1_000;
    let view = kv.view().map_err(|error| call.failed(error))?;
    clear(kv, call, &view)?;
    tracing::info!("making the index of the finished jobs, once; nothing is lost if this is ended");
    let mut jobs = Vec::new();
    let group = keys::group(keys::RECORD);
    let all = Scan {
        table: Table::Jobs,
        keys: group.start.as_slice()..group.end.as_slice(),
        order: Order::Ascending,
        again: false,
    };
    call.scan(&view, &all, |key, value| {
        let id = call.id_in(key)?;
        jobs.push((id, call.decode(id, value).ok()));
        if jobs.len() >= PIECE {
            put_all(kv, call, &view, &jobs)?;
            jobs.clear();
        }
        Ok(ControlFlow::Continue(()))
    })?;
    put_all(kv, call, &view, &jobs)
}

/// Deletes the entries of an earlier attempt: a library without the index may have removed jobs since.
fn clear<K: KeyValue>(kv: &K, call: Call, view: &K::View<'_>) -> Result<(), StoreError> {
    let mut any = false;
    let mut batch = kv.batch().map_err(|error| call.failed(error))?;
    for group in [keys::TERM, keys::USED].map(keys::group) {
        let keys = group.start.as_slice()..group.end.as_slice();
        let all = Scan { table: Table::Jobs, keys, order: Order::Ascending, again: false };
        call.scan(view, &all, |key, _| {
            any = true;
            batch.delete(Table::Jobs, key);
            Ok(ControlFlow::Continue(()))
        })?;
    }
    if any { kv.commit(batch, Durability::Buffered).map_err(|error| call.failed(error)) } else { Ok(()) }
}

fn put_all<K: KeyValue>(
    kv: &K,
    call: Call,
    view: &K::View<'_>,
    jobs: &[(JobId, Option<JobRecord>)],
) -> Result<(), StoreError> {
    let mut batch = kv.batch().map_err(|error| call.failed(error))?;
    let records = jobs.iter().filter_map(|(_, record)| record.as_ref());
    let ended: Vec<_> =
        records.filter(|record| record.state.is_complete()).map(|record| Ended { record, noted: true }).collect();
    let mut at = 0;
    while put_terms(&mut batch, &ended, at) {
        at += 1;
    }
    for Ended { record, .. } in ended {
        let (read, pinned) = notes(call, view, record.id)?;
        if let Some(used) = contract::last_used(record, read).filter(|_| !pinned) {
            put_used(&mut batch, &LeastUsed { id: record.id, used, bytes: record.size.bytes });
        }
    }
    for id in jobs.iter().filter(|(_, record)| record.is_none()).map(|(id, _)| *id) {
        // The index has no unfinished jobs.
        if !call.has(view, &keys::key(keys::UNFINISHED, id))? {
            batch.put(Table::Jobs, &[keys::unreadable().as_slice(), id.as_bytes()].concat(), &[]);
        }
    }
    kv.commit(batch, Durability::Buffered).map_err(|error| call.failed(error))
}
