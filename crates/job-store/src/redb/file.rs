//! [`File`]: the open database and its place.

use std::{
    mem,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use redb::{Builder, Database, DatabaseError};

use super::failure;
use crate::{ErrorKind, StoreError, lock, place::Place};

pub(super) const OPERATION: &str = "open the store";

pub(super) struct File {
    place: Place,
    /// `None` after it was closed and could not be opened again.
    db: Mutex<Option<Arc<Database>>>,
    /// Whether a call failed because of the disk.
    failed: AtomicBool,
}

impl File {
    /// Opens the file, or makes it. redb locks the open file itself, so the lock holds under every name of the
    /// file.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let db = builder(path).create(path).map_err(|error| refused(path, error))?;
        let unusable = |error| {
            StoreError::new(ErrorKind::Unavailable, OPERATION, format!("{}: {error}", path.display()))
                .because(error)
        };
        let place = Place::found(path).map_err(unusable)?;
        Ok(Self { place, db: Mutex::new(Some(Arc::new(db))), failed: AtomicBool::new(false) })
    }

    /// The database for reading. Callers hold it only for a short time.
    pub(super) fn database(&self) -> Result<Arc<Database>, StoreError> {
        let mut db = self.db.lock();
        if self.failed.load(Ordering::Acquire) {
            self.check_process()?;
            self.place.check("")?;
            self.open_again(&mut db)?;
            self.failed.store(false, Ordering::Release);
        }
        db.clone().ok_or_else(|| StoreError::new(ErrorKind::Unavailable, "", "the store is closed"))
    }

    pub(super) fn check_process(&self) -> Result<(), StoreError> {
        self.place.check_process("")
    }

    /// The database for writing. Refused in a forked process, and when the path no longer leads to the file.
    pub(super) fn writable(&self) -> Result<Arc<Database>, StoreError> {
        self.check_process()?;
        self.place.check("")?;
        self.database()
    }

    /// Notes an error of the disk. redb takes no call after it, so the next call opens the database again.
    pub(super) fn note(&self, error: &StoreError) {
        if matches!(error.kind, ErrorKind::Full | ErrorKind::Unavailable) {
            self.failed.store(true, Ordering::Release);
        }
    }

    /// Closes the database, also for present readers, and opens it again.
    fn open_again(&self, db: &mut Option<Arc<Database>>) -> Result<(), StoreError> {
        match db.take().map(Arc::try_unwrap) {
            Some(Err(in_use)) => {
                *db = Some(in_use);
                let detail = "the file is opened again after an error, as soon as a write that goes on has ended";
                return Err(StoreError::new(ErrorKind::Unavailable, "", detail));
            }
            Some(Ok(failed)) => drop(failed),
            None => {}
        }
        let path = self.place.path();
        *db = Some(Arc::new(builder(path).open(path).map_err(|error| refused(path, error))?));
        Ok(())
    }
}

fn refused(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => lock::already_open(path, None),
        error => {
            let mut refused = failure(error).during(OPERATION, None);
            refused.detail = format!("{}: {}", path.display(), refused.detail);
            refused
        }
    }
}

/// Opens the file, and logs a warning if redb has to read all of it, as after a crash. That takes time.
fn builder(path: &Path) -> Builder {
    let mut builder = Database::builder();
    let path = path.to_owned();
    builder.set_repair_callback(move |repair| {
        let done = format!("{:.0} %", repair.progress() * 100.0);
        tracing::warn!(path = %path.display(), done, "the store was not closed: redb looks through its file");
    });
    builder
}

impl Drop for File {
    /// Closing writes to the file, so a forked process does not close the database.
    fn drop(&mut self) {
        if let Err(error) = self.place.check_process("close the store") {
            tracing::warn!(%error, "the store is left to the process that opened it");
            mem::forget(self.db.get_mut().take());
        }
    }
}
