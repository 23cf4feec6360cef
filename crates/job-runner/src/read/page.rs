//! [`Page`]: a range of the rows of one result, which is read when it is used.

use std::{
    io::{self, Write},
    ops::{ControlFlow, Range},
    sync::Arc,
};

use job_core::{JobId, PageRequest, RowList, Segment, wire::RowForm};
use job_store::{BlockRows, ErrorKind, InvalidBlock, Rows, SegmentKey, Store, StoreError};

/// A range of the rows of one job. Rows are read by [`for_each`](Self::for_each), one by one, or by
/// [`write_to`](Self::write_to), as JSON. Neither holds more than a block in memory.
///
/// ```
/// use std::{error::Error, ops::ControlFlow};
/// # use std::sync::Arc;
/// # use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::MemoryStore};
/// # let engine = Engine::builder(Arc::new(MemoryStore::default()))
/// #     .vertex_filter(|ctx: &mut JobContext| {
/// #         let mut rows = ctx.rows("vertices")?;
/// #         (0..1_000).try_for_each(|n| rows.push(&n))
/// #     })
/// #     .open()?;
/// # let handle = engine.submit(JobSpec::vertex_filter().with_graph("numbers"))?;
/// # handle.wait()?;
/// let page = handle.page(PageRequest::new(990, 100)?)?;
/// assert_eq!((page.offset(), page.len(), page.total()), (990, 10, 1_000));
/// let mut numbers: Vec<u32> = Vec::new();
/// page.for_each(|row| -> Result<_, Box<dyn Error>> {
///     numbers.push(serde_json::from_slice(row)?);
///     Ok(ControlFlow::Continue(()))
/// })?;
/// assert_eq!(numbers[9], 999);
/// # Ok::<(), Box<dyn Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Page {
    store: Arc<dyn Store>,
    job: JobId,
    list: RowList,
    /// The first row of the request; it may be after the last row of the result.
    offset: u64,
    window: Range<u64>,
    partial: bool,
    form: RowForm,
}

impl Page {
    /// A page of a whole result.
    pub(crate) fn whole(store: Arc<dyn Store>, job: JobId, list: RowList, request: PageRequest) -> Self {
        let window = request.window(list.rows());
        Self { store, job, list, offset: request.offset(), window, partial: false, form: RowForm::Stored }
    }

    /// The page, marked as that of a job that has not succeeded.
    pub(crate) fn into_partial(self) -> Self {
        Self { partial: true, ..self }
    }

    /// The page, with its rows written in this form. [`for_each`](Self::for_each) passes them as they are stored.
    pub(crate) fn in_form(self, form: RowForm) -> Self {
        Self { form, ..self }
    }

    /// Every row from `first` on.
    pub(crate) fn rest(store: Arc<dyn Store>, job: JobId, list: RowList, first: u64) -> Self {
        let all = list.rows();
        Self {
            store,
            job,
            list,
            offset: first,
            window: first.min(all)..all,
            partial: false,
            form: RowForm::Stored,
        }
    }

    /// The first row of the request.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Rows of this page.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.window.end - self.window.start
    }

    /// Whether the page has no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the first `rows` rows off the page.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::MemoryStore};
    /// # let engine = Engine::builder(Arc::new(MemoryStore::default()))
    /// #     .vertex_filter(|ctx: &mut JobContext| (0..10).try_for_each(|n| ctx.rows("vertices")?.push(&n)))
    /// #     .open()?;
    /// # let handle = engine.submit(JobSpec::vertex_filter().with_graph("numbers"))?;
    /// # handle.wait()?;
    /// let mut page = handle.page(PageRequest::new(2, 5)?)?;
    /// page.skip_rows(3);
    /// assert_eq!((page.offset(), page.len()), (5, 2));
    /// page.skip_rows(9);
    /// assert!(page.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn skip_rows(&mut self, rows: u64) {
        let rows = rows.min(self.len());
        self.offset += rows;
        self.window.start += rows;
    }

    /// Rows of the whole result; of a running job, the number that can be read so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.list.rows()
    }

    /// The name of the list; empty if the job has none (yet).
    #[must_use]
    pub fn list(&self) -> &str {
        self.list.name()
    }

    /// Whether the job has not succeeded: it still runs, or its rows were kept when it ended. More rows may follow
    /// or be missing.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.partial
    }

    /// Passes each row to `each` as JSON, borrowed from the store's own memory, until it breaks. Cost: one seek,
    /// and the blocks of the page.
    ///
    /// # Errors
    /// When the rows cannot be read, or the first error of `each`.
    pub fn for_each<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut failed = None;
        self.for_each_run(&mut |run| {
            for row in run.unpack()?.iter() {
                match each(row) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
                    Err(error) => {
                        failed = Some(error);
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Writes the rows as JSON with a comma between every two, without `[` and `]`. Cost: one seek, and a copy of
    /// the page's bytes, block by block. No row is parsed.
    ///
    /// # Errors
    /// When the rows cannot be read (as an [`io::Error`] that holds the [`StoreError`]), or `out` fails.
    pub fn write_to<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        let mut first = true;
        let mut room = Vec::new();
        let mut written = Ok(());
        let read = self.for_each_run(&mut |run| {
            let comma = if first { Ok(()) } else { out.write_all(b",") };
            first = false;
            let json = self.json(&run, &mut room)?;
            written = comma.and_then(|()| out.write_all(json));
            Ok(if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        written?;
        read.map_err(io::Error::other)
    }

    /// Passes the rows to `each` in runs, as they lie in blocks.
    fn for_each_run(
        &self,
        each: &mut dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, InvalidBlock>,
    ) -> Result<(), StoreError> {
        let mut next = self.window.start;
        while next < self.window.end {
            // A call to the store covers at most the longest page, since it may hold files and memory until its
            // end.
            let step = next..self.window.end.min(next.saturating_add(PageRequest::MAX_LIMIT.into()));
            next = step.end;
            for (segment, rows) in self.list.parts(step) {
                let mut flow = ControlFlow::Continue(());
                self.store.read(self.key(segment), rows, &mut |run| {
                    flow = each(run).map_err(|error| self.damaged(error))?;
                    Ok(flow)
                })?;
                if flow.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The rows from `row` of the page on, to the end of one block, if the store has it in memory.
    pub(super) fn held_rows(&self, row: u64) -> Result<Option<BlockRows>, StoreError> {
        match self.first_part(row).filter(|_| self.form == RowForm::Stored) {
            Some((key, rows)) => self.store.held_rows(key, rows),
            None => Ok(None),
        }
    }

    /// A copy of the rows from `row` of the page on, to the end of one block. There is at least one. Cost: a seek and a
    /// block.
    pub(super) fn copied_rows(&self, row: u64) -> Result<BlockRows, StoreError> {
        let mut found = BlockRows::default();
        if let Some((key, rows)) = self.first_part(row) {
            self.store.read(key, rows, &mut |run| {
                let mut json = Vec::new();
                let written = match self.form {
                    RowForm::Stored => run.append_to(&mut json),
                    RowForm::Named(_) => self.json(&run, &mut json).map(drop),
                };
                written.map_err(|error| self.damaged(error))?;
                found = BlockRows { rows: run.len() as u64, json: json.into() };
                Ok(ControlFlow::Break(()))
            })?;
        }
        if found.rows == 0 {
            // A store that breaks its contract must not make a page without an end.
            return Err(StoreError::new(ErrorKind::Corrupt, "read rows", "the store gave none").on(self.job));
        }
        Ok(found)
    }

    /// The rows from `row` of the page on that are in one segment.
    fn first_part(&self, row: u64) -> Option<(SegmentKey, Range<u64>)> {
        let (segment, rows) = self.list.parts(self.window.start + row..self.window.end).next()?;
        Some((self.key(segment), rows))
    }

    /// The rows of a run, with a comma between every two. Rows that are neither packed nor shown in another form are not
    /// copied; others are written in `room`.
    fn json<'r>(&self, run: &Rows<'r>, room: &'r mut Vec<u8>) -> Result<&'r [u8], InvalidBlock> {
        if self.form == RowForm::Stored {
            return run.json_in(room);
        }
        room.clear();
        for row in run.unpack()?.iter() {
            if !room.is_empty() {
                room.push(b',');
            }
            self.form.write(row, room);
        }
        Ok(room)
    }

    fn damaged(&self, error: InvalidBlock) -> StoreError {
        StoreError::from(error).on(self.job)
    }

    const fn key(&self, segment: Segment) -> SegmentKey {
        SegmentKey { job: self.job, attempt: segment.attempt, number: segment.number }
    }
}
