//! The finished jobs that retention removes, and their order.

use std::time::Duration;

use job_runner::{
    Clock, Engine, FailureKind, JobId, Retention, SystemClock,
    store::{ErrorKind, Fault, FaultStore, MemoryStore, Moment, Pin, Store},
};
use std::sync::Arc;

use crate::support::{Rig, count, drain, job, nothing, numbers, page, wire};

fn rig(retention: Retention) -> Rig {
    Rig::new(|builder| {
        builder.accept_any_kind().algorithm("numbers", numbers).algorithm("a", nothing).retention(retention)
    })
}

/// Finished jobs of `rows` rows each, a minute apart.
fn finished(rig: &Rig, rows: &[u64]) -> Vec<JobId> {
    rows.iter()
        .map(|&n| {
            rig.clock.advance(Duration::from_mins(1));
            rig.finish(count(n)).id
        })
        .collect()
}

fn left(rig: &Rig) -> Vec<JobId> {
    let mut ids: Vec<_> = rig.engine.reader().list(page(0, 100)).unwrap().iter().map(|record| record.id).collect();
    ids.reverse();
    ids
}

#[test]
fn nothing_goes_by_itself() {
    let rig = rig(Retention::default());
    let ids = finished(&rig, &[1, 2, 3]);
    rig.clock.advance(Duration::from_secs(1_000_000_000));
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), ids);
}

#[test]
fn jobs_that_finished_too_long_ago_go() {
    let rig = rig(Retention::default().max_age(Duration::from_secs(90)));
    let ids = finished(&rig, &[1, 1, 1]);
    let waiting = rig.submit(job("unknown"));
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [ids[1], ids[2], waiting.id()]);
    rig.clock.advance(Duration::from_secs(1_000));
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [waiting.id()], "an unfinished job never goes");
}

#[test]
fn over_a_number_those_go_that_were_read_longest_ago() {
    let rig = rig(Retention::default().max_jobs(2));
    let ids = finished(&rig, &[1, 1, 1, 1]);
    rig.clock.advance(Duration::from_secs(1));
    rig.engine.reader().page(ids[0], page(0, 1)).unwrap();
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [ids[0], ids[3]]);
}

#[test]
fn over_a_size_jobs_with_rows_go() {
    let rig = rig(Retention::default().max_bytes(40));
    let ids = finished(&rig, &[10, 0, 10, 10]); // 19 bytes each
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), ids[1..], "the oldest goes; the empty one frees nothing");
}

#[test]
fn a_pinned_job_stays_and_cannot_be_removed() {
    let rig = rig(Retention::default().max_jobs(1));
    let ids = finished(&rig, &[1, 1, 1]);
    rig.store.pin(ids[0], Pin::Keep).unwrap();
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [ids[0], ids[2]], "it does not count either");
    let refused = rig.engine.remove(ids[0]).unwrap_err();
    assert!(matches!(refused, job_runner::EngineError::Store(error) if error.kind == ErrorKind::Invalid));
    rig.store.pin(ids[0], Pin::Release).unwrap();
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [ids[2]]);
}

#[test]
fn a_reading_that_could_not_be_noted_is_noted_later() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), |builder| {
        builder.algorithm("numbers", numbers).retention(Retention::default().max_jobs(1))
    });
    let ids = finished(&rig, &[1, 1]);
    rig.clock.advance(Duration::from_secs(1));
    rig.engine.reader().page(ids[0], page(0, 1)).unwrap();
    store.plan(Fault::WritesFrom(0));
    assert!(rig.engine.driver().tick().is_err());
    assert_eq!(left(&rig), ids);
    store.plan(Fault::Never);
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [ids[0]]);
    assert_eq!(drain(&rig.engine), 0);
}

/// The ids of all later jobs are ten years ahead as well. The age must not go by the time in an id.
#[test]
fn a_clock_that_was_ten_years_ahead_for_one_job_keeps_nothing_for_ever() {
    let day = Duration::from_hours(24);
    let setup = |builder: job_runner::EngineBuilder| {
        builder.algorithm("a", nothing).retention(Retention::default().max_age(day))
    };
    let rig = Rig::new(setup);
    let now = Clock::now(&*rig.clock);
    rig.clock.advance(day * 3_650);
    let ahead = rig.finish(job("a")).id;
    rig.engine.driver().tick().unwrap();
    rig.clock.set(now);
    let mut ids = vec![rig.finish(job("a")).id];
    let rig = rig.reopen(setup);
    ids.push(rig.finish(job("a")).id);
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [ahead, ids[0], ids[1]]);
    rig.clock.advance(day * 2);
    rig.engine.driver().tick().unwrap();
    assert_eq!(left(&rig), [ahead], "it has finished in ten years, says its record");
    rig.clock.advance(day * 3_650);
    rig.engine.driver().tick().unwrap();
    assert!(left(&rig).is_empty());
}

#[test]
fn a_sweep_that_takes_long_keeps_no_deadline() {
    let memory = Arc::new(MemoryStore::default());
    let rig = Rig::on(Arc::<MemoryStore>::clone(&memory) as Arc<dyn Store>, |builder| {
        builder.algorithm("numbers", numbers)
    });
    rig.finish(count(1));
    drop(rig);
    let ((enter, entered), (go, gone)) = (wire(), wire::<()>());
    let store = FaultStore::with_hook(memory, move |moment, _| {
        if moment == Moment::Before && std::thread::current().name() == Some("job-sweeper") {
            enter.send(()).unwrap();
            // Blocks until the test is over.
            let _ = gone.recv();
        }
    });
    let engine = Engine::builder(Arc::new(store))
        .algorithm("numbers", numbers)
        .accept_any_kind()
        .retention(Retention::default().max_jobs(0))
        .workers(1)
        .open()
        .unwrap();
    entered.recv().unwrap();
    let due = SystemClock.now();
    // No handler of this engine can run the job, so only its deadline ends it.
    let late = engine.submit(job("unknown").deadline(due)).unwrap();
    assert_eq!(late.wait().unwrap().failure.unwrap().kind, FailureKind::Deadline);
    drop(go);
}
