//! The failed attempts of a job, which are kept beside its record.

use std::{sync::Arc, time::Duration};

use job_runner::{
    Clock, EngineBuilder, FailureKind, JobContext, JobError, JobHandle, JobState, Outcome, RetryPolicy,
    store::{ErrorKind, FaultRule, FaultStore, MemoryStore, Operation, Store},
};

use crate::support::{Rig, drain, job, nothing};

const AT_ONCE: RetryPolicy = RetryPolicy::new(Duration::ZERO, Duration::ZERO);

/// Fails for the moment until this attempt, and then succeeds.
fn until(attempt: u32) -> impl Fn(EngineBuilder) -> EngineBuilder {
    move |builder| {
        let body = move |ctx: &mut JobContext| match ctx.attempt() {
            now if now < attempt => Err(JobError::transient(format!("busy in {now}"))),
            _ => Ok(()),
        };
        builder.algorithm("a", body).algorithm("b", nothing).retry(AT_ONCE)
    }
}

/// The numbers and messages of the failed attempts of a job.
fn told(rig: &Rig, job: &JobHandle) -> Vec<(u32, String)> {
    let failed = rig.engine.reader().failed_attempts(&job.record()).unwrap();
    failed.into_iter().map(|failed| (failed.attempt, failed.failure.message)).collect()
}

fn busy(attempts: impl IntoIterator<Item = u32>) -> Vec<(u32, String)> {
    attempts.into_iter().map(|attempt| (attempt, format!("busy in {attempt}"))).collect()
}

#[test]
fn each_failed_attempt_is_told_with_its_times_after_a_success_too() {
    let rig = Rig::new(until(3));
    let handle = rig.submit(job("a"));
    let mut starts = Vec::new();
    for _ in 0..3 {
        rig.clock.advance(Duration::from_secs(5));
        starts.push(rig.clock.now());
        assert!(rig.engine.driver().run_one().is_some());
    }
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Succeeded));
    assert_eq!(told(&rig, &handle), busy([1, 2]));
    let failed = rig.engine.reader().failed_attempts(&handle.record()).unwrap();
    assert_eq!(failed.iter().map(|failed| failed.started).collect::<Vec<_>>(), starts[..2]);
    assert_eq!(failed.iter().map(|failed| failed.ended).collect::<Vec<_>>(), starts[..2]);
}

#[test]
fn the_last_eight_are_kept_and_the_last_one_of_a_failed_job_is_that_of_its_record() {
    let rig = Rig::new(until(u32::MAX));
    let handle = rig.submit(job("a").max_attempts(12));
    assert_eq!(drain(&rig.engine), 12);
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Failed));
    let mut expected = busy(5..12);
    expected.push((12, "busy in 12 (attempt 12 of 12)".to_owned()));
    assert_eq!(told(&rig, &handle), expected);
    assert_eq!(rig.store.failures(handle.id()).unwrap().len(), 8);
}

#[test]
fn a_job_that_succeeds_at_once_or_fails_for_good_writes_nothing_more() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    for operation in [Operation::SaveFailures, Operation::Failures] {
        store.add(FaultRule::on(operation).fail(ErrorKind::Corrupt));
    }
    let rig = Rig::on(Arc::new(store), |builder| {
        builder.algorithm("a", nothing).algorithm("b", |_: &mut JobContext| Err(JobError::failed("no such label")))
    });
    assert_eq!(rig.finish(job("a")).state, JobState::Complete(Outcome::Succeeded));
    assert_eq!(rig.finish(job("b")).state, JobState::Complete(Outcome::Failed));
    assert!(rig.engine.health().is_ok());
}

#[test]
fn an_attempt_that_died_with_its_process_is_told() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let rig = Rig::on(Arc::clone(&store), until(2));
    let handle = rig.submit(job("a"));
    // As after a kill: the record says that the job runs.
    let running = handle.record().apply(job_runner::Event::Start, rig.clock.now()).unwrap();
    store.replace(&running, job_runner::Durability::Buffered).unwrap();
    rig.clock.advance(Duration::from_secs(9));
    let rig = rig.reopen(until(2));
    drain(&rig.engine);
    let ended = rig.engine.job(handle.id()).unwrap().unwrap();
    let failed = rig.engine.reader().failed_attempts(&ended.record()).unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!((failed[0].attempt, failed[0].failure.kind), (1, FailureKind::Interrupted));
    assert_eq!(failed[0].ended.since(failed[0].started), Duration::from_secs(9));
}

#[test]
fn a_list_that_cannot_be_kept_is_tried_again_and_a_damaged_one_begins_anew() {
    for (operation, kind, expected) in [
        (Operation::SaveFailures, ErrorKind::Unavailable, busy([1, 2, 3])),
        (Operation::Failures, ErrorKind::Unavailable, busy([1, 2, 3])),
        (Operation::Failures, ErrorKind::Corrupt, busy([2, 3])),
    ] {
        let store = FaultStore::new(Arc::new(MemoryStore::default()));
        store.add(FaultRule::on(operation).nth(0).fail(kind));
        let rig = Rig::on(Arc::new(store), until(4));
        let handle = rig.submit(job("a").max_attempts(9));
        drain(&rig.engine);
        assert_eq!(handle.record().state, JobState::Complete(Outcome::Succeeded));
        assert_eq!(told(&rig, &handle), expected, "{operation:?} {kind:?}");
    }
}

/// The attempt is over in the store, so its list is refused when the change is tried again. The job must go on.
#[test]
fn a_change_that_was_stored_and_reported_as_failed_loses_no_job() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    // The second change of the job is the one that ends its first attempt. The look whether it was stored fails too.
    store.add(FaultRule::on(Operation::Replace).nth(1).fail_after(ErrorKind::Unavailable));
    store.add(FaultRule::on(Operation::Get).nth(0).fail(ErrorKind::Unavailable));
    let rig = Rig::on(Arc::new(store), until(2));
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert_eq!(handle.wait().unwrap().state, JobState::Complete(Outcome::Succeeded));
    assert_eq!(told(&rig, &handle), busy([1]));
}
