//! The end of an engine: in order, or at once; nobody hangs and nothing is lost.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use job_runner::{
    Ending, Engine, EngineError, JobState, Shutdown,
    store::{JobStore, MemoryStore, Store},
};

use crate::support::{Gate, Rig, block_on, drain, gated, job, nothing, page, until_told, wire};

#[test]
fn a_shutdown_lets_running_jobs_end_and_leaves_waiting_ones() {
    let (gate, body) = gated();
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("gated", body)
        .algorithm("a", nothing)
        .workers(1)
        .open()
        .unwrap();
    let running = engine.submit(job("gated")).unwrap();
    gate.entered();
    let waiting = engine.submit_all(vec![job("a"); 3]).unwrap();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| engine.shutdown(Duration::MAX));
        // It takes no more jobs from the moment it has begun.
        while let Ok(handle) = engine.submit(job("a")) {
            handle.cancel().unwrap();
        }
        gate.open();
        let left = stopping.join().unwrap();
        assert_eq!((left.waiting, left.abandoned), (3, 0));
    });
    assert_eq!(running.wait().unwrap().state, JobState::Complete(Ending::Succeeded));
    for handle in waiting {
        assert!(matches!(handle.wait(), Err(EngineError::ShuttingDown)));
        assert!(matches!(handle.wait_timeout(Duration::MAX), Err(EngineError::ShuttingDown)));
        assert!(matches!(block_on(handle), Err(EngineError::ShuttingDown)));
    }
}

#[test]
fn after_its_grace_a_shutdown_tells_running_jobs_to_stop() {
    let store = Arc::new(MemoryStore::default());
    let (inside, entered) = wire();
    let engine = Engine::builder(Arc::<MemoryStore>::clone(&store) as Arc<dyn Store>)
        .algorithm("a", move |ctx: &mut job_runner::JobContext| until_told(ctx, &inside))
        .workers(2)
        .open()
        .unwrap();
    let handles = engine.submit_all(vec![job("a"); 3]).unwrap();
    entered.recv().unwrap();
    entered.recv().unwrap();
    let left = engine.shutdown(Duration::from_millis(1));
    assert_eq!((left.waiting, left.abandoned), (3, 0));
    for handle in handles {
        assert_eq!(store.get(handle.id()).unwrap().unwrap().state, JobState::Waiting);
        assert!(handle.wait().is_err());
    }
}

#[test]
fn a_body_that_never_looks_is_left_behind_and_counted() {
    let (gate, pass) = Gate::new();
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("stuck", move |ctx: &mut job_runner::JobContext| {
            pass(ctx);
            Ok(())
        })
        .algorithm("a", nothing)
        .workers(2)
        .stop_grace(Duration::from_millis(1))
        .open()
        .unwrap();
    let stuck = engine.submit(job("stuck")).unwrap();
    gate.entered();
    let left = engine.shutdown(Duration::ZERO);
    assert_eq!((left.waiting, left.abandoned), (0, 1));
    assert!(matches!(stuck.wait(), Err(EngineError::ShuttingDown)));
    drop(engine); // does not wait again
}

#[test]
fn a_second_shutdown_does_nothing_and_calls_after_it_are_answered() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let done = rig.finish(job("a"));
    let waiting = rig.submit(job("a"));
    let left = rig.engine.shutdown(Duration::ZERO);
    assert_eq!((left.waiting, left.abandoned), (1, 0));
    let again: Shutdown = rig.engine.shutdown(Duration::MAX);
    assert_eq!(again.abandoned, 0);
    assert!(matches!(rig.engine.submit(job("a")), Err(EngineError::ShuttingDown)));
    assert!(matches!(rig.engine.submit_timeout(job("a"), Duration::MAX), Err(EngineError::ShuttingDown)));
    assert!(!rig.engine.run_one());
    assert!(matches!(rig.engine.cancel(waiting.id()), Err(EngineError::ShuttingDown)));
    assert_eq!(rig.engine.job(done.id).unwrap().unwrap().wait(), Ok(done));
    assert!(matches!(rig.engine.job(waiting.id()).unwrap().unwrap().wait(), Err(EngineError::ShuttingDown)));
    assert_eq!(rig.engine.reader().list(page(0, 10)).unwrap().len(), 2);
}

#[test]
fn who_waits_for_room_is_told_of_a_shutdown() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing).queue_bound(1));
    rig.queue(job("a"));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| rig.engine.submit_timeout(job("a"), Duration::MAX));
        rig.engine.shutdown(Duration::ZERO);
        assert!(matches!(waiting.join().unwrap(), Err(EngineError::ShuttingDown)));
    });
}

#[test]
fn race_shutdown_against_submit() {
    for _ in 0..100 {
        let store = Arc::new(MemoryStore::default());
        let engine = Engine::builder(Arc::<MemoryStore>::clone(&store) as Arc<dyn Store>)
            .algorithm("a", nothing)
            .workers(2)
            .open()
            .unwrap();
        let start = Barrier::new(3);
        let taken = thread::scope(|scope| {
            let submitters: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let mut taken = Vec::new();
                        while let Ok(handle) = engine.submit(job("a")) {
                            taken.push(handle);
                        }
                        taken
                    })
                })
                .collect();
            start.wait();
            engine.shutdown(Duration::MAX);
            submitters.into_iter().flat_map(|submitter| submitter.join().unwrap()).collect::<Vec<_>>()
        });
        drop(engine);
        // Whatever was acknowledged is done or waits for the next open, and its handle says which.
        let rig = Rig::on(store, |builder| builder.algorithm("a", nothing));
        let mut waiting = 0;
        for handle in &taken {
            match handle.wait() {
                Ok(record) => assert_eq!(rig.stored(record.id), record),
                Err(error) => {
                    assert_eq!(error, EngineError::ShuttingDown);
                    assert_eq!(rig.stored(handle.id()).state, JobState::Waiting);
                    waiting += 1;
                }
            }
        }
        assert_eq!(drain(&rig.engine), waiting, "refused ones were not stored");
    }
}

#[test]
fn race_two_shutdowns() {
    for _ in 0..100 {
        let (inside, entered) = wire();
        let engine = Engine::builder(Arc::new(MemoryStore::default()))
            .algorithm("a", move |ctx: &mut job_runner::JobContext| until_told(ctx, &inside))
            .workers(2)
            .open()
            .unwrap();
        let handle = engine.submit(job("a")).unwrap();
        entered.recv().unwrap();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(engine.shutdown(Duration::ZERO).abandoned, 0));
            }
        });
        assert!(matches!(handle.wait(), Err(EngineError::ShuttingDown)));
        assert!(matches!(handle.cancel(), Err(EngineError::ShuttingDown)));
    }
}

#[test]
fn a_dropped_engine_stops_its_jobs() {
    let store = Arc::new(MemoryStore::default());
    let (inside, entered) = wire();
    let engine = Engine::builder(Arc::<MemoryStore>::clone(&store) as Arc<dyn Store>)
        .algorithm("a", move |ctx: &mut job_runner::JobContext| until_told(ctx, &inside))
        .workers(1)
        .open()
        .unwrap();
    let handle = engine.submit(job("a")).unwrap();
    let (tell, told) = wire::<()>();
    handle.on_end(move |_| drop(tell));
    entered.recv().unwrap();
    drop(engine);
    assert!(handle.wait().is_err());
    // A callback that will never be called is dropped: nobody waits for what it holds.
    assert!(told.recv().is_err());
}
