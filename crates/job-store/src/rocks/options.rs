//! [`RocksOptions`], and the options of RocksDB that follow from them and from measurements.

use std::collections::HashMap;

use parking_lot::Mutex;
use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, DataBlockIndexType, IngestExternalFileOptions,
    Options,
};

use super::{limits, torn::Logs};
use crate::{BlockBuilder, Packing};

/// How a [`RocksStore`](super::RocksStore) uses memory and disk.
///
/// ```
/// use job_store::{Packing, RocksOptions};
///
/// let options = RocksOptions::default().block_cache(1 << 30).packing(Packing::None);
/// assert_eq!(options.block_bytes, 128 << 10);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RocksOptions {
    /// Bytes of blocks kept in memory, unpacked. Default: 256 MiB.
    pub block_cache: usize,
    /// Bytes of small results gathered in memory before they go to a file. Default: 32 MiB, of which two may be
    /// in use.
    pub write_buffer: usize,
    /// How RocksDB packs rows in its files. Its cache holds them unpacked. Default: LZ4.
    pub packing: Packing,
    /// Bytes of JSON per block of rows. Default: 128 KiB. Larger blocks copy a little faster, smaller ones make a
    /// page of a few rows cheaper when it comes from disk.
    pub block_bytes: usize,
    /// Bytes up to which a segment is gathered in the memory of its writer and goes through the log. A larger one is
    /// written to files of its own, which then become part of the store as they are. Default: 4 MiB.
    pub small_segment: usize,
    /// Bytes of rows per file of a large segment. Its rows become readable file by file. Default: 64 MiB.
    pub file_bytes: u64,
    /// Files that stay open between reads; a read of another one opens it first. Default (`None`): from the number of
    /// descriptors that the process may have (`ulimit -n`) when the store is opened. It is all but 512 of them or a
    /// quarter, whichever is more, and never more than 512. The log, the manifest and files being written come on top,
    /// about 20.
    pub open_files: Option<u32>,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self {
            block_cache: 256 << 20,
            write_buffer: 32 << 20,
            packing: Packing::default(),
            block_bytes: BlockBuilder::BYTES,
            small_segment: 4 << 20,
            file_bytes: 64 << 20,
            open_files: None,
        }
    }
}

impl RocksOptions {
    /// Sets [`block_cache`](#structfield.block_cache).
    #[must_use]
    pub const fn block_cache(mut self, block_cache: usize) -> Self {
        self.block_cache = block_cache;
        self
    }

    /// Sets [`write_buffer`](#structfield.write_buffer).
    #[must_use]
    pub const fn write_buffer(mut self, write_buffer: usize) -> Self {
        self.write_buffer = write_buffer;
        self
    }

    /// Sets [`packing`](#structfield.packing).
    #[must_use]
    pub const fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }

    /// Sets [`block_bytes`](#structfield.block_bytes).
    #[must_use]
    pub const fn block_bytes(mut self, block_bytes: usize) -> Self {
        self.block_bytes = block_bytes;
        self
    }

    /// Sets [`small_segment`](#structfield.small_segment).
    #[must_use]
    pub const fn small_segment(mut self, small_segment: usize) -> Self {
        self.small_segment = small_segment;
        self
    }

    /// Sets [`file_bytes`](#structfield.file_bytes).
    #[must_use]
    pub const fn file_bytes(mut self, file_bytes: u64) -> Self {
        self.file_bytes = file_bytes;
        self
    }

    /// Sets [`open_files`](#structfield.open_files).
    #[must_use]
    pub const fn open_files(mut self, open_files: u32) -> Self {
        self.open_files = Some(open_files);
        self
    }
}

pub(super) fn cache(options: &RocksOptions) -> Cache {
    Cache::new_lru_cache(options.block_cache)
}

pub(super) fn database(chosen: &RocksOptions) -> Options {
    // Each log records the length of the one before it. So a write that is lost in a power cut from the middle is
    // noticed.
    let tracked = Options::default().get_options_from_string("track_and_verify_wals=true");
    untracked(tracked.unwrap_or_default(), chosen)
}

fn untracked(mut options: Options, chosen: &RocksOptions) -> Options {
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_max_background_jobs(2);
    // RocksDB's log of its own work has a bound, also in a long life.
    options.set_keep_log_file_num(5);
    options.set_max_log_file_size(1 << 20);
    // The list of files has a bound too. Every removal and every large segment adds a line to it.
    options.set_max_manifest_file_size(4 << 20);
    // Files are deleted by background threads, not by the thread that releases them last.
    options.set_avoid_unnecessary_blocking_io(true);
    // Bounds the log that an opening after a crash replays.
    options.set_max_total_wal_size(64 << 20);
    options.set_bytes_per_sync(1 << 20);
    // A torn end of the log is a write that was never acknowledged. Damage before it is an error, not a loss of all
    // that follows.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // Files above this number are opened when they are read, so an opening does not read every one.
    options.set_max_open_files(
        chosen.open_files.map_or_else(limits::open_files, |files| i32::try_from(files).unwrap_or(i32::MAX)),
    );
    // One thread opens files: RocksDB ends the process if the system gives it no further thread.
    options.set_max_file_opening_threads(1);
    options.set_skip_stats_update_on_db_open(true);
    // Threads that write at once become one write, which one of them makes. The others sleep meanwhile. By default they
    // spin, and put their own keys into the memtable. For writes as small as these that costs more than it saves.
    options.set_enable_write_thread_adaptive_yield(false);
    options.set_allow_concurrent_memtable_write(false);
    options
}

/// The options for a store whose logs a power cut tore. The first write that did not come to the disk, and all
/// after it, count as never made.
pub(super) fn database_up_to_the_tear(chosen: &RocksOptions, logs: Logs) -> Options {
    let mut options = match logs {
        Logs::Some => database(chosen),
        Logs::None => untracked(Options::default(), chosen),
    };
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options
}

pub(super) fn jobs(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(16 << 20);
    options
}

pub(super) fn checkpoints(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(16 << 20);
    options
}

pub(super) fn rows(cache: &Cache, options: &RocksOptions) -> Options {
    // RocksDB sorts all range tombstones of the memtable again for each new one. A flush ends that.
    let mut rows =
        Options::default().get_options_from_string("memtable_max_range_deletions=128").unwrap_or_default();
    rows.set_block_based_table_factory(&rows_table(Some(cache)));
    pack(&mut rows, options.packing);
    rows.set_write_buffer_size(options.write_buffer);
    rows
}

/// Each value is larger than a block of RocksDB, so every value is one such block.
fn rows_table(cache: Option<&Cache>) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    match cache {
        Some(cache) => table.set_block_cache(cache),
        None => table.disable_cache(),
    }
    table.set_block_size(32 << 10);
    table
}

/// Every file has one packing, also the lowest: `bottommost_compression` is not set.
fn pack(options: &mut Options, packing: Packing) {
    /// The window of ZSTD as its level has it, no strategy, no dictionary.
    const AS_THE_LEVEL: (i32, i32, i32) = (-14, 0, 0);
    /// A level below 0 is the acceleration of LZ4. With 4 the files are a twentieth larger, and two segments are
    /// written a twentieth faster.
    const ACCELERATED: i32 = -4;
    let (codec, level) = match packing {
        Packing::None => (DBCompressionType::None, None),
        Packing::Lz4 => (DBCompressionType::Lz4, Some(ACCELERATED)),
        Packing::Zstd(level) => (DBCompressionType::Zstd, Some(level)),
    };
    options.set_compression_type(codec);
    if let Some(level) = level {
        let (window, strategy, dictionary) = AS_THE_LEVEL;
        options.set_compression_options(window, level, strategy, dictionary);
    }
}

/// The options of file writers, which borrow them for as long as they live. There is one for each packing, made once in
/// the process and never dropped.
pub(super) fn file(options: &RocksOptions) -> &'static Options {
    static MADE: Mutex<Option<HashMap<Packing, &'static Options>>> = Mutex::new(None);
    let mut made = MADE.lock();
    let made = made.get_or_insert_default();
    made.entry(options.packing).or_insert_with(|| Box::leak(Box::new(file_options(options.packing))))
}

fn file_options(packing: Packing) -> Options {
    let mut options = Options::default();
    options.set_block_based_table_factory(&rows_table(None));
    pack(&mut options, packing);
    // Writing starts while the file grows, so that its fsync finds little left to do.
    options.set_bytes_per_sync(8 << 20);
    options
}

/// How a file becomes part of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ingest {
    Move,
    Copy,
}

pub(super) fn ingest(how: Ingest) -> IngestExternalFileOptions {
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(how == Ingest::Move);
    // No other write goes into the key range of a segment, but for a job that was removed and is copied back. The
    // deletion of its rows may be in memory, and is flushed first.
    options.set_allow_blocking_flush(true);
    options
}
