//! The limits of the process on descriptors and threads, and the database's part of them.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{ErrorKind, StoreError};

/// Threads that RocksDB starts when a database is opened: for flushes, compactions and timers. RocksDB ends the
/// process if the system gives no thread.
const THREADS: usize = 3;
/// The default stack of a C++ thread.
const STACK: usize = 8 << 20;

/// Fails if the system does not give as many threads as RocksDB is about to start.
pub(super) fn try_threads(operation: &'static str) -> Result<(), StoreError> {
    let gate = Mutex::new(());
    let wait = || drop(gate.lock());
    let failures = thread::scope(|scope| {
        // All threads live at once: none ends before the last was started.
        let held = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let start = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, wait).err();
        let failures: Vec<io::Error> = (0..THREADS).filter_map(start).collect();
        drop(held);
        failures
    });
    let started = THREADS - failures.len();
    let Some(error) = failures.into_iter().next() else { return Ok(()) };
    let detail = format!(
        "RocksDB needs {THREADS} threads, and this process can start {started}: {error}; raise the limit of threads (`ulimit -u`, \
         or that of the container)"
    );
    Err(StoreError::new(ErrorKind::Unavailable, operation, detail).because(error))
}

/// The number of files that the database keeps open by default.
pub(super) fn open_files() -> i32 {
    share(limit())
}

/// The most descriptors of the process; `None` without a limit.
#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
const fn limit() -> Option<u64> {
    None
}

/// The database's part of the descriptors: a quarter, or all but 512 if that is more. The others are the host's.
/// More than 512 do not make reads faster.
fn share(limit: Option<u64>) -> i32 {
    const MOST: u64 = 512;
    /// The least that RocksDB accepts.
    const LEAST: u64 = 20;
    let share = limit.map_or(MOST, |limit| (limit / 4).max(limit.saturating_sub(512)).clamp(LEAST, MOST));
    i32::try_from(share).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_leaves_most_of_a_small_number_of_descriptors_to_its_host() {
        let cases = [
            (Some(32), 20),
            (Some(256), 64),
            (Some(512), 128),
            (Some(768), 256),
            (Some(1_024), 512),
            (Some(1 << 20), 512),
            (None, 512),
        ];
        for (limit, expected) in cases {
            assert_eq!(share(limit), expected, "{limit:?}");
        }
    }
}
