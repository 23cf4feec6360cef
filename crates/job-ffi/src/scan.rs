//! Scans of a range of ids in partitions, on every idle worker.

use std::{
    ffi::{c_char, c_void},
    ptr,
    sync::Arc,
};

use job_runner::{JobError, Partition, ScanOptions};

use crate::{
    error::{self, Failure, call},
    handler::{self, Failures, JobContext},
    host::UserData,
    memory::text,
    rows::{self, JobRows},
    status::{JOB_OK, JobStatus},
};

/// The function that scans one partition: the ids from `first` to before `end`. It appends its rows to `rows`. The
/// engine calls it on several threads at once. It returns [`JOB_OK`], or the status of the call that failed.
pub type JobScan = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        context: JobContext,
        rows: JobRows,
        first: u64,
        end: u64,
    ) -> JobStatus,
>;

type Scan = unsafe extern "C-unwind" fn(*mut c_void, JobContext, JobRows, u64, u64) -> JobStatus;

/// Runs `scan` over the ids from `first` to before `end` in partitions, on this thread and on idle workers.
/// Returns when all partitions are done. Readers get the rows in the order of ids. `partition_size` is the number
/// of ids of a partition. With 0 there are 16 partitions for each worker, of at most 65,536 ids.
///
/// # Safety
/// `name` has `length` bytes. `scan` may be called with `user_data` on any thread, by several at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_context_scan(
    context: JobContext,
    name: *const c_char,
    length: usize,
    first: u64,
    end: u64,
    partition_size: u64,
    scan: JobScan,
    user_data: *mut c_void,
) -> JobStatus {
    call(|| {
        // SAFETY: the caller promises this, see `# Safety`.
        let name = unsafe { text(name, length, "name") }?;
        let scan = scan.ok_or_else(|| Failure::argument("scan is NULL: give a function"))?;
        let mut options = ScanOptions::default();
        if partition_size > 0 {
            options = options.partition_size(partition_size);
        }
        handler::with(context, |body| {
            let failures = Arc::clone(&body.failures);
            let user_data = UserData::borrowed(user_data);
            let part = move |part: &mut Partition<'_>| run(part, &failures, context, scan, &user_data);
            body.failures.of(body.context.scan(name, first..end, options, part))
        })
    })
}

/// One partition.
fn run(
    part: &mut Partition<'_>,
    failures: &Arc<Failures>,
    context: JobContext,
    scan: Scan,
    user_data: &UserData,
) -> Result<(), JobError> {
    error::forget();
    let ids = part.ids();
    // SAFETY: only the lifetimes change. `open` takes the list with this reference out of its table before the borrow
    // ends, and waits for a thread that uses it.
    let part: &'static mut Partition<'static> = unsafe { &mut *ptr::from_mut(part).cast() };
    let rows = rows::insert_partition(part, failures).map_err(|failure| JobError::transient(failure.message))?;
    let open = Open(rows);
    // SAFETY: the host gave the function for this data, and does not return from the scan before this call does.
    let status = unsafe { scan(user_data.get(), context, open.0, ids.start, ids.end) };
    if status == JOB_OK { Ok(()) } else { Err(failures.error(status)) }
}

/// The list of a partition while its callback runs.
struct Open(JobRows);

impl Drop for Open {
    fn drop(&mut self) {
        rows::discard(self.0);
    }
}
