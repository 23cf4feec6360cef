//! An engine in memory that dies, is damaged and counts as a test asks it to.

use std::{
    collections::BTreeMap,
    ops::{Bound, Range},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use job_store::{
    Durability, StoreError,
    conformance::Death,
    key_value::{Change, Changes, EachEntry, KeyValue, Order, Scan, Table, View},
};
use parking_lot::Mutex;

pub type Key = (Table, Vec<u8>);
type Entries = BTreeMap<Key, Vec<u8>>;

/// One change of one key.
#[derive(Debug, Clone)]
pub enum Step {
    Put(Key, Vec<u8>),
    Delete(Key),
    DeleteRange(Table, Range<Vec<u8>>),
}

impl Step {
    fn apply(&self, entries: &mut Entries) {
        match self {
            Self::Put(key, value) => drop(entries.insert(key.clone(), value.clone())),
            Self::Delete(key) => drop(entries.remove(key)),
            Self::DeleteRange(table, keys) => {
                entries.retain(|(of, key), _| of != table || !keys.contains(key));
            }
        }
    }
}

/// The changes of one commit.
#[derive(Debug, Clone)]
pub struct Commit {
    pub steps: Vec<Step>,
    pub synced: bool,
}

/// The commits that are left after a death, of those since the engine was opened or last died. A right disk loses
/// buffered commits with the power, and none with the process.
pub type Left = fn(Vec<Commit>, Death) -> Vec<Commit>;

pub fn sound(mut commits: Vec<Commit>, death: Death) -> Vec<Commit> {
    if death == Death::Power {
        let synced = commits.iter().rposition(|commit| commit.synced).map_or(0, |last| last + 1);
        commits.truncate(synced);
    }
    commits
}

/// A key-value engine in memory. Clones are handles of one engine.
#[derive(Debug, Clone)]
pub struct Engine {
    disk: Arc<Mutex<Disk>>,
    looked_at: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Disk {
    /// The entries that the process sees.
    now: Arc<Entries>,
    /// The entries at the opening.
    before: Arc<Entries>,
    since: Vec<Commit>,
    left: Left,
    has_died: bool,
}

impl Engine {
    pub fn new(left: Left) -> Self {
        let empty = Arc::new(Entries::new());
        let disk = Disk { now: Arc::clone(&empty), before: empty, since: Vec::new(), left, has_died: false };
        Self { disk: Arc::new(Mutex::new(disk)), looked_at: Arc::default() }
    }

    /// How many keys were read so far, or passed in a scan.
    pub fn looked_at(&self) -> u64 {
        self.looked_at.load(Ordering::Relaxed)
    }

    pub fn has_died(&self) -> bool {
        self.disk.lock().has_died
    }

    pub fn die(&self, death: Death) {
        let disk = &mut *self.disk.lock();
        disk.has_died = true;
        let mut entries = Entries::clone(&disk.before);
        for commit in (disk.left)(std::mem::take(&mut disk.since), death) {
            commit.steps.iter().for_each(|step| step.apply(&mut entries));
        }
        disk.now = Arc::new(entries);
        disk.before = Arc::clone(&disk.now);
    }

    /// Changes values that hold these bytes. Returns whether there was one.
    pub fn damage(&self, mark: &[u8], change: impl Fn(&Key, &[u8], usize) -> Vec<u8>) -> bool {
        let disk = &mut *self.disk.lock();
        let mut found = false;
        for (key, value) in Arc::make_mut(&mut disk.now) {
            if let Some(at) = value.windows(mark.len()).position(|window| window == mark) {
                *value = change(key, value, at);
                found = true;
            }
        }
        disk.before = Arc::clone(&disk.now);
        disk.since.clear();
        found
    }

    pub fn put(&self, table: Table, key: &[u8], value: &[u8]) {
        let disk = &mut *self.disk.lock();
        Arc::make_mut(&mut disk.now).insert((table, key.to_vec()), value.to_vec());
        disk.before = Arc::clone(&disk.now);
        disk.since.clear();
    }
}

impl KeyValue for Engine {
    type View<'k> = State;
    type Batch<'k> = Changes;

    fn view(&self) -> Result<State, StoreError> {
        Ok(State { entries: Arc::clone(&self.disk.lock().now), looked_at: Arc::clone(&self.looked_at) })
    }

    fn batch(&self) -> Result<Changes, StoreError> {
        Ok(Changes::default())
    }

    fn commit(&self, batch: Changes, durability: Durability) -> Result<(), StoreError> {
        let steps = batch.iter().map(|(table, change)| match change {
            Change::Put { key, value } => Step::Put((table, key.to_vec()), value.to_vec()),
            Change::Delete { key } => Step::Delete((table, key.to_vec())),
            Change::DeleteRange { keys } => Step::DeleteRange(table, keys.start.to_vec()..keys.end.to_vec()),
        });
        let commit = Commit { steps: steps.collect(), synced: durability == Durability::Synced };
        let disk = &mut *self.disk.lock();
        let now = Arc::make_mut(&mut disk.now);
        commit.steps.iter().for_each(|step| step.apply(now));
        disk.since.push(commit);
        Ok(())
    }
}

/// The contents of the engine at one moment.
#[derive(Debug)]
pub struct State {
    entries: Arc<Entries>,
    looked_at: Arc<AtomicU64>,
}

impl State {
    fn look(&self) {
        self.looked_at.fetch_add(1, Ordering::Relaxed);
    }
}

impl View for State {
    type Value<'v> = &'v [u8];

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        self.look();
        Ok(self.entries.get(&(table, key.to_vec())).map(Vec::as_slice))
    }

    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let Range { start, end } = scan.keys;
        self.look();
        if start >= end {
            return Ok(());
        }
        let bounds = (Bound::Included((scan.table, start.to_vec())), Bound::Excluded((scan.table, end.to_vec())));
        let mut entries = self.entries.range(bounds).map(|((_, key), value)| (key.as_slice(), value.as_slice()));
        let mut next = || match scan.order {
            Order::Ascending => entries.next(),
            Order::Descending => entries.next_back(),
        };
        while let Some((key, value)) = next() {
            self.look();
            if each(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
