//! A store fails at every possible moment. Every acknowledged job ends, or the next open finds it.

use std::{sync::Arc, time::Duration};

use job_runner::{
    Durability, Engine, EngineBuilder, EngineError, JobContext, JobError, JobHandle, JobId, JobState, Outcome,
    PageRequest, StoreError,
    store::{Fault, FaultStore, MemoryStore, Store},
};

use crate::support::{Gate, Rig, count, drain, job, nothing, numbers, page, rows};

fn handlers(builder: EngineBuilder) -> EngineBuilder {
    builder
        .algorithm("numbers", numbers)
        .algorithm("nothing", nothing)
        .algorithm("again", |ctx: &mut JobContext| {
            ctx.rows("n")?.push(&"x".repeat(200_000))?;
            if ctx.attempt() == 1 { Err(JobError::transient("again")) } else { Ok(()) }
        })
        .algorithm("bad", |ctx: &mut JobContext| {
            ctx.rows("n")?.push(&"x".repeat(200_000))?;
            Err(JobError::failed("bad"))
        })
        .algorithm("over", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("n")?;
            (0..50_000).try_for_each(|n| rows.push(&n))
        })
        .algorithm("state", |ctx: &mut JobContext| {
            if ctx.load_checkpoint()?.is_none() {
                ctx.save_checkpoint(b"half")?;
            }
            Ok(())
        })
}

/// Submits one job of each sort, cancels one, and runs those that can run. Returns the acknowledged ids.
fn scenario(engine: &Engine, clock: &job_runner::ManualClock) -> Vec<JobId> {
    let specs = [
        count(30_000),
        job("nothing").idempotency_key("k"),
        job("again"),
        job("bad"),
        job("over").max_rows(40_000).keep_rows(),
        job("state"),
    ];
    let mut taken = Vec::new();
    for spec in specs {
        taken.extend(engine.submit(spec).map(|handle| handle.id()));
    }
    let batch = engine.submit_all([job("nothing"), job("nothing").idempotency_key("k"), count(5)]);
    taken.extend(batch.unwrap_or_default().iter().map(JobHandle::id));
    if let Ok(handle) = engine.submit(job("nothing")) {
        taken.push(handle.id());
        let _ = handle.cancel();
    }
    drain(engine);
    clock.advance(Duration::from_mins(10));
    drain(engine);
    let _ = engine.driver().tick();
    taken
}

/// Every acknowledged job has ended once, with all of its rows.
fn check(rig: &Rig, taken: &[JobId], what: &str) {
    for &id in taken {
        let record = rig.stored(id);
        assert!(record.state.is_complete(), "{what}: {record:?}");
        let shown = rig.engine.reader().page(id, page(0, 100_000)).unwrap();
        assert_eq!(shown.len(), record.size.rows, "{what}");
        let mut read = 0;
        shown
            .for_each(|_| {
                read += 1;
                Ok::<_, StoreError>(std::ops::ControlFlow::Continue(()))
            })
            .unwrap_or_else(|error| panic!("{what}: rows of {record:?}: {error}"));
        assert_eq!(read, record.size.rows, "{what}");
        let kind = record.spec.kind().to_string();
        let may_fail = kind == "bad" || kind == "over";
        assert!(may_fail || record.state != JobState::Complete(Outcome::Failed), "{what}: {record:?}");
    }
    // The store has no other job, except one whose submission was reported as failed.
    assert!(rig.store.unfinished().unwrap().is_empty(), "{what}");
    assert_eq!(rig.engine.stats(), job_runner::Stats::default(), "{what}");
}

fn writes_of_the_scenario() -> u64 {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), handlers);
    store.plan(Fault::Never);
    let taken = scenario(&rig.engine, &rig.clock);
    let writes = store.writes();
    check(&rig, &taken, "no fault");
    assert!(writes > 25, "{writes}");
    writes
}

fn try_every(fault: impl Fn(u64) -> Fault) {
    try_every_on(|_| Arc::new(MemoryStore::default()), fault);
}

/// Each call of `open` gives a new, empty store.
fn try_every_on(open: impl Fn(u64) -> Arc<dyn Store>, fault: impl Fn(u64) -> Fault) {
    for n in 0..writes_of_the_scenario() {
        let fault = fault(n);
        let store = FaultStore::new(open(n));
        let rig = Rig::on(Arc::new(store.clone()), handlers);
        store.plan(fault);
        let taken = scenario(&rig.engine, &rig.clock);
        let what = format!("{fault:?}");
        if matches!(fault, Fault::Write(_) | Fault::AfterWrite(_)) {
            // The same engine works on after one failure.
            rig.engine.health().unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        store.plan(Fault::Never);
        let rig = rig.reopen(handlers);
        rig.clock.advance(Duration::from_mins(10));
        drain(&rig.engine);
        rig.clock.advance(Duration::from_mins(10));
        drain(&rig.engine);
        check(&rig, &taken, &what);
    }
}

#[test]
fn every_single_write_may_fail() {
    try_every(Fault::Write);
}

#[test]
fn every_single_write_may_be_done_but_reported_as_failed() {
    try_every(Fault::AfterWrite);
}

#[test]
fn the_store_may_fail_for_good_from_any_write_on() {
    try_every(Fault::WritesFrom);
}

/// A record must be read back unchanged. Otherwise a doubtful write looks like a conflict.
#[cfg(feature = "rocksdb")]
#[test]
fn every_single_write_to_a_disk_may_fail_or_be_reported_as_failed() {
    use job_runner::store::{RocksOptions, RocksStore};
    let directory = tempfile::tempdir().unwrap();
    for (name, fault) in [("write", Fault::Write as fn(u64) -> Fault), ("after", Fault::AfterWrite)] {
        let open = |n| -> Arc<dyn Store> {
            let path = directory.path().join(format!("{name}{n}"));
            Arc::new(RocksStore::open(&path, RocksOptions::default()).unwrap())
        };
        try_every_on(open, fault);
    }
}

#[test]
fn workers_whose_store_fails_for_good_lose_nothing() {
    for n in 0..20 {
        let store = FaultStore::new(Arc::new(MemoryStore::default()));
        let engine = handlers(Engine::builder(Arc::new(store.clone()))).workers(2).open().unwrap();
        store.plan(Fault::WritesFrom(n));
        let specs = [count(30_000), job("nothing"), job("again"), job("bad"), job("state"), count(7)];
        let taken: Vec<_> = specs.into_iter().filter_map(|spec| engine.submit(spec).ok()).collect();
        assert_eq!(engine.shutdown(Duration::ZERO).abandoned, 0, "{n}");
        drop(engine);
        // Every wait ends.
        for handle in &taken {
            let _ = handle.wait();
        }
        store.plan(Fault::Never);
        let rig = Rig::on(Arc::new(store), handlers);
        // The engines' clocks differ: one is the machine's.
        rig.clock.set(job_runner::Timestamp::from_micros(u64::MAX / 2));
        drain(&rig.engine);
        rig.clock.advance(Duration::from_mins(10));
        drain(&rig.engine);
        let ids: Vec<_> = taken.iter().map(JobHandle::id).collect();
        check(&rig, &ids, &format!("writes from {n} on"));
    }
}

/// The same with workers and the machine's clock, where retries happen at other times than the first try.
fn with_workers(fault: Fault) {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let engine = handlers(Engine::builder(Arc::new(store.clone())))
        .workers(2)
        .retry(job_runner::RetryPolicy::new(Duration::ZERO, Duration::ZERO))
        .open()
        .unwrap();
    store.plan(fault);
    let specs = [count(30_000), job("nothing"), job("again"), job("bad"), job("state"), count(7)];
    let handles: Vec<_> = specs.into_iter().filter_map(|spec| engine.submit(spec).ok()).collect();
    assert!(handles.len() >= 5, "{fault:?}");
    for handle in &handles {
        let record = handle.wait().unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(engine.reader().record(record.id).unwrap(), Some(record.clone()), "{fault:?}");
        let bad = record.spec.kind().to_string() == "bad";
        let expected = if bad { Outcome::Failed } else { Outcome::Succeeded };
        assert_eq!(record.state, JobState::Complete(expected), "{fault:?}: {record:?}");
    }
    engine.health().unwrap_or_else(|error| panic!("{fault:?}: {error}"));
    assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
    assert_eq!(engine.stats(), job_runner::Stats::default());
}

#[test]
fn workers_overcome_any_single_failure() {
    for n in 0..30 {
        with_workers(Fault::Write(n));
        with_workers(Fault::AfterWrite(n));
    }
}

#[test]
fn an_engine_whose_store_fails_says_so_takes_nothing_and_loses_nothing_until_it_works_again() {
    let (gate, pass) = Gate::new();
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let engine = Engine::builder(Arc::new(store.clone()))
        .algorithm("a", move |ctx: &mut JobContext| {
            pass(ctx);
            ctx.rows("n")?.push(&1)
        })
        .durability(Durability::Buffered)
        .workers(1)
        .retry(job_runner::RetryPolicy::new(Duration::ZERO, Duration::ZERO))
        .open()
        .unwrap();
    // The body's last rows and the end cannot be stored.
    let handle = engine.submit(job("a").max_attempts(1_000_000)).unwrap();
    gate.entered();
    store.plan(Fault::WritesFrom(0));
    gate.open();
    while engine.health().is_ok() {
        std::thread::yield_now();
    }
    assert!(matches!(engine.submit(job("a")), Err(EngineError::Unhealthy(_))));
    assert!(matches!(engine.submit_all([job("a")]), Err(EngineError::Unhealthy(_))));
    assert!(engine.stats().unhealthy.unwrap().contains("injected"));
    assert_eq!(handle.wait_timeout(Duration::ZERO), Ok(None));
    drop(gate);
    store.plan(Fault::Never);
    assert_eq!(handle.wait().unwrap().state, JobState::Complete(Outcome::Succeeded));
    assert_eq!(rows(&handle, 0, 10), [1]);
    while engine.health().is_err() {
        std::thread::yield_now();
    }
    assert!(engine.submit(job("a")).unwrap().wait().unwrap().state.is_complete());
}

#[test]
fn a_shutdown_while_the_store_fails_does_not_hang_and_the_next_open_runs_the_job() {
    let (gate, pass) = Gate::new();
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let engine = Engine::builder(Arc::new(store.clone()))
        .algorithm("a", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        })
        .workers(2)
        .open()
        .unwrap();
    let handle = engine.submit(job("a")).unwrap();
    gate.entered();
    store.plan(Fault::WritesFrom(0));
    gate.open();
    while engine.health().is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(engine.shutdown(Duration::ZERO).abandoned, 0);
    assert!(matches!(handle.wait(), Err(EngineError::Unhealthy(_))));
    drop(engine);
    store.plan(Fault::Never);
    let rig = Rig::on(Arc::new(store), |builder| builder.algorithm("a", nothing));
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!(rig.stored(handle.id()).attempt, 2);
}

/// The store fails for longer than the caller waits, and then works again. The outcome must still be stored.
#[test]
fn without_workers_whoever_drives_the_engine_tries_again_what_could_not_be_stored() {
    type Drive = fn(&Rig, &JobHandle);
    let drives: [(&str, Drive); 4] = [
        ("run_one", |rig, _| {
            rig.engine.driver().run_until_idle();
        }),
        ("tick", |rig, _| rig.engine.driver().tick().unwrap()),
        ("wait", |_, handle| drop(handle.wait_timeout(Duration::ZERO))),
        ("cancel", |_, handle| drop(handle.cancel())),
    ];
    for (name, drive) in drives {
        // The first failing write is the start, the rows or the end.
        for first in 0..3 {
            let store = FaultStore::new(Arc::new(MemoryStore::default()));
            let rig = Rig::on(Arc::new(store.clone()), handlers);
            let handle = rig.submit(job("bad"));
            store.plan(Fault::WritesFrom(first));
            assert!(rig.engine.driver().run_one().is_some());
            assert!(rig.engine.driver().run_one().is_none(), "nothing is run while the store fails");
            assert!(matches!(handle.wait(), Err(EngineError::Unhealthy(_))), "{name}, {first}");
            assert!(matches!(rig.engine.submit(job("nothing")), Err(EngineError::Unhealthy(_))));
            assert!(rig.engine.driver().tick().is_ok() && rig.engine.health().is_err());
            // The handle of the job still has the reason.
            let found = rig.engine.job(handle.id()).unwrap().unwrap();
            assert!(matches!(found.wait_timeout(Duration::ZERO), Err(EngineError::Unhealthy(_))));
            store.plan(Fault::Never);
            if first > 0 {
                drive(&rig, &handle);
            }
            rig.clock.advance(Duration::from_mins(10));
            drain(&rig.engine);
            rig.engine.health().unwrap();
            let record = handle.wait().unwrap();
            // A job whose rows are lost waits for another attempt.
            let ending = if (name, first) == ("cancel", 1) { Outcome::Cancelled } else { Outcome::Failed };
            assert_eq!(record.state, JobState::Complete(ending), "{name}, {first}");
            assert_eq!(rig.stored(handle.id()), record);
            assert_eq!(rig.engine.stats(), job_runner::Stats::default());
        }
    }
}

#[test]
fn without_workers_a_job_whose_start_could_not_be_stored_stays_in_the_queue() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), handlers);
    let handle = rig.submit(job("nothing"));
    store.plan(Fault::WritesFrom(0));
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!(rig.engine.explain(handle.id()).unwrap(), job_runner::Explanation::Queued { ahead: 0 });
    assert_eq!(rig.engine.stats().read.waiting, 1);
    store.plan(Fault::Never);
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!(handle.wait().unwrap().state, JobState::Complete(Outcome::Succeeded));
}

#[test]
fn without_workers_a_cancel_of_a_job_whose_end_could_not_be_stored_comes_to_an_end() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), |builder| {
        builder.algorithm("told", |ctx: &mut JobContext| {
            loop {
                ctx.check_stopped()?;
                std::thread::yield_now();
            }
        })
    });
    let handle = rig.submit(job("told").deadline(job_runner::Timestamp::from_micros(u64::MAX)));
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        while handle.record().state == JobState::Waiting {
            std::thread::yield_now();
        }
        handle.cancel().unwrap();
        store.plan(Fault::WritesFrom(0));
    });
    assert!(rig.engine.health().is_err() || handle.record().state.is_complete());
    store.plan(Fault::Never);
    rig.engine.driver().tick().unwrap();
    assert_eq!(handle.wait().unwrap().state, JobState::Complete(Outcome::Cancelled));
}

#[test]
fn without_workers_a_shutdown_does_not_wait_for_what_cannot_be_stored() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), handlers);
    let handle = rig.submit(job("bad"));
    store.plan(Fault::WritesFrom(2));
    assert!(rig.engine.driver().run_one().is_some());
    assert_eq!(rig.engine.shutdown(Duration::from_hours(10)).abandoned, 0);
    assert!(matches!(handle.wait(), Err(EngineError::Unhealthy(_))));
    store.plan(Fault::Never);
    let rig = rig.reopen(handlers);
    assert_eq!(drain(&rig.engine), 1);
    assert_eq!(rig.stored(handle.id()).attempt, 2);
}

#[test]
fn a_failed_write_of_rows_is_another_attempt_not_a_broken_result() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), handlers);
    let handle = rig.submit(count(100_000));
    store.plan(Fault::Write(3)); // start, two blocks, this one
    assert!(rig.engine.driver().run_one().is_some());
    assert_eq!(handle.record().state, JobState::Waiting);
    rig.clock.advance(Duration::from_mins(1));
    drain(&rig.engine);
    assert_eq!(rows(&handle, 0, 100_000), (0..100_000).collect::<Vec<_>>());
    let page = PageRequest::new(99_999, 5).unwrap();
    assert_eq!(handle.page(page).unwrap().len(), 1);
}

/// A killed database may restart without the last blocks of an attempt that still runs. The attempt must not
/// succeed without these blocks.
#[test]
fn an_attempt_whose_rows_the_store_has_lost_runs_again_without_blame() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), handlers);
    let handle = rig.submit(count(5_000).max_attempts(1));
    // The write 3 comes after the start, the block and the end of the block's segment.
    store.plan(Fault::RowsLost(3));
    drain(&rig.engine);
    let record = handle.record();
    assert_eq!((record.state, record.attempt, record.failed_attempts), (JobState::Waiting, 1, 0), "{record:?}");
    let failure = record.failure.unwrap();
    assert!(failure.message.contains("rows are gone"), "{failure:?}");
    rig.clock.advance(Duration::from_mins(10));
    drain(&rig.engine);
    let record = handle.record();
    assert_eq!((record.state, record.attempt), (JobState::Complete(Outcome::Succeeded), 2), "{record:?}");
    assert_eq!(rows(&handle, 4_990, 100), (4_990..5_000).collect::<Vec<_>>());
}

#[test]
fn rows_that_the_store_loses_at_any_end_are_written_again() {
    try_every(Fault::RowsLost);
}
