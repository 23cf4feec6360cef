//! Answers that name no service: jobs, pages and problem details (RFC 9457).

use serde::Serialize;

use super::{ApiError, ErrorCode, StatusPayload, listed};
use crate::{JobId, JobRecord, JobResult, PageRequest, Timestamp};

/// A job, in answers that name no service.
///
/// ```
/// use job_core::{JobId, JobRecord, JobSpec, Timestamp, wire::NeutralJob};
///
/// let id: JobId = "018bcfe5-6800-7000-8000-000000000000".parse()?;
/// let submitted = Timestamp::from_micros(1_716_458_040_000_000);
/// let waiting = JobRecord::waiting(id, JobSpec::algorithm("pagerank").with_graph("movies"), submitted);
/// assert_eq!(serde_json::to_string(&NeutralJob::of(&waiting, 0))?, concat!(
///     r#"{"id":"018bcfe5-6800-7000-8000-000000000000","kind":"pagerank","state":"waiting","progress":0,"attempt":0,"#,
///     r#""rows":0,"submittedAt":"2024-05-23T09:54:00.000000Z"}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NeutralJob {
    id: JobId,
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
    state: String,
    progress: u8,
    attempt: u32,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl NeutralJob {
    /// The job of this record; `percent` is how far it is, while it runs.
    #[must_use]
    pub fn of(record: &JobRecord, percent: u8) -> Self {
        Self {
            id: record.id,
            kind: record.spec.kind().to_string(),
            state: record.state.to_string(),
            progress: listed::progress(record, percent),
            attempt: record.attempt,
            rows: record.size.rows,
            submitted_at: Some(instant(record.submitted_at)),
            started_at: record.started_at.map(instant),
            finished_at: record.finished_at.map(instant),
            reason: ApiError::of_job(record).map(|error| error.message),
        }
    }

    /// A job whose record cannot be read, for this reason.
    #[must_use]
    pub fn unreadable(id: JobId, reason: &str) -> Self {
        Self {
            id,
            kind: String::new(),
            state: "unreadable".to_owned(),
            progress: 0,
            attempt: 0,
            rows: 0,
            submitted_at: None,
            started_at: None,
            finished_at: None,
            reason: Some(reason.to_owned()),
        }
    }
}

/// A moment by RFC 3339, in UTC with microseconds.
fn instant(time: Timestamp) -> String {
    let micros = time.as_micros() % 1_000_000;
    format!("{}.{micros:06}Z", listed::time(time).replace(' ', "T"))
}

/// A page of a result, in answers that name no service: the outputs, and the rows with their place in the list.
///
/// ```
/// use job_core::{JobResult, PageRequest, RowList, Segment, wire::neutral_page};
///
/// let mut result = JobResult::default();
/// result.list = Some(RowList::new("vertices", vec![Segment { attempt: 1, number: 0, rows: 19, bytes: 999 }]));
/// let page = neutral_page(&result, PageRequest::new(18, 2)?);
/// assert_eq!(page.head(), br#"{"outputs":{},"list":"vertices","offset":18,"total":19,"rows":["#);
/// assert_eq!((page.rows(), page.tail()), (18..19, &b"]}"[..]));
/// # Ok::<(), job_core::InvalidParameter>(())
/// ```
#[must_use]
pub fn neutral_page(result: &JobResult, page: PageRequest) -> StatusPayload {
    StatusPayload::neutral(result, page)
}

/// The body of an error by RFC 9457. `code` is a code of the service, whose word is shown in its place, or one of the
/// host's own.
///
/// ```
/// use job_core::wire::problem;
///
/// let body = problem(404, "Not Found", "GES.8301", "there is no job 9440a7eb");
/// assert_eq!(String::from_utf8(body)?, concat!(
///     r#"{"type":"about:blank","title":"Not Found","status":404,"detail":"there is no job 9440a7eb","#,
///     r#""code":"unknown_job"}"#));
/// # Ok::<(), std::string::FromUtf8Error>(())
/// ```
#[must_use]
pub fn problem(status: u16, title: &str, code: &str, detail: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Problem<'p> {
        r#type: &'p str,
        title: &'p str,
        status: u16,
        detail: &'p str,
        code: &'p str,
    }
    let code = match ErrorCode::sent_as(code) {
        Some(known) => known.word(),
        None => code,
    };
    // Strings and numbers always serialize.
    serde_json::to_vec(&Problem { r#type: "about:blank", title, status, detail, code }).unwrap_or_default()
}
