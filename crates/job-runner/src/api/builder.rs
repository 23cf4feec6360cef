//! [`EngineBuilder`]: how an engine is set up.

use std::{num::NonZeroUsize, panic::Location, sync::Arc, thread, time::Duration};

use job_core::{JobClass, JobKind};
use job_store::{Durability, SharedStore, Store};

use crate::{
    api::engine::Engine,
    decide::{outcome::RetryPolicy, retention::Retention},
    engine::{
        config::{Config, Sharing},
        source::Source,
    },
    handler::{Handler, Handlers},
    job::error::EngineError,
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
///     .algorithm("answer", |ctx: &mut JobContext| Ok(ctx.output("answer", &42)?))
///     .workers(2)
///     .queue_bound(100)
///     .durability(Durability::Buffered)
///     .open()?;
/// # drop(engine);
/// # Ok::<(), job_runner::EngineError>(())
/// ```
#[derive(Debug)]
pub struct EngineBuilder {
    store: Arc<dyn Store>,
    /// The same store, if it is shared.
    sharing: Option<Arc<dyn SharedStore>>,
    handlers: Handlers,
    clock: Arc<dyn Clock>,
    config: Config,
}

impl EngineBuilder {
    /// The most waiting jobs of each class when nothing else is said.
    pub const QUEUE_BOUND: usize = 10_000;

    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let config = Config {
            workers: threads,
            threads,
            queue_bound: Self::QUEUE_BOUND,
            per_graph: usize::MAX,
            per_class: [usize::MAX; 2],
            ageing: Duration::from_mins(1),
            durability: Durability::default(),
            retry: RetryPolicy::default(),
            checkpoint_every: Duration::from_secs(10),
            stop_grace: Duration::from_secs(5),
            retention: Retention::default(),
            sharing: Sharing { lease: Duration::from_secs(10), backlog: 256, poll: Duration::from_secs(1) },
        };
        Self { store, sharing: None, handlers: Handlers::default(), clock: Arc::new(SystemClock), config }
    }

    pub(crate) fn sharing(store: Arc<dyn SharedStore>) -> Self {
        Self { sharing: Some(Arc::clone(&store)), ..Self::new(store) }
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

    /// How many jobs run at once, up to 10,000; as many as the machine has cores by default. With 0 no thread is started, and
    /// the caller runs jobs with [`Engine::run_one`].
    #[must_use]
    pub const fn workers(mut self, workers: usize) -> Self {
        self.config.workers = workers;
        self
    }

    /// How many threads jobs may use in all (see [`JobContext::threads`](crate::JobContext::threads)), 1 to 10,000; at
    /// least one a worker. As many as the machine has cores by default.
    #[must_use]
    pub const fn threads(mut self, threads: usize) -> Self {
        self.config.threads = threads;
        self
    }

    /// How many jobs of each class may wait, at least 1; 10,000 by default. Further ones are refused with
    /// [`EngineError::QueueFull`]. Not on a shared store.
    #[must_use]
    pub const fn queue_bound(mut self, bound: usize) -> Self {
        self.config.queue_bound = bound;
        self
    }

    /// How many jobs of one graph and class run at once; no limit by default.
    #[must_use]
    pub const fn jobs_per_graph(mut self, limit: NonZeroUsize) -> Self {
        self.config.per_graph = limit.get();
        self
    }

    /// How many jobs of this class run at once; no limit but the workers by default.
    #[must_use]
    pub const fn jobs_per_class(mut self, class: JobClass, limit: NonZeroUsize) -> Self {
        let [read, write] = &mut self.config.per_class;
        match class {
            JobClass::Read => *read = limit.get(),
            JobClass::Write => *write = limit.get(),
        }
        self
    }

    /// How long a job waits to gain one step of priority, 1 ms to a year; 60 s by default.
    #[must_use]
    pub const fn ageing(mut self, interval: Duration) -> Self {
        self.config.ageing = interval;
        self
    }

    /// What acknowledged submissions and outcomes survive; [`Durability::Synced`] by default.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.config.durability = durability;
        self
    }

    /// How jobs that failed for the moment are tried again: the first pause no longer than the longest, and that at most
    /// 24 hours. With both 0 there is no pause.
    #[must_use]
    pub const fn retry(mut self, retry: RetryPolicy) -> Self {
        self.config.retry = retry;
        self
    }

    /// How often [`JobContext::iterate`](crate::JobContext::iterate) saves the state of an algorithm; every 10 s
    /// by default, at least once a year. With 0 after each step.
    #[must_use]
    pub const fn checkpoint_every(mut self, interval: Duration) -> Self {
        self.config.checkpoint_every = interval;
        self
    }

    /// How long running jobs get to obey when the engine is dropped or has to stop them, up to a day; 5 s by default. Those
    /// that have not ended by then are left to the next open.
    #[must_use]
    pub const fn stop_grace(mut self, grace: Duration) -> Self {
        self.config.stop_grace = grace;
        self
    }

    /// Which finished jobs are removed, and when; none by default. Of the engines on a shared store one is enough: each
    /// that is set to it looks at all jobs of the store.
    #[must_use]
    pub const fn retention(mut self, retention: Retention) -> Self {
        self.config.retention = retention;
        self
    }

    /// How long a claim on a job of a shared store lasts unless it is renewed, which happens three times as often;
    /// 100 ms to a day, 10 s by default. Jobs of an engine that dies run again elsewhere after at most this time, or twice as long when
    /// the others could not reach the store either; an engine that cannot reach the store for this long stops its jobs, and
    /// runs them again later, unless another does. That is no failure of theirs.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.config.sharing.lease = lease;
        self
    }

    /// How many jobs of a shared store are claimed at most ahead of the workers; 256 by default. Few
    /// are as long as jobs are long, and none waits here for more than two thirds of a lease while others are idle.
    #[must_use]
    pub const fn backlog(mut self, jobs: usize) -> Self {
        self.config.sharing.backlog = jobs;
        self
    }

    /// How often a shared store is asked for work and for news when nothing was heard of it, 1 ms to a day; every second
    /// by default.
    /// It takes as long to notice that the lease of an engine that died has ended, that a job is due for its
    /// next attempt, and what was missed when a connection was cut.
    #[must_use]
    pub const fn poll(mut self, interval: Duration) -> Self {
        self.config.sharing.poll = interval;
        self
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the engine: takes up what an earlier process left, then starts the workers. Jobs that waited wait
    /// again, in their order; jobs that ran run again as another attempt, unless they have failed as often as
    /// they may. Cost: the unfinished jobs, however many are finished. On a shared store nothing is taken up but by
    /// claims, from now on.
    ///
    /// # Errors
    /// [`EngineError::InvalidOption`] when an option is out of range. When another engine works on the store, which the error names by the place where it was opened, or the store is
    /// only for engines that [share](Engine::builder_shared) it; when the store cannot be read, or a thread cannot be
    /// started.
    #[track_caller]
    pub fn open(self) -> Result<Engine, EngineError> {
        self.config.check()?;
        let name = format!("the engine opened at {}", Location::caller());
        let (source, seat): (Arc<dyn Source>, _) = match self.sharing {
            Some(store) => {
                let seat = store.shared_seat(&name)?;
                (Arc::new(Cluster::new(store, self.handlers.kinds(), &self.config)), seat)
            }
            None => (Arc::new(Alone), self.store.seat(&name)?),
        };
        Engine::open(self.store, source, self.handlers, self.clock, self.config, seat)
    }
}

#[cfg(test)]
mod tests {
    use job_store::{LONGEST_PAUSE, MemoryStore};

    use super::*;

    #[test]
    fn an_option_out_of_range_is_named_with_value_and_range() {
        type Case = (&'static str, fn(EngineBuilder) -> EngineBuilder);
        let changed = |change: fn(EngineBuilder) -> EngineBuilder| {
            change(EngineBuilder::new(Arc::new(MemoryStore::default())))
                .config
                .check()
                .map_err(|error| error.option)
        };
        assert_eq!(changed(|builder| builder), Ok(()));
        let refused: [Case; 21] = [
            ("workers", |b| b.workers(usize::MAX)),
            ("threads", |b| b.threads(0)),
            ("threads", |b| b.threads(usize::MAX)),
            ("queue_bound", |b| b.queue_bound(0)),
            ("ageing", |b| b.ageing(Duration::ZERO)),
            ("ageing", |b| b.ageing(Duration::MAX)),
            ("checkpoint_every", |b| b.checkpoint_every(Duration::MAX)),
            ("stop_grace", |b| b.stop_grace(Duration::MAX)),
            ("lease", |b| b.lease(Duration::ZERO)),
            ("lease", |b| b.lease(Duration::from_millis(1))),
            ("lease", |b| b.lease(Duration::MAX)),
            ("poll", |b| b.poll(Duration::ZERO)),
            ("poll", |b| b.poll(Duration::MAX)),
            ("backlog", |b| b.backlog(usize::MAX)),
            ("retry (most)", |b| b.retry(RetryPolicy { most: Duration::MAX, ..RetryPolicy::default() })),
            ("retry (most)", |b| b.retry(RetryPolicy { first: Duration::MAX, most: Duration::MAX })),
            ("retry (first)", |b| b.retry(RetryPolicy { first: Duration::ZERO, ..RetryPolicy::default() })),
            ("retry (first)", |b| {
                b.retry(RetryPolicy { first: Duration::from_nanos(1), ..RetryPolicy::default() })
            }),
            ("retry (first)", |b| b.retry(RetryPolicy { first: Duration::MAX, ..RetryPolicy::default() })),
            ("retry (first)", |b| b.retry(RetryPolicy { most: Duration::ZERO, ..RetryPolicy::default() })),
            ("retry (first)", |b| {
                b.retry(RetryPolicy { first: Duration::from_secs(2), most: Duration::from_secs(1) })
            }),
        ];
        for (option, change) in refused {
            assert_eq!(changed(change), Err(option));
        }
        let taken: [fn(EngineBuilder) -> EngineBuilder; 5] = [
            |b| b.workers(0).backlog(0).stop_grace(Duration::ZERO).checkpoint_every(Duration::ZERO),
            |b| b.retry(RetryPolicy { first: Duration::ZERO, most: Duration::ZERO }),
            |b| b.retry(RetryPolicy { first: LONGEST_PAUSE, most: LONGEST_PAUSE }),
            |b| b.lease(Duration::from_millis(100)).poll(Duration::from_millis(1)),
            |b| b.lease(Duration::from_hours(24)).poll(Duration::from_hours(24)).queue_bound(usize::MAX),
        ];
        for change in taken {
            assert_eq!(changed(change), Ok(()));
        }
    }
}
