//! Stores over an [`Engine`] that break a promise about their death, about damage or about what a call costs.

use std::{
    ops::{ControlFlow, Range},
    sync::Arc,
};

use job_core::{FailedAttempt, JobFilter, JobId, JobRecord, JobResult, JobSpec, Parameters};
use job_store::{
    Block, BlockBuilder, Durability, EachRows, ErrorKind, JobStore, KeyValueStore, Listed, ResultStore,
    SegmentKey, Store, StoreError, Usage, codec,
    conformance::{Death, Fixture},
    forward,
    key_value::Table,
};

use super::{
    FrailMutant,
    engine::{Commit, Engine, Key, Left, Step, sound},
};
use FrailMutant as M;

pub struct Frail {
    engine: Engine,
    mutant: FrailMutant,
}

impl Frail {
    pub fn new(mutant: FrailMutant) -> Self {
        Self { engine: Engine::new(left(mutant)), mutant }
    }
}

impl Fixture for Frail {
    fn open(&self) -> Arc<dyn Store> {
        let inner = KeyValueStore::new(self.engine.clone()).unwrap();
        Arc::new(FrailStore { inner, mutant: self.mutant, has_died: self.engine.has_died() })
    }

    fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
        self.engine.put(Table::Jobs, &[b"j", job.as_bytes().as_slice()].concat(), record);
        true
    }

    fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
        drop(store);
        self.engine.die(death);
        true
    }

    fn damage(&self, bytes: &[u8]) -> bool {
        let mutant = self.mutant;
        self.engine.damage(bytes, |key, value, at| {
            let mut flipped = value.to_vec();
            flipped[at + bytes.len() / 2] ^= 1;
            sealed_anew(mutant, key, value).unwrap_or(flipped)
        })
    }

    fn looked_at(&self) -> Option<u64> {
        Some(self.engine.looked_at())
    }
}

/// The remaining commits on the disk of a mutant.
fn left(mutant: FrailMutant) -> Left {
    match mutant {
        M::KilledLosesBuffered => |commits, _| sound(commits, Death::Power),
        M::KilledLosesTheLast => |mut commits, death| {
            commits.pop();
            sound(commits, death)
        },
        M::KilledLosesRecords => |commits, death| without(commits, death, |key| is_group(key, b'j')),
        M::KilledLosesResults => |commits, death| without(commits, death, |key| is_group(key, b'r')),
        M::KilledLosesKeys => |commits, death| without(commits, death, |key| is_group(key, b'k')),
        M::KilledLosesWorks => |commits, death| without(commits, death, |key| is_group(key, b'w')),
        M::KilledLosesNotes => |commits, death| without(commits, death, |key| is_group(key, b't')),
        M::KilledLosesPins => |commits, death| without(commits, death, |key| is_group(key, b'p')),
        M::KilledLosesCheckpoints => |commits, death| without(commits, death, |key| key.0 == Table::Checkpoints),
        M::KilledLosesFailures => |commits, death| without(commits, death, |key| is_group(key, b'a')),
        M::KilledLosesRows => |commits, death| without(commits, death, |key| key.0 == Table::Rows),
        M::KilledLosesRemovals => |mut commits, death| {
            for commit in &mut commits {
                commit.steps.retain(|step| matches!(step, Step::Put(..)));
            }
            sound(commits, death)
        },
        M::PowerLosesAll => |commits, death| if death == Death::Power { Vec::new() } else { commits },
        M::PowerLosesTheLastSynced => |mut commits, death| {
            if death == Death::Power {
                commits = sound(commits, death);
                commits.pop();
            }
            commits
        },
        M::PowerLosesWhatWasBuffered => |mut commits, death| {
            if death == Death::Power {
                commits.retain(|commit| commit.synced);
            }
            commits
        },
        M::PowerLosesRows => |commits, death| of_power(commits, death, |key| key.0 == Table::Rows),
        M::PowerLosesResults => |commits, death| of_power(commits, death, |key| is_group(key, b'r')),
        M::PowerLosesPins => |commits, death| of_power(commits, death, |key| is_group(key, b'p')),
        M::PowerLosesCheckpoints => |commits, death| of_power(commits, death, |key| key.0 == Table::Checkpoints),
        M::PowerLosesNotes => |commits, death| of_power(commits, death, |key| is_group(key, b't')),
        // Buffered commits are kept, but each loses a part.
        M::PowerTearsCommits => |mut commits, death| {
            if death == Death::Power {
                for commit in commits.iter_mut().filter(|commit| !commit.synced) {
                    commit.steps.truncate(commit.steps.len().div_ceil(2));
                }
            }
            commits
        },
        M::PowerKeepsRecordsWithoutRows => |commits, death| torn(commits, death, |key| key.0 == Table::Rows),
        M::PowerKeepsRecordsWithoutResults => |commits, death| torn(commits, death, |key| is_group(key, b'r')),
        M::PowerKeepsRecordsWithoutKeys => |commits, death| torn(commits, death, |key| is_group(key, b'k')),
        M::PowerKeepsKeysWithoutRecords => |commits, death| torn(commits, death, |key| is_group(key, b'j')),
        M::PowerKeepsUnfinished => |commits, death| torn(commits, death, |key| is_group(key, b'u')),
        M::PowerKeepsEndsWithRows => |mut commits, death| {
            if death == Death::Power {
                for commit in commits.iter_mut().filter(|commit| !commit.synced) {
                    commit.steps.retain(|step| !matches!(step, Step::DeleteRange(..)));
                }
            }
            commits
        },
        _ => sound,
    }
}

fn is_group(key: &Key, group: u8) -> bool {
    key.0 == Table::Jobs && key.1.first() == Some(&group)
}

/// Drops the changes of some keys at any death.
fn without(mut commits: Vec<Commit>, death: Death, lost: fn(&Key) -> bool) -> Vec<Commit> {
    for commit in &mut commits {
        commit.steps.retain(|step| !matches!(step, Step::Put(key, _) | Step::Delete(key) if lost(key)));
    }
    sound(commits, death)
}

/// Drops the changes of some keys when the power goes.
fn of_power(commits: Vec<Commit>, death: Death, lost: fn(&Key) -> bool) -> Vec<Commit> {
    if death == Death::Power { without(commits, death, lost) } else { commits }
}

/// Keeps all buffered changes when the power goes, except those of some keys.
fn torn(mut commits: Vec<Commit>, death: Death, lost: fn(&Key) -> bool) -> Vec<Commit> {
    if death == Death::Power {
        for commit in commits.iter_mut().filter(|commit| !commit.synced) {
            commit.steps.retain(|step| !matches!(step, Step::Put(key, _) | Step::Delete(key) if lost(key)));
        }
    }
    commits
}

/// The value that a store without checksums reads after damage: another value of valid form.
fn sealed_anew(mutant: FrailMutant, (table, key): &Key, value: &[u8]) -> Option<Vec<u8>> {
    let id = || Some(JobId::from_bytes(key.get(1..17)?.try_into().ok()?));
    match (mutant, table, key.first()) {
        (M::RecordsUnchecked, Table::Jobs, Some(b'j')) => {
            let mut record = codec::decode_record(id()?, value).ok()?;
            let parameters = Parameters::from_text("\"damaged\"".to_owned()).ok()?;
            record.spec = Arc::new(JobSpec::clone(&record.spec).with_raw_parameters(parameters));
            Some(codec::encode_record(&record))
        }
        (M::ResultsUnchecked, Table::Jobs, Some(b'r')) => {
            let mut result = codec::decode_result(id()?, value).ok()?;
            result.outputs = job_core::Outputs::default();
            Some(codec::encode_result(id()?, &result))
        }
        (M::CheckpointsUnchecked, Table::Checkpoints, _) => {
            let id = JobId::from_bytes(key.get(key.len() - 16..)?.try_into().ok()?);
            Some(codec::encode_checkpoint(id, b"damaged"))
        }
        (M::FailuresUnchecked, Table::Jobs, Some(b'a')) => Some(codec::encode_failures(id()?, &[])),
        (M::RowAloneUnchecked | M::RowsTogetherUnchecked, Table::Rows, _) => {
            let (key, end) = SegmentKey::of_block(key)?;
            let mut block = BlockBuilder::new(key);
            // The builder begins at row 0, so the rows before the block are made up, sealed and dropped.
            let rows = Block::parse(value).ok()?.len() as u64;
            if (rows == 1) != (mutant == M::RowAloneUnchecked) {
                return None;
            }
            for _ in 0..end - rows {
                block.push(&0).ok()?;
            }
            block.seal();
            for _ in 0..rows {
                block.push(&"damaged").ok()?;
            }
            Some(block.seal().bytes.to_vec())
        }
        _ => None,
    }
}

#[derive(Debug)]
struct FrailStore {
    inner: KeyValueStore<Engine>,
    mutant: FrailMutant,
    has_died: bool,
}

impl FrailStore {
    fn is(&self, mutant: FrailMutant) -> bool {
        self.mutant == mutant
    }

    fn durability(&self, weak: FrailMutant, asked: Durability) -> Durability {
        if self.is(weak) { Durability::Buffered } else { asked }
    }

    /// Looks at every job.
    fn scan(&self, costly: FrailMutant) {
        if self.is(costly) {
            let _ = self.inner.entries(None, 0, usize::MAX);
        }
    }

    /// Changes an error as the mutant does.
    fn told<T: Default>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        match read {
            Err(error) if error.kind == ErrorKind::Corrupt => match self.mutant {
                M::DamageIsNothing => Ok(T::default()),
                M::DamageIsUnavailable => {
                    Err(StoreError::new(ErrorKind::Unavailable, error.operation, error.detail))
                }
                M::UnreadableNamesNoJob => Err(StoreError::new(error.kind, error.operation, error.detail)),
                _ => Err(error),
            },
            read => read,
        }
    }

    fn listed(&self, mut entries: Vec<Listed>, unfinished: bool) -> Result<Vec<Listed>, StoreError> {
        match self.mutant {
            M::UnreadableIsHidden => entries.retain(|entry| entry.record.is_ok()),
            M::UnreadableIsNotUnfinished if unfinished => entries.retain(|entry| entry.record.is_ok()),
            M::UnreadableHidesOthers => {
                if let Some(error) = entries.iter().find_map(|entry| entry.record.as_ref().err()) {
                    return Err(error.clone());
                }
            }
            M::UnreadableEndsTheList => {
                let end =
                    entries.iter().position(|entry| entry.record.is_err()).map_or(entries.len(), |at| at + 1);
                entries.truncate(end);
            }
            M::UnreadableNamesNoJob => {
                for entry in &mut entries {
                    entry.record = self.told_of(entry.record.clone());
                }
            }
            _ => {}
        }
        Ok(entries)
    }

    fn told_of(&self, record: Result<JobRecord, StoreError>) -> Result<JobRecord, StoreError> {
        self.told(record.map(Some)).and_then(|record| {
            record.ok_or_else(|| StoreError::new(ErrorKind::Corrupt, "read the record", "it is damaged"))
        })
    }
}

#[deny(clippy::missing_trait_methods)]
impl JobStore for FrailStore {
    forward!(self.inner; seat record_reads pin count kept least_used);

    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut entries = self.inner.filtered_entries(filter, before, limit)?;
        if self.is(M::UnreadableIsNotFiltered) {
            entries.retain(|entry| entry.record.is_ok());
        }
        Ok(entries)
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        self.inner.insert(records, self.durability(M::InsertIsBuffered, durability))
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.scan(M::GetLooksAtAll);
        self.told(self.inner.get(id))
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        self.inner.replace(next, self.durability(M::ReplaceIsBuffered, durability))
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        self.scan(M::ListLooksAtAll);
        if self.is(M::ListLooksAtAllThatIsNewer) && before.is_some() {
            let _ = self.inner.entries(None, 0, usize::MAX);
        }
        self.listed(self.inner.entries(before, skip, limit)?, false)
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        self.scan(M::UnfinishedLooksAtAll);
        self.listed(self.inner.unfinished_entries()?, true)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let unreadable = self.inner.get(id).is_err();
        match self.mutant {
            M::UnreadableIsNotRemoved if unreadable => {
                Err(StoreError::new(ErrorKind::Corrupt, "remove the record", "it cannot be read").on(id))
            }
            M::UnreadableRemovedIsFalse if unreadable => self.inner.remove(id).map(|_| false),
            M::UnreadablePinIsIgnored if unreadable => {
                self.inner.pin(id, job_store::Pin::Release)?;
                self.inner.remove(id)
            }
            _ => self.inner.remove(id),
        }
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        self.scan(M::FindKeyLooksAtAll);
        self.inner.find_key(graph, key)
    }

    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        self.scan(M::FindReusableLooksAtAll);
        self.inner.find_reusable(spec)
    }

    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
        self.scan(M::UsageLooksAtAll);
        self.inner.usage(jobs)
    }
}

#[deny(clippy::missing_trait_methods)]
impl ResultStore for FrailStore {
    forward!(self.inner; segment held_rows blocks save_checkpoint save_failures size_on_disk block_bytes);

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        if self.is(M::DiscardForgetsRowsFromBeforeADeath) && self.has_died {
            return Ok(());
        }
        self.inner.discard(job, attempt)
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        self.inner.complete(ends, self.durability(M::CompleteIsBuffered, durability))
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        self.scan(M::ResultLooksAtAll);
        self.told(self.inner.result(id))
    }

    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        if self.is(M::ReadBeginsAtTheFirstRow) {
            self.inner.read(key, 0..rows.start, &mut |_| Ok(ControlFlow::Continue(())))?;
        }
        if self.is(M::ReadLooksAtAllBlocks) {
            self.inner.blocks(key, &mut |_, _| Ok(ControlFlow::Continue(())))?;
        }
        self.told(self.inner.read(key, rows, each))
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        self.scan(M::CheckpointLooksAtAll);
        self.told(self.inner.checkpoint(job))
    }

    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError> {
        self.scan(M::FailuresLookAtAll);
        self.told(self.inner.failures(job))
    }
}
