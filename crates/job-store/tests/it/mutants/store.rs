//! A store over [`MemoryStore`] that breaks one promise.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{ControlFlow, Range},
    sync::Arc,
    thread,
    time::Duration,
};

use job_core::{
    FailedAttempt, Failure, FailureKind, JobClass, JobFilter, JobId, JobKind, JobOptions, JobRecord, JobResult,
    JobSpec, JobState, Outcome, Outputs, Parameters, ResultSize, RowList, Segment, Timestamp,
};
use job_store::{
    Block, BlockBuilder, BlockRows, Durability, EachBlock, EachRows, ErrorKind, JobStore, Kept, LeastUsed, Listed,
    MemoryStore, Pin, ResultStore, SealedBlock, Seat, SegmentKey, SegmentWriter, Store, StoreError, Usage,
    conformance::Fixture, forward,
};

use super::Mutant;
use Mutant as M;

#[derive(Debug, Clone)]
pub struct Wrong {
    pub(super) inner: MemoryStore,
    pub(super) mutant: Mutant,
    pub(super) notes: Arc<parking_lot::Mutex<Notes>>,
}

/// Blocks, each with the row after its last.
type KeptBlocks = Vec<(u64, Vec<u8>)>;

/// The memory of a mutant beside the store.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Jobs that a mutant hides for the moment.
    hidden: BTreeSet<JobId>,
    /// All inserted records, in the order of the inserts.
    inserted: Vec<JobRecord>,
    /// Jobs that ended with a result, in the order of their ends.
    finished: Vec<JobId>,
    results: BTreeMap<JobId, JobResult>,
    pub(super) removed: BTreeMap<JobId, JobRecord>,
    blocks: BTreeMap<(JobId, u32, u32), KeptBlocks>,
    /// Rows that were held last.
    held: Option<BlockRows>,
    reads: BTreeMap<JobId, Timestamp>,
    checkpoints: BTreeMap<JobId, Vec<u8>>,
    failures: BTreeMap<JobId, Vec<FailedAttempt>>,
    /// Jobs whose failed attempts are not found any more.
    without_failures: BTreeSet<JobId>,
    pins: BTreeSet<JobId>,
    /// Jobs that filtered lists do not show.
    pub(super) unlisted: BTreeSet<JobId>,
    /// Jobs whose readings were noted before their end.
    pub(super) noted_early: BTreeSet<JobId>,
    /// Records of jobs that ended without a result.
    ended: Vec<JobRecord>,
    /// The discards so far.
    discarded: BTreeSet<(JobId, u32)>,
    /// Work that is not found any more.
    lost_work: BTreeSet<JobId>,
    /// The thread that appended first to a job.
    threads: BTreeMap<JobId, thread::ThreadId>,
    /// Segments that are being written.
    open: BTreeMap<JobId, Vec<u32>>,
    /// How often the store was opened.
    pub(super) opened: u32,
    /// The most kept jobs that the store has returned.
    pub(super) most_kept: u64,
}

pub struct WrongFixture(pub Wrong);

impl Fixture for WrongFixture {
    fn open(&self) -> Arc<dyn Store> {
        let mut notes = self.0.notes.lock();
        notes.opened += 1;
        if self.0.is(M::ForgetsWhenClosed) && notes.opened > 1 {
            return Arc::new(Wrong { inner: MemoryStore::default(), ..self.0.clone() });
        }
        drop(notes);
        Arc::new(self.0.clone())
    }

    fn patience(&self) -> Duration {
        // A store without a fault must not fail a law on a busy machine.
        if self.0.is(M::Right) { Duration::from_mins(1) } else { Duration::from_secs(2) }
    }
}

impl Wrong {
    pub fn new(mutant: Mutant) -> Self {
        Self { inner: MemoryStore::default(), mutant, notes: Arc::default() }
    }

    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == mutant
    }

    /// The record as the mutant returns it.
    fn shown(&self, mut record: JobRecord) -> JobRecord {
        let options = |record: &mut JobRecord, change: &dyn Fn(&mut JobOptions)| {
            let mut options = record.spec.options().clone();
            change(&mut options);
            record.spec = Arc::new(JobSpec::clone(&record.spec).with_options(options));
        };
        let spec = |record: &mut JobRecord, change: &dyn Fn(JobSpec) -> JobSpec| {
            record.spec = Arc::new(change(JobSpec::clone(&record.spec)));
        };
        match self.mutant {
            M::PriorityLost => options(&mut record, &|o| o.priority = 0),
            M::PriorityUnsigned => options(&mut record, &|o| o.priority = o.priority.max(0)),
            M::ClassLost => options(&mut record, &|o| o.class = JobClass::Read),
            M::KeyOfRecordLost => options(&mut record, &|o| o.idempotency_key = None),
            M::OwnerLost => options(&mut record, &|o| o.owner = None),
            M::OwnerTrimmed => {
                options(&mut record, &|o| o.owner = o.owner.as_ref().map(|owner| owner.trim().to_owned()));
            }
            M::LabelsLost => options(&mut record, &|o| o.labels.clear()),
            M::LabelsFolded => {
                options(&mut record, &|o| o.labels = o.labels.iter().map(|label| label.to_lowercase()).collect());
            }
            M::LabelsCapped => {
                options(&mut record, &|o| {
                    o.labels = o.labels.iter().take(JobSpec::MAX_LABELS - 1).cloned().collect();
                });
            }
            M::TraceParentLost => options(&mut record, &|o| o.trace_parent = None),
            M::RawRequestLost => options(&mut record, &|o| o.raw_request = None),
            M::IgnoredLost => options(&mut record, &|o| o.ignored.clear()),
            M::AgainOfLost => options(&mut record, &|o| o.again_of = None),
            M::LaterLost => record.later = job_core::LaterFields::default(),
            M::VersionLost => options(&mut record, &|o| o.graph_version = None),
            M::ReuseLost => options(&mut record, &|o| o.reuse = false),
            M::DeadlineLost => options(&mut record, &|o| o.deadline = None),
            M::DeadlineSigned => {
                options(&mut record, &|o| o.deadline = o.deadline.filter(|at| at.as_micros() < 1 << 63));
            }
            M::RowBudgetLost => options(&mut record, &|o| o.budget.rows = None),
            M::ByteBudgetLost => options(&mut record, &|o| o.budget.bytes = None),
            M::MemoryBudgetLost => options(&mut record, &|o| o.budget.memory = None),
            M::KeepRowsLost => options(&mut record, &|o| o.keep_rows = false),
            M::AttemptsLost => options(&mut record, &|o| o.max_attempts = JobOptions::MAX_ATTEMPTS),
            M::AttemptsCapped => options(&mut record, &|o| o.max_attempts = o.max_attempts.min(255)),
            M::ParametersLost => spec(&mut record, &|s| s.with_raw_parameters(Parameters::default())),
            M::ParametersSpelledAnew => spec(&mut record, &|s| {
                let value: serde_json::Value = serde_json::from_str(s.parameters().as_str()).unwrap();
                s.with_parameters(&value).unwrap()
            }),
            M::GraphFolded => spec(&mut record, &|s| {
                let graph = s.graph().to_lowercase();
                s.with_graph(graph)
            }),
            M::MessageCut => {
                if let Some(failure) = &mut record.failure {
                    let end = failure.message.floor_char_boundary(1_000);
                    failure.message.truncate(end);
                }
            }
            M::MessageTrimmed => {
                if let Some(failure) = &mut record.failure {
                    failure.message = failure.message.trim().to_owned();
                }
            }
            M::FailureLost => record.failure = None,
            M::FailureKindLost => {
                record.failure = record.failure.map(|f| Failure { kind: FailureKind::Handler, ..f });
            }
            M::FailedAttemptsLost => record.failed_attempts = 0,
            M::AttemptCapped => record.attempt = record.attempt.min(65_535),
            M::SubmittedInMillis => {
                record.submitted_at = Timestamp::from_micros(record.submitted_at.as_micros() / 1_000 * 1_000);
            }
            M::StartedLost => record.started_at = None,
            M::CancelTimeLost => record.cancel_requested_at = None,
            M::FinishedLost => record.finished_at = None,
            M::PauseLost => record.not_before = None,
            M::SizeLost => record.size = ResultSize::default(),
            M::SizeCapped => record.size.rows = record.size.rows.min(u64::from(u32::MAX)),
            M::ByteSizeLost => record.size.bytes = 0,
            M::ProgressLost => record.progress = None,
            M::ProgressZeroIsNone => record.progress = record.progress.filter(|p| *p > 0),
            M::CancellingLost => {
                if let JobState::Running { cancelling } = &mut record.state {
                    *cancelling = false;
                }
            }
            M::CancelOfLaterAttemptsLost if record.attempt == 2 => record.cancel_requested_at = None,
            M::AlgorithmOfAFilterIsTheFilter
                if record.spec.kind() == &JobKind::Algorithm("vertex_filter".to_owned()) =>
            {
                record.spec = Arc::new(JobSpec::vertex_filter().with_graph(record.spec.graph()));
            }
            M::RevisionCapped => record.revision = record.revision.min(u64::from(u32::MAX)),
            _ => {}
        }
        record
    }

    fn listed(&self, mut entries: Vec<Listed>) -> Vec<Listed> {
        for entry in &mut entries {
            if let Ok(record) = &entry.record {
                entry.record = Ok(self.shown(record.clone()));
                if let (M::ListedWithoutParameters, Ok(record)) = (self.mutant, &mut entry.record) {
                    record.spec =
                        Arc::new(JobSpec::clone(&record.spec).with_raw_parameters(Parameters::default()));
                }
            }
        }
        entries
    }

    fn holder(&self, record: &JobRecord) -> Option<JobId> {
        let key = record.spec.options().idempotency_key.clone()?;
        let graph = record.spec.graph();
        let notes = self.notes.lock();
        let same = |other: &JobRecord| -> bool {
            let Some(theirs) = &other.spec.options().idempotency_key else { return false };
            let on = other.spec.graph();
            match self.mutant {
                M::KeysFolded => on == graph && theirs.to_lowercase() == key.to_lowercase(),
                M::KeysTrimmed => on == graph && theirs.trim() == key.trim(),
                M::KeysOfAllGraphs => *theirs == key,
                M::GraphsFolded => on.to_lowercase() == graph.to_lowercase() && *theirs == key,
                M::KeysJoinedWithGraph => format!("{on}{theirs}") == format!("{graph}{key}"),
                M::KeysCut => on == graph && theirs.get(..3).is_some() && theirs.get(..3) == key.get(..3),
                M::KeyNeverFree => on == graph && *theirs == key,
                _ => false,
            }
        };
        let found = notes.inserted.iter().rev().find(|other| same(other))?;
        match self.inner.get(found.id).ok()?? {
            stored if self.mutant == M::KeyNeverFree => Some(stored.id),
            stored if stored.state.holds_key() => Some(stored.id),
            _ => None,
        }
    }

    /// Adds jobs in the wrong way of a mutant about ids or keys.
    fn insert_keyed(&self, records: &[JobRecord], durability: Durability) -> Option<Result<(), StoreError>> {
        match self.mutant {
            M::IdOfAStartedJobIsFree
                if records.iter().any(|record| {
                    self.inner.get(record.id).is_ok_and(|found| found.is_some_and(|found| found.revision > 0))
                }) =>
            {
                return Some(Ok(()));
            }
            M::RemovedKeepsItsKey => {
                let key = |record: &JobRecord| {
                    let spec = &record.spec;
                    spec.options().idempotency_key.clone().map(|key| (spec.graph().to_owned(), key))
                };
                let removed: Vec<_> = self.notes.lock().removed.values().filter_map(key).collect();
                if records.iter().filter_map(key).any(|key| removed.contains(&key)) {
                    return Some(Err(StoreError::new(ErrorKind::AlreadyExists, "insert", "the key is taken")));
                }
            }
            M::KeysCheckedBeforehand if records.len() == 1 => {
                let (record, spec) = (&records[0], &records[0].spec);
                if let Some(key) = &spec.options().idempotency_key
                    && self.inner.find_key(spec.graph(), key).is_ok_and(|found| found.is_none())
                {
                    thread::sleep(Duration::from_micros(300));
                    let inserted = self.inner.insert(records, durability);
                    return Some(
                        inserted.or_else(|_| self.inner.insert(&[Self::without_key(record)], durability)),
                    );
                }
            }
            M::TwinKeyInBatchIsFine => {
                let mut seen = BTreeSet::new();
                let records: Vec<_> = records
                    .iter()
                    .map(|record| {
                        let key = record.spec.options().idempotency_key.clone();
                        let twin = key.is_some_and(|key| !seen.insert((record.spec.graph().to_owned(), key)));
                        if twin { Self::without_key(record) } else { record.clone() }
                    })
                    .collect();
                return Some(self.inner.insert(&records, durability));
            }
            _ => {}
        }
        None
    }

    fn without_key(record: &JobRecord) -> JobRecord {
        let mut options = record.spec.options().clone();
        options.idempotency_key = None;
        JobRecord { spec: Arc::new(JobSpec::clone(&record.spec).with_options(options)), ..record.clone() }
    }

    /// Keeps the blocks of a job as they are now.
    fn keep_blocks(&self, job: JobId) {
        for attempt in 0..4 {
            for number in [0, 1, 2, 3] {
                let key = SegmentKey { job, attempt, number };
                let mut kept = Vec::new();
                let _ = self.inner.blocks(key, &mut |end, bytes| {
                    kept.push((end, bytes.to_vec()));
                    Ok(ControlFlow::Continue(()))
                });
                if !kept.is_empty() {
                    self.notes.lock().blocks.insert((job, attempt, number), kept);
                }
            }
        }
    }

    fn end(&self, next: &JobRecord, result: &JobResult) {
        let mut notes = self.notes.lock();
        notes.finished.push(next.id);
        notes.results.insert(next.id, result.clone());
    }

    fn state(&self, job: JobId) -> Option<JobState> {
        self.inner.get(job).ok().flatten().map(|record| record.state)
    }
}

fn twisted(kind: ErrorKind, error: StoreError) -> StoreError {
    let twisted = StoreError::new(kind, error.operation, error.detail);
    match error.job {
        Some(job) => twisted.on(job),
        None => twisted,
    }
}

#[deny(clippy::missing_trait_methods)]
impl JobStore for Wrong {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        if self.is(M::SeatForEverybody) { Ok(Seat::new(())) } else { self.inner.seat(engine) }
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        for record in records {
            if let Some(job) = self.holder(record) {
                return Err(StoreError::new(ErrorKind::AlreadyExists, "insert", "key 1 is taken").on(job));
            }
        }
        self.notes.lock().inserted.extend(records.iter().cloned());
        if let Some(inserted) = self.insert_keyed(records, durability) {
            return inserted;
        }
        match self.mutant {
            // The pause lets jobs begin during a list.
            M::BeginsAreMissed => thread::sleep(Duration::from_micros(300)),
            M::BatchInPieces => {
                for record in records {
                    self.inner.insert(std::slice::from_ref(record), durability)?;
                    thread::yield_now();
                }
                return Ok(());
            }
            M::BatchSeenInPieces => {
                let hidden = records.iter().map(|record| record.id);
                self.notes.lock().hidden.extend(hidden);
                let done = self.inner.insert(records, durability);
                for record in records {
                    self.notes.lock().hidden.remove(&record.id);
                    thread::sleep(Duration::from_micros(50));
                }
                return done;
            }
            M::BatchStopsAtTheLast if records.len() > 2 => {
                let (last, others) = records.split_last().unwrap();
                self.inner.insert(others, durability)?;
                return self.inner.insert(std::slice::from_ref(last), durability);
            }
            M::TwinInBatchDropped => {
                let mut seen = BTreeSet::new();
                let once: Vec<_> = records.iter().filter(|record| seen.insert(record.id)).cloned().collect();
                return self.inner.insert(&once, durability);
            }
            M::LargeBatchInPieces if records.len() > 50 => {
                for piece in records.chunks(10).rev() {
                    self.inner.insert(piece, durability)?;
                }
                return Ok(());
            }
            M::EmptyBatchRefused if records.is_empty() => {
                return Err(StoreError::new(ErrorKind::Invalid, "insert", "nothing"));
            }
            M::KeysNotLooked => {
                let bare: Vec<_> = records.iter().map(Self::without_key).collect();
                return self.inner.insert(&bare, durability);
            }
            _ => {}
        }
        match self.inner.insert(records, durability) {
            Err(error) if error.kind == ErrorKind::AlreadyExists => match self.mutant {
                M::TakenIdIsFine => Ok(()),
                M::TakenNamesNoJob => Err(StoreError::new(error.kind, error.operation, error.detail)),
                M::TakenNamesTheNewJob => Err(error.on(records[records.len() - 1].id)),
                M::TakenIsConflict => Err(twisted(ErrorKind::Conflict, error)),
                M::KeyFreeAtAnyEnd
                    if error.job.and_then(|job| self.state(job)).is_some_and(JobState::is_complete) =>
                {
                    let bare: Vec<_> = records.iter().map(Self::without_key).collect();
                    self.inner.insert(&bare, durability)
                }
                _ => Err(error),
            },
            done => done,
        }
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        if self.is(M::RemovedIsRemembered)
            && let Some(record) = self.notes.lock().removed.get(&id)
        {
            return Ok(Some(record.clone()));
        }
        if self.is(M::RemovedComesBack) {
            let notes = self.notes.lock();
            if let Some(record) = notes.removed.get(&id).filter(|_| notes.opened > 1) {
                return Ok(Some(record.clone()));
            }
        }
        if self.is(M::UnknownIsAnError) && self.inner.get(id)?.is_none() {
            return Err(StoreError::new(ErrorKind::NotFound, "read", "no such job").on(id));
        }
        Ok(self.inner.get(id)?.map(|record| self.shown(record)))
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        let complete = next.state.is_complete();
        let found = self.inner.get(next.id)?;
        match self.mutant {
            M::EndKeepsRows | M::EndKeepsEarlierAttempts | M::RowsGoAfterTheEnd if complete => {
                self.keep_blocks(next.id);
                if self.is(M::EndKeepsEarlierAttempts) {
                    self.notes.lock().blocks.retain(|(_, attempt, _), _| *attempt < next.attempt);
                }
            }
            M::EndOfWaitingKeepsRows
                if complete && found.as_ref().is_some_and(|f| f.state == JobState::Waiting) =>
            {
                self.keep_blocks(next.id);
            }
            M::CancelKeepsRows if next.state == JobState::Complete(Outcome::Cancelled) => {
                self.keep_blocks(next.id);
            }
            M::CheckpointStaysAtEnd | M::CheckpointOfWaitingStays if complete => {
                let waits = found.as_ref().is_some_and(|f| f.state == JobState::Waiting);
                if let Some(bytes) = self.inner.checkpoint(next.id)?
                    && (waits || self.is(M::CheckpointStaysAtEnd))
                {
                    self.notes.lock().checkpoints.insert(next.id, bytes);
                }
            }
            M::CheckpointOfFailedStays if next.state == JobState::Complete(Outcome::Failed) => {
                if let Some(bytes) = self.inner.checkpoint(next.id)? {
                    self.notes.lock().checkpoints.insert(next.id, bytes);
                }
            }
            M::SyncedEndKeepsRows if complete && durability == Durability::Synced => self.keep_blocks(next.id),
            M::EndWithoutAResultIsReusable if complete => self.notes.lock().ended.push(next.clone()),
            M::StaleEndIsFine if complete && found.as_ref().is_some_and(|f| f.revision >= next.revision) => {
                return Ok(());
            }
            // The pause lets the two threads run the same step at once.
            M::CompleteChecksBeforehand => thread::sleep(Duration::from_micros(300)),
            M::ReplaceChecksBeforehand if found.as_ref().is_some_and(|f| f.revision + 1 == next.revision) => {
                thread::sleep(Duration::from_micros(200));
                return match self.inner.replace(next, durability) {
                    Err(error) if error.kind == ErrorKind::Conflict => match self.state(next.id) {
                        Some(state) if !state.is_complete() => Ok(()),
                        _ => Err(error),
                    },
                    done => done,
                };
            }
            M::ReplaceOfUnknownStartCreates if found.is_none() && !complete => {
                return self.inner.insert(std::slice::from_ref(next), durability);
            }
            M::ReplaceCreates if found.is_none() => {
                return self.inner.insert(std::slice::from_ref(next), durability);
            }
            M::SameRevisionIsFine if found.as_ref().is_some_and(|f| f.revision == next.revision) => return Ok(()),
            M::SkippedRevisionIsFine if found.as_ref().is_some_and(|f| f.revision + 1 < next.revision) => {
                return Ok(());
            }
            M::EarlierRevisionIsFine if found.as_ref().is_some_and(|f| f.revision > next.revision) => {
                return Ok(());
            }
            _ => {}
        }
        if self.is(M::RowsGoAfterTheEnd) && complete {
            self.inner.replace(next, durability)?;
            thread::sleep(Duration::from_millis(2));
            self.notes.lock().blocks.clear();
            return Ok(());
        }
        self.inner.replace(next, durability).map_err(|error| match self.mutant {
            M::ConflictIsNotFound if error.kind == ErrorKind::Conflict => twisted(ErrorKind::NotFound, error),
            M::NotFoundIsConflict if error.kind == ErrorKind::NotFound => twisted(ErrorKind::Conflict, error),
            M::ConflictNamesNoJob => StoreError::new(error.kind, error.operation, error.detail),
            _ => error,
        })
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let mut entries = match self.mutant {
            M::ListRepeats => self.inner.entries(None, skip, limit),
            M::ListOldestFirst => self.inner.entries(before, skip, limit).map(|mut all| {
                all.reverse();
                all
            }),
            M::ListBeforeIncluded => match before {
                Some(before) => {
                    let mut all = self.inner.entries(None, 0, usize::MAX)?;
                    all.retain(|entry| entry.id <= before);
                    let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                    Ok(all.into_iter().skip(skip).take(limit).collect())
                }
                None => self.inner.entries(None, skip, limit),
            },
            M::ListSkipIgnored => self.inner.entries(before, 0, limit),
            M::ListSkipWithBeforeIgnored if before.is_some() => self.inner.entries(before, 0, limit),
            M::ListSkipOneMore if skip > 0 => self.inner.entries(before, skip.saturating_add(1), limit),
            M::ListSkipWraps => self.inner.entries(before, skip & 0xffff_ffff, limit),
            M::ListOneMore => self.inner.entries(before, skip, limit.saturating_add(1)),
            M::ListOneLess => self.inner.entries(before, skip, limit.saturating_sub(1)),
            M::ListNoLimitOfZero if limit == 0 => self.inner.entries(before, skip, usize::MAX),
            M::ListCapped => self.inner.entries(before, skip, limit.min(100)),
            M::ListBeforeMustBeThere if before.is_some_and(|id| self.state(id).is_none()) => Ok(Vec::new()),
            _ => self.inner.entries(before, skip, limit),
        }?;
        match self.mutant {
            M::ListHidesComplete => {
                entries.retain(|e| e.record.as_ref().is_ok_and(|record| !record.state.is_complete()));
            }
            M::ListHidesLeast => entries.retain(|e| e.id != JobId::MIN),
            M::ListHidesGreatest => entries.retain(|e| e.id != JobId::MAX),
            _ => {}
        }
        Ok(self.listed(entries))
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        let mut entries = match self.mutant {
            M::UnfinishedHoldsComplete => {
                let mut all = self.inner.entries(None, 0, usize::MAX)?;
                all.reverse();
                all
            }
            _ => self.inner.unfinished_entries()?,
        };
        let state = |entry: &Listed| entry.record.as_ref().map(|record| record.state).ok();
        match self.mutant {
            M::UnfinishedNewestFirst => entries.reverse(),
            M::UnfinishedWithoutCancelling => {
                entries.retain(|e| state(e) != Some(JobState::Running { cancelling: true }));
            }
            M::UnfinishedWithoutRequeued => {
                entries
                    .retain(|e| !(state(e) == Some(JobState::Waiting) && e.record.as_ref().unwrap().attempt > 0));
            }
            M::UnfinishedCapped => entries.truncate(256),
            M::BatchSeenInPieces => entries.retain(|e| !self.notes.lock().hidden.contains(&e.id)),
            M::UnfinishedByAge => entries.sort_by_key(|e| e.record.as_ref().unwrap().revision),
            _ => {}
        }
        Ok(self.listed(entries))
    }

    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        self.filtered(filter, before, limit).map(|entries| self.listed(entries))
    }

    fn count(&self, filter: &JobFilter, most: u64) -> Result<u64, StoreError> {
        self.counted(filter, most)
    }

    fn kept(&self) -> Result<Kept, StoreError> {
        self.kept_jobs()
    }

    fn least_used(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        self.least_used_jobs(with_rows, after, limit)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        match self.mutant {
            M::RemoveIgnoresPins => self.inner.pin(id, Pin::Release).unwrap_or_default(),
            M::RemoveAnyState if self.state(id).is_some_and(|state| !state.is_complete()) => return Ok(true),
            M::RemoveWaiting if self.state(id) == Some(JobState::Waiting) => return Ok(true),
            M::RemoveUnknownIsTrue if self.state(id).is_none() => return Ok(true),
            M::RemoveUnknownIsAnError if self.state(id).is_none() => {
                return Err(StoreError::new(ErrorKind::NotFound, "remove", "no such job").on(id));
            }
            M::RemovedKeepsResult if self.state(id).is_some() => {
                if let Some(result) = self.inner.result(id)? {
                    self.notes.lock().results.insert(id, result);
                }
            }
            M::RemovedKeepsRows => self.keep_blocks(id),
            M::RemovedKeepsFailures => {
                let failed = self.inner.failures(id)?;
                self.notes.lock().failures.insert(id, failed);
            }
            M::RemovalTakesAllFailures => self.notes.lock().failures.clear(),
            M::RemovedKeepsNote => {
                if let Some(at) = self.usage_of(id)?.last_read {
                    self.notes.lock().reads.insert(id, at);
                }
            }
            M::RemovingAnOlderJobHidesTheWork => {
                if let Some(record) = self.inner.get(id)?
                    && let Some(newest) = self.inner.find_reusable(&record.spec)?.filter(|newest| *newest > id)
                {
                    self.notes.lock().lost_work.insert(newest);
                }
            }
            M::RemovalHidesTheNextFromFilters => {
                let all = self.inner.list(None, 0, usize::MAX)?;
                let next = all.iter().rev().find(|record| record.id > id).map(|record| record.id);
                self.notes.lock().unlisted.extend(next);
            }
            M::RemoveTakesTheOneBefore if self.inner.get(id)?.is_some_and(|record| record.size.rows >= 100) => {
                let removed = self.inner.remove(id)?;
                let all = self.inner.list(Some(id), 0, 1)?;
                if let Some(before) = all.first().filter(|record| record.state.is_complete()) {
                    let _ = self.inner.remove(before.id);
                }
                return Ok(removed);
            }
            M::RemovedIsRemembered
            | M::FilteredKnowsRemoved
            | M::RemovedComesBack
            | M::RemovedKeepsItsKey
            | M::RemovedJobTakesRows => {
                if let Some(record) = self.inner.get(id)? {
                    self.notes.lock().removed.insert(id, record);
                }
            }
            M::RemoveTakesTheNext => {
                let removed = self.inner.remove(id)?;
                let all = self.inner.list(None, 0, 9)?;
                if let Some(next) = all.iter().find(|record| record.id > id && record.state.is_complete()) {
                    let _ = self.inner.remove(next.id);
                }
                return Ok(removed);
            }
            M::RemovePinnedIsFalse if self.usage_of(id)?.pinned => return Ok(false),
            _ => {}
        }
        let removed = self.inner.remove(id)?;
        Ok(removed && !self.is(M::RemoveIsAlwaysFalse))
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        let notes = self.notes.lock();
        let named = |record: &&JobRecord| {
            let theirs = record.spec.options().idempotency_key.as_deref();
            match self.mutant {
                M::FindKeyFolded => {
                    record.spec.graph() == graph && theirs.is_some_and(|theirs| theirs.eq_ignore_ascii_case(key))
                }
                M::FindKeyOfAnyGraph => theirs == Some(key),
                _ => record.spec.graph() == graph && theirs == Some(key),
            }
        };
        match self.mutant {
            M::FindKeyFolded | M::FindKeyOfAnyGraph | M::FindKeyFirst => {
                let there = |record: &&JobRecord| self.state(record.id).is_some();
                Ok(notes.inserted.iter().filter(named).find(there).map(|record| record.id))
            }
            M::FindKeyOfRemoved => Ok(notes.inserted.iter().rev().find(named).map(|record| record.id)),
            M::FindKeyOfOpenOnly => {
                let found = self.inner.find_key(graph, key)?;
                Ok(found.filter(|job| self.state(*job).is_some_and(|state| !state.is_complete())))
            }
            M::FindKeyNotOfCancelled => {
                let found = self.inner.find_key(graph, key)?;
                Ok(found.filter(|job| self.state(*job) != Some(JobState::Complete(Outcome::Cancelled))))
            }
            _ => self.inner.find_key(graph, key),
        }
    }

    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        let notes = self.notes.lock();
        let finished = || notes.finished.iter().filter_map(|id| self.inner.get(*id).ok().flatten());
        let good = |record: &JobRecord| record.state == JobState::Complete(Outcome::Succeeded);
        let same = |record: &JobRecord| record.spec.is_same_work(spec);
        let version = |spec: &JobSpec| spec.options().graph_version.clone();
        let last = |wanted: &dyn Fn(&JobRecord) -> bool| {
            let mut found = finished().filter(|record| good(record) && wanted(record));
            Ok(found.next_back().map(|record| record.id))
        };
        let of_version = |r: &JobRecord| version(spec).is_some() && version(&r.spec) == version(spec);
        match self.mutant {
            M::FinishedFirst => Ok(finished().find(|r| good(r) && same(r)).map(|r| r.id)),
            M::FinishedByGreatestId => Ok(finished().filter(|r| good(r) && same(r)).map(|r| r.id).max()),
            M::FinishedWithAnyEnd => Ok(finished().rfind(same).map(|r| r.id)),
            M::FinishedWhateverVersion => last(&|r| {
                let plain = |spec: &JobSpec| JobSpec::clone(spec).graph_version("any");
                plain(&r.spec).is_same_work(&plain(spec))
            }),
            M::FinishedWhateverParameters => {
                last(&|r| of_version(r) && (r.spec.kind(), r.spec.graph()) == (spec.kind(), spec.graph()))
            }
            M::FinishedByValueOfParameters => last(&|r| of_version(r) && r.spec.asks_the_same(spec)),
            M::FinishedWhateverKind => last(&|r| {
                of_version(r) && (r.spec.parameters(), r.spec.graph()) == (spec.parameters(), spec.graph())
            }),
            M::FinishedWhateverGraph => last(&|r| {
                of_version(r) && (r.spec.parameters(), r.spec.kind()) == (spec.parameters(), spec.kind())
            }),
            M::FinishedNever => Ok(None),
            M::RemovingAnOlderJobHidesTheWork => {
                Ok(self.inner.find_reusable(spec)?.filter(|job| !notes.lost_work.contains(job)))
            }
            M::EndWithoutAResultIsReusable => {
                let ended = notes.ended.iter().rfind(|record| same(record)).map(|record| record.id);
                Ok(self.inner.find_reusable(spec)?.or(ended))
            }
            _ => {
                drop(notes);
                self.inner.find_reusable(spec)
            }
        }
    }

    fn record_reads(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        match self.mutant {
            M::FirstNoteStays => {
                for (id, at) in reads {
                    if self.usage_of(*id)?.last_read.is_none() {
                        self.inner.record_reads(&[(*id, *at)])?;
                    }
                }
                Ok(())
            }
            M::NotesOfRunningDoNotCount => {
                let runs = |id: &JobId| self.state(*id).is_some_and(|state| !state.is_complete());
                let early = reads.iter().map(|(id, _)| *id).filter(|id| runs(id));
                self.notes.lock().noted_early.extend(early.collect::<Vec<_>>());
                self.inner.record_reads(reads)
            }
            M::NotesOfUnknownJobs => {
                self.notes.lock().reads.extend(reads.iter().copied());
                self.inner.record_reads(reads)
            }
            M::OneUnknownStopsNotes => match reads.iter().position(|(id, _)| self.state(*id).is_none()) {
                Some(at) => self.inner.record_reads(&reads[..at]),
                None => self.inner.record_reads(reads),
            },
            M::NotesOfCompleteOnly => {
                let complete = |id: &JobId| self.state(*id).is_some_and(JobState::is_complete);
                self.inner.record_reads(&reads.iter().filter(|(id, _)| complete(id)).copied().collect::<Vec<_>>())
            }
            _ => self.inner.record_reads(reads),
        }
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        match self.mutant {
            M::PinNotKept => return self.inner.get(id)?.map(drop).ok_or_else(|| not_found(id)),
            M::PinOfUnknownIsFine if self.state(id).is_none() => return Ok(()),
            M::ReleaseOfUnknownIsFine if pin == Pin::Release && self.state(id).is_none() => return Ok(()),
            M::ReleaseDoesNothing if pin == Pin::Release => return Ok(()),
            M::PinsAreCounted if pin == Pin::Keep => {
                let first = self.notes.lock().pins.insert(id);
                if !first {
                    self.notes.lock().hidden.insert(id);
                }
            }
            M::PinsAreCounted if self.notes.lock().hidden.remove(&id) => return Ok(()),
            M::PinOfWaitingIsLost if self.state(id) == Some(JobState::Waiting) => return Ok(()),
            _ => {}
        }
        self.inner.pin(id, pin)
    }

    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
        let mut jobs = jobs.to_vec();
        match self.mutant {
            M::UsageSorted => jobs.sort(),
            M::UsageOnce => {
                let mut seen = BTreeSet::new();
                jobs.retain(|id| seen.insert(*id));
            }
            M::UsageOfKnownOnly => jobs.retain(|id| self.state(*id).is_some()),
            M::UsageOfUnknownIsAnError => {
                if let Some(unknown) = jobs.iter().find(|id| self.state(**id).is_none()) {
                    return Err(not_found(*unknown));
                }
            }
            _ => {}
        }
        let any_pin = || {
            let all = self.inner.list(None, 0, usize::MAX)?;
            let ids: Vec<_> = all.iter().map(|record| record.id).collect();
            Ok::<_, StoreError>(self.inner.usage(&ids)?.iter().any(|usage| usage.pinned))
        };
        let mut usage = self.inner.usage(&jobs)?;
        for (id, told) in jobs.iter().zip(&mut usage) {
            let notes = self.notes.lock();
            match self.mutant {
                M::UsageWithoutPins => told.pinned = false,
                M::UsageWithoutNotes => told.last_read = None,
                M::NotesOfUnknownJobs | M::RemovedKeepsNote => {
                    told.last_read = told.last_read.or_else(|| notes.reads.get(id).copied());
                }
                M::NotesInSeconds => {
                    let whole = |at: Timestamp| Timestamp::from_micros(at.as_micros() / 1_000_000 * 1_000_000);
                    told.last_read = told.last_read.map(whole);
                }
                M::NoteZeroIsNone => told.last_read = told.last_read.filter(|at| at.as_micros() > 0),
                M::NotesForgottenWhenClosed if notes.opened > 1 => told.last_read = None,
                M::AnyPinIsAll => told.pinned = any_pin()?,
                _ => {}
            }
        }
        Ok(usage)
    }
}

fn not_found(id: JobId) -> StoreError {
    StoreError::new(ErrorKind::NotFound, "find", "no such job").on(id)
}

#[deny(clippy::missing_trait_methods)]
impl ResultStore for Wrong {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let cancelling = self.state(key.job) == Some(JobState::Running { cancelling: true });
        if self.is(M::CancellingSegmentRefused) && cancelling {
            return Err(StoreError::new(ErrorKind::Fenced, "write rows", "it is being cancelled").on(key.job));
        }
        let inner = match (self.inner.segment(key), self.inner.get(key.job)?) {
            (Err(_), Some(record)) if self.lets_in(key, &record) => {
                Box::new(Sink(Segment { attempt: key.attempt, number: key.number, rows: 0, bytes: 0 }))
            }
            (Err(_), None)
                if self.is(M::RemovedJobTakesRows) && self.notes.lock().removed.contains_key(&key.job) =>
            {
                Box::new(Sink(Segment { attempt: key.attempt, number: key.number, rows: 0, bytes: 0 }))
            }
            (Err(error), None) if self.is(M::SegmentOfUnknownIsNotFound) => {
                return Err(twisted(ErrorKind::NotFound, error));
            }
            (Err(error), _) if self.is(M::FenceIsConflict) => return Err(twisted(ErrorKind::Conflict, error)),
            (opened, _) => opened?,
        };
        let rows = 0;
        self.notes.lock().open.entry(key.job).or_default().push(key.number);
        Ok(Box::new(WrongSegment {
            store: self.clone(),
            inner: Some(inner),
            key,
            rows,
            blocks: 0,
            settled: false,
            shown: false,
        }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        if let [(next, result)] = ends
            && let Some(done) = self.complete_one(next, result, durability)
        {
            return done;
        }
        match self.mutant {
            M::EndsInPieces => {
                for end in ends {
                    self.inner.complete(&[*end], durability)?;
                    thread::sleep(Duration::from_micros(50));
                }
                return Ok(());
            }
            M::OnlyTheFirstEnds if ends.len() > 1 => return self.inner.complete(&ends[..1], durability),
            M::ManyCancelledLost => {
                for (next, _) in ends.iter().filter(|(n, _)| n.state == JobState::Complete(Outcome::Cancelled)) {
                    self.inner.discard(next.id, u32::MAX)?;
                }
            }
            M::ConflictOfBatchNamesTheFirst => {
                return self.inner.complete(ends, durability).map_err(|error| match ends.first() {
                    Some((first, _)) => error.on(first.id),
                    None => error,
                });
            }
            M::EmptyEndsRefused if ends.is_empty() => {
                return Err(StoreError::new(ErrorKind::Invalid, "store the result", "nothing"));
            }
            M::OpenEndInBatchIsFine => {
                let complete: Vec<_> = ends.iter().filter(|(next, _)| next.state.is_complete()).copied().collect();
                return self.inner.complete(&complete, durability);
            }
            M::UnknownEndInBatchIsFine => {
                let known = |id| self.state(id).is_some();
                let known: Vec<_> = ends.iter().filter(|(next, _)| known(next.id)).copied().collect();
                return self.inner.complete(&known, durability);
            }
            _ => {}
        }
        let checkpoints: Vec<_> = ends
            .iter()
            .map(|(next, _)| Ok((next.id, self.inner.checkpoint(next.id)?)))
            .collect::<Result<_, StoreError>>()?;
        if self.is(M::RecordBeforeResult) {
            self.notes.lock().hidden.extend(ends.iter().map(|(next, _)| next.id));
        }
        let done = self.inner.complete(ends, durability);
        if self.is(M::RecordBeforeResult) {
            thread::sleep(Duration::from_millis(2));
            self.notes.lock().hidden.clear();
        }
        done?;
        for (next, result) in ends {
            self.end(next, result);
        }
        if self.is(M::CheckpointOfSuccessStays) {
            let kept = checkpoints.into_iter().filter_map(|(id, bytes)| Some((id, bytes?)));
            self.notes.lock().checkpoints.extend(kept);
        }
        Ok(())
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        if self.notes.lock().hidden.contains(&id) && self.is(M::RecordBeforeResult) {
            return Ok(None);
        }
        if self.is(M::RemovedKeepsResult) || self.is(M::StaleCompleteKeepsResult) {
            let kept = self.notes.lock().results.get(&id).cloned();
            return Ok(self.inner.result(id)?.or(kept));
        }
        if self.is(M::UnknownResultIsAnError) && self.state(id).is_none() {
            return Err(not_found(id));
        }
        if self.is(M::RunningHasAResult) && self.state(id) == Some(JobState::Running { cancelling: false }) {
            return Ok(Some(JobResult::default()));
        }
        let Some(mut result) = self.inner.result(id)? else {
            return Ok(None);
        };
        let ending = self.state(id);
        let rebuilt = |result: &JobResult, change: &dyn Fn(&mut Vec<Segment>)| {
            result.list.as_ref().map(|list| {
                let mut segments = list.segments().to_vec();
                change(&mut segments);
                RowList::new(list.name(), segments)
            })
        };
        match self.mutant {
            M::SegmentsReversed => result.list = rebuilt(&result, &|s| s.reverse()),
            M::SegmentsSorted => result.list = rebuilt(&result, &|s| s.sort_by_key(|s| s.number)),
            M::EmptySegmentsDropped => result.list = rebuilt(&result, &|s| s.retain(|s| s.rows > 0)),
            M::SegmentsCapped => result.list = rebuilt(&result, &|s| s.truncate(1_000)),
            M::SegmentBytesLost => result.list = rebuilt(&result, &|s| s.iter_mut().for_each(|s| s.bytes = 0)),
            M::SegmentsMerged => {
                result.list = rebuilt(&result, &|s| {
                    if s.len() > 1 {
                        let rows = s.iter().map(|s| s.rows).sum();
                        let bytes = s.iter().map(|s| s.bytes).sum();
                        *s = vec![Segment { rows, bytes, ..s[0] }];
                    }
                });
            }
            M::ListNameLost => {
                result.list = result.list.map(|list| RowList::new("rows", list.segments().to_vec()));
            }
            M::EmptyListIsNone => result.list = result.list.filter(|list| list.rows() > 0),
            M::NoListIsEmpty => result.list = Some(result.list.unwrap_or_default()),
            M::OutputsLost => result.outputs = Outputs::default(),
            M::OutputsSorted => {
                let mut pairs: Vec<_> = result.outputs.iter().map(|(n, j)| (n.to_owned(), j.to_owned())).collect();
                pairs.sort();
                result.outputs = outputs(pairs);
            }
            M::OutputsSpelledAnew => {
                let anew = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap().to_string();
                let pairs = result.outputs.iter().map(|(n, j)| (n.to_owned(), anew(j))).collect();
                result.outputs = outputs(pairs);
            }
            M::CancelledResultLost if ending == Some(JobState::Complete(Outcome::Cancelled)) => return Ok(None),
            M::FailedResultLost if ending == Some(JobState::Complete(Outcome::Failed)) => return Ok(None),
            _ => {}
        }
        Ok(Some(result))
    }

    fn held_rows(&self, key: SegmentKey, rows: Range<u64>) -> Result<Option<BlockRows>, StoreError> {
        let wanted = match self.mutant {
            M::HeldRowsBeginEarlier => rows.start.saturating_sub(1)..rows.end,
            M::HeldRowsGoOn => rows.start..rows.end + 1,
            M::HeldRowsMiscounted | M::HeldRowsOutliveTheJob => rows.clone(),
            _ => return self.inner.held_rows(key, rows),
        };
        let mut found = BlockRows::default();
        let read = self.inner.read(key, wanted, &mut |run| {
            found = BlockRows { rows: run.len() as u64, json: run.json()?.into_owned().into() };
            Ok(ControlFlow::Break(()))
        });
        let mut notes = self.notes.lock();
        match self.mutant {
            M::HeldRowsOutliveTheJob if read.is_ok() => {
                notes.held = Some(found.clone());
            }
            M::HeldRowsOutliveTheJob => return Ok(notes.held.clone()),
            M::HeldRowsMiscounted => found.rows += 1,
            _ => {}
        }
        Ok(read.is_ok().then_some(found))
    }

    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        let (mut key, mut rows) = (key, rows);
        match self.mutant {
            M::ReadFirstSegment => key.number = 0,
            M::ReadSegmentInAByte => key.number &= 0xff,
            M::ReadSegmentInTwoBytes => key.number &= 0xffff,
            M::ReadNewestAttempt => {
                key.attempt = self.inner.get(key.job)?.map_or(key.attempt, |record| record.attempt);
            }
            M::SyncedEndKeepsRows
                if self.notes.lock().blocks.contains_key(&(key.job, key.attempt, key.number))
                    && self.state(key.job) == Some(JobState::Complete(Outcome::Failed)) =>
            {
                return Ok(());
            }
            M::OpenSegmentReadsShort
                if self.notes.lock().open.get(&key.job).is_some_and(|open| open.contains(&key.number)) =>
            {
                rows.end -= u64::from(rows.end > rows.start + 1);
            }
            M::OpenRowsForgottenWhenClosed
                if self.notes.lock().opened > 1
                    && self.state(key.job).is_some_and(|state| !state.is_complete()) =>
            {
                return Err(StoreError::new(ErrorKind::Corrupt, "read rows", "they are missing").on(key.job));
            }
            M::ReadOneLater => rows.start += 1,
            M::ReadOneLess => rows.end = rows.end.saturating_sub(1),
            M::ReadOneMoreIsFine => {
                let known = self.inner.read(key, rows.clone(), &mut |_| Ok(ControlFlow::Continue(())));
                if known.is_err_and(|error| error.kind == ErrorKind::Corrupt) {
                    return Ok(());
                }
            }
            M::ReadPastEndIsShort => {
                let mut end = rows.start;
                let _ = self.inner.blocks(key, &mut |at, _| {
                    end = end.max(at);
                    Ok(ControlFlow::Continue(()))
                });
                if end > rows.start {
                    rows.end = rows.end.min(end);
                }
            }
            M::ReadIsHalf if rows.end - rows.start.min(rows.end) > 25 => rows.end -= 1,
            M::EmptyRangeIsCorrupt if rows.is_empty() && self.state(key.job).is_some() => {
                return Err(StoreError::new(ErrorKind::Corrupt, "read rows", "empty").on(key.job));
            }
            M::BackwardsRangePanics => _ = rows.end.checked_sub(rows.start).expect("a range goes forward"),
            M::MissingRowsAreNotFound | M::RemovedRowsAreCorrupt | M::MissingRowsNameNoJob => {
                let kind = match self.mutant {
                    M::MissingRowsAreNotFound => ErrorKind::NotFound,
                    M::RemovedRowsAreCorrupt => ErrorKind::Corrupt,
                    _ => {
                        return self
                            .inner
                            .read(key, rows, each)
                            .map_err(|e| StoreError::new(e.kind, "read", e.detail));
                    }
                };
                return self.inner.read(key, rows, each).map_err(|error| match error.kind {
                    ErrorKind::Corrupt | ErrorKind::NotFound => twisted(kind, error),
                    _ => error,
                });
            }
            _ => {}
        }
        self.read_through(key, rows, each)
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let mut found = Vec::new();
        self.inner.blocks(key, &mut |end, bytes| {
            found.push((end, bytes.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(kept) = self.notes.lock().blocks.get(&(key.job, key.attempt, key.number))
            && found.is_empty()
        {
            found.clone_from(kept);
        }
        match self.mutant {
            M::BlocksOfAWrongCountAreNone => {
                let told =
                    self.inner.result(key.job)?.and_then(|result| result.list).map_or(0, |list| list.rows());
                if found.last().is_some_and(|(end, _)| *end < told) {
                    found.clear();
                }
            }
            M::BlocksReversed => found.reverse(),
            M::BlocksWithoutTheLast => _ = found.pop(),
            M::BlocksNameTheFirstRow => {
                let mut start = 0;
                for (end, _) in &mut found {
                    start = std::mem::replace(end, start).max(start);
                }
            }
            M::BlocksAreCut => found.iter_mut().for_each(|(_, bytes)| bytes.truncate(bytes.len() - 1)),
            M::BlocksOfNothingAreAnError if found.is_empty() => {
                return Err(StoreError::new(ErrorKind::NotFound, "read rows", "no such segment").on(key.job));
            }
            _ => {}
        }
        for (end, bytes) in found {
            if each(end, &bytes)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        match self.mutant {
            M::SecondDiscardIsAnError if !self.notes.lock().discarded.insert((job, attempt)) => {
                Err(not_found(job))
            }
            M::DiscardOfOneSegmentIsFine
                if self.inner.result(job)?.is_some_and(|r| r.list.is_some_and(|l| l.segments().len() == 1)) =>
            {
                Ok(())
            }
            M::DiscardNothing if self.inner.result(job)?.is_none() => Ok(()),
            M::DiscardOneLess if attempt > 0 => self.inner.discard(job, attempt - 1),
            M::DiscardOneMore => self.inner.discard(job, attempt.saturating_add(1)),
            M::DiscardAll => self.inner.discard(job, u32::MAX),
            M::DiscardOfResultIsFine if self.inner.result(job)?.is_some() => Ok(()),
            M::DiscardOfFailedIsFine if self.state(job) == Some(JobState::Complete(Outcome::Failed)) => Ok(()),
            M::DiscardOfUnknownIsAnError if self.state(job).is_none() => Err(not_found(job)),
            M::DiscardTakesTheCheckpoint => {
                self.notes.lock().hidden.insert(job);
                self.inner.discard(job, attempt)
            }
            M::DiscardTakesFailures => {
                self.notes.lock().without_failures.insert(job);
                self.inner.discard(job, attempt)
            }
            _ => self.inner.discard(job, attempt),
        }
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let cancelling = self.state(job) == Some(JobState::Running { cancelling: true });
        match self.mutant {
            M::CancellingCheckpointRefused if cancelling => {
                Err(StoreError::new(ErrorKind::Fenced, "save the checkpoint", "it is being cancelled").on(job))
            }
            M::CheckpointOfAnyAttempt => {
                let attempt = self.inner.get(job)?.map_or(attempt, |record| record.attempt);
                self.inner.save_checkpoint(job, attempt, bytes)
            }
            M::CheckpointOfAnyState => self
                .inner
                .save_checkpoint(job, attempt, bytes)
                .or_else(|error| if self.state(job) == Some(JobState::Waiting) { Ok(()) } else { Err(error) }),
            M::CheckpointWithoutLimit if bytes.len() > job_store::MAX_CHECKPOINT => Ok(()),
            M::CheckpointLimitIsLow if bytes.len() > 1 << 19 => {
                Err(StoreError::new(ErrorKind::Invalid, "save the checkpoint", "it is long").on(job))
            }
            M::FirstCheckpointStays if self.inner.checkpoint(job)?.is_some() => Ok(()),
            M::CheckpointCut => self.inner.save_checkpoint(job, attempt, &bytes[..bytes.len().min(1 << 16)]),
            M::CheckpointTextOnly => {
                self.inner.save_checkpoint(job, attempt, String::from_utf8_lossy(bytes).as_bytes())
            }
            M::EmptyCheckpointIgnored if bytes.is_empty() => Ok(()),
            M::OneCheckpointForAll => {
                self.inner.save_checkpoint(job, attempt, bytes)?;
                self.notes.lock().checkpoints.insert(JobId::MIN, bytes.to_vec());
                Ok(())
            }
            _ => self.inner.save_checkpoint(job, attempt, bytes),
        }
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.inner.checkpoint(job)?;
        let record = self.inner.get(job)?;
        Ok(match self.mutant {
            M::CheckpointStaysAtEnd
            | M::CheckpointOfWaitingStays
            | M::CheckpointOfFailedStays
            | M::CheckpointOfSuccessStays => found.or_else(|| self.notes.lock().checkpoints.get(&job).cloned()),
            M::CheckpointGoesWithItsAttempt if record.as_ref().is_some_and(|r| r.state == JobState::Waiting) => {
                None
            }
            M::CheckpointGoesWithACancel
                if record.is_some_and(|r| r.state == JobState::Running { cancelling: true }) =>
            {
                None
            }
            M::DiscardTakesTheCheckpoint if self.notes.lock().hidden.contains(&job) => None,
            M::EmptyCheckpointIsNone => found.filter(|bytes| !bytes.is_empty()),
            M::OneCheckpointForAll => match found {
                Some(_) => self.notes.lock().checkpoints.get(&JobId::MIN).cloned(),
                None => None,
            },
            _ => found,
        })
    }

    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError> {
        let refused = |kind| Err(StoreError::new(kind, "keep the failed attempts", "this store does not").on(job));
        let state = self.state(job);
        match self.mutant {
            M::FirstFailuresStay if !self.inner.failures(job)?.is_empty() => Ok(()),
            M::FailuresCut => {
                let cut = |failed: &FailedAttempt| FailedAttempt {
                    failure: Failure::new(
                        failed.failure.kind,
                        failed.failure.message.chars().take(100).collect::<String>(),
                    ),
                    ..failed.clone()
                };
                self.inner.save_failures(job, attempt, &failed.iter().map(cut).collect::<Vec<_>>())
            }
            M::FailuresOfAnyAttempt => {
                let attempt = self.inner.get(job)?.map_or(attempt, |record| record.attempt);
                self.inner.save_failures(job, attempt, failed)
            }
            M::FailuresOfAnyState => self
                .inner
                .save_failures(job, attempt, failed)
                .or_else(|error| if state == Some(JobState::Waiting) { Ok(()) } else { Err(error) }),
            M::FailuresWithoutLimit if failed.len() > FailedAttempt::KEPT => Ok(()),
            M::FailuresLimitIsLow if failed.len() > 4 => refused(ErrorKind::Invalid),
            M::CancellingFailuresRefused if state == Some(JobState::Running { cancelling: true }) => {
                refused(ErrorKind::Fenced)
            }
            M::OneListOfFailuresForAll | M::RemovalTakesAllFailures => {
                self.inner.save_failures(job, attempt, failed)?;
                let job = if self.is(M::RemovalTakesAllFailures) { job } else { JobId::MIN };
                self.notes.lock().failures.insert(job, failed.to_vec());
                Ok(())
            }
            _ => self.inner.save_failures(job, attempt, failed),
        }
    }

    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError> {
        let found = self.inner.failures(job)?;
        let state = self.state(job);
        let notes = self.notes.lock();
        Ok(match self.mutant {
            M::FailuresGoAtTheEnd if state.is_some_and(JobState::is_complete) => Vec::new(),
            M::FailuresGoWithTheirAttempt => {
                let attempt = self.inner.get(job)?.map(|record| record.attempt);
                found.into_iter().filter(|failed| Some(failed.attempt) == attempt).collect()
            }
            M::FailuresWithoutTimes => {
                let timeless = |failed| FailedAttempt { ended: Timestamp::from_micros(0), ..failed };
                found.into_iter().map(timeless).collect()
            }
            M::DiscardTakesFailures if notes.without_failures.contains(&job) => Vec::new(),
            M::OneListOfFailuresForAll if !found.is_empty() => {
                notes.failures.get(&JobId::MIN).cloned().unwrap_or_default()
            }
            M::RemovalTakesAllFailures => notes.failures.get(&job).cloned().unwrap_or_default(),
            M::RemovedKeepsFailures if found.is_empty() => notes.failures.get(&job).cloned().unwrap_or_default(),
            _ => found,
        })
    }

    forward!(self.inner; size_on_disk block_bytes);
}

impl Wrong {
    /// The reasons that keep a job of the store below.
    fn usage_of(&self, id: JobId) -> Result<Usage, StoreError> {
        Ok(self.inner.usage(&[id])?.first().copied().unwrap_or_default())
    }

    /// Ends one job in the wrong way of the mutant, if it has one.
    fn complete_one(
        &self,
        next: &JobRecord,
        result: &JobResult,
        durability: Durability,
    ) -> Option<Result<(), StoreError>> {
        let found = || self.inner.get(next.id).ok().flatten();
        match self.mutant {
            // The pause lets jobs end during the walk.
            M::EndsAreSeenTwice | M::EndsAreMissed => {
                thread::sleep(Duration::from_micros(300));
                None
            }
            M::CompleteTakesAnyRecord if !next.state.is_complete() => Some(Ok(())),
            M::CompleteCreates if found().is_none() => {
                Some(self.inner.insert(std::slice::from_ref(next), durability))
            }
            M::StaleCompleteKeepsResult => {
                let done = self.inner.complete(&[(next, result)], durability);
                if done.is_err() {
                    self.notes.lock().results.insert(next.id, result.clone());
                }
                Some(done)
            }
            M::StaleCompleteIsFine => {
                let _ = self.inner.complete(&[(next, result)], durability);
                Some(Ok(()))
            }
            M::CompleteChecksBeforehand => {
                if found().is_none_or(|found| found.revision + 1 != next.revision) || !next.state.is_complete() {
                    return None;
                }
                thread::sleep(Duration::from_millis(1));
                let done = self.inner.complete(&[(next, result)], durability);
                let forced = done.or_else(|error| match found() {
                    Some(found) => {
                        let next = JobRecord { revision: found.revision + 1, ..next.clone() };
                        self.inner.complete(&[(&next, result)], durability)
                    }
                    None => Err(error),
                });
                Some(forced)
            }
            M::CompleteSkipsRevisions if found().is_some_and(|f| f.revision + 1 < next.revision) => Some(Ok(())),
            M::CancelledRowsLost if next.state == JobState::Complete(Outcome::Cancelled) => {
                self.inner.discard(next.id, u32::MAX).err().map(Err)
            }
            M::FailedRowsLost if next.state == JobState::Complete(Outcome::Failed) => {
                self.inner.discard(next.id, u32::MAX).err().map(Err)
            }
            _ => None,
        }
    }

    /// Reads rows in the wrong way of a mutant.
    fn read_through(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        match self.mutant {
            M::ReaderHoldsALock => {
                let held = self.notes.lock();
                let read = self.inner.read(key, rows, each);
                drop(held);
                return read;
            }
            M::BreakIsIgnored => {
                return self.inner.read(key, rows, &mut |run| each(run).map(|_| ControlFlow::Continue(())));
            }
            M::ErrorOfReaderIsLost => {
                return match self.inner.read(key, rows, each) {
                    Err(error) if error.kind == ErrorKind::Unavailable => Ok(()),
                    read => read,
                };
            }
            M::LastErrorOfReader => {
                let mut last = Ok(());
                self.inner.read(key, rows, &mut |run| {
                    if let Err(error) = each(run) {
                        last = Err(error);
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
                return last;
            }
            M::ErrorOfReaderIsWrapped => {
                return self.inner.read(key, rows, each).map_err(|error| match error.kind {
                    ErrorKind::Unavailable => StoreError::caused(ErrorKind::Unavailable, error),
                    _ => error,
                });
            }
            M::FirstBlockOnly => {
                return self.inner.read(key, rows, &mut |run| each(run).map(|_| ControlFlow::Break(())));
            }
            M::RowsOfLaterPartsAreEarlierOnes => {
                return self.inner.read(key, rows.clone(), &mut |run| {
                    // A part of a wrong place: the same number of bytes, of other rows.
                    if run.unpack()?.json().len() < 64 << 10 {
                        return each(run);
                    }
                    let mut found: Vec<Vec<u8>> = run.unpack()?.iter().map(<[u8]>::to_vec).collect();
                    let half = found.len() / 2;
                    if let Some(last) = found.len().checked_sub(2) {
                        found.swap(half.min(last), last);
                    }
                    let mut block = BlockBuilder::new(key);
                    for row in &found {
                        block.push_json_unchecked(row).unwrap();
                    }
                    let sealed = block.seal();
                    let block = Block::parse(sealed.bytes).unwrap();
                    each(block.rows(0..block.len()).unwrap())
                });
            }
            M::RowsSpelledAnew | M::RowsReversedInBlock => {
                return self.inner.read(key, rows, &mut |run| {
                    let mut texts: Vec<String> =
                        run.unpack()?.iter().map(|r| String::from_utf8_lossy(r).into_owned()).collect();
                    if self.is(M::RowsReversedInBlock) {
                        texts.reverse();
                    } else {
                        for text in &mut texts {
                            *text = serde_json::from_str::<serde_json::Value>(text).unwrap().to_string();
                        }
                    }
                    let mut block = BlockBuilder::new(key);
                    for text in texts {
                        block.push_json(&serde_json::value::RawValue::from_string(text).unwrap()).unwrap();
                    }
                    let sealed = block.seal();
                    let block = Block::parse(sealed.bytes).unwrap();
                    each(block.rows(0..block.len()).unwrap())
                });
            }
            _ => {}
        }
        self.inner.read(key, rows, each)
    }

    /// Whether a mutant admits a writer that the store refuses.
    fn lets_in(&self, key: SegmentKey, record: &JobRecord) -> bool {
        let runs = matches!(record.state, JobState::Running { .. });
        match self.mutant {
            M::EarlierAttemptWrites => runs && key.attempt < record.attempt && key.attempt > 0,
            M::LaterAttemptWrites => runs && key.attempt > record.attempt,
            M::CompleteJobTakesRows => record.state.is_complete(),
            M::WaitingJobTakesRows => record.state == JobState::Waiting,
            _ => false,
        }
    }
}

fn outputs(pairs: Vec<(String, String)>) -> Outputs {
    let mut outputs = Outputs::default();
    for (name, json) in pairs {
        outputs.push_raw(name, serde_json::value::RawValue::from_string(json).unwrap());
    }
    outputs
}

/// A writer that drops all blocks.
#[derive(Debug)]
struct Sink(Segment);

impl SegmentWriter for Sink {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        self.0.rows += block.rows;
        Ok(())
    }

    fn visible_rows(&self) -> u64 {
        0
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        Ok(self.0)
    }
}

#[derive(Debug)]
struct WrongSegment {
    store: Wrong,
    inner: Option<Box<dyn SegmentWriter>>,
    key: SegmentKey,
    rows: u64,
    blocks: u64,
    settled: bool,
    shown: bool,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for WrongSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        let cancelling = self.store.state(self.key.job) == Some(JobState::Running { cancelling: true });
        let m = self.store.mutant;
        if m == M::CancellingRowsRefused && cancelling {
            return Err(
                StoreError::new(ErrorKind::Fenced, "append rows", "it is being cancelled").on(self.key.job)
            );
        }
        self.blocks += 1;
        let inner = self.inner.as_mut().unwrap();
        if m == M::OpenSegmentReadsShort {
            // The pause lets other threads read in between.
            thread::sleep(Duration::from_micros(100));
        }
        let whole = block.first_row == self.rows && block.rows > 0 && block.key == self.key;
        let lost = match m {
            M::BlockAfterManyLost => self.blocks == 150,
            M::LargeBlockLost => (1 << 20..8 << 20).contains(&block.bytes.len()),
            M::BlockOfTheLongestRowLost => block.bytes.len() > 16 << 20,
            M::RowsAfterTheShownAreLost => self.shown && self.blocks > 1,
            M::ThirdOpenWriterLoses => {
                self.store.notes.lock().open.get(&self.key.job).is_some_and(|open| {
                    open.len() > 2 && open.iter().position(|number| *number == self.key.number) == Some(2)
                }) && self.blocks == 2
            }
            M::WritersOnTwoThreadsLose => {
                let me = thread::current().id();
                *self.store.notes.lock().threads.entry(self.key.job).or_insert(me) != me
            }
            _ => false,
        };
        if lost && whole {
            self.rows += block.rows;
            return Ok(());
        }
        if m == M::SecondBlockLost && self.blocks == 2 && block.first_row == self.rows && block.rows > 0 {
            self.rows += block.rows;
            return Ok(());
        }
        match inner.append(block) {
            Ok(()) => self.rows += block.rows,
            Err(error) => {
                return match (m, error.kind) {
                    (M::GapIsFine, ErrorKind::Invalid) if block.rows > 0 && block.key == self.key => Ok(()),
                    (M::EmptyBlockIsFine, ErrorKind::Invalid) if block.rows == 0 => Ok(()),
                    (M::ForeignBlockIsFine, ErrorKind::Invalid) if block.key != self.key => Ok(()),
                    (M::FenceOfAppendIsLost, ErrorKind::Fenced) => Ok(()),
                    (M::InvalidBeforeFenced, ErrorKind::Fenced) if block.rows == 0 => {
                        Err(twisted(ErrorKind::Invalid, error))
                    }
                    (M::FenceNamesNoJob, ErrorKind::Fenced) => {
                        Err(StoreError::new(error.kind, error.operation, error.detail))
                    }
                    _ => Err(error),
                };
            }
        }
        Ok(())
    }

    fn stored_bytes(&self) -> u64 {
        let more = u64::from(self.store.mutant == M::StoredBytesAreMore);
        self.inner.as_ref().unwrap().stored_bytes() + more
    }

    fn visible_rows(&self) -> u64 {
        let readable = self.inner.as_ref().unwrap().visible_rows();
        match self.store.mutant {
            M::VisibleRowsAreMore => readable + 1,
            M::ShownRowsAreNotCounted => 0,
            _ => readable,
        }
    }

    fn show_rows(&mut self) -> Result<(), StoreError> {
        self.shown = true;
        if self.store.mutant == M::ShowOfNothingIsAnError && self.blocks == 0 {
            return Err(StoreError::new(ErrorKind::Invalid, "show rows", "there are none"));
        }
        self.inner.as_mut().unwrap().show_rows()
    }

    fn start_flush(&mut self) -> Result<bool, StoreError> {
        self.settled = true;
        self.inner.as_mut().unwrap().start_flush()
    }

    fn finish(mut self: Box<Self>) -> Result<Segment, StoreError> {
        let inner = self.inner.take().unwrap();
        if let Some(open) = self.store.notes.lock().open.get_mut(&self.key.job) {
            open.retain(|number| *number != self.key.number);
        }
        let segment = match inner.finish() {
            Err(error) if self.store.mutant == M::FenceOfFinishIsLost && error.kind == ErrorKind::Fenced => {
                return Ok(Segment { attempt: self.key.attempt, number: self.key.number, rows: 0, bytes: 0 });
            }
            finished => finished?,
        };
        Ok(match self.store.mutant {
            M::SegmentCountsBlocks => Segment { rows: self.blocks, ..segment },
            M::SegmentCountsOneLess => Segment { rows: segment.rows.saturating_sub(1), ..segment },
            M::SegmentBytesWrong => Segment { bytes: segment.bytes + 1, ..segment },
            M::SegmentNumberLost => Segment { number: 0, ..segment },
            M::SegmentAttemptLost => Segment { attempt: 1, ..segment },
            M::StartedFlushIsForgotten if self.settled => Segment { rows: 0, ..segment },
            _ => segment,
        })
    }
}
