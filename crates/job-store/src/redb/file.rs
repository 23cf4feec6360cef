//! [`File`]: the open database, and where it is.

use std::{mem, path::Path};

use redb::{Database, DatabaseError};

use super::failure;
use crate::{ErrorKind, StoreError, lock, place::Place};

pub(super) const OPERATION: &str = "open the store";

pub(super) struct File {
    place: Place,
    /// `None` only while it is dropped.
    db: Option<Database>,
}

impl File {
    /// Opens the file, or makes it. redb locks it: an open file, whatever its names are.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let db = Database::create(path).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => lock::already_open(path, None),
            error => failure(OPERATION, None, error),
        })?;
        let unusable =
            |error| StoreError::new(ErrorKind::Unavailable, OPERATION, format!("{}: {error}", path.display()));
        Ok(Self { place: Place::found(path).map_err(unusable)?, db: Some(db) })
    }

    /// The database, to be read.
    pub(super) fn database(&self, operation: &'static str) -> Result<&Database, StoreError> {
        self.db.as_ref().ok_or_else(|| StoreError::new(ErrorKind::Unavailable, operation, "the store is closed"))
    }

    /// The database, to be written: not by a forked process, nor when nobody would find what is written.
    pub(super) fn writable(&self, operation: &'static str) -> Result<&Database, StoreError> {
        self.place.check_process(operation)?;
        self.place.check(operation)?;
        self.database(operation)
    }
}

impl Drop for File {
    /// Closing writes, so a forked process leaves the database to the one that opened it.
    fn drop(&mut self) {
        if let Err(error) = self.place.check_process("close the store") {
            tracing::warn!(%error, "the store is left to the process that opened it");
            mem::forget(self.db.take());
        }
    }
}
