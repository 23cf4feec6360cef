//! A job engine for graph engines.
//!
//! Long work (a vertex filter, an edge filter, an algorithm) answers at once with a job id. The caller then asks
//! for the job's status and, when it is complete, for any page of its rows. Jobs and rows are on disk: they
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
//! // What a graph engine writes: one handler a kind of work. Rows go to disk as they come.
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
//! | write a handler | [`JobContext`], [`RowWriter`], [`Partition`], [`Iterative`], [`JobError`] |
//! | observe | [`Stats`], [`metrics`], spans and events of `tracing` |
//! | test | [`ManualClock`], [`EngineBuilder::manual`] with [`Driver`], [`store::FaultStore`] |
//!
//! # What is promised
//!
//! * Acknowledged is stored: `submit` returns after the job is as durable as [`EngineBuilder::durability`] says.
//! * Succeeded is whole: a record says so only together with its result, in one write, after every row.
//! * Every change of a job is a compare-and-set, and every row carries its attempt: a late worker changes nothing.
//! * Whatever a handler does (panic, never end, fail) concerns its own job only.

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
pub use job_core::{
    Budget, Event, EventKind, Failure, FailureKind, IllegalTransition, InvalidJobId, InvalidOutput,
    InvalidParameter, InvalidSpec, JobClass, JobId, JobKind, JobOptions, JobRecord, JobResult, JobSpec, JobState,
    OrNull, Outcome, Outputs, PageRequest, Parameters, ResultSize, RowList, Segment, Timestamp, Transition, wire,
};
pub use job_store::{self as store, Durability, StoreError};

pub use crate::{
    api::{
        builder::{EngineBuilder, Exclusive, Shared, SharedEngineBuilder},
        changed::Changed,
        driver::Driver,
        engine::Engine,
        explain::Explanation,
        handle::JobHandle,
        snapshot::JobSnapshot,
    },
    decide::{outcome::RetryPolicy, retention::Retention},
    engine::{
        metrics,
        scheduler::Shutdown,
        stats::{ClassStats, Stats},
    },
    handler::{
        Handler,
        context::{Iterative, JobContext},
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
        reader::{JobReader, Pieces, Status},
        unreadable::Unreadable,
    },
    seam::clock::{Clock, ManualClock, SystemClock},
};
