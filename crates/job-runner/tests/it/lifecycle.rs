//! The life of a job from submission to its end, and the ways to wait for the end.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Wake, Waker},
    thread,
    time::Duration,
};

use job_runner::{
    Engine, EngineError, FailureKind, JobContext, JobError, JobHandle, JobId, JobSpec, JobState, Outcome,
    store::MemoryStore,
};

use crate::support::{Rig, block_on, count, drain, gated, job, nothing, numbers, page, rows, wire};

#[test]
fn a_job_waits_runs_and_succeeds() {
    let rig = Rig::new(|builder| builder.algorithm("numbers", numbers));
    let handle = rig.submit(count(3));
    assert_eq!(handle.record().state, JobState::Waiting);
    assert_eq!(rig.stored(handle.id()), handle.record());
    rig.clock.advance(Duration::from_secs(5));
    assert!(rig.engine.driver().run_one().is_some());
    assert!(rig.engine.driver().run_one().is_none());
    let record = handle.wait().unwrap();
    assert_eq!(record.state, JobState::Complete(Outcome::Succeeded));
    assert_eq!((record.attempt, record.size.rows, record.size.bytes), (1, 3, 5)); // `0,1,2`
    assert_eq!(record.finished_at.unwrap().since(record.submitted_at), Duration::from_secs(5));
    assert_eq!(rig.stored(handle.id()), record);
    assert_eq!(rows(&handle, 0, 10), [0, 1, 2]);
}

#[test]
fn jobs_that_are_waited_for_together_all_end_or_the_others_are_named() {
    let rig = Rig::new(|builder| {
        let later = |_: &mut JobContext| Err(JobError::transient("the graph is being loaded"));
        builder.algorithm("numbers", numbers).algorithm("later", later)
    });
    let jobs = [rig.submit(count(3)), rig.submit(job("later")), rig.submit(count(5)), rig.submit(count(7))];
    let none = JobHandle::wait_all(&jobs, Duration::ZERO).unwrap_err();
    let EngineError::NotEnded { jobs: left, all: 4, timeout: Duration::ZERO } = &none else { panic!("{none}") };
    assert!(left.iter().map(|(job, _)| *job).eq(jobs.iter().map(JobHandle::id)));
    assert!(none.is_retryable());
    jobs[3].cancel().unwrap();
    assert_eq!(rig.engine.driver().run_until_idle().len(), 3);
    let error = JobHandle::wait_all(&jobs, Duration::from_millis(1)).unwrap_err();
    let why = "it waits to be tried again after: the graph is being loaded";
    assert_eq!(error.to_string(), format!("1 of 4 jobs did not end within 1ms: job {}: {why}", jobs[1].id()));
    let ended = JobHandle::wait_all([&jobs[3], &jobs[0], &jobs[2]], Duration::ZERO).unwrap();
    let states: Vec<_> = ended.iter().map(|record| (record.id, record.state, record.size.rows)).collect();
    let succeeded = JobState::Complete(Outcome::Succeeded);
    assert_eq!(
        states,
        [
            (jobs[3].id(), JobState::Complete(Outcome::Cancelled), 0),
            (jobs[0].id(), succeeded, 3),
            (jobs[2].id(), succeeded, 5)
        ]
    );
    assert_eq!(JobHandle::wait_all([], Duration::ZERO), Ok(Vec::new()));
    drop(rig);
    assert_eq!(JobHandle::wait_all(&jobs, Duration::MAX), Err(EngineError::LeftUnfinished(jobs[1].id())));
}

/// A wait of each alone would have taken its time anew.
#[test]
fn a_wait_for_many_jobs_ends_at_one_time_and_names_ten() {
    let (gate, body) = gated();
    let engine = Engine::builder(Arc::new(MemoryStore::default())).algorithm("a", body).workers(1).open().unwrap();
    let jobs = engine.submit_all((0..12).map(|_| job("a"))).unwrap();
    gate.entered();
    let error = JobHandle::wait_all(&jobs, Duration::from_millis(5)).unwrap_err().to_string();
    assert!(
        error.starts_with("12 of 12 jobs did not end within 5ms: ") && error.ends_with("; and 2 more"),
        "{error}"
    );
    assert!(error.contains("it has been running for") && error.contains("it waits behind 1 jobs of its graph"));
    drop(gate);
    assert_eq!(JobHandle::wait_all(&jobs, Duration::MAX).unwrap().len(), 12);
}

#[test]
fn each_kind_of_job_has_its_own_handler_and_the_last_one_given_counts() {
    let says = |text: &'static str| move |ctx: &mut JobContext| Ok(ctx.set_output("says", text)?);
    let rig = Rig::new(|builder| {
        builder
            .vertex_filter(says("vertices"))
            .edge_filter(says("edges"))
            .algorithm("a", says("old"))
            .algorithm("a", says("new"))
    });
    for (spec, expected) in [
        (JobSpec::vertex_filter().with_graph("g"), "\"vertices\""),
        (JobSpec::edge_filter().with_graph("g"), "\"edges\""),
        (job("a"), "\"new\""),
    ] {
        let record = rig.finish(spec);
        let result = rig.engine.reader().result(record.id).unwrap().unwrap();
        assert_eq!(result.outputs.iter().collect::<Vec<_>>(), [("says", expected)]);
    }
}

#[test]
fn a_handler_that_fails_gives_the_reason() {
    let rig = Rig::new(|builder| builder.algorithm("a", |_: &mut JobContext| Err(JobError::failed("k is 0"))));
    let record = rig.finish(job("a"));
    assert_eq!(record.state, JobState::Complete(Outcome::Failed));
    let failure = record.failure.unwrap();
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Handler, "k is 0"));
}

#[test]
fn rows_of_a_job_that_failed_are_gone() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("rows")?;
            rows.push(&"x".repeat(200_000))?; // more than a block: it is in the store already
            Err(JobError::failed("no"))
        })
    });
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert_eq!(handle.record().size.rows, 0);
    assert!(handle.page(page(0, 10)).unwrap().is_empty());
    assert!(rig.store.result(handle.id()).unwrap().is_none());
}

#[test]
fn an_invalid_request_is_refused_before_anything_is_stored() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    assert!(matches!(rig.engine.submit(JobSpec::algorithm("a")), Err(EngineError::InvalidSpec(_))));
    assert!(matches!(rig.engine.submit_all([job("a"), JobSpec::algorithm("")]), Err(EngineError::InvalidSpec(_))));
    assert!(rig.engine.reader().list(page(0, 10)).unwrap().is_empty());
}

#[test]
fn wait_with_a_timeout_says_that_the_job_is_not_complete() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    assert_eq!(handle.wait_timeout(Duration::ZERO), Ok(None));
    assert_eq!(handle.wait_timeout(Duration::from_millis(1)), Ok(None));
    drain(&rig.engine);
    assert!(handle.wait_timeout(Duration::ZERO).unwrap().unwrap().state.is_complete());
    assert!(handle.wait_timeout(Duration::MAX).unwrap().is_some());
}

#[test]
fn everybody_who_waits_is_told() {
    let (gate, body) = gated();
    let engine = Engine::builder(Arc::new(MemoryStore::default())).algorithm("a", body).workers(1).open().unwrap();
    let handle = engine.submit(job("a")).unwrap();
    gate.entered();
    thread::scope(|scope| {
        let waiters: Vec<_> = (0..8)
            .map(|n| {
                let handle = handle.clone();
                scope.spawn(move || if n % 2 == 0 { handle.wait() } else { block_on(handle) })
            })
            .collect();
        gate.open();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap().unwrap().state, JobState::Complete(Outcome::Succeeded));
        }
    });
}

#[test]
fn a_future_is_woken_once_and_may_be_polled_by_many_tasks() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let mut handle = rig.submit(job("a"));
    let mut other = handle.clone();
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(Pin::new(&mut handle).as_mut().poll(&mut context).is_pending());
        assert!(Pin::new(&mut other).as_mut().poll(&mut context).is_pending());
    }
    drain(&rig.engine);
    assert!(Pin::new(&mut handle).as_mut().poll(&mut context).is_ready());
    assert!(block_on(other).unwrap().state.is_complete());
}

/// The waker of a dropped future must not stay until the job ends.
#[test]
fn futures_that_are_dropped_leave_no_waker() {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    let polled = |future: &mut (dyn Future<Output = ()> + Unpin)| {
        let task = Arc::new(Nobody);
        let kept = Arc::downgrade(&task);
        assert!(Pin::new(future).poll(&mut Context::from_waker(&Waker::from(task))).is_pending());
        kept
    };
    let mut wakers = Vec::new();
    for _ in 0..10_000 {
        let mut end = handle.clone();
        let mut end = std::future::poll_fn(move |context| Pin::new(&mut end).poll(context).map(drop));
        // Two tasks poll the future, one after the other. The second must be woken.
        wakers.extend([polled(&mut end), polled(&mut end)]);
        assert_eq!(wakers.iter().rev().take(2).map(Weak::strong_count).collect::<Vec<_>>(), [1, 0]);
        wakers.extend([polled(&mut handle.changed()), polled(&mut handle.state_changed())]);
    }
    assert_eq!(wakers.iter().map(Weak::strong_count).sum::<usize>(), 0, "of {}", wakers.len());
    drain(&rig.engine);
    assert!(block_on(handle).unwrap().state.is_complete());
}

#[test]
fn a_callback_is_called_at_the_end_or_at_once_if_it_is_over() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    let (tell, told) = wire();
    let before = tell.clone();
    handle.on_complete(move |record| before.send(("before", record.state)).unwrap());
    assert!(told.is_empty());
    drain(&rig.engine);
    handle.on_complete(move |record| tell.send(("after", record.state)).unwrap());
    let done = JobState::Complete(Outcome::Succeeded);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [("before", done), ("after", done)]);
}

#[test]
fn a_callback_is_called_when_a_waiting_job_is_cancelled() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    let (tell, told) = wire();
    handle.on_complete(move |record| tell.send(record.state).unwrap());
    handle.cancel().unwrap();
    assert_eq!(told.try_recv(), Ok(JobState::Complete(Outcome::Cancelled)));
}

#[test]
fn a_callback_that_panics_hurts_neither_the_worker_nor_the_other_callbacks() {
    let (gate, body) = gated();
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", nothing)
        .algorithm("gated", body)
        .workers(1)
        .open()
        .unwrap();
    let handle = engine.submit(job("gated")).unwrap();
    gate.entered();
    let (tell, told) = wire();
    handle.on_complete(|_| panic!("a callback"));
    handle.on_complete(move |_| tell.send(()).unwrap());
    gate.open();
    told.recv().unwrap();
    // The only worker of the engine is alive.
    for _ in 0..3 {
        assert!(engine.submit(job("a")).unwrap().wait().unwrap().state.is_complete());
    }
}

#[test]
fn a_callback_that_panics_does_not_concern_who_cancels() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    handle.on_complete(|_| panic!("a callback"));
    let cancelled = catch_unwind(AssertUnwindSafe(|| handle.cancel()));
    assert_eq!(cancelled.unwrap().unwrap().state, JobState::Complete(Outcome::Cancelled));
}

#[test]
fn a_callback_may_use_the_engine_and_be_the_last_to_have_it() {
    let (gate, body) = gated();
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", nothing)
        .algorithm("gated", body)
        .workers(1)
        .open()
        .unwrap();
    let engine = Arc::new(engine);
    let handle = engine.submit(job("gated")).unwrap();
    gate.entered();
    let (tell, told) = wire();
    let own = Arc::clone(&engine);
    handle.on_complete(move |_| {
        let next = own.submit(job("a")).unwrap().id();
        drop(own); // ends the engine, on a thread of its own pool
        tell.send(next).unwrap();
    });
    drop(engine);
    gate.open();
    told.recv().unwrap();
}

#[test]
fn a_handle_is_found_again_by_its_id() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    let again = rig.engine.job(handle.id()).unwrap().unwrap();
    drain(&rig.engine);
    assert_eq!(again.wait(), handle.wait());
    assert_eq!(rig.engine.job(handle.id()).unwrap().unwrap().wait(), handle.wait());
    assert!(rig.engine.job(JobId::MIN).unwrap().is_none());
    assert!(matches!(rig.engine.cancel(JobId::MIN), Err(EngineError::UnknownJob(JobId::MIN))));
    assert!(matches!(rig.engine.explain(JobId::MIN), Err(EngineError::UnknownJob(JobId::MIN))));
}

/// The worker of the job may still hold it when the end is known. The removal must not be refused with "it is
/// succeeded: cancel it first".
#[test]
fn a_job_is_removed_as_soon_as_its_end_is_known() {
    let store = Arc::new(MemoryStore::default());
    let body =
        |ctx: &mut JobContext| if ctx.spec().graph() == "good" { Ok(()) } else { Err(JobError::failed("no")) };
    let engine = Engine::builder(store).algorithm("end", body).workers(2).open().unwrap();
    for round in 0..1_000 {
        let graph = if round % 2 == 0 { "good" } else { "bad" };
        let job = engine.submit(JobSpec::algorithm("end").with_graph(graph)).unwrap();
        assert!(job.wait().unwrap().state.is_complete());
        assert_eq!(engine.remove(job.id()), Ok(true), "round {round}");
        assert!(engine.job(job.id()).unwrap().is_none(), "round {round}: the removed job is still found");
    }
}

#[test]
fn a_removed_job_is_gone() {
    let rig = Rig::new(|builder| builder.algorithm("numbers", numbers));
    let waiting = rig.submit(count(1));
    assert!(rig.engine.remove(waiting.id()).is_err());
    drain(&rig.engine);
    assert!(rig.engine.remove(waiting.id()).unwrap());
    assert!(!rig.engine.remove(waiting.id()).unwrap());
    assert!(matches!(waiting.page(page(0, 1)), Err(EngineError::UnknownJob(_))));
    let status = rig.engine.reader().status(waiting.id(), page(0, 1)).unwrap();
    assert_eq!(status.payload().http_status(), 400); // as the API document has it
}

#[test]
fn ids_ascend_in_the_order_of_submission() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let specs: Vec<_> = (0..500).map(|_| job("a")).collect();
    let mut ids: Vec<_> = rig.engine.submit_all(specs).unwrap().iter().map(JobHandle::id).collect();
    rig.clock.set(job_runner::Timestamp::from_micros(1)); // the clock goes back
    ids.push(rig.submit(job("a")).id());
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert_eq!(drain(&rig.engine), 501);
}
