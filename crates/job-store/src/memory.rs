//! [`MemoryStore`]: the reference backend. It is short enough to be read as the contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, Range},
    sync::Arc,
};

use job_core::{FailedAttempt, JobFilter, JobId, JobRecord, JobResult, JobSpec, Segment, Timestamp};
use parking_lot::RwLock;

use crate::{
    BlockBuilder, Durability, EachBlock, EachRows, ErrorKind, JobStore, Kept, LeastUsed, Listed, Pin, ResultStore,
    SealedBlock, Seat, Seats, SegmentKey, SegmentWriter, StoreError, Usage,
    contract::{self, Cut, Tally, Term},
};

/// Keeps jobs and rows in memory until its last clone is dropped. Clones share one content.
///
/// This store is for tests, and for engines whose jobs need not survive the process. The two values of
/// `Durability` make no difference.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    content: Arc<RwLock<Content>>,
    seats: Seats,
}

#[derive(Debug, Default)]
struct Content {
    jobs: BTreeMap<JobId, JobRecord>,
    unfinished: BTreeSet<JobId>,
    /// Term and outcome -> the complete jobs that have both.
    terms: BTreeMap<(Vec<u8>, u8), BTreeSet<JobId>>,
    /// Complete jobs without a pin, those without rows first, then by their last use -> the bytes of their rows.
    used: BTreeMap<(bool, Timestamp, JobId), u64>,
    kept_bytes: u128,
    results: BTreeMap<JobId, JobResult>,
    /// Key of a block -> its bytes, in row order.
    blocks: BTreeMap<[u8; 32], Arc<[u8]>>,
    /// Graph and idempotency key -> the job that has it.
    keys: BTreeMap<(String, String), JobId>,
    /// Hash of the work -> the job that did it last.
    finished: BTreeMap<[u8; 16], JobId>,
    reads: BTreeMap<JobId, Timestamp>,
    pinned: BTreeSet<JobId>,
    checkpoints: BTreeMap<JobId, Vec<u8>>,
    failures: BTreeMap<JobId, Vec<FailedAttempt>>,
}

impl Content {
    fn check_revision(&self, next: &JobRecord, operation: &'static str) -> Result<(), StoreError> {
        let found = self.jobs.get(&next.id).map(|record| record.revision);
        contract::check_revision(found, next, operation)
    }

    fn check_attempt(&self, key: SegmentKey) -> Result<(), StoreError> {
        contract::check_attempt(self.jobs.get(&key.job), key)
    }

    fn put(&mut self, next: &JobRecord) {
        // Between two states of an unfinished job, nothing that leads to it changes.
        let known = self.jobs.get_mut(&next.id).filter(|known| !known.state.is_complete());
        if let Some(known) = known.filter(|_| !next.state.is_complete()) {
            known.clone_from(next);
            return;
        }
        self.forget(next.id);
        if next.state.is_complete() {
            self.checkpoints.remove(&next.id);
        }
        self.jobs.insert(next.id, next.clone());
        self.note(next.id);
    }

    /// Adds the entries that lead to a stored job.
    fn note(&mut self, id: JobId) {
        let Some(record) = self.jobs.get(&id) else { return };
        let Some(outcome) = contract::outcome(record).map(contract::outcome_number) else {
            self.unfinished.insert(id);
            return;
        };
        for term in Term::of(&record.spec) {
            self.terms.entry((term.key(), outcome)).or_default().insert(id);
        }
        if let Some(place) = self.place(id) {
            self.kept_bytes += u128::from(record.size.bytes);
            self.used.insert(place, record.size.bytes);
        }
    }

    /// Removes the entries that [`note`](Self::note) added, before the job changes.
    fn forget(&mut self, id: JobId) {
        self.unfinished.remove(&id);
        if let Some(bytes) = self.place(id).and_then(|place| self.used.remove(&place)) {
            self.kept_bytes -= u128::from(bytes);
        }
        let Some(record) = self.jobs.get(&id) else { return };
        let Some(outcome) = contract::outcome(record).map(contract::outcome_number) else { return };
        for term in Term::of(&record.spec) {
            let key = (term.key(), outcome);
            let jobs = self.terms.entry(key.clone()).or_default();
            jobs.remove(&id);
            if jobs.is_empty() {
                self.terms.remove(&key);
            }
        }
    }

    /// The place of a job in the order of last use; `None` if the job cannot be removed.
    fn place(&self, id: JobId) -> Option<(bool, Timestamp, JobId)> {
        let record = self.jobs.get(&id).filter(|_| !self.pinned.contains(&id))?;
        let used = contract::last_used(record, self.reads.get(&id).copied())?;
        Some((record.size.bytes > 0, used, id))
    }

    /// The complete jobs that a filter takes, newest first, older than `before`, at most `limit`.
    fn finished(&self, filter: &JobFilter, before: Bound<JobId>, limit: usize) -> Vec<JobId> {
        // Every job has a kind.
        let (from, to) = match Term::leading(filter).map(Term::key) {
            Some(term) => (term.clone(), term),
            None => (vec![Term::KIND], vec![Term::KIND, u8::MAX]),
        };
        let outcomes: Vec<u8> = contract::outcomes(filter).collect();
        let terms =
            self.terms.range((from, 0)..=(to, u8::MAX)).filter(|((_, outcome), _)| outcomes.contains(outcome));
        let takes = |id: &&JobId| self.jobs.get(id).is_some_and(|record| filter.takes(record));
        let mut found: Vec<JobId> = terms
            .flat_map(|(_, jobs)| jobs.range((Bound::Unbounded, before)).rev().filter(takes).take(limit))
            .copied()
            .collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        found.truncate(limit);
        found
    }

    fn drop_rows(&mut self, job: JobId, until: u32) {
        let first = SegmentKey { job, attempt: 0, number: 0 }.block_key(0);
        let last = SegmentKey { job, attempt: until, number: u32::MAX }.block_key(u64::MAX);
        let dropped: Vec<_> = self.blocks.range(first..=last).map(|(key, _)| *key).collect();
        for key in dropped {
            self.blocks.remove(&key);
        }
    }
}

fn listed(record: &JobRecord) -> Listed {
    Listed { id: record.id, record: Ok(record.clone()) }
}

impl JobStore for MemoryStore {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.seats.take(engine)
    }

    fn insert(&self, records: &[JobRecord], _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        let mut seen = BTreeSet::new();
        let mut keys = BTreeMap::new();
        for record in records {
            if let Some(key) = &record.spec.options().idempotency_key {
                let name = (record.spec.graph().to_owned(), key.clone());
                let held = |job: &&JobId| content.jobs.get(*job).is_none_or(contract::holds_key);
                if let Some(job) = keys.get(&name).or(content.keys.get(&name).filter(held)) {
                    return Err(contract::key_taken(*job, key));
                }
                keys.insert(name, record.id);
            }
            if content.jobs.contains_key(&record.id) || !seen.insert(record.id) {
                return Err(StoreError::new(ErrorKind::AlreadyExists, "insert", "the id is taken").on(record.id));
            }
        }
        for record in records {
            content.jobs.insert(record.id, record.clone());
            content.note(record.id);
        }
        content.keys.append(&mut keys);
        Ok(())
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        Ok(self.content.read().jobs.get(&id).cloned())
    }

    fn replace(&self, next: &JobRecord, _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        content.check_revision(next, "replace the record")?;
        if next.state.is_complete() && !content.results.contains_key(&next.id) {
            content.drop_rows(next.id, u32::MAX);
        }
        content.put(next);
        Ok(())
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let content = self.content.read();
        let end = before.map_or(Bound::Unbounded, Bound::Excluded);
        let older = content.jobs.range((Bound::Unbounded, end)).rev();
        Ok(older
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .take(limit)
            .map(|(_, record)| listed(record))
            .collect())
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        let content = self.content.read();
        let unfinished = content.unfinished.iter().filter_map(|id| content.jobs.get(id));
        Ok(unfinished.map(listed).collect())
    }

    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        if filter.takes_all() || limit == 0 {
            return self.entries(before, 0, limit);
        }
        let content = self.content.read();
        let before = before.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = content.finished(filter, before, limit);
        // A full page has no room for older jobs.
        let from =
            found.last().filter(|_| found.len() == limit).map_or(Bound::Unbounded, |id| Bound::Excluded(*id));
        let taken = |id: &&JobId| content.jobs.get(id).is_some_and(|record| filter.takes(record));
        found.extend(content.unfinished.range((from, before)).rev().filter(taken).take(limit));
        found.sort_unstable_by(|one, other| other.cmp(one));
        Ok(found.iter().take(limit).filter_map(|id| content.jobs.get(id)).map(listed).collect())
    }

    fn kept(&self) -> Result<Kept, StoreError> {
        let content = self.content.read();
        let bytes = u64::try_from(content.kept_bytes).unwrap_or(u64::MAX);
        Ok(Kept { jobs: content.used.len() as u64, bytes })
    }

    fn least_used(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        let content = self.content.read();
        let first = |class| match after {
            Some(after) => Bound::Excluded((class, after.used, after.id)),
            None => Bound::Included((class, Timestamp::default(), JobId::MIN)),
        };
        let last = |class| Bound::Included((class, Timestamp::from_micros(u64::MAX), JobId::MAX));
        let classes = [false, true].into_iter().skip(usize::from(with_rows));
        let mut found: Vec<LeastUsed> = classes
            .flat_map(|class| content.used.range((first(class), last(class))).take(limit))
            .map(|(&(_, used, id), &bytes)| LeastUsed { id, used, bytes })
            .collect();
        found.sort_unstable_by_key(|job| (job.used, job.id));
        found.truncate(limit);
        Ok(found)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let mut content = self.content.write();
        let Some(record) = content.jobs.get(&id) else { return Ok(false) };
        contract::check_removable(record, content.pinned.contains(&id))?;
        if let Some(key) = record.spec.options().idempotency_key.clone() {
            let name = (record.spec.graph().to_owned(), key);
            if content.keys.get(&name) == Some(&id) {
                content.keys.remove(&name);
            }
        }
        content.finished.retain(|_, job| *job != id);
        content.forget(id);
        content.jobs.remove(&id);
        content.results.remove(&id);
        content.reads.remove(&id);
        content.failures.remove(&id);
        content.drop_rows(id, u32::MAX);
        Ok(true)
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        Ok(self.content.read().keys.get(&(graph.to_owned(), key.to_owned())).copied())
    }

    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        let content = self.content.read();
        let found = contract::work_hash(spec).and_then(|hash| content.finished.get(&hash));
        let record = found.and_then(|id| content.jobs.get(id));
        Ok(record.filter(|record| record.spec.is_same_work(spec)).map(|record| record.id))
    }

    fn record_reads(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        let mut content = self.content.write();
        for &(id, at) in reads {
            if content.jobs.contains_key(&id) {
                content.forget(id);
                content.reads.insert(id, at);
                content.note(id);
            }
        }
        Ok(())
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        let mut content = self.content.write();
        if !content.jobs.contains_key(&id) {
            return Err(contract::no_such_job(id, "pin"));
        }
        content.forget(id);
        match pin {
            Pin::Keep => content.pinned.insert(id),
            Pin::Release => content.pinned.remove(&id),
        };
        content.note(id);
        Ok(())
    }

    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
        let content = self.content.read();
        let usage = |id| Usage { last_read: content.reads.get(id).copied(), pinned: content.pinned.contains(id) };
        Ok(jobs.iter().map(usage).collect())
    }
}

impl ResultStore for MemoryStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.content.read().check_attempt(key)?;
        Ok(Box::new(MemorySegment { content: Arc::clone(&self.content), tally: Tally::new(key) }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], _: Durability) -> Result<(), StoreError> {
        let mut content = self.content.write();
        contract::check_complete(ends)?;
        for (next, _) in ends {
            content.check_revision(next, "store the result")?;
        }
        for (next, result) in ends {
            content.put(next);
            content.results.insert(next.id, (*result).clone());
            if let Some(hash) = contract::work_hash(&next.spec).filter(|_| contract::is_reusable(next)) {
                content.finished.insert(hash, next.id);
            }
        }
        Ok(())
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        Ok(self.content.read().results.get(&id).cloned())
    }

    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        let mut wanted = rows;
        while !wanted.is_empty() {
            // The lock is not held while `each` runs.
            let found = {
                let content = self.content.read();
                let mut after = content.blocks.range(key.block_key(wanted.start + 1)..=key.block_key(u64::MAX));
                after.next().map(|(key, bytes)| (*key, Arc::clone(bytes)))
            };
            let block = found.as_ref().and_then(|(at, bytes)| Some((SegmentKey::of_block(at)?.1, bytes)));
            let run = block.map(|(end, bytes)| contract::cut(key, end, bytes, &wanted)).transpose()?.flatten();
            let Some(Cut { rows: run, next, .. }) = run else { return Err(contract::missing(self, key, &wanted)) };
            if each(run)?.is_break() {
                return Ok(());
            }
            wanted.start = next;
        }
        Ok(())
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let range = key.block_key(0)..=key.block_key(u64::MAX);
        let found: Vec<_> =
            self.content.read().blocks.range(range).map(|(at, bytes)| (*at, Arc::clone(bytes))).collect();
        for (at, bytes) in found {
            let Some((_, end)) = SegmentKey::of_block(&at) else { continue };
            if each(end, &bytes)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        let mut content = self.content.write();
        contract::check_discardable(job, content.results.contains_key(&job))?;
        content.drop_rows(job, attempt);
        Ok(())
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        contract::check_checkpoint(job, bytes)?;
        let mut content = self.content.write();
        content.check_attempt(SegmentKey { job, attempt, number: 0 })?;
        content.checkpoints.insert(job, bytes.to_vec());
        Ok(())
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.content.read().checkpoints.get(&job).cloned())
    }

    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError> {
        contract::check_failures(job, failed)?;
        let mut content = self.content.write();
        content.check_attempt(SegmentKey { job, attempt, number: 0 })?;
        content.failures.insert(job, failed.to_vec());
        Ok(())
    }

    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError> {
        Ok(self.content.read().failures.get(&job).cloned().unwrap_or_default())
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }

    fn block_bytes(&self) -> usize {
        BlockBuilder::BYTES
    }
}

#[derive(Debug)]
struct MemorySegment {
    content: Arc<RwLock<Content>>,
    tally: Tally,
}

impl SegmentWriter for MemorySegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        let mut content = self.content.write();
        content.check_attempt(self.tally.key())?;
        self.tally.check(&block)?;
        content.blocks.insert(block.block_key(), block.bytes.into());
        drop(content);
        self.tally.add(&block);
        Ok(())
    }

    fn visible_rows(&self) -> u64 {
        self.tally.rows()
    }

    fn stored_bytes(&self) -> u64 {
        self.tally.stored_bytes()
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        self.content.read().check_attempt(self.tally.key())?;
        Ok(self.tally.segment())
    }
}
