//! [`Place`]: the kind, the place and the options of a store.

use std::{path::Path, sync::Arc};

use job_runner::store::{MemoryStore, Packing, SharedStore, Store};
use serde::Deserialize;

use crate::{
    error::{Failure, Outcome},
    status::JOB_ERROR_UNSUPPORTED,
};

/// The kind and the place of the store.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    Memory,
    Rocksdb(String),
    Redb(String),
    Postgres(String),
}

/// The options of a store in RocksDB.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "rocksdb"), expect(dead_code, reason = "this library has no such store"))]
pub(crate) struct Rocks {
    block_cache: Option<usize>,
    write_buffer: Option<usize>,
    open_files: Option<u32>,
}

/// The options of a store in PostgreSQL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "this library has no such store"))]
pub(crate) struct Postgres {
    schema: Option<String>,
    connections: Option<usize>,
    timeout_ms: Option<u64>,
    pooled: Option<bool>,
    listen: Option<String>,
}

/// A store that was opened.
pub(crate) enum Opened {
    /// A store that has one engine.
    Own(Arc<dyn Store>),
    /// For several.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "no other store is shared"))]
    Shared(Arc<dyn SharedStore>),
}

impl Place {
    pub(crate) fn open(
        &self,
        packing: Option<Packing>,
        rocks: Option<&Rocks>,
        pg: Option<&Postgres>,
    ) -> Outcome<Opened> {
        let packing = packing.unwrap_or_default();
        match self {
            Self::Memory => Ok(Opened::Own(Arc::new(MemoryStore::default()))),
            Self::Rocksdb(directory) => rocksdb(directory.as_ref(), packing, rocks),
            Self::Redb(file) => redb(file.as_ref(), packing),
            Self::Postgres(url) => postgres(url, packing, pg),
        }
    }
}

#[cfg(feature = "rocksdb")]
fn rocksdb(directory: &Path, packing: Packing, given: Option<&Rocks>) -> Outcome<Opened> {
    use job_runner::store::{RocksOptions, RocksStore};
    let mut options = RocksOptions::default().packing(packing);
    if let Some(given) = given {
        options.block_cache = given.block_cache.unwrap_or(options.block_cache);
        options.write_buffer = given.write_buffer.unwrap_or(options.write_buffer);
        options.open_files = given.open_files.or(options.open_files);
    }
    Ok(Opened::Own(Arc::new(RocksStore::open(directory, options)?)))
}

#[cfg(not(feature = "rocksdb"))]
fn rocksdb(_directory: &Path, _packing: Packing, _given: Option<&Rocks>) -> Outcome<Opened> {
    Err(unsupported("rocksdb"))
}

#[cfg(feature = "redb")]
fn redb(file: &Path, packing: Packing) -> Outcome<Opened> {
    use job_runner::store::{RedbOptions, RedbStore};
    Ok(Opened::Own(Arc::new(RedbStore::open_with(file, RedbOptions::default().packing(packing))?)))
}

#[cfg(not(feature = "redb"))]
fn redb(_file: &Path, _packing: Packing) -> Outcome<Opened> {
    Err(unsupported("redb"))
}

#[cfg(feature = "postgres")]
fn postgres(url: &str, packing: Packing, given: Option<&Postgres>) -> Outcome<Opened> {
    use std::time::Duration;

    use job_runner::store::{PostgresOptions, PostgresStore};
    let mut options = PostgresOptions::default().packing(packing);
    if let Some(given) = given {
        if let Some(schema) = &given.schema {
            options.schema.clone_from(schema);
        }
        options.connections = given.connections.unwrap_or(options.connections);
        options.timeout = given.timeout_ms.map_or(options.timeout, Duration::from_millis);
        options.pooled = given.pooled.unwrap_or(options.pooled);
        options.listen.clone_from(&given.listen);
    }
    Ok(Opened::Shared(Arc::new(PostgresStore::open(url, options)?)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_url: &str, _packing: Packing, _given: Option<&Postgres>) -> Outcome<Opened> {
    Err(unsupported("postgres"))
}

#[cfg_attr(
    all(feature = "rocksdb", feature = "redb", feature = "postgres"),
    expect(dead_code, reason = "all is there")
)]
fn unsupported(store: &str) -> Failure {
    let message = format!("this library was built without the store {store}: build it with `--features {store}`");
    Failure::new(JOB_ERROR_UNSUPPORTED, message)
}
