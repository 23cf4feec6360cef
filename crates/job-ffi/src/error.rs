//! [`Failure`]: the status and the sentence of a failed call. [`call`] catches panics.

use std::{
    any::Any,
    cell::RefCell,
    error::Error,
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
    /// How a handler ends that returns the status: as one in Rust that returns the error.
    ending: Option<Box<JobError>>,
}

impl Failure {
    pub(crate) fn new(status: JobStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), ending: None }
    }

    fn of(status: JobStatus, error: impl Error + 'static) -> Self {
        Self { message: error.to_string(), ..Self::ending(status, JobError::from_error(&error)) }
    }

    /// A failure by whose status a handler ends like this.
    pub(crate) fn ending(status: JobStatus, ending: JobError) -> Self {
        Self { status, message: ending.to_string(), ending: Some(Box::new(ending)) }
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(JOB_ERROR_ARGUMENT, message)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::of(status::of_engine(&error), error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::of(status::of_store(&error), error)
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::ending(status::of_job(&error), error)
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
    ending: Option<Box<JobError>>,
    /// With a byte 0 at its end, and none before.
    message: Vec<u8>,
}

thread_local! {
    static LAST: RefCell<Last> = const { RefCell::new(Last { status: JOB_OK, ending: None, message: Vec::new() }) };
}

/// Runs the body of a function that C calls. Keeps the sentence of a failure for the thread, and makes a failure
/// of a panic.
pub(crate) fn call(body: impl FnOnce() -> Outcome) -> JobStatus {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return JOB_OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::new(JOB_ERROR_PANIC, format!("the library panicked: {}", message(panic))),
    };
    let status = failure.status;
    keep(failure);
    status
}

#[cold]
fn keep(Failure { status, message, ending }: Failure) {
    let mut message = message.replace('\0', "\u{fffd}").into_bytes();
    message.push(0);
    // A thread that ends may be past its last place for this.
    let _ = LAST.try_with(|last| *last.borrow_mut() = Last { status, ending, message });
}

/// The failures of this thread up to here are not those of the handler that begins. Their sentence stays where it is.
pub(crate) fn forget() {
    // A thread that ends may be past its last place for this.
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        (last.status, last.ending) = (JOB_OK, None);
    });
}

/// The last failure of this thread, if it had this status: its sentence, and how a handler ends by it.
pub(crate) fn last_of(status: JobStatus) -> Option<(String, Option<JobError>)> {
    let last = LAST.try_with(|last| {
        let last = last.borrow();
        let text = last.message.strip_suffix(&[0]).filter(|_| last.status == status)?;
        Some((String::from_utf8_lossy(text).into_owned(), last.ending.as_deref().cloned()))
    });
    last.unwrap_or_default()
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
