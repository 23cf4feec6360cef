//! Lists of rows that handlers write.

use std::{ffi::c_char, sync::Arc};

use job_runner::{Partition, RowWriter};

use crate::{
    error::{Failure, Outcome, call},
    handler::Failures,
    memory::bytes,
    status::JobStatus,
    table::{Kind, Table},
};

/// The handle of a list of rows that a handler writes. The list of [`job_context_rows`](crate::job_context_rows)
/// is valid until [`job_rows_close`] or the return of the handler. The list of a scan is valid until the callback
/// returns. Any thread may use a list; two calls at once wait for each other.
pub type JobRows = u64;

static LISTS: Table<List> = Table::new(Kind::Rows);

struct List {
    /// The writer that takes the rows. Its borrow is not `'static`: the value leaves its table before the borrow
    /// ends.
    sink: Sink,
    failures: Arc<Failures>,
}

// SAFETY: the table gives this value to one thread at a time: nothing here calls `read`, and no method takes `&self`.
unsafe impl Sync for List {}

#[expect(clippy::large_enum_variant, reason = "most lists have a writer")]
enum Sink {
    Writer(RowWriter<'static>),
    Partition(&'static mut Partition<'static>),
}

impl List {
    fn push_checked(&mut self, row: &[u8]) -> Outcome {
        let pushed = match &mut self.sink {
            Sink::Writer(writer) => writer.push_json(row),
            Sink::Partition(partition) => partition.push_json(row),
        };
        self.failures.of(pushed)
    }

    fn push_ready(&mut self, row: &[u8]) -> Outcome {
        let pushed = match &mut self.sink {
            Sink::Writer(writer) => writer.push_json_unchecked(row),
            Sink::Partition(partition) => partition.push_json_unchecked(row),
        };
        self.failures.of(pushed)
    }
}

/// The caller must take the list out with [`discard`] before the borrow of the writer ends.
pub(crate) fn insert_writer(writer: RowWriter<'static>, failures: &Arc<Failures>) -> Outcome<JobRows> {
    LISTS.insert(List { sink: Sink::Writer(writer), failures: Arc::clone(failures) })
}

/// As [`insert_writer`], for a partition of a scan.
pub(crate) fn insert_partition(
    partition: &'static mut Partition<'static>,
    failures: &Arc<Failures>,
) -> Outcome<JobRows> {
    LISTS.insert(List { sink: Sink::Partition(partition), failures: Arc::clone(failures) })
}

/// Waits for a thread that writes the list, and closes the list. The list may be closed already.
pub(crate) fn discard(list: JobRows) {
    drop(LISTS.take(list));
}

/// Appends one row, which is one JSON value in UTF-8. The row is checked, and stored unchanged. A cancel does not end
/// this call: see [`job_context_check_stopped`](crate::job_context_check_stopped).
///
/// # Safety
/// `row` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_rows_push(rows: JobRows, row: *const c_char, length: usize) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let row = unsafe { bytes(row, length, "row") }?;
        LISTS.write(rows)?.push_checked(row)
    })
}

/// As [`job_rows_push`], for a row that the host guarantees to be JSON in UTF-8. Nothing is checked. A row that is no
/// JSON value makes the pages that contain it invalid JSON. It damages no other row.
///
/// # Safety
/// `row` has `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_rows_push_unchecked(rows: JobRows, row: *const c_char, length: usize) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let row = unsafe { bytes(row, length, "row") }?;
        LISTS.write(rows)?.push_ready(row)
    })
}

/// Appends `count` rows in one call. `rows_bytes` has the rows one after the other, with nothing between them, and
/// `lengths` has the number of bytes of each. With `checked` 0, the host guarantees that the rows are JSON. If a
/// row fails, the rows before it stay.
///
/// # Safety
/// `lengths` has `count` numbers, and `rows_bytes` as many bytes as their sum.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_rows_push_many(
    rows: JobRows,
    rows_bytes: *const c_char,
    lengths: *const usize,
    count: usize,
    checked: i32,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let lengths = unsafe { numbers(lengths, count) }?;
        let total = lengths.iter().try_fold(0_usize, |sum, length| sum.checked_add(*length));
        let total = total.ok_or_else(|| Failure::argument("the lengths of the rows are more than memory has"))?;
        // SAFETY: the caller promises this, see `# Safety`.
        let mut rest = unsafe { bytes(rows_bytes, total, "rows_bytes") }?;
        let mut list = LISTS.write(rows)?;
        for length in lengths {
            let (row, behind) = rest.split_at_checked(*length).unwrap_or_default();
            rest = behind;
            if checked == 0 { list.push_ready(row) } else { list.push_checked(row) }?;
        }
        Ok(())
    })
}

/// The numbers at a pointer of the host.
///
/// # Safety
/// As [`bytes`], for numbers.
unsafe fn numbers<'a>(pointer: *const usize, count: usize) -> Outcome<&'a [usize]> {
    if count == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() || !pointer.is_aligned() || count > isize::MAX as usize / size_of::<usize>() {
        return Err(Failure::argument(format!("lengths is not an address of {count} numbers")));
    }
    // SAFETY: the pointer is aligned and not NULL, the length is not greater than memory can be, and the caller
    // promises the rest.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// Closes the list. Its rows are stored at the latest when the handler has returned.
///
/// A list of a scan is closed when its callback returns, and not by this call.
#[unsafe(no_mangle)]
pub extern "C" fn job_rows_close(rows: JobRows) -> JobStatus {
    call(|| {
        if matches!(LISTS.write(rows)?.sink, Sink::Partition(_)) {
            return Err(Failure::argument("a list of a scan is closed when its callback returns"));
        }
        LISTS.take(rows).map(drop)
    })
}
