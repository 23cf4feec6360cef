//! A job engine for graph engines.
//!
//! A request for long work (a vertex filter, an edge filter, an algorithm) gets a job id at once. The caller then
//! asks for the job's status and, when it is complete, for any page of its rows. Jobs and rows are on disk: they
//! outlive the process, and no result has to fit into memory.
//!
//! The engine is **not** a server (see `job-http`) and knows no graph: a host registers handlers, which do the
//! work, and links this library.
//!
//! # One engine from start to end
//!
//! ```
//! use std::sync::Arc;
//! use job_runner::{
//!     Engine, JobContext, JobError, JobSpec, PageRequest,
//!     store::{RocksOptions, RocksStore},
//! };
//! use serde::Deserialize;
//! use serde_json::json;
//!
//! #[derive(Deserialize)]
//! struct PageRank { alpha: f64 }
//!
//! // The code of a graph engine: one handler a kind of work. Rows go to disk as they come.
//! fn pagerank(ctx: &mut JobContext) -> Result<(), JobError> {
//!     let PageRank { alpha } = ctx.spec().parameters().read()?;
//!     if !(0.0..1.0).contains(&alpha) {
//!         return Err(JobError::failed(format!("parameter alpha is {alpha}: it must be from 0 to 1")));
//!     }
//!     let mut rows = ctx.rows("pagerank")?;
//!     for vertex in 0..1_000 {
//!         if vertex % 100 == 0 {
//!             ctx.check_stopped()?; // a cancel takes effect here
//!             ctx.set_progress(vertex, 1_000);
//!         }
//!         rows.push(&json!({ vertex.to_string(): alpha / 1_000.0 }))?;
//!     }
//!     drop(rows);
//!     ctx.set_output("runtime", &0.01)?;
//!     Ok(())
//! }
//!
//! let directory = tempfile::tempdir()?;
//! let store = Arc::new(RocksStore::open(directory.path(), RocksOptions::default())?);
//! let engine = Engine::builder(store).algorithm("pagerank", pagerank).workers(2).open()?;
//!
//! // Once `submit` returns, the job survives a power loss.
//! let spec = JobSpec::algorithm("pagerank").with_graph("movies").with_parameters(&json!({"alpha": 0.85}))?;
//! let job = engine.submit(spec)?;
//! let record = job.wait()?; // or `job.await`, or poll `job.status(..)`
//! assert_eq!(record.size.rows, 1_000);
//!
//! // The payload of the API document, straight from the store's blocks into any `io::Write`.
//! let mut body = Vec::new();
//! job.status(PageRequest::new(998, 2)?)?.write_to(&mut body)?;
//! assert_eq!(String::from_utf8(body)?, concat!(
//!     r#"{"data":{"outputs":{"runtime":0.01,"data_return_size":2,"data_offset":998,"data_total_size":1000,"#,
//!     r#""pagerank":[{"998":0.00085},{"999":0.00085}]}},"status":"complete"}"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | set up | [`EngineBuilder`], [`Handler`], [`Durability`], [`RetryPolicy`], [`Retention`] |
//! | submit, cancel, shut down | [`Engine`] |
//! | share a store with other engines | [`Engine::builder_shared`], [`store::SharedStore`] |
//! | wait, `.await`, watch | [`JobHandle`], [`JobEvents`], [`Engine::explain`] |
//! | read | [`JobReader`], [`Status`], [`Page`] |
//! | write a handler | [`JobContext`], [`Declaration`], [`RowWriter`], [`Partition`], [`Iterative`], [`JobError`] |
//! | observe | [`Stats`], [`Figures`], [`metrics`], spans and events of `tracing` |
//! | see whole programs | the directory `examples` of this package |
//! | test | [`ManualClock`], [`EngineBuilder::manual`] with [`Driver`], [`EngineBuilder::seed`], [`Crash`], [`store::FaultStore`] |
//!
//! # Handlers
//!
//! A handler runs one job at a time on a worker's thread. It gets a [`JobContext`], pushes rows, sets named values, and
//! returns. It must be repeatable: after a crash it runs again for the same job, without the earlier rows.
//!
//! * Call [`JobContext::check_stopped`] about once a millisecond. Cancels, deadlines and shutdowns take effect there.
//! * [`JobError::transient`] is for a passing fault: the job runs again after a pause ([`RetryPolicy`]), up to
//!   [`JobOptions::max_attempts`] attempts, 3 by default. [`JobError::failed`] and a panic end the job.
//! * A job has no limits by default. Its [`Budget`] bounds rows, bytes of rows and memory.
//! * A handler may submit jobs and wait for them. Another job uses its worker meanwhile.
//!
//! ```
//! use std::sync::Arc;
//! use job_runner::{Engine, FailureKind, JobContext, JobSpec, store::MemoryStore};
//!
//! let endless = |ctx: &mut JobContext| {
//!     let mut rows = ctx.rows("vertices")?;
//!     for id in 0_u64.. {
//!         rows.push(&id)?; // the budget ends the loop
//!     }
//!     Ok(())
//! };
//! let engine = Engine::builder(Arc::new(MemoryStore::default())).vertex_filter(endless).open()?;
//! let record = engine.submit(JobSpec::vertex_filter().with_graph("movies").max_rows(1_000))?.wait()?;
//! assert_eq!(record.failure.map(|failure| failure.kind), Some(FailureKind::RowBudget));
//! # Ok::<(), job_runner::EngineError>(())
//! ```
//!
//! # Scans
//!
//! [`JobContext::scan`] cuts a range of ids into partitions. Every idle worker takes one partition at a time, and looks
//! for waiting jobs before the next. Readers get the rows in the order of ids. [`ScanOptions`] has the size of a
//! partition. [`JobContext::scan_ranges`] takes ranges of keys, for hosts whose ids are not `0..n`.
//! [`JobContext::acquire_threads`] is for work that is no scan.
//!
//! # Checkpoints
//!
//! [`JobContext::iterate`] runs an algorithm step by step and saves its state every
//! [`checkpoint_interval`](EngineBuilder::checkpoint_interval), 10 s by default. After a crash the next attempt goes on
//! from there. [`JobContext::save_checkpoint`] saves any bytes, at most 64 MiB.
//!
//! ```
//! use std::{ops::{ControlFlow, Range}, sync::Arc};
//! use job_runner::{Engine, Iterative, JobContext, JobError, JobSpec, store::MemoryStore};
//!
//! struct Halve(f64);
//!
//! impl Iterative for Halve {
//!     fn step(&mut self) -> Result<ControlFlow<()>, JobError> {
//!         self.0 /= 2.0;
//!         Ok(if self.0 < 0.001 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
//!     }
//!     fn progress(&self) -> Range<u64> { 0..0 } // the number of steps is unknown
//!     fn save(&self) -> Option<Vec<u8>> { Some(self.0.to_be_bytes().to_vec()) }
//!     fn restore(&mut self, state: &[u8]) -> Result<(), JobError> {
//!         let bytes = state.try_into().map_err(|_| JobError::failed("the saved state is not 8 bytes"))?;
//!         self.0 = f64::from_be_bytes(bytes);
//!         Ok(())
//!     }
//! }
//!
//! let engine = Engine::builder(Arc::new(MemoryStore::default()))
//!     .algorithm("halve", |ctx: &mut JobContext| {
//!         let mut halve = Halve(1.0);
//!         ctx.iterate(&mut halve)?;
//!         Ok(ctx.set_output("rest", &halve.0)?)
//!     })
//!     .open()?;
//! assert!(engine.submit(JobSpec::algorithm("halve").with_graph("movies"))?.wait()?.state.is_complete());
//! # Ok::<(), job_runner::EngineError>(())
//! ```
//!
//! # Several engines
//!
//! Engines in any number of processes share a [`store::SharedStore`], such as PostgreSQL: see
//! [`Engine::builder_shared`]. Each job runs on one of them. When an engine dies, the others run its jobs after at most one
//! lease, 10 s by default.
//!
//! # Stores
//!
//! | store | feature | survives | for |
//! | --- | --- | --- | --- |
//! | [`store::MemoryStore`] | | nothing | tests, results that may be lost |
//! | `store::RocksStore` | `rocksdb` (default) | the process and power loss | one process, results of any size |
//! | `store::RedbStore` | `redb` | the process and power loss | one process, without C++ |
//! | `store::PostgresStore` | `postgres`, with `tls` | the process; power loss as its server is set up | many machines |
//! | the same with objects | `objects`, `s3` | as the object store | large results of many machines |
//!
//! [`store::key_value`] makes a store of any ordered key-value engine, and [`store::contract`] says how to write
//! another one. With [`Durability::Synced`], the default, a submission and an end cost one fsync, which concurrent
//! ones share. With [`Durability::Buffered`] a power cut may lose the last writes; the death of the process alone
//! loses none.
//!
//! # Tests
//!
//! An engine with [`EngineBuilder::manual`] has no threads: its [`Driver`] runs one job at a time on the thread of
//! the test. The test moves a [`ManualClock`] by hand, and chance comes from [`EngineBuilder::seed`]. A [`Crash`] ends
//! an engine in the middle of a handler, as the death of its process does. [`store::FaultStore`] fails, loses or delays
//! any chosen call. `docs/testing.md` in the repository is a whole test.
//!
//! # Promises
//!
//! * An acknowledged job is stored: `submit` returns after the job is as durable as [`EngineBuilder::durability`]
//!   says.
//! * A succeeded job has all its rows: the state is stored together with the result, in one write, after every
//!   row.
//! * Every change of a job is a compare-and-set, and every row carries its attempt: a late worker changes nothing.
//! * A handler that panics, fails or never ends affects only its own job.
//!
//! # A kernel of another library
//!
//! A call of another library may return only when its work is done. If the library has an interrupt, the handler runs the
//! call on a second thread, and passes a stop on:
//!
//! ```
//! use std::{sync::{Arc, atomic::{AtomicBool, Ordering::Relaxed}}, thread, time::Duration};
//! use job_runner::{Engine, JobContext, JobError, JobSpec, store::MemoryStore};
//!
//! /// The call of the other library: it ends early once the flag is set.
//! fn kernel(interrupt: &AtomicBool) -> u64 {
//!     let mut steps = 0;
//!     while !interrupt.load(Relaxed) {
//!         steps += 1;
//!     }
//!     steps
//! }
//!
//! let body = |ctx: &mut JobContext| {
//!     let interrupt = AtomicBool::new(false);
//!     let steps = thread::scope(|scope| {
//!         let call = scope.spawn(|| kernel(&interrupt));
//!         while !call.is_finished() {
//!             interrupt.store(ctx.check_stopped().is_err(), Relaxed);
//!             thread::sleep(Duration::from_millis(1));
//!         }
//!         call.join().map_err(|_| JobError::failed("the kernel panicked"))
//!     })?;
//!     ctx.check_stopped()?; // nothing of an interrupted call is kept
//!     Ok(ctx.set_output("steps", &steps)?)
//! };
//! let engine = Engine::builder(Arc::new(MemoryStore::default())).algorithm("kernel", body).open()?;
//! let job = engine.submit(JobSpec::algorithm("kernel").with_graph("movies"))?;
//! job.cancel()?;
//! assert!(job.wait()?.state.is_complete());
//! # Ok::<(), job_runner::EngineError>(())
//! ```
//!
//! Without an interrupt, a cancel and a deadline take effect when the call returns. The job is `cancelling` until then, and
//! its worker is taken. A shutdown does not wait for it longer than its time, and the next open runs the job again. Code
//! that has to end at once needs a process of its own, which the handler kills.
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `rocksdb`, on by default | [`store::RocksStore`]. A host that links another version of `rocksdb` turns it off |
//! | `redb` | `store::RedbStore`: one file, in Rust alone |
//! | `postgres`, `tls` | `store::PostgresStore`, which several engines share, and encrypted connections to it |
//! | `objects`, `s3` | large results beside PostgreSQL: in a directory, in S3 |
//! | `conformance` | `store::conformance`: the contract of a store as tests |
//! | `proptest` | `strategies`: any request, record, page and filter, for tests |
//! | `checked-locks` | a panic where a lock of the engine is held during a call to the store, also in release builds |

mod api;
mod decide;
mod engine;
mod handler;
mod job;
mod read;
mod record;
mod seam;
mod source;
mod worker;

pub use job_core;
#[cfg(feature = "proptest")]
pub use job_core::strategies;
pub use job_core::{
    Budget, Event, EventKind, FailedAttempt, Failure, FailureKind, IllegalTransition, InvalidJobId, InvalidOutput,
    InvalidParameter, InvalidSpec, JobClass, JobFilter, JobId, JobKind, JobOptions, JobRecord, JobResult, JobSpec,
    JobState, LaterFields, OrNull, Outcome, Outputs, PageRequest, Parameters, ResultSize, RowList, Segment,
    Timestamp, Transition, wire,
};
pub use job_store::{self as store, Durability, StoreError};

pub use crate::{
    api::{
        builder::{EngineBuilder, Exclusive, Shared, SharedEngineBuilder},
        changed::Changed,
        crash::Crash,
        driver::Driver,
        engine::Engine,
        explain::Explanation,
        handle::JobHandle,
        snapshot::JobSnapshot,
    },
    decide::{outcome::RetryPolicy, retention::Retention},
    engine::{
        figures::{Figures, Sample},
        metrics,
        scheduler::Shutdown,
        stats::{ClassStats, Stats},
    },
    handler::{
        Handler,
        context::{Iterative, JobContext},
        declared::{Declaration, Parameter, ParameterType},
        partition::{Partition, ScanOptions},
        rows::RowWriter,
        threads::ThreadPermits,
    },
    job::{
        cancel::{CancelToken, StopCause},
        error::{Cause, EngineError, InvalidOption, JobError, Resource},
        events::{Change, JobEvents},
        progress::{Progress, Task, TaskProgress},
    },
    read::{
        page::Page,
        reader::{JobReader, Pieces, StateCount, Status},
        unreadable::Unreadable,
    },
    seam::clock::{Clock, ManualClock, SystemClock},
};
