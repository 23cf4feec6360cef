//! A store has one engine, or several that share it. It never has two engines that each take it for theirs alone.

use std::{sync::Arc, time::Duration};

use job_runner::{
    Engine, EngineError, JobState, Outcome,
    store::{ErrorKind, Fault, FaultStore, MemoryStore, SharedMemory, Store, StoreError},
};

use crate::support::{Gate, job, nothing};

fn open(store: &Arc<dyn Store>) -> Result<Engine, EngineError> {
    Engine::builder(Arc::clone(store)).algorithm("a", nothing).manual().open()
}

fn refused(opened: Result<Engine, EngineError>) -> StoreError {
    match opened {
        Err(EngineError::Store(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Two engines on one store would both run its jobs, and three openings would make a healthy job fail.
#[test]
fn a_second_engine_on_a_store_is_refused_and_told_of_the_first() {
    let memory = MemoryStore::default();
    let store: Arc<dyn Store> = Arc::new(memory.clone());
    let first = open(&store).unwrap();
    let handle = first.submit(job("a")).unwrap();
    let others: [Arc<dyn Store>; 3] =
        [Arc::clone(&store), Arc::new(memory), Arc::new(FaultStore::new(Arc::clone(&store)))];
    for other in &others {
        let error = refused(open(other));
        assert_eq!(error.kind, ErrorKind::AlreadyOpen);
        let said = error.to_string();
        assert!(said.contains("the engine opened at ") && said.contains(file!()), "{said}");
    }
    assert!(first.driver().run_one().is_some());
    let record = handle.wait().unwrap();
    assert_eq!((record.state, record.attempt), (JobState::Complete(Outcome::Succeeded), 1));
    drop(first);
    assert_eq!(open(&store).unwrap().job(record.id).unwrap().unwrap().wait(), Ok(record));
}

#[test]
fn a_store_is_free_after_a_shutdown_and_after_an_opening_that_failed() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()) as Arc<dyn Store>);
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    store.plan(Fault::Cut);
    assert_eq!(refused(open(&shared)).kind, ErrorKind::Unavailable);
    store.plan(Fault::Never);
    let first = open(&shared).unwrap();
    first.shutdown(Duration::ZERO);
    let second = open(&shared).unwrap();
    drop(first);
    assert_eq!(refused(open(&shared)).kind, ErrorKind::AlreadyOpen, "the second has it");
    drop(second);
    open(&shared).unwrap();
}

/// A body that never ends must not keep the store from ever being opened again.
#[test]
fn an_engine_that_left_a_body_behind_has_left_its_store() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let (gate, pass) = Gate::new();
    let stuck = move |ctx: &mut job_runner::JobContext| {
        pass(ctx);
        Ok(())
    };
    let engine = Engine::builder(Arc::clone(&store))
        .algorithm("stuck", stuck)
        .workers(1)
        .shutdown_timeout(Duration::ZERO)
        .open()
        .unwrap();
    let handle = engine.submit(job("stuck")).unwrap();
    gate.entered();
    drop(engine);
    let next = open(&store).unwrap();
    let taken_up = store.get(handle.id()).unwrap().unwrap();
    assert_eq!(taken_up.state, JobState::Waiting);
    drop(gate);
    assert_eq!(store.get(handle.id()).unwrap(), Some(taken_up), "what is left behind writes nothing");
    drop(next);
}

#[test]
fn a_store_that_engines_share_is_nobodys_own() {
    let memory = MemoryStore::default();
    let shared = SharedMemory::new(memory.clone());
    let own: Arc<dyn Store> = Arc::new(shared.claimant());
    let error = refused(open(&own));
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.to_string().contains("`Engine::builder_shared`"), "{error}");
    // An engine on the inner store is refused while others share the store, and a shared one while an engine has
    // the inner store.
    let below: Arc<dyn Store> = Arc::new(memory);
    let one = Engine::builder_shared(Arc::new(shared.claimant())).front_end().open().unwrap();
    let other = Engine::builder_shared(Arc::new(shared.claimant())).front_end().open().unwrap();
    drop(one);
    assert_eq!(refused(open(&below)).kind, ErrorKind::AlreadyOpen);
    drop(other);
    let alone = open(&below).unwrap();
    let late = Engine::builder_shared(Arc::new(shared.claimant())).front_end().open();
    assert_eq!(refused(late).kind, ErrorKind::AlreadyOpen);
    drop(alone);
    assert!(Engine::builder_shared(Arc::new(shared)).front_end().open().is_ok());
}

/// Two engines with one claimant would give back each other's claims, as those of a lost answer.
#[test]
fn two_engines_are_not_one_claimant() {
    let claimant = Arc::new(SharedMemory::new(MemoryStore::default()));
    let one = Engine::builder_shared(Arc::<SharedMemory>::clone(&claimant)).front_end().open().unwrap();
    let wrapped = Arc::new(FaultStore::new(Arc::<SharedMemory>::clone(&claimant)));
    let error = refused(Engine::builder_shared(wrapped).front_end().open());
    assert_eq!(error.kind, ErrorKind::AlreadyOpen);
    assert!(error.to_string().contains(file!()), "{error}");
    drop(one);
    assert!(Engine::builder_shared(claimant).front_end().open().is_ok());
}
