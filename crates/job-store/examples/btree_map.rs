#![allow(missing_docs, dead_code, reason = "an example, which tests use without its main function")]

use std::{
    collections::BTreeMap,
    error::Error,
    ops::{Bound, Range},
    sync::{Arc, Mutex, PoisonError},
};

use job_core::{JobId, JobRecord, JobSpec, Timestamp};
use job_store::{
    Durability, JobStore, Store, StoreError,
    key_value::{Change, Changes, EachEntry, KeyValue, KeyValueStore, Order, Scan, Table, View},
};

type Entries = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// An engine: a map, copied when it is changed while a view of it is open.
#[derive(Debug, Clone, Default)]
pub struct Map(Arc<Mutex<Arc<Entries>>>);

impl KeyValue for Map {
    type View<'k> = State;
    type Batch<'k> = Changes;

    fn view(&self) -> Result<State, StoreError> {
        Ok(State(Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))))
    }

    fn batch(&self) -> Result<Changes, StoreError> {
        Ok(Changes::default())
    }

    fn commit(&self, batch: Changes, _: Durability) -> Result<(), StoreError> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = Arc::make_mut(&mut entries);
        for (table, change) in batch.iter() {
            match change {
                Change::Put { key, value } => drop(entries.insert((table, key.to_vec()), value.to_vec())),
                Change::Delete { key } => drop(entries.remove(&(table, key.to_vec()))),
                Change::DeleteRange { keys } => {
                    entries.retain(|(of, key), _| *of != table || !keys.contains(&key.as_slice()));
                }
            }
        }
        Ok(())
    }
}

/// The map as it was at one moment.
#[derive(Debug)]
pub struct State(Arc<Entries>);

impl View for State {
    type Value<'v> = &'v [u8];

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<&[u8]>, StoreError> {
        Ok(self.0.get(&(table, key.to_vec())).map(Vec::as_slice))
    }

    fn scan(&self, scan: &Scan<'_>, each: &mut EachEntry<'_>) -> Result<(), StoreError> {
        let Range { start, end } = scan.keys;
        if start >= end {
            return Ok(());
        }
        let bounds = (Bound::Included((scan.table, start.to_vec())), Bound::Excluded((scan.table, end.to_vec())));
        let mut entries = self.0.range(bounds).map(|((_, key), value)| (key.as_slice(), value.as_slice()));
        let mut next = || match scan.order {
            Order::Ascending => entries.next(),
            Order::Descending => entries.next_back(),
        };
        while let Some((key, value)) = next() {
            if each(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = KeyValueStore::new(Map::default())?;
    let now = Timestamp::from_micros(1);
    let job =
        JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now);
    store.insert(std::slice::from_ref(&job), Durability::Synced)?;
    assert_eq!(store.unfinished()?, [job]);
    Ok(())
}
