//! [`StatusPayload`]: the bytes that answer a status query.

use std::{borrow::Cow, io, ops::Range};

use serde::Serialize;

use crate::{ApiError, ErrorCode, JobRecord, JobResult, JobState, PageRequest};

/// The answer to one status query: the bytes before the rows, which rows, the bytes after them.
///
/// The rows are not in it. They are JSON in the store already, separated by commas, and go from there straight into
/// the output ([`write`](Self::write)). So a payload of 100,000 rows costs no more memory than an empty one.
///
/// The shape is the document's: everything under `data.outputs`, as all its samples have it (its table 3 lists
/// the same names one level higher).
///
/// ```
/// use job_core::{JobResult, PageRequest, RowList, Segment, StatusPayload};
///
/// let mut result = JobResult::default();
/// result.list = Some(RowList::new("vertices", vec![Segment { attempt: 1, number: 0, rows: 19, bytes: 999 }]));
/// let payload = StatusPayload::complete(&result, PageRequest::new(18, 2)?);
/// let mut out = Vec::new();
/// payload.write(&mut out, |out, rows| {
///     assert_eq!(rows, 18..19);
///     out.extend_from_slice(br#"{"id":"Zoe"}"#);
///     Ok::<(), std::io::Error>(())
/// })?;
/// assert_eq!(String::from_utf8(out)?, concat!(
///     r#"{"data":{"outputs":{"data_return_size":1,"data_offset":18,"data_total_size":19,"#,
///     r#""vertices":[{"id":"Zoe"}]}},"status":"complete"}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPayload {
    http_status: u16,
    head: Cow<'static, [u8]>,
    rows: Range<u64>,
    tail: &'static [u8],
}

impl StatusPayload {
    /// The answer for `record`. `result` is asked of a job that succeeded and ignored of any other.
    ///
    /// A job that succeeded but whose `result` is missing is an internal error, never an empty success.
    #[must_use]
    pub fn of(record: &JobRecord, result: Option<&JobResult>, page: PageRequest) -> Self {
        if let Some(error) = ApiError::of_job(record) {
            return Self::error(&error);
        }
        match (record.state, result) {
            (JobState::Waiting, _) => Self::bare(br#"{"status":"waiting"}"#),
            (JobState::Running { .. }, _) => Self::bare(br#"{"status":"running"}"#),
            (JobState::Complete(_), Some(result)) => Self::complete(result, page),
            (JobState::Complete(_), None) => Self::error(&ApiError::new(
                ErrorCode::JobQueryInternal,
                format!("the result of job {} is missing", record.id),
            )),
        }
    }

    /// The answer for a finished job with this `result`.
    #[must_use]
    pub fn complete(result: &JobResult, page: PageRequest) -> Self {
        let mut head = br#"{"data":{"outputs":{"#.to_vec();
        for (name, value) in result.outputs.iter() {
            push_key(&mut head, name);
            head.extend_from_slice(value.as_bytes());
            head.push(b',');
        }
        let Some(list) = &result.list else {
            if head.last() == Some(&b',') {
                head.pop();
            }
            let tail = br#"}},"status":"complete"}"#;
            return Self { http_status: 200, head: head.into(), rows: 0..0, tail };
        };
        let total = list.rows();
        let rows = page.window(total);
        for (name, number) in [
            ("data_return_size", rows.end - rows.start),
            ("data_offset", page.offset()),
            ("data_total_size", total),
        ] {
            push_key(&mut head, name);
            head.extend_from_slice(number.to_string().as_bytes());
            head.push(b',');
        }
        push_key(&mut head, list.name());
        head.push(b'[');
        Self { http_status: 200, head: head.into(), rows, tail: br#"]}},"status":"complete"}"# }
    }

    /// The answer that is an error: `errorMessage` and `errorCode`, no status, no data.
    #[must_use]
    pub fn error(error: &ApiError) -> Self {
        let mut head = Vec::new();
        head.push(b'{');
        push_key(&mut head, "errorMessage");
        push_json(&mut head, error.message.as_str());
        head.push(b',');
        push_key(&mut head, "errorCode");
        push_json(&mut head, error.code.as_str());
        head.push(b'}');
        Self { http_status: error.code.http_status(), head: head.into(), rows: 0..0, tail: b"" }
    }

    fn bare(head: &'static [u8]) -> Self {
        Self { http_status: 200, head: Cow::Borrowed(head), rows: 0..0, tail: b"" }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        self.http_status
    }

    /// The bytes before the rows; the whole answer when there are none and the tail is empty.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The rows that belong between head and tail.
    #[must_use]
    pub fn rows(&self) -> Range<u64> {
        self.rows.clone()
    }

    /// The bytes after the rows.
    #[must_use]
    pub const fn tail(&self) -> &'static [u8] {
        self.tail
    }

    /// Writes the answer: the head, the rows of the window, the tail. `rows` writes JSON values with a comma between
    /// every two; it is not called for an empty window.
    ///
    /// # Errors
    /// The first error of `out` or `rows`; the output is cut short there.
    pub fn write<W, E, F>(&self, out: &mut W, rows: F) -> Result<(), E>
    where
        W: io::Write + ?Sized,
        E: From<io::Error>,
        F: FnOnce(&mut W, Range<u64>) -> Result<(), E>,
    {
        out.write_all(&self.head)?;
        if !self.rows.is_empty() {
            rows(out, self.rows.clone())?;
        }
        out.write_all(self.tail)?;
        Ok(())
    }
}

fn push_key(out: &mut Vec<u8>, name: &str) {
    push_json(out, name);
    out.push(b':');
}

fn push_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Strings and numbers always serialize, and a Vec never refuses bytes.
    let _ = serde_json::to_writer(out, value);
}
