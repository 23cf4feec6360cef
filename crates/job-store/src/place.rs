//! [`Place`]: the directory or the file of a store, identified by the file system and not by its path.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{ErrorKind, StoreError};

/// The place of a store, and the process that opened it.
#[derive(Debug)]
pub(crate) struct Place {
    /// The absolute path without links, which stays right when the process changes its directory.
    path: PathBuf,
    identity: Identity,
    /// The directory or file is held open, so that the system gives its number to no other file.
    _held: Option<File>,
    process: u32,
    /// Bytes that were written since the last look at the path.
    unseen: AtomicU64,
}

impl Place {
    /// Bytes that may be written to an open file between two looks at the path.
    const UNSEEN: u64 = 1 << 20;

    /// The directory at `path`, which is made when there is none.
    pub(crate) fn directory(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Self::found(path)
    }

    /// The file or directory at `path`.
    pub(crate) fn found(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        Ok(Self {
            identity: Identity::of(&path)?,
            _held: cfg!(unix).then(|| File::open(&path)).transpose()?,
            path,
            process: process::id(),
            unseen: AtomicU64::new(0),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a process that was forked from the one that opened the store. A fork has neither the threads nor
    /// the locks of its parent.
    ///
    /// # Errors
    /// `AlreadyOpen`.
    pub(crate) fn check_process(&self, operation: &'static str) -> Result<(), StoreError> {
        let opened = self.process;
        if process::id() == opened {
            return Ok(());
        }
        let detail = format!(
            "process {opened} has it open, and this one was forked from it: what it writes would damage the store; open \
             stores after forking"
        );
        Err(StoreError::new(ErrorKind::AlreadyOpen, operation, detail))
    }

    /// Refuses if the path no longer leads to the store. A new file would be lost there, or would damage another
    /// store.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn check(&self, operation: &'static str) -> Result<(), StoreError> {
        let found = Identity::of(&self.path);
        let why = match &found {
            Ok(found) if *found == self.identity => return Ok(()),
            Ok(_) => "another one is there now".to_owned(),
            Err(error) => error.to_string(),
        };
        let detail = format!(
            "{} is no longer what was opened there ({why}): move it back, or close the store and open it where it is",
            self.path.display()
        );
        let moved = StoreError::new(ErrorKind::Unavailable, operation, detail);
        Err(match found {
            Ok(_) => moved,
            Err(error) => moved.because(error),
        })
    }

    /// As [`check`](Self::check), but only once in 1 MiB of small writes to open files.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn check_now_and_then(&self, operation: &'static str, bytes: usize) -> Result<(), StoreError> {
        if self.unseen.fetch_add(bytes as u64, Ordering::Relaxed) < Self::UNSEEN {
            return Ok(());
        }
        self.check(operation)?;
        self.unseen.store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// The identity of a file or a directory in the system, independent of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    /// The identity of the file or directory that is at `path` now.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(path)?;
        Ok(Self { device: found.dev(), number: found.ino() })
    }

    /// Other systems do not let a directory be moved while it is in use.
    #[cfg(not(unix))]
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|_| Self { device: 0, number: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_moved_or_replaced_is_refused_until_it_is_back() {
        let root = tempfile::tempdir().unwrap();
        let [path, moved] = ["s", "t"].map(|name| root.path().join(name));
        let place = Place::directory(&path).unwrap();
        assert_eq!(place.check("write"), Ok(()));
        fs::rename(&path, &moved).unwrap();
        assert_eq!(place.check("write").unwrap_err().kind, ErrorKind::Unavailable);
        fs::create_dir(&path).unwrap();
        let refused = place.check("write").unwrap_err();
        assert!(refused.detail.contains("another one is there now"), "{refused}");
        fs::remove_dir(&path).unwrap();
        fs::rename(&moved, &path).unwrap();
        assert_eq!(place.check("write"), Ok(()));
    }

    #[test]
    fn small_writes_look_at_the_path_after_a_bounded_number_of_bytes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("s");
        let place = Place::directory(&path).unwrap();
        fs::remove_dir(&path).unwrap();
        let refused = (0..=16).position(|_| place.check_now_and_then("write", 64 << 10).is_err());
        assert_eq!(refused, Some(16));
        assert!(place.check_now_and_then("write", 1).is_err(), "the next one is refused too");
    }
}
