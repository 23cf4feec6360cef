//! [`RedbStore`]: jobs and rows in redb, a store of Rust alone.

mod backup;
mod file;

use std::{cell::OnceCell, fmt, path::Path};

use redb::{
    AccessGuard, Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTableMetadata,
    TableDefinition,
};

use self::file::File;
use crate::{
    Durability, ErrorKind, Packing, StoreError,
    key_value::{Change, Changes, EachEntry, Facts, KeyValue, KeyValueStore, Order, Scan, Table, View},
    lock,
};

type Bytes = &'static [u8];

/// Keeps jobs and rows in one redb file: no C++ in the build, for engines whose results are small.
///
/// Clones share one database; it closes with the last of them. redb has one writer at a time and no log that
/// outlives a process. So every write is synced, a [`Buffered`](crate::Durability::Buffered) one as well, and
/// writers wait for each other. redb does not check its pages at each read, so the store verifies each block.
///
/// After a crash redb reads the whole file at the opening, at some seconds for each GB, and logs a warning.
///
/// Do not move the file while a store is open. Writes are refused (`Unavailable`) while the path leads to no file
/// or to another one. A process that was forked while a store was open changes nothing (`AlreadyOpen`). It keeps
/// the file locked until it ends or starts another program.
///
/// ```
/// use job_store::{RedbStore, Store};
///
/// let directory = tempfile::tempdir()?;
/// let store = RedbStore::open(directory.path().join("jobs.redb"))?;
/// assert!(store.unfinished()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type RedbStore = KeyValueStore<Redb>;

impl RedbStore {
    /// Opens the store in the file `path`, or makes one.
    ///
    /// # Errors
    /// `AlreadyOpen` if a process has the file open, which may be this one. `Format` if another version wrote the
    /// file. `Corrupt` if the file is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, RedbOptions::default())
    }

    /// As [`open`](Self::open), with options.
    ///
    /// ```
    /// use job_store::{Packing, RedbOptions, RedbStore};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let options = RedbOptions::default().packing(Packing::None);
    /// let store = RedbStore::open_with(directory.path().join("jobs.redb"), options)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there, and `Invalid` for a packing that this store does not have.
    pub fn open_with(path: impl AsRef<Path>, options: RedbOptions) -> Result<Self, StoreError> {
        options.packing.check_of_blocks(file::OPERATION)?;
        Self::new(Redb::open(path.as_ref(), options)?)
    }
}

/// How a [`RedbStore`] keeps its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RedbOptions {
    /// How blocks of rows are packed. Default: LZ4. ZSTD is not one of them.
    pub packing: Packing,
}

impl RedbOptions {
    /// Sets [`packing`](#structfield.packing).
    #[must_use]
    pub const fn packing(mut self, packing: Packing) -> Self {
        self.packing = packing;
        self
    }
}

/// The engine of a [`RedbStore`]: one redb file.
pub struct Redb {
    file: File,
    options: RedbOptions,
}

impl Redb {
    fn open(path: &Path, options: RedbOptions) -> Result<Self, StoreError> {
        let redb = Self { file: File::open(path)?, options };
        // The commit makes the tables, so that reads find them in an empty store.
        redb.commit(Changes::default(), Durability::Buffered)
            .map_err(|error| error.during(file::OPERATION, None))?;
        Ok(redb)
    }

    fn noted<T>(&self, result: Result<T, impl Into<redb::Error>>) -> Result<T, StoreError> {
        result.map_err(failure).inspect_err(|error| self.file.note(error))
    }
}

impl fmt::Debug for Redb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redb").finish_non_exhaustive()
    }
}

impl KeyValue for Redb {
    type View<'k> = State<'k>;
    type Batch<'k> = Changes;

    fn view(&self) -> Result<State<'_>, StoreError> {
        let transaction = self.noted(self.file.database()?.begin_read())?;
        Ok(State { redb: self, transaction, tables: [const { OnceCell::new() }; 3] })
    }

    fn batch(&self) -> Result<Changes, StoreError> {
        Ok(Changes::default())
    }

    fn commit(&self, batch: Changes, _: Durability) -> Result<(), StoreError> {
        let db = self.file.writable()?;
        self.noted(transact(&db, &batch))
    }

    fn check_process(&self) -> Result<(), StoreError> {
        self.file.check_process()
    }

    fn facts(&self) -> Facts {
        Facts { packing: self.options.packing, ..Facts::default() }
    }

    fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        backup::back_up(&self.view()?, to)
    }

    fn size(&self) -> Result<Option<u64>, StoreError> {
        let view = self.view()?;
        let stats = self.noted(view.table(Table::Rows)?.stats())?;
        Ok(Some(stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes()))
    }
}

/// Makes the changes in a transaction, which redb rolls back unless it is committed.
fn transact(db: &Database, changes: &Changes) -> Result<(), redb::Error> {
    let transaction = db.begin_write()?;
    {
        let mut jobs = transaction.open_table(definition(Table::Jobs))?;
        let mut checkpoints = transaction.open_table(definition(Table::Checkpoints))?;
        let mut rows = transaction.open_table(definition(Table::Rows))?;
        for (table, change) in changes.iter() {
            let table = match table {
                Table::Jobs => &mut jobs,
                Table::Checkpoints => &mut checkpoints,
                Table::Rows => &mut rows,
            };
            match change {
                Change::Put { key, value } => drop(table.insert(key, value)?),
                Change::Delete { key } => drop(table.remove(key)?),
                Change::DeleteRange { keys } => table.retain_in(keys, |_, _| false)?,
            }
        }
    }
    Ok(transaction.commit()?)
}

/// The contents of the file at one moment.
#[derive(Debug)]
pub struct State<'k> {
    redb: &'k Redb,
    transaction: ReadTransaction,
    /// The tables, each opened at its first read.
    tables: [OnceCell<ReadOnlyTable<Bytes, Bytes>>; 3],
}

impl State<'_> {
    fn table(&self, table: Table) -> Result<&ReadOnlyTable<Bytes, Bytes>, StoreError> {
        let cell = table.of(&self.tables);
        if let Some(opened) = cell.get() {
            return Ok(opened);
        }
        let opened = self.redb.noted(self.transaction.open_table(definition(table)))?;
        Ok(cell.get_or_init(|| opened))
    }
}

impl View for State<'_> {
    type Value<'v>
        = Lent<'v>
    where
        Self: 'v;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Lent<'_>>, StoreError> {
        Ok(self.redb.noted(self.table(table)?.get(key))?.map(Lent))
    }

    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let mut entries = self.redb.noted(self.table(scan.table)?.range(scan.keys.clone()))?;
        let mut next = || match scan.order {
            Order::Ascending => entries.next(),
            Order::Descending => entries.next_back(),
        };
        while let Some(entry) = next() {
            let (key, value) = self.redb.noted(entry)?;
            if each(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// A value inside a page of redb.
pub struct Lent<'v>(AccessGuard<'v, Bytes>);

impl fmt::Debug for Lent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lent").field(&self.as_ref()).finish()
    }
}

impl AsRef<[u8]> for Lent<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

fn failure(error: impl Into<redb::Error>) -> StoreError {
    let error = error.into();
    let kind = match &error {
        redb::Error::Corrupted(_) => ErrorKind::Corrupt,
        redb::Error::DatabaseAlreadyOpen => ErrorKind::AlreadyOpen,
        redb::Error::UpgradeRequired(_) => ErrorKind::Format,
        redb::Error::Io(error) if lock::is_full(error) => ErrorKind::Full,
        _ => ErrorKind::Unavailable,
    };
    StoreError::caused(kind, error)
}
