//! [`StatusPayload`]: the bytes that answer a status query.

use std::{io, ops::Range};

use serde::Serialize;

use crate::{JobResult, PageRequest};

/// The answer to one status query: the bytes before the rows, the range of rows, and the bytes after them. A
/// [`Dialect`](super::Dialect) makes it.
///
/// It does not hold the rows. They are JSON in the store, separated by commas, and [`write`](Self::write) copies
/// them into the output. So a payload of 100,000 rows needs no more memory than an empty one.
///
/// The shape is the document's: everything under `data.outputs`, as all its samples have it (its table 3 lists
/// the same names one level higher).
///
/// ```
/// use job_core::{Event, JobId, JobRecord, JobResult, JobSpec, PageRequest, RowList, Segment, Timestamp, wire::Dialect};
///
/// let mut result = JobResult::default();
/// result.list = Some(RowList::new("vertices", vec![Segment { attempt: 1, number: 0, rows: 19, bytes: 999 }]));
/// let now = Timestamp::from_micros(1_700_000_000_000_000);
/// let waiting = JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now);
/// let done = waiting.apply(Event::Start, now)?.apply(Event::Succeed(result.size()), now)?;
///
/// let payload = Dialect::Document.status(&done, Some(&result), PageRequest::new(18, 2)?);
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
    head: Vec<u8>,
    rows: Range<u64>,
    tail: Vec<u8>,
    /// Where the name of the list is in the head, with its quotes.
    list: Option<Range<usize>>,
    form: RowForm,
}

/// How the rows of an answer are written.
///
/// ```
/// use job_core::wire::RowForm;
///
/// let mut out = Vec::new();
/// RowForm::Stored.write(br#"{"Sarah":0.25}"#, &mut out);
/// assert_eq!(out, br#"{"Sarah":0.25}"#);
/// out.clear();
/// RowForm::Named("pagerank".into()).write(br#"{"Sarah":0.25}"#, &mut out);
/// assert_eq!(out, br#"{"id":"Sarah","pagerank":0.25}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RowForm {
    /// As they are stored.
    #[default]
    Stored,
    /// A row with one member, the id of a vertex, is an object with the id and the value under this name.
    Named(Box<str>),
}

impl RowForm {
    /// Appends a row. It is not parsed: its bytes are cut behind the key of the one member.
    pub fn write(&self, row: &[u8], out: &mut Vec<u8>) {
        let Self::Named(name) = self else { return out.extend_from_slice(row) };
        let Some((key, value)) = one_member(row) else { return out.extend_from_slice(row) };
        out.extend_from_slice(br#"{"id":"#);
        out.extend_from_slice(key);
        out.push(b',');
        push_key(out, name);
        out.extend_from_slice(value);
        out.push(b'}');
    }
}

/// The key, with its quotes, and the value of an object with one member, as this library writes it.
fn one_member(row: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = row.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let mut escaped = false;
    let end = inside.iter().enumerate().skip(1).find_map(|(at, byte)| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends.then_some(at + 1)
    })?;
    let (key, rest) = inside.split_at_checked(end)?;
    Some((key, rest.strip_prefix(b":")?)).filter(|_| key.starts_with(b"\""))
}

/// The names under which a page has its size. No output of a job may have one of them.
pub(crate) const PAGE_NAMES: [&str; 3] = ["data_return_size", "data_offset", "data_total_size"];

/// How every answer with data begins.
const DATA: &[u8] = br#"{"data":{"outputs":{"#;

impl StatusPayload {
    /// A page of this `result`; `end` is what follows the data.
    pub(super) fn page(result: &JobResult, page: PageRequest, end: &[u8]) -> Self {
        Self::after_outputs(result, page, [b",", end])
    }

    /// As [`page`](Self::page), with the comma that may be before the end.
    pub(super) fn data(result: &JobResult, page: PageRequest, end: &[u8]) -> Self {
        Self::after_outputs(result, page, [b"", end])
    }

    fn after_outputs(result: &JobResult, page: PageRequest, [comma, end]: [&[u8]; 2]) -> Self {
        let mut head = with_outputs(DATA, result);
        if let Some(list) = &result.list {
            return Self::list(head, list.name(), list.rows(), page, [comma, end]);
        }
        if head.last() == Some(&b',') {
            head.pop();
        }
        Self { tail: [b"}}", comma, end].concat(), ..Self::whole(200, head) }
    }

    /// A page of this `result` as the table of a query language.
    pub(super) fn table(result: &JobResult, page: PageRequest) -> Self {
        Self::without_sizes(br#"{"results":[{"#, result, page, br#"}],"errors":[]}"#)
    }

    /// A page of this `result` right under `data`.
    pub(super) fn flat(result: &JobResult, page: PageRequest, end: &[u8]) -> Self {
        Self::without_sizes(br#"{"data":{"#, result, page, &[b"}", end].concat())
    }

    fn without_sizes(begin: &[u8], result: &JobResult, page: PageRequest, end: &[u8]) -> Self {
        let mut head = with_outputs(begin, result);
        let Some(list) = &result.list else {
            if head.last() == Some(&b',') {
                head.pop();
            }
            return Self { tail: end.to_vec(), ..Self::whole(200, head) };
        };
        push_key(&mut head, list.name());
        head.push(b'[');
        Self { rows: page.window(list.rows()), tail: [b"]", end].concat(), ..Self::whole(200, head) }
    }

    /// A page of this `result` in answers that name no service.
    pub(super) fn neutral(result: &JobResult, page: PageRequest) -> Self {
        let mut head = with_outputs(br#"{"outputs":{"#, result);
        if head.last() == Some(&b',') {
            head.pop();
        }
        head.push(b'}');
        let Some(list) = &result.list else {
            return Self { tail: b"}".to_vec(), ..Self::whole(200, head) };
        };
        head.extend_from_slice(br#","list":"#);
        push_json(&mut head, list.name());
        head.extend_from_slice(
            format!(r#","offset":{},"total":{},"rows":["#, page.offset(), list.rows()).as_bytes(),
        );
        Self { rows: page.window(list.rows()), tail: b"]}".to_vec(), ..Self::whole(200, head) }
    }

    /// A page of `total` rows under this name, without other outputs.
    pub(super) fn so_far(name: &str, total: u64, page: PageRequest, end: &[u8]) -> Self {
        Self::list(DATA.to_vec(), name, total, page, [b",", end])
    }

    fn list(mut head: Vec<u8>, name: &str, total: u64, page: PageRequest, [comma, end]: [&[u8]; 2]) -> Self {
        let rows = page.window(total);
        for (name, number) in PAGE_NAMES.iter().zip([rows.end - rows.start, page.offset(), total]) {
            push_key(&mut head, name);
            push_json(&mut head, &number);
            head.push(b',');
        }
        let at = head.len();
        push_key(&mut head, name);
        let list = Some(at..head.len() - 1);
        head.push(b'[');
        Self { list, rows, tail: [b"]}}", comma, end].concat(), ..Self::whole(200, head) }
    }

    /// The answer about a job that failed: its error, and then its state.
    pub(super) fn failed(code: &str, message: &str, end: &[u8]) -> Self {
        let mut body = error_members(code, message);
        body.push(b',');
        body.extend_from_slice(end);
        Self::whole(200, body)
    }

    /// The answer that is a state alone.
    pub(super) fn bare(end: &[u8]) -> Self {
        Self::whole(200, [b"{", end].concat())
    }

    /// An answer without rows.
    pub(super) const fn whole(http_status: u16, body: Vec<u8>) -> Self {
        Self { http_status, head: body, rows: 0..0, tail: Vec::new(), list: None, form: RowForm::Stored }
    }

    /// The same page with its list under `results`, and each row as an object that has the name of the list.
    pub(super) fn with_row_objects(mut self) -> Self {
        let Some(at) = self.list.take() else { return self };
        if let Ok(name) = serde_json::from_slice(self.head.get(at.clone()).unwrap_or_default()) {
            self.head.splice(at, br#""results""#.iter().copied());
            self.form = RowForm::Named(name);
        }
        self
    }

    /// How the rows of the answer are written.
    #[must_use]
    pub const fn row_form(&self) -> &RowForm {
        &self.form
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
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Head, rows and tail, for a caller that sends them piece by piece.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Range<u64>, Vec<u8>) {
        (self.head, self.rows, self.tail)
    }

    /// Writes the answer: the head, the rows of the window, the tail. `rows` writes JSON values in the
    /// [`row_form`](Self::row_form), with a comma between every two; it is not called for an empty window.
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
        out.write_all(&self.tail)?;
        Ok(())
    }
}

/// These bytes, and the outputs of a result with a comma after each.
fn with_outputs(begin: &[u8], result: &JobResult) -> Vec<u8> {
    /// Room for the sizes of a page and the name of its list.
    const SIZES: usize = 160;
    let outputs: usize = result.outputs.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let mut out = Vec::with_capacity(begin.len() + outputs + SIZES);
    out.extend_from_slice(begin);
    for (name, value) in result.outputs.iter() {
        push_key(&mut out, name);
        out.extend_from_slice(value.as_bytes());
        out.push(b',');
    }
    out
}

/// An error in place of the table of a query language.
pub(super) fn rows_error(code: &str, message: &str) -> Vec<u8> {
    let mut out = br#"{"results":[],"errors":[{"#.to_vec();
    push_key(&mut out, "code");
    push_json(&mut out, code);
    out.push(b',');
    push_key(&mut out, "message");
    push_json(&mut out, message);
    out.extend_from_slice(b"}]}");
    out
}

/// An error as the client of the management plane reads it.
pub(super) fn managed_error(code: &str, message: &str) -> Vec<u8> {
    let mut out = error_members(code, message);
    out.push(b',');
    push_key(&mut out, "errorMsg");
    push_json(&mut out, message);
    out.push(b'}');
    out
}

/// The members of an error that all editions share. Each edition appends its own members.
pub(super) fn error_members(code: &str, message: &str) -> Vec<u8> {
    let mut out = b"{".to_vec();
    push_key(&mut out, "errorMessage");
    push_json(&mut out, message);
    out.push(b',');
    push_key(&mut out, "errorCode");
    push_json(&mut out, code);
    out
}

fn push_key(out: &mut Vec<u8>, name: &str) {
    push_json(out, name);
    out.push(b':');
}

fn push_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Strings and numbers always serialize, and a write to a `Vec` does not fail.
    let _ = serde_json::to_writer(out, value);
}
