//! Reads of the database, and its batches.

use std::{fmt, ops::Range};

use job_runner::store::{
    StoreError,
    key_value::{Batch, EachEntry, Order, Scan, Table, View},
};
use rocksdb::{ColumnFamily, DB, DBPinnableSlice, ReadOptions, Snapshot, WriteBatch};

use crate::{failure::failure, family};

/// The present state of the database, or a snapshot.
pub struct State<'k> {
    db: &'k DB,
    frozen: Option<Snapshot<'k>>,
}

impl<'k> State<'k> {
    pub(crate) fn frozen(db: &'k DB) -> Self {
        Self { db, frozen: Some(db.snapshot()) }
    }

    pub(crate) const fn latest(db: &'k DB) -> Self {
        Self { db, frozen: None }
    }

    fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::default();
        if let Some(frozen) = &self.frozen {
            options.set_snapshot(frozen);
        }
        options
    }
}

impl View for State<'_> {
    type Value<'v>
        = DBPinnableSlice<'v>
    where
        Self: 'v;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        self.db.get_pinned_cf_opt(family(self.db, table)?, key, &self.options()).map_err(failure)
    }

    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let mut options = self.options();
        options.set_iterate_range(scan.keys.clone());
        options.fill_cache(scan.again);
        let mut entries = self.db.raw_iterator_cf_opt(family(self.db, scan.table)?, options);
        match scan.order {
            Order::Ascending => entries.seek_to_first(),
            Order::Descending => entries.seek_to_last(),
        }
        while let Some((key, value)) = entries.item() {
            if each(key, value).is_break() {
                return Ok(());
            }
            match scan.order {
                Order::Ascending => entries.next(),
                Order::Descending => entries.prev(),
            }
        }
        entries.status().map_err(failure)
    }
}

impl fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// A batch of RocksDB.
pub struct Changes<'k> {
    families: [&'k ColumnFamily; 3],
    batch: WriteBatch,
}

impl<'k> Changes<'k> {
    pub(crate) fn new(families: [&'k ColumnFamily; 3]) -> Self {
        Self { families, batch: WriteBatch::default() }
    }

    pub(crate) fn into_batch(self) -> WriteBatch {
        self.batch
    }
}

impl Batch for Changes<'_> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.batch.put_cf(table.of(&self.families), key, value);
    }

    fn delete(&mut self, table: Table, key: &[u8]) {
        self.batch.delete_cf(table.of(&self.families), key);
    }

    fn delete_range(&mut self, table: Table, keys: Range<&[u8]>) {
        self.batch.delete_range_cf(table.of(&self.families), keys.start, keys.end);
    }
}

impl fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("changes", &self.batch.len()).finish_non_exhaustive()
    }
}
