//! Cancels at every moment of a job's life, and beside every other event.

use std::{sync::Barrier, thread, time::Duration};

use job_runner::{
    Clock, Engine, EngineError, FailureKind, JobContext, JobError, JobState, ManualClock, Outcome, StopCause,
    store::MemoryStore,
};
use std::sync::Arc;

use crate::support::{Gate, Rig, drain, gated, job, nothing, page, rows, wire};

const CANCELLED: JobState = JobState::Complete(Outcome::Cancelled);
const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);

#[test]
fn a_waiting_job_is_cancelled_at_once() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    rig.clock.advance(Duration::from_secs(1));
    let record = handle.cancel().unwrap();
    assert_eq!((record.state, record.finished_at), (CANCELLED, Some(rig.clock.now())));
    assert_eq!((record.cancel_requested_at, record.attempt), (None, 0));
    assert_eq!(handle.wait(), Ok(record.clone()));
    assert_eq!(rig.stored(handle.id()), record);
    assert_eq!(drain(&rig.engine), 0, "it does not run any more");
}

#[test]
fn a_running_job_shows_the_wish_and_stops_at_its_next_checkpoint() {
    let (gate, body) = gated();
    let rig = Rig::new(|builder| builder.algorithm("a", body));
    let handle = rig.submit(job("a"));
    thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        rig.clock.advance(Duration::from_secs(1));
        let asked = handle.cancel().unwrap();
        assert_eq!(asked.state, JobState::Running { cancelling: true });
        assert_eq!(handle.wait_timeout(Duration::ZERO), Ok(None));
        rig.clock.advance(Duration::from_secs(2));
        gate.open();
    });
    let record = handle.wait().unwrap();
    let (requested, stopped) = (record.cancel_requested_at.unwrap(), record.finished_at.unwrap());
    assert_eq!((record.state, record.failure), (CANCELLED, None));
    assert_eq!(requested.since(record.submitted_at), Duration::from_secs(1));
    assert_eq!(stopped.since(requested), Duration::from_secs(2));
}

#[test]
fn a_second_cancel_of_a_running_job_changes_nothing() {
    let (gate, body) = gated();
    let rig = Rig::new(|builder| builder.algorithm("a", body));
    let handle = rig.submit(job("a"));
    thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        let first = handle.cancel().unwrap();
        rig.clock.advance(Duration::from_secs(1));
        assert_eq!(rig.engine.cancel(handle.id()), Ok(first));
        gate.open();
    });
    assert_eq!(handle.record().state, CANCELLED);
}

#[test]
fn a_complete_job_cannot_be_cancelled() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert_eq!(handle.cancel(), Err(EngineError::AlreadyComplete(handle.id())));
    assert_eq!(rig.engine.cancel(handle.id()), Err(EngineError::AlreadyComplete(handle.id())));
    assert_eq!(handle.record().state, SUCCEEDED);
}

#[test]
fn a_handler_that_claims_to_have_been_cancelled_failed() {
    let rig =
        Rig::new(|builder| builder.algorithm("a", |_: &mut JobContext| Err(JobError::Stopped(StopCause::Cancel))));
    let failure = rig.finish(job("a")).failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Handler);
    assert!(failure.message.contains("nobody told it to"), "{failure}");
}

#[test]
fn a_body_that_ignores_the_wish_and_ends_well_succeeded() {
    let (gate, pass) = Gate::new();
    let rig = Rig::new(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        })
    });
    let handle = rig.submit(job("a"));
    thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        handle.cancel().unwrap();
        gate.open();
    });
    let record = handle.record();
    assert_eq!(record.state, SUCCEEDED);
    assert!(record.cancel_requested_at.is_some());
}

#[test]
fn a_body_that_fails_after_the_wish_failed() {
    let (gate, pass) = Gate::new();
    let rig = Rig::new(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            pass(ctx);
            Err(JobError::failed("no"))
        })
    });
    let handle = rig.submit(job("a"));
    thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        handle.cancel().unwrap();
        gate.open();
    });
    assert_eq!(handle.record().failure.unwrap().message, "no");
}

#[test]
fn rows_so_far_are_kept_on_request() {
    for keep in [true, false] {
        let (gate, pass) = Gate::new();
        let rig = Rig::new(|builder| {
            builder.algorithm("a", move |ctx: &mut JobContext| {
                let mut rows = ctx.rows("n")?;
                for n in 0..50_000 {
                    rows.push(&n)?;
                }
                ctx.set_output("stage", "one")?;
                pass(ctx);
                ctx.check_stopped()
            })
        });
        let handle = rig.submit(if keep { job("a").keep_rows() } else { job("a") });
        thread::scope(|scope| {
            scope.spawn(|| rig.engine.driver().run_one());
            gate.entered();
            handle.cancel().unwrap();
            gate.open();
        });
        let record = handle.record();
        assert_eq!((record.state, record.size.rows), (CANCELLED, if keep { 50_000 } else { 0 }));
        let shown = handle.page(page(0, 100_000)).unwrap();
        assert!(shown.is_partial());
        assert_eq!(shown.len(), record.size.rows);
        if keep {
            assert_eq!(rows(&handle, 49_998, 10), [49_998, 49_999]);
            let result = rig.engine.reader().result(handle.id()).unwrap().unwrap();
            assert_eq!(result.outputs.iter().count(), 1);
        }
    }
}

#[test]
fn a_token_tells_why_to_stop() {
    let (gate, pass) = Gate::new();
    let (tell, causes) = wire();
    let rig = Rig::new(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            let token = ctx.cancel_token();
            pass(ctx);
            tell.send(token.cause()).unwrap();
            ctx.check_stopped()
        })
    });
    let handle = rig.submit(job("a"));
    thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        handle.cancel().unwrap();
        gate.open();
    });
    assert_eq!(causes.recv(), Ok(Some(StopCause::Cancel)));
}

/// Runs `one` and `other` at the same moment on two threads, `rounds` times with a job of its own each time.
fn race(
    rounds: usize,
    engine: &Engine,
    name: &str,
    other: impl Fn(&job_runner::JobHandle) + Sync,
) -> Vec<JobState> {
    (0..rounds)
        .map(|_| {
            let handle = engine.submit(job(name)).unwrap();
            let start = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    engine.driver().run_one();
                });
                start.wait();
                other(&handle);
            });
            // In either order every wait ends with the stored end.
            let record = handle.wait().unwrap();
            assert_eq!(engine.reader().record(handle.id()).unwrap(), Some(record.clone()));
            record.state
        })
        .collect()
}

#[test]
fn race_complete_against_cancel() {
    let rig = Rig::new(|builder| builder.algorithm("a", |ctx: &mut JobContext| ctx.check_stopped()));
    let ends = race(500, &rig.engine, "a", |handle| match handle.cancel() {
        Ok(record) => assert!(record.state != SUCCEEDED),
        Err(error) => assert_eq!(error, EngineError::AlreadyComplete(handle.id())),
    });
    assert!(ends.iter().all(|end| [SUCCEEDED, CANCELLED].contains(end)));
    assert_eq!(rig.engine.stats(), job_runner::Stats::default());
}

#[test]
fn race_complete_against_cancel_in_both_orders() {
    // The cancel comes first, then the end of a body that does not check.
    let (gate, pass) = Gate::new();
    let rig = Rig::new(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        })
    });
    let handle = rig.submit(job("a"));
    thread::scope(|scope| {
        let running = scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        assert_eq!(handle.cancel().unwrap().state, JobState::Running { cancelling: true });
        gate.open();
        running.join().unwrap();
        // The end comes first, then the cancel.
        assert_eq!(handle.cancel(), Err(EngineError::AlreadyComplete(handle.id())));
    });
    assert_eq!(handle.record().state, SUCCEEDED);
}

#[test]
fn race_complete_against_cancel_on_workers() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", |ctx: &mut JobContext| ctx.check_stopped())
        .workers(2)
        .open()
        .unwrap();
    for _ in 0..300 {
        let handles = engine.submit_all(vec![job("a"); 4]).unwrap();
        for handle in &handles {
            // The cancel has an answer in each case.
            let _ = handle.cancel();
        }
        for handle in handles {
            let record = handle.wait().unwrap();
            assert!([SUCCEEDED, CANCELLED].contains(&record.state));
            assert_eq!(engine.reader().record(record.id).unwrap(), Some(record));
        }
    }
    engine.shutdown(Duration::MAX);
    assert_eq!(engine.stats(), job_runner::Stats::default());
}

#[test]
fn race_two_cancels() {
    for waiting in [true, false] {
        for _ in 0..200 {
            let (gate, body) = gated();
            let rig = Rig::new(|builder| builder.algorithm("a", body));
            let handle = rig.submit(job("a"));
            let start = Barrier::new(2);
            thread::scope(|scope| {
                if !waiting {
                    scope.spawn(|| rig.engine.driver().run_one());
                    gate.entered();
                }
                let cancels: Vec<_> = (0..2)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            handle.cancel()
                        })
                    })
                    .collect();
                let answers: Vec<_> = cancels.into_iter().map(|cancel| cancel.join().unwrap()).collect();
                let taken = answers.iter().filter(|answer| answer.is_ok()).count();
                assert_eq!(taken, if waiting { 1 } else { 2 }, "{answers:?}");
                gate.open();
            });
            let record = handle.wait().unwrap();
            assert_eq!((record.state, record.revision), (CANCELLED, if waiting { 1 } else { 3 }));
        }
    }
}

#[test]
fn race_deadline_against_complete() {
    for _ in 0..300 {
        let rig = Rig::new(|builder| builder.algorithm("a", |ctx: &mut JobContext| ctx.check_stopped()));
        let due = Clock::now(&*rig.clock);
        rig.clock.set(job_runner::Timestamp::from_micros(due.as_micros() - 1));
        let handle = rig.submit(job("a").deadline(due));
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                rig.engine.driver().run_one();
            });
            start.wait();
            rig.clock.advance(Duration::from_micros(1));
            rig.engine.driver().tick().unwrap();
        });
        let record = handle.wait().unwrap();
        match record.state {
            SUCCEEDED => {}
            JobState::Complete(Outcome::Failed) => assert_eq!(record.failure.unwrap().kind, FailureKind::Deadline),
            other => panic!("{other}"),
        }
        assert_eq!(rig.engine.stats(), job_runner::Stats::default());
    }
}

#[test]
fn race_retry_against_cancel() {
    let rig = Rig::new(|builder| builder.algorithm("a", |_: &mut JobContext| Err(JobError::transient("again"))));
    let ends = race(300, &rig.engine, "a", |handle| {
        // The job waits for a retry, runs, or has not started. A cancel ends it in each case.
        handle.cancel().unwrap();
    });
    assert!(ends.iter().all(|&end| end == CANCELLED));
    assert_eq!(rig.engine.stats(), job_runner::Stats::default());
    rig.clock.advance(Duration::from_mins(10));
    assert_eq!(drain(&rig.engine), 0, "none of them runs again");
}

#[test]
fn a_job_that_waits_to_be_tried_again_can_be_cancelled() {
    let rig = Rig::new(|builder| builder.algorithm("a", |_: &mut JobContext| Err(JobError::transient("again"))));
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert_eq!(handle.cancel().unwrap().state, CANCELLED);
    rig.clock.advance(Duration::from_mins(10));
    assert_eq!(drain(&rig.engine), 0);
}

#[test]
fn race_recovery_against_cancel() {
    // A handle of a closed engine must not change jobs of the engine that took them up.
    for reopened in [false, true] {
        let rig = Rig::new(|builder| builder.algorithm("a", nothing));
        let old = rig.submit(job("a"));
        let Rig { engine, clock, store } = rig;
        drop(engine);
        if !reopened {
            assert_eq!(old.cancel(), Err(EngineError::Closed(old.id())));
        }
        let rig =
            Rig::on(store, |builder| builder.algorithm("a", nothing).clock(Arc::<ManualClock>::clone(&clock)));
        assert_eq!(old.cancel(), Err(EngineError::Closed(old.id())));
        assert_eq!(drain(&rig.engine), 1);
        assert_eq!(rig.stored(old.id()).state, SUCCEEDED);
        rig.engine.health().unwrap();
    }
}

#[test]
fn a_job_that_was_to_be_cancelled_when_the_process_died_is_cancelled_by_recovery() {
    let (gate, pass) = Gate::new();
    let store = Arc::new(MemoryStore::default());
    let engine = Engine::builder(Arc::<MemoryStore>::clone(&store))
        .algorithm("a", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        })
        .workers(1)
        .shutdown_timeout(Duration::ZERO)
        .open()
        .unwrap();
    let handle = engine.submit(job("a")).unwrap();
    gate.entered();
    handle.cancel().unwrap();
    drop(engine);
    let rig = Rig::on(store, |builder| builder.algorithm("a", nothing));
    let record = rig.stored(handle.id());
    assert_eq!(record.state, CANCELLED);
    assert!(record.cancel_requested_at.is_some());
    // The body that the closed engine abandoned succeeds too late.
    gate.open();
    assert!(matches!(handle.wait(), Err(EngineError::LeftUnfinished(_)) | Ok(_)));
    assert_eq!(rig.stored(handle.id()), record);
}
