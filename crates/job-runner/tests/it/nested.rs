//! Handlers that submit jobs and wait for them, on an engine whose workers may all do that.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    thread,
    time::Duration,
};

use job_runner::{
    Clock, Engine, EngineBuilder, EngineError, Explanation, FailureKind, JobClass, JobContext, JobError,
    JobHandle, JobId, JobRecord, JobSpec, JobState, ManualClock, Outcome, Partition, RetryPolicy, ScanOptions,
    store::{MemoryStore, SharedMemory, Store},
};

use crate::support::{Gate, block_on, drain, job, nothing, page, until_told, wire};

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);
const FAILED: JobState = JobState::Complete(Outcome::Failed);
const CANCELLED: JobState = JobState::Complete(Outcome::Cancelled);

/// The engine of a handler, set when the engine is open.
#[derive(Clone, Default)]
struct Own(Arc<OnceLock<Weak<Engine>>>);

impl Own {
    fn engine(&self) -> Arc<Engine> {
        self.0.wait().upgrade().unwrap()
    }

    fn open(&self, builder: EngineBuilder) -> Arc<Engine> {
        self.take(builder.open().unwrap())
    }

    fn take(&self, engine: Engine) -> Arc<Engine> {
        let engine = Arc::new(engine);
        self.0.set(Arc::downgrade(&engine)).unwrap();
        engine
    }
}

fn memory() -> EngineBuilder {
    Engine::builder(Arc::new(MemoryStore::default()))
}

/// The end of a job; a job that never ends fails the test.
fn end(handle: &JobHandle) -> JobRecord {
    handle.wait_timeout(Duration::from_mins(2)).unwrap().unwrap_or_else(|| panic!("the job never ended"))
}

fn reason(handle: &JobHandle) -> String {
    let record = end(handle);
    assert_eq!(record.state, FAILED);
    record.failure.unwrap().message
}

/// A handler that submits the job in its parameters and waits for that job. It fails if that job fails.
fn parent(own: &Own) -> impl Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static {
    let own = own.clone();
    move |ctx: &mut JobContext| {
        let child: String = ctx.spec().parameters().read()?;
        let spec = JobSpec::algorithm(child).with_graph("g").class(ctx.spec().options().class);
        let record = own.engine().submit(spec)?.wait()?;
        record.failure.map_or(Ok(()), |failure| Err(JobError::failed(failure.message)))
    }
}

fn parent_of(child: &str) -> JobSpec {
    job("parent").with_parameters(&child).unwrap()
}

/// A handler that submits another job of its kind and waits for it, to the depth in its parameters.
fn deep(own: &Own) -> impl Fn(&mut JobContext) -> Result<(), JobError> + Send + Sync + 'static {
    let own = own.clone();
    move |ctx: &mut JobContext| {
        let more: u64 = ctx.spec().parameters().read()?;
        if more == 0 {
            return Ok(());
        }
        let record = own.engine().submit(job("deep").with_parameters(&(more - 1))?)?.wait()?;
        record.failure.map_or(Ok(()), |failure| Err(JobError::failed(failure.message)))
    }
}

#[test]
fn a_handler_that_waits_for_jobs_of_its_own_gets_them_done_on_one_worker() {
    let own = Own::default();
    let one = 1.try_into().unwrap();
    let builder = memory().algorithm("parent", parent(&own)).algorithm("child", nothing);
    let engine = own.open(builder.algorithm("deep", deep(&own)).jobs_per_graph(one).workers(1));
    assert_eq!(end(&engine.submit(parent_of("child")).unwrap()).state, SUCCEEDED);
    assert_eq!(end(&engine.submit(job("deep").with_parameters(&20).unwrap()).unwrap()).state, SUCCEEDED);
    for handle in engine.submit_all(vec![parent_of("child"); 20]).unwrap() {
        assert_eq!(end(&handle).state, SUCCEEDED);
    }
    assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
    assert_eq!(engine.stats(), job_runner::Stats::default());
}

#[test]
fn more_waits_than_an_engine_can_afford_are_refused_with_a_sentence() {
    let own = Own::default();
    let engine = own.open(memory().algorithm("deep", deep(&own)).workers(1));
    let told = reason(&engine.submit(job("deep").with_parameters(&300).unwrap()).unwrap());
    assert!(told.contains("256 jobs of this engine wait for others already"), "{told}");
    assert_eq!(end(&engine.submit(job("deep").with_parameters(&9).unwrap()).unwrap()).state, SUCCEEDED);
}

#[test]
fn a_limit_holds_for_what_runs_and_does_not_wait() {
    let own = Own::default();
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = move || {
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        for _ in 0..100 {
            thread::yield_now();
        }
        inside.fetch_sub(1, Ordering::SeqCst);
        most.load(Ordering::SeqCst)
    };
    let (child, seen) = (work.clone(), work.clone());
    let of = own.clone();
    let write = |name: &str| job(name).class(JobClass::Write);
    let builder = memory()
        .algorithm("parent", move |_: &mut JobContext| {
            work();
            let record = of.engine().submit(write("child"))?.wait()?;
            work();
            assert_eq!(record.state, SUCCEEDED);
            Ok(())
        })
        .algorithm("child", move |_: &mut JobContext| {
            child();
            Ok(())
        });
    let engine = own.open(builder.jobs_per_class(JobClass::Write, 1.try_into().unwrap()).workers(3));
    for handle in engine.submit_all((0..30).map(|_| write("parent"))).unwrap() {
        assert_eq!(end(&handle).state, SUCCEEDED);
    }
    assert_eq!(seen(), 1, "one writer at a time");
}

#[test]
fn jobs_that_would_wait_for_each_other_are_told_who_waits_for_whom() {
    let own = Own::default();
    let (itself, other) = (own.clone(), own.clone());
    let builder = memory()
        .algorithm("itself", move |ctx: &mut JobContext| {
            itself.engine().job(ctx.id())?.unwrap().wait()?;
            Ok(())
        })
        .algorithm("first", move |ctx: &mut JobContext| {
            let second = other.engine().submit(job("second").with_parameters(&ctx.id().to_string())?)?;
            let record = second.wait()?;
            Err(JobError::failed(record.failure.unwrap().message))
        });
    let back = own.clone();
    let builder = builder.algorithm("second", move |ctx: &mut JobContext| {
        let first: String = ctx.spec().parameters().read()?;
        let first: JobId = first.parse()?;
        // The test continues when the job waits.
        while !matches!(back.engine().explain(first)?, Explanation::Awaiting { .. }) {
            thread::yield_now();
        }
        back.engine().job(first)?.unwrap().wait()?;
        Ok(())
    });
    let engine = own.open(builder.workers(1));
    let itself = engine.submit(job("itself")).unwrap();
    let id = itself.id();
    assert_eq!(
        reason(&itself),
        format!("job {id} cannot wait for job {id}: a job cannot end before it has ended")
    );
    let first = engine.submit(job("first")).unwrap();
    let told = reason(&first);
    let first = first.id();
    assert!(told.contains(&format!("cannot wait for job {first}: job {first} waits for job ")), "{told}");
    assert!(told.ends_with("so none of them would end"), "{told}");
}

/// A parent that waits for a child. The child runs until it is stopped.
fn waits_for_ever(setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> (Arc<Engine>, JobHandle, JobId) {
    let own = Own::default();
    let (inside, entered) = wire();
    let builder = memory()
        .algorithm("parent", parent(&own))
        .algorithm("endless", move |ctx: &mut JobContext| until_told(ctx, &inside));
    let engine = own.open(setup(builder.workers(1)));
    let handle = engine.submit(parent_of("endless")).unwrap();
    entered.recv_timeout(Duration::from_mins(2)).unwrap();
    let newest = engine.reader().list(page(0, 1)).unwrap();
    let child = newest.first().unwrap().id;
    (engine, handle, child)
}

#[test]
fn a_job_that_waits_is_explained_and_obeys_a_cancel() {
    let (engine, handle, child) = waits_for_ever(|builder| builder);
    let explained = engine.explain(handle.id()).unwrap();
    assert_eq!(explained, Explanation::Awaiting { jobs: vec![child] });
    assert_eq!(explained.to_string(), format!("it waits for job {child}"));
    handle.cancel().unwrap();
    assert_eq!(end(&handle).state, CANCELLED);
    engine.cancel(child).unwrap();
    assert_eq!(end(&engine.job(child).unwrap().unwrap()).state, CANCELLED);
}

#[test]
fn a_job_that_waits_obeys_its_deadline() {
    let own = Own::default();
    let (inside, _entered) = wire();
    let clock = Arc::new(ManualClock::default());
    let builder = memory()
        .algorithm("parent", parent(&own))
        .algorithm("endless", move |ctx: &mut JobContext| until_told(ctx, &inside))
        .clock(Arc::<ManualClock>::clone(&clock));
    let engine = own.open(builder.workers(1));
    let due = clock.now().after(Duration::from_secs(1));
    let handle = engine.submit(parent_of("endless").deadline(due)).unwrap();
    while !matches!(engine.explain(handle.id()).unwrap(), Explanation::Awaiting { .. }) {
        thread::yield_now();
    }
    clock.advance(Duration::from_secs(2));
    assert_eq!(end(&handle).failure.unwrap().kind, FailureKind::Deadline);
}

#[test]
fn a_job_that_waits_obeys_a_shutdown_and_runs_again() {
    let (engine, handle, child) = waits_for_ever(|builder| builder);
    let left = engine.shutdown(Duration::ZERO);
    assert_eq!((left.waiting, left.abandoned), (2, 0));
    for id in [handle.id(), child] {
        let record = engine.reader().record(id).unwrap().unwrap();
        assert_eq!((record.state, record.failed_attempts), (JobState::Waiting, 0));
    }
}

/// No awaited job, and no job of a running body, starts in a shutdown, however long the running jobs may take.
#[test]
fn a_job_that_needs_another_one_while_its_engine_shuts_down_runs_again_without_blame() {
    for submits in [true, false] {
        let own = Own::default();
        let (gate, pass) = Gate::new();
        let of = own.clone();
        let builder = memory()
            .algorithm("parent", move |ctx: &mut JobContext| {
                let submit = || of.engine().submit(job("child"));
                let child = if submits { None } else { Some(submit()?) };
                pass(ctx);
                child.map_or_else(submit, Ok)?.wait()?;
                Ok(())
            })
            .algorithm("child", nothing);
        let engine = own.open(builder.workers(1));
        let handle = engine.submit(job("parent").max_attempts(1)).unwrap();
        gate.entered();
        thread::scope(|scope| {
            let stopping = scope.spawn(|| engine.shutdown(Duration::from_hours(9)));
            while let Ok(other) = engine.submit(job("child")) {
                other.cancel().unwrap();
            }
            drop(gate);
            let left = stopping.join().unwrap();
            assert_eq!((left.waiting, left.abandoned), (if submits { 1 } else { 2 }, 0));
        });
        let record = engine.reader().record(handle.id()).unwrap().unwrap();
        assert_eq!((record.state, record.failed_attempts), (JobState::Waiting, 0));
    }
}

#[test]
fn an_engine_without_workers_runs_what_is_waited_for_where_it_is_waited_for() {
    let own = Own::default();
    let builder = memory()
        .algorithm("parent", parent(&own))
        .algorithm("child", nothing)
        .algorithm(
            "again",
            |ctx: &mut JobContext| {
                if ctx.attempt() < 3 { Err(JobError::transient("not yet")) } else { Ok(()) }
            },
        )
        .algorithm("deep", deep(&own))
        .retry(RetryPolicy::new(Duration::from_millis(1), Duration::from_millis(1)));
    let engine = own.open(builder.manual().accept_any_kind().jobs_per_graph(1.try_into().unwrap()));
    for (spec, ends) in [
        (parent_of("child"), Ok(())),
        (parent_of("again"), Ok(())),
        (job("deep").with_parameters(&9).unwrap(), Ok(())),
        (job("deep").with_parameters(&99).unwrap(), Err("32 jobs wait for each other on this thread already")),
        (parent_of("unknown"), Err("no handler for it is registered in this engine")),
    ] {
        let handle = engine.submit(spec).unwrap();
        drain(&engine);
        match ends {
            Ok(()) => assert_eq!(end(&handle).state, SUCCEEDED),
            Err(told) => assert!(reason(&handle).contains(told), "{}", reason(&handle)),
        }
    }
}

#[test]
fn a_handler_may_await_jobs_too_and_hears_of_a_cancel() {
    let own = Own::default();
    let (inside, entered) = wire();
    let of = own.clone();
    let builder = memory()
        .algorithm("parent", move |ctx: &mut JobContext| {
            let child: String = ctx.spec().parameters().read()?;
            block_on(of.engine().submit(job(&child))?)?;
            Ok(())
        })
        .algorithm("child", nothing)
        .algorithm("endless", move |ctx: &mut JobContext| until_told(ctx, &inside));
    let engine = own.open(builder.workers(1).jobs_per_graph(1.try_into().unwrap()));
    for handle in engine.submit_all(vec![parent_of("child"); 5]).unwrap() {
        assert_eq!(end(&handle).state, SUCCEEDED);
    }
    let handle = engine.submit(parent_of("endless")).unwrap();
    entered.recv_timeout(Duration::from_mins(2)).unwrap();
    handle.cancel().unwrap();
    assert_eq!(end(&handle).state, CANCELLED);
}

#[test]
fn a_future_that_is_given_up_gives_its_place_back() {
    let own = Own::default();
    let (gate, pass) = Gate::new();
    let of = own.clone();
    let builder = memory()
        .algorithm("parent", move |_: &mut JobContext| {
            let mut child = of.engine().submit(job("gated"))?;
            let mut look = Context::from_waker(Waker::noop());
            assert!(Future::poll(Pin::new(&mut child), &mut look).is_pending());
            drop(child);
            Ok(())
        })
        .algorithm("gated", move |ctx: &mut JobContext| {
            pass(ctx);
            Ok(())
        });
    let engine = own.open(builder.workers(1));
    assert_eq!(end(&engine.submit(job("parent")).unwrap()).state, SUCCEEDED);
    drop(gate);
    assert_eq!(engine.shutdown(Duration::MAX).abandoned, 0);
}

#[test]
fn partitions_of_a_scan_may_wait_for_jobs() {
    let own = Own::default();
    let of = own.clone();
    let builder = memory()
        .vertex_filter(move |ctx: &mut JobContext| {
            let of = of.clone();
            ctx.scan("n", 0..12, ScanOptions::default().partition_size(1), move |part: &mut Partition<'_>| {
                let record = of.engine().submit(job("child"))?.wait()?;
                part.push(&record.state.is_complete())
            })
        })
        .algorithm("child", nothing);
    let engine = own.open(builder.workers(2).jobs_per_graph(1.try_into().unwrap()));
    let handle = engine.submit(JobSpec::vertex_filter().with_graph("g")).unwrap();
    assert_eq!((end(&handle).state, end(&handle).size.rows), (SUCCEEDED, 12));
}

#[test]
fn on_a_shared_store_a_handler_that_waits_leaves_its_worker_to_others() {
    let store = SharedMemory::new(MemoryStore::default());
    let own = Own::default();
    let builder = Engine::builder_shared(Arc::new(store.claimant()))
        .algorithm("parent", parent(&own))
        .algorithm("child", nothing)
        .algorithm("deep", deep(&own));
    let engine = own.take(builder.workers(1).open().unwrap());
    for handle in engine.submit_all(vec![parent_of("child"); 5]).unwrap() {
        assert_eq!(end(&handle).state, SUCCEEDED);
    }
    assert_eq!(end(&engine.submit(job("deep").with_parameters(&10).unwrap()).unwrap()).state, SUCCEEDED);
    // The same holds for the handle of a front end.
    let front = Arc::new(Engine::builder_shared(Arc::new(store.claimant())).front_end().open().unwrap());
    let of = Arc::clone(&front);
    drop(engine);
    let builder = Engine::builder_shared(Arc::new(store.claimant())).algorithm("child", nothing);
    let engine = builder
        .algorithm("front", move |_: &mut JobContext| {
            of.submit(job("child"))?.wait()?;
            Ok(())
        })
        .workers(1)
        .open()
        .unwrap();
    for handle in front.submit_all(vec![job("front"); 5]).unwrap() {
        assert_eq!(end(&handle).state, SUCCEEDED);
    }
    drop(engine);
    assert!(store.unfinished().unwrap().is_empty());
}

#[test]
fn a_callback_that_would_wait_is_refused_with_a_sentence() {
    let own = Own::default();
    let (gate, pass) = Gate::new();
    let builder = memory().algorithm("child", nothing).algorithm("gated", move |ctx: &mut JobContext| {
        pass(ctx);
        Ok(())
    });
    let engine = own.open(builder.workers(1));
    let handle = engine.submit(job("gated")).unwrap();
    gate.entered();
    let (tell, told) = wire();
    let of = own.clone();
    handle.on_complete(move |_| tell.send(of.engine().submit(job("gated")).unwrap().wait()).unwrap());
    gate.open();
    let told = told.recv_timeout(Duration::from_mins(2)).unwrap().unwrap_err();
    assert!(matches!(told, EngineError::CannotWait { job: None, .. }), "{told}");
    assert!(told.to_string().starts_with("a callback cannot wait for job "), "{told}");
    drop(gate);
}
