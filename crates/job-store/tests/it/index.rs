//! The index of stores over key-value engines, and its making for a store without one.

use job_core::{Event, JobFilter, JobId, JobRecord, JobSpec, Timestamp};
use job_store::{
    Durability, JobStore, Kept, KeyValueStore,
    key_value::{Batch, Changes, KeyValue, Order, Scan, Table, View},
};

use crate::btree_map::Map;

fn job(n: u64) -> JobRecord {
    let at = Timestamp::from_micros(n * 1_000);
    let spec = JobSpec::vertex_filter().with_graph("g").owner("Sarah").label("nightly");
    JobRecord::waiting(JobId::from_parts(at, [0; 10]), spec, at)
}

fn entries(map: &Map) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for group in [b"o", b"x"] {
        let end = [group[0] + 1];
        let scan = Scan { table: Table::Jobs, keys: &group[..]..&end, order: Order::Ascending, again: false };
        let mut each = |key: &[u8], _: &[u8]| {
            found.push(key.to_vec());
            std::ops::ControlFlow::Continue(())
        };
        map.view().unwrap().scan(&scan, &mut each).unwrap();
    }
    found
}

fn change(map: &Map, change: impl FnOnce(&mut Changes)) {
    let mut changes = Changes::default();
    change(&mut changes);
    map.commit(changes, Durability::Buffered).unwrap();
}

/// A store of version 1. An opening has begun its index and was stopped; then the earlier version wrote to it.
#[test]
fn an_index_that_was_begun_is_made_anew() {
    let map = Map::default();
    let store = KeyValueStore::new(map.clone()).unwrap();
    for n in 1..=2_500 {
        store.insert(&[job(n)], Durability::Buffered).unwrap();
        if n % 500 != 0 {
            store
                .replace(&job(n).apply(Event::Cancel, Timestamp::from_micros(n)).unwrap(), Durability::Buffered)
                .unwrap();
        }
    }
    let all = entries(&map);
    assert_eq!(all.len(), 2_495 * 5);
    drop(store);
    let gone = [b"j", job(7).id.as_bytes().as_slice()].concat();
    change(&map, |changes| {
        changes.put(Table::Jobs, b"f", &[1]);
        for key in all.iter().skip(900) {
            changes.delete(Table::Jobs, key);
        }
        changes.delete(Table::Jobs, &gone);
    });
    let store = KeyValueStore::new(map.clone()).unwrap();
    assert_eq!(entries(&map).len(), 2_494 * 5);
    let found = store.filtered_entries(&JobFilter::default().label("nightly"), Some(job(11).id), 99).unwrap();
    let numbers = [10, 9, 8, 6, 5, 4, 3, 2, 1];
    assert_eq!(found.iter().map(|listed| listed.id).collect::<Vec<_>>(), numbers.map(|n| job(n).id));
    assert_eq!(store.kept().unwrap(), Kept { jobs: 2_494, bytes: 0 });
    drop(store);
    // The second opening does not make the index again.
    let before = entries(&map);
    drop(KeyValueStore::new(map.clone()).unwrap());
    assert_eq!(entries(&map), before);
}

#[test]
fn a_removed_job_leaves_no_entry() {
    let map = Map::default();
    let store = KeyValueStore::new(map.clone()).unwrap();
    store.insert(&[job(1), job(2)], Durability::Buffered).unwrap();
    assert_eq!(entries(&map), [[0u8; 0]; 0], "a job that is not complete has none");
    for n in [1, 2] {
        store
            .replace(&job(n).apply(Event::Cancel, Timestamp::from_micros(9)).unwrap(), Durability::Buffered)
            .unwrap();
    }
    store
        .record_reads(&[(job(1).id, Timestamp::from_micros(99)), (job(1).id, Timestamp::from_micros(77))])
        .unwrap();
    assert_eq!(entries(&map).len(), 2 * 5);
    for n in [1, 2] {
        assert!(store.remove(job(n).id).unwrap());
    }
    assert_eq!(entries(&map), [[0u8; 0]; 0]);
}
