//! Watches: of one job, of all, by a slow reader; and the texts of `explain` and `stats`.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use job_runner::{Changed, EngineError, Explanation, JobClass, JobContext, JobEvents, JobState, Outcome};

use crate::support::{Rig, block_on, drain, gated, job, nothing, wire};

const RUNNING: JobState = JobState::Running { cancelling: false };
const CANCELLING: JobState = JobState::Running { cancelling: true };
const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);
const CANCELLED: JobState = JobState::Complete(Outcome::Cancelled);

#[test]
fn a_watch_of_all_sees_every_change_in_order() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let mut watch = rig.engine.watch();
    let (first, second) = (rig.submit(job("a")), rig.submit(job("a")));
    second.cancel().unwrap();
    drain(&rig.engine);
    let seen: Vec<_> = std::iter::from_fn(|| watch.try_next()).map(|change| (change.id, change.state)).collect();
    let (a, b) = (first.id(), second.id());
    assert_eq!(
        seen,
        [(a, JobState::Waiting), (b, JobState::Waiting), (b, CANCELLED), (a, RUNNING), (a, SUCCEEDED)]
    );
}

#[test]
fn a_watch_of_one_job_ends_with_it() {
    let (gate, body) = gated();
    let rig = Rig::new(|builder| builder.algorithm("gated", body).algorithm("a", nothing));
    let handle = rig.submit(job("gated"));
    let watch = handle.watch();
    rig.queue(job("a"));
    std::thread::scope(|scope| {
        scope.spawn(|| drain(&rig.engine));
        gate.entered();
        handle.cancel().unwrap();
        handle.cancel().unwrap(); // no change
        gate.open();
    });
    let seen: Vec<_> =
        watch.map(|change| (change.state, change.revision, change.attempt, change.lagged)).collect();
    assert_eq!(seen, [(RUNNING, 1, 1, 0), (CANCELLING, 2, 1, 0), (CANCELLED, 3, 1, 0)]);
}

#[test]
fn a_watch_of_a_complete_job_has_ended() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    assert_eq!(handle.watch().next(), None);
}

#[test]
fn watches_end_with_the_engine_also_those_begun_later() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let handle = rig.submit(job("a"));
    let (mut one, all) = (handle.watch(), rig.engine.watch());
    rig.engine.shutdown(Duration::ZERO);
    assert_eq!((one.next(), all.map(|change| change.state).collect::<Vec<_>>()), (None, vec![]));
    assert_eq!(handle.watch().next(), None);
    assert_eq!(rig.engine.watch().next(), None);
}

#[test]
fn a_watcher_that_is_slow_is_told_what_it_missed() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let mut watch = rig.engine.watch();
    let specs: Vec<_> = (0..JobEvents::CAPACITY + 7).map(|_| job("a")).collect();
    let handles = rig.engine.submit_all(specs).unwrap();
    let mut watch_of_one = handles[0].watch();
    let first = watch.next_timeout(Duration::ZERO).unwrap();
    assert_eq!((first.id, first.lagged), (handles[7].id(), 7));
    for handle in &handles[8..] {
        let change = watch.try_next().unwrap();
        assert_eq!((change.id, change.lagged), (handle.id(), 0));
    }
    assert_eq!(watch.try_next(), None);
    handles[1].cancel().unwrap();
    assert_eq!(watch.try_next().unwrap().lagged, 0);
    // Changes of one job are not lost among any number of changes of others.
    drain(&rig.engine);
    assert_eq!(watch_of_one.next().map(|change| (change.state, change.lagged)), Some((RUNNING, 0)));
}

/// A waker that notes whether it was woken.
#[derive(Default)]
struct Task(AtomicBool);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A wait for a change, by a task of its own.
struct Listening {
    task: Arc<Task>,
    changed: Changed,
}

impl Listening {
    fn new(changed: Changed) -> Self {
        let mut new = Self { task: Arc::default(), changed };
        assert!(!new.is_told());
        new
    }

    /// Whether the future is ready. Its task must have been woken then.
    fn is_told(&mut self) -> bool {
        let woken = self.task.0.load(Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&self.task));
        let ready = Pin::new(&mut self.changed).poll(&mut Context::from_waker(&waker)).is_ready();
        assert_eq!(woken, ready);
        ready
    }
}

type Step = Box<dyn FnOnce(&mut JobContext) + Send>;

/// Progress and rows must be announced, and not polled four times a second.
#[test]
fn whoever_waits_for_news_of_a_job_is_told_of_its_state_progress_and_rows() {
    let (step, steps) = wire::<Step>();
    let (tell, done) = wire();
    let rig = Rig::new(|builder| {
        builder.algorithm("steps", move |ctx: &mut JobContext| {
            tell.send(()).unwrap();
            for step in &steps {
                step(ctx);
                tell.send(()).unwrap();
            }
            ctx.check_stopped()
        })
    });
    let handle = rig.submit(job("steps"));
    let listen = || [handle.changed(), handle.state_changed()].map(Listening::new);
    let mut listening = listen();
    let mut told = |more: bool| {
        let told = listening.each_mut().map(Listening::is_told);
        if more {
            listening = listen();
        }
        told
    };
    std::thread::scope(|scope| {
        scope.spawn(|| drain(&rig.engine));
        done.recv().unwrap();
        assert_eq!(told(true), [true, true], "it has begun");
        let mut after = |body: fn(&mut JobContext)| {
            step.send(Box::new(body)).unwrap();
            done.recv().unwrap();
            told(true)
        };
        assert_eq!(after(|_| ()), [false, false], "nothing has happened");
        assert_eq!(after(|ctx| ctx.set_progress(1, 2)), [true, false]);
        assert_eq!(after(|ctx| ctx.task("part").task("of it").set_progress(1, 2)), [true, false]);
        assert_eq!(after(|ctx| ctx.rows("n").unwrap().push(&"x".repeat(1 << 20)).unwrap()), [true, false]);
        assert_eq!(after(|_| ()), [false, false]);
        handle.cancel().unwrap();
        assert_eq!(after(|_| ()), [true, true], "it is asked to stop");
        drop(step);
    });
    assert_eq!(told(false), [true, true], "it has ended");
    // The job cannot change any more.
    block_on(handle.changed());
    block_on(handle.state_changed());
}

#[test]
fn whoever_waits_for_news_of_a_waiting_job_is_told_when_others_make_way() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    let (first, second, third) = (rig.submit(job("a")), rig.submit(job("a")), rig.submit(job("a")));
    let ahead = || match third.snapshot().explanation {
        Explanation::Queued { ahead } => ahead,
        other => panic!("{other}"),
    };
    let mut seen = vec![ahead()];
    let steps: [&dyn Fn(); 2] =
        [&|| drop(first.cancel().unwrap()), &|| assert!(rig.engine.driver().run_one().is_some())];
    for step in steps {
        let (mut any, mut state) = (Listening::new(third.changed()), Listening::new(third.state_changed()));
        step();
        assert_eq!([any.is_told(), state.is_told()], [true, false]);
        seen.push(ahead());
    }
    assert_eq!(seen, [2, 1, 0]);
    assert_eq!(second.record().state, SUCCEEDED);
}

#[test]
fn a_watch_that_was_dropped_holds_up_nobody() {
    let rig = Rig::new(|builder| builder.algorithm("a", nothing));
    drop(rig.engine.watch());
    let handle = rig.submit(job("a"));
    drop(handle.watch());
    drain(&rig.engine);
    assert_eq!(handle.record().state, SUCCEEDED);
}

#[test]
fn explain_says_why_a_job_waits_runs_or_ended() {
    let (gate, body) = gated();
    let limit = 1.try_into().unwrap();
    let rig = Rig::new(|builder| builder.algorithm("gated", body).algorithm("a", nothing).jobs_per_graph(limit));
    let explain = |id| rig.engine.explain(id).unwrap();
    let running = rig.submit(job("gated"));
    let (next, behind) = (rig.submit(job("a")), rig.submit(job("a")));
    assert_eq!(explain(running.id()), Explanation::Queued { ahead: 0 });
    assert_eq!(explain(behind.id()), Explanation::Queued { ahead: 2 });
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        rig.clock.advance(Duration::from_secs(3));
        assert!(matches!(
            explain(running.id()),
            Explanation::Running { since, .. } if since == Duration::from_secs(3)
        ));
        assert_eq!(explain(next.id()), Explanation::GraphBusy { graph: "g".to_owned(), running: 1 });
        running.cancel().unwrap();
        rig.clock.advance(Duration::from_secs(2));
        let cancelling = explain(running.id());
        assert!(matches!(cancelling, Explanation::Cancelling { since, .. } if since == Duration::from_secs(2)));
        assert_eq!(cancelling.to_string(), "it was asked to stop 2.0s ago and has not checked for it yet");
        gate.open();
    });
    drain(&rig.engine);
    let record = running.record();
    let ended = Explanation::Cancelled { requested: record.cancel_requested_at, stopped: record.finished_at };
    assert_eq!(explain(running.id()), ended);
    assert_eq!(explain(next.id()), Explanation::Succeeded(job_runner::ResultSize::default()));
}

#[test]
fn explain_names_a_class_at_its_limit() {
    let (gate, body) = gated();
    let limit = 1.try_into().unwrap();
    let rig = Rig::new(|builder| builder.algorithm("gated", body).jobs_per_class(JobClass::Write, limit));
    let spec = || job("gated").class(JobClass::Write);
    let (_first, second) = (rig.submit(spec()), rig.submit(spec()));
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        assert!(rig.engine.driver().run_one().is_none());
        assert_eq!(rig.engine.explain(second.id()).unwrap(), Explanation::ClassBusy { running: 1 });
        gate.open();
    });
    gate.open();
    assert_eq!(drain(&rig.engine), 1);
}

#[test]
fn stats_count_each_class_and_come_back_to_nothing() {
    let (gate, body) = gated();
    let rig = Rig::new(|builder| builder.algorithm("gated", body).algorithm("a", nothing).accept_any_kind());
    let running = rig.submit(job("gated"));
    rig.clock.advance(Duration::from_secs(1));
    rig.queue(job("a").with_graph("h"));
    rig.queue(job("a").class(JobClass::Write));
    let unknown = rig.submit(job("unknown"));
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        running.cancel().unwrap();
        rig.clock.advance(Duration::from_secs(2));
        let stats = rig.engine.stats();
        assert_eq!((stats.read.waiting, stats.read.running, stats.write.waiting), (2, 1, 1));
        assert_eq!(stats.read.oldest_waiting, Duration::from_secs(2));
        assert_eq!(stats.read.oldest_running, Duration::from_secs(2));
        assert_eq!((stats.unhandled, stats.cancelling, &stats.unhealthy), (1, 1, &None));
        gate.open();
    });
    drain(&rig.engine);
    unknown.cancel().unwrap();
    assert_eq!(rig.engine.stats(), job_runner::Stats::default());
    assert_eq!(unknown.cancel(), Err(EngineError::AlreadyComplete(unknown.id())));
}

/// If record and progress were read one after the other, a job could be succeeded with a progress of 0.
#[test]
fn a_snapshot_is_of_one_moment_and_progress_never_falls_within_an_attempt() {
    let rig = Rig::new(|builder| {
        builder.workers(2).algorithm("back", |ctx: &mut JobContext| {
            let mut rows = ctx.rows("score")?;
            for n in 0..200 {
                // The reported part goes up and down, while more work is found.
                ctx.set_progress(n % 50 + n / 2, 100 + n);
                rows.push(&n)?;
            }
            Ok(())
        })
    });
    for _ in 0..100 {
        let handle = rig.submit(job("back"));
        let mut highest = (0, 0.0);
        loop {
            let now = handle.snapshot();
            let state = now.record.state;
            match now.explanation {
                Explanation::Queued { .. } | Explanation::Starting => assert_eq!(state, JobState::Waiting),
                Explanation::Running { progress, .. } => {
                    assert_eq!((state, progress), (RUNNING, now.progress.clone()));
                }
                Explanation::Succeeded(size) => assert_eq!((state, size.rows, now.rows), (SUCCEEDED, 200, 200)),
                other => panic!("{state}: {other}"),
            }
            let reached = (now.record.attempt, now.progress.ratio());
            assert!(reached >= highest, "{reached:?} after {highest:?}");
            highest = reached;
            if state.is_complete() {
                break;
            }
            std::thread::yield_now();
        }
        assert_eq!(highest, (1, 1.0));
    }
}

#[test]
fn a_cancelled_job_keeps_how_far_it_was() {
    let (gate, pass) = crate::support::Gate::new();
    let rig = Rig::new(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            ctx.set_progress(7, 9);
            ctx.set_progress(1, 9);
            pass(ctx);
            ctx.check_stopped()
        })
    });
    let (handle, waiting) = (rig.submit(job("a")), rig.submit(job("a")));
    waiting.cancel().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        handle.cancel().unwrap();
        assert_eq!((handle.snapshot().record.state, handle.progress().percent()), (CANCELLING, 77));
        gate.open();
    });
    assert_eq!((rig.stored(handle.id()).state, rig.stored(handle.id()).progress), (CANCELLED, Some(77)));
    assert_eq!((handle.progress().percent(), rig.stored(waiting.id()).progress), (77, None));
}
