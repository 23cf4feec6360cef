//! A handler that panics ends its own job and nothing else.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use job_runner::{
    Engine, EngineError, FailureKind, JobContext, JobError, JobSpec, JobState, Outcome, Partition, ScanOptions,
    store::{FaultStore, MemoryStore},
};
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::support::{Rig, drain, job, nothing, page, rows};

/// A row whose serialization panics after its first field.
struct Panics;

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("id", &1)?;
        panic!("the second field")
    }
}

/// Makes a call that panics, and catches the panic.
fn caught<T>(call: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "nothing panicked");
}

#[test]
fn the_message_of_a_panic_is_kept() {
    let rig = Rig::new(|builder| {
        builder
            .algorithm("literal", |_: &mut JobContext| panic!("vertex table"))
            .algorithm("text", |ctx: &mut JobContext| panic!("attempt {}", ctx.attempt()))
            .algorithm("other", |_: &mut JobContext| std::panic::panic_any(7))
            .algorithm("long", |_: &mut JobContext| panic!("{}", "x".repeat(100_000)))
    });
    let message = |name| {
        let record = rig.finish(job(name));
        assert_eq!(record.state, JobState::Complete(Outcome::Failed));
        let failure = record.failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Panicked);
        failure.message
    };
    assert_eq!(message("literal"), "the handler panicked: vertex table");
    assert_eq!(message("text"), "the handler panicked: attempt 1");
    assert_eq!(message("other"), "the handler panicked: it gave no message");
    assert!(message("long").len() < 2_000);
}

#[test]
fn a_panic_drops_the_rows_and_is_not_tried_again() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("n")?;
            (0..100_000).try_for_each(|n| rows.push(&n))?;
            panic!("at the end")
        })
    });
    let record = rig.finish(job("a").keep_rows());
    assert_eq!((record.attempt, record.size.rows), (1, 0));
    assert!(rig.engine.reader().page(record.id, page(0, 10)).unwrap().is_empty());
}

#[test]
fn workers_survive_any_number_of_panics() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("bad", |_: &mut JobContext| panic!("no"))
        .algorithm("good", nothing)
        .workers(2)
        .open()
        .unwrap();
    let specs: Vec<_> = (0..100).map(|n| job(if n % 2 == 0 { "bad" } else { "good" })).collect();
    for (handle, spec) in engine.submit_all(specs.iter().cloned()).unwrap().into_iter().zip(&specs) {
        let good = spec.kind().to_string() == "good";
        let expected = if good { Outcome::Succeeded } else { Outcome::Failed };
        assert_eq!(handle.wait().unwrap().state, JobState::Complete(expected));
    }
    assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
}

/// The page must not read `[1,{"id":1,2]` in a job that succeeds.
#[test]
fn a_row_that_panics_and_is_caught_was_never_pushed() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("n")?;
            rows.push(&1)?;
            caught(|| rows.push(&Panics));
            rows.push(&2)?;
            caught(|| rows.push(&Panics));
            Ok(())
        })
    });
    let handle = rig.submit(job("a").max_rows(2));
    drain(&rig.engine);
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Succeeded));
    assert_eq!(rows(&handle, 0, 10), [1, 2]);
}

#[test]
fn an_output_that_panics_and_is_caught_was_never_given() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            caught(|| ctx.set_output("a", &Panics));
            Ok(ctx.set_output("a", &1)?)
        })
    });
    let record = rig.finish(job("a"));
    let result = rig.store.result(record.id).unwrap().unwrap();
    assert_eq!(result.outputs.iter().collect::<Vec<_>>(), [("a", "1")]);
}

/// An output that sets another output of its job while it is serialized.
struct Asks<'c>(&'c JobContext);

impl Serialize for Asks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.set_output("inner", &1).map_err(serde::ser::Error::custom)?;
        serializer.serialize_u8(2)
    }
}

/// The thread must not wait for itself.
#[test]
fn a_value_may_ask_its_job_while_it_is_serialized() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", |ctx: &mut JobContext| Ok(ctx.set_output("outer", &Asks(ctx))?))
        .shutdown_timeout(Duration::ZERO)
        .workers(1)
        .open()
        .unwrap();
    let handle = engine.submit(job("a")).unwrap();
    let record = handle.wait_timeout(Duration::from_mins(1)).unwrap().expect("it hangs");
    assert_eq!(record.state, JobState::Complete(Outcome::Succeeded));
}

/// A scan of 40 ids whose partition 3 fails after its second row.
fn scan(ctx: &JobContext, wrong: fn() -> Result<(), JobError>) -> Result<(), JobError> {
    ctx.scan("n", 0..40, ScanOptions::default().partition_size(10), move |part: &mut Partition<'_>| {
        part.ids().try_for_each(|id| {
            part.check_stopped()?;
            part.push(&id)?;
            if id == 31 { wrong() } else { Ok(()) }
        })
    })
}

/// The rows of the scan must not stay. A later scan must run, and the engine must release the store.
#[test]
fn a_scan_that_goes_wrong_and_is_caught_leaves_nothing_behind() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            caught(|| scan(ctx, || panic!("in a partition")));
            ctx.check_stopped()?;
            assert!(scan(ctx, || Err(JobError::failed("in a partition"))).is_err());
            scan(ctx, || Ok(()))?;
            ctx.rows("n")?.push(&99)
        })
    });
    let handle = rig.submit(job("a").max_rows(41).max_bytes(40 * 3 + 2));
    drain(&rig.engine);
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Succeeded), "{:?}", handle.record());
    assert_eq!(rows(&handle, 0, 100), (0..40).chain([99]).collect::<Vec<_>>());
    let Rig { engine, store, .. } = rig;
    drop((engine, handle));
    assert_eq!(Arc::strong_count(&store), 1, "nobody holds the store any more");
}

#[test]
fn a_scan_that_panics_lets_go_of_the_store() {
    let store = Arc::new(MemoryStore::default());
    let engine = Engine::builder(Arc::<MemoryStore>::clone(&store))
        .algorithm("a", |ctx: &mut JobContext| scan(ctx, || panic!("in a partition")))
        .workers(2)
        .open()
        .unwrap();
    let record = engine.submit(job("a")).unwrap().wait().unwrap();
    assert_eq!(record.failure.unwrap().message, "the handler panicked: in a partition");
    drop(engine);
    assert_eq!(Arc::strong_count(&store), 1, "nobody holds the store any more");
}

/// The places of jobs that were not stored must be free again.
#[test]
fn a_store_that_panics_while_it_takes_a_job_costs_no_place_in_the_queue() {
    let panics = Arc::new(AtomicBool::new(true));
    let store = FaultStore::with_hook(Arc::new(MemoryStore::default()), {
        let panics = Arc::clone(&panics);
        move |_, _| assert!(!panics.load(Ordering::SeqCst), "the store panics")
    });
    let rig = Rig::on(Arc::new(store), |builder| builder.queue_bound(1).algorithm("a", nothing));
    for _ in 0..3 {
        caught(|| rig.engine.submit(job("a")));
    }
    panics.store(false, Ordering::SeqCst);
    rig.queue(job("a"));
    assert!(matches!(rig.engine.submit(job("a")), Err(EngineError::QueueFull { .. })));
    assert_eq!(drain(&rig.engine), 1);
}

/// A job with rows in several blocks, whose body ignores errors.
fn deaf(count: u64) -> impl Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static {
    move |ctx: &mut JobContext| {
        let mut rows = ctx.rows("n")?;
        for n in 0..count {
            let _ = catch_unwind(AssertUnwindSafe(|| rows.push(&n)));
        }
        Ok(())
    }
}

/// Rows that the store refused must not be missing from a job that succeeds.
#[test]
fn rows_that_the_store_did_not_take_are_missed_whatever_the_body_makes_of_it() {
    let setup = |builder: job_runner::EngineBuilder| builder.algorithm("a", deaf(100_000));
    let once = |spec: JobSpec| spec.max_attempts(1);
    // The writes are the submission, the start, then the blocks.
    for (write, panics) in [(2, false), (3, false), (2, true), (3, true)] {
        let hook = move |_, number| assert!(!(panics && number == write), "the store panics");
        let store = FaultStore::with_hook(Arc::new(MemoryStore::default()), hook);
        let rig = Rig::on(Arc::new(store.clone()), setup);
        let fault = job_runner::store::Fault::Write(write);
        store.plan(if panics { job_runner::store::Fault::Never } else { fault });
        let record = rig.finish(once(job("a")));
        // A shortage of the store is no fault of the job, which waits for its next attempt.
        assert_ne!(record.state, JobState::Complete(Outcome::Succeeded), "write {write}, panics {panics}");
    }
}

/// A job must not succeed without the 100,000 rows of a forgotten writer.
#[test]
fn a_row_writer_that_is_forgotten_fails_its_job() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            ctx.rows("n")?.push(&1)?;
            let mut rows = ctx.rows("n")?;
            (0..100_000).try_for_each(|n| rows.push(&n))?;
            std::mem::forget(rows);
            Ok(())
        })
    });
    let failure = rig.finish(job("a")).failure.unwrap();
    assert!(failure.message.contains("has forgotten a row writer"), "{failure}");
}
