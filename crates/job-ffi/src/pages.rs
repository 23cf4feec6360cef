//! Pages of rows, and answers to status queries. They are copied into a buffer, or passed piece by piece without a
//! copy.

use std::{
    ffi::{c_char, c_void},
    io::{self, Write},
};

use job_runner::{JobId as Id, Page, PageRequest, Status, StoreError, wire::Dialect};

use crate::{
    engine::{JobEngine, engine},
    error::{Failure, Outcome, call},
    jobs::{JobId, job},
    memory::{Buffer, Out, text, value},
    status::{JOB_ERROR_CALLBACK, JobStatus},
};

/// The function that gets the bytes of a result piece by piece. The bytes are valid until it returns. It returns 0
/// to get the next piece, and any other number to end the call.
pub type JobPiece =
    Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, bytes: *const c_char, length: usize) -> i32>;

/// The size of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct JobPage {
    /// Rows of the page.
    pub rows: u64,
    /// Rows of the whole result; for a running job, the rows that can be read so far.
    pub total: u64,
    /// 1 if the job has not succeeded, so that rows may follow or be missing; else 0.
    pub partial: u64,
}

impl JobPage {
    fn of(page: &Page) -> Self {
        Self { rows: page.len(), total: page.total(), partial: page.is_partial().into() }
    }
}

/// Rows of a job as a JSON array: at most `limit` rows from row `offset` on; the first row is 0. The limit is from
/// 1 to 100,000. For a running job, the rows that can be read so far. `page` may be NULL.
///
/// # Safety
/// `job` has an id. `buffer` has `capacity` bytes that may be written; `length` may be written, `page` is NULL or may be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_page(
    engine: JobEngine,
    job: *const JobId,
    offset: u64,
    limit: u32,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    page: *mut JobPage,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let mut buffer = unsafe { Buffer::new(buffer, capacity, length) }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let size = unsafe { Out::optional(page, "page") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        let page = read(engine, id.into(), offset, limit, size)?;
        // A buffer accepts any number of bytes.
        let _ = buffer.write_all(b"[");
        told(page.write_to(&mut buffer))?;
        let _ = buffer.write_all(b"]");
        buffer.finish()
    })
}

/// As [`job_page`], without a copy. `piece` gets the rows with a comma between every two, without brackets, in
/// pieces of any length. `page` is set before the first piece.
///
/// # Safety
/// `job` has an id, and `page` is NULL or may be written. `piece` may be called with `user_data` on this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_page_pieces(
    engine: JobEngine,
    job: *const JobId,
    offset: u64,
    limit: u32,
    piece: JobPiece,
    user_data: *mut c_void,
    page: *mut JobPage,
) -> JobStatus {
    call(|| {
        let mut pieces = Pieces::new(piece, user_data)?;
        // SAFETY: the caller promises this, see `# Safety`.
        let size = unsafe { Out::optional(page, "page") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        let page = read(engine, id.into(), offset, limit, size)?;
        let written = page.write_to(&mut pieces);
        pieces.finish(written)
    })
}

/// Reads a page, and tells its size.
fn read(engine: JobEngine, id: Id, offset: u64, limit: u32, size: Option<Out<JobPage>>) -> Outcome<Page> {
    let page = job(engine, id)?.page(request(offset, limit)?)?;
    if let Some(size) = size {
        size.set(JobPage::of(&page));
    }
    Ok(page)
}

fn request(offset: u64, limit: u32) -> Outcome<PageRequest> {
    PageRequest::new(offset, limit).map_err(|error| Failure::argument(error.to_string()))
}

/// The answer to a status query, byte for byte as in the REST interface, also for an unknown job. `dialect` is
/// `document`, `memory-2025`, `memory-2025-rows` or `database`; an empty text stands for `document`. `http_status` may
/// be NULL.
///
/// # Safety
/// `job` has an id, and `dialect` `dialect_length` bytes. `buffer` has `capacity` bytes that may be written; `length` may
/// be written, `http_status` is NULL or may be.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_status_payload(
    engine: JobEngine,
    job: *const JobId,
    dialect: *const c_char,
    dialect_length: usize,
    offset: u64,
    limit: u32,
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
    http_status: *mut u32,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let mut buffer = unsafe { Buffer::new(buffer, capacity, length) }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let http_status = unsafe { Out::optional(http_status, "http_status") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let dialect = self::dialect(unsafe { text(dialect, dialect_length, "dialect") }?)?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        let status = status(engine, id.into(), dialect, request(offset, limit)?, http_status)?;
        told(status.write_to(&mut buffer))?;
        buffer.finish()
    })
}

/// As [`job_status_payload`], without a copy of the rows: `piece` gets the answer piece by piece. `http_status` is
/// set before the first piece.
///
/// # Safety
/// `job` has an id, and `dialect` `dialect_length` bytes. `http_status` is NULL or may be written. `piece` may be called
/// with `user_data` on this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_status_pieces(
    engine: JobEngine,
    job: *const JobId,
    dialect: *const c_char,
    dialect_length: usize,
    offset: u64,
    limit: u32,
    piece: JobPiece,
    user_data: *mut c_void,
    http_status: *mut u32,
) -> JobStatus {
    call(|| {
        let mut pieces = Pieces::new(piece, user_data)?;
        // SAFETY: the caller promises this, see `# Safety`.
        let http_status = unsafe { Out::optional(http_status, "http_status") }?;
        // SAFETY: the caller promises this, see `# Safety`.
        let dialect = self::dialect(unsafe { text(dialect, dialect_length, "dialect") }?)?;
        // SAFETY: the caller promises this, see `# Safety`.
        let id = unsafe { value(job, "job") }?;
        let status = status(engine, id.into(), dialect, request(offset, limit)?, http_status)?;
        let written = status.write_to(&mut pieces);
        pieces.finish(written)
    })
}

/// Answers a status query, and tells its HTTP status.
fn status(
    engine: JobEngine,
    id: Id,
    dialect: Dialect,
    page: PageRequest,
    http_status: Option<Out<u32>>,
) -> Outcome<Status> {
    let open = self::engine(engine)?;
    let status = match open.engine.job(id)? {
        Some(job) => job.status_so_far(dialect, page)?,
        None => open.engine.reader().status_in(dialect, id, page)?,
    };
    if let Some(http_status) = http_status {
        http_status.set(status.payload().http_status().into());
    }
    Ok(status)
}

fn dialect(name: &str) -> Outcome<Dialect> {
    let known = Dialect::ALL.into_iter().find(|dialect| dialect.name() == name || name.is_empty());
    known.ok_or_else(|| {
        let names = Dialect::ALL.map(Dialect::name).join(", ");
        Failure::argument(format!("dialect is {name:?}: it must be one of {names}"))
    })
}

/// An output that passes its bytes to a callback of the host.
struct Pieces {
    piece: unsafe extern "C-unwind" fn(*mut c_void, *const c_char, usize) -> i32,
    user_data: *mut c_void,
    /// Whether the callback has ended the call.
    ended: bool,
}

impl Pieces {
    fn new(piece: JobPiece, user_data: *mut c_void) -> Outcome<Self> {
        let piece = piece.ok_or_else(|| Failure::argument("piece is NULL: give a function"))?;
        Ok(Self { piece, user_data, ended: false })
    }

    fn finish(self, written: io::Result<()>) -> Outcome {
        if self.ended {
            return Err(Failure::new(JOB_ERROR_CALLBACK, "the callback ended the answer: it did not return 0"));
        }
        told(written)
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the host gave the function for this data, and gets bytes that live as long as the call.
        let answer = unsafe { (self.piece)(self.user_data, bytes.as_ptr().cast(), bytes.len()) };
        self.ended = answer != 0;
        if self.ended { Err(io::Error::other("the callback ended the answer")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The failure of the store while an answer was written.
fn told(written: io::Result<()>) -> Outcome {
    written.map_err(|error| match error.get_ref().and_then(|inner| inner.downcast_ref::<StoreError>()) {
        Some(error) => error.clone().into(),
        None => Failure::argument(error.to_string()),
    })
}
