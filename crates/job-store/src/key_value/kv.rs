//! [`KeyValue`]: what a store asks of an ordered key-value engine.

use std::{
    fmt::Debug,
    ops::{ControlFlow, Range},
};

use crate::{BlockBuilder, Durability, StoreError};

/// The tables of a store. Keys of one are never looked for in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Records, results and what finds them: small values, many of which change.
    Jobs,
    /// Checkpoints: large, short-lived, one for a job.
    Checkpoints,
    /// Blocks of rows: some 128 KiB each, put once, deleted by ranges.
    Rows,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jobs, Self::Checkpoints, Self::Rows];

    /// Its name in an engine that has names for tables.
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

/// An ordered key-value engine, as [`KeyValueStore`](super::KeyValueStore) uses it: keys sort byte by byte.
///
/// # Contract
/// * A [batch](Self::commit) is seen whole or not at all, by every view and after every crash.
/// * A view that is made after a batch was committed sees it.
/// * Open views and scans stop no commit: all threads, and the one that has them, may commit and open more meanwhile.
/// * One `KeyValueStore` at a time has the engine for writing, in all processes: it keeps locks and revisions in memory. The
///   adaptor refuses a second one, or its documentation does.
/// * An error has its class ([`StoreError::caused`]) and needs neither an operation nor a job: the store adds them.
///
/// The engine needs no transactions: no other call changes the keys of a batch between its reads and its commit.
pub trait KeyValue: Debug + Send + Sync + 'static {
    /// A state of the engine, to be read.
    type View<'k>: View;
    /// Changes on their way into the engine. [`Changes`](super::Changes) is one for engines that have none of their own.
    type Batch<'k>: Batch;

    /// The state at this moment, which later commits do not change.
    ///
    /// # Errors
    /// When the engine cannot be read.
    fn view(&self) -> Result<Self::View<'_>, StoreError>;

    /// For a single read, or for reads of keys that do not change meanwhile. Each read of this view may see a later
    /// state, if that costs less than [`view`](Self::view).
    ///
    /// # Errors
    /// As there.
    fn latest(&self) -> Result<Self::View<'_>, StoreError> {
        self.view()
    }

    /// A batch without changes.
    ///
    /// # Errors
    /// When there cannot be one.
    fn batch(&self) -> Result<Self::Batch<'_>, StoreError>;

    /// Makes all changes of a batch, in their order, or none. With [`Durability::Synced`] they survive a power cut, and so
    /// does every batch committed before.
    ///
    /// # Errors
    /// `ReadOnly`, `Full` or `Unavailable` when nothing was changed.
    fn commit(&self, batch: Self::Batch<'_>, durability: Durability) -> Result<(), StoreError>;

    /// Whether this process may change anything; asked before the store takes a lock, which a forked process may find
    /// locked for ever.
    ///
    /// # Errors
    /// `AlreadyOpen` in a process that was forked since.
    fn check_process(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The properties of the engine that the store uses; asked once.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// A run of rows for a segment that outgrew memory. `None` (the default) where such a segment is put batch by batch.
    ///
    /// # Errors
    /// When there cannot be one now.
    fn sorted_run(&self) -> Result<Option<Box<dyn SortedRun>>, StoreError> {
        Ok(None)
    }

    /// Gives the space of deleted rows back, soon, and holds the caller up for nothing of that. Called only where
    /// [`Facts::reclaims`] says so.
    fn reclaim(&self, _dropped: Dropped) {}

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
    /// `Corrupt` when what is stored is not what was put.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Self::Value<'_>>, StoreError>;

    /// Lends the entries of a range to `each`, until that breaks; one state of the engine. `each` may read from this view.
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
    /// In which order.
    pub order: Order,
    /// Whether the same is read again soon, as rows of a page are: worth a place in a cache.
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

    /// Deletes a key that was put once since it was last deleted: some engines forget both sooner then.
    fn delete_once(&mut self, table: Table, key: &[u8]) {
        self.delete(table, key);
    }

    /// Deletes every key of a range; the second is not part of it.
    fn delete_range(&mut self, table: Table, keys: Range<&[u8]>);
}

/// Rows in the order of their keys, built beside the table and made part of it as they are. No other key lies between the
/// first and the last of them. A run that is dropped before it is published leaves nothing.
pub trait SortedRun: Send {
    /// Adds a row behind all others.
    ///
    /// # Errors
    /// When it cannot be written.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;

    /// Ends the run: from here on its rows survive a power cut. May take its time.
    ///
    /// # Errors
    /// When it cannot be written.
    fn seal(&mut self) -> Result<(), StoreError>;

    /// Makes the rows part of [`Table::Rows`], all of them or none. Soon done: the job is locked meanwhile.
    ///
    /// # Errors
    /// When that failed.
    fn publish(self: Box<Self>) -> Result<(), StoreError>;
}

/// The properties of an engine that a store uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether the engine finds damage by itself whenever it reads. Default: no, so the store compares the checksum of every
    /// block that it reads.
    pub checks_reads: bool,
    /// Whether nothing can be written. Default: no.
    pub read_only: bool,
    /// Bytes of JSON in a block of rows that reads and writes fastest. Default: [`BlockBuilder::BYTES`].
    pub block_bytes: usize,
    /// Bytes of a segment that are gathered in the memory of its writer before they are written. Default: 4 MiB.
    pub gathered_bytes: usize,
    /// Bytes of rows in a [`SortedRun`]. Default: 64 MiB.
    pub run_bytes: u64,
    /// Whether the space of deleted rows comes back by [`KeyValue::reclaim`] alone. Default: no.
    pub reclaims: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            checks_reads: false,
            read_only: false,
            block_bytes: BlockBuilder::BYTES,
            gathered_bytes: 4 << 20,
            run_bytes: 64 << 20,
            reclaims: false,
        }
    }
}

/// Rows that a batch has deleted, whose space is to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Their keys in [`Table::Rows`]; nothing is ever put there again.
    pub keys: Range<Vec<u8>>,
    /// The key in [`Table::Jobs`] that says so, to be deleted when the space is back. As long as it is there, the rows are
    /// handed over again whenever the store opens.
    pub note: Vec<u8>,
}
