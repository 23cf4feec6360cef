//! [`JobReader`]: status, pages and lists, straight from a store.

use std::{
    fmt,
    io::{self, Write},
    mem,
    sync::Arc,
    task::Poll,
};

use bytes::Bytes;
use job_core::{
    FailedAttempt, JobFilter, JobId, JobRecord, JobResult, JobState, Outcome, PageRequest, RowList,
    wire::{Dialect, StatusPayload},
};
use job_store::{BlockRows, Listed, Store, StoreError};

use crate::{
    job::error::EngineError,
    read::{
        page::Page,
        reads::Reads,
        unreadable::{self, Unreadable},
    },
};

/// Reads jobs of this process or another. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct JobReader {
    store: Arc<dyn Store>,
    reads: Option<Arc<Reads>>,
}

impl JobReader {
    /// A reader of `store`, which may be read-only.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, reads: None }
    }

    pub(crate) fn with_reads(store: Arc<dyn Store>, reads: Arc<Reads>) -> Self {
        Self { store, reads: Some(reads) }
    }

    /// One job; `None` if there is no such job. Cost: one point read.
    ///
    /// # Errors
    /// When the store fails.
    pub fn record(&self, id: JobId) -> Result<Option<JobRecord>, EngineError> {
        Ok(self.store.get(id)?)
    }

    /// The answer to a status query, in the API document's dialect. For an unknown job it is the document's error.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status(&self, id: JobId, page: PageRequest) -> Result<Status, EngineError> {
        self.status_in(Dialect::Document, id, page)
    }

    /// As [`status`](Self::status), in this dialect.
    ///
    /// # Errors
    /// When the store fails.
    pub fn status_in(&self, dialect: Dialect, id: JobId, page: PageRequest) -> Result<Status, EngineError> {
        let write = |record: &JobRecord, result: Option<&JobResult>| dialect.status(record, result, page);
        let status = self.answer(id, page, |record| dialect.shows_result(record), write)?;
        let unknown = || Status { payload: dialect.error(&dialect.unknown_job(&id.to_string())), page: None };
        Ok(status.unwrap_or_else(unknown))
    }

    /// The answer about a job, which `write` makes of the record, and of the result if `shows_result` says so. `None` if
    /// there is no such job. `write` gets no result of a job that has none.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::MemoryStore};
    /// use job_runner::wire::{Dialect, Form};
    /// # let engine = Engine::builder(Arc::new(MemoryStore::default()))
    /// #     .algorithm("answer", |ctx: &mut JobContext| Ok(ctx.set_output("answer", &42)?)).open()?;
    /// # let job = engine.submit(JobSpec::algorithm("answer").with_graph("movies"))?;
    /// # job.wait()?;
    /// let page = PageRequest::default();
    /// let answer = engine.reader().answer(job.id(), page, |_| true, |record, result| {
    ///     Dialect::Document.result(Form::Plain, record, result.unwrap(), page)
    /// })?;
    /// let mut out = Vec::new();
    /// answer.unwrap().write_to(&mut out)?;
    /// assert_eq!(out, br#"{"data":{"outputs":{"answer":42}}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the store fails.
    pub fn answer(
        &self,
        id: JobId,
        page: PageRequest,
        shows_result: impl FnOnce(&JobRecord) -> bool,
        write: impl FnOnce(&JobRecord, Option<&JobResult>) -> StatusPayload,
    ) -> Result<Option<Status>, EngineError> {
        let Some((record, result)) = self.job(id, shows_result)? else { return Ok(None) };
        let payload = write(&record, result.as_ref());
        // Also a result without rows is read.
        if result.is_some() {
            self.note(id);
        }
        let list = result.and_then(|result| result.list);
        let page = list
            .map(|list| Page::whole(Arc::clone(&self.store), id, list, page).in_form(payload.row_form().clone()));
        Ok(Some(Status { payload, page }))
    }

    /// A page of the rows of a complete job. It is empty for a job without a list, or for one that is not
    /// complete: [`JobHandle::page`](crate::JobHandle::page) has the rows of a running job.
    ///
    /// # Errors
    /// [`EngineError::UnknownJob`], or the store fails.
    pub fn page(&self, id: JobId, page: PageRequest) -> Result<Page, EngineError> {
        let (list, state) = self.list_of(id)?;
        let page = Page::whole(Arc::clone(&self.store), id, list, page);
        Ok(if state == JobState::Complete(Outcome::Succeeded) { page } else { page.into_partial() })
    }

    /// Every row of a complete job from row `first` on: as [`page`](Self::page), without a limit. Memory: one block.
    ///
    /// ```
    /// use std::{ops::ControlFlow, sync::Arc};
    /// use job_runner::{Engine, JobContext, JobSpec, StoreError, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .algorithm("count", |ctx: &mut JobContext| {
    ///         let mut rows = ctx.rows("numbers")?;
    ///         (0..250_000).try_for_each(|n| rows.push(&n))
    ///     })
    ///     .open()?;
    /// let job = engine.submit(JobSpec::algorithm("count").with_graph("g"))?;
    /// job.wait()?;
    /// let mut bytes = 0;
    /// engine.reader().rows(job.id(), 249_000)?.for_each(|row| {
    ///     bytes += row.len();
    ///     Ok::<_, StoreError>(ControlFlow::Continue(()))
    /// })?;
    /// assert_eq!(bytes, 6 * 1_000);
    /// # Ok::<(), job_runner::EngineError>(())
    /// ```
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub fn rows(&self, id: JobId, first: u64) -> Result<Page, EngineError> {
        let (list, state) = self.list_of(id)?;
        let rows = Page::rest(Arc::clone(&self.store), id, list, first);
        Ok(if state == JobState::Complete(Outcome::Succeeded) { rows } else { rows.into_partial() })
    }

    /// The named values of a complete job's result; `None` if it has none. Cost: one point read, of at most 1 MiB and the
    /// list of segments.
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

    /// The last attempts of a job that gave no result, at most [`FailedAttempt::KEPT`], the oldest first. They are kept
    /// beside the record, and this call reads them if there may be any. Cost: one point read.
    ///
    /// # Errors
    /// When the store fails.
    pub fn failed_attempts(&self, job: &JobRecord) -> Result<Vec<FailedAttempt>, EngineError> {
        // The first attempt of a job that runs or has succeeded is no failed one.
        let first_goes_well =
            matches!(job.state, JobState::Running { .. } | JobState::Complete(Outcome::Succeeded))
                && job.attempt == 1;
        if job.attempt == 0 || first_goes_well {
            return Ok(Vec::new());
        }
        let kept = self.store.failures(job.id)?;
        // The record has the failure of the last attempt of a job that failed.
        let ended = job.started_at.zip(job.finished_at).zip(job.failure.as_ref());
        let is_told = kept.last().is_some_and(|failed| failed.attempt >= job.attempt);
        Ok(match ended {
            Some(((started, ended), failure)) if job.state == JobState::Complete(Outcome::Failed) && !is_told => {
                FailedAttempt { attempt: job.attempt, started, ended, failure: failure.clone() }.after(kept)
            }
            _ => kept,
        })
    }

    /// A page of the jobs, the newest first. An unreadable job is an error in the list, with the reason. Cost: the
    /// records from the newest to the end of the page; those of the page are in memory at once. It reads no rows.
    ///
    /// # Errors
    /// When the store fails.
    pub fn entries(&self, page: PageRequest) -> Result<Vec<Result<JobRecord, Unreadable>>, EngineError> {
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        Ok(self.store.entries(None, page.offset(), limit)?.into_iter().map(entry).collect())
    }

    /// As [`entries`](Self::entries), for jobs older than `before`: pages of a list that grows meanwhile.
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

    /// Jobs that `filter` takes, the newest first, older than `before`. The id of the last one is the cursor of
    /// the next page. An unreadable job is an error in the list if the filter takes it, or if that is unknown.
    /// Cost: the page, and the unfinished jobs newer than its last one. See
    /// [`filtered_entries`](job_store::JobStore::filtered_entries) for filters with several fields.
    ///
    /// # Errors
    /// When the store fails.
    pub fn filtered(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Result<JobRecord, Unreadable>>, EngineError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.store.filtered_entries(filter, before, limit)?.into_iter().map(entry).collect())
    }

    /// The number of jobs that `filter` takes, for each state that it takes. All unfinished jobs are counted.
    /// Complete ones are counted up to [`StateCount::MOST`], and the count then says that there are more. Cost:
    /// the counted jobs.
    ///
    /// # Errors
    /// When the store fails.
    pub fn counts(&self, filter: &JobFilter) -> Result<Vec<StateCount>, EngineError> {
        let states = JobState::ALL.into_iter().filter(|state| filter.takes_state(*state));
        let count = |state: JobState| {
            let mut filter = filter.clone();
            filter.states = vec![state];
            let most = if state.is_complete() { StateCount::MOST + 1 } else { u64::MAX };
            Ok(StateCount::of(state, self.store.count(&filter, most)?))
        };
        states.map(count).collect()
    }

    /// A page of the readable jobs, the newest first. Unreadable ones count for `offset` and `limit`, and only
    /// [`entries`](Self::entries) shows them. It reads no rows.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list(&self, page: PageRequest) -> Result<Vec<JobRecord>, EngineError> {
        Ok(self.entries(page)?.into_iter().filter_map(Result::ok).collect())
    }

    /// Readable jobs older than `before`, the newest first: pages of a list that grows meanwhile.
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

    /// The list of a complete job, and its state.
    fn list_of(&self, id: JobId) -> Result<(RowList, JobState), EngineError> {
        let found = self.job(id, |record| record.state.is_complete())?;
        let (record, result) = found.ok_or(EngineError::UnknownJob(id))?;
        self.note(id);
        Ok((result.and_then(|result| result.list).unwrap_or_default(), record.state))
    }

    /// A job, with its result if the caller asks for the result and the job has one.
    fn job(
        &self,
        id: JobId,
        wants_result: impl FnOnce(&JobRecord) -> bool,
    ) -> Result<Option<(JobRecord, Option<JobResult>)>, StoreError> {
        let Some(record) = self.store.get(id)? else { return Ok(None) };
        let result = if wants_result(&record) { self.store.result(id)? } else { None };
        // A job cannot have succeeded without a result: it was removed between the two reads.
        let torn = result.is_none() && record.state == JobState::Complete(Outcome::Succeeded);
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

/// How many jobs are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCount {
    /// The state.
    pub state: JobState,
    /// The number of jobs; for a complete state at most [`MOST`](Self::MOST).
    pub jobs: u64,
    /// Whether there are more.
    pub is_capped: bool,
}

impl StateCount {
    /// The number up to which complete jobs of one state are counted.
    pub const MOST: u64 = 1_000;

    fn of(state: JobState, jobs: u64) -> Self {
        let is_capped = state.is_complete() && jobs > Self::MOST;
        Self { state, jobs: if is_capped { Self::MOST } else { jobs }, is_capped }
    }
}

/// Writes the number, and a plus after it if there are more jobs: `1000+`.
impl fmt::Display for StateCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.jobs, if self.is_capped { "+" } else { "" }))
    }
}

fn entry(listed: Listed) -> Result<JobRecord, Unreadable> {
    let Listed { id: job, record } = listed;
    record.map_err(|error| Unreadable { job, reason: unreadable::reason(&error) })
}

/// The answer to one status query, in one dialect. The rows stay in the store until the answer is written
/// ([`write_to`](Self::write_to)) or sent ([`pieces`](Self::pieces)).
#[derive(Debug, Clone)]
pub struct Status {
    payload: StatusPayload,
    page: Option<Page>,
}

impl Status {
    /// The answer with `page` as its rows.
    pub(crate) const fn with_rows(payload: StatusPayload, page: Page) -> Self {
        Self { payload, page: Some(page) }
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
    /// When the rows cannot be read (as an [`io::Error`] that holds the [`StoreError`]), or `out` fails. The
    /// output is then cut short, and no longer valid JSON.
    pub fn write_to<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        self.payload.write(out, |out, _| self.page.as_ref().map_or(Ok(()), |page| page.write_to(out)))
    }

    /// The same bytes in pieces of about a block each, for a body that is sent while it is read.
    #[must_use]
    pub fn pieces(self) -> Pieces {
        let (head, _, tail) = self.payload.into_parts();
        let [head, tail] = [head, tail].map(Bytes::from);
        Pieces { head, page: self.page.filter(|page| !page.is_empty()), tail, next: Next::Head }
    }
}

/// The pieces of an answer, in order. A piece is read when it is asked for, and no lock is held between two. Rows of a
/// block that the store has in memory are not copied: the piece [holds](job_store::ResultStore::held_rows) the block. After an
/// error there are none.
#[derive(Debug)]
pub struct Pieces {
    head: Bytes,
    page: Option<Page>,
    tail: Bytes,
    next: Next,
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Head,
    /// The rows from this one of the page on.
    Rows(u64),
    /// The comma between two blocks. The next begins with this row.
    Comma(u64),
    Tail,
    Nothing,
}

impl Pieces {
    /// The next piece, if it is in memory: the call waits for no disk and no network. `Pending` if it has to be
    /// read; [`next`](Iterator::next) does so. Nothing is ever woken.
    pub fn poll_held(&mut self) -> Poll<Option<Result<Bytes, StoreError>>> {
        let (piece, next) = match (self.next, &self.page) {
            (Next::Head, page) => {
                let next = if page.is_some() { Next::Rows(0) } else { Next::Tail };
                (Ok(mem::take(&mut self.head)), next)
            }
            (Next::Rows(row), Some(page)) => match page.held_rows(row).transpose() {
                Some(found) => after(page, row, found),
                None => return Poll::Pending,
            },
            (Next::Comma(row), _) => (Ok(Bytes::from_static(b",")), Next::Rows(row)),
            (Next::Tail, _) if !self.tail.is_empty() => (Ok(mem::take(&mut self.tail)), Next::Nothing),
            _ => return Poll::Ready(None),
        };
        self.next = next;
        Poll::Ready(Some(piece))
    }
}

impl Iterator for Pieces {
    type Item = Result<Bytes, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match (self.poll_held(), self.next, &self.page) {
            (Poll::Ready(piece), ..) => piece,
            (Poll::Pending, Next::Rows(row), Some(page)) => {
                let (piece, next) = after(page, row, page.copied_rows(row));
                self.next = next;
                Some(piece)
            }
            (Poll::Pending, ..) => None,
        }
    }
}

/// The piece with the rows from `row` on, and what follows it.
fn after(page: &Page, row: u64, found: Result<BlockRows, StoreError>) -> (Result<Bytes, StoreError>, Next) {
    match found {
        Ok(found) if row + found.rows < page.len() => (Ok(found.json), Next::Comma(row + found.rows)),
        Ok(found) => (Ok(found.json), Next::Tail),
        Err(error) => (Err(error), Next::Nothing),
    }
}
