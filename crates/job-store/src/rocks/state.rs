//! Reads of RocksDB, and its batches.

use std::{fmt, mem, ops::Range};

use rocksdb::{DBPinnableSlice, ReadOptions, SnapshotWithThreadMode, WriteBatch, WriteOptions};

use super::{Database, failure, family};
use crate::{
    StoreError,
    key_value::{Batch, EachEntry, Order, Scan, Table, View},
};

/// The present state of the database, or a snapshot.
pub struct State<'k, D: Database> {
    db: &'k D,
    frozen: Option<SnapshotWithThreadMode<'k, D>>,
}

impl<'k, D: Database> State<'k, D> {
    pub(super) fn frozen(db: &'k D) -> Self {
        Self { db, frozen: Some(SnapshotWithThreadMode::new(db)) }
    }

    pub(super) const fn latest(db: &'k D) -> Self {
        Self { db, frozen: None }
    }
}

impl<D: Database> View for State<'_, D> {
    type Value<'v>
        = DBPinnableSlice<'v>
    where
        Self: 'v;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        let family = family(self.db, table)?;
        let found = match &self.frozen {
            Some(frozen) => frozen.get_pinned_cf(&family, key),
            None => self.db.get_pinned_cf_opt(&family, key, &ReadOptions::default()),
        };
        found.map_err(failure)
    }

    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let family = family(self.db, scan.table)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(scan.keys.clone());
        options.fill_cache(scan.again);
        // The reader may be the last to hold files of a removed job. The background thread deletes them.
        options.set_background_purge_on_iterator_cleanup(true);
        let mut entries = match &self.frozen {
            Some(frozen) => frozen.raw_iterator_cf_opt(&family, options),
            None => self.db.raw_iterator(&family, options),
        };
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

impl<D: Database> fmt::Debug for State<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// A batch of RocksDB.
pub struct Changes<'k, D: Database> {
    db: &'k D,
    families: [D::Family<'k>; 3],
    pub(super) batch: WriteBatch,
    /// Ranges that the database cannot delete in a batch. It deletes their keys one by one.
    ranges: Vec<(Table, Range<Vec<u8>>)>,
}

impl<'k, D: Database> Changes<'k, D> {
    pub(super) fn new(db: &'k D, families: [D::Family<'k>; 3]) -> Self {
        Self { db, families, batch: WriteBatch::default(), ranges: Vec::new() }
    }

    /// Cost with optimistic transactions: a read of the rows in the deleted ranges.
    pub(super) fn write(mut self, options: &WriteOptions) -> Result<(), StoreError> {
        for (table, keys) in mem::take(&mut self.ranges) {
            let family = table.of(&self.families);
            let mut reading = ReadOptions::default();
            reading.set_iterate_range(keys);
            reading.fill_cache(false);
            let mut entries = self.db.raw_iterator(family, reading);
            entries.seek_to_first();
            while let Some(key) = entries.key() {
                self.batch.delete_cf(family, key);
                entries.next();
            }
            entries.status().map_err(failure)?;
        }
        self.db.write_opt(self.batch, options).map_err(failure)
    }
}

impl<D: Database> Batch for Changes<'_, D> {
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.batch.put_cf(table.of(&self.families), key, value);
    }

    fn delete(&mut self, table: Table, key: &[u8]) {
        self.batch.delete_cf(table.of(&self.families), key);
    }

    fn delete_once(&mut self, table: Table, key: &[u8]) {
        self.batch.single_delete_cf(table.of(&self.families), key);
    }

    fn delete_range(&mut self, table: Table, keys: Range<&[u8]>) {
        if D::RANGES_IN_BATCHES {
            self.batch.delete_range_cf(table.of(&self.families), keys.start, keys.end);
        } else {
            self.ranges.push((table, keys.start.to_vec()..keys.end.to_vec()));
        }
    }
}

impl<D: Database> fmt::Debug for Changes<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("changes", &self.batch.len()).finish_non_exhaustive()
    }
}
