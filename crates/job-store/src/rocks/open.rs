//! Opening: the directory, the database, its column families.

use std::{io, path::Path};

use rocksdb::ColumnFamilyDescriptor;

use super::{Db, failure, limits, options, torn};
use crate::{ErrorKind, RocksOptions, StoreError, key_value::Table, lock, place::Place};

pub(super) const OPERATION: &str = "open the store";

/// The directory of a store, for writing. Makes it if it is missing.
pub(super) fn directory(path: &Path) -> Result<Place, StoreError> {
    Place::directory(path).map_err(|error| unusable(path, error))
}

/// The directory of an existing store.
pub(super) fn existing(path: &Path) -> Result<Place, StoreError> {
    Place::found(path).map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, error: io::Error) -> StoreError {
    let kind = if lock::is_full(&error) { ErrorKind::Full } else { ErrorKind::Unavailable };
    StoreError::new(kind, OPERATION, format!("the directory {}: {error}", path.display())).because(error)
}

pub(super) fn open(path: &Path, options: &RocksOptions) -> Result<Db, StoreError> {
    let open = |database: rocksdb::Options| {
        Db::open_cf_descriptors(&database, path, column_families(options)).map_err(failed)
    };
    limits::try_threads(OPERATION)?;
    open(options::database(options)).or_else(|error| match error.kind {
        ErrorKind::Corrupt => {
            torn::open_up_to_the_tear(path, error, |logs| open(options::database_up_to_the_tear(options, logs)))
        }
        ErrorKind::Invalid => Err(of_a_host(error)),
        _ => Err(error),
    })
}

fn failed(error: rocksdb::Error) -> StoreError {
    failure(error).during(OPERATION, None)
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
    Db::open_cf_descriptors_read_only(&database, path, column_families(options), false).map_err(failed)
}

/// The column families of a store and their options.
pub(super) fn column_families(options: &RocksOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = options::cache(options);
    let options = |table| match table {
        Table::Jobs => options::jobs(&cache),
        Table::Checkpoints => options::checkpoints(&cache),
        Table::Rows => options::rows(&cache, options),
    };
    Table::ALL.into_iter().map(|table| ColumnFamilyDescriptor::new(table.name(), options(table))).collect()
}
