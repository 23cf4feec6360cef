//! [`JobReader`]: status, pages and lists, straight from a store.

use std::{
    io::{self, Write},
    sync::Arc,
};

use job_core::{ApiError, Ending, JobId, JobRecord, JobResult, JobState, PageRequest, StatusPayload};
use job_store::{Listed, Store, StoreError};

use crate::{
    job::error::EngineError,
    read::{
        page::{Cursor, Page},
        reads::Reads,
        unreadable::{self, Unreadable},
    },
};

/// Answers about jobs, of this process or another. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JobReader {
    store: Arc<dyn Store>,
    reads: Option<Arc<Reads>>,
}

impl JobReader {
    /// Reads `store`, which may be opened for reading only.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, reads: None }
    }

    pub(crate) fn with_reads(store: Arc<dyn Store>, reads: Arc<Reads>) -> Self {
        Self { store, reads: Some(reads) }
    }

    /// One job; `None` if there is no such job. Never touches rows.
    ///
    /// # Errors
    /// When the store fails.
    pub fn record(&self, id: JobId) -> Result<Option<JobRecord>, EngineError> {
        Ok(self.store.get(id)?)
    }

    /// The answer to a status query, as the API document has it. Of an unknown job it is the document's error.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status(&self, id: JobId, page: PageRequest) -> Result<Status, EngineError> {
        let Some((record, result)) = self.job(id)? else {
            let payload = StatusPayload::error(&ApiError::unknown_job(&id.to_string()));
            return Ok(Status { payload, page: None });
        };
        let result = result.filter(|_| record.state == JobState::Complete(Ending::Succeeded));
        let payload = StatusPayload::of(&record, result.as_ref(), page);
        // Also one without rows.
        if result.is_some() {
            self.note(id);
        }
        let list = result.and_then(|result| result.list);
        let page = list.map(|list| Page::whole(Arc::clone(&self.store), id, list, page));
        Ok(Status { payload, page })
    }

    /// A page of the rows of a complete job. Empty for a job without a list, or one that is not complete (ask
    /// its [`JobHandle`](crate::JobHandle::page) for the rows of a running job).
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], or the store fails.
    pub fn page(&self, id: JobId, page: PageRequest) -> Result<Page, EngineError> {
        let (record, result) = self.job(id)?.ok_or(EngineError::UnknownJob(id))?;
        let list = result.and_then(|result| result.list).unwrap_or_default();
        self.note(id);
        let store = Arc::clone(&self.store);
        Ok(if record.state == JobState::Complete(Ending::Succeeded) {
            Page::whole(store, id, list, page)
        } else {
            Page::partial(store, id, list, page)
        })
    }

    /// The page at `cursor`, of at most `limit` rows; [`Page::next`] has the cursor of the one after it.
    ///
    /// # Errors
    /// As [`page`](Self::page); [`EngineError::InvalidPage`] for a limit out of range.
    pub fn page_at(&self, cursor: Cursor, limit: u32) -> Result<Page, EngineError> {
        self.page(cursor.job, PageRequest::new(cursor.row, limit)?)
    }

    /// The named values of a complete job's result; `None` if it has none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn result(&self, id: JobId) -> Result<Option<JobResult>, EngineError> {
        let result = self.store.result(id)?;
        if result.is_some() {
            self.note(id);
        }
        Ok(result)
    }

    /// Jobs, the newest first, those that cannot be read among them with the reason. Never touches rows.
    ///
    /// # Errors
    /// When the store fails.
    pub fn entries(&self, page: PageRequest) -> Result<Vec<Result<JobRecord, Unreadable>>, EngineError> {
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        Ok(self.store.entries(None, page.offset(), limit)?.into_iter().map(entry).collect())
    }

    /// As [`entries`](Self::entries), those older than `before`: pages of a list that grows meanwhile.
    ///
    /// # Errors
    /// When the store fails.
    pub fn entries_before(
        &self,
        before: JobId,
        limit: u32,
    ) -> Result<Vec<Result<JobRecord, Unreadable>>, EngineError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.store.entries(Some(before), 0, limit)?.into_iter().map(entry).collect())
    }

    /// Jobs, the newest first. Those that cannot be read count for the page and are not shown:
    /// [`entries`](Self::entries) tells of them. Never touches rows.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list(&self, page: PageRequest) -> Result<Vec<JobRecord>, EngineError> {
        Ok(self.entries(page)?.into_iter().filter_map(Result::ok).collect())
    }

    /// Jobs older than `before`, the newest first: pages of a list that grows meanwhile. Those that cannot be read are
    /// passed over.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list_before(&self, mut before: JobId, limit: u32) -> Result<Vec<JobRecord>, EngineError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut records = Vec::new();
        while records.len() < limit {
            let wanted = limit - records.len();
            let entries = self.store.entries(Some(before), 0, wanted)?;
            let Some(last) = entries.last().map(|last| last.id) else { break };
            let is_end = entries.len() < wanted;
            records.extend(entries.into_iter().filter_map(|listed| listed.record.ok()));
            if is_end {
                break;
            }
            before = last;
        }
        Ok(records)
    }

    /// A job with its result, if it is complete and has one.
    fn job(&self, id: JobId) -> Result<Option<(JobRecord, Option<JobResult>)>, StoreError> {
        let Some(record) = self.store.get(id)? else { return Ok(None) };
        let result = if record.state.is_complete() { self.store.result(id)? } else { None };
        // A job cannot have succeeded without a result: it was removed between the two reads.
        let torn = result.is_none() && record.state == JobState::Complete(Ending::Succeeded);
        if torn && self.store.get(id)?.is_none() {
            return Ok(None);
        }
        Ok(Some((record, result)))
    }

    fn note(&self, id: JobId) {
        if let Some(reads) = &self.reads {
            reads.note(id);
        }
    }
}

fn entry(listed: Listed) -> Result<JobRecord, Unreadable> {
    let Listed { id: job, record } = listed;
    record.map_err(|error| Unreadable { job, reason: unreadable::reason(&error) })
}

/// The answer to one status query. The rows stay in the store until it is written.
#[derive(Debug, Clone)]
pub struct Status {
    payload: StatusPayload,
    page: Option<Page>,
}

impl Status {
    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        self.payload.http_status()
    }

    /// The payload without its rows.
    #[must_use]
    pub const fn payload(&self) -> &StatusPayload {
        &self.payload
    }

    /// The rows of the answer; `None` if it has none to show.
    #[must_use]
    pub const fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// Writes the payload, block by block.
    ///
    /// # Errors
    /// When the rows cannot be read (as an [`io::Error`] that holds the [`StoreError`]), or `out` fails. What was
    /// written is then cut short, which no JSON reader takes for whole.
    pub fn write_to<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        self.payload.write(out, |out, _| self.page.as_ref().map_or(Ok(()), |page| page.write_to(out)))
    }

    /// The payload in pieces of about a block each, for a body that is sent as it is read.
    #[must_use]
    pub fn chunks(self) -> Chunks {
        Chunks { status: self, at: At::Head }
    }
}

/// The pieces of a payload, in order. After an error there are none.
#[derive(Debug)]
pub struct Chunks {
    status: Status,
    at: At,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Head,
    Row(u64),
    End,
}

impl Iterator for Chunks {
    type Item = Result<Vec<u8>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let payload = &self.status.payload;
        match self.at {
            At::Head => {
                self.at = At::Row(0);
                Some(Ok(payload.head().to_vec()))
            }
            At::Row(row) => {
                let mut chunk = Vec::new();
                let rows = self.status.page.as_ref().filter(|_| !payload.rows().is_empty());
                match rows.map_or(Ok(None), |page| page.next_chunk(row, &mut chunk)) {
                    Ok(Some(next)) => {
                        self.at = At::Row(next);
                        Some(Ok(chunk))
                    }
                    Ok(None) => {
                        self.at = At::End;
                        Some(payload.tail().to_vec()).filter(|tail| !tail.is_empty()).map(Ok)
                    }
                    Err(error) => {
                        self.at = At::End;
                        Some(Err(error))
                    }
                }
            }
            At::End => None,
        }
    }
}
