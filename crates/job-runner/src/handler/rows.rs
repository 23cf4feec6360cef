//! [`RowWriter`]: packs the rows of a running job into blocks, and stores each full block.

use std::fmt;

use job_core::Segment;
use job_store::{BlockBuilder, InvalidRow, SegmentKey, SegmentWriter, StoreError};
use serde::Serialize;

use crate::{
    handler::{context::Core, showing::Showing},
    job::error::JobError,
    seam::shield,
};

/// An open segment. It holds at most one block in memory.
pub(crate) struct SegmentBuffer {
    number: u32,
    builder: BlockBuilder,
    /// Opened with the first block, so an empty segment costs nothing.
    writer: Option<Box<dyn SegmentWriter>>,
    /// Bytes that were passed to the store.
    stored_bytes: u64,
    /// The bytes of their blocks, as the store has them.
    packed_bytes: u64,
    /// Whether the store has taken every block. `false` during a call to it, so that a panic there is noticed.
    is_whole: bool,
    /// Why the store refused a block. Its rows are missing, even if the body ignores the error.
    failure: Option<StoreError>,
    /// Bytes of rows in a full block.
    block_bytes: usize,
    showing: Showing,
    /// Rows that readers can see.
    readable: u64,
}

impl SegmentBuffer {
    pub(crate) fn new(core: &Core, number: u32) -> Self {
        let key = SegmentKey { job: core.entry.id, attempt: core.attempt.number, number };
        Self {
            number,
            builder: BlockBuilder::new(key),
            writer: None,
            stored_bytes: 0,
            packed_bytes: 0,
            is_whole: true,
            failure: None,
            block_bytes: core.services().store().block_bytes(),
            showing: Showing::new(core.services().clock().now()),
            readable: 0,
        }
    }

    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.builder.next_row()
    }

    /// The bytes of these rows.
    pub(crate) fn bytes(&self) -> u64 {
        self.stored_bytes + self.builder.bytes() as u64
    }

    /// Adds a row by `add`.
    fn push(
        &mut self,
        core: &Core,
        add: impl FnOnce(&mut BlockBuilder) -> Result<(), InvalidRow>,
    ) -> Result<(), JobError> {
        let before = self.builder.bytes();
        add(&mut self.builder)?;
        let length = self.builder.bytes().saturating_sub(before);
        if let Err(over) = core.attempt.charge_row(length as u64) {
            self.builder.pop();
            return Err(over);
        }
        if self.builder.bytes() >= self.block_bytes {
            self.flush(core)?;
        }
        if self.showing.count_row() { self.look(core) } else { Ok(()) }
    }

    /// Looks at the clock, and shows rows that wait for too long.
    fn look(&mut self, core: &Core) -> Result<(), JobError> {
        if !self.showing.look(core.services().clock().now()) || self.readable == self.rows() {
            return Ok(());
        }
        self.flush(core)?;
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let shown = shield::stored("show rows", || writer.show_rows().map(|()| writer.visible_rows()));
        let readable = shown.map_err(|error| JobError::from(self.failure.insert(error).clone()))?;
        self.publish(core, readable);
        self.showing.show();
        Ok(())
    }

    /// Tells readers how far they can see.
    fn publish(&mut self, core: &Core, readable: u64) {
        if readable > self.readable {
            self.readable = readable;
            self.showing.show();
        }
        core.attempt.publish(self.number, readable, self.stored_bytes, false);
    }

    fn flush(&mut self, core: &Core) -> Result<(), JobError> {
        core.attempt.check()?;
        let sealed = self.builder.seal();
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        if !self.is_whole {
            return Err(JobError::failed("rows are missing: the store panicked when it was to take them"));
        }
        if sealed.rows == 0 {
            return Ok(());
        }
        self.is_whole = false;
        let writer = match &mut self.writer {
            Some(writer) => Ok(writer),
            none => {
                core.attempt.mark_used(self.number);
                shield::stored("open a segment", || core.services().store().segment(sealed.key))
                    .map(|writer| none.insert(writer))
            }
        };
        let (rows, json_bytes) = (sealed.rows, sealed.json_bytes);
        let append = |writer: &mut Box<dyn SegmentWriter>| {
            shield::stored("append rows", || {
                writer.append(sealed).map(|()| (writer.visible_rows(), writer.stored_bytes()))
            })
        };
        match writer.and_then(append) {
            Ok((readable, packed_bytes)) => {
                self.is_whole = true;
                self.stored_bytes += json_bytes;
                let packed = packed_bytes.saturating_sub(self.packed_bytes);
                self.packed_bytes = packed_bytes;
                core.services().rows_written(rows, json_bytes, packed);
                self.publish(core, readable);
                Ok(())
            }
            Err(error) => Err(self.failure.insert(error).clone().into()),
        }
    }

    /// Lets the store begin to write the remaining rows. Returns whether the store writes them in the background.
    pub(crate) fn settle(&mut self, core: &Core) -> Result<bool, JobError> {
        self.flush(core)?;
        let settled = self
            .writer
            .as_mut()
            .map_or(Ok(false), |writer| shield::stored("append rows", || writer.start_flush()));
        settled.map_err(|error| self.failure.insert(error).clone().into())
    }

    /// Stores the remaining rows and closes the segment. `None` if the segment has no row.
    pub(crate) fn close(mut self, core: &Core) -> Result<Option<Segment>, JobError> {
        self.flush(core)?;
        let finish = |writer: Box<dyn SegmentWriter>| shield::stored("append rows", || writer.finish());
        let segment = self.writer.map(finish).transpose()?;
        let (rows, bytes) = segment.map_or((0, 0), |segment| (segment.rows, segment.bytes));
        core.attempt.publish(self.number, rows, bytes, true);
        Ok(segment)
    }
}

impl fmt::Debug for SegmentBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentBuffer").field("number", &self.number).finish_non_exhaustive()
    }
}

/// Appends rows to the list of a running job. Rows become durable with the job's end. A full block goes to the store
/// at once, so that memory does not grow with the rows.
///
/// [`JobContext::rows`](crate::JobContext::rows) makes it. Drop it before the body returns: the engine then stores
/// the rest, and a failure of that fails the job. A writer that is never dropped (`mem::forget`) fails the job,
/// since its rows are lost.
#[derive(Debug)]
pub struct RowWriter<'c> {
    core: &'c Core,
    buffer: Option<SegmentBuffer>,
}

impl<'c> RowWriter<'c> {
    pub(crate) fn new(core: &'c Core, number: u32) -> Self {
        let buffer = Some(SegmentBuffer::new(core, number));
        core.writer_opened();
        Self { core, buffer }
    }

    /// Appends one row, and serializes it to JSON here, once. Cost: the serialization and, once per block, a
    /// write. A row with a `null` in it is walked a second time, because NaN and infinities are refused: JSON does
    /// not have them. [`OrNull`](job_core::OrNull) writes `null` for them. A `serde_json::Value` already has
    /// `null` in their place, and a `RawValue` is stored unchanged. Bytes that are JSON already go to
    /// [`push_json`](Self::push_json).
    ///
    /// # Errors
    /// When the row is not JSON or is longer than 16 MiB, or when a budget is used up. The list is then as before
    /// the call, also after a panic of the row. When the store fails, rows are missing, and the job cannot
    /// succeed. The body should return the error as it is (`?`).
    pub fn push<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), JobError> {
        self.add(|block| block.push(row))
    }

    /// Appends one row of bytes that are JSON already, without the white space around it. They are looked at once, to be
    /// exactly one JSON value, and copied.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::MemoryStore};
    ///
    /// let engine = Engine::builder(Arc::new(MemoryStore::default()))
    ///     .vertex_filter(|ctx: &mut JobContext| {
    ///         let mut rows = ctx.rows("vertices")?;
    ///         rows.push_json(br#"{"id": "Sarah"}"#)?;
    ///         assert!(rows.push_json(br#"{"id": "Sid"#).is_err(), "and the list is as before");
    ///         rows.push_json_unchecked(br#"{"id": "Aaron"}"#)
    ///     })
    ///     .open()?;
    /// let job = engine.submit(JobSpec::vertex_filter().with_graph("movies"))?;
    /// job.wait()?;
    /// let mut rows = Vec::new();
    /// job.page(PageRequest::default())?.write_to(&mut rows)?;
    /// assert_eq!(rows, br#"{"id": "Sarah"},{"id": "Aaron"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn push_json(&mut self, json: &[u8]) -> Result<(), JobError> {
        self.add(|block| block.push_json_bytes(json))
    }

    /// As [`push_json`](Self::push_json), but the bytes are not checked to be JSON: for a host that has written them
    /// itself. Each page that has a row which is none is no JSON either. Other rows, their number and the pages without
    /// it are as they were.
    ///
    /// # Errors
    /// When there are no bytes or too many, or as [`push`](Self::push).
    pub fn push_json_unchecked(&mut self, json: &[u8]) -> Result<(), JobError> {
        self.add(|block| block.push_json_unchecked(json))
    }

    fn add(&mut self, add: impl FnOnce(&mut BlockBuilder) -> Result<(), InvalidRow>) -> Result<(), JobError> {
        match &mut self.buffer {
            Some(buffer) => buffer.push(self.core, add),
            None => Err(JobError::failed("the writer is closed")),
        }
    }

    /// Asks whether to go on, as [`JobContext::check_stopped`](crate::JobContext::check_stopped), and shows the rows of the
    /// last second to readers of the running job. [`push`](Self::push) does the latter too: this is for a body that
    /// works for long without a row.
    ///
    /// # Errors
    /// [`JobError::Stopped`] when the body must stop now; or the store fails.
    pub fn check_stopped(&mut self) -> Result<(), JobError> {
        self.core.check_stopped()?;
        self.buffer.as_mut().map_or(Ok(()), |buffer| buffer.look(self.core))
    }

    /// Does what a drop does, and lets the store begin to write the remaining rows.
    pub(crate) fn settle(mut self) -> Result<(), JobError> {
        self.buffer.take().map_or(Ok(()), |buffer| self.core.settle(buffer))
    }
}

/// Only moves the rest. The engine stores it after the body has returned, where it can report an error.
impl Drop for RowWriter<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.core.park(buffer);
        }
        self.core.writer_dropped();
    }
}
