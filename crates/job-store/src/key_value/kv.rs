//! [`KeyValue`]: the calls that a store makes to an ordered key-value engine.

use std::{
    fmt::Debug,
    ops::{ControlFlow, Range},
    path::Path,
};

use crate::{BlockBuilder, Durability, ErrorKind, Packing, StoreError};

/// The tables of a store. Each has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Records, results and the entries that lead to them: small values, many of which change.
    Jobs,
    /// Checkpoints: large, short-lived, one for a job.
    Checkpoints,
    /// Blocks of rows: some 128 KiB each, put once, deleted by ranges.
    Rows,
}

impl Table {
    /// All families.
    pub const ALL: [Self; 3] = [Self::Jobs, Self::Checkpoints, Self::Rows];

    /// The name of the family in an engine that has names for tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "job_engine.jobs",
            Self::Checkpoints => "job_engine.checkpoints",
            Self::Rows => "job_engine.rows",
        }
    }

    /// The entry of this table, out of an adaptor's values for each of [`ALL`](Self::ALL).
    ///
    /// ```
    /// use job_store::key_value::Table;
    ///
    /// assert_eq!(*Table::Checkpoints.of(&["a", "b", "c"]), "b");
    /// ```
    pub const fn of<T>(self, [jobs, checkpoints, rows]: &[T; 3]) -> &T {
        match self {
            Self::Jobs => jobs,
            Self::Checkpoints => checkpoints,
            Self::Rows => rows,
        }
    }
}

/// A value that an engine [holds](KeyValue::pinned).
pub type Pinned<'k> = Box<dyn AsRef<[u8]> + Send + Sync + 'k>;

/// An ordered key-value engine, as [`KeyValueStore`](super::KeyValueStore) uses it: keys sort byte by byte.
///
/// # Contract
/// * A [batch](Self::commit) is seen whole or not at all, by every view and after every crash.
/// * A view that is made after a batch was committed sees it.
/// * Open views and scans block no commit. All threads may commit and open more views meanwhile, also the thread
///   that has the view or scan open.
/// * One `KeyValueStore` at a time has the engine for writing, in all processes, since it keeps locks and
///   revisions in memory. The adaptor refuses a second one, or its documentation forbids it.
/// * An error has its class ([`StoreError::caused`]). The store adds the operation and the job.
///
/// The engine needs no transactions: no other call changes the keys of a batch between its reads and its commit.
pub trait KeyValue: Debug + Send + Sync + 'static {
    /// A state of the engine that can be read.
    type View<'k>: View;
    /// A batch of changes. [`Changes`](super::Changes) is one for engines without a batch of their own.
    type Batch<'k>: Batch;

    /// The state at this moment, which later commits do not change.
    ///
    /// # Errors
    /// When the engine cannot be read.
    fn view(&self) -> Result<Self::View<'_>, StoreError>;

    /// As [`view`](Self::view), for a single read or for keys that do not change meanwhile. Each read may see a
    /// later state, if that is cheaper. Default: `view`.
    ///
    /// # Errors
    /// As there.
    fn latest(&self) -> Result<Self::View<'_>, StoreError> {
        self.view()
    }

    /// The present value of a key, if it is in the memory of the engine, held there for as long as the caller has it.
    /// `None` otherwise, and always, which is the default, if the engine holds no values. The call does not wait for the
    /// disk. It is for blocks of rows that are sent without a copy.
    ///
    /// # Errors
    /// When the engine cannot be read.
    fn pinned(&self, _table: Table, _key: &[u8]) -> Result<Option<Pinned<'_>>, StoreError> {
        Ok(None)
    }

    /// A batch without changes.
    ///
    /// # Errors
    /// When the engine cannot begin a batch.
    fn batch(&self) -> Result<Self::Batch<'_>, StoreError>;

    /// Makes all changes of a batch in their order, or none. With [`Durability::Synced`] they survive a power cut,
    /// and so does every batch committed before. With `Buffered` they survive the death of the process.
    ///
    /// # Errors
    /// `ReadOnly`, `Full` or `Unavailable`; the engine has changed nothing then.
    fn commit(&self, batch: Self::Batch<'_>, durability: Durability) -> Result<(), StoreError>;

    /// Checks that this process may change the store. The store asks before it takes a lock, which a forked
    /// process may find locked for ever. Default: it may.
    ///
    /// # Errors
    /// `AlreadyOpen` in a process that was forked since.
    fn check_process(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The properties of the engine. The store asks once.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// A run for the rows of a segment above [`Facts::gathered_bytes`]. `None`, the default, if such a segment is
    /// put batch by batch.
    ///
    /// # Errors
    /// When the engine cannot begin a run now.
    fn sorted_run(&self) -> Result<Option<Box<dyn SortedRun>>, StoreError> {
        Ok(None)
    }

    /// Gives the space of deleted rows back soon, without blocking the caller. The store calls it only if
    /// [`Facts::reclaims`] is set. Default: nothing.
    fn reclaim(&self, _dropped: Dropped) {}

    /// Returns when everything that was handed to [`reclaim`](Self::reclaim) before has been tried. From then on new rows may
    /// lie where deleted ones lay.
    fn wait_for_reclaim(&self) {}

    /// Makes a copy of the engine at `to`, where nothing is. The copy is the state of one moment, with every batch that was
    /// committed before, and is on the disk. Commits go on meanwhile. By default an error.
    ///
    /// # Errors
    /// `Invalid` of an engine that has no copies; else as [`commit`](Self::commit).
    fn back_up(&self, _to: &Path) -> Result<(), StoreError> {
        let detail = "its engine makes no copies of itself: stop it and copy its files, or copy its jobs with \
                      `job_store::copy`";
        Err(StoreError::new(ErrorKind::Invalid, "", detail))
    }

    /// About how many bytes the rows take on disk; `None` (the default) where that is unknown.
    ///
    /// # Errors
    /// When the engine cannot be read.
    fn size(&self) -> Result<Option<u64>, StoreError> {
        Ok(None)
    }
}

/// Takes entries of a scan, key and value.
pub type EachEntry<'e> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'e;

/// Reads an engine.
pub trait View {
    /// The bytes of a value, lent by the engine.
    type Value<'v>: AsRef<[u8]>
    where
        Self: 'v;

    /// The value of a key; `None` if the key is not there.
    ///
    /// # Errors
    /// `Corrupt` when the stored bytes have changed.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Self::Value<'_>>, StoreError>;

    /// Lends the entries of a range to `each` until it breaks. All are of one state of the engine. `each` may read
    /// from this view.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError>;
}

/// The items of a scan.
#[derive(Debug, Clone)]
pub struct Scan<'s> {
    /// Where.
    pub table: Table,
    /// From the first key up to the second, which is not part of it.
    pub keys: Range<&'s [u8]>,
    /// The order of the entries.
    pub order: Order,
    /// Whether the same entries are probably read again soon, as the rows of a page are. Then a cache should keep
    /// them.
    pub again: bool,
}

/// The order of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// The least key first.
    Ascending,
    /// The greatest key first.
    Descending,
}

/// Gathers changes for one [commit](KeyValue::commit).
pub trait Batch {
    /// Puts a value in place of the one that the key may have.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]);

    /// Deletes a key, which may not be there.
    fn delete(&mut self, table: Table, key: &[u8]);

    /// Deletes a key that was put once since its last deletion. Some engines then drop both entries sooner.
    /// Default: [`delete`](Self::delete).
    fn delete_once(&mut self, table: Table, key: &[u8]) {
        self.delete(table, key);
    }

    /// Deletes every key of a range; the second is not part of it.
    fn delete_range(&mut self, table: Table, keys: Range<&[u8]>);
}

/// Rows in the order of their keys, built beside the table and then made part of it. No other key lies between the
/// first and the last of them. A run that is dropped before [`publish`](Self::publish) leaves nothing.
pub trait SortedRun: Send {
    /// Adds a row after all others.
    ///
    /// # Errors
    /// When the engine cannot write.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Ends the run. Its rows survive a power cut from here on. The call may wait for the disk.
    ///
    /// # Errors
    /// When the engine cannot write.
    fn seal(&mut self) -> Result<(), StoreError>;

    /// Makes the rows part of [`Table::Rows`], all or none. The store holds the lock of the job meanwhile, so the
    /// call must be short.
    ///
    /// # Errors
    /// When the engine cannot take the rows; then it has none of them.
    fn publish(self: Box<Self>) -> Result<(), StoreError>;
}

/// The properties of an engine that a store uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether the engine finds damage at each read. Default: false; the store then compares the checksum of every
    /// block that it reads.
    pub checks_reads: bool,
    /// Whether the engine refuses writes. Default: false.
    pub read_only: bool,
    /// The bytes of JSON in a block of rows with which the engine reads and writes fastest. Default:
    /// [`BlockBuilder::BYTES`].
    pub block_bytes: usize,
    /// How the store packs blocks before the engine gets them. Default: [`Packing::None`], for an engine that packs by
    /// itself. ZSTD is not one of them.
    pub packing: Packing,
    /// Bytes of a segment that its writer gathers in memory before it writes them. Default: 4 MiB.
    pub gathered_bytes: usize,
    /// Bytes of rows in a [`SortedRun`]. Default: 64 MiB.
    pub run_bytes: u64,
    /// Whether the space of deleted rows comes back only by [`KeyValue::reclaim`]. Default: false.
    pub reclaims: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            checks_reads: false,
            read_only: false,
            block_bytes: BlockBuilder::BYTES,
            packing: Packing::None,
            gathered_bytes: 4 << 20,
            run_bytes: 64 << 20,
            reclaims: false,
        }
    }
}

/// Rows that a batch has deleted, and whose space is still used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The keys of the rows in [`Table::Rows`]. Nothing is put there before their space is reclaimed.
    pub keys: Range<Vec<u8>>,
    /// The key in [`Table::Jobs`] that notes the deletion. The engine deletes it when the space is back. Until
    /// then the store calls [`KeyValue::reclaim`] again at each opening.
    pub note: Vec<u8>,
}
