//! A store in fjall, an engine of log-structured trees in Rust: the whole adaptor.
//!
//! fjall has no range delete, so the keys of a range are deleted one by one. After an error of the disk it takes no
//! write until the database is opened again.
#![allow(
    missing_docs,
    missing_debug_implementations,
    dead_code,
    clippy::missing_errors_doc,
    reason = "an example, which tests use without its main function"
)]

use std::{borrow::Cow, collections::BTreeMap, error::Error, fmt, io, iter, ops::Range, path::Path};

use fjall::{Database, KeyspaceCreateOptions, PersistMode, Readable, Snapshot, UserValue};
use job_core::{JobId, JobRecord, JobSpec, Timestamp};
use job_store::{
    Durability, ErrorKind, JobStore, Store, StoreError,
    key_value::{Change, Changes, EachEntry, KeyValue, KeyValueStore, Order, Scan, Table, View},
};

/// An engine: keyspaces of one fjall database.
pub struct Fjall {
    db: Database,
    tables: [fjall::Keyspace; 3],
}

impl Fjall {
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let db = Database::builder(path).open().map_err(failure)?;
        let open = |table: Table| db.keyspace(table.name(), KeyspaceCreateOptions::default).map_err(failure);
        let [jobs, checkpoints, rows] = Table::ALL.map(open);
        Ok(Self { tables: [jobs?, checkpoints?, rows?], db })
    }
}

impl KeyValue for Fjall {
    type View<'k> = State<'k>;
    type Batch<'k> = Changes;

    fn view(&self) -> Result<State<'_>, StoreError> {
        Ok(State { fjall: self, snapshot: self.db.snapshot() })
    }

    fn batch(&self) -> Result<Changes, StoreError> {
        Ok(Changes::default())
    }

    fn commit(&self, changes: Changes, durability: Durability) -> Result<(), StoreError> {
        let mode = match durability {
            Durability::Buffered => PersistMode::Buffer,
            Durability::Synced => PersistMode::SyncAll,
        };
        let mut batch = self.db.batch().durability(Some(mode));
        let view = self.view()?;
        for ((table, key), value) in last_of_each(&view, &changes)? {
            match value {
                Some(value) => batch.insert(table.of(&self.tables), &*key, value),
                None => batch.remove(table.of(&self.tables), &*key),
            }
        }
        batch.commit().map_err(failure)
    }

    fn size(&self) -> Result<Option<u64>, StoreError> {
        Ok(Some(Table::Rows.of(&self.tables).disk_space()))
    }
}

/// The last change of each key: fjall makes all changes of a batch at one moment, so it must have one for a key.
type Last<'c> = BTreeMap<(Table, Cow<'c, [u8]>), Option<&'c [u8]>>;

fn last_of_each<'c>(view: &State<'_>, changes: &'c Changes) -> Result<Last<'c>, StoreError> {
    let mut last = Last::new();
    for (table, change) in changes.iter() {
        match change {
            Change::Put { key, value } => drop(last.insert((table, Cow::Borrowed(key)), Some(value))),
            Change::Delete { key } => drop(last.insert((table, Cow::Borrowed(key)), None)),
            Change::DeleteRange { keys } => {
                for ((of, key), value) in &mut last {
                    if *of == table && keys.contains(&&**key) {
                        *value = None;
                    }
                }
                for entry in view.range(table, keys) {
                    last.insert((table, Cow::Owned(entry.key().map_err(failure)?.to_vec())), None);
                }
            }
        }
    }
    Ok(last)
}

/// The database as it was at one moment.
pub struct State<'k> {
    fjall: &'k Fjall,
    snapshot: Snapshot,
}

impl State<'_> {
    fn range(&self, table: Table, keys: Range<&[u8]>) -> fjall::Iter {
        self.snapshot.range(table.of(&self.fjall.tables), keys)
    }
}

impl View for State<'_> {
    type Value<'v>
        = UserValue
    where
        Self: 'v;

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<UserValue>, StoreError> {
        self.snapshot.get(table.of(&self.fjall.tables), key).map_err(failure)
    }

    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let mut entries = self.range(scan.table, scan.keys.clone());
        let mut next = || match scan.order {
            Order::Ascending => entries.next(),
            Order::Descending => entries.next_back(),
        };
        while let Some(entry) = next() {
            let (key, value) = entry.into_inner().map_err(failure)?;
            if each(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn failure(error: fjall::Error) -> StoreError {
    let mut causes = iter::successors(Some(&error as &(dyn Error + 'static)), |&error| error.source());
    let system = causes.find_map(|error| error.downcast_ref::<io::Error>());
    let kind = match (&error, system.map(io::Error::kind)) {
        (_, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) => ErrorKind::Full,
        (_, Some(_)) | (fjall::Error::Poisoned, _) => ErrorKind::Unavailable,
        (fjall::Error::Locked, _) => ErrorKind::AlreadyOpen,
        (fjall::Error::InvalidVersion(_), _) => ErrorKind::Format,
        _ => ErrorKind::Corrupt,
    };
    StoreError::caused(kind, error)
}

impl fmt::Debug for Fjall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fjall").finish_non_exhaustive()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let now = Timestamp::from_micros(1);
    let job =
        JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now);
    let store = KeyValueStore::new(Fjall::open(directory.path())?)?;
    store.insert(std::slice::from_ref(&job), Durability::Synced)?;
    drop(store);
    let store = KeyValueStore::new(Fjall::open(directory.path())?)?;
    assert_eq!(store.unfinished()?, [job]);
    Ok(())
}
