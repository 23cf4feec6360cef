//! Passing errors: another attempt after a growing pause, and not for ever.

use std::{sync::Arc, time::Duration};

use job_runner::{
    Clock, Engine, Explanation, FailureKind, JobContext, JobError, JobState, Outcome, RetryPolicy,
    SharedEngineBuilder,
    store::{ErrorKind, MemoryStore, SharedMemory, StoreError},
};

use crate::support::{Rig, drain, job, rows};

const POLICY: RetryPolicy = RetryPolicy::new(Duration::from_secs(10), Duration::from_secs(30));

fn rig(body: impl Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static) -> Rig {
    Rig::new(|builder| builder.algorithm("a", body).retry(POLICY))
}

#[test]
fn pauses_double_up_to_the_longest_and_then_the_job_fails() {
    let rig = rig(|ctx: &mut JobContext| Err(JobError::transient(format!("attempt {}", ctx.attempt()))));
    let handle = rig.submit(job("a").max_attempts(5));
    for (failures, full) in (1..5).zip([10, 20, 30, 30]) {
        assert!(rig.engine.driver().run_one().is_some());
        let record = handle.record();
        assert_eq!(
            (record.state, record.failed_attempts, record.attempt),
            (JobState::Waiting, failures, failures)
        );
        assert_eq!(record.failure.clone().unwrap().message, format!("attempt {failures}"));
        let due = record.not_before.unwrap();
        let pause = due.since(rig.clock.now());
        assert!(pause >= Duration::from_secs(full) / 2 && pause < Duration::from_secs(full), "{pause:?}");
        assert_eq!(
            rig.engine.explain(handle.id()).unwrap(),
            Explanation::Delayed { until: due, failure: record.failure }
        );
        rig.clock.set(job_runner::Timestamp::from_micros(due.as_micros() - 1));
        assert!(rig.engine.driver().run_one().is_none(), "not a moment too early");
        rig.clock.set(due);
    }
    assert!(rig.engine.driver().run_one().is_some());
    let failure = handle.wait().unwrap().failure.unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Handler, "attempt 5 (attempt 5 of 5)"));
    assert_eq!(rig.engine.stats(), job_runner::Stats::default());
}

#[test]
fn a_further_attempt_starts_with_no_rows_and_may_succeed() {
    let rig = rig(|ctx: &mut JobContext| {
        let mut rows = ctx.rows("n")?;
        for n in 0..50_000u64 {
            rows.push(&(n + u64::from(ctx.attempt()) * 1_000_000))?;
        }
        if ctx.attempt() < 3 { Err(JobError::transient("again")) } else { Ok(()) }
    });
    let handle = rig.submit(job("a"));
    for _ in 0..3 {
        assert!(rig.engine.driver().run_one().is_some());
        rig.clock.advance(Duration::from_mins(1));
    }
    let record = handle.record();
    assert_eq!((record.state, record.attempt, record.failure), (JobState::Complete(Outcome::Succeeded), 3, None));
    assert_eq!((rows(&handle, 0, 1), record.size.rows), (vec![3_000_000], 50_000));
}

#[test]
fn a_job_that_may_start_once_is_not_tried_again() {
    let rig = rig(|_: &mut JobContext| Err(JobError::transient("again")));
    let record = rig.finish(job("a").max_attempts(1));
    assert_eq!(record.failure.unwrap().message, "again (attempt 1 of 1)");
}

#[test]
fn a_delayed_job_keeps_its_place_in_the_queue_and_holds_up_nobody() {
    let rig = Rig::new(|builder| {
        builder
            .algorithm(
                "a",
                |ctx: &mut JobContext| {
                    if ctx.attempt() == 1 { Err(JobError::transient("again")) } else { Ok(()) }
                },
            )
            .algorithm("b", |_: &mut JobContext| Ok(()))
            .queue_bound(2)
    });
    let delayed = rig.submit(job("a"));
    assert!(rig.engine.driver().run_one().is_some());
    let other = rig.submit(job("b"));
    assert!(rig.engine.submit(job("b")).is_err(), "it counts as waiting");
    assert_eq!(drain(&rig.engine), 1);
    assert!(other.record().state.is_complete());
    rig.clock.advance(Duration::from_mins(1));
    assert_eq!(drain(&rig.engine), 1);
    assert!(delayed.record().state.is_complete());
}

#[test]
fn an_error_of_the_store_inside_the_body_is_tried_again_if_it_may_pass() {
    for (kind, again) in [
        (ErrorKind::Unavailable, true),
        (ErrorKind::Full, true),
        (ErrorKind::Corrupt, false),
        (ErrorKind::Fenced, false),
        (ErrorKind::Conflict, false),
    ] {
        let rig = rig(move |_: &mut JobContext| Err(StoreError::new(kind, "read", "elsewhere").into()));
        let record = rig.finish(job("a"));
        if again {
            assert_eq!((record.state, record.failed_attempts), (JobState::Waiting, 0), "{kind:?}");
        } else {
            // The job fails too if the error comes from another store that the handler uses. The job must not
            // hang.
            assert_eq!(record.state, JobState::Complete(Outcome::Failed), "{kind:?}");
        }
        assert_eq!(record.failure.unwrap().kind, FailureKind::Store);
    }
}

#[test]
fn a_job_outlives_an_outage_of_the_store_of_any_length() {
    let rig = rig(|ctx: &mut JobContext| {
        if ctx.attempt() > 10 {
            return Ok(());
        }
        Err(StoreError::new(ErrorKind::Unavailable, "append rows", "sorry, too many clients already").into())
    });
    let handle = rig.submit(job("a").max_attempts(1));
    for attempt in 1..=10 {
        assert!(rig.engine.driver().run_one().is_some());
        let record = handle.record();
        assert_eq!((record.state, record.attempt), (JobState::Waiting, attempt));
        let pause = record.not_before.unwrap().since(rig.clock.now());
        assert!(
            pause >= POLICY.max_backoff / 2 || attempt < 3 && pause >= POLICY.initial_backoff / 2,
            "{attempt}: {pause:?}"
        );
        assert!(rig.engine.driver().run_one().is_none(), "it does not spin");
        rig.clock.advance(POLICY.max_backoff);
    }
    assert!(rig.engine.driver().run_one().is_some());
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Succeeded));
}

#[test]
fn a_retry_survives_a_restart_with_its_time() {
    let rig = rig(|_: &mut JobContext| Err(JobError::transient("again")));
    let id = rig.submit(job("a")).id();
    drain(&rig.engine);
    let before = rig.stored(id);
    let rig = rig.reopen(|builder| builder.algorithm("a", |_: &mut JobContext| Ok(())));
    assert_eq!(rig.stored(id), before);
    assert!(rig.engine.driver().run_one().is_none());
    rig.clock.advance(Duration::from_secs(10));
    assert!(rig.engine.driver().run_one().is_some());
    assert_eq!(rig.stored(id).attempt, 2);
}

/// The next attempt must not be a year away, in this engine or in the next one.
#[test]
fn a_clock_that_was_a_year_ahead_when_an_attempt_failed_delays_the_next_by_no_more_than_a_pause() {
    let body = |ctx: &mut JobContext| {
        if ctx.attempt() == 1 { Err(JobError::transient("again")) } else { Ok(()) }
    };
    for reopens in [false, true] {
        let mut rig = rig(body);
        let now = rig.clock.now();
        let handle = rig.submit(job("a"));
        rig.clock.advance(Duration::from_hours(24 * 365));
        assert!(rig.engine.driver().run_one().is_some());
        assert!(rig.engine.driver().run_one().is_none());
        rig.clock.set(now);
        if reopens {
            rig = rig.reopen(|builder| builder.algorithm("a", body).retry(POLICY));
        }
        assert!(rig.engine.driver().run_one().is_some(), "reopened: {reopens}");
        assert_eq!(rig.stored(handle.id()).state, JobState::Complete(Outcome::Succeeded));
    }
}

/// With a lease of zero, 1 ms or for ever, no job would run and the engine would be healthy.
#[test]
fn an_engine_that_could_not_work_as_it_is_set_up_is_not_opened() {
    let error = |setup: fn(SharedEngineBuilder) -> SharedEngineBuilder| {
        let store = Arc::new(SharedMemory::new(MemoryStore::default()));
        setup(Engine::builder_shared(store)).open().unwrap_err().to_string()
    };
    assert_eq!(
        error(|builder| builder.lease_duration(Duration::ZERO)),
        "the option lease_duration is 0ns: it must be from 100ms to 86400s"
    );
    assert!(
        error(|builder| builder.lease_duration(Duration::from_millis(1)))
            .starts_with("the option lease_duration is 1ms")
    );
    assert!(
        error(|builder| builder.lease_duration(Duration::MAX))
            .starts_with("the option lease_duration is 18446744073709551615.9")
    );
    assert!(error(|builder| builder.poll_interval(Duration::ZERO)).starts_with("the option poll_interval is 0ns"));
}
