//! Reads of RocksDB, and changes on their way into it.

use std::{fmt, ops::Range};

use rocksdb::{ColumnFamily, DBPinnableSlice, ReadOptions, SnapshotWithThreadMode, WriteBatch};

use super::{Db, failure, family};
use crate::{
    StoreError,
    key_value::{Batch, EachEntry, Order, Scan, Table, View},
};

/// The database as it is, or as it was at one moment.
pub struct State<'k> {
    db: &'k Db,
    frozen: Option<SnapshotWithThreadMode<'k, Db>>,
}

impl<'k> State<'k> {
    pub(super) fn frozen(db: &'k Db) -> Self {
        Self { db, frozen: Some(db.snapshot()) }
    }

    pub(super) const fn latest(db: &'k Db) -> Self {
        Self { db, frozen: None }
    }
}

impl View for State<'_> {
    type Value<'v>
        = DBPinnableSlice<'v>
    where
        Self: 'v;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        let family = family(self.db, table)?;
        let found = match &self.frozen {
            Some(frozen) => frozen.get_pinned_cf(family, key),
            None => self.db.get_pinned_cf(family, key),
        };
        found.map_err(failure)
    }

    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let family = family(self.db, scan.table)?;
        let mut options = ReadOptions::default();
        options.set_iterate_range(scan.keys.clone());
        options.fill_cache(scan.again);
        // A reader may be the last to hold files of a removed job: deleting them is not its work.
        options.set_background_purge_on_iterator_cleanup(true);
        let mut entries = match &self.frozen {
            Some(frozen) => frozen.raw_iterator_cf_opt(family, options),
            None => self.db.raw_iterator_cf_opt(family, options),
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

impl fmt::Debug for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// A batch of RocksDB's.
pub struct Changes<'k> {
    pub(super) families: [&'k ColumnFamily; 3],
    pub(super) batch: WriteBatch,
}

impl Batch for Changes<'_> {
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
        self.batch.delete_range_cf(table.of(&self.families), keys.start, keys.end);
    }
}

impl fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("changes", &self.batch.len()).finish_non_exhaustive()
    }
}
