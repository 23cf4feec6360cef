//! Engines: set up, opened, shut down.

use std::{
    ffi::{c_char, c_void},
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use job_runner::{Engine, EngineBuilder, JobKind, store::Store};

use crate::{
    error::{Failure, Outcome, call},
    handler::{HostHandler, JobHandler, SharedHandler},
    host::{JobDestroy, UserData},
    memory::{Buffer, Out, text},
    options::{Options, Register},
    status::{JOB_ERROR_FORKED, JOB_ERROR_RUNNING, JobStatus},
    table::{Kind, Table},
};

/// The handle of a builder, which collects the handlers of an engine.
pub type JobBuilder = u64;

/// The handle of an open engine.
pub type JobEngine = u64;

/// The version of this interface.
pub const JOB_ABI_VERSION: u32 = 1;

static BUILDERS: Table<Handlers> = Table::new(Kind::Builder);
static ENGINES: Table<Arc<Open>> = Table::new(Kind::Engine);

/// An open engine.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) engine: Engine,
    pub(crate) store: Arc<dyn Store>,
}

/// The number of engines that are open or being opened, and the process that has them.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Handlers by the kind of job, as they were registered.
#[derive(Debug, Default)]
struct Handlers(Vec<(JobKind, SharedHandler)>);

impl Register for Handlers {
    fn on<S>(&self, builder: EngineBuilder<S>) -> EngineBuilder<S> {
        self.0.iter().fold(builder, |builder, (kind, handler)| match kind {
            JobKind::VertexFilter => builder.vertex_filter(handler.clone()),
            JobKind::EdgeFilter => builder.edge_filter(handler.clone()),
            JobKind::Algorithm(name) => builder.algorithm(name, handler.clone()),
            JobKind::Action(name) => builder.action(name, handler.clone()),
        })
    }
}

/// The engine of a handle. The engine lives as long as a call uses it.
pub(crate) fn engine(handle: JobEngine) -> Outcome<Arc<Open>> {
    not_forked()?;
    Ok(Arc::clone(&*ENGINES.read(handle)?))
}

/// Refuses a process that was forked from the one with the engines. A fork has none of their threads, and their
/// locks may be held in it for ever.
fn not_forked() -> Outcome {
    let owner = PROCESS.load(Ordering::Acquire);
    if COUNT.load(Ordering::Acquire) == 0 || owner == process::id() {
        return Ok(());
    }
    let message =
        format!("process {owner} has the engine, and this one was forked from it: start another program in it");
    Err(Failure::new(JOB_ERROR_FORKED, message))
}

/// The version of this interface in the library. A host compares it with [`JOB_ABI_VERSION`] of the header.
#[unsafe(no_mangle)]
pub extern "C" fn job_abi_version() -> u32 {
    JOB_ABI_VERSION
}

/// Makes a builder, which collects the handlers of an engine. Free it with [`job_builder_free`], also after an
/// engine was opened.
///
/// # Safety
/// `builder` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_builder_new(builder: *mut JobBuilder) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let builder = unsafe { Out::new(builder, "builder") }?;
        builder.set(0);
        not_forked()?;
        builder.set(BUILDERS.insert(Handlers::default())?);
        Ok(())
    })
}

/// Registers the handler of a kind of jobs. `kind` is `vertex_filter`, `edge_filter`, the name of an algorithm, or
/// `action:` and the name of an action of the host, such as `action:cypher`. A second handler of the same kind
/// replaces the first. `destroy` frees `user_data` after the last use, also when this call fails; it may be NULL.
///
/// # Safety
/// `kind` has `length` bytes. `handler` may be called with `user_data` on any thread, by several at once, until
/// `destroy` is called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_builder_handler(
    builder: JobBuilder,
    kind: *const c_char,
    length: usize,
    handler: JobHandler,
    user_data: *mut c_void,
    destroy: JobDestroy,
) -> JobStatus {
    call(|| {
        // The value is made first, so that the data is freed in any case.
        let user_data = UserData::new(user_data, destroy);
        not_forked()?;
        // SAFETY: the caller promises this, see `# Safety`.
        let name = unsafe { text(kind, length, "kind") }?;
        if name.is_empty() {
            return Err(Failure::argument(
                "kind is empty: give vertex_filter, edge_filter, an algorithm or an action",
            ));
        }
        let run = handler.ok_or_else(|| Failure::argument("handler is NULL: give a function"))?;
        let handler = SharedHandler(Arc::new(HostHandler { run, user_data }));
        let replaced = {
            let mut handlers = BUILDERS.write(builder)?;
            let new = JobKind::named(name);
            let old = handlers.0.iter().position(|(old, _)| *old == new).map(|at| handlers.0.remove(at));
            handlers.0.push((new, handler));
            old
        };
        // The drop is outside of the lock, since it may call the host.
        drop(replaced);
        Ok(())
    })
}

/// Frees a builder. Engines that it opened keep its handlers.
#[unsafe(no_mangle)]
pub extern "C" fn job_builder_free(builder: JobBuilder) -> JobStatus {
    call(|| {
        not_forked()?;
        BUILDERS.take(builder).map(drop)
    })
}

/// Opens an engine on a store. Unfinished jobs of an earlier process run again. `options` is JSON:
///
/// | key | value | default |
/// | --- | --- | --- |
/// | `store` | `"memory"`, `{"rocksdb": DIRECTORY}`, `{"redb": FILE}` or `{"postgres": URL}` | must be given |
/// | `packing` | how rows are packed on the disk: `"none"`, `"lz4"`, or with `rocksdb` `"zstd"` and `"zstd:LEVEL"` | `"lz4"` |
/// | `workers` | how many jobs run at once, 1 to 10,000 | the cores |
/// | `front_end` | `true`: the engine runs no jobs and has no handlers | `false` |
/// | `threads` | how many threads jobs may use in all | the cores |
/// | `queue_bound` | how many jobs of a class may wait; not with `postgres` | 10,000 |
/// | `jobs_per_graph` | how many jobs of a graph and class run at once | no limit |
/// | `jobs_per_class` | the same of a class: `{"read": N, "write": N}` | no limit |
/// | `priority_aging_ms` | the time in which a waiting job gains a step of priority | 60,000 |
/// | `durability` | `"synced"` survives power loss, `"buffered"` the death of the process | `"synced"` |
/// | `retry` | `{"initial_backoff_ms": N, "max_backoff_ms": N}` | 200 and 60,000 |
/// | `checkpoint_interval_ms` | how often an iterative algorithm is saved | 10,000 |
/// | `shutdown_timeout_ms` | the time for running handlers to stop | 5,000 |
/// | `retention` | which finished jobs stay: `{"age_ms": N, "jobs": N, "bytes": N}` | all |
/// | `rocksdb` | with this store: `{"block_cache": BYTES, "write_buffer": BYTES, "open_files": N}` | 256 MiB, 32 MiB, as many as the process may have |
/// | `postgres` | with this store: `{"schema": NAME, "connections": N, "timeout_ms": N, "pooled": B, "listen": URL}` | `"job_engine"`, 8, 30,000, `false`, none |
/// | `lease_duration_ms`, `max_prefetch`, `poll_interval_ms` | with `postgres` only | 10,000, 256, 1,000 |
///
/// Handlers may be called before this call returns.
///
/// # Safety
/// `options` has `length` bytes, and `engine` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_engine_open(
    builder: JobBuilder,
    options: *const c_char,
    length: usize,
    engine: *mut JobEngine,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let engine = unsafe { Out::new(engine, "engine") }?;
        engine.set(0);
        not_forked()?;
        // SAFETY: the caller promises this, see `# Safety`.
        let options = Options::read(unsafe { text(options, length, "options") }?)?;
        let opening = Opening::begin();
        let opened = {
            let handlers = BUILDERS.read(builder)?;
            options.open(&*handlers)?
        };
        let (opened, store) = opened;
        engine.set(ENGINES.insert(Arc::new(Open { engine: opened, store }))?);
        opening.succeeded();
        Ok(())
    })
}

/// Counts an engine as open from here on, unless its opening fails.
struct Opening(());

impl Opening {
    fn begin() -> Self {
        PROCESS.store(process::id(), Ordering::Release);
        COUNT.fetch_add(1, Ordering::AcqRel);
        Self(())
    }

    fn succeeded(self) {
        std::mem::forget(self);
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Shuts an engine down in order. It takes and starts no more jobs, gives running ones `grace_ms` to end, then
/// asks them to stop. `waiting` gets the number of jobs that the next open runs, `left` the number of handlers
/// that have not stopped. Both may be NULL. Afterwards the engine still answers calls about its jobs.
///
/// # Safety
/// `waiting` and `left` are NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_engine_shutdown(
    engine: JobEngine,
    grace_ms: u64,
    waiting: *mut usize,
    left: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let waiting = unsafe { Out::optional(waiting, "waiting") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let left = unsafe { Out::optional(left, "left") }?;
        let ended = self::engine(engine)?.engine.shutdown(Duration::from_millis(grace_ms));
        if let Some(waiting) = waiting {
            waiting.set(ended.waiting);
        }
        if let Some(left) = left {
            left.set(ended.abandoned);
        }
        Ok(())
    })
}

/// Frees an engine. An engine that is not shut down is shut down with a grace of 0. Calls of other threads that
/// wait in the engine return with [`JOB_ERROR_CLOSED`](crate::JOB_ERROR_CLOSED). After [`JOB_ERROR_RUNNING`] the
/// engine is freed too, but a handler has not stopped. The code of the host must then stay in memory.
#[unsafe(no_mangle)]
pub extern "C" fn job_engine_free(engine: JobEngine) -> JobStatus {
    call(|| {
        not_forked()?;
        let engine = ENGINES.take(engine)?;
        let left = engine.engine.shutdown(Duration::ZERO).abandoned;
        drop(engine);
        COUNT.fetch_sub(1, Ordering::AcqRel);
        if left == 0 {
            return Ok(());
        }
        let message =
            format!("{left} handlers have not stopped: they go on, and nothing of theirs is stored any more");
        Err(Failure::new(JOB_ERROR_RUNNING, message))
    })
}

/// Checks whether the engine can store outcomes, and whether its threads live: [`JOB_OK`](crate::JOB_OK), or
/// [`JOB_ERROR_UNAVAILABLE`](crate::JOB_ERROR_UNAVAILABLE) with the reason.
#[unsafe(no_mangle)]
pub extern "C" fn job_engine_health(engine: JobEngine) -> JobStatus {
    call(|| Ok(self::engine(engine)?.engine.health()?))
}

/// The state of the engine at this moment, as a JSON object.
///
/// # Safety
/// `buffer` has `capacity` bytes that may be written, and `length` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_engine_stats(
    engine: JobEngine,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let mut buffer = unsafe { Buffer::new(buffer, capacity, length) }?;
        let stats = self::engine(engine)?.engine.stats();
        buffer.write_json(&stats)?;
        buffer.finish()
    })
}
