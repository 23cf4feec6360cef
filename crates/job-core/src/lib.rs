//! The jobs of a graph engine as pure data.
//!
//! This crate defines a job, the transitions of its life, the pages of a result, and the bytes that answer a status
//! query. It does **no** I/O, starts no thread and reads no clock: time, randomness and rows are arguments.
//! `job-store` keeps these values, `job-runner` moves them.
//!
//! ```
//! use job_core::{Event, JobId, JobRecord, JobSpec, PageRequest, ResultSize, Timestamp, wire::Dialect};
//!
//! let spec = JobSpec::algorithm("pagerank").with_graph("movies");
//! let now = Timestamp::from_micros(1_700_000_000_000_000);
//! let waiting = JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec, now);
//! let running = waiting.apply(Event::Start, now)?;
//! assert_eq!(running.attempt, 1);
//!
//! // A late completion can never overwrite a cancel: the transition does not exist.
//! let cancelled = waiting.apply(Event::Cancel, now)?;
//! assert!(cancelled.apply(Event::Succeed(ResultSize::default()), now).is_err());
//!
//! let payload = Dialect::Document.status(&running, None, PageRequest::default());
//! assert_eq!(payload.head(), br#"{"status":"running"}"#);
//! # Ok::<(), job_core::IllegalTransition>(())
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`id`] | [`JobId`], [`Timestamp`] |
//! | [`spec`] | [`JobSpec`], [`Parameters`]: what was asked; [`JobKind`] |
//! | [`options`] | [`JobOptions`]: how it is to be run |
//! | [`state`] | [`JobState`] and the one function that knows its graph |
//! | [`record`] | [`JobRecord`], [`Event`]: one job and what happens to it |
//! | [`failed`] | [`FailedAttempt`]: why earlier attempts ended |
//! | [`filter`] | [`JobFilter`]: which jobs a list shows |
//! | [`page`] | [`PageRequest`]: all offset arithmetic |
//! | [`result`] | [`JobResult`], [`RowList`], [`Segment`]: what a finished job left |
//! | [`json`] | [`append_json`]: JSON up to a limit; [`one_value`]; [`OrNull`] |
//! | [`strict`] | [`strict::read`]: the JSON of requests |
//! | `strategies` | any request, record, page and filter, for tests (feature `proptest`) |
//! | [`wire`] | [`Dialect`](wire::Dialect), [`ErrorCode`](wire::ErrorCode): what clients are answered |

pub mod failed;
pub mod filter;
mod finite;
pub mod id;
pub mod json;
mod kind;
mod members;
pub mod options;
pub mod page;
pub mod parameters;
pub mod record;
pub mod result;
mod shown;
pub mod spec;
pub mod state;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;
pub mod strict;
pub mod wire;

pub use failed::FailedAttempt;
pub use filter::JobFilter;
pub use finite::OrNull;
pub use id::{InvalidJobId, JobId, Timestamp};
pub use json::{InvalidJson, append_json, one_value};
pub use kind::JobKind;
pub use members::Members;
pub use options::{Budget, JobClass, JobOptions};
pub use page::{InvalidParameter, PageRequest};
pub use parameters::Parameters;
pub use record::{Event, Failure, FailureKind, IllegalTransition, JobRecord, LaterFields, ResultSize};
pub use result::{InvalidOutput, JobResult, Outputs, RowList, Segment};
pub use shown::{MOST_SHOWN, shown};
pub use spec::{InvalidSpec, JobSpec};
pub use state::{EventKind, JobState, Outcome, Transition};
