//! [`Page`]: rows of one result, ready to be read in the form the caller wants.

use std::{
    fmt,
    io::{self, Write},
    ops::{ControlFlow, Range},
    str::FromStr,
    sync::Arc,
};

use job_core::{JobId, PageRequest, RowList, Segment, shown};
use job_store::{ErrorKind, Rows, SegmentKey, Store, StoreError};
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A window of the rows of one job. Nothing is read until one of its methods is called, and none of them holds
/// more than a block in memory.
///
/// ```
/// # use std::sync::Arc;
/// # use job_runner::{Engine, JobContext, JobSpec, PageRequest, store::MemoryStore};
/// # let engine = Engine::builder(Arc::new(MemoryStore::default()))
/// #     .vertex_filter(|ctx: &mut JobContext| {
/// #         let mut rows = ctx.rows("vertices")?;
/// #         (0..1_000).try_for_each(|n| rows.push(&n))
/// #     })
/// #     .open()?;
/// # let handle = engine.submit(JobSpec::vertex_filter().graph("numbers"))?;
/// # handle.wait()?;
/// let page = handle.page(PageRequest::new(990, 100)?)?;
/// assert_eq!((page.offset(), page.len(), page.total()), (990, 10, 1_000));
/// let numbers: Vec<u32> = page.rows()?;
/// assert_eq!(numbers[9], 999);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Page {
    store: Arc<dyn Store>,
    job: JobId,
    list: RowList,
    request: PageRequest,
    window: Range<u64>,
    partial: bool,
    cut: bool,
}

impl Page {
    pub(crate) fn whole(store: Arc<dyn Store>, job: JobId, list: RowList, request: PageRequest) -> Self {
        let window = request.window(list.rows());
        Self { store, job, list, request, window, partial: false, cut: false }
    }

    pub(crate) fn partial(store: Arc<dyn Store>, job: JobId, list: RowList, request: PageRequest) -> Self {
        Self { partial: true, ..Self::whole(store, job, list, request) }
    }

    /// Shortens the page to as many whole rows as fit into `budget` bytes of JSON (commas counted), but at least
    /// one, so that whoever pages on never stands still.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn within(mut self, budget: u64) -> Result<Self, StoreError> {
        let (mut rows, mut bytes) = (0u64, 0u64);
        self.for_each(|json| {
            let more = bytes.saturating_add(json.len() as u64 + u64::from(rows > 0));
            if rows > 0 && more > budget {
                return Ok(ControlFlow::Break(()));
            }
            (rows, bytes) = (rows + 1, more);
            Ok(ControlFlow::Continue(()))
        })?;
        self.cut = self.window.start + rows < self.window.end;
        self.window.end = self.window.start + rows;
        Ok(self)
    }

    /// The row that was asked for first.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.request.offset()
    }

    /// Rows of this page.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.window.end - self.window.start
    }

    /// Whether it has no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the whole result; of a running job, those that can be read so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.list.rows()
    }

    /// The name of the list; empty if the job has none (yet).
    #[must_use]
    pub fn list(&self) -> &str {
        self.list.name()
    }

    /// Whether the job has not succeeded: it still runs, or its rows were kept when it was ended. More rows may
    /// follow or be missing.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.partial
    }

    /// Whether a byte budget ended the page before the rows asked for.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Where the next page of a walk begins; `None` at the end of the rows.
    #[must_use]
    pub fn next(&self) -> Option<Cursor> {
        let row = self.window.end;
        (row < self.total()).then_some(Cursor { job: self.job, row })
    }

    /// Reads the rows as a type of the caller's. Cost: parsing every row; for JSON that is passed on, the other
    /// methods are some twenty times faster.
    ///
    /// # Errors
    /// When the rows cannot be read, or one does not fit the type.
    pub fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        let mut number = self.window.start;
        self.for_each(|json| {
            let row = serde_json::from_slice(json).map_err(|error| {
                let detail = format!("row {number} does not fit the type asked for: {error}");
                StoreError::new(ErrorKind::Invalid, "read rows", detail).on(self.job)
            })?;
            rows.push(row);
            number += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    /// Hands each row to `each` as JSON, borrowed from the store's own memory.
    ///
    /// # Errors
    /// When the rows cannot be read, or the first error of `each`.
    pub fn for_each(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.for_each_run(&mut |run| {
            for row in run.iter() {
                if each(row)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Writes the rows as JSON with a comma between every two: what belongs between `[` and `]`.
    ///
    /// # Errors
    /// When the rows cannot be read (as an [`io::Error`] that holds the [`StoreError`]), or `out` fails.
    pub fn write_to<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        let mut first = true;
        let mut failed = None;
        let read = self.for_each_run(&mut |run| {
            let comma = if first { Ok(()) } else { out.write_all(b",") };
            first = false;
            Ok(match comma.and_then(|()| out.write_all(run.json())) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            })
        });
        match (failed, read) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(io::Error::other(error)),
            (None, Ok(())) => Ok(()),
        }
    }

    fn for_each_run(
        &self,
        each: &mut dyn FnMut(Rows<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        for (segment, rows) in self.list.parts(self.window.clone()) {
            let mut ended = false;
            self.store.read(self.key(segment), rows, &mut |run| {
                let flow = each(run)?;
                ended = flow.is_break();
                Ok(flow)
            })?;
            if ended {
                break;
            }
        }
        Ok(())
    }

    /// Appends to `chunk` the JSON of the rows from `row` of the page on, as far as one block goes, with a comma
    /// before it unless it is the first. Comes back with the row that is next; `None` at the end of the page.
    ///
    /// For callers that send a page as it is read: nothing is held between two calls. Cost: a seek and a block.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn next_chunk(&self, row: u64, chunk: &mut Vec<u8>) -> Result<Option<u64>, StoreError> {
        let start = self.window.start + row;
        let Some((segment, rows)) = self.list.parts(start..self.window.end).next() else { return Ok(None) };
        let mut taken = 0;
        self.store.read(self.key(segment), rows, &mut |run| {
            if row > 0 {
                chunk.push(b',');
            }
            chunk.extend_from_slice(run.json());
            taken = run.len() as u64;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(Some(row + taken))
    }

    const fn key(&self, segment: Segment) -> SegmentKey {
        SegmentKey { job: self.job, attempt: segment.attempt, number: segment.number }
    }
}

/// Where a walk over all rows of a job goes on. As text it can be handed to a client.
///
/// ```
/// use job_runner::Cursor;
///
/// let text = "018bcfe5-6800-7000-8000-000000000000.250";
/// let cursor: Cursor = text.parse()?;
/// assert_eq!((cursor.row, cursor.to_string().as_str()), (250, text));
/// assert!("250".parse::<Cursor>().is_err());
/// # Ok::<(), job_runner::InvalidCursor>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The job.
    pub job: JobId,
    /// The next row.
    pub row: u64,
}

impl Cursor {
    /// The start of a walk.
    #[must_use]
    pub const fn start(job: JobId) -> Self {
        Self { job, row: 0 }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.job, self.row)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let parsed = text.split_once('.').and_then(|(job, row)| {
            let digits = row.bytes().all(|byte| byte.is_ascii_digit());
            Some(Self { job: job.parse().ok()?, row: row.parse().ok().filter(|_| digits)? })
        });
        parsed.ok_or_else(|| InvalidCursor { text: shown(text).to_owned() })
    }
}

/// A text that is no cursor; holds at most its first 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a cursor: pass on the one that came with the page before")]
pub struct InvalidCursor {
    /// What was given.
    pub text: String,
}
