//! The limits of the process, and how much of them the database takes: descriptors and threads.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{ErrorKind, StoreError};

/// Threads that RocksDB starts while a database is opened: for flushes, for compactions, for timers. It ends the process when it
/// does not get one.
const THREADS: usize = 3;
/// The stack of a thread of C++ by default.
const STACK: usize = 8 << 20;

/// Fails when there are not as many threads as RocksDB is about to start.
pub(super) fn try_threads(operation: &'static str) -> Result<(), StoreError> {
    let gate = Mutex::new(());
    let wait = || drop(gate.lock());
    let failures = thread::scope(|scope| {
        // All at once: none ends before the last was tried.
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

/// How many descriptors the process may have; `None` without a limit.
#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
const fn limit() -> Option<u64> {
    None
}

/// A part of what the process may have: a quarter, or all but 512, since the others are the host's. More than 512 would not
/// make reads faster.
fn share(limit: Option<u64>) -> i32 {
    const MOST: u64 = 512;
    /// RocksDB takes no fewer.
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
