//! Budgets and deadlines: each has a reason of its own.

use std::{sync::Arc, thread, time::Duration};

use job_runner::{
    Clock, Engine, FailureKind, JobContext, JobRecord, JobSpec, JobState, Outcome, Partition, ScanOptions,
    Timestamp, store::MemoryStore,
};

use crate::support::{Gate, Rig, count, drain, gated, job, nothing, numbers, page, read, rows};

fn rig() -> Rig {
    Rig::new(|builder| {
        builder.algorithm("numbers", numbers).algorithm("nothing", nothing).algorithm(
            "memory",
            |ctx: &mut JobContext| {
                ctx.report_memory(1_000)?;
                ctx.rows("n")?.push(&1)?;
                ctx.report_memory(1_001)
            },
        )
    })
}

fn reason(record: &JobRecord) -> FailureKind {
    assert_eq!(record.state, JobState::Complete(Outcome::Failed));
    record.failure.as_ref().unwrap().kind
}

fn in_seconds(rig: &Rig, seconds: u64) -> Timestamp {
    Timestamp::from_micros(rig.clock.now().as_micros() + seconds * 1_000_000)
}

#[test]
fn the_row_budget_is_exact() {
    let rig = rig();
    let fits = rig.finish(count(100).max_rows(100));
    assert_eq!((fits.state, fits.size.rows), (JobState::Complete(Outcome::Succeeded), 100));
    let over = rig.finish(count(101).max_rows(100));
    assert_eq!((reason(&over), over.size.rows), (FailureKind::RowBudget, 0));
    assert_eq!(over.failure.unwrap().message, "its budget of 100 rows is used up");
    assert_eq!(reason(&rig.finish(count(1).max_rows(0))), FailureKind::RowBudget);
}

#[test]
fn the_byte_budget_is_exact() {
    let rig = rig();
    // The rows are `0,1,2,3,4,5,6,7,8,9`. Commas count, as in the size of a result.
    let fits = rig.finish(count(10).max_bytes(19));
    assert_eq!(fits.size.bytes, 19);
    let size = fits.size;
    assert_eq!((fits.state, size.rows), (JobState::Complete(Outcome::Succeeded), 10), "{fits:?}");
    let over = rig.finish(count(10).max_bytes(18));
    assert_eq!(reason(&over), FailureKind::ByteBudget);
    assert_eq!(over.failure.unwrap().message, "its budget of 18 bytes of rows is used up");
}

#[test]
fn the_memory_budget_is_what_the_handler_reports() {
    let rig = rig();
    let over = rig.finish(job("memory").max_memory(1_000));
    assert_eq!(reason(&over), FailureKind::MemoryBudget);
    let fits = rig.finish(job("memory").max_memory(1_001));
    assert_eq!(fits.state, JobState::Complete(Outcome::Succeeded));
}

#[test]
fn rows_within_a_budget_are_kept_to_the_last_one() {
    let rig = rig();
    let kept = |spec: JobSpec| {
        let handle = rig.submit(spec.keep_rows());
        drain(&rig.engine);
        let record = handle.record();
        assert!(record.state == JobState::Complete(Outcome::Failed));
        let shown = handle.page(page(0, 100_000)).unwrap();
        assert!(shown.is_partial());
        assert_eq!(shown.len(), record.size.rows);
        read(&shown)
    };
    assert_eq!(kept(count(50_000).max_rows(40_001)), (0..40_001).collect::<Vec<_>>());
    assert_eq!(kept(count(50_000).max_rows(0)), [0u64; 0]);
    assert_eq!(kept(count(100).max_bytes(18)), (0..9).collect::<Vec<_>>());
    assert_eq!(kept(job("memory").max_memory(1_000)), [1]);
    let whole = rig.finish(count(50_000)).size.bytes;
    assert_eq!(kept(count(50_001).max_bytes(whole)).len(), 50_000);
}

#[test]
fn kept_rows_of_a_scan_are_as_many_as_the_budget() {
    for workers in [1, 3] {
        let engine = Engine::builder(Arc::new(MemoryStore::default()))
            .vertex_filter(|ctx: &mut JobContext| {
                ctx.scan("n", 0..10_000, ScanOptions::default().partition_size(100), |part: &mut Partition<'_>| {
                    part.ids().try_for_each(|id| part.push(&id))
                })
            })
            .workers(workers)
            .open()
            .unwrap();
        let spec = JobSpec::vertex_filter().with_graph("g").max_rows(1_234).keep_rows();
        let handle = engine.submit(spec).unwrap();
        let record = handle.wait().unwrap();
        assert_eq!((reason(&record), record.size.rows), (FailureKind::RowBudget, 1_234));
        let kept = rows(&handle, 0, 100_000);
        assert_eq!(kept.len(), 1_234);
        assert!(kept.is_sorted_by(|a, b| a < b));
    }
}

#[test]
fn a_budget_holds_for_each_attempt_anew() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("n")?;
            (0..10).try_for_each(|n| rows.push(&n))?;
            if ctx.attempt() == 1 { Err(job_runner::JobError::transient("again")) } else { Ok(()) }
        })
    });
    let handle = rig.submit(job("a").max_rows(10));
    drain(&rig.engine);
    rig.clock.advance(Duration::from_mins(1));
    drain(&rig.engine);
    assert_eq!((handle.record().size.rows, rows(&handle, 0, 100).len()), (10, 10));
}

#[test]
fn a_deadline_ends_a_waiting_job() {
    let rig = rig();
    let handle = rig.submit(job("nothing").deadline(in_seconds(&rig, 10)));
    rig.clock.advance(Duration::from_secs(9));
    rig.engine.driver().tick().unwrap();
    assert_eq!(handle.record().state, JobState::Waiting);
    rig.clock.advance(Duration::from_secs(1));
    rig.engine.driver().tick().unwrap();
    let record = handle.wait().unwrap();
    assert_eq!((reason(&record), record.attempt), (FailureKind::Deadline, 0));
    assert_eq!(record.failure.unwrap().message, "its deadline passed while it waited");
    assert_eq!(drain(&rig.engine), 0);
}

#[test]
fn a_job_past_its_deadline_does_not_start_even_if_nobody_ticked() {
    let rig = rig();
    let handle = rig.submit(job("nothing").deadline(in_seconds(&rig, 10)));
    let past = rig.submit(job("nothing").deadline(Timestamp::from_micros(0)));
    rig.clock.advance(Duration::from_secs(10));
    drain(&rig.engine);
    for handle in [handle, past] {
        assert_eq!((reason(&handle.wait().unwrap()), handle.record().attempt), (FailureKind::Deadline, 0));
    }
    assert_eq!(rig.engine.stats(), job_runner::Stats::default());
}

#[test]
fn a_deadline_ends_a_running_job_at_its_next_checkpoint_and_rows_may_be_kept() {
    for ticked in [true, false] {
        let (gate, pass) = Gate::new();
        let rig = Rig::new(|builder| {
            builder.algorithm("a", move |ctx: &mut JobContext| {
                ctx.rows("n")?.push(&7)?;
                pass(ctx);
                ctx.check_stopped()
            })
        });
        let handle = rig.submit(job("a").deadline(in_seconds(&rig, 10)).keep_rows());
        thread::scope(|scope| {
            scope.spawn(|| rig.engine.driver().run_one());
            gate.entered();
            rig.clock.advance(Duration::from_secs(10));
            if ticked {
                rig.engine.driver().tick().unwrap();
            }
            gate.open();
        });
        let record = handle.record();
        assert_eq!((reason(&record), rows(&handle, 0, 10)), (FailureKind::Deadline, vec![7]));
        assert_eq!(record.failure.unwrap().message, "its deadline passed while it ran");
    }
}

#[test]
fn a_job_that_ends_before_its_deadline_is_not_touched_by_it() {
    let rig = rig();
    let record = rig.finish(job("nothing").deadline(in_seconds(&rig, 10)));
    rig.clock.advance(Duration::from_mins(1));
    rig.engine.driver().tick().unwrap();
    assert_eq!(rig.stored(record.id), record);
}

#[test]
fn a_deadline_holds_for_a_job_that_waits_to_be_tried_again() {
    let rig = Rig::new(|builder| {
        builder
            .algorithm("a", |_: &mut JobContext| Err(job_runner::JobError::transient("again")))
            .retry(job_runner::RetryPolicy::new(Duration::from_secs(100), Duration::from_secs(100)))
    });
    let handle = rig.submit(job("a").deadline(in_seconds(&rig, 10)));
    drain(&rig.engine);
    assert_eq!(handle.record().state, JobState::Waiting);
    rig.clock.advance(Duration::from_secs(10));
    rig.engine.driver().tick().unwrap();
    assert_eq!(reason(&handle.record()), FailureKind::Deadline);
}

#[test]
fn a_deadline_and_a_cancel_at_once_are_a_cancel() {
    let (gate, body) = gated();
    let rig = Rig::new(|builder| builder.algorithm("a", body));
    let handle = rig.submit(job("a").deadline(in_seconds(&rig, 10)));
    thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        rig.clock.advance(Duration::from_secs(10));
        rig.engine.driver().tick().unwrap();
        handle.cancel().unwrap();
        gate.open();
    });
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Cancelled));
}
