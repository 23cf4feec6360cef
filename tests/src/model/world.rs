//! [`World`]: a real engine, its model, and the moves on both.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt::Debug,
    ops::ControlFlow,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use job_runner::{
    Clock, Crash, Engine, EngineError, FailureKind, JobId, JobReader, JobRecord, JobState, ManualClock, Outcome,
    PageRequest, Retention, RetryPolicy, StoreError, Timestamp,
    store::{
        ErrorKind, FaultRule, FaultStore, JobStore, MemoryStore, Pin, ResultStore, RocksOptions, RocksStore, Store,
    },
};
use serde_json::{Value, json};

use super::{
    Applied, How, Move,
    expected::{Expected, Fate, later},
};
use crate::script::{self, End, LIST, Script, Stage, Step, row};

/// A place for a store that outlives its engine.
pub trait Backend: Debug + 'static {
    /// Makes a new, empty place.
    fn new() -> Self;
    /// Opens the store there.
    fn open(&self) -> Arc<dyn Store>;
}

/// A place in memory.
#[derive(Debug)]
pub struct InMemory(MemoryStore);

impl Backend for InMemory {
    fn new() -> Self {
        Self(MemoryStore::default())
    }

    fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

/// A place in RocksDB, in a directory of its own.
#[derive(Debug)]
pub struct OnDisk(tempfile::TempDir);

impl Backend for OnDisk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Arc<dyn Store> {
        Arc::new(RocksStore::open(self.0.path(), RocksOptions::default()).unwrap())
    }
}

const QUEUE_BOUND: usize = 6;
const KEPT_JOBS: usize = 6;
const KEPT_AGE: Duration = Duration::from_mins(5);
const AGEING: u64 = 60_000_000;

/// Engine and model.
#[derive(Debug)]
pub struct World<B> {
    backend: B,
    store: Option<FaultStore>,
    engine: Option<Arc<Engine>>,
    clock: Arc<ManualClock>,
    /// Ends the process of the engine.
    crash: Crash,
    /// How many engines were opened: each has a seed of its own.
    opened: u64,
    stage: Arc<Stage>,
    late: bool,
    /// The suspect that may run, of the jobs whose process died while they ran.
    let_in: Option<usize>,
    jobs: Vec<Expected>,
    keys: HashMap<(u8, u8), JobId>,
    finished: HashMap<(u8, u8, bool), JobId>,
    /// Readings that the store does not have yet.
    reads: HashMap<JobId, Timestamp>,
}

impl<B: Backend> World<B> {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let stage = Arc::new(Stage { clock: Some(Arc::clone(&clock)), ..Stage::default() });
        let mut world = Self {
            backend: B::new(),
            store: None,
            engine: None,
            clock,
            crash: Crash::default(),
            opened: 0,
            stage,
            late: false,
            let_in: None,
            jobs: Vec::new(),
            keys: HashMap::new(),
            finished: HashMap::new(),
            reads: HashMap::new(),
        };
        world.open();
        world
    }

    fn open(&mut self) {
        let store = FaultStore::new(self.backend.open());
        let [stage, other] = [&self.stage, &self.stage].map(Arc::clone);
        let mut builder = Engine::builder(Arc::new(store.clone()))
            .manual()
            .accept_any_kind()
            .queue_bound(QUEUE_BOUND)
            .retention(Retention::default().max_jobs(KEPT_JOBS as u64).max_age(KEPT_AGE))
            .clock(Arc::clone(&self.clock) as Arc<dyn Clock>)
            .crash(&self.crash)
            .seed(self.opened)
            .algorithm("now", move |ctx: &mut _| stage.play(ctx));
        if self.late {
            builder = builder.algorithm("late", move |ctx: &mut _| other.play(ctx));
        }
        let engine = Arc::new(builder.open().unwrap());
        self.opened += 1;
        *self.stage.engine.lock() = Arc::downgrade(&engine);
        self.store = Some(store);
        self.engine = Some(engine);
        self.let_in = None;
        // A pause that is over when the engine opens stays over, also when the clock goes back.
        let now = self.now();
        for job in &mut self.jobs {
            job.due = job.not_before.is_some_and(|due| due <= now);
        }
    }

    fn close(&mut self) {
        self.engine = None;
        self.store = None;
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(self.engine.as_ref().expect("the engine is open between moves"))
    }

    fn store(&self) -> FaultStore {
        self.store.clone().expect("the store is open between moves")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes one move in the engine and in the model.
    pub(super) fn make(&mut self, step: Move) {
        match step {
            Move::Submit { script, how, fault } => self.submit(script, how, fault),
            Move::Run => {
                self.run(Mishap::None);
            }
            Move::RunWithFault { write, applied } => {
                self.run(Mishap::Fault(write, applied));
            }
            Move::RunAndCrash { write } => {
                self.run(Mishap::Crash(write));
            }
            Move::Cancel { job, fault } => self.on(job, |world, at| world.cancel(at, fault)),
            Move::Remove { job } => self.on(job, Self::remove),
            Move::Pin { job, keep } => self.on(job, |world, at| world.pin(at, keep)),
            Move::Page { job, offset, limit } => {
                let page = PageRequest::new(offset, limit).unwrap();
                self.on(job, |world, at| world.page(at, page));
            }
            Move::List { offset, limit } => self.list(offset, limit),
            Move::Pass { millis } => {
                self.clock.advance(Duration::from_millis(u64::from(millis)));
                self.engine().driver().tick().unwrap();
                self.ticked(self.now(), None);
            }
            Move::JumpBack { millis } => {
                let back = self.now().as_micros().saturating_sub(u64::from(millis) * 1_000);
                self.clock.set(Timestamp::from_micros(back));
            }
            Move::Reopen { late } => {
                self.close();
                self.flush_reads();
                self.late = late;
                self.open();
            }
            Move::Crash => self.crash(),
        }
        let wrong = std::mem::take(&mut *self.stage.wrong.lock());
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    fn on(&mut self, job: usize, make: impl FnOnce(&mut Self, usize)) {
        if !self.jobs.is_empty() {
            make(self, job % self.jobs.len());
        }
    }

    fn at(&self, id: JobId) -> usize {
        self.jobs.iter().position(|job| job.id == id).expect("the model knows every job")
    }

    // ---- submission

    fn submit(&mut self, script: Script, how: How, fault: Option<Applied>) {
        // Requests that may reuse a result have to be alike, and some of those under one key.
        let alike = |seed: u8| Script { seed: u32::from(seed), steps: vec![Step::Rows(5)], end: End::Well };
        let script = match (how.version, how.key) {
            (Some(version), _) => alike(version),
            (None, Some(key)) if script.seed.is_multiple_of(2) => alike(key),
            _ => script,
        };
        let now = self.now();
        let holder = how.key.and_then(|key| self.keys.get(&(how.graph, key)).copied());
        let holder = self.jobs.iter().find(|job| Some(job.id) == holder && job.state.holds_key());
        let taken = holder.filter(|job| !job.spec.asks_the_same(&spec(&script, how, now))).map(|job| job.id);
        let reused = || how.version.and_then(|v| self.finished.get(&(how.graph, v, how.late)).copied());
        let existing = holder.map(|job| job.id).or_else(reused);
        let waiting = self.jobs.iter().filter(|job| self.is_queued(job) && is_write(job) == how.write).count();
        self.plan(fault);
        let answer = self.engine().submit(spec(&script, how, now));
        self.store().clear();
        match answer {
            Err(EngineError::KeyTaken { job, .. }) => {
                assert!(taken.is_some() && job == taken, "refused for the key of {job:?}, not of {taken:?}");
            }
            Ok(handle) => {
                if let Some(existing) = existing {
                    assert_eq!(taken, None, "the key is that of another request");
                    assert_eq!(handle.id(), existing, "another job stands for this request");
                    return;
                }
                assert!(waiting < QUEUE_BOUND, "a job was taken although {waiting} wait");
                assert_ne!(fault, Some(Applied::No), "a job was acknowledged that is not stored");
                self.acknowledge(handle.id(), script, how, now);
            }
            Err(EngineError::QueueFull { .. }) => {
                assert!(existing.is_none() && waiting >= QUEUE_BOUND, "refused although only {waiting} wait");
            }
            Err(EngineError::Store(error)) => {
                assert!(existing.is_none() && fault == Some(Applied::No), "{error}");
            }
            Err(error) => panic!("a submission: {error}"),
        }
    }

    fn acknowledge(&mut self, id: JobId, script: Script, how: How, now: Timestamp) {
        assert!(self.jobs.iter().all(|job| job.id != id), "two jobs with id {id}");
        if let Some(key) = how.key {
            self.keys.insert((how.graph, key), id);
        }
        self.jobs.push(Expected {
            id,
            spec: spec(&script, how, now),
            script,
            late: how.late,
            state: JobState::Waiting,
            revision: 0,
            attempt: 0,
            failed: 0,
            failure: None,
            submitted: now,
            not_before: None,
            due: false,
            finished: None,
            last_read: None,
            rows: None,
            saved: None,
            pinned: false,
            removed: false,
        });
    }

    fn plan(&self, fault: Option<Applied>) {
        if let Some(applied) = fault {
            self.store().add(applied.at(0));
        }
    }

    /// Whether the job waits in the queue of this engine.
    fn is_queued(&self, job: &Expected) -> bool {
        job.is_waiting() && (!job.late || self.late)
    }

    /// Whether the job would run now.
    fn is_ready(&self, job: &Expected) -> bool {
        // A pause of a clock that was ahead is over.
        let longest = RetryPolicy::default().max_backoff;
        self.is_queued(job) && (job.due || JobRecord::is_over(job.not_before, self.now(), longest))
    }

    // ---- running

    fn run(&mut self, mishap: Mishap) {
        let now = self.now();
        let ready: Vec<usize> = (0..self.jobs.len()).filter(|&at| self.is_ready(&self.jobs[at])).collect();
        for &at in &ready {
            self.jobs[at].due = true;
        }
        self.let_in(&ready);
        let calm = mishap == Mishap::None;
        self.stage.muted.store(!calm, Ordering::SeqCst);
        if let Some(rule) = mishap.rule(&self.crash) {
            self.store().add(rule);
        }
        let ran = self.engine().driver().run_one().is_some();
        assert_eq!(ran, !ready.is_empty(), "{} jobs are ready, but run_one says {ran}", ready.len());
        if matches!(mishap, Mishap::Crash(_)) {
            self.close_dead();
        } else {
            self.store().clear();
        }
        let ran: Vec<usize> = (0..self.jobs.len()).filter(|&at| self.has_moved(at)).collect();
        if calm {
            assert_eq!(ran.len(), usize::from(!ready.is_empty()), "jobs that moved: {ran:?}");
        }
        if let [at] = ran[..] {
            assert!(ready.contains(&at), "job {at} ran, which was not ready");
            self.check_turn(at, &ready);
            self.settle(at, now, mishap);
        }
        if matches!(mishap, Mishap::Crash(_)) {
            self.recovered();
            self.open();
        }
    }

    /// Whether the stored record differs from the model's by more than the events beside the run.
    fn has_moved(&self, at: usize) -> bool {
        let job = &self.jobs[at];
        if job.removed || job.is_complete() {
            return false;
        }
        let store = self.peek_store();
        // A tick inside the body may have ended a waiting job. The model does so when it settles the run.
        let ticked = !self.stage.ticks.lock().is_empty();
        let Some(record) = store.get(job.id).unwrap() else {
            assert!(ticked, "an unfinished job is gone");
            return false;
        };
        let expired = ticked
            && record.attempt == job.attempt
            && record.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Deadline);
        record.revision != job.revision && !expired
    }

    fn peek_store(&self) -> Arc<dyn Store> {
        self.store.as_ref().map_or_else(|| self.backend.open(), |store| Arc::new(store.clone()))
    }

    /// The suspect that may run: the one that was blamed most, then the first by rank.
    fn let_in(&mut self, ready: &[usize]) {
        let waits = |at: usize| self.is_queued(&self.jobs[at]) && is_suspect(&self.jobs[at]);
        if self.let_in.is_none_or(|at| !waits(at)) {
            let suspects = ready.iter().copied().filter(|&at| is_suspect(&self.jobs[at]));
            self.let_in = suspects.min_by_key(|&at| (Reverse(self.jobs[at].failed), rank(&self.jobs[at])));
        }
    }

    /// Inside one lane the rank decides.
    fn check_turn(&self, at: usize, ready: &[usize]) {
        let ran = &self.jobs[at];
        let lane = |job: &Expected| (is_write(job), job.spec.graph().to_owned());
        let first = ready
            .iter()
            .filter(|&&other| !is_suspect(&self.jobs[other]) || self.let_in == Some(other))
            .map(|&other| &self.jobs[other])
            .filter(|job| lane(job) == lane(ran))
            .min_by_key(|job| rank(job));
        assert_eq!(first.map(|job| job.id), Some(ran.id), "another job of the same graph is first");
    }

    /// The run's outcome of the job, compared with the expected one.
    fn settle(&mut self, at: usize, started: Timestamp, mishap: Mishap) {
        let job = &self.jobs[at];
        let store = self.peek_store();
        let record = store.get(job.id).unwrap().expect("a job that ran is stored");
        let result = store.result(job.id).unwrap();
        let found = Found {
            state: record.state,
            failure: record.failure.as_ref().map(|failure| failure.kind),
            rows: result.map(|_| read_rows(&store, job)),
        };
        let due = record.not_before;
        if job.is_past(started) {
            assert_eq!(found, Found::expired(), "a job past its deadline");
            assert_eq!(record.attempt, job.attempt);
        } else if record.state.is_complete() || record.state == JobState::Waiting {
            assert_eq!(record.attempt, job.attempt + 1);
            self.check_fate(at, started, mishap, &found, due);
        } else {
            assert!(matches!(mishap, Mishap::Crash(_)), "a job runs although its run is over: {record:?}");
        }
        let saved = store.checkpoint(job.id).unwrap();
        if mishap != Mishap::None && saved != job.saved && !record.state.is_complete() {
            // The state that was saved last before the fault.
            let steps = job.script.steps.iter().enumerate().filter(|(_, step)| **step == Step::Save);
            let mut may_be = steps.map(|(at, _)| script::saved(job.attempt + 1, at));
            assert!(may_be.any(|one| saved == Some(one)), "job {at} has saved {saved:?}");
        }
        let ticks = std::mem::take(&mut *self.stage.ticks.lock());
        let now = self.now();
        let job = &mut self.jobs[at];
        job.attempt = record.attempt;
        job.failed = record.failed_attempts;
        job.revision = record.revision;
        job.state = record.state;
        job.failure = found.failure;
        job.rows = found.rows;
        job.saved = saved;
        job.not_before = due;
        job.due = false;
        job.finished = record.state.is_complete().then_some(now);
        if record.state == JobState::Complete(Outcome::Succeeded) {
            self.note_finished(at);
        }
        for tick in ticks {
            self.ticked(tick, Some(at));
        }
    }

    fn check_fate(&self, at: usize, started: Timestamp, mishap: Mishap, found: &Found, due: Option<Timestamp>) {
        let job = &self.jobs[at];
        let muted = mishap != Mishap::None;
        let fate = job.fate(started, muted, None);
        let is = |fate: &Fate| {
            let in_time =
                fate.due.clone().is_none_or(|range| due.is_some_and(|due| range.contains(&due.as_micros())));
            let saved = muted || fate.saved == self.peek_store().checkpoint(job.id).unwrap();
            fate.state == found.state
                && fate.failure == found.failure
                && fate.rows == found.rows
                && in_time
                && saved
        };
        if is(&fate) {
            assert!(muted || (fate.now, &fate.ticks) == (self.now(), &*self.stage.ticks.lock()));
            return;
        }
        let Mishap::Fault(..) = mishap else {
            panic!("job {at} became {found:?} (due {due:?}), but had to become {fate:?}");
        };
        // The failed write may be a cancel by the job's own body.
        let cancels = job.script.steps.iter().filter(|step| **step == Step::Cancel).count();
        if (0..cancels).any(|ignored| is(&job.fate(started, muted, Some(ignored)))) {
            return;
        }
        // Otherwise rows could not be stored. The attempt ends without blame, also with steps left.
        assert!(
            job.script.steps.iter().any(Step::stores),
            "job {at} has no rows, but became {found:?}, not {fate:?}"
        );
        let lawful = match (found.state, found.failure) {
            (JobState::Waiting, Some(FailureKind::Store)) => found.rows.is_none(),
            (_, Some(FailureKind::Store)) => false,
            // Rows that could not be stored are not kept, or not all of them.
            (state, failure) => {
                state == fate.state
                    && failure == fate.failure
                    && found.rows.as_ref().is_none_or(|rows| job.script.rows().starts_with(rows))
                    || state == JobState::Complete(Outcome::Cancelled) && cancels > 0
            }
        };
        assert!(lawful, "after a fault job {at} became {found:?}; without it {fate:?}");
    }

    fn note_finished(&mut self, at: usize) {
        let job = &self.jobs[at];
        if let Some(version) = version_of(job) {
            self.finished.insert((graph_of(job), version, job.late), job.id);
        }
    }

    // ---- death and time

    fn crash(&mut self) {
        self.close_dead();
        self.recovered();
        self.open();
    }

    /// Drops everything; nothing is written any more.
    fn close_dead(&mut self) {
        self.crash.now();
        self.close();
        self.reads.clear();
        *self.stage.engine.lock() = std::sync::Weak::new();
    }

    /// The outcome of the next opening for jobs that ran.
    fn recovered(&mut self) {
        let now = self.now();
        for job in self.jobs.iter_mut().filter(|job| !job.removed) {
            let JobState::Running { cancelling } = job.state else { continue };
            job.revision += 1;
            job.failure = None;
            if cancelling {
                job.state = JobState::Complete(Outcome::Cancelled);
            } else if job.failed + 1 >= job.spec.options().max_attempts {
                job.state = JobState::Complete(Outcome::Failed);
                job.failure = Some(FailureKind::Interrupted);
            } else {
                job.state = JobState::Waiting;
                job.failed += 1;
                job.failure = Some(FailureKind::Interrupted);
            }
            job.finished = job.state.is_complete().then_some(now);
        }
    }

    /// Does due work: deadlines first, then notes of readings, then retention.
    fn ticked(&mut self, now: Timestamp, running: Option<usize>) {
        for (at, job) in self.jobs.iter_mut().enumerate() {
            if Some(at) != running && job.is_waiting() && job.is_past(now) {
                job.state = JobState::Complete(Outcome::Failed);
                job.failure = Some(FailureKind::Deadline);
                job.finished = Some(now);
                job.revision += 1;
            }
        }
        self.flush_reads();
        let mut kept: Vec<usize> = (0..self.jobs.len())
            .filter(|&at| Some(at) != running)
            .filter(|&at| self.jobs[at].is_complete() && !self.jobs[at].removed && !self.jobs[at].pinned)
            .collect();
        kept.sort_by_key(|&at| (self.jobs[at].used(), self.jobs[at].id));
        // Jobs that are too old do not count against the number.
        let is_old = |job: &Expected| now.since(job.finished.unwrap_or_default()) > KEPT_AGE;
        let (old, young): (Vec<_>, Vec<_>) = kept.into_iter().partition(|&at| is_old(&self.jobs[at]));
        let surplus = young.len().saturating_sub(KEPT_JOBS);
        for at in old.into_iter().chain(young.into_iter().take(surplus)) {
            self.gone(at);
        }
    }

    fn flush_reads(&mut self) {
        for (id, time) in std::mem::take(&mut self.reads) {
            let at = self.at(id);
            self.jobs[at].last_read = Some(time);
        }
    }

    fn gone(&mut self, at: usize) {
        let id = self.jobs[at].id;
        self.jobs[at].removed = true;
        self.keys.retain(|_, named| *named != id);
        self.finished.retain(|_, named| *named != id);
    }

    // ---- callers

    fn cancel(&mut self, at: usize, fault: Option<Applied>) {
        self.plan(fault);
        let answer = self.engine().cancel(self.jobs[at].id);
        self.store().clear();
        let now = self.now();
        let job = &mut self.jobs[at];
        match answer {
            Ok(_) => {
                assert!(job.is_waiting(), "job {at} was cancelled, which is {}", job.state);
                assert_ne!(fault, Some(Applied::No), "a cancel was acknowledged that is not stored");
                job.state = JobState::Complete(Outcome::Cancelled);
                job.revision += 1;
                job.finished = Some(now);
            }
            Err(EngineError::UnknownJob(_)) => assert!(job.removed),
            Err(EngineError::AlreadyComplete(_)) => assert!(!job.removed && job.is_complete()),
            Err(EngineError::Store(error)) => assert_eq!(fault, Some(Applied::No), "{error}"),
            Err(error) => panic!("a cancel: {error}"),
        }
    }

    fn remove(&mut self, at: usize) {
        let job = &self.jobs[at];
        match self.engine().remove(job.id) {
            Ok(true) => {
                assert!(!job.removed && job.is_complete() && !job.pinned, "job {at} was removed");
                self.gone(at);
            }
            Ok(false) => assert!(job.removed, "job {at} could not be found to be removed"),
            Err(error) => assert!(!job.removed && (!job.is_complete() || job.pinned), "job {at}: {error}"),
        }
    }

    fn pin(&mut self, at: usize, keep: bool) {
        let job = &mut self.jobs[at];
        let pin = if keep { Pin::Keep } else { Pin::Release };
        match self.store.as_ref().unwrap().pin(job.id, pin) {
            Ok(()) => {
                assert!(!job.removed, "a job was pinned that is gone");
                job.pinned = keep;
            }
            Err(error) => assert!(job.removed, "{error}"),
        }
    }

    fn page(&mut self, at: usize, request: PageRequest) {
        let job = &self.jobs[at];
        let Some(handle) = self.engine().job(job.id).unwrap() else {
            return assert!(job.removed, "job {at} is gone");
        };
        assert!(!job.removed, "job {at} is still there");
        let whole = job.rows.clone().unwrap_or_default();
        let page = handle.page(request).unwrap();
        let rows = script::rows(&page).unwrap();
        let window = request.window(whole.len() as u64);
        let wanted = &whole[usize::try_from(window.start).unwrap()..usize::try_from(window.end).unwrap()];
        assert_eq!((page.total(), page.len()), (whole.len() as u64, wanted.len() as u64));
        assert_eq!(page.is_partial(), job.state != JobState::Complete(Outcome::Succeeded));
        assert!(
            rows.len() == wanted.len()
                && rows.iter().zip(wanted).all(|(found, n)| *found == row(job.script.seed, *n)),
            "the page of job {at} has other rows"
        );
        let mut body = Vec::new();
        handle.status(request).unwrap().write_to(&mut body).unwrap();
        let found: Value = serde_json::from_slice(&body).unwrap();
        let message = handle.record().failure.map(|failure| failure.message).unwrap_or_default();
        assert_eq!(found, answer(job, &message, request), "the answer for job {at}");
        let (id, now) = (job.id, self.now());
        self.reads.insert(id, now);
    }

    fn list(&self, offset: u64, limit: u32) {
        let listed = self.engine().reader().list(PageRequest::new(offset, limit).unwrap()).unwrap();
        let mut ids: Vec<JobId> = self.jobs.iter().filter(|job| !job.removed).map(|job| job.id).collect();
        ids.sort_unstable();
        let skip = usize::try_from(offset).unwrap();
        let wanted: Vec<JobId> = ids.into_iter().rev().skip(skip).take(usize::try_from(limit).unwrap()).collect();
        assert_eq!(listed.into_iter().map(|record| record.id).collect::<Vec<_>>(), wanted);
    }

    // ---- comparing

    /// Compares every job of the model with the engine and the store.
    pub(super) fn check(&self) {
        let engine = self.engine();
        let store = self.store();
        for (at, job) in self.jobs.iter().enumerate() {
            let record = store.get(job.id).unwrap();
            if job.removed {
                assert_eq!(record, None, "job {at} is still there");
                continue;
            }
            let record = record.unwrap_or_else(|| panic!("job {at} was acknowledged and is lost"));
            let failure = record.failure.as_ref().map(|failure| failure.kind);
            assert_eq!(
                (record.state, record.revision, record.attempt, record.failed_attempts, failure),
                (job.state, job.revision, job.attempt, job.failed, job.failure),
                "job {at}"
            );
            let saved = job.saved.clone().filter(|_| !job.is_complete());
            assert_eq!(store.checkpoint(job.id).unwrap(), saved, "what job {at} saved");
            assert_eq!(record.finished_at, job.finished, "the end of job {at}");
            assert_eq!(
                record.size.rows,
                job.rows.as_ref().map_or(0, |rows| rows.len() as u64),
                "rows of job {at}"
            );
            let seen = engine.job(job.id).unwrap().expect("the engine finds what the store has");
            let seen = seen.refresh().expect("the store answers");
            assert_eq!(seen, record, "engine and store differ about job {at}");
        }
        let unfinished: Vec<JobId> = store.unfinished().unwrap().iter().map(|record| record.id).collect();
        let mut wanted: Vec<JobId> = self.jobs.iter().filter(|job| job.is_waiting()).map(|job| job.id).collect();
        wanted.sort_unstable();
        assert_eq!(unfinished, wanted, "the unfinished jobs");
    }

    /// Brings every job to its end, and checks every row of every result.
    pub(super) fn finish(&mut self) {
        self.make(Move::Reopen { late: true });
        for _ in 0..100 {
            while self.jobs.iter().any(|job| self.is_ready(job)) {
                self.make(Move::Run);
            }
            let latest = self.jobs.iter().filter(|job| job.is_waiting()).filter_map(|job| job.not_before).max();
            match latest {
                Some(due) => self.clock.set(due.max(self.now())),
                None => break,
            }
        }
        self.check();
        assert!(self.jobs.iter().all(|job| job.removed || job.is_complete()), "a job is stuck");
        for at in 0..self.jobs.len() {
            self.page(at, PageRequest::default());
        }
    }
}

/// Interference with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mishap {
    None,
    Fault(u64, Applied),
    Crash(u64),
}

impl Mishap {
    fn rule(self, crash: &Crash) -> Option<FaultRule> {
        match self {
            Self::None => None,
            Self::Fault(write, applied) => Some(applied.at(write)),
            Self::Crash(write) => {
                let crash = crash.clone();
                Some(Applied::No.at(write).call(move || crash.now()))
            }
        }
    }
}

impl Applied {
    /// An outage at this write.
    fn at(self, write: u64) -> FaultRule {
        let rule = FaultRule::writes().nth(write);
        match self {
            Self::Yes => rule.fail_after(ErrorKind::Unavailable),
            Self::No => rule.fail(ErrorKind::Unavailable),
        }
    }
}

/// The jobs that a run left in the store.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    state: JobState,
    failure: Option<FailureKind>,
    rows: Option<Vec<u64>>,
}

impl Found {
    const fn expired() -> Self {
        Self { state: JobState::Complete(Outcome::Failed), failure: Some(FailureKind::Deadline), rows: None }
    }
}

fn rank(job: &Expected) -> (i128, JobId) {
    let ahead = i128::from(job.spec.options().priority) * i128::from(AGEING);
    (i128::from(job.submitted.as_micros()) - ahead, job.id)
}

/// Whether the process of the job died while the job ran.
fn is_suspect(job: &Expected) -> bool {
    job.is_waiting() && job.failure == Some(FailureKind::Interrupted)
}

/// The numbers of all rows of a result; every row has to be the one of its number.
fn read_rows(store: &Arc<dyn Store>, job: &Expected) -> Vec<u64> {
    #[derive(serde::Deserialize)]
    struct Numbered {
        n: u64,
    }
    let page = JobReader::new(Arc::clone(store)).page(job.id, PageRequest::default()).unwrap();
    let mut numbers = Vec::new();
    page.for_each(|json| {
        let Numbered { n } = serde_json::from_slice(json).expect("a row of a script");
        assert_eq!(json, row(job.script.seed, n).as_bytes(), "row {n}");
        numbers.push(n);
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })
    .unwrap();
    numbers
}

fn spec(script: &Script, how: How, now: Timestamp) -> job_runner::JobSpec {
    let kind = if how.late { "late" } else { "now" };
    let mut spec =
        script.spec(kind, &format!("graph {}", how.graph)).priority(how.priority).max_attempts(how.max_attempts);
    if how.write {
        spec = spec.class(job_runner::JobClass::Write);
    }
    if let Some(key) = how.key {
        spec = spec.idempotency_key(format!("key {key}"));
    }
    if let Some(version) = how.version {
        spec = spec.graph_version(version.to_string()).reuse_result();
    }
    if let Some(millis) = how.deadline {
        spec = spec.deadline(later(now, millis));
    }
    if let Some(rows) = how.max_rows {
        spec = spec.max_rows(u64::from(rows));
    }
    if how.keep_rows { spec.keep_rows() } else { spec }
}

fn is_write(job: &Expected) -> bool {
    job.spec.options().class == job_runner::JobClass::Write
}

fn graph_of(job: &Expected) -> u8 {
    job.spec.graph().trim_start_matches("graph ").parse().unwrap()
}

fn version_of(job: &Expected) -> Option<u8> {
    job.spec.options().graph_version.as_ref().map(|version| version.parse().unwrap())
}

/// The answer to a status query, by the API document.
fn answer(job: &Expected, failure: &str, request: PageRequest) -> Value {
    let reason = |reason: &str| {
        let kind = if job.late { "late" } else { "now" };
        json!({"errorMessage": format!("Running algorithm [{kind}] error: {reason}!"), "errorCode": "GES.8301"})
    };
    match job.state {
        JobState::Waiting => json!({"status": "waiting"}),
        JobState::Running { .. } => json!({"status": "running"}),
        JobState::Complete(Outcome::Cancelled) => reason("the job was cancelled"),
        JobState::Complete(Outcome::Failed) => reason(failure),
        JobState::Complete(Outcome::Succeeded) => success(job, request),
    }
}

fn success(job: &Expected, request: PageRequest) -> Value {
    let mut outputs = serde_json::Map::new();
    for (at, step) in job.script.steps.iter().enumerate() {
        if *step == Step::Value {
            outputs.insert(format!("value {at}"), json!(job.script.seed));
        }
    }
    if job.script.steps.iter().any(Step::writes) {
        let whole = job.rows.clone().unwrap_or_default();
        let window = request.window(whole.len() as u64);
        let rows: Vec<Value> = whole[usize::try_from(window.start).unwrap()..usize::try_from(window.end).unwrap()]
            .iter()
            .map(|&number| serde_json::from_str(&row(job.script.seed, number)).unwrap())
            .collect();
        outputs.insert("data_return_size".to_owned(), json!(rows.len()));
        outputs.insert("data_offset".to_owned(), json!(request.offset()));
        outputs.insert("data_total_size".to_owned(), json!(whole.len()));
        outputs.insert(LIST.to_owned(), Value::Array(rows));
    }
    json!({"data": {"outputs": outputs}, "status": "complete"})
}
