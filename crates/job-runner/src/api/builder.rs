//! [`EngineBuilder`]: sets an engine up.

use std::{num::NonZeroUsize, panic::Location, sync::Arc, thread, time::Duration};

use job_core::{JobClass, JobKind, JobSpec};
use job_store::{Durability, FaultStore, SharedStore, Store};
use tracing::Span;

use crate::{
    api::{
        crash::{Crash, Victim},
        engine::Engine,
    },
    decide::{outcome::RetryPolicy, retention::Retention},
    engine::config::{Config, Mode, Sharing},
    handler::{Handler, Handlers, declared::Declaration},
    job::error::{EngineError, JobError},
    seam::clock::{Clock, SystemClock},
    source::{Alone, Cluster},
};

/// Sets up an [`Engine`]: handlers first, then limits, then [`open`](Self::open).
///
/// ```
/// use std::sync::Arc;
/// use job_runner::{Durability, Engine, JobContext, store::MemoryStore};
///
/// let engine = Engine::builder(Arc::new(MemoryStore::default()))
///     .algorithm("answer", |ctx: &mut JobContext| Ok(ctx.set_output("answer", &42)?))
///     .workers(2)
///     .queue_bound(100)
///     .durability(Durability::Buffered)
///     .open()?;
/// # drop(engine);
/// # Ok::<(), job_runner::EngineError>(())
/// ```
///
/// The type parameter tells an engine that has its store for itself from one of several on a shared store
/// ([`SharedEngineBuilder`]). Each kind has only the options that apply to it.
#[derive(Debug)]
pub struct EngineBuilder<S = Exclusive> {
    store: Arc<dyn Store>,
    sharing: S,
    handlers: Handlers,
    clock: Arc<dyn Clock>,
    config: Config,
    crash: Option<Crash>,
}

/// Sets up one of several engines on a store that they share: [`Engine::builder_shared`].
pub type SharedEngineBuilder = EngineBuilder<Shared>;

/// The engine has its store for itself.
#[derive(Debug, Clone, Copy)]
pub struct Exclusive(());

/// The engine shares its store with others.
#[derive(Debug, Clone)]
pub struct Shared(Arc<dyn SharedStore>);

impl EngineBuilder {
    /// The most waiting jobs of each class by default.
    pub const QUEUE_BOUND: usize = 10_000;

    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self::with(store, Exclusive(()))
    }

    /// The most waiting jobs of each class, at least 1; 10,000 by default. Further ones are refused with
    /// [`EngineError::QueueFull`].
    #[must_use]
    pub const fn queue_bound(mut self, bound: usize) -> Self {
        self.config.queue_bound = bound;
        self
    }

    /// Takes jobs of every kind, also of those that no handler has. They wait until an engine with such a handler is
    /// opened on the store. By default such a submission is refused with [`EngineError::UnknownKind`], since a name that
    /// is misspelt would wait for ever. A [front end](Self::front_end) takes every kind anyhow.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, EngineError, JobContext, JobSpec, store::MemoryStore};
    ///
    /// let builder = || {
    ///     Engine::builder(Arc::new(MemoryStore::default())).algorithm("pagerank", |_: &mut JobContext| Ok(()))
    /// };
    /// let misspelt = || JobSpec::algorithm("pagerenk").with_graph("movies");
    /// let error = builder().open()?.submit(misspelt()).unwrap_err();
    /// assert_eq!(error.to_string(), "no handler runs pagerenk: this engine has handlers for pagerank");
    /// assert!(builder().accept_any_kind().open()?.submit(misspelt()).is_ok());
    /// # Ok::<(), EngineError>(())
    /// ```
    #[must_use]
    pub const fn accept_any_kind(mut self) -> Self {
        self.config.any_kind = true;
        self
    }

    /// Opens the engine: takes up the unfinished jobs of an earlier process, then starts the workers. Jobs that
    /// waited wait again, in their order. Jobs that ran run again as another attempt, unless they have failed in
    /// their last allowed one. Cost: one read for each unfinished job, however many finished ones there are.
    ///
    /// # Errors
    /// [`EngineError::InvalidOption`] when an option is out of range. [`EngineError::Store`] when another engine
    /// uses the store; the error names where that one was opened. Also when only [sharing](Engine::builder_shared)
    /// engines may use the store, or when it cannot be read. [`EngineError::Thread`] when the system starts no
    /// thread.
    #[track_caller]
    pub fn open(self) -> Result<Engine, EngineError> {
        self.config.check(&self.handlers.kinds())?;
        let seat = self.store.seat(&opened_at())?;
        let (store, victim) = cut(self.crash.as_ref(), self.store, |cut| Arc::new(cut));
        let engine = Engine::open(store, Arc::new(Alone), self.handlers, self.clock, self.config, seat)?;
        Ok(engine.mortal(victim))
    }
}

impl SharedEngineBuilder {
    pub(crate) fn sharing(store: Arc<dyn SharedStore>) -> Self {
        Self::with(Arc::<dyn SharedStore>::clone(&store), Shared(store))
    }

    /// How long a claim on a job of a shared store lasts unless it is renewed: 100 ms to a day, 10 s by default. An
    /// engine renews its claims three times as often.
    ///
    /// When an engine dies, others run its jobs again after at most this time, or twice that if they could not
    /// reach the store either. An engine that cannot reach the store for this long stops its jobs, which spends no
    /// attempt. It runs them again later, unless another engine does.
    #[must_use]
    pub const fn lease_duration(mut self, lease: Duration) -> Self {
        self.config.sharing.lease = lease;
        self
    }

    /// The most jobs that the engine prefetches, that is, claims before a worker is idle: 0 to 1,000,000; 256 by
    /// default.
    ///
    /// The engine prefetches less when jobs run long. A prefetched job that waits goes back to the other engines
    /// after at most two thirds of a lease. With 0 an engine claims only for idle workers, which costs throughput
    /// of short jobs.
    #[must_use]
    pub const fn max_prefetch(mut self, jobs: usize) -> Self {
        self.config.sharing.max_prefetch = jobs;
        self
    }

    /// How often the engine polls a shared store for work and news that had no notice: 1 ms to a day, 1 s by
    /// default.
    ///
    /// The engine notices an ended lease of a dead engine, or a due retry, after at most this time. The same holds
    /// for a change whose notice was lost with a connection.
    #[must_use]
    pub const fn poll_interval(mut self, interval: Duration) -> Self {
        self.config.sharing.poll = interval;
        self
    }

    /// Opens the engine, which claims jobs from now on.
    ///
    /// # Errors
    /// [`EngineError::InvalidOption`] when an option is out of range, or a front end has handlers.
    /// [`EngineError::Store`] when another engine uses the same claimant or has the store for itself, or when the
    /// store cannot be read. [`EngineError::Thread`] when the system starts no thread.
    #[track_caller]
    pub fn open(self) -> Result<Engine, EngineError> {
        let kinds = self.handlers.kinds();
        self.config.check(&kinds)?;
        let Shared(store) = self.sharing;
        let seat = store.shared_seat(&opened_at())?;
        let (store, victim) = cut(self.crash.as_ref(), store, |cut| Arc::new(cut));
        let source = Arc::new(Cluster::new(Arc::clone(&store), kinds, &self.config));
        let engine = Engine::open(store, source, self.handlers, self.clock, self.config, seat)?;
        Ok(engine.mortal(victim))
    }
}

impl<S> EngineBuilder<S> {
    fn with(store: Arc<dyn Store>, sharing: S) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let config = Config {
            mode: Mode::Workers(threads),
            threads,
            queue_bound: EngineBuilder::QUEUE_BOUND,
            per_graph: usize::MAX,
            per_class: [usize::MAX; 2],
            priority_aging: Duration::from_mins(1),
            durability: Durability::default(),
            retry: RetryPolicy::default(),
            checkpoint_interval: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(5),
            retention: Retention::default(),
            sharing: Sharing { lease: Duration::from_secs(10), max_prefetch: 256, poll: Duration::from_secs(1) },
            any_kind: false,
            seed: None,
        };
        Self { store, sharing, handlers: Handlers::default(), clock: Arc::new(SystemClock), config, crash: None }
    }

    /// Runs vertex filters with this handler.
    #[must_use]
    pub fn vertex_filter(mut self, handler: impl Handler) -> Self {
        self.handlers.add(JobKind::VertexFilter, handler);
        self
    }

    /// Runs edge filters with this handler.
    #[must_use]
    pub fn edge_filter(mut self, handler: impl Handler) -> Self {
        self.handlers.add(JobKind::EdgeFilter, handler);
        self
    }

    /// Runs the algorithm `name` with this handler. A handler given later under the same name takes its place.
    #[must_use]
    pub fn algorithm(mut self, name: impl Into<String>, handler: impl Handler) -> Self {
        self.handlers.add(JobKind::Algorithm(name.into()), handler);
        self
    }

    /// Runs the host's action `name` with this handler: a query in a language, an import, the clearing of a graph. A
    /// handler given later under the same name takes its place.
    ///
    /// If the host later opens an engine without the handler, the jobs of the action stay. They are listed and read as
    /// before, and those that wait are not run.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobSpec, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .action("clear_graph", |ctx: &mut JobContext| Ok(ctx.set_output("removed", &74_374)?))
    ///     .open()?;
    /// let job = engine.submit(JobSpec::action("clear_graph").with_graph("movies"))?;
    /// assert!(job.wait()?.state.is_complete());
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub fn action(mut self, name: impl Into<String>, handler: impl Handler) -> Self {
        self.handlers.add(JobKind::Action(name.into()), handler);
        self
    }

    /// Asks `check` about each request for work of this kind, before the job is stored. A later one for the same kind
    /// takes its place. All ways to submit ask it: this engine, job-http over it, and bodies that submit jobs. A front end
    /// may have it too, without the handler. A check that panics refuses the request.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobError, JobKind, JobSpec, store::MemoryStore};
    /// use serde_json::json;
    ///
    /// fn alpha(spec: &JobSpec) -> Result<f64, JobError> {
    ///     #[derive(serde::Deserialize)]
    ///     struct Parameters { alpha: f64 }
    ///     let Parameters { alpha } = spec.parameters().read()?;
    ///     let error = || JobError::failed(format!("parameter alpha is {alpha}: it must be from 0 to 1"));
    ///     (0.0..1.0).contains(&alpha).then_some(alpha).ok_or_else(error)
    /// }
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .algorithm("pagerank", |ctx: &mut JobContext| {
    ///         let alpha = alpha(ctx.spec())?;
    ///         Ok(ctx.set_output("alpha", &alpha)?)
    ///     })
    ///     .check(JobKind::Algorithm("pagerank".to_owned()), |spec| alpha(spec).map(drop))
    ///     .open()?;
    /// let spec = JobSpec::algorithm("pagerank").with_graph("movies");
    /// let error = engine.submit(spec.clone().with_parameters(&json!({"alpha": 2}))?).unwrap_err();
    /// assert_eq!(error.to_string(), "pagerank refuses the request: parameter alpha is 2: it must be from 0 to 1");
    /// assert!(engine.submit(spec.with_parameters(&json!({"alpha": 0.85}))?).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn check(
        mut self,
        kind: JobKind,
        check: impl Fn(&JobSpec) -> Result<(), JobError> + Send + Sync + 'static,
    ) -> Self {
        self.handlers.add_check(kind, Arc::new(check));
        self
    }

    /// Declares the parameters of a kind of work, for [`Engine::kinds`] and for what shows it: forms and documents. A later
    /// declaration of the same kind takes its place. A front end may have it too, without the handler.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Declaration, Engine, JobContext, JobKind, Parameter, store::MemoryStore};
    ///
    /// let pagerank = JobKind::Algorithm("pagerank".to_owned());
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .algorithm("pagerank", |_: &mut JobContext| Ok(()))
    ///     .algorithm("answer", |_: &mut JobContext| Ok(()))
    ///     .declare(pagerank, Declaration::new("Ranks").parameter(Parameter::number("alpha").above(0).below(1)))
    ///     .open()?;
    /// let kinds = engine.kinds();
    /// assert_eq!(kinds.iter().map(|(kind, _)| kind.to_string()).collect::<Vec<_>>(), ["answer", "pagerank"]);
    /// assert!(kinds[0].1.is_none() && kinds[1].1.is_some());
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub fn declare(mut self, kind: JobKind, declared: Declaration) -> Self {
        self.handlers.declare(kind, declared);
        self
    }

    /// Leaves parameters out of requests that the [declaration](Self::declare) of their kind does not have. Their names stay
    /// with the job, in [`JobOptions::ignored`](crate::JobOptions::ignored), and are told with its explanation. By default a
    /// request goes to its check and its handler as it is, and they refuse what they do not know. Parameters of a kind
    /// without a declaration, and members of inner objects, always stay.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Declaration, Engine, JobContext, JobKind, JobSpec, Parameter, store::MemoryStore};
    /// use serde_json::json;
    ///
    /// let pagerank = JobKind::Algorithm("pagerank".to_owned());
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .algorithm("pagerank", |_: &mut JobContext| Ok(()))
    ///     .declare(pagerank, Declaration::new("Ranks").parameter(Parameter::number("alpha")))
    ///     .ignore_unknown_parameters()
    ///     .open()?;
    /// let spec = JobSpec::algorithm("pagerank").with_graph("movies");
    /// let job = engine.submit(spec.with_parameters(&json!({"alpha": 0.85, "bteta": 1}))?)?;
    /// assert_eq!(job.record().spec.parameters().as_str(), r#"{"alpha":0.85}"#);
    /// assert!(job.record().spec.options().ignored.contains("bteta"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn ignore_unknown_parameters(mut self) -> Self {
        self.handlers.ignore_unknown();
        self
    }

    /// Calls `adopt` with the span of each attempt, before it is entered, and with the
    /// [`trace_parent`](JobSpec::trace_parent) of its job. A job without one is left out. So a host can make the span a
    /// child of the span that submitted the job, on whichever machine that was. With `tracing-opentelemetry`, `adopt` calls
    /// `OpenTelemetrySpanExt::set_parent` with the context of the trace parent. A panic of `adopt` costs the trace only.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use job_runner::{Engine, JobContext, JobSpec, store::MemoryStore};
    ///
    /// let parents = Arc::new(Mutex::new(Vec::new()));
    /// let seen = Arc::clone(&parents);
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .algorithm("answer", |_: &mut JobContext| Ok(()))
    ///     .adopt_spans(move |_span, parent| seen.lock().unwrap().push(parent.to_owned()))
    ///     .open()?;
    /// let spec = JobSpec::algorithm("answer").with_graph("movies");
    /// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    /// engine.submit(spec.trace_parent(parent))?.wait()?;
    /// assert_eq!(*parents.lock().unwrap(), [parent]);
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub fn adopt_spans(mut self, adopt: impl Fn(&Span, &str) + Send + Sync + 'static) -> Self {
        self.handlers.adopt_spans(Arc::new(adopt));
        self
    }

    /// How many jobs run at once: 1 to 10,000; by default the number of cores.
    #[must_use]
    pub const fn workers(mut self, workers: usize) -> Self {
        self.config.mode = Mode::Workers(workers);
        self
    }

    /// Starts no thread: the caller runs jobs with [`Engine::driver`]. It is for tests.
    #[must_use]
    pub const fn manual(mut self) -> Self {
        self.config.mode = Mode::Manual;
        self
    }

    /// Runs no jobs: the engine only submits, cancels, waits and reads. It may have no handlers, and takes jobs of every
    /// kind.
    #[must_use]
    pub const fn front_end(mut self) -> Self {
        self.config.mode = Mode::FrontEnd;
        self
    }

    /// How many threads all jobs may use together: 1 to 10,000, at least as many as workers; by default the number
    /// of cores. Bodies ask for them with [`JobContext::acquire_threads`](crate::JobContext::acquire_threads).
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.config.threads = threads;
        self
    }

    /// How many jobs of one graph and class run at once; no limit by default.
    #[must_use]
    pub const fn jobs_per_graph(mut self, limit: NonZeroUsize) -> Self {
        self.config.per_graph = limit.get();
        self
    }

    /// How many jobs of this class run at once; no limit by default, besides the number of workers.
    #[must_use]
    pub const fn jobs_per_class(mut self, class: JobClass, limit: NonZeroUsize) -> Self {
        let [read, write] = &mut self.config.per_class;
        match class {
            JobClass::Read => *read = limit.get(),
            JobClass::Write => *write = limit.get(),
        }
        self
    }

    /// How long a job waits to gain one step of priority: 1 ms to a year, 60 s by default.
    #[must_use]
    pub const fn priority_aging(mut self, interval: Duration) -> Self {
        self.config.priority_aging = interval;
        self
    }

    /// The faults that acknowledged submissions and outcomes survive. [`Durability::Synced`], the default,
    /// survives power loss. It costs one fsync, which concurrent calls share. [`Durability::Buffered`] survives
    /// only the death of the process.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self
    }

    /// The pauses before a job with a transient error runs again: 200 ms at first, doubled up to 60 s by default.
    /// The first must not be longer than the longest, and the longest at most 24 hours. With both 0 there is no
    /// pause.
    #[must_use]
    pub const fn retry(mut self, retry: RetryPolicy) -> Self {
        self.config.retry = retry;
        self
    }

    /// The time after which [`JobContext::iterate`](crate::JobContext::iterate) saves the state of an algorithm
    /// again: 0 to a year, 10 s by default. With 0 it saves after each step.
    #[must_use]
    pub const fn checkpoint_interval(mut self, interval: Duration) -> Self {
        self.config.checkpoint_interval = interval;
        self
    }

    /// How long running jobs may take to stop at a shutdown or when the engine is dropped: 0 to a day, 5 s by
    /// default. Jobs that have not stopped by then are left behind, and the next open runs them again.
    #[must_use]
    pub const fn shutdown_timeout(mut self, grace: Duration) -> Self {
        self.config.shutdown_timeout = grace;
        self
    }

    /// Which finished jobs are removed; none by default. The engine checks every 30 s. On a shared store set it on
    /// one engine only, since each engine that has it does the same work.
    #[must_use]
    pub const fn retention(mut self, retention: Retention) -> Self {
        self.config.retention = retention;
        self
    }

    /// The clock of the engine; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Lets `crash` end the engine as the death of its process does: for tests only. Each call to the store is then
    /// looked at first, whether the engine is still alive.
    #[must_use]
    pub fn crash(mut self, crash: &Crash) -> Self {
        self.crash = Some(crash.clone());
        self
    }

    /// Takes all chance from `seed`: for tests only. The ids of jobs and the pauses before another attempt then follow
    /// from the seed, the clock and the calls. With [`manual`](Self::manual) and a
    /// [`ManualClock`](crate::ManualClock) two runs of a test are the same. By default chance is the machine's.
    ///
    /// Each engine of a test takes a seed of its own, as does one that is opened again. With one seed for both, two jobs
    /// may get the same id. In production an id that can be guessed is no secret.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobSpec, ManualClock, store::MemoryStore};
    ///
    /// let id = |seed| {
    ///     let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///         .algorithm("nothing", |_: &mut JobContext| Ok(()))
    ///         .clock(Arc::new(ManualClock::default()))
    ///         .manual()
    ///         .seed(seed)
    ///         .open()?;
    ///     Ok::<_, job_runner::EngineError>(engine.submit(JobSpec::algorithm("nothing").with_graph("movies"))?.id())
    /// };
    /// assert_eq!(id(7)?, id(7)?);
    /// assert_ne!(id(7)?, id(8)?);
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.config.seed = Some(seed);
        self
    }
}

/// The store of an engine, which a crash can take away from it.
fn cut<S: Store + ?Sized>(
    crash: Option<&Crash>,
    store: Arc<S>,
    whole: fn(FaultStore<S>) -> Arc<S>,
) -> (Arc<S>, Option<Arc<Victim>>) {
    let Some(crash) = crash else { return (store, None) };
    let (store, victim) = crash.cut(store);
    (whole(store), Some(victim))
}

#[track_caller]
fn opened_at() -> String {
    format!("the engine opened at {}", Location::caller())
}

#[cfg(test)]
mod tests {
    use job_store::{LONGEST_PAUSE, MemoryStore, SharedMemory};

    use super::*;
    use crate::handler::context::JobContext;

    #[test]
    fn an_option_out_of_range_is_named_with_value_and_range() {
        type Case = (&'static str, fn(SharedEngineBuilder) -> SharedEngineBuilder);
        let changed = |change: fn(SharedEngineBuilder) -> SharedEngineBuilder| {
            change(EngineBuilder::sharing(Arc::new(SharedMemory::new(MemoryStore::default()))))
                .config
                .check(&[])
                .map_err(|error| error.option)
        };
        assert_eq!(changed(|builder| builder), Ok(()));
        let refused: [Case; 21] = [
            ("workers", |b| b.workers(0)),
            ("workers", |b| b.workers(usize::MAX)),
            ("threads", |b| b.threads(0)),
            ("threads", |b| b.threads(usize::MAX)),
            ("priority_aging", |b| b.priority_aging(Duration::ZERO)),
            ("priority_aging", |b| b.priority_aging(Duration::MAX)),
            ("checkpoint_interval", |b| b.checkpoint_interval(Duration::MAX)),
            ("shutdown_timeout", |b| b.shutdown_timeout(Duration::MAX)),
            ("lease_duration", |b| b.lease_duration(Duration::ZERO)),
            ("lease_duration", |b| b.lease_duration(Duration::from_millis(1))),
            ("lease_duration", |b| b.lease_duration(Duration::MAX)),
            ("poll_interval", |b| b.poll_interval(Duration::ZERO)),
            ("poll_interval", |b| b.poll_interval(Duration::MAX)),
            ("max_prefetch", |b| b.max_prefetch(usize::MAX)),
            ("retry (max_backoff)", |b| {
                b.retry(RetryPolicy { max_backoff: Duration::MAX, ..RetryPolicy::default() })
            }),
            ("retry (max_backoff)", |b| b.retry(RetryPolicy::new(Duration::MAX, Duration::MAX))),
            ("retry (initial_backoff)", |b| {
                b.retry(RetryPolicy { initial_backoff: Duration::ZERO, ..RetryPolicy::default() })
            }),
            ("retry (initial_backoff)", |b| {
                b.retry(RetryPolicy { initial_backoff: Duration::from_nanos(1), ..RetryPolicy::default() })
            }),
            ("retry (initial_backoff)", |b| {
                b.retry(RetryPolicy { initial_backoff: Duration::MAX, ..RetryPolicy::default() })
            }),
            ("retry (initial_backoff)", |b| {
                b.retry(RetryPolicy { max_backoff: Duration::ZERO, ..RetryPolicy::default() })
            }),
            ("retry (initial_backoff)", |b| {
                b.retry(RetryPolicy::new(Duration::from_secs(2), Duration::from_secs(1)))
            }),
        ];
        for (option, change) in refused {
            assert_eq!(changed(change), Err(option));
        }
        let taken: [fn(SharedEngineBuilder) -> SharedEngineBuilder; 5] = [
            |b| b.manual().max_prefetch(0).shutdown_timeout(Duration::ZERO).checkpoint_interval(Duration::ZERO),
            |b| b.retry(RetryPolicy::new(Duration::ZERO, Duration::ZERO)),
            |b| b.retry(RetryPolicy::new(LONGEST_PAUSE, LONGEST_PAUSE)),
            |b| b.lease_duration(Duration::from_millis(100)).poll_interval(Duration::from_millis(1)),
            |b| b.front_end().lease_duration(Duration::from_hours(24)).poll_interval(Duration::from_hours(24)),
        ];
        for change in taken {
            assert_eq!(changed(change), Ok(()));
        }
        let bound =
            |bound| EngineBuilder::new(Arc::new(MemoryStore::default())).queue_bound(bound).config.check(&[]);
        assert_eq!(bound(0).map_err(|error| error.option), Err("queue_bound"));
        assert_eq!(bound(usize::MAX), Ok(()));
    }

    #[test]
    fn a_front_end_with_a_handler_is_refused() {
        let shared = Arc::new(SharedMemory::new(MemoryStore::default()));
        let opened = Engine::builder_shared(shared).vertex_filter(|_: &mut JobContext| Ok(())).front_end().open();
        let error = opened.map(drop).unwrap_err().to_string();
        assert!(error.starts_with("the option front_end is set with a handler for"), "{error}");
    }
}
