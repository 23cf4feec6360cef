//! Opening: column families, the format check.

use std::{io, path::Path};

use rocksdb::ColumnFamilyDescriptor;

use super::{CHECKPOINTS, Db, JOBS, ROWS, failure, limits, options, torn};
use crate::{ErrorKind, RocksOptions, StoreError, key_value::keys, lock, place::Place};

/// The version of the whole store: which column families there are and what their keys mean.
const FORMAT_VERSION: u8 = 1;
const OPERATION: &str = "open the store";

/// The directory of a store, to be written to.
pub(super) fn directory(path: &Path) -> Result<Place, StoreError> {
    Place::directory(path).map_err(|error| unusable(path, error))
}

/// The directory of a store that is there already.
pub(super) fn existing(path: &Path) -> Result<Place, StoreError> {
    Place::found(path).map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, error: io::Error) -> StoreError {
    let kind = if lock::is_full(&error) { ErrorKind::Full } else { ErrorKind::Unavailable };
    StoreError::new(kind, OPERATION, format!("the directory {}: {error}", path.display())).because(error)
}

pub(super) fn open(path: &Path, options: &RocksOptions) -> Result<Db, StoreError> {
    let open = |database: rocksdb::Options| {
        Db::open_cf_descriptors(&database, path, column_families(options))
            .map_err(|e| failure(OPERATION, None, &e))
    };
    limits::try_threads(OPERATION)?;
    let db = open(options::database(options)).or_else(|error| match error.kind {
        ErrorKind::Corrupt => {
            torn::open_up_to_the_tear(path, error, |logs| open(options::database_up_to_the_tear(options, logs)))
        }
        ErrorKind::Invalid => Err(of_a_host(error)),
        _ => Err(error),
    })?;
    check_format(&db, true)?;
    Ok(db)
}

fn of_a_host(error: StoreError) -> StoreError {
    let detail = format!(
        "it is in the database of a host: let the host open that, and the store with `RocksStore::in_database` ({})",
        error.detail
    );
    StoreError::new(ErrorKind::Invalid, OPERATION, detail).because(error)
}

pub(super) fn open_read_only(path: &Path, options: &RocksOptions) -> Result<Db, StoreError> {
    // RocksDB would make a directory to log into.
    if !path.join("CURRENT").exists() {
        let detail = format!("there is none in {}", path.display());
        return Err(StoreError::new(ErrorKind::Unavailable, OPERATION, detail));
    }
    limits::try_threads(OPERATION)?;
    let mut database = options::database(options);
    database.create_if_missing(false);
    let db = Db::open_cf_descriptors_read_only(&database, path, column_families(options), false)
        .map_err(|e| failure(OPERATION, None, &e))?;
    check_format(&db, false)?;
    Ok(db)
}

/// The column families of a store, with the options they are to be opened with.
pub(super) fn column_families(options: &RocksOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = options::cache(options);
    vec![
        ColumnFamilyDescriptor::new(JOBS, options::jobs(&cache)),
        ColumnFamilyDescriptor::new(CHECKPOINTS, options::checkpoints(&cache)),
        ColumnFamilyDescriptor::new(ROWS, options::rows(&cache, options)),
    ]
}

/// Writes the version into an empty store, refuses any but ours in a full one, and one that has not all of our families.
pub(super) fn check_format(db: &Db, writable: bool) -> Result<(), StoreError> {
    for name in [JOBS, CHECKPOINTS, ROWS] {
        super::family(db, name, OPERATION)?;
    }
    let jobs = super::family(db, JOBS, OPERATION)?;
    let found = db.get_cf(jobs, keys::FORMAT).map_err(|e| failure(OPERATION, None, &e))?;
    match found.as_deref() {
        Some([FORMAT_VERSION]) => Ok(()),
        Some([version]) => {
            let detail = format!("it has format version {version}, this library reads {FORMAT_VERSION}");
            Err(StoreError::new(ErrorKind::Format, OPERATION, detail))
        }
        Some(_) => Err(StoreError::new(ErrorKind::Corrupt, OPERATION, "its format version is damaged")),
        None if !writable => Err(StoreError::new(ErrorKind::Format, OPERATION, "it is no job store")),
        None if !is_empty(db, jobs)? => {
            Err(StoreError::new(ErrorKind::Corrupt, OPERATION, "it has jobs, but its format version is missing"))
        }
        None => db.put_cf(jobs, keys::FORMAT, [FORMAT_VERSION]).map_err(|e| failure(OPERATION, None, &e)),
    }
}

fn is_empty(db: &Db, jobs: &rocksdb::ColumnFamily) -> Result<bool, StoreError> {
    let mut iterator = db.raw_iterator_cf(jobs);
    iterator.seek_to_first();
    iterator.status().map_err(|e| failure(OPERATION, None, &e))?;
    Ok(!iterator.valid())
}
