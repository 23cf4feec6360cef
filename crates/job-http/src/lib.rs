//! The REST surface of a graph engine's jobs, as an axum [`Router`](axum::Router) over any engine.
//!
//! An existing client of the service can use any graph engine that links this crate. The host names its graphs
//! ([`GraphCatalog`]), decides which client may do which action ([`Authorizer`]), and mounts the router on its own
//! server.
//!
//! | call | path below `/ges/v1.0/{projectId}/graphs/{graphName}` |
//! | --- | --- |
//! | status, page of a result | `GET /jobs/{jobId}/status?offset=&limit=` (extension: `&wait=` seconds) |
//! | cancel | `DELETE /jobs/{jobId}` |
//! | list | `GET /jobs/status?offset=&limit=` (extension: `&before=` a job) |
//! | vertex filter, edge filter | `POST /vertices/action?action_id=query`, `POST /edges/action?action_id=query` |
//! | algorithm | `POST /action?action_id=execute-algorithm` |
//! | export to a file | `POST /jobs/{jobId}/action?action_id=export-result` |
//! | actions of the host | `POST /action?action_id=ID`, and paths of its own ([`HostAction`]) |
//! | extensions | `GET /jobs/{jobId}`, `GET /jobs/{jobId}/rows` (a file), `GET /jobs/{jobId}/events` (server-sent), `GET /jobs/{jobId}/explain`, `GET /jobs/overview`, `GET /jobs/counts` |
//!
//! There are also `GET /ges/v1.0/{projectId}/graphs`, `GET .../graphs/{graphName}/kinds`, `GET /health`, `GET /figures` and `GET /openapi.json`. A host may
//! add `GET /metrics` ([`Api::metrics`]) and a page
//! for people at `/`. It may also add routes for operators: `GET /operator/jobs`, `DELETE /operator/jobs/{jobId}`
//! and `GET /operator/jobs/{jobId}/rows?offset=&limit=`. The last one also has the rows of a running job.
//!
//! A client may send a submission again when its answer was lost. If the same request has used its
//! `Idempotency-Key` before, the answer is that job. A second cancel is answered as the first.
//!
//! A page is copied from the store's blocks into the body while the client takes it. A request holds at most a few
//! blocks in memory, for a page of any size. A slow or lost client holds no thread and no lock. Every call to the
//! store is made on a blocking thread, at most [`Limits::store_calls`] at once. So a store that does not answer
//! delays no other route of the host.
//!
//! [`serve`] serves the router together with routes of the host. Unlike `axum::serve` it bounds the number and the
//! time of connections, and the time of a stop. A host with another server bounds them there. [`Origins`] names
//! the pages of other sites that may send requests from a browser; by default none may.
//!
//! ```
//! use std::sync::Arc;
//! use axum::{body::Body, http::Request};
//! use job_http::{Api, Graph, GraphCatalog};
//! use job_runner::{Engine, JobContext, JobSpec, store::MemoryStore};
//! use tower::ServiceExt;
//!
//! #[derive(Debug)]
//! struct Host;
//! impl GraphCatalog for Host {
//!     fn find(&self, project: &str, name: &str) -> Option<Graph> {
//!         (project == "demo" && name == "movies").then(|| Graph::new(name))
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let engine = Engine::builder(Arc::new(MemoryStore::default()))
//!     .algorithm("answer", |ctx: &mut JobContext| Ok(ctx.set_output("answer", &42)?))
//!     .open()?;
//! let job = engine.submit(JobSpec::algorithm("answer").with_graph("movies"))?;
//! let router = Api::new(Arc::new(engine), Host).router();
//!
//! let uri = format!("/ges/v1.0/demo/graphs/movies/jobs/{}/status?wait=10", job.id());
//! let response = router.oneshot(Request::get(uri).body(Body::empty())?).await?;
//! let body = axum::body::to_bytes(response.into_body(), usize::MAX).await?;
//! assert_eq!(body, r#"{"data":{"outputs":{"answer":42}},"status":"complete"}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod api;
mod authorizer;
mod body;
mod caches;
mod calls;
mod catalog;
mod context;
mod document;
mod download;
mod ending;
mod entry;
mod etag;
mod export;
mod extract;
mod failure;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod key;
mod kinds;
mod limits;
mod lookup;
mod openapi;
mod origins;
mod overview;
mod page;
mod patience;
mod routes;
mod search;
mod serve;
mod shutdown;
mod surface;
mod view;
mod vitals;

pub use job_runner::wire::Dialect;

pub use crate::{
    action::{Asked, HostAction, Modes},
    api::Api,
    authorizer::{Action, Authorizer, Decision, Denied},
    catalog::{Graph, GraphCatalog, JobRequest},
    export::{Exporter, Format as ExportFormat, ResultWriter},
    failure::ApiFailure,
    limits::Limits,
    lookup::HostLookup,
    origins::{InvalidOrigin, Origins},
    serve::{InvalidOptions, ServeOptions, serve},
    shutdown::ShutdownHandle,
    surface::{InvalidPrefix, Surface, SurfaceBuilder},
};
