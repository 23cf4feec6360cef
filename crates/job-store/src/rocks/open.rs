//! Opening: options, column families, the format check.

use std::path::Path;

use rocksdb::{BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Options};

use super::{JOBS, ROWS, failure, keys};
use crate::{ErrorKind, StoreError};

/// The version of the whole store: which column families there are and what their keys mean.
const FORMAT_VERSION: u8 = 1;

/// How blocks are compressed on disk. Pages come from the block cache, which holds them uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    None,
    /// LZ4: about a quarter of the size for vertex rows.
    #[default]
    Lz4,
}

/// How a [`RocksStore`](super::RocksStore) uses memory and disk.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RocksOptions {
    /// Bytes of blocks kept in memory, uncompressed. Default: 256 MiB.
    pub block_cache: usize,
    /// Bytes of rows gathered in memory before they go to a file. Default: 32 MiB, of which two may be in use.
    pub write_buffer: usize,
    /// Compression of rows. Default: LZ4.
    pub compression: Compression,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self { block_cache: 256 << 20, write_buffer: 32 << 20, compression: Compression::default() }
    }
}

pub(super) fn open(path: &Path, options: &RocksOptions) -> Result<DB, StoreError> {
    let db = DB::open_cf_descriptors(&database_options(), path, column_families(options))
        .map_err(|e| failure("open the store", None, &e))?;
    check_format(&db, true)?;
    Ok(db)
}

pub(super) fn open_read_only(path: &Path, options: &RocksOptions) -> Result<DB, StoreError> {
    let mut database = database_options();
    database.create_if_missing(false);
    let db = DB::open_cf_descriptors_read_only(&database, path, column_families(options), false)
        .map_err(|e| failure("open the store", None, &e))?;
    check_format(&db, false)?;
    Ok(db)
}

fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(5);
    // Bounds what a reopening has to replay.
    options.set_max_total_wal_size(64 << 20);
    options.set_bytes_per_sync(1 << 20);
    options
}

fn column_families(options: &RocksOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache);
    vec![
        ColumnFamilyDescriptor::new(JOBS, jobs_options(&cache)),
        ColumnFamilyDescriptor::new(ROWS, rows_options(&cache, options)),
    ]
}

fn jobs_options(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(16 << 20);
    options
}

fn rows_options(cache: &Cache, options: &RocksOptions) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    // A value of ours is larger than this, so every value is a block of RocksDB's by itself.
    table.set_block_size(32 << 10);
    let mut rows = Options::default();
    rows.set_block_based_table_factory(&table);
    rows.set_compression_type(match options.compression {
        Compression::None => DBCompressionType::None,
        Compression::Lz4 => DBCompressionType::Lz4,
    });
    rows.set_write_buffer_size(options.write_buffer);
    rows
}

/// Writes the version into an empty store, refuses any but ours in a full one.
fn check_format(db: &DB, writable: bool) -> Result<(), StoreError> {
    const OPERATION: &str = "open the store";
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
        None => db.put_cf(jobs, keys::FORMAT, [FORMAT_VERSION]).map_err(|e| failure(OPERATION, None, &e)),
    }
}
