//! The answers to clients: the dialects of the API, its documented codes, and the bodies.
//!
//! Every word that a client reads is written here, and nowhere else in the library. A server of HTTP, or of any other
//! protocol, takes the bytes from here. A [`Dialect`] is the entrance:
//!
//! ```
//! use job_core::{JobId, JobRecord, JobSpec, PageRequest, Timestamp, wire::Dialect};
//!
//! let now = Timestamp::from_micros(1_700_000_000_000_000);
//! let waiting = JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now);
//! let answer = Dialect::Document.status(&waiting, None, PageRequest::default());
//! assert_eq!((answer.http_status(), answer.head()), (200, &br#"{"status":"waiting"}"#[..]));
//! let unknown = Dialect::Document.unknown_job("9440a7eb");
//! assert_eq!(Dialect::Document.error(&unknown).http_status(), 400);
//! ```

mod code;
mod dialect;
mod error;
mod form;
mod listed;
mod managed;
mod neutral;
mod payload;

pub use self::{
    code::ErrorCode,
    dialect::Dialect,
    error::ApiError,
    form::Form,
    listed::{ListedJob, raw_request, sent_as},
    managed::{ManagedJob, ManagedJobV2},
    neutral::{NeutralJob, neutral_page, problem},
    payload::{RowForm, StatusPayload},
};

/// The action that exports a result, and the name of the algorithm that its jobs are.
pub const EXPORT_RESULT: &str = "export-result";

pub(crate) use self::payload::PAGE_NAMES;

#[cfg(test)]
mod tests;
