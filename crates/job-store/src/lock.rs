//! [`Lock`]: only one process has a store open for writing.
//!
//! The lock belongs to an open file, and the system ends it when the last descriptor of that open file is closed. RocksDB's
//! own lock ends when its process closes any descriptor of the locked file: a backup that reads the directory is enough.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::Path,
    process,
};

use crate::{ErrorKind, StoreError, place::Identity};

const OPERATION: &str = "open the store";

/// The file that [`Lock::take`] locks, in the directory of a store. It holds the id of the process that locked it
/// last.
const NAME: &str = "job_engine.lock";

/// Holds the lock of a directory until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks a directory, however its path is spelled.
    ///
    /// # Errors
    /// `AlreadyOpen`, with the process that has the lock, if the system says which.
    pub(crate) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(NAME);
        let unusable = |error: io::Error| {
            let kind = if is_full(&error) { ErrorKind::Full } else { ErrorKind::Unavailable };
            StoreError::new(kind, OPERATION, format!("its lock file {}: {error}", path.display())).because(error)
        };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {
                sign(&file);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(already_open(&path, signature(&path))),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

/// Whether the error says that a disk or a quota is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Writes the process id into the file, for the error of a second process. The lock does not need it.
fn sign(mut file: &File) {
    let signed = file.set_len(0).and_then(|()| writeln!(file, "{}", process::id()));
    if let Err(error) = signed {
        tracing::debug!(%error, "the lock file does not tell who has it");
    }
}

fn signature(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The error of a second process: the file is locked, last by the process `signed` as far as that is known.
pub(crate) fn already_open(path: &Path, signed: Option<u32>) -> StoreError {
    StoreError::new(ErrorKind::AlreadyOpen, OPERATION, told(signed, &holders(path), process::id()))
}

/// The sentence that names the process that has a store. `signed` is the process that locked it last, by its own
/// id. `holders` are the processes that hold the lock now, as far as this process sees them.
fn told(signed: Option<u32>, holders: &[Holder], this: u32) -> String {
    let all: Vec<String> = holders.iter().map(ToString::to_string).collect();
    match (signed, holders) {
        (_, [only]) if only.process == this && signed.is_none_or(|process| process == this) => {
            "this process has it open already: clone that store".to_owned()
        }
        (Some(process), []) => format!("process {process} has it open"),
        (None, []) => "another process has it open".to_owned(),
        (Some(parent), _) if holders.iter().all(|holder| holder.process != parent) => format!(
            "process {parent} opened it, and {}, forked from there, still has it: it ends with that process, or when \
             that starts another program",
            all.join(", ")
        ),
        (_, [_]) => format!("{} has it open", all.join(", ")),
        _ => format!("{} have it open: one of them, and what it forked", all.join(", ")),
    }
}

/// A process that holds the lock.
#[derive(Debug)]
struct Holder {
    process: u32,
    /// The name of the process's program, where the system tells it.
    name: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.process)?;
        self.name.as_ref().map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

/// The processes that hold a lock on the file. Linux shows those of the same user; other systems show none.
fn holders(path: &Path) -> Vec<Holder> {
    let Ok(wanted) = Identity::of(path) else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, process)| holds(process, wanted))
        .map(|(process, proc)| {
            let name = fs::read_to_string(proc.join("comm")).ok().map(|name| name.trim().to_owned());
            Holder { process, name }
        })
        .collect()
}

/// Whether the process in this directory of `/proc` has a locked descriptor of the file.
fn holds(process: &Path, wanted: Identity) -> bool {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    descriptors.map(|entry| (entry.path(), process.join("fdinfo").join(entry.file_name()))).any(|(link, info)| {
        // The descriptor is checked for a lock first, since a look at any other file may hang, as on a lost
        // network.
        fs::read_to_string(info).is_ok_and(|info| info.lines().any(|line| line.starts_with("lock:")))
            && Identity::of(&link).is_ok_and(|found| found == wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_store_is_told_as_far_as_it_is_known() {
        let holder = |process| Holder { process, name: Some("graphd".to_owned()) };
        let cases = [
            (Some(7), vec![holder(7)], 9, "process 7 (graphd) has it open"),
            (Some(9), vec![holder(9)], 9, "this process has it open already: clone that store"),
            (Some(7), vec![], 9, "process 7 has it open"),
            (None, vec![], 9, "another process has it open"),
            (None, vec![holder(7)], 9, "process 7 (graphd) has it open"),
            (
                Some(7),
                vec![holder(7), holder(8)],
                9,
                "process 7 (graphd), process 8 (graphd) have it open: one of them, and what it forked",
            ),
            (
                Some(7),
                vec![holder(8)],
                9,
                "process 7 opened it, and process 8 (graphd), forked from there, still has it: it ends with that process, \
                 or when that starts another program",
            ),
        ];
        for (signed, holders, this, expected) in cases {
            assert_eq!(told(signed, &holders, this), expected);
        }
    }

    #[test]
    fn a_lock_is_of_a_directory_and_ends_with_its_last_descriptor() {
        let directory = tempfile::tempdir().unwrap();
        let lock = Lock::take(directory.path()).unwrap();
        // Reads the file, as a backup does.
        fs::read(directory.path().join(NAME)).unwrap();
        let refused = Lock::take(directory.path()).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::AlreadyOpen);
        drop(lock);
        assert!(Lock::take(directory.path()).is_ok());
    }
}
