//! Filters and algorithms as job handlers: the whole code that connects a graph engine to the job library.
//!
//! Rows go from the graph into the job's list, one by one; a filter keeps none of them.

use std::{
    cell::{Cell, RefCell},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use job_runner::{EngineBuilder, JobContext, JobError, JobKind, StopCause, store::MAX_CHECKPOINT};

use crate::{
    actions::Action,
    algorithms::{Algorithm, AlgorithmError, List},
    declared::declared,
    filter::{Filter, FilterError, Subject},
    filtered::{Filtered, Found},
    graph::Graph,
    graphs::{Graphs, GraphsError},
    watch::{Part, Quiet, Stopped, Watch},
};

/// Registers the two filters, every algorithm and every action.
#[must_use]
pub fn register<S>(mut builder: EngineBuilder<S>, graphs: &Arc<Graphs>) -> EngineBuilder<S> {
    let own = Arc::clone(graphs);
    builder = builder.vertex_filter(move |ctx: &mut JobContext| vertex_filter(ctx, &own));
    let own = Arc::clone(graphs);
    builder = builder.edge_filter(move |ctx: &mut JobContext| edge_filter(ctx, &own));
    for algorithm in Algorithm::ALL {
        let own = Arc::clone(graphs);
        builder = builder.algorithm(algorithm.name(), move |ctx: &mut JobContext| run(ctx, &own, algorithm));
    }
    for action in Action::ALL {
        let own = Arc::clone(graphs);
        builder = builder.action(action.name(), move |ctx: &mut JobContext| act(ctx, &own, action));
    }
    declare(builder)
}

/// Declares the parameters of all of them.
///
/// ```
/// use std::sync::Arc;
/// use job_demo::handlers::declare;
/// use job_runner::{Engine, store::MemoryStore};
///
/// let engine = declare(Engine::builder(Arc::new(MemoryStore::default()))).open()?;
/// assert!(engine.kinds().iter().any(|(kind, _)| kind.to_string() == "pagerank"));
/// # Ok::<(), job_runner::EngineError>(())
/// ```
pub fn declare<S>(mut builder: EngineBuilder<S>) -> EngineBuilder<S> {
    let algorithms = Algorithm::ALL.into_iter().map(|algorithm| JobKind::Algorithm(algorithm.name().to_owned()));
    for kind in [JobKind::VertexFilter, JobKind::EdgeFilter].into_iter().chain(algorithms) {
        if let Some(declared) = declared(&kind) {
            builder = builder.declare(kind, declared);
        }
    }
    builder
}

fn act(ctx: &mut JobContext, graphs: &Graphs, action: Action) -> Result<(), JobError> {
    match action {
        Action::FilteredQuery => filtered_query(ctx, graph(ctx, graphs)?),
        Action::ClearGraph => {
            let removed = graphs.clear(ctx.spec().graph()).map_err(|error| JobError::failed(error.to_string()))?;
            ctx.set_output("vertexNum", &removed.vertices().len())?;
            Ok(ctx.set_output("edgeNum", &removed.edges().len())?)
        }
    }
}

fn filtered_query(ctx: &JobContext, graph: &Graph) -> Result<(), JobError> {
    let query = Filtered::compile(ctx.spec().parameters().as_str(), graph);
    let query = query.map_err(|error| JobError::failed(error.to_string()))?;
    let watch = JobWatch::new(ctx);
    match query.run(graph, &watch).map_err(|Stopped| watch.why())? {
        Found::Vertices(found) => {
            let mut rows = ctx.rows("vertices")?;
            found
                .iter()
                .filter_map(|&vertex| graph.vertices().get(vertex as usize))
                .try_for_each(|row| rows.push(row))
        }
        Found::Edges(found) => {
            let mut rows = ctx.rows("edges")?;
            let edges = found.iter().filter_map(|&place| graph.edges().get(place));
            edges.map(|edge| graph.edge_row(edge)).try_for_each(|row| rows.push(&row))
        }
    }
}

fn vertex_filter(ctx: &mut JobContext, graphs: &Graphs) -> Result<(), JobError> {
    let graph = graph(ctx, graphs)?;
    let filter = filter(ctx, Subject::Vertices, graph)?;
    let (mut rows, watch) = (ctx.rows("vertices")?, JobWatch::new(ctx));
    filter
        .select(graph.vertices(), &watch, |vertex| Ok::<_, Halt>(rows.push(vertex)?))
        .map_err(|halt| halt.into_job_error(&watch))
}

fn edge_filter(ctx: &mut JobContext, graphs: &Graphs) -> Result<(), JobError> {
    let graph = graph(ctx, graphs)?;
    let filter = filter(ctx, Subject::Edges, graph)?;
    let (mut rows, watch) = (ctx.rows("edges")?, JobWatch::new(ctx));
    filter
        .select(graph.edges(), &watch, |edge| Ok::<_, Halt>(rows.push(&graph.edge_row(edge))?))
        .map_err(|halt| halt.into_job_error(&watch))
}

fn run(ctx: &mut JobContext, graphs: &Graphs, algorithm: Algorithm) -> Result<(), JobError> {
    let graph = graph(ctx, graphs)?;
    let start = Instant::now();
    let parameters = ctx.spec().parameters().as_str().to_owned();
    let watch = JobWatch::new(ctx);
    let answer = match algorithm.run(graph, &parameters, &watch) {
        Ok(answer) => answer,
        Err(AlgorithmError::Stopped(Stopped)) => return Err(watch.why()),
        Err(error) => return Err(JobError::failed(error.to_string())),
    };
    // `runtime` is the computation in seconds, without the storing of rows.
    let runtime = start.elapsed().as_secs_f64();
    for (name, value) in &answer.outputs {
        ctx.set_output(name, value)?;
    }
    ctx.set_output("runtime", &runtime)?;
    answer.list.map_or(Ok(()), |list| store(ctx, graph, &list))
}

fn store(ctx: &mut JobContext, graph: &Graph, list: &List) -> Result<(), JobError> {
    let mut rows = ctx.rows(list.name)?;
    let mut place = 0;
    while let Some(row) = list.row(graph, place) {
        if place.is_multiple_of(1024) {
            ctx.check_stopped()?;
        }
        rows.push(&row)?;
        place += 1;
    }
    Ok(())
}

fn graph<'g>(ctx: &JobContext, graphs: &'g Graphs) -> Result<&'g Graph, JobError> {
    graphs.get(ctx.spec().graph()).map_err(|error: GraphsError| JobError::failed(error.to_string()))
}

fn filter(ctx: &JobContext, subject: Subject, graph: &Graph) -> Result<Filter, JobError> {
    Filter::compile(ctx.spec().parameters().as_str(), subject, graph)
        .map_err(|error: FilterError| JobError::failed(error.to_string()))
}

/// The watcher of a job's work, over its context.
struct JobWatch<'c> {
    ctx: &'c JobContext,
    /// The error with which the job library stopped the work.
    why: RefCell<Option<JobError>>,
    /// When the work began, or saved a state last.
    saved_at: Cell<Instant>,
}

impl<'c> JobWatch<'c> {
    /// The time between two saved states: a crash costs the work of so long at most.
    const SAVES: Duration = Duration::from_secs(10);

    fn new(ctx: &'c JobContext) -> Self {
        Self { ctx, why: RefCell::default(), saved_at: Cell::new(Instant::now()) }
    }

    fn heard(&self, said: Result<(), JobError>) -> Result<(), Stopped> {
        said.map_err(|error| {
            self.why.replace(Some(error));
            Stopped
        })
    }

    fn why(&self) -> JobError {
        self.why.take().unwrap_or(JobError::Stopped(StopCause::Cancel))
    }
}

impl Watch for JobWatch<'_> {
    fn check_stopped(&self) -> Result<(), Stopped> {
        self.heard(self.ctx.check_stopped())
    }

    fn progress(&self, done: u64, total: u64) {
        self.ctx.set_progress(done, total);
    }

    fn memory(&self, bytes: u64) -> Result<(), Stopped> {
        self.heard(self.ctx.report_memory(bytes))
    }

    fn each(&self, count: usize, threads: usize, part: &Part<'_>) -> Result<(), Stopped> {
        let ctx = self.ctx;
        let (next, stop) = (AtomicUsize::new(0), OnceLock::new());
        let check = || match stop.get() {
            Some(_) => Err(Stopped),
            None => ctx.check_stopped().map_err(|error| {
                // Of several threads, the first one says why.
                let _ = stop.set(error);
                Stopped
            }),
        };
        let work = || {
            let numbers = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < count);
            while let Some(number) = numbers() {
                if part(number, &Quiet(&check)).is_err() {
                    break;
                }
            }
        };
        let granted = ctx.acquire_threads(threads.min(count));
        thread::scope(|scope| {
            for _ in 1..granted.get() {
                // Without a further thread, this one does the work.
                let _ = thread::Builder::new().name("job-part".to_owned()).spawn_scoped(scope, work);
            }
            work();
        });
        self.heard(stop.into_inner().map_or(Ok(()), Err))
    }

    fn saved(&self) -> Result<Option<Vec<u8>>, Stopped> {
        let mut state = None;
        self.heard(self.ctx.load_checkpoint().map(|saved| state = saved))?;
        Ok(state)
    }

    fn save(&self, state: &dyn Fn() -> Vec<u8>) -> Result<(), Stopped> {
        if self.saved_at.get().elapsed() < Self::SAVES {
            return Ok(());
        }
        self.saved_at.set(Instant::now());
        // A state that is too long for the store is not worth the job.
        let state = Some(state()).filter(|state| state.len() <= MAX_CHECKPOINT);
        state.map_or(Ok(()), |state| self.heard(self.ctx.save_checkpoint(&state)))
    }
}

/// Why a filter ended early.
enum Halt {
    Stopped,
    Job(JobError),
}

impl Halt {
    fn into_job_error(self, watch: &JobWatch<'_>) -> JobError {
        match self {
            Self::Stopped => watch.why(),
            Self::Job(error) => error,
        }
    }
}

impl From<Stopped> for Halt {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<JobError> for Halt {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}
