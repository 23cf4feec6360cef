//! Jobs that the claim of an engine on a shared store starts, before a worker begins them.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use job_runner::{
    FailureKind, JobContext, JobHandle, JobId, JobState, Outcome, Timestamp,
    store::{Fault, FaultStore},
};

use crate::{
    cluster::{Group, work},
    support::{job, nothing, until_told, wire},
};

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);

/// The answer of the claim is lost. No other engine may treat the jobs as interrupted, and they must not wait for
/// the end of a lease.
#[test]
fn jobs_of_a_claim_that_was_reported_as_failed_run_as_their_first_attempt() {
    for jobs in [1, 5] {
        let group = Group::new();
        let handles = group.front().submit_all(vec![job("a"); jobs]).unwrap();
        let store = FaultStore::new(Arc::new(group.store.claimant()));
        // The claim is the first write.
        store.plan(Fault::AfterWrite(0));
        let engine = group.on(Arc::new(store)).algorithm("a", nothing).workers(5).open().unwrap();
        for handle in handles {
            let record = engine.job(handle.id()).unwrap().unwrap().wait().unwrap();
            assert_eq!((record.state, record.attempt, record.failed_attempts), (SUCCEEDED, 1, 0));
        }
    }
}

#[test]
fn a_started_job_whose_deadline_has_passed_fails_before_it_begins() {
    let group = Group::new();
    let due = Timestamp::from_micros(1_000);
    let [late, other] = [job("a").deadline(due), job("a")].map(|spec| group.front().submit(spec).unwrap());
    group.clock.advance(Duration::from_secs(1));
    let began = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&began);
    let counted = move |_: &mut JobContext| {
        seen.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let engine = group.engine(|builder| builder.algorithm("a", counted).workers(1));
    let wait = |handle: &JobHandle| engine.job(handle.id()).unwrap().unwrap().wait().unwrap();
    assert_eq!(wait(&late).failure.unwrap().kind, FailureKind::Deadline);
    assert_eq!(wait(&other).state, SUCCEEDED);
    assert_eq!(began.load(Ordering::Relaxed), 1);
}

/// The watch also gets changes of jobs that the engine does not know, as if its workers had started them one by
/// one.
#[test]
fn who_watches_the_engine_is_told_that_they_run() {
    let group = Group::new();
    let engine = group.engine(|builder| builder.algorithm("a", nothing).workers(2));
    let mut watch = engine.watch();
    let ids: Vec<_> = group.front().submit_all(vec![job("a"); 9]).unwrap().iter().map(JobHandle::id).collect();
    let mut told: HashMap<JobId, Vec<JobState>> = HashMap::new();
    while ids.iter().any(|id| told.get(id).is_none_or(|states| !states.contains(&SUCCEEDED))) {
        let change = watch.next_timeout(Duration::from_mins(1)).unwrap();
        told.entry(change.id).or_default().push(change.state);
    }
    for id in ids {
        assert_eq!(told[&id], [JobState::Running { cancelling: false }, SUCCEEDED]);
    }
}

/// Jobs are started ahead of the worker when the engine shuts down. None has a failed attempt.
#[test]
fn what_was_started_ahead_waits_again_when_the_engine_ends() {
    let group = Group::new();
    let (inside, entered) = wire();
    let hang = move |ctx: &mut JobContext| {
        if ctx.attempt() == 1 { until_told(ctx, &inside) } else { Ok(()) }
    };
    let leaving =
        group.engine(|builder| builder.algorithm("hang", hang.clone()).algorithm("a", nothing).workers(1));
    // After short jobs the engine claims ahead.
    for handle in leaving.submit_all(vec![job("a"); 100]).unwrap() {
        handle.wait().unwrap();
    }
    let mut specs = vec![job("a"); 40];
    specs[0] = job("hang").priority(9);
    let handles = leaving.submit_all(specs).unwrap();
    entered.recv().unwrap();
    let left = leaving.shutdown(Duration::ZERO);
    assert_eq!((left.waiting, left.abandoned), (0, 0));
    let other = group.engine(|builder| builder.algorithm("hang", hang.clone()).algorithm("a", nothing));
    work(&other);
    for handle in handles {
        let record = group.stored(handle.id());
        assert_eq!((record.state, record.failed_attempts), (SUCCEEDED, 0));
    }
}
