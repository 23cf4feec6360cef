//! Runs and drops code of a host: handlers, callbacks, wakers, clocks, recorders of metrics, and their values. It
//! may panic at any moment, also while it is dropped. No such panic ends a thread of the engine.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use job_store::{ErrorKind, StoreError};

use crate::seam::sync::assert_none_held;

/// Runs `code`. Returns its value, or the message of its panic.
pub(crate) fn run<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|panic| {
        let message = message(&*panic);
        discard(panic);
        message
    })
}

/// Drops `value`, and catches a panic of its destructor.
pub(crate) fn discard<T>(value: T) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(value)));
    if let Err(panic) = dropped
        && let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic)))
    {
        // The payload of a panic may panic when it is dropped, and so on without end. This one is never dropped.
        mem::forget(again);
    }
}

/// Drops each of `values` separately: a second panic during the first would end the process.
pub(crate) fn discard_all<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(discard);
}

/// Calls a store, which a host may have written. A panic in it counts as an outage, so no job is to blame.
pub(crate) fn stored<T>(
    operation: &'static str,
    call: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    assert_none_held();
    run(call).unwrap_or_else(|message| {
        let detail = format!("the store panicked: {message}");
        Err(StoreError::new(ErrorKind::Unavailable, operation, detail))
    })
}

/// Writes a log event, where a panic of the host's subscriber would leave others waiting.
pub(crate) fn log(say: impl FnOnce()) {
    // A panic of the subscriber is not logged.
    let _ = run(say);
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it gave no message").chars().take(1_000).collect()
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// A panic payload whose drop panics with another such payload, this number of times.
    struct Endless(u32);

    impl Drop for Endless {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Self(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_panic_whose_value_panics_when_dropped_is_caught_with_all_that_follow() {
        for depth in 0..10 {
            assert_eq!(run(|| panic_any(Endless(depth))), Err::<(), _>("it gave no message".to_owned()));
            discard(Endless(depth));
        }
        discard_all([Endless(1), Endless(2), Endless(1)]);
    }

    #[test]
    fn a_store_that_panics_is_out_of_order_and_blames_no_job() {
        let error =
            stored("submit jobs", || -> Result<(), StoreError> { panic!("index out of bounds") }).unwrap_err();
        assert!(error.kind.is_retryable());
        assert!(error.to_string().starts_with("could not submit jobs: the store panicked: index out of bounds"));
    }
}
