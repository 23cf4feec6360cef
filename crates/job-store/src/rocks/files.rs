//! Files of rows that are not part of the database yet.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::open;
use crate::{ErrorKind, StoreError, lock};

/// A directory beside RocksDB's own files, on the same file system, so that a finished file can be moved in.
pub(super) struct Files {
    directory: PathBuf,
    next: AtomicU64,
}

impl Files {
    pub(super) fn new(database: &Path) -> Self {
        Self { directory: database.join("job_engine.tmp"), next: AtomicU64::new(0) }
    }

    /// Removes the files that a dead process left.
    pub(super) fn remove_left_over(&self) -> Result<(), StoreError> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failure(error).during(open::OPERATION, None))
            }
            _ => Ok(()),
        }
    }

    /// A name for a new file.
    pub(super) fn path(&self) -> Result<PathBuf, StoreError> {
        fs::create_dir_all(&self.directory).map_err(failure)?;
        Ok(self.directory.join(format!("{}.sst", self.next.fetch_add(1, Ordering::Relaxed))))
    }
}

fn failure(error: io::Error) -> StoreError {
    let kind = if lock::is_full(&error) { ErrorKind::Full } else { ErrorKind::Unavailable };
    StoreError::new(kind, "", format!("the directory of temporary files: {error}")).because(error)
}
