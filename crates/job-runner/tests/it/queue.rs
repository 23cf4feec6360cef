//! Submissions: which are accepted, in which order they run, and how a repeated request is answered.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use job_runner::{
    Engine, EngineError, JobClass, JobContext, JobError, JobHandle, JobSpec, ManualClock, Parameters,
    store::{Fault, FaultStore, MemoryStore},
};
use parking_lot::Mutex;

use crate::support::{Rig, count, drain, gated, job, nothing, numbers, page, wire};

type Notes = Arc<Mutex<Vec<String>>>;

/// A handler that notes the names of its jobs, and the notes.
fn noting() -> (Notes, impl Fn(&mut JobContext) -> Result<(), JobError>) {
    let order = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&order);
    let handler = move |ctx: &mut JobContext| {
        notes.lock().push(ctx.spec().parameters().read()?);
        Ok(())
    };
    (order, handler)
}

fn named(name: &str) -> JobSpec {
    job("note").with_parameters(name).unwrap()
}

#[test]
fn a_full_queue_names_its_class_and_bound_and_stores_nothing() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing).queue_bound(2));
    rig.queue(job("a"));
    rig.queue(job("a"));
    let full = rig.engine.submit(job("a")).unwrap_err();
    assert_eq!(full, EngineError::QueueFull { class: JobClass::Read, bound: 2 });
    assert_eq!(full.to_string(), "the queue of read jobs is full: 2 are waiting; try again later");
    // The class `Write` has a queue of its own.
    let write = rig.submit(job("a").class(JobClass::Write));
    assert_eq!(rig.engine.reader().list(page(0, 10)).unwrap().len(), 3);
    assert_eq!(write.record().spec.options().class, JobClass::Write);
    // A job that starts, or is cancelled, makes room.
    assert!(rig.engine.driver().run_one().is_some());
    let last = rig.submit(job("a"));
    last.cancel().unwrap();
    rig.queue(job("a"));
}

#[test]
fn jobs_that_nobody_can_run_have_a_bound_of_their_own() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing).accept_any_kind().queue_bound(2));
    rig.queue(job("unknown"));
    rig.queue(job("unknown"));
    assert!(matches!(rig.engine.submit(job("unknown")), Err(EngineError::QueueFull { bound: 2, .. })));
    assert!(rig.finish(job("a")).state.is_complete(), "they are in nobody's way");
}

#[test]
fn submit_with_a_timeout_waits_for_room() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", nothing)
        .manual()
        .queue_bound(1)
        .open()
        .unwrap();
    let first = engine.submit(job("a")).unwrap();
    assert!(matches!(engine.submit_timeout(job("a"), Duration::ZERO), Err(EngineError::QueueFull { .. })));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| engine.submit_timeout(job("a"), Duration::MAX).unwrap());
        first.cancel().unwrap();
        drop(waiting.join().unwrap());
    });
    assert_eq!(drain(&engine), 1);
}

#[test]
fn a_batch_is_taken_whole_or_not_at_all() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing).queue_bound(3));
    assert!(matches!(rig.engine.submit_all(vec![job("a"); 4]), Err(EngineError::QueueFull { .. })));
    assert_eq!(rig.engine.submit_all(vec![job("a"); 3]).unwrap().len(), 3);
    assert!(rig.engine.submit_all(Vec::<JobSpec>::new()).unwrap().is_empty());
    assert_eq!(rig.engine.reader().list(page(0, 10)).unwrap().len(), 3);
    assert_eq!(drain(&rig.engine), 3);
}

#[test]
fn a_submission_that_could_not_be_stored_leaves_its_place() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), |builder| builder.algorithm("a", nothing).queue_bound(1));
    for _ in 0..3 {
        store.plan(Fault::Write(0));
        assert!(matches!(rig.engine.submit(job("a")), Err(EngineError::Store(_))));
    }
    let handle = rig.submit(job("a"));
    assert_eq!(rig.engine.stats().read.waiting, 1);
    drain(&rig.engine);
    assert!(handle.record().state.is_complete());
}

#[test]
fn a_submission_that_was_stored_but_reported_as_failed_is_acknowledged() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let rig = Rig::on(Arc::new(store.clone()), |builder| builder.algorithm("a", nothing));
    store.plan(Fault::AfterWrite(0));
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert!(handle.record().state.is_complete());
}

#[test]
fn greater_priority_runs_first_until_age_catches_up() {
    let (order, handler) = noting();
    let rig = Rig::new(|builder| builder.algorithm("note", handler).priority_aging(Duration::from_secs(10)));
    rig.queue(named("old"));
    rig.clock.advance(Duration::from_secs(5));
    rig.queue(named("urgent").priority(1));
    rig.clock.advance(Duration::from_secs(10));
    rig.queue(named("too late").priority(1));
    rig.queue(named("low").priority(-5));
    drain(&rig.engine);
    assert_eq!(*order.lock(), ["urgent", "old", "too late", "low"]);
}

#[test]
fn graphs_share_the_workers_whatever_they_submit() {
    let (order, handler) = noting();
    let rig = Rig::new(|builder| builder.algorithm("note", handler));
    for n in 0..6 {
        rig.queue(named(&format!("big {n}")).with_graph("big"));
    }
    rig.queue(named("small 0").with_graph("small"));
    rig.queue(named("small 1").with_graph("small"));
    drain(&rig.engine);
    assert_eq!(order.lock()[..4], ["big 0", "small 0", "big 1", "small 1"]);
}

#[test]
fn classes_take_turns_on_one_worker() {
    let (order, handler) = noting();
    let rig = Rig::new(|builder| builder.algorithm("note", handler));
    for n in 0..4 {
        rig.queue(named(&format!("read {n}")));
    }
    for n in 0..2 {
        rig.queue(named(&format!("write {n}")).class(JobClass::Write));
    }
    drain(&rig.engine);
    assert_eq!(*order.lock(), ["read 0", "write 0", "read 1", "write 1", "read 2", "read 3"]);
}

/// Runs gated jobs of `specs` on 4 workers. Returns the most that were inside at once.
fn most_at_once(
    specs: &[JobSpec],
    setup: impl FnOnce(job_runner::EngineBuilder) -> job_runner::EngineBuilder,
) -> usize {
    let (gate, body) = gated();
    let inside = Arc::new(Mutex::new((0usize, 0usize)));
    let counter = Arc::clone(&inside);
    let body = move |ctx: &mut JobContext| {
        {
            let mut inside = counter.lock();
            inside.0 += 1;
            inside.1 = inside.1.max(inside.0);
        }
        let ended = body(ctx);
        counter.lock().0 -= 1;
        ended
    };
    let builder = Engine::builder(Arc::new(MemoryStore::default())).algorithm("a", body).workers(4);
    let engine = setup(builder).open().unwrap();
    let handles = engine.submit_all(specs.iter().cloned()).unwrap();
    for _ in &handles {
        gate.entered();
        gate.open();
    }
    for handle in handles {
        handle.wait().unwrap();
    }
    let most = inside.lock().1;
    assert_eq!(engine.stats(), job_runner::Stats::default());
    most
}

#[test]
fn a_graph_never_runs_more_jobs_than_it_may() {
    let limit = NonZeroUsize::new(2).unwrap();
    assert!(most_at_once(&vec![job("a"); 20], |builder| builder.jobs_per_graph(limit)) <= 2);
}

#[test]
fn a_class_never_runs_more_jobs_than_it_may() {
    let limit = NonZeroUsize::new(1).unwrap();
    let specs: Vec<_> = (0..12).map(|n| job("a").with_graph(format!("g{n}")).class(JobClass::Write)).collect();
    assert_eq!(most_at_once(&specs, |builder| builder.jobs_per_class(JobClass::Write, limit)), 1);
}

#[test]
fn the_same_key_gives_the_same_job_whatever_its_state() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let keyed = || job("a").idempotency_key("nightly");
    let first = rig.submit(keyed());
    assert_eq!(rig.submit(keyed()).id(), first.id());
    drain(&rig.engine);
    let again = rig.submit(keyed());
    assert_eq!((again.id(), again.wait()), (first.id(), first.wait()));
    // With another graph, another key or no key, the request is another job.
    assert_ne!(rig.submit(keyed().with_graph("h")).id(), first.id());
    assert_ne!(rig.submit(job("a").idempotency_key("daily")).id(), first.id());
    assert_ne!(rig.submit(job("a")).id(), first.id());
    // A removed job frees its key.
    rig.engine.remove(first.id()).unwrap();
    assert_ne!(rig.submit(keyed()).id(), first.id());
}

#[test]
fn the_same_key_gives_the_same_job_after_a_restart() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let keyed = || job("a").idempotency_key("nightly");
    let first = rig.submit(keyed()).id();
    let rig = rig.reopen(|builder| builder.algorithm("a", nothing));
    assert_eq!(rig.submit(keyed()).id(), first);
    assert_eq!(drain(&rig.engine), 1);
    let rig = rig.reopen(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(keyed());
    assert_eq!((handle.id(), handle.wait().unwrap().attempt), (first, 1));
}

#[test]
fn a_key_twice_in_one_batch_is_one_job() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing).queue_bound(3));
    let known = rig.submit(job("a").idempotency_key("known")).id();
    let keys = ["new", "known", "new", "other"];
    let specs: Vec<_> = keys.iter().map(|key| job("a").idempotency_key(*key)).collect();
    let ids: Vec<_> = rig.engine.submit_all(specs).unwrap().iter().map(JobHandle::id).collect();
    assert_eq!((ids[0], ids[1]), (ids[2], known));
    assert_ne!(ids[0], ids[3]);
    assert_eq!(rig.engine.reader().list(page(0, 10)).unwrap().len(), 3);
    assert_eq!(drain(&rig.engine), 3);
}

#[test]
fn eight_threads_with_one_key_get_one_job_and_all_see_its_end() {
    for round in 0..50 {
        let (runs, ran) = wire();
        let engine = Engine::builder(Arc::new(MemoryStore::default()))
            .algorithm("a", move |_: &mut JobContext| {
                runs.send(()).unwrap();
                Ok(())
            })
            .workers(2)
            .open()
            .unwrap();
        let start = Barrier::new(8);
        let ids: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let handle = engine.submit(job("a").idempotency_key(format!("k{round}"))).unwrap();
                        (handle.id(), handle.wait().unwrap().state.is_complete())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|&seen| seen == (ids[0].0, true)), "{ids:?}");
        drop(engine);
        assert_eq!(ran.len(), 1);
    }
}

#[test]
fn a_finished_result_is_given_back_when_the_request_allows_it() {
    let rig = Rig::new(|builder| builder.algorithm("numbers", numbers));
    let first = rig.finish(count(3).graph_version("v1"));
    let wish = || count(3).graph_version("v1").reuse_result();
    assert_eq!(rig.submit(wish()).id(), first.id);
    for other in [
        count(3).graph_version("v1"),                                // does not ask for it
        count(3).graph_version("v2").reuse_result(),                 // another version
        count(4).graph_version("v1").reuse_result(),                 // other parameters
        count(3).reuse_result(),                                     // no version: nothing is known
        count(3).with_graph("h").graph_version("v1").reuse_result(), // another graph
    ] {
        assert_ne!(rig.submit(other).id(), first.id);
    }
    drain(&rig.engine);
    // The newest of the finished jobs is reused.
    let newest = rig.submit(wish());
    assert!(newest.id() > first.id);
    assert!(newest.record().state.is_complete());
}

#[test]
fn a_result_that_failed_or_is_unfinished_is_not_given_back() {
    let rig = Rig::new(|builder| builder.algorithm("numbers", numbers));
    let bad = || count(3).with_parameters("three").unwrap().graph_version("v1").reuse_result();
    let failed = rig.finish(bad());
    assert!(failed.failure.is_some());
    let second = rig.submit(bad());
    assert_ne!(second.id(), failed.id);
    assert_ne!(rig.submit(bad()).id(), second.id());
}

#[test]
fn workers_drain_what_eight_threads_submit() {
    let engine = Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("a", nothing)
        .clock(Arc::new(ManualClock::default()))
        .workers(3)
        .queue_bound(16)
        .open()
        .unwrap();
    thread::scope(|scope| {
        for n in 0..8 {
            let engine = &engine;
            scope.spawn(move || {
                let handles: Vec<_> = (0..200)
                    .map(|_| engine.submit_timeout(job("a").with_graph(format!("g{n}")), Duration::MAX).unwrap())
                    .collect();
                for handle in handles {
                    assert!(handle.wait().unwrap().state.is_complete());
                }
            });
        }
    });
    engine.shutdown(Duration::MAX);
    assert_eq!(engine.stats(), job_runner::Stats::default());
}

/// The second request must not get the job and the rows of the first.
#[test]
fn another_request_under_the_same_key_is_refused_and_both_are_named() {
    let rig = Rig::new(|builder| builder.algorithm("numbers", numbers).algorithm("a", nothing));
    let keyed = |spec: JobSpec| spec.idempotency_key("nightly");
    let text = |text: &str| Parameters::from_text(text.to_owned()).unwrap();
    let first = rig.submit(keyed(job("numbers").with_raw_parameters(text("[1, 2]"))));
    // The same request, with its parameters in another spelling.
    assert_eq!(rig.submit(keyed(job("numbers").with_raw_parameters(text("[1,2]")).priority(3))).id(), first.id());
    let refused = rig.engine.submit(keyed(job("numbers").with_raw_parameters(text("[2,1]")))).unwrap_err();
    let why = format!(
        "the idempotency key \"nightly\" is that of job {}, numbers with [1, 2]: it cannot name numbers with [2,1] as \
         well; give each request a key of its own",
        first.id()
    );
    assert_eq!((refused.to_string(), refused.is_retryable()), (why, false));
    let other_kind = rig.engine.submit(keyed(job("a").with_raw_parameters(text("[1, 2]"))));
    assert!(matches!(other_kind, Err(EngineError::KeyTaken { job, .. }) if job == Some(first.id())));
    // Each graph has keys of its own.
    assert_ne!(rig.submit(keyed(JobSpec::algorithm("a").with_graph("h"))).id(), first.id());
    // Two requests with one key in one batch.
    let batch = rig.engine.submit_all([count(1), count(2)].map(|spec| spec.idempotency_key("k")));
    assert!(matches!(batch, Err(EngineError::KeyTaken { job: None, .. })), "{batch:?}");
    assert_eq!(rig.engine.reader().list(page(0, 10)).unwrap().len(), 2, "nothing of what was refused is stored");
}

/// The key must not give the failed job back for ever.
#[test]
fn a_job_that_failed_or_was_cancelled_gives_its_key_free() {
    let setup = |builder: job_runner::EngineBuilder| {
        builder.algorithm("a", nothing).algorithm("bad", |_: &mut JobContext| Err(JobError::failed("no")))
    };
    let mut rig = Rig::new(setup);
    let keyed = |name: &str| job(name).idempotency_key("nightly");
    let failed = rig.finish(keyed("bad")).id;
    let cancelled = rig.submit(keyed("bad"));
    assert_ne!(cancelled.id(), failed);
    cancelled.cancel().unwrap();
    rig = rig.reopen(setup);
    // The key is also free for other work.
    let done = rig.submit(keyed("a"));
    assert!(![failed, cancelled.id()].contains(&done.id()));
    assert_eq!(rig.submit(keyed("a")).id(), done.id(), "it waits");
    drain(&rig.engine);
    assert_eq!(rig.submit(keyed("a")).id(), done.id(), "it has succeeded");
    assert!(rig.engine.remove(failed).unwrap());
    assert_eq!(rig.submit(keyed("a")).id(), done.id(), "the key is not that of the job that was removed");
}
