//! Claimants of a store in memory that break one promise of sharing.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use job_core::{Event, FailedAttempt, JobId, JobKind, JobRecord, JobResult, JobState, Timestamp};
use job_store::{
    Claim, ClaimId, Claimed, Durability, ErrorKind, Holder, JobStore, KnownRevision, MemoryStore, ResultStore,
    Seat, SegmentKey, SegmentWriter, SharedMemory, SharedStore, Store, StoreError, conformance::SharedFixture,
    contract, forward,
};
use parking_lot::Mutex;

use super::ClaimMutant;
use ClaimMutant as M;

/// Longer than any law lasts.
const LONG: Duration = Duration::from_hours(1);
/// The tokens that laws give.
const TOKENS: std::ops::Range<u64> = 0..10;

pub struct WrongSharing {
    first: SharedMemory,
    mutant: ClaimMutant,
    group: Arc<Group>,
}

#[derive(Debug, Default)]
struct Group {
    all: Mutex<Vec<Arc<SharedMemory>>>,
    notes: Mutex<Notes>,
}

/// The memory of a mutant beside the store.
#[derive(Debug, Default)]
struct Notes {
    /// Jobs that the mutant has given although their pause was not over.
    given: BTreeSet<JobId>,
    /// Jobs that the mutant lets every claimant write.
    free: BTreeSet<JobId>,
    /// Pairs of a claimant and a job that it has had.
    had: BTreeSet<(usize, JobId)>,
    /// Jobs whose leases were renewed.
    renewed: BTreeSet<JobId>,
    /// Jobs that a claim has started.
    started: BTreeSet<JobId>,
}

impl WrongSharing {
    pub fn new(mutant: ClaimMutant) -> Self {
        Self { first: SharedMemory::new(MemoryStore::default()), mutant, group: Arc::default() }
    }
}

impl SharedFixture for WrongSharing {
    fn open(&self) -> Arc<dyn SharedStore> {
        let inner = Arc::new(self.first.claimant());
        let mut all = self.group.all.lock();
        all.push(Arc::clone(&inner));
        let (mutant, group, number) = (self.mutant, Arc::clone(&self.group), all.len() - 1);
        Arc::new(Claimant { inner, mutant, group, number, waiting: Arc::default() })
    }

    fn patience(&self) -> Duration {
        if self.mutant == M::Right { Duration::from_mins(1) } else { Duration::from_secs(1) }
    }
}

#[derive(Debug, Clone)]
struct Claimant {
    inner: Arc<SharedMemory>,
    mutant: ClaimMutant,
    group: Arc<Group>,
    number: usize,
    /// Threads in `wait`.
    waiting: Arc<AtomicUsize>,
}

impl Claimant {
    fn is(&self, mutant: ClaimMutant) -> bool {
        self.mutant == mutant
    }

    fn others(&self) -> Vec<Arc<SharedMemory>> {
        let all = self.group.all.lock().clone();
        all.into_iter().enumerate().filter(|(number, _)| *number != self.number).map(|(_, other)| other).collect()
    }

    /// Every claim that this claimant may have on a job.
    fn claims(job: JobId) -> Vec<ClaimId> {
        TOKENS.map(|token| ClaimId { job, token }).collect()
    }

    /// If a call is refused to this claimant, makes it through a claimant that may make it.
    fn as_another<T>(
        &self,
        wrong: bool,
        mut call: impl FnMut(&SharedMemory) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let refused = match call(&self.inner) {
            Err(error) if wrong && error.kind == ErrorKind::Fenced => error,
            done => return done,
        };
        self.others().iter().find_map(|other| call(other).ok()).ok_or(refused)
    }

    /// Makes a call although the lease has ended.
    fn late<T>(
        &self,
        wrong: bool,
        job: JobId,
        mut call: impl FnMut(&SharedMemory) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match call(&self.inner) {
            Err(error) if wrong && error.kind == ErrorKind::Fenced => {
                if self.inner.renew(&Self::claims(job), LONG)?.is_empty() {
                    return Err(error);
                }
                let done = call(&self.inner);
                self.inner.renew(&Self::claims(job), Duration::ZERO)?;
                done
            }
            done => done,
        }
    }

    /// Drops the notices that other claimants have not got yet.
    fn hush(&self) {
        for other in self.others() {
            let _ = other.wait(Duration::ZERO);
        }
    }

    fn is_free(&self, job: JobId) -> bool {
        self.group.notes.lock().free.contains(&job)
    }

    fn stored(&self, job: JobId) -> Option<JobRecord> {
        self.inner.get(job).ok().flatten()
    }

    /// Claims all jobs, and keeps those that a mutant would claim.
    fn choose(&self, claim: &Claim<'_>, sort: impl Fn(&mut Vec<Claimed>)) -> Result<Vec<Claimed>, StoreError> {
        let mut all = self.inner.claim(&Claim { limit: usize::MAX, start: None, ..*claim })?;
        let before: Vec<JobId> = all.iter().map(|claimed| claimed.record.id).collect();
        sort(&mut all);
        all.truncate(claim.limit);
        let kept: BTreeSet<_> = all.iter().map(|claimed| claimed.record.id).collect();
        let back: Vec<_> = before.into_iter().filter(|id| !kept.contains(id)).flat_map(Self::claims).collect();
        self.inner.release(&back)?;
        Ok(all)
    }

    /// Also starts those jobs that the claim has left waiting for which `which` is true.
    fn start_too(
        &self,
        claim: &Claim<'_>,
        which: impl Fn(&JobRecord) -> bool,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut claimed = self.inner.claim(claim)?;
        let Some(at) = claim.start else { return Ok(claimed) };
        for claimed in &mut claimed {
            if claimed.record.state == JobState::Waiting && which(&claimed.record) {
                claimed.record = claimed.record.apply(Event::Start, at).unwrap();
                claimed.started = true;
                self.inner.replace(&claimed.record, Durability::Buffered)?;
            }
        }
        Ok(claimed)
    }

    /// The jobs that the claims of any token have given and `store` still holds.
    fn held_by(store: &SharedMemory, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        let mut found = Vec::new();
        for token in TOKENS {
            found.extend(store.claim(&Claim { token, again: true, limit: 0, ..*claim })?);
        }
        Ok(found)
    }
}

impl Claimant {
    fn had(&self, job: JobId) -> bool {
        self.group.notes.lock().had.contains(&(self.number, job))
    }

    fn claim_wrongly(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        let priority = |claimed: &Claimed| claimed.record.spec.options().priority;
        let age = |claimed: &Claimed| (claimed.record.submitted_at, claimed.record.id);
        match self.mutant {
            M::PriorityIgnored => self.choose(claim, |all| all.sort_by_key(age)),
            M::LowestPriorityFirst => self.choose(claim, |all| all.sort_by_key(|c| (priority(c), age(c)))),
            M::YoungestFirst => {
                self.choose(claim, |all| all.sort_by_key(|c| std::cmp::Reverse((priority(c), age(c)))))
            }
            M::UrgentOnly => self.choose(claim, |all| all.retain(|c| priority(c) >= 0)),
            M::KindsIgnored => {
                let kinds: Vec<JobKind> =
                    self.inner.unfinished()?.iter().map(|record| record.spec.kind().clone()).collect();
                self.inner.claim(&Claim { kinds: &kinds, ..*claim })
            }
            M::FirstKindOnly => {
                self.inner.claim(&Claim { kinds: &claim.kinds[..claim.kinds.len().min(1)], ..*claim })
            }
            M::LimitIgnored => self.inner.claim(&Claim { limit: usize::MAX, ..*claim }),
            M::LimitIsAtLeastOne => self.inner.claim(&Claim { limit: claim.limit.max(1), ..*claim }),
            M::LimitIsAtMostOne => self.inner.claim(&Claim { limit: claim.limit.min(1), ..*claim }),
            M::PauseIgnored => {
                let mut claimed = self.inner.claim(claim)?;
                for record in self.inner.unfinished()? {
                    if record.not_before.is_some() && self.group.notes.lock().given.insert(record.id) {
                        claimed.push(Claimed { record, started: false, lost: false });
                    }
                }
                Ok(claimed)
            }
            M::LongPauseIsKept => self.choose(claim, |all| {
                all.retain(|c| c.record.not_before.is_none_or(|at| at < Timestamp::from_micros(1 << 50)));
            }),
            M::PausedIsNeverClaimed => self.choose(claim, |all| all.retain(|c| c.record.not_before.is_none())),
            M::GivenToAll => {
                let mut all = self.inner.unfinished()?;
                all.retain(|record| claim.kinds.contains(record.spec.kind()));
                all.truncate(claim.limit);
                Ok(all.into_iter().map(|record| Claimed { record, started: false, lost: false }).collect())
            }
            _ => self.claim_and_start(claim),
        }
    }

    /// Claims as the mutants about starts, repeated claims and lost leases do.
    fn claim_and_start(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        match self.mutant {
            M::StartsUnasked => {
                let start = claim.start.or(Some(Timestamp::from_micros(9)));
                self.inner.claim(&Claim { start, ..*claim })
            }
            M::ClaimIsARevision => {
                let mut claimed = self.inner.claim(claim)?;
                for claimed in claimed.iter_mut().filter(|claimed| !claimed.started) {
                    claimed.record.revision += 1;
                    self.inner.replace(&claimed.record, Durability::Buffered)?;
                }
                Ok(claimed)
            }
            M::StartsLastAttempts => self.start_too(claim, |record| record.spec.options().max_attempts == 1),
            M::StartsLaterAttempts => self.start_too(claim, |record| record.attempt > 0),
            M::StartsNone => self.inner.claim(&Claim { start: None, ..*claim }),
            M::StartAtAnotherTime => {
                let start = claim.start.map(|_| Timestamp::from_micros(3));
                self.inner.claim(&Claim { start, ..*claim })
            }
            M::StartIsNotTold => {
                let mut claimed = self.inner.claim(claim)?;
                for claimed in &mut claimed {
                    claimed.started = false;
                }
                Ok(claimed)
            }
            M::StartedIsToldAsWaiting => {
                let mut claimed = self.inner.claim(claim)?;
                for claimed in claimed.iter_mut().filter(|claimed| claimed.started) {
                    claimed.record.state = JobState::Waiting;
                }
                Ok(claimed)
            }
            M::AgainIgnored => self.inner.claim(&Claim { again: false, ..*claim }),
            M::AgainAnswersAllTokens if claim.again => {
                let held = Self::held_by(&self.inner, claim)?;
                if held.is_empty() { self.inner.claim(claim) } else { Ok(held) }
            }
            M::AgainAnswersOthers if claim.again => {
                let others = self.others();
                let mut found = others.iter().map(|other| other.claim(&Claim { limit: 0, ..*claim }));
                match found.find(|found| found.as_ref().is_ok_and(|found| !found.is_empty())) {
                    Some(found) => found,
                    None => self.inner.claim(claim),
                }
            }
            M::AgainClaimsMore if claim.again => {
                let mut claimed = self.inner.claim(claim)?;
                claimed.extend(self.inner.claim(&Claim { again: false, ..*claim })?);
                Ok(claimed)
            }
            M::AgainStartedOnly if claim.again => {
                let mut claimed = self.inner.claim(claim)?;
                claimed.retain(|claimed| claimed.started);
                Ok(claimed)
            }
            M::AgainAfterTheLease if claim.again => {
                for record in self.inner.unfinished()? {
                    self.inner.renew(&Self::claims(record.id), LONG)?;
                }
                self.inner.claim(claim)
            }
            M::AgainKeepsTheLease if claim.again => {
                let claimed = self.inner.claim(claim)?;
                let given: Vec<_> = claimed.iter().flat_map(|claimed| Self::claims(claimed.record.id)).collect();
                self.inner.renew(&given, Duration::from_millis(20))?;
                Ok(claimed)
            }
            M::LostAlways => self.inner.claim(&Claim { lost: true, ..*claim }),
            M::LostNever => self.inner.claim(&Claim { lost: false, ..*claim }),
            M::NoneIsLost | M::AllAreLost | M::AllThatRunAreLost => {
                let mut claimed = self.inner.claim(claim)?;
                for claimed in &mut claimed {
                    let runs = claimed.record.state != JobState::Waiting;
                    claimed.lost =
                        self.is(M::AllAreLost) || self.is(M::AllThatRunAreLost) && runs && !claimed.started;
                }
                Ok(claimed)
            }
            M::LeaseIsForEver => self.inner.claim(&Claim { lease: LONG, ..*claim }),
            M::LeaseIsShort => {
                self.inner.claim(&Claim { lease: claim.lease.min(Duration::from_millis(5)), ..*claim })
            }
            _ => self.inner.claim(claim),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl SharedStore for Claimant {
    forward!(self.inner; unreadable);

    fn shared_seat(&self, engine: &str) -> Result<Seat, StoreError> {
        if self.is(M::SeatOfClaimantForAll) { Ok(Seat::new(())) } else { self.inner.shared_seat(engine) }
    }

    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        let claimed = self.claim_wrongly(claim)?;
        let mut notes = self.group.notes.lock();
        for Claimed { record, started, .. } in &claimed {
            notes.had.insert((self.number, record.id));
            if *started {
                notes.started.insert(record.id);
            }
        }
        if self.is(M::ClaimMovesAllLeases) {
            for record in self.inner.unfinished()? {
                self.inner.renew(&Self::claims(record.id), claim.lease)?;
            }
        }
        if self.is(M::StartLosesPin) {
            for started in claimed.iter().filter(|claimed| claimed.started) {
                self.inner.pin(started.record.id, job_store::Pin::Release)?;
            }
        }
        Ok(claimed)
    }

    fn holder(&self, job: JobId) -> Result<Option<Holder>, StoreError> {
        let told = self.inner.holder(job)?;
        Ok(told
            .map(|holder| match self.mutant {
                M::HolderIsWhoAsks => Holder { is_asked: true, ..holder },
                M::HolderIsAStranger => Holder { claimant: self.number.to_string(), ..holder },
                M::HolderHasNoEnd => Holder { until: Timestamp::default(), ..holder },
                _ => holder,
            })
            .filter(|_| match self.mutant {
                M::HolderIsNobody => false,
                M::HolderOfARunningJobOnly => {
                    self.stored(job).is_some_and(|record| record.state != JobState::Waiting)
                }
                _ => true,
            }))
    }

    fn renew(&self, claims: &[ClaimId], lease: Duration) -> Result<Vec<KnownRevision>, StoreError> {
        let known =
            |job: JobId| self.stored(job).map(|record| KnownRevision { id: job, revision: record.revision });
        self.group.notes.lock().renewed.extend(claims.iter().map(|claim| claim.job));
        match self.mutant {
            M::RenewAnswersAll => {
                self.inner.renew(claims, lease)?;
                let jobs: BTreeSet<_> = claims.iter().map(|claim| claim.job).collect();
                Ok(jobs.into_iter().filter_map(known).collect())
            }
            M::RenewAnswersUnasked => {
                let mut held = self.inner.renew(claims, lease)?;
                let asked: BTreeSet<_> = claims.iter().map(|claim| claim.job).collect();
                for record in self.inner.unfinished()? {
                    if !asked.contains(&record.id) {
                        held.extend(self.inner.renew(&Self::claims(record.id), LONG)?);
                    }
                }
                Ok(held)
            }
            M::RenewRevisionZero => {
                let mut held = self.inner.renew(claims, lease)?;
                for held in &mut held {
                    held.revision = 0;
                }
                Ok(held)
            }
            M::RenewDoesNothing => {
                let mut held = Vec::new();
                for claim in claims {
                    let mine = Self::held_by(&self.inner, &Claim::new(&[], 0, LONG))?;
                    held.extend(known(claim.job).filter(|_| mine.iter().any(|mine| mine.record.id == claim.job)));
                }
                held.dedup();
                Ok(held)
            }
            M::RenewMovesAll => {
                for record in self.inner.unfinished()? {
                    self.inner.renew(&Self::claims(record.id), lease)?;
                }
                self.inner.renew(claims, lease)
            }
            M::RenewNeverShortens => self.inner.renew(claims, lease.max(LONG)),
            M::RenewWhateverToken => {
                let mut held = Vec::new();
                for claim in claims {
                    held.extend(self.inner.renew(&Self::claims(claim.job), lease)?);
                }
                held.dedup();
                Ok(held)
            }
            M::RenewRunningOnly => {
                let runs = |claim: &ClaimId| self.stored(claim.job).is_some_and(|r| r.state != JobState::Waiting);
                self.inner.renew(&claims.iter().copied().filter(runs).collect::<Vec<_>>(), lease)
            }
            M::RenewOneOnly => self.inner.renew(&claims[..claims.len().min(1)], lease),
            M::RenewHidesCancel => {
                let mut held = self.inner.renew(claims, lease)?;
                for held in &mut held {
                    let cancelling = JobState::Running { cancelling: true };
                    if self.stored(held.id).is_some_and(|record| record.state == cancelling) {
                        held.revision -= 1;
                    }
                }
                Ok(held)
            }
            M::LateRenewalRefused => {
                let claims: Vec<_> = claims
                    .iter()
                    .copied()
                    .filter(|claim| {
                        let again = Claim { token: claim.token, again: true, ..Claim::new(&[], 0, LONG) };
                        let held = self.inner.claim(&again).unwrap_or_default();
                        held.iter().any(|held| held.record.id == claim.job)
                    })
                    .collect();
                self.inner.renew(&claims, lease)
            }
            M::LateRenewalTakesBack => {
                let mut held = self.inner.renew(claims, lease)?;
                for ClaimId { job, .. } in claims {
                    let mine = held.iter().any(|held| held.id == *job);
                    let taken = self
                        .others()
                        .iter()
                        .any(|other| other.renew(&Self::claims(*job), LONG).is_ok_and(|held| !held.is_empty()));
                    if !mine && taken {
                        held.extend(known(*job));
                    }
                }
                Ok(held)
            }
            M::EndKeepsClaim => {
                let mut held = self.inner.renew(claims, lease)?;
                let ended = |claim: &ClaimId| self.stored(claim.job).is_some_and(|r| r.state.is_complete());
                held.extend(claims.iter().filter(|claim| ended(claim)).filter_map(|claim| known(claim.job)));
                Ok(held)
            }
            _ => self.inner.renew(claims, lease),
        }
    }

    fn release(&self, claims: &[ClaimId]) -> Result<(), StoreError> {
        match self.mutant {
            M::ReleaseDoesNothing => Ok(()),
            M::ReleaseOneOnly => self.inner.release(&claims[..claims.len().min(1)]),
            M::ReleaseWhateverToken => {
                self.inner.release(&claims.iter().flat_map(|claim| Self::claims(claim.job)).collect::<Vec<_>>())
            }
            M::ReleaseOfOthers => {
                for other in self.others() {
                    other.release(claims)?;
                }
                self.inner.release(claims)
            }
            M::ReleaseWaitingOnly => {
                let waits = |claim: &ClaimId| self.stored(claim.job).is_some_and(|r| r.state == JobState::Waiting);
                self.inner.release(&claims.iter().copied().filter(waits).collect::<Vec<_>>())
            }
            M::ReleaseFreesWhatHasEnded => {
                self.group.notes.lock().free.extend(claims.iter().map(|claim| claim.job));
                self.inner.release(claims)
            }
            _ => self.inner.release(claims),
        }
    }

    fn changed(&self, known: &[KnownRevision]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError> {
        let mut changed = self.inner.changed(known)?;
        match self.mutant {
            M::ChangedIsAll => {
                return known.iter().map(|known| Ok((known.id, self.inner.get(known.id)?))).collect();
            }
            M::ChangedIsNone => changed.clear(),
            M::ChangedWithoutGone => changed.retain(|(_, record)| record.is_some()),
            M::ChangedIsGone => changed.iter_mut().for_each(|(_, record)| *record = None),
            M::ChangedIsLaterOnly => changed.retain(|(id, record)| {
                let at = known.iter().find(|known| known.id == *id).map_or(0, |known| known.revision);
                record.as_ref().is_none_or(|record| record.revision > at)
            }),
            _ => {}
        }
        Ok(changed)
    }

    fn wait(&self, timeout: Duration) -> Result<bool, StoreError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let heard = self.inner.wait(timeout);
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        match self.mutant {
            M::Deaf => heard.map(|_| false),
            M::HearsAllTheTime => heard.map(|_| true),
            _ => heard,
        }
    }

    fn wake(&self) {
        match self.mutant {
            M::WakeIsIgnored => {}
            M::WakeBeforeTheWaitIsLost if self.waiting.load(Ordering::SeqCst) == 0 => {}
            _ => self.inner.wake(),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl JobStore for Claimant {
    forward! {
        self.inner;
        get entries unfinished_entries filtered_entries count kept least_used remove find_key find_reusable record_reads pin usage
    }

    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        if self.is(M::AloneBesideOthers) { Ok(Seat::new(())) } else { self.inner.seat(engine) }
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        self.inner.insert(records, durability)?;
        if self.is(M::NewJobsAreNotHeard) {
            self.hush();
        }
        Ok(())
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        let stored = self.stored(next.id);
        let is_cancel = stored.as_ref().is_some_and(|stored| contract::is_cancel(stored, next));
        let waited = stored.as_ref().is_some_and(|stored| stored.state == JobState::Waiting);
        let runs = JobState::Running { cancelling: false };
        let by_another = self.others().iter().any(|other| {
            let held = other.claim(&Claim { again: true, ..Claim::new(&[], 0, LONG) }).unwrap_or_default();
            held.iter().any(|held| held.record.id == next.id)
        });
        let fenced = || StoreError::new(ErrorKind::Fenced, "replace the record", "another has it").on(next.id);
        match self.mutant {
            M::CancelIsFenced if is_cancel && by_another => return Err(fenced()),
            M::CancelOfWaitingIsFenced if is_cancel && by_another && waited => return Err(fenced()),
            M::SecondCancelIsFenced
                if is_cancel
                    && stored.as_ref().is_some_and(|s| s.state == JobState::Running { cancelling: true }) =>
            {
                return Err(fenced());
            }
            _ => {}
        }
        let wrong = match self.mutant {
            M::OthersStart => next.state == runs,
            M::OthersPutBack => next.state == JobState::Waiting,
            M::OthersExpire => waited && next.state.is_complete(),
            M::OthersEnd => next.state.is_complete(),
            M::FormerClaimantStarts => next.state == runs && self.had(next.id),
            _ => false,
        };
        let late = match self.mutant {
            M::LateStart => next.state == runs,
            M::LateEnd => next.state.is_complete(),
            M::LatePutBack => next.state == JobState::Waiting,
            M::ReleaseFreesWhatHasEnded => self.is_free(next.id),
            _ => false,
        };
        if late {
            self.late(true, next.id, |store| store.replace(next, durability))?;
        } else {
            self.as_another(wrong, |store| store.replace(next, durability))?;
        }
        let hushed = match self.mutant {
            M::CancelsAreNotHeard => is_cancel && !next.state.is_complete(),
            M::CancelsOfWaitingAreNotHeard => is_cancel && next.state.is_complete(),
            M::PutBackIsNotHeard => next.state == JobState::Waiting,
            _ => false,
        };
        if hushed {
            self.hush();
        }
        match self.mutant {
            M::StartEndsARenewedLease
                if next.state == runs && self.group.notes.lock().renewed.contains(&next.id) =>
            {
                self.inner.release(&Self::claims(next.id))?;
            }
            M::CancelEndsTheLease if is_cancel => {
                for other in self.others() {
                    other.release(&Self::claims(next.id))?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[deny(clippy::missing_trait_methods)]
impl ResultStore for Claimant {
    forward!(self.inner; result read held_rows blocks discard checkpoint failures size_on_disk block_bytes);

    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let inner = if self.is(M::LateSegment) || self.is_free(key.job) {
            self.late(true, key.job, |store| store.segment(key))?
        } else {
            let former = self.is(M::FormerClaimantWrites) && self.had(key.job);
            self.as_another(self.is(M::OthersWriteRows) || former, |store| store.segment(key))?
        };
        Ok(Box::new(ClaimantSegment { store: self.clone(), inner: Some(inner), key }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        match ends.first() {
            Some((next, _)) if self.is(M::LateComplete) || self.is_free(next.id) => {
                self.late(true, next.id, |store| store.complete(ends, durability))?;
            }
            _ => self.as_another(self.is(M::OthersComplete), |store| store.complete(ends, durability))?,
        }
        if self.is(M::EndsAreNotHeard) {
            self.hush();
        }
        Ok(())
    }

    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError> {
        self.as_another(self.is(M::OthersKeepFailures), |store| store.save_failures(job, attempt, failed))
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        // The laws save a checkpoint to find out whether a lease has ended.
        let wrong = self.is(M::LateCheckpoint) && bytes == b"too late" || self.is_free(job);
        if wrong {
            return self.late(true, job, |store| store.save_checkpoint(job, attempt, bytes));
        }
        let stranger = self.is(M::StrangersWriteWhatNoClaimHasStarted)
            && !self.had(job)
            && !self.group.notes.lock().started.contains(&job);
        self.as_another(self.is(M::OthersCheckpoint) || stranger, |store| {
            store.save_checkpoint(job, attempt, bytes)
        })
    }
}

#[derive(Debug)]
struct ClaimantSegment {
    store: Claimant,
    inner: Option<Box<dyn SegmentWriter>>,
    key: SegmentKey,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for ClaimantSegment {
    fn append(&mut self, block: job_store::SealedBlock<'_>) -> Result<(), StoreError> {
        match self.inner.as_mut().unwrap().append(block) {
            Err(error) if error.kind == ErrorKind::Fenced && self.store.is(M::LateAppend) => Ok(()),
            done => done,
        }
    }

    fn stored_bytes(&self) -> u64 {
        self.inner.as_ref().unwrap().stored_bytes()
    }

    fn visible_rows(&self) -> u64 {
        self.inner.as_ref().unwrap().visible_rows()
    }

    fn show_rows(&mut self) -> Result<(), StoreError> {
        self.inner.as_mut().unwrap().show_rows()
    }

    fn start_flush(&mut self) -> Result<bool, StoreError> {
        self.inner.as_mut().unwrap().start_flush()
    }

    fn finish(mut self: Box<Self>) -> Result<job_core::Segment, StoreError> {
        let done = self.inner.take().unwrap().finish();
        let SegmentKey { attempt, number, .. } = self.key;
        match done {
            Err(error) if error.kind == ErrorKind::Fenced && self.store.is(M::LateFinish) => {
                Ok(job_core::Segment { attempt, number, rows: 0, bytes: 0 })
            }
            done => done,
        }
    }
}
