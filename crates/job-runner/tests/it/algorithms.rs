//! Iterative algorithms: steps, saved states, progress, threads.

use std::{
    ops::{ControlFlow, Range},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::Sender;
use job_runner::{
    Clock, FailureKind, Iterative, JobContext, JobError, JobState, ManualClock, Outcome, RetryPolicy, Timestamp,
    store::MemoryStore,
};
use parking_lot::Mutex;

use crate::support::{Rig, drain, gated, job, wire};

/// Adds up `1..=10`, one number in each step of a second. It may end before a step.
struct Sum {
    next: u64,
    so_far: u64,
    clock: Arc<ManualClock>,
    steps: Sender<u64>,
    grief: Box<dyn Fn(u64) -> Result<(), JobError>>,
}

impl Iterative for Sum {
    fn step(&mut self) -> Result<ControlFlow<()>, JobError> {
        (self.grief)(self.next)?;
        self.steps.send(self.next).unwrap();
        self.so_far += self.next;
        self.next += 1;
        self.clock.advance(Duration::from_secs(1));
        Ok(if self.next > 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn progress(&self) -> Range<u64> {
        self.next - 1..10
    }

    fn save(&self) -> Option<Vec<u8>> {
        Some([self.next.to_be_bytes(), self.so_far.to_be_bytes()].concat())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), JobError> {
        let (next, sum) = state.split_at_checked(8).ok_or_else(|| JobError::failed("the state is too short"))?;
        self.next = u64::from_be_bytes(next.try_into().unwrap());
        self.so_far = u64::from_be_bytes(sum.try_into().unwrap());
        Ok(())
    }
}

struct Endless(u64);
impl Iterative for Endless {
    fn step(&mut self) -> Result<ControlFlow<()>, JobError> {
        self.0 += 1;
        Ok(ControlFlow::Continue(()))
    }
    fn progress(&self) -> Range<u64> {
        self.0..0
    }
    fn save(&self) -> Option<Vec<u8>> {
        None
    }
    fn restore(&mut self, _: &[u8]) -> Result<(), JobError> {
        Ok(())
    }
}

type Body = Box<dyn Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync>;

/// A handler that adds up the numbers and saves its state every 3 s. `grief(attempt, step)` may end an attempt.
fn summing(
    clock: &Arc<ManualClock>,
    steps: &Sender<u64>,
    grief: fn(u32, u64) -> Result<(), JobError>,
) -> impl Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static {
    let (clock, steps) = (Arc::clone(clock), steps.clone());
    move |ctx: &mut JobContext| {
        let attempt = ctx.attempt();
        let mut sum = Sum {
            next: 1,
            so_far: 0,
            clock: Arc::clone(&clock),
            steps: steps.clone(),
            grief: Box::new(move |step| grief(attempt, step)),
        };
        ctx.iterate(&mut sum)?;
        Ok(ctx.set_output("sum", &sum.so_far)?)
    }
}

fn rig(grief: fn(u32, u64) -> Result<(), JobError>) -> (Rig, crossbeam_channel::Receiver<u64>) {
    let clock = Arc::new(ManualClock::default());
    let (tell, steps) = wire();
    let body = summing(&clock, &tell, grief);
    let store: Arc<dyn job_runner::store::Store> = Arc::new(MemoryStore::default());
    let engine = job_runner::Engine::builder(Arc::clone(&store))
        .manual()
        .clock(Arc::<ManualClock>::clone(&clock))
        .checkpoint_interval(Duration::from_secs(3))
        .algorithm("sum", body)
        .open()
        .unwrap();
    (Rig { engine, clock, store }, steps)
}

fn sum_of(rig: &Rig, id: job_runner::JobId) -> String {
    let result = rig.store.result(id).unwrap().unwrap();
    let values: Vec<_> = result.outputs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    values.join(" ")
}

#[test]
fn an_algorithm_goes_step_by_step_to_its_end() {
    let (rig, steps) = rig(|_, _| Ok(()));
    let record = rig.finish(job("sum"));
    assert_eq!(record.state, JobState::Complete(Outcome::Succeeded));
    assert_eq!(sum_of(&rig, record.id), "sum=55");
    assert_eq!(steps.len(), 10);
    assert_eq!(rig.store.checkpoint(record.id).unwrap(), None, "a saved state goes with the end");
}

#[test]
fn a_further_attempt_goes_on_from_the_saved_state() {
    let (rig, steps) = rig(
        |attempt, step| {
            if attempt == 1 && step == 9 { Err(JobError::transient("no memory")) } else { Ok(()) }
        },
    );
    let handle = rig.submit(job("sum"));
    assert!(rig.engine.driver().run_one().is_some());
    assert_eq!(handle.record().state, JobState::Waiting);
    rig.clock.advance(Duration::from_mins(1));
    assert!(rig.engine.driver().run_one().is_some());
    assert_eq!(sum_of(&rig, handle.id()), "sum=55");
    // The state is saved after steps 3 and 6.
    assert_eq!(steps.try_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 7, 8, 9, 10]);
}

#[test]
fn an_algorithm_goes_on_from_its_saved_state_after_the_death_of_the_process() {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(ManualClock::default());
    let (tell, steps) = wire();
    let (stuck, stay) = gated();
    let stay = Mutex::new(Some(stay));
    let open = |body: Body, workers| {
        let builder = job_runner::Engine::builder(Arc::<MemoryStore>::clone(&store));
        let builder = if workers == 0 { builder.manual() } else { builder.workers(workers) };
        builder
            .clock(Arc::<ManualClock>::clone(&clock))
            .checkpoint_interval(Duration::from_secs(3))
            .shutdown_timeout(Duration::ZERO)
            .algorithm("sum", body)
            .open()
            .unwrap()
    };
    // A body that never returns from its ninth step stands for a killed process.
    let (own_clock, own_tell) = (Arc::clone(&clock), tell.clone());
    let engine = open(
        Box::new(move |ctx: &mut JobContext| {
            let stay = stay.lock().take().unwrap();
            let stopped =
                summing(
                    &own_clock,
                    &own_tell,
                    |_, step| {
                        if step == 9 { Err(JobError::failed("here")) } else { Ok(()) }
                    },
                )(ctx);
            stay(ctx)?;
            stopped
        }),
        1,
    );
    let id = engine.submit(job("sum")).unwrap().id();
    stuck.entered();
    drop(engine);
    assert_eq!(steps.try_iter().count(), 8);
    let engine = open(Box::new(summing(&clock, &tell, |_, _| Ok(()))), 0);
    drain(&engine);
    let record = engine.job(id).unwrap().unwrap().record();
    assert_eq!((record.attempt, record.state), (2, JobState::Complete(Outcome::Succeeded)));
    assert_eq!(steps.try_iter().collect::<Vec<_>>(), [7, 8, 9, 10]);
    drop(stuck);
}

#[test]
fn an_algorithm_does_not_take_up_the_state_of_another() {
    let clock = Arc::new(ManualClock::default());
    let (tell, steps) = wire();
    let rig = Rig::new(|builder| {
        let own = Arc::clone(&clock);
        let body = move |ctx: &mut JobContext| {
            let attempt = ctx.attempt();
            for round in 0..2 {
                let grief = move |step| {
                    let late = attempt == 1 && round == 1 && step == 5;
                    if late { Err(JobError::transient("again")) } else { Ok(()) }
                };
                let mut sum = Sum {
                    next: 1,
                    so_far: 0,
                    clock: Arc::clone(&own),
                    steps: tell.clone(),
                    grief: Box::new(grief),
                };
                ctx.iterate(&mut sum)?;
                ctx.set_output(if round == 0 { "first" } else { "second" }, &sum.so_far)?;
            }
            Ok(())
        };
        builder
            .algorithm("two", body)
            .clock(Arc::<ManualClock>::clone(&clock))
            .checkpoint_interval(Duration::from_secs(3))
    });
    let handle = rig.submit(job("two"));
    drain(&rig.engine);
    clock.advance(Duration::from_mins(1));
    drain(&rig.engine);
    assert_eq!(sum_of(&rig, handle.id()), "first=55 second=55");
    let of_second_attempt: Vec<u64> = steps.try_iter().skip(10 + 4).collect();
    assert_eq!(of_second_attempt, (1..=10).chain(4..=10).collect::<Vec<_>>());
}

/// A handler with its own state beside that of an algorithm. It saves `own` in the first attempt, which fails at
/// step 9 if `grief` says so.
fn with_own_state(rig_clock: &Arc<ManualClock>, steps: &Sender<u64>, own: &'static [u8], grief: bool) -> Body {
    let grief: fn(u32, u64) -> Result<(), JobError> = if grief {
        |attempt, step| if attempt == 1 && step == 9 { Err(JobError::transient("again")) } else { Ok(()) }
    } else {
        |_, _| Ok(())
    };
    let sum = summing(rig_clock, steps, grief);
    Box::new(move |ctx: &mut JobContext| {
        if ctx.attempt() == 1 {
            ctx.save_checkpoint(own)?;
        }
        assert_eq!(ctx.load_checkpoint()?.as_deref(), Some(own));
        sum(ctx)?;
        assert_eq!(ctx.load_checkpoint()?.as_deref(), Some(own));
        if ctx.attempt() == 1 { Err(JobError::transient("again")) } else { Ok(()) }
    })
}

/// A big-endian number below 2^32 begins like the first form of an algorithm's state.
#[test]
fn neither_a_body_nor_its_algorithm_takes_up_the_state_of_the_other() {
    let seven = &[0, 0, 0, 0, 0, 0, 0, 7];
    let half: &[u8] = b"half";
    for (own, grief) in [(&seven[..], false), (&seven[..], true), (half, true), (&[], true)] {
        let clock = Arc::new(ManualClock::default());
        let (tell, steps) = wire();
        let rig = Rig::new(|builder| {
            builder
                .algorithm("a", with_own_state(&clock, &tell, own, grief))
                .clock(Arc::<ManualClock>::clone(&clock))
                .retry(RetryPolicy::new(Duration::ZERO, Duration::ZERO))
                .checkpoint_interval(if grief { Duration::from_secs(3) } else { Duration::from_hours(1) })
        });
        let record = rig.finish(job("a"));
        assert_eq!(record.state, JobState::Complete(Outcome::Succeeded), "{record:?}");
        assert_eq!((record.attempt, sum_of(&rig, record.id)), (2, "sum=55".to_owned()));
        let taken: Vec<u64> = steps.try_iter().collect();
        let again = if grief { 8 } else { 10 };
        let from = if grief { 7 } else { 1 };
        assert_eq!(taken, (1..=again).chain(from..=10).collect::<Vec<_>>(), "{own:?}");
    }
}

/// After a caught panic, the body runs an algorithm again, as its second call. In an attempt without a panic the
/// second call is another algorithm.
#[test]
fn the_state_of_a_call_after_a_panic_is_not_taken_for_that_of_another() {
    let clock = Arc::new(ManualClock::default());
    let (tell, _steps) = wire();
    let own = Arc::clone(&clock);
    let rig = Rig::new(|builder| {
        let body = move |ctx: &mut JobContext| {
            let attempt = ctx.attempt();
            let sum = |so_far, panics_at: u64, fails_at: u64| Sum {
                next: 1,
                so_far,
                clock: Arc::clone(&own),
                steps: tell.clone(),
                grief: Box::new(move |step| {
                    assert!(attempt > 1 || step != panics_at, "in a step");
                    if attempt == 1 && step == fails_at { Err(JobError::transient("again")) } else { Ok(()) }
                }),
            };
            let mut first = sum(0, 5, 0);
            if catch_unwind(AssertUnwindSafe(|| ctx.iterate(&mut first))).is_err() {
                first = sum(0, 0, 9);
                ctx.iterate(&mut first)?;
            }
            let mut second = sum(100, 0, 0);
            ctx.iterate(&mut second)?;
            ctx.set_output("first", &first.so_far)?;
            Ok(ctx.set_output("second", &second.so_far)?)
        };
        builder
            .algorithm("two", body)
            .clock(Arc::<ManualClock>::clone(&clock))
            .retry(RetryPolicy::new(Duration::ZERO, Duration::ZERO))
            .checkpoint_interval(Duration::from_secs(3))
    });
    let record = rig.finish(job("two"));
    assert_eq!(record.attempt, 2);
    assert_eq!(sum_of(&rig, record.id), "first=55 second=155");
}

/// States after one that was too long are saved.
#[test]
fn a_state_that_is_refused_leaves_what_was_saved_before() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            ctx.save_checkpoint(b"short")?;
            assert!(ctx.save_checkpoint(&vec![0; (64 << 20) + 1]).is_err());
            assert_eq!(ctx.load_checkpoint()?.as_deref(), Some(&b"short"[..]));
            ctx.save_checkpoint(b"other")
        })
    });
    assert_eq!(rig.finish(job("a")).state, JobState::Complete(Outcome::Succeeded));
}

#[test]
fn a_state_that_cannot_be_taken_up_fails_the_job() {
    let rig = Rig::new(|builder| {
        builder.algorithm("a", |ctx: &mut JobContext| {
            if ctx.attempt() == 1 {
                ctx.save_checkpoint(b"short")?;
                return Err(JobError::transient("again"));
            }
            assert_eq!(ctx.load_checkpoint()?.as_deref(), Some(&b"short"[..]));
            Err(JobError::failed("the state is too short"))
        })
    });
    let handle = rig.submit(job("a"));
    drain(&rig.engine);
    rig.clock.advance(Duration::from_mins(1));
    drain(&rig.engine);
    assert_eq!(handle.record().failure.unwrap().kind, FailureKind::Handler);
}

#[test]
fn an_algorithm_is_cancelled_between_two_steps() {
    let (gate, pass) = crate::support::Gate::new();
    let rig = Rig::new(|builder| {
        builder.algorithm("endless", move |ctx: &mut JobContext| {
            pass(ctx);
            ctx.iterate(&mut Endless(0))
        })
    });
    let handle = rig.submit(job("endless"));
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        handle.cancel().unwrap();
        gate.open();
    });
    assert_eq!(handle.record().state, JobState::Complete(Outcome::Cancelled));
}

#[test]
fn progress_is_a_tree_with_an_estimate() {
    let (gate, pass) = crate::support::Gate::new();
    let rig = Rig::new(|builder| {
        builder.algorithm("a", move |ctx: &mut JobContext| {
            pass(ctx);
            ctx.set_progress(1, 4);
            let load = ctx.task("load");
            load.set_progress(3, 3);
            load.task("vertices").set_progress(2, 9);
            ctx.task("rank").set_progress(0, 20);
            pass(ctx);
            ctx.set_progress(9, 4); // more than all is all
            pass(ctx);
            Ok(())
        })
    });
    let handle = rig.submit(job("a"));
    assert_eq!(handle.progress(), job_runner::Progress::default());
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        gate.entered();
        let progress = handle.progress();
        assert_eq!((progress.total, progress.remaining, progress.ratio()), (0, None, 0.0));
        gate.open();
        gate.entered();
        let progress = handle.progress();
        assert_eq!((progress.done, progress.total, progress.ratio()), (1, 4, 0.25));
        assert!(progress.remaining.is_some());
        let names: Vec<_> =
            progress.tasks.iter().map(|task| (task.name.as_str(), task.done, task.total)).collect();
        assert_eq!(names, [("load", 3, 3), ("rank", 0, 20)]);
        assert_eq!(progress.tasks[0].tasks[0].name, "vertices");
        gate.open();
        gate.entered();
        assert_eq!(handle.progress().remaining, Some(Duration::ZERO));
        gate.open();
    });
    let ended = handle.progress();
    assert_eq!((ended.percent(), ended.remaining, ended.tasks), (100, None, Vec::new()), "nothing is left");
}

#[test]
fn jobs_together_never_have_more_threads_than_the_engine() {
    let (gate, pass) = crate::support::Gate::new();
    let (tell, widths) = wire();
    let engine = job_runner::Engine::builder(Arc::new(MemoryStore::default()))
        .algorithm("wide", move |ctx: &mut JobContext| {
            let width = ctx.acquire_threads(3);
            tell.send(width.get()).unwrap();
            pass(ctx);
            Ok(())
        })
        .workers(3)
        .threads(6)
        .open()
        .unwrap();
    let handles = engine.submit_all(vec![job("wide"); 3]).unwrap();
    for _ in 0..3 {
        gate.entered();
    }
    let mut granted: Vec<usize> = widths.try_iter().collect();
    granted.sort_unstable();
    assert_eq!(granted, [1, 2, 3], "6 in all, the workers' own 3 included");
    (0..3).for_each(|_| gate.open());
    for handle in handles {
        assert!(handle.wait().unwrap().state.is_complete());
    }
    // The granted threads went back.
    let handle = engine.submit(job("wide")).unwrap();
    gate.entered();
    assert_eq!(widths.recv(), Ok(3));
    gate.open();
    handle.wait().unwrap();
}

/// Forgotten threads must not be missing from the budget of the engine.
#[test]
fn threads_that_a_body_forgets_go_back_when_it_returns() {
    let (tell, widths) = wire();
    let rig = Rig::new(|builder| {
        let body = move |ctx: &mut JobContext| {
            let width = ctx.acquire_threads(8);
            tell.send(width.get()).unwrap();
            std::mem::forget(width);
            drop(ctx.acquire_threads(8));
            Ok(())
        };
        builder.threads(4).algorithm("wide", body)
    });
    for _ in 0..3 {
        rig.finish(job("wide"));
    }
    assert_eq!(widths.try_iter().collect::<Vec<_>>(), [5, 5, 5]);
}

/// The clock went back.
#[test]
fn a_clock_that_is_moved_past_the_end_of_time_stands_there() {
    let rig = Rig::new(|builder| builder.algorithm("a", crate::support::nothing));
    let end = Timestamp::from_micros(u64::MAX);
    for by in [Duration::MAX, Duration::from_secs(1), Duration::MAX] {
        rig.clock.advance(by);
        assert_eq!(rig.clock.now(), end);
    }
    assert_eq!(rig.finish(job("a")).finished_at, Some(end));
    rig.engine.driver().tick().unwrap();
}

#[test]
fn the_clock_of_an_engine_is_the_one_it_was_given() {
    let rig = Rig::new(|builder| builder.algorithm("a", crate::support::nothing));
    let now = rig.clock.now();
    let record = rig.finish(job("a"));
    assert_eq!((record.submitted_at, record.finished_at), (now, Some(now)));
}

/// States must be saved even if an earlier one has a time that is ahead.
#[test]
fn a_clock_that_goes_back_keeps_no_state_from_being_saved() {
    let clock = Arc::new(ManualClock::default());
    let (tell, steps) = wire();
    let own = Arc::clone(&clock);
    let rig = Rig::new(|builder| {
        let body = move |ctx: &mut JobContext| {
            let (attempt, clock, start) = (ctx.attempt(), Arc::clone(&own), own.now());
            clock.advance(Duration::from_hours(24 * 365));
            let grief = move |step| {
                if step == 2 {
                    clock.set(start);
                }
                if attempt == 1 && step == 9 { Err(JobError::transient("again")) } else { Ok(()) }
            };
            let (clock, steps, grief) = (Arc::clone(&own), tell.clone(), Box::new(grief));
            let mut sum = Sum { next: 1, so_far: 0, clock, steps, grief };
            ctx.iterate(&mut sum)?;
            Ok(ctx.set_output("sum", &sum.so_far)?)
        };
        builder
            .algorithm("sum", body)
            .clock(Arc::<ManualClock>::clone(&clock))
            .retry(RetryPolicy::new(Duration::ZERO, Duration::ZERO))
            .checkpoint_interval(Duration::from_secs(3))
    });
    let record = rig.finish(job("sum"));
    assert_eq!(sum_of(&rig, record.id), "sum=55");
    // The state is saved after steps 2, 5 and 8.
    assert_eq!(steps.try_iter().collect::<Vec<_>>(), (1..=8).chain(9..=10).collect::<Vec<_>>());
}
