//! [`Failure`]: the status and the sentence of a failed call. [`call`] catches panics.

use std::{
    any::Any,
    cell::RefCell,
    ffi::c_char,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use job_runner::{EngineError, JobError, StoreError, job_core::strict::InvalidBody};

use crate::{
    memory::Out,
    status::{self, JOB_ERROR_ARGUMENT, JOB_ERROR_PANIC, JOB_OK, JobStatus},
};

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// A call that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: JobStatus,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: JobStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(JOB_ERROR_ARGUMENT, message)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::new(status::of_engine(&error), error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(status::of_store(&error), error.to_string())
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::new(status::of_job(&error), error.to_string())
    }
}

impl From<InvalidBody> for Failure {
    fn from(error: InvalidBody) -> Self {
        Self::argument(error.to_string())
    }
}

/// The last failure of a thread.
struct Last {
    status: JobStatus,
    /// The message ends with a byte 0, and has no other one.
    message: Vec<u8>,
}

thread_local! {
    static LAST: RefCell<Last> = const { RefCell::new(Last { status: JOB_OK, message: Vec::new() }) };
}

/// Runs the body of a function that C calls. Keeps the sentence of a failure for the thread, and makes a failure
/// of a panic.
pub(crate) fn call(body: impl FnOnce() -> Outcome) -> JobStatus {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return JOB_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::new(JOB_ERROR_PANIC, format!("the library panicked: {}", message(panic))),
    };
    keep(&failure);
    failure.status
}

#[cold]
fn keep(failure: &Failure) {
    let mut message = failure.message.replace('\0', "\u{fffd}").into_bytes();
    message.push(0);
    // If the thread is ending, its local values may be gone, and the failure is not kept.
    let _ = LAST.try_with(|last| *last.borrow_mut() = Last { status: failure.status, message });
}

/// The sentence of the last failure of this thread, if it had this status.
pub(crate) fn last_of(status: JobStatus) -> Option<String> {
    let message = LAST.try_with(|last| {
        let last = last.borrow();
        let text = last.message.strip_suffix(&[0]).filter(|_| last.status == status);
        text.map(|text| String::from_utf8_lossy(text).into_owned())
    });
    message.unwrap_or_default()
}

fn message(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("it gave no message").chars().take(1_000).collect();
    // The payload of a panic may panic when it is dropped. The payload of this second panic is never dropped.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(again);
    }
    text
}

/// The sentence of the last failed call of this thread: UTF-8, with a byte 0 at its end. It is valid until the
/// next failed call of this thread, or the end of the thread. Empty if no call has failed. `length` may be NULL;
/// it gets the number of bytes before the byte 0.
///
/// # Safety
/// `length` is NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn job_last_error(length: *mut usize) -> *const c_char {
    let last = LAST.try_with(|last| {
        let last = last.borrow();
        (last.message.as_ptr(), last.message.len().saturating_sub(1))
    });
    let (pointer, bytes) = match last {
        Ok((pointer, bytes)) if bytes > 0 => (pointer.cast::<c_char>(), bytes),
        _ => (c"".as_ptr(), 0),
    };
    // SAFETY: the caller promises that it is NULL or may be written.
    if let Ok(Some(length)) = unsafe { Out::optional(length, "length") } {
        length.set(bytes);
    }
    pointer
}
