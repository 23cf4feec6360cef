//! [`Line`]: the connection of a simulated engine to its store, which delays, fails and loses answers. [`World`]
//! sees all events in the store, and finds those that break a promise.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use job_core::{JobId, JobKind, JobRecord, JobResult, JobState};
use job_store::{
    Claim, ClaimId, Claimed, Durability, ErrorKind, JobStore, KnownRevision, MemoryStore, ResultStore, SegmentKey,
    SegmentWriter, SharedStore, Store, StoreError, forward,
};

use crate::{
    handler::context::JobContext,
    job::error::JobError,
    shared_memory::SharedMemory,
    time::{self, sleep},
};

/// How long a claim lasts in a simulation.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// A mistake that the simulation has to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// The renewal of an engine takes back a job that it has given back, although another engine has claimed it
    /// since.
    PutBackRenewed,
    /// A claim whose answer was lost is not recognized. Its started jobs are free, and are started again.
    ClaimStartsTwice,
    /// An end that could not be stored counts as stored.
    EndLost,
    /// A lease that was lost to another engine is renewed.
    LostLeaseRenewed,
    /// A cancel that comes after the claim of a job and before its start is lost.
    CancelLost,
}

impl Mistake {
    pub(crate) const ALL: [(&str, Self); 5] = [
        ("put-back-renewed", Self::PutBackRenewed),
        ("claim-starts-twice", Self::ClaimStartsTwice),
        ("end-lost", Self::EndLost),
        ("lost-lease-renewed", Self::LostLeaseRenewed),
        ("cancel-lost", Self::CancelLost),
    ];
}

/// The faults of a line: how many of 1,000 calls fail, are done without an answer, or take long.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) fails: u32,
    pub(crate) loses: u32,
    pub(crate) slow: u32,
}

/// A claim in the store.
#[derive(Debug, Clone, Copy)]
struct Holder {
    line: usize,
    token: u64,
    until: Duration,
}

/// An attempt that a claim has started.
#[derive(Debug, Clone, Copy)]
struct Started {
    line: usize,
    /// Whether the engine of the line has the answer of the claim.
    is_known: bool,
    /// Whether a later claim was answered without this answer, while this answer was held.
    is_missed: bool,
}

/// The events so far.
#[derive(Debug, Default)]
struct Seen {
    claims: BTreeMap<JobId, Holder>,
    started: BTreeMap<(JobId, u32), Started>,
    begun: BTreeSet<(JobId, u32)>,
    ends: BTreeMap<JobId, JobRecord>,
    /// The jobs that each line has given back.
    given: BTreeSet<(usize, JobId)>,
    /// The revisions of cancels whose notice is lost.
    unheard: BTreeMap<JobId, u64>,
    cut: BTreeSet<usize>,
    dead: BTreeSet<usize>,
    violation: Option<String>,
}

/// The state that the engines of a run share.
#[derive(Debug)]
pub(crate) struct World {
    memory: MemoryStore,
    first: SharedMemory,
    lines: std::sync::Mutex<Vec<Arc<SharedMemory>>>,
    /// Held during one change of the store and the notes about that change.
    turn: shuttle::sync::Mutex<()>,
    seen: std::sync::Mutex<Seen>,
    story: std::sync::Mutex<Vec<String>>,
    chance: std::sync::Mutex<fastrand::Rng>,
    weather: Weather,
    /// Whether every line works from now on.
    calm: AtomicBool,
    mistake: Option<Mistake>,
    tells: bool,
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(seed: u64, weather: Weather, mistake: Option<Mistake>, tells: bool) -> Arc<Self> {
        let memory = MemoryStore::default();
        Arc::new(Self {
            first: SharedMemory::with_clock(memory.clone(), time::timestamp),
            memory,
            lines: std::sync::Mutex::default(),
            turn: shuttle::sync::Mutex::new(()),
            seen: std::sync::Mutex::default(),
            story: std::sync::Mutex::default(),
            chance: std::sync::Mutex::new(fastrand::Rng::with_seed(seed)),
            weather,
            calm: AtomicBool::new(false),
            mistake,
            tells,
        })
    }

    /// The line of one more engine.
    pub(crate) fn line(self: &Arc<Self>) -> Line {
        let inner = Arc::new(self.first.claimant());
        let mut lines = lock(&self.lines);
        lines.push(Arc::clone(&inner));
        Line { world: Arc::clone(self), inner, number: lines.len() - 1 }
    }

    pub(crate) fn calm_down(&self) {
        self.calm.store(true, Ordering::SeqCst);
        lock(&self.seen).cut.clear();
    }

    /// Cuts a line for ever: its engine dies without a call to the store.
    pub(crate) fn die(&self, line: usize) {
        self.note(|| format!("line {line} dies"));
        lock(&self.seen).dead.insert(line);
    }

    pub(crate) fn is_dead(&self, line: usize) -> bool {
        lock(&self.seen).dead.contains(&line)
    }

    /// Cuts a line, or repairs it.
    pub(crate) fn cut(&self, line: usize, is_cut: bool) {
        self.note(|| format!("line {line} {}", if is_cut { "is cut" } else { "works again" }));
        let cut = &mut lock(&self.seen).cut;
        if is_cut {
            cut.insert(line)
        } else {
            cut.remove(&line)
        };
    }

    /// The state of the store itself, behind the network.
    pub(crate) fn stored(&self, id: JobId) -> Option<JobRecord> {
        self.memory.get(id).unwrap_or_default()
    }

    pub(crate) fn all(&self) -> Vec<JobRecord> {
        self.memory.list(None, 0, usize::MAX).unwrap_or_default()
    }

    /// Notes a broken promise.
    pub(crate) fn violate(&self, what: impl FnOnce() -> String) {
        let seen = &mut *lock(&self.seen);
        if seen.violation.is_none() {
            seen.violation = Some(format!("at {:?}: {}", time::now(), what()));
        }
    }

    pub(crate) fn violation(&self) -> Option<String> {
        lock(&self.seen).violation.clone()
    }

    /// Notes an event, for a person who reads one run.
    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
        if self.tells {
            let line = format!("{:>12?} {}", time::now(), what());
            lock(&self.story).push(line);
        }
    }

    pub(crate) fn story(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.story))
    }

    /// The state of the run, and the events that led to it.
    pub(crate) fn told(&self) -> String {
        let jobs = self.all().into_iter().map(|record| format!("{record:?}"));
        self.story().into_iter().chain(jobs).collect::<Vec<_>>().join("\n")
    }

    fn chance(&self, of_thousand: u32) -> bool {
        lock(&self.chance).u32(..1_000) < of_thousand
    }

    fn has(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    /// Called when a body begins. No attempt may begin twice.
    pub(crate) fn begin(&self, line: usize, ctx: &JobContext) {
        self.note(|| format!("line {line} begins attempt {} of {}", ctx.attempt(), short(ctx.id())));
        if !lock(&self.seen).begun.insert((ctx.id(), ctx.attempt())) {
            self.violate(|| format!("attempt {} of {} begins a second time", ctx.attempt(), short(ctx.id())));
        }
    }

    /// Called at each checkpoint of a body. Its engine must hold the claim of the job, and its attempt must be the
    /// running one.
    pub(crate) fn pass(&self, line: usize, ctx: &JobContext) -> Result<(), JobError> {
        ctx.check_stopped()?;
        let (job, attempt) = (ctx.id(), ctx.attempt());
        let holder = lock(&self.seen).claims.get(&job).map(|claim| claim.line);
        if holder != Some(line) {
            self.violate(|| {
                format!("attempt {attempt} of {} goes on at {line}, but {holder:?} has the job", short(job))
            });
        }
        let runs =
            |record: &JobRecord| record.attempt == attempt && matches!(record.state, JobState::Running { .. });
        let stored = self.stored(job);
        if !stored.as_ref().is_some_and(runs) {
            self.violate(|| {
                format!("attempt {attempt} of {} goes on at {line}, but it is {stored:?}", short(job))
            });
        }
        Ok(())
    }
}

fn short(job: JobId) -> String {
    job.to_string().split_off(30)
}

/// The connection of an engine to the store.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    world: Arc<World>,
    inner: Arc<SharedMemory>,
    pub(crate) number: usize,
}

impl Line {
    fn is_cut(&self) -> bool {
        let seen = lock(&self.world.seen);
        seen.cut.contains(&self.number) || seen.dead.contains(&self.number)
    }

    fn pass_time(&self) {
        if self.world.calm.load(Ordering::SeqCst) || !self.world.chance(self.world.weather.slow) {
            return;
        }
        let long = self.world.chance(200);
        let most = if long { LEASE * 5 / 2 } else { LEASE / 20 };
        let micros = lock(&self.world.chance).u64(1..=u64::try_from(most.as_micros()).unwrap_or(1));
        sleep(Duration::from_micros(micros));
    }

    /// Whether the network fails this call.
    fn breaks(&self, of_thousand: u32) -> bool {
        self.is_cut() || !self.world.calm.load(Ordering::SeqCst) && self.world.chance(of_thousand)
    }

    /// Makes a call over the line. `call` sees and changes the store in one step.
    fn call<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce() -> Result<T, StoreError>,
        seen: impl FnOnce(&mut Seen, &T),
    ) -> Result<T, StoreError> {
        self.pass_time();
        if self.breaks(self.world.weather.fails) {
            return Err(StoreError::new(ErrorKind::Unavailable, operation, "simulated: the call fails"));
        }
        let answer = self.at_once(call, seen);
        self.pass_time();
        if self.breaks(self.world.weather.loses) {
            self.world.note(|| format!("line {} loses the answer of: {operation}", self.number));
            return Err(StoreError::new(ErrorKind::Unavailable, operation, "simulated: the answer is lost"));
        }
        answer
    }

    fn at_once<T>(
        &self,
        call: impl FnOnce() -> Result<T, StoreError>,
        seen: impl FnOnce(&mut Seen, &T),
    ) -> Result<T, StoreError> {
        let _turn = self.world.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = call();
        if let Ok(answer) = &answer {
            seen(&mut lock(&self.world.seen), answer);
        }
        answer
    }

    fn read<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.call(operation, call, |_, _| {})
    }

    /// Notes a record that was written.
    fn wrote(&self, seen: &mut Seen, next: &JobRecord) {
        self.world.note(|| {
            let why = next.failure.as_ref().map_or("", |failure| failure.message.as_str());
            format!("line {} writes {} {} attempt {} {why}", self.number, short(next.id), next.state, next.attempt)
        });
        if next.state.is_complete() {
            seen.claims.remove(&next.id);
            if let Some(first) = seen.ends.insert(next.id, next.clone()) {
                seen.violation.get_or_insert(format!(
                    "{} ends as {:?} and then again as {next:?}",
                    short(next.id),
                    first
                ));
            }
        }
    }

    /// Notes what a claim has given.
    fn claimed(&self, seen: &mut Seen, claim: &Claim<'_>, claimed: &[Claimed]) {
        let (now, token) = (time::now(), claim.token);
        // An engine asks again for the jobs of a lost answer before it claims others.
        for (&(job, attempt), started) in seen.started.iter_mut().filter(|(_, by)| by.line == self.number) {
            let holds = seen.claims.get(&job).is_some_and(|claim| claim.line == self.number && claim.until > now);
            let is_told = claimed.iter().any(|claimed| claimed.record.id == job);
            started.is_missed |= holds && !is_told && !started.is_known && !seen.begun.contains(&(job, attempt));
        }
        for Claimed { record, started, lost } in claimed {
            let (job, attempt) = (record.id, record.attempt);
            self.world.note(|| {
                let how = if *started {
                    "started"
                } else if *lost {
                    "lost"
                } else {
                    ""
                };
                format!("line {} claims {} {} attempt {attempt} {how}", self.number, short(job), record.state)
            });
            seen.claims.insert(job, Holder { line: self.number, token, until: now + claim.lease });
            seen.given.remove(&(self.number, job));
            if *started {
                let started = Started { line: self.number, is_known: false, is_missed: false };
                seen.started.entry((job, attempt)).or_insert(started);
            } else if let Some(by) = seen.started.get(&(job, attempt))
                && by.is_missed
                && matches!(record.state, JobState::Running { .. })
                && !seen.begun.contains(&(job, attempt))
            {
                let (by, job, other) = (by.line, short(job), self.number);
                seen.violation.get_or_insert(format!(
                    "attempt {attempt} of {job} was started by a claim of {by} whose answer was lost, and {by} did not ask \
                     for it: {other} starts the job again"
                ));
            }
        }
    }

    /// Notes that an engine has the answer of a claim.
    fn told(&self, claimed: &[Claimed]) {
        let seen = &mut *lock(&self.world.seen);
        for Claimed { record, .. } in claimed {
            if let Some(started) = seen.started.get_mut(&(record.id, record.attempt)) {
                started.is_known = true;
            }
        }
    }

    /// Notes what a renewal has answered.
    fn renewed(&self, seen: &mut Seen, lease: Duration, held: &[KnownRevision]) {
        for KnownRevision { id, .. } in held {
            if let Some(claim) = seen.claims.get_mut(id) {
                claim.until = time::now() + lease;
            }
        }
        self.world.note(|| {
            let held: Vec<_> = held.iter().map(|held| (short(held.id), held.revision)).collect();
            format!("line {} renews {held:?}", self.number)
        });
    }

    /// With [`Mistake::PutBackRenewed`]: takes back jobs that this line has given back.
    fn take_back(&self, lease: Duration, held: &mut Vec<KnownRevision>) -> Result<(), StoreError> {
        let taken: Vec<(JobId, Holder)> = {
            let seen = lock(&self.world.seen);
            let others = |id: &JobId| seen.claims.get(id).copied().filter(|claim| claim.line != self.number);
            seen.given
                .iter()
                .filter(|(line, _)| *line == self.number)
                .filter_map(|(_, id)| Some((*id, others(id)?)))
                .collect()
        };
        for (id, holder) in taken {
            let Some(record) = self.world.stored(id) else { continue };
            let Some(other) = lock(&self.world.lines).get(holder.line).cloned() else { continue };
            other.release(&[ClaimId { job: id, token: holder.token }])?;
            let kinds: [JobKind; 1] = [record.spec.kind().clone()];
            let claim = Claim::new(&kinds, 1, lease);
            for claimed in self.inner.claim(&claim)? {
                held.push(KnownRevision { id: claimed.record.id, revision: claimed.record.revision });
                let holder = Holder { line: self.number, token: 0, until: time::now() + lease };
                lock(&self.world.seen).claims.insert(claimed.record.id, holder);
            }
        }
        Ok(())
    }

    /// With [`Mistake::LostLeaseRenewed`], answers that jobs of another claimant are renewed.
    fn answer_for_lost(&self, claims: &[ClaimId], held: &mut Vec<KnownRevision>) {
        let seen = lock(&self.world.seen);
        for ClaimId { job: id, .. } in claims {
            let is_lost = seen.claims.get(id).is_some_and(|claim| claim.line != self.number);
            if is_lost && let Some(record) = self.world.stored(*id) {
                held.push(KnownRevision { id: *id, revision: record.revision });
            }
        }
    }

    /// With [`Mistake::CancelLost`]: whether this is the cancel of a job that is claimed and not begun.
    fn is_unheard(&self, next: &JobRecord) -> bool {
        let seen = lock(&self.world.seen);
        self.world.has(Mistake::CancelLost)
            && next.state == (JobState::Running { cancelling: true })
            && seen.claims.contains_key(&next.id)
            && !seen.begun.contains(&(next.id, next.attempt))
    }
}

#[deny(clippy::missing_trait_methods)]
impl SharedStore for Line {
    forward!(self.inner; shared_seat unreadable holder wake);

    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        let again = claim.again && !self.world.has(Mistake::ClaimStartsTwice);
        let claim = Claim { again, ..*claim };
        let claimed =
            self.call("claim", || self.inner.claim(&claim), |seen, claimed| self.claimed(seen, &claim, claimed))?;
        self.told(&claimed);
        Ok(claimed)
    }

    fn renew(&self, claims: &[ClaimId], lease: Duration) -> Result<Vec<KnownRevision>, StoreError> {
        self.call(
            "renew",
            || {
                let mut held = self.inner.renew(claims, lease)?;
                if self.world.has(Mistake::PutBackRenewed) {
                    self.take_back(lease, &mut held)?;
                }
                if self.world.has(Mistake::LostLeaseRenewed) {
                    self.answer_for_lost(claims, &mut held);
                }
                let seen = lock(&self.world.seen);
                for held in &mut held {
                    if seen.unheard.get(&held.id) == Some(&held.revision) {
                        held.revision -= 1;
                    }
                }
                Ok(held)
            },
            |seen, held| self.renewed(seen, lease, held),
        )
    }

    fn release(&self, claims: &[ClaimId]) -> Result<(), StoreError> {
        self.call(
            "release",
            || self.inner.release(claims),
            |seen, ()| {
                for ClaimId { job, token } in claims {
                    self.world.note(|| format!("line {} gives {} back", self.number, short(*job)));
                    let holds = |claim: &Holder| (claim.line, claim.token) == (self.number, *token);
                    if seen.claims.get(job).is_some_and(holds) {
                        seen.claims.remove(job);
                        seen.given.insert((self.number, *job));
                    }
                }
            },
        )
    }

    fn changed(&self, known: &[KnownRevision]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError> {
        let mut changed = self.read("changed", || self.inner.changed(known))?;
        let seen = lock(&self.world.seen);
        changed.retain(|(id, record)| {
            record.as_ref().is_none_or(|record| seen.unheard.get(id) != Some(&record.revision))
        });
        Ok(changed)
    }

    fn wait(&self, timeout: Duration) -> Result<bool, StoreError> {
        let heard = self.inner.wait(timeout)?;
        // Notices are lost while the line is cut.
        Ok(heard && !self.is_cut())
    }
}

#[deny(clippy::missing_trait_methods)]
impl JobStore for Line {
    forward!(self.inner; seat entries);
    forward! {
        self.inner through [self.read];
        get unfinished_entries filtered_entries count kept least_used remove find_key find_reusable record_reads pin usage
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        self.call(
            "insert",
            || self.inner.insert(records, durability),
            |seen, ()| records.iter().for_each(|record| self.wrote(seen, record)),
        )
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        let is_unheard = self.is_unheard(next);
        self.call(
            "replace",
            || self.inner.replace(next, durability),
            |seen, ()| {
                if is_unheard {
                    seen.unheard.insert(next.id, next.revision);
                }
                self.wrote(seen, next);
            },
        )
    }
}

#[deny(clippy::missing_trait_methods)]
impl ResultStore for Line {
    forward!(self.inner; read held_rows blocks size_on_disk block_bytes);
    forward!(self.inner through [self.read]; result discard save_checkpoint checkpoint save_failures failures);

    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        let inner = self.read("segment", || self.inner.segment(key))?;
        Ok(Box::new(LineSegment { line: self.clone(), inner }))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        let stored = self.call(
            "complete",
            || self.inner.complete(ends, durability),
            |seen, ()| ends.iter().for_each(|(next, _)| self.wrote(seen, next)),
        );
        if self.world.has(Mistake::EndLost)
            && stored.as_ref().is_err_and(|error| error.kind == ErrorKind::Unavailable)
        {
            return Ok(());
        }
        stored
    }
}

#[derive(Debug)]
struct LineSegment {
    line: Line,
    inner: Box<dyn SegmentWriter>,
}

#[deny(clippy::missing_trait_methods)]
impl SegmentWriter for LineSegment {
    forward!(self.inner; visible_rows stored_bytes);
    forward!(self.inner through [self.line.read]; append start_flush show_rows finish);
}
