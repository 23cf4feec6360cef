//! Only a job that dies alone is blamed. Jobs beside one that kills its process reach their end.

use std::{sync::Arc, time::Duration};

use job_runner::{
    Engine, EngineBuilder, Explanation, FailureKind, JobContext, JobHandle, JobId, JobState, ManualClock, Outcome,
    store::{Fault, FaultStore, JobStore, MemoryStore, Store},
};

use crate::support::{Gate, drain, job, nothing};

/// One process after another on one store. In each, bodies stay inside until it dies, and make no call to the
/// store.
struct Lives {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    /// The gates of the bodies that died, which never go on.
    gates: Vec<Gate>,
}

struct Life {
    engine: Engine,
    store: FaultStore,
    gate: Gate,
}

impl Lives {
    fn new() -> Self {
        Self { store: Arc::default(), clock: Arc::default(), gates: Vec::new() }
    }

    fn open(&self, store: Arc<dyn Store>, setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Engine {
        let builder =
            Engine::builder(store).clock(Arc::<ManualClock>::clone(&self.clock)).shutdown_timeout(Duration::ZERO);
        setup(builder).open().unwrap()
    }

    /// A process in which bodies stay inside.
    fn life(&self) -> Life {
        let store = FaultStore::new(Arc::<MemoryStore>::clone(&self.store) as Arc<dyn Store>);
        let (gate, pass) = Gate::new();
        let stay = move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        };
        let engine = self.open(Arc::new(store.clone()), |builder| builder.algorithm("stay", stay).workers(4));
        Life { engine, store, gate }
    }

    fn die(&mut self, life: Life) {
        life.store.plan(Fault::WritesFrom(0));
        drop(life.engine);
        self.gates.push(life.gate);
    }

    /// An engine without threads, in which bodies reach their end.
    fn last(&self) -> Engine {
        let store = Arc::<MemoryStore>::clone(&self.store) as Arc<dyn Store>;
        self.open(store, |builder| builder.algorithm("stay", nothing).manual())
    }

    /// State, blame and suspicion of a job as it is stored.
    fn stored(&self, id: JobId) -> (JobState, u32, bool) {
        let record = self.store.get(id).unwrap().unwrap();
        (record.state, record.failed_attempts, record.is_suspect())
    }
}

const RUNNING: JobState = JobState::Running { cancelling: false };

/// Waits until `N` bodies run. Returns their jobs.
fn inside<const N: usize>(life: &Life) -> [JobId; N] {
    let mut inside = [(); N].map(|()| life.gate.entered());
    inside.sort();
    inside
}

/// The job must not end as "the process died while it ran (attempt 3 of 3)".
#[test]
fn a_job_that_runs_beside_one_that_kills_its_process_three_times_is_not_blamed() {
    let mut lives = Lives::new();
    let life = lives.life();
    let [long, killer] = [(); 2].map(|()| life.engine.submit(job("stay")).unwrap().id());
    assert_eq!(inside(&life), [long, killer]);
    lives.die(life);

    // Each job may be at fault, so none is blamed, and one suspect runs at a time. Here this suspect is not at
    // fault.
    let life = lives.life();
    assert_eq!(inside(&life), [long]);
    assert_eq!(lives.stored(killer), (JobState::Waiting, 0, true));
    let why = life.engine.explain(killer).unwrap();
    assert_eq!(why, Explanation::Suspect);
    assert!(why.to_string().starts_with("it waits: its process died while it and others ran"), "{why}");
    lives.clock.advance(Duration::from_secs(59));
    life.engine.driver().tick().unwrap();
    assert_eq!(lives.stored(long), (RUNNING, 0, true));
    lives.clock.advance(Duration::from_secs(1));
    life.engine.driver().tick().unwrap();
    assert_eq!(lives.stored(long), (RUNNING, 0, false));
    assert_eq!(inside(&life), [killer], "beside the one that is cleared");
    lives.die(life);

    // One of the jobs was the suspect at a death. From here on it comes first, and no other job is blamed for its
    // deaths.
    for deaths in 1..=2 {
        let life = lives.life();
        assert_eq!(inside(&life), [killer]);
        assert_eq!(
            (lives.stored(killer), lives.stored(long)),
            ((RUNNING, deaths, true), (JobState::Waiting, 0, true))
        );
        lives.die(life);
    }
    let last = lives.last();
    let record = lives.store.get(killer).unwrap().unwrap();
    assert_eq!(record.state, JobState::Complete(Outcome::Failed));
    let failure = record.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Interrupted);
    assert_eq!(failure.message, "the process died while it ran (attempt 3 of 3)");
    assert_eq!(drain(&last), 1);
    assert_eq!(lives.stored(long), (JobState::Complete(Outcome::Succeeded), 0, false));
}

/// Another job beside the suspects may cause a death. The suspect is then cleared by its own end.
#[test]
fn suspects_run_one_after_another_and_are_cleared_by_their_ends() {
    let mut lives = Lives::new();
    let life = lives.life();
    let ids: Vec<_> = life.engine.submit_all(vec![job("stay"); 4]).unwrap().iter().map(JobHandle::id).collect();
    assert_eq!(inside::<4>(&life)[..], ids);
    lives.die(life);
    let life = lives.life();
    assert_eq!(inside(&life), [ids[0]]);
    for next in 1..4 {
        life.gate.open();
        assert_eq!(inside(&life), [ids[next]]);
        // The next suspect runs only after the end of the last one is stored. Otherwise both would be suspects
        // after a death now.
        assert_eq!(lives.stored(ids[next - 1]), (JobState::Complete(Outcome::Succeeded), 0, false));
    }
    let other = life.engine.submit(job("stay")).unwrap();
    assert_eq!(inside(&life), [other.id()], "beside the one suspect");
    lives.die(life);
}

/// A job that waited when its process died must not be blamed.
#[test]
fn a_suspect_that_waits_when_the_process_dies_is_not_blamed() {
    let mut lives = Lives::new();
    let life = lives.life();
    let [one, other] = [(); 2].map(|()| life.engine.submit(job("stay")).unwrap().id());
    assert_eq!(inside(&life), [one, other]);
    lives.die(life);
    for deaths in 0..2 {
        let life = lives.life();
        assert_eq!(inside(&life), [one]);
        assert_eq!(
            (lives.stored(one), lives.stored(other)),
            ((RUNNING, deaths, true), (JobState::Waiting, 0, true))
        );
        lives.die(life);
    }
}

/// An orderly shutdown is no death, and clears no suspect.
#[test]
fn a_shutdown_blames_and_clears_nobody() {
    let mut lives = Lives::new();
    let life = lives.life();
    let [one, other] = [(); 2].map(|()| life.engine.submit(job("stay")).unwrap().id());
    assert_eq!(inside(&life), [one, other]);
    lives.die(life);
    let store = Arc::<MemoryStore>::clone(&lives.store) as Arc<dyn Store>;
    let (inside, entered) = crate::support::wire();
    let obey = move |ctx: &mut JobContext| crate::support::until_told(ctx, &inside);
    let engine = lives.open(store, |builder| {
        builder.algorithm("stay", obey).workers(2).shutdown_timeout(Duration::from_mins(1))
    });
    entered.recv().unwrap();
    drop(engine);
    assert_eq!([one, other].map(|id| lives.stored(id)), [(JobState::Waiting, 0, true); 2]);
    assert_eq!(drain(&lives.last()), 2);
}

/// The process dies at each write of the recovery. No job is blamed for the death of another.
#[test]
fn a_process_that_dies_while_it_takes_jobs_up_blames_nobody_for_it() {
    for write in 0..4 {
        for done in [false, true] {
            let mut lives = Lives::new();
            let life = lives.life();
            let ids = [(); 3].map(|()| life.engine.submit(job("stay")).unwrap().id());
            assert_eq!(inside(&life), ids);
            lives.die(life);
            lives.clock.advance(Duration::from_secs(1));
            let store = FaultStore::new(Arc::<MemoryStore>::clone(&lives.store) as Arc<dyn Store>);
            store.plan(Fault::WritesFrom(write + u64::from(done)));
            let opened =
                Engine::builder(Arc::new(store)).clock(Arc::<ManualClock>::clone(&lives.clock)).manual().open();
            drop(opened);
            lives.clock.advance(Duration::from_secs(1));
            drop(lives.last());
            for id in ids {
                assert_eq!(lives.stored(id), (JobState::Waiting, 0, true), "write {write}");
            }
        }
    }
}

/// After the cancel of a waiting suspect, a thread must look for the next suspect.
#[test]
fn a_suspect_that_is_cancelled_while_it_waits_lets_the_next_one_run() {
    let mut lives = Lives::new();
    let life = lives.life();
    let ids = [(); 3].map(|()| life.engine.submit(job("stay")).unwrap().id());
    assert_eq!(inside(&life), ids);
    lives.die(life);
    // The first suspect runs. The second one may run after it, and is cancelled before that.
    let life = lives.life();
    assert_eq!(inside(&life), [ids[0]]);
    life.engine.cancel(ids[1]).unwrap();
    life.gate.open();
    assert_eq!(inside(&life), [ids[2]]);
    lives.die(life);
}
