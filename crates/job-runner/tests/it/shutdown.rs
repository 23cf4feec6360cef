//! The end of an engine, in order or at once. No call hangs, and no job is lost.

use std::{
    ops::{ControlFlow, Range},
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use job_runner::{
    Engine, EngineError, Iterative, JobContext, JobError, JobSpec, JobState, Outcome, Partition, ScanOptions,
    Shutdown,
    store::{JobStore, MemoryStore, Store},
};
use parking_lot::Mutex;

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
        // From the beginning of the shutdown, the engine takes no more jobs.
        while let Ok(handle) = engine.submit(job("a")) {
            handle.cancel().unwrap();
        }
        gate.open();
        let left = stopping.join().unwrap();
        assert_eq!((left.waiting, left.abandoned), (3, 0));
    });
    assert_eq!(running.wait().unwrap().state, JobState::Complete(Outcome::Succeeded));
    for handle in waiting {
        assert!(matches!(handle.wait(), Err(EngineError::LeftUnfinished(_))));
        assert!(matches!(handle.wait_timeout(Duration::MAX), Err(EngineError::LeftUnfinished(_))));
        assert!(matches!(block_on(handle), Err(EngineError::LeftUnfinished(_))));
    }
}

#[test]
fn after_its_grace_a_shutdown_tells_running_jobs_to_stop() {
    let store = Arc::new(MemoryStore::default());
    let (inside, entered) = wire();
    let engine = Engine::builder(Arc::<MemoryStore>::clone(&store) as Arc<dyn Store>)
        .algorithm("a", move |ctx: &mut JobContext| until_told(ctx, &inside))
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
        .algorithm("stuck", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        })
        .algorithm("a", nothing)
        .workers(2)
        .shutdown_timeout(Duration::from_millis(1))
        .open()
        .unwrap();
    let stuck = engine.submit(job("stuck")).unwrap();
    gate.entered();
    let left = engine.shutdown(Duration::ZERO);
    assert_eq!((left.waiting, left.abandoned), (0, 1));
    assert!(matches!(stuck.wait(), Err(EngineError::LeftUnfinished(_))));
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
    assert!(rig.engine.driver().run_one().is_none());
    assert!(matches!(rig.engine.cancel(waiting.id()), Err(EngineError::Closed(_))));
    assert_eq!(rig.engine.job(done.id).unwrap().unwrap().wait(), Ok(done));
    assert!(matches!(rig.engine.job(waiting.id()).unwrap().unwrap().wait(), Err(EngineError::LeftUnfinished(_))));
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
        // Every acknowledged job is done or waits for the next open, and its handle says which.
        let rig = Rig::on(store, |builder| builder.algorithm("a", nothing));
        let mut waiting = 0;
        for handle in &taken {
            match handle.wait() {
                Ok(record) => assert_eq!(rig.stored(record.id), record),
                Err(error) => {
                    assert_eq!(error, EngineError::LeftUnfinished(handle.id()));
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
            .algorithm("a", move |ctx: &mut JobContext| until_told(ctx, &inside))
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
        assert!(matches!(handle.wait(), Err(EngineError::LeftUnfinished(_))));
        assert!(matches!(handle.cancel(), Err(EngineError::Closed(_))));
    }
}

#[test]
fn a_dropped_engine_stops_its_jobs() {
    let store = Arc::new(MemoryStore::default());
    let (inside, entered) = wire();
    let engine = Engine::builder(Arc::<MemoryStore>::clone(&store) as Arc<dyn Store>)
        .algorithm("a", move |ctx: &mut JobContext| until_told(ctx, &inside))
        .workers(1)
        .open()
        .unwrap();
    let handle = engine.submit(job("a")).unwrap();
    let (tell, told) = wire::<()>();
    handle.on_complete(move |_| drop(tell));
    entered.recv().unwrap();
    drop(engine);
    assert!(handle.wait().is_err());
    // A callback that will not be called is dropped, so that no thread waits for a value that it holds.
    assert!(told.recv().is_err());
}

struct Endless;

impl Iterative for Endless {
    fn step(&mut self) -> Result<ControlFlow<()>, JobError> {
        Ok(ControlFlow::Break(()))
    }

    fn progress(&self) -> Range<u64> {
        0..1
    }

    fn save(&self) -> Option<Vec<u8>> {
        None
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), JobError> {
        Ok(())
    }
}

/// Makes every fallible call of a context. Returns their names and whether they succeeded.
fn every_call(ctx: &JobContext) -> Vec<(&'static str, bool)> {
    vec![
        ("checkpoint", ctx.check_stopped().is_ok()),
        ("rows", ctx.rows("n").is_ok()),
        ("output", ctx.set_output("late", &1).is_ok()),
        (
            "scan",
            ctx.scan("n", 0..1, ScanOptions::default().partition_size(1), |part: &mut Partition<'_>| {
                part.push(&1)
            })
            .is_ok(),
        ),
        ("report_memory", ctx.report_memory(1).is_ok()),
        ("save_checkpoint", ctx.save_checkpoint(b"late").is_ok()),
        ("load_checkpoint", ctx.load_checkpoint().is_ok()),
        ("iterate", ctx.iterate(&mut Endless).is_ok()),
    ]
}

#[test]
fn a_body_that_is_left_behind_can_do_nothing_more() {
    let store = Arc::new(MemoryStore::default());
    let (gate, pass) = Gate::new();
    let (tell, told) = wire();
    let body = move |ctx: &mut JobContext| {
        let mut rows = ctx.rows("n")?;
        if ctx.attempt() == 1 {
            assert!(every_call(ctx).iter().all(|(_, well)| *well));
            pass(ctx);
            let mut calls = every_call(ctx);
            // Rows up to a full block.
            calls.push(("push", (0..50_000).any(|n| rows.push(&n).is_ok())));
            tell.send(calls).unwrap();
        }
        Ok(())
    };
    let builder = Engine::builder(Arc::<MemoryStore>::clone(&store) as Arc<dyn Store>);
    let engine =
        builder.algorithm("late", body.clone()).workers(1).shutdown_timeout(Duration::ZERO).open().unwrap();
    let handle = engine.submit(job("late")).unwrap();
    gate.entered();
    let left = engine.shutdown(Duration::ZERO);
    assert_eq!((left.waiting, left.abandoned), (0, 1));
    assert_eq!(engine.shutdown(Duration::MAX), left, "the same answer");
    drop(engine);
    assert_eq!(handle.wait(), Err(EngineError::LeftUnfinished(handle.id())));
    let stored = store.get(handle.id()).unwrap();
    gate.open();
    let calls = told.recv().unwrap();
    assert!(calls.iter().all(|(_, well)| !well), "{calls:?}");
    drop(gate);
    // The worker has ended, and with it everything that holds the store.
    drop(handle);
    while Arc::strong_count(&store) > 1 {
        thread::yield_now();
    }
    let id = stored.as_ref().unwrap().id;
    assert_eq!(store.get(id).unwrap(), stored, "nothing was stored");
    let rig = Rig::on(store, |builder| builder.algorithm("late", body));
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!((rig.stored(id).attempt, rig.stored(id).state), (2, JobState::Complete(Outcome::Succeeded)));
}

/// An engine that waits for hours for a body that does not stop. Its jobs can drop it.
fn held(setup: impl FnOnce(job_runner::EngineBuilder) -> job_runner::EngineBuilder) -> Arc<Mutex<Option<Engine>>> {
    let engine = setup(Engine::builder(Arc::new(MemoryStore::default())))
        .workers(3)
        .shutdown_timeout(Duration::from_hours(10))
        .open()
        .unwrap();
    Arc::new(Mutex::new(Some(engine)))
}

fn drop_engine(of: &Mutex<Option<Engine>>) {
    let engine = of.lock().take();
    drop(engine);
}

#[test]
fn the_last_engine_that_is_dropped_inside_a_handler_does_not_wait_for_that_handler() {
    let (hand, handed) = wire::<Arc<Mutex<Option<Engine>>>>();
    let (tell, told) = wire();
    let engine = held(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            drop_engine(&handed.recv().unwrap());
            tell.send(ctx.check_stopped()).unwrap();
            Ok(())
        })
    });
    let handle = engine.lock().as_ref().unwrap().submit(job("a")).unwrap();
    hand.send(engine).unwrap();
    assert_eq!(
        told.recv_timeout(Duration::from_mins(2)),
        Ok(Err(JobError::Stopped(job_runner::StopCause::Shutdown)))
    );
    assert_eq!(handle.wait(), Err(EngineError::LeftUnfinished(handle.id())));
}

#[test]
fn a_handler_that_shuts_its_engine_down_is_left_behind_and_counted() {
    let (hand, handed) = wire::<Arc<Mutex<Option<Engine>>>>();
    let (tell, told) = wire();
    let engine = held(|builder| {
        builder.algorithm("a", move |_: &mut JobContext| {
            let engine = handed.recv().unwrap();
            let left = engine.lock().as_ref().unwrap().shutdown(Duration::MAX);
            tell.send(left).unwrap();
            Ok(())
        })
    });
    let handle = engine.lock().as_ref().unwrap().submit(job("a")).unwrap();
    hand.send(Arc::clone(&engine)).unwrap();
    let left = told.recv_timeout(Duration::from_mins(2)).unwrap();
    assert_eq!((left.waiting, left.abandoned), (0, 1));
    assert_eq!(handle.wait(), Err(EngineError::LeftUnfinished(handle.id())));
}

#[test]
fn the_last_engine_that_is_dropped_inside_a_partition_does_not_wait_for_its_scan() {
    let (hand, handed) = wire::<Arc<Mutex<Option<Engine>>>>();
    let (tell, told) = wire();
    let engine = held(|builder| {
        builder.vertex_filter(move |ctx: &mut JobContext| {
            let (handed, tell) = (handed.clone(), tell.clone());
            let together = Barrier::new(3);
            ctx.scan("n", 0..3, ScanOptions::default().partition_size(1), move |part: &mut Partition<'_>| {
                // Each job runs on its own worker.
                together.wait();
                if part.ids().start == 2 {
                    drop_engine(&handed.recv().unwrap());
                    tell.send(()).unwrap();
                }
                part.check_stopped()
            })
        })
    });
    let handle = engine.lock().as_ref().unwrap().submit(JobSpec::vertex_filter().with_graph("g")).unwrap();
    hand.send(engine).unwrap();
    told.recv_timeout(Duration::from_mins(2)).unwrap();
    assert_eq!(handle.wait(), Err(EngineError::LeftUnfinished(handle.id())));
}

/// The drop is on the thread that stores ends, while the ends of others wait for it.
#[test]
fn the_last_engine_that_is_dropped_in_a_callback_waits_for_no_end_that_its_thread_has_to_store() {
    for _ in 0..20 {
        let (gate, pass) = Gate::new();
        let engine = held(|builder| {
            builder.algorithm("gated", move |ctx: &mut JobContext| {
                pass(ctx);
                Ok(())
            })
        });
        let handles = engine.lock().as_ref().unwrap().submit_all(vec![job("gated"); 3]).unwrap();
        let (tell, told) = wire();
        for handle in &handles {
            let (tell, engine) = (tell.clone(), Arc::clone(&engine));
            handle.on_complete(move |_| {
                drop_engine(&engine);
                tell.send(()).unwrap();
            });
        }
        drop((engine, tell));
        for _ in &handles {
            gate.entered();
        }
        drop(gate);
        for _ in &handles {
            told.recv_timeout(Duration::from_mins(2)).unwrap();
        }
        assert!(
            handles.iter().all(|handle| handle.wait().unwrap().state == JobState::Complete(Outcome::Succeeded))
        );
    }
}

#[test]
fn a_callback_that_comes_after_its_job_was_lost_is_dropped_at_once() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    rig.engine.shutdown(Duration::ZERO);
    for handle in [handle.clone(), rig.engine.job(handle.id()).unwrap().unwrap()] {
        let (tell, told) = wire::<()>();
        handle.on_complete(move |_| tell.send(()).unwrap());
        assert!(told.recv().is_err(), "nobody waits for what it holds");
        assert_eq!(handle.watch().next(), None);
    }
}
