//! [`Answer`]: what a status query about a complete job answers, in pieces.

use job_runner::{
    ApiError, Ending, JobReader, JobRecord, JobResult, JobState, Page, PageRequest, RowList, Segment,
    StatusPayload, StoreError,
};

use crate::{dialect::Dialect, failure::Failure};

/// The bytes before the rows, the rows, the bytes after them.
pub(crate) struct Answer {
    head: Vec<u8>,
    page: Option<Page>,
    tail: Vec<u8>,
}

/// How every payload of `job-core` ends.
const DOCUMENT_END: &[u8] = br#""complete"}"#;

impl Answer {
    /// Reads what the answer about a complete job needs, but no rows.
    pub(crate) fn read(
        reader: &JobReader,
        record: &JobRecord,
        page: PageRequest,
        dialect: Dialect,
    ) -> Result<Self, Failure> {
        if record.state == JobState::Complete(Ending::Succeeded) {
            let status = reader.status(record.id, page)?;
            let payload = status.payload();
            if payload.http_status() != 200 {
                // Removed since the record was read, or the result is missing.
                return Err(missing(reader, record, dialect)?);
            }
            return Ok(Self::with_rows(payload, status.page().cloned(), dialect.succeeded()));
        }
        if record.size.rows > 0
            && let Some(end) = dialect.partially_failed()
            && let Some(result) = reader.result(record.id)?
        {
            let rows = reader.page(record.id, page)?;
            return Ok(Self::with_rows(&StatusPayload::complete(&result, page), Some(rows), end));
        }
        let error = ApiError::of_job(record).unwrap_or_else(|| dialect.unknown_job(&record.id.to_string()));
        dialect.failed().map_or_else(|| Err(error.clone().into()), |end| Ok(Self::failed(&error, end)))
    }

    /// The rows that a job has which is not complete, as a page of its result would be, with its state.
    pub(crate) fn so_far(rows: Page, request: PageRequest, state: JobState, dialect: Dialect) -> Self {
        let state = dialect.unfinished(state);
        // The payload says how many rows there are, and not where they lie.
        let all = Segment { attempt: 0, number: 0, rows: rows.total(), bytes: 0 };
        let list = RowList::new(rows.list(), vec![all]);
        let payload = StatusPayload::complete(&JobResult { list: Some(list), ..JobResult::default() }, request);
        Self::with_rows(&payload, Some(rows), state.strip_prefix(br#"{"status":"#).unwrap_or(state))
    }

    fn with_rows(payload: &StatusPayload, page: Option<Page>, end: &[u8]) -> Self {
        let tail = payload.tail();
        let tail = [tail.strip_suffix(DOCUMENT_END).unwrap_or(tail), end].concat();
        Self { head: payload.head().to_vec(), page: page.filter(|page| !page.is_empty()), tail }
    }

    fn failed(error: &ApiError, end: &[u8]) -> Self {
        let payload = StatusPayload::error(error);
        let head = payload.head().strip_suffix(b"}").unwrap_or_default().to_vec();
        Self { head, page: None, tail: [br#","status":"#, end].concat() }
    }

    pub(crate) const fn pieces(self) -> Pieces {
        Pieces { answer: self, at: At::Head }
    }
}

/// Why a job that was there a moment ago has no answer.
fn missing(reader: &JobReader, record: &JobRecord, dialect: Dialect) -> Result<Failure, Failure> {
    let id = record.id;
    if reader.record(id)?.is_none() {
        return Ok(dialect.unknown_job(&id.to_string()).into());
    }
    tracing::error!(job = %id, "the result of a job that succeeded is missing");
    Ok(ApiError::new(job_runner::ErrorCode::JobQueryInternal, format!("the result of job {id} is missing")).into())
}

/// The pieces of an answer in order, of about a block each. Nothing is read before it is asked for.
pub(crate) struct Pieces {
    answer: Answer,
    at: At,
}

enum At {
    Head,
    Row(u64),
    End,
}

impl Iterator for Pieces {
    type Item = Result<Vec<u8>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.at {
            At::Head => {
                self.at = At::Row(0);
                Some(Ok(std::mem::take(&mut self.answer.head)))
            }
            At::Row(row) => {
                let mut chunk = Vec::new();
                let next = self.answer.page.as_ref().map_or(Ok(None), |page| page.next_chunk(row, &mut chunk));
                self.at = match next {
                    Ok(Some(next)) => At::Row(next),
                    Ok(None) | Err(_) => At::End,
                };
                Some(next.map(|next| match next {
                    Some(_) => chunk,
                    None => std::mem::take(&mut self.answer.tail),
                }))
            }
            At::End => None,
        }
    }
}
