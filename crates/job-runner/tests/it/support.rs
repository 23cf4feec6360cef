//! Helpers that the tests share.

use std::{
    future::Future,
    ops::ControlFlow,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use job_runner::{
    Engine, EngineBuilder, JobContext, JobError, JobHandle, JobId, JobRecord, JobSpec, ManualClock, Page,
    PageRequest, StoreError,
    store::{MemoryStore, Store},
};

/// An engine with a clock that the test moves, over a store that may outlive it.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<dyn Store>,
}

impl Rig {
    /// In memory, without threads.
    pub(crate) fn new(setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        Self::on(Arc::new(MemoryStore::default()), setup)
    }

    pub(crate) fn on(store: Arc<dyn Store>, setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let clock = Arc::new(ManualClock::default());
        let builder = Engine::builder(Arc::clone(&store)).manual().clock(Arc::<ManualClock>::clone(&clock));
        Self { engine: setup(builder).open().unwrap(), clock, store }
    }

    /// Drops the engine without a shutdown, and opens another one on the same store.
    pub(crate) fn reopen(self, setup: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Self {
        let Self { engine, clock, store } = self;
        drop(engine);
        let builder = Engine::builder(Arc::clone(&store)).manual().clock(Arc::<ManualClock>::clone(&clock));
        Self { engine: setup(builder).open().unwrap(), clock, store }
    }

    pub(crate) fn submit(&self, spec: JobSpec) -> JobHandle {
        self.engine.submit(spec).unwrap()
    }

    /// Submits a job, and drops the handle.
    pub(crate) fn queue(&self, spec: JobSpec) {
        drop(self.submit(spec));
    }

    /// Submits, then runs everything that is ready.
    pub(crate) fn finish(&self, spec: JobSpec) -> JobRecord {
        let handle = self.submit(spec);
        drain(&self.engine);
        handle.record()
    }

    pub(crate) fn stored(&self, id: JobId) -> JobRecord {
        self.store.get(id).unwrap().unwrap()
    }
}

/// Runs all ready jobs. Returns the number of attempts.
pub(crate) fn drain(engine: &Engine) -> usize {
    let mut attempts = 0;
    while engine.driver().run_one().is_some() {
        attempts += 1;
        assert!(attempts < 100_000, "jobs run for ever");
    }
    attempts
}

/// A job of the algorithm `name` on the graph `g`.
pub(crate) fn job(name: &str) -> JobSpec {
    JobSpec::algorithm(name).with_graph("g")
}

#[expect(clippy::unnecessary_wraps, reason = "a handler")]
pub(crate) fn nothing(_: &mut JobContext) -> Result<(), JobError> {
    Ok(())
}

/// Rows `0..n`, where `n` is the job's parameters.
pub(crate) fn numbers(ctx: &mut JobContext) -> Result<(), JobError> {
    let count: u64 = ctx.spec().parameters().read()?;
    let mut rows = ctx.rows("numbers")?;
    (0..count).try_for_each(|n| rows.push(&n))
}

pub(crate) fn count(n: u64) -> JobSpec {
    job("numbers").with_parameters(&n).unwrap()
}

pub(crate) fn page(offset: u64, limit: u32) -> PageRequest {
    PageRequest::new(offset, limit).unwrap()
}

pub(crate) fn rows(handle: &JobHandle, offset: u64, limit: u32) -> Vec<u64> {
    read(&handle.page(page(offset, limit)).unwrap())
}

/// The rows of a page.
pub(crate) fn read(page: &Page) -> Vec<u64> {
    let mut rows = Vec::new();
    page.for_each(|row| {
        rows.push(serde_json::from_slice(row).unwrap());
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })
    .unwrap();
    rows
}

/// A gate for bodies: a body reports that it is inside, and goes on when the gate opens.
pub(crate) struct Gate {
    entered: Receiver<JobId>,
    go: Sender<()>,
}

impl Gate {
    /// The gate, and what a body calls to pass it.
    pub(crate) fn new() -> (Self, impl Fn(&JobContext) + Clone + Send + Sync + 'static) {
        let (enter, entered) = unbounded();
        let (go, gone) = unbounded();
        let pass = move |ctx: &JobContext| {
            // After the gate was dropped, bodies pass.
            let _ = enter.send(ctx.id());
            let _ = gone.recv();
        };
        (Self { entered, go }, pass)
    }

    /// Waits until a body is inside. Returns its job.
    pub(crate) fn entered(&self) -> JobId {
        self.entered.recv().unwrap()
    }

    /// Lets one body go on.
    pub(crate) fn open(&self) {
        self.go.send(()).unwrap();
    }
}

/// A body that passes a gate, then checks whether to stop.
pub(crate) fn gated() -> (Gate, impl Fn(&mut JobContext) -> Result<(), JobError> + Clone + Send + Sync + 'static) {
    let (gate, pass) = Gate::new();
    let body = move |ctx: &mut JobContext| {
        pass(ctx);
        ctx.check_stopped()
    };
    (gate, body)
}

/// A body that reports that it has begun, then works until it is stopped.
pub(crate) fn until_told(ctx: &mut JobContext, inside: &Sender<()>) -> Result<(), JobError> {
    inside.send(()).unwrap();
    loop {
        ctx.check_stopped()?;
        thread::yield_now();
    }
}

/// A channel for the messages of a callback or a thread.
pub(crate) fn wire<T>() -> (Sender<T>, Receiver<T>) {
    bounded(1_000)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A minimal runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
