//! Faults that only a store in a redb file can have.

use std::fs;

use job_core::{JobId, JobRecord, JobSpec, Timestamp};
use job_store::{Durability, ErrorKind, JobStore, RedbStore, Store};

fn job(n: u64) -> JobRecord {
    let now = Timestamp::from_micros(n * 1_000);
    JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("g"), now)
}

#[test]
fn a_store_is_known_by_its_file_however_its_path_is_spelled() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.redb");
    let store = RedbStore::open(&path).unwrap();
    fs::create_dir(directory.path().join("x")).unwrap();
    std::os::unix::fs::symlink(&path, directory.path().join("link")).unwrap();
    fs::hard_link(&path, directory.path().join("same")).unwrap();
    for spelled in ["jobs.redb", "x/../jobs.redb", "link", "same"] {
        // Reads the file, as a backup does.
        fs::read(directory.path().join(spelled)).unwrap();
        let error = RedbStore::open(directory.path().join(spelled)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::AlreadyOpen, "{spelled}: {error}");
        assert!(error.detail.contains("this process has it open already"), "{error}");
    }
    store.insert(&[job(1)], Durability::Synced).unwrap();
    drop(store);
    assert_eq!(RedbStore::open(path).unwrap().get(job(1).id).unwrap(), Some(job(1)));
}

/// A write to a removed or replaced file would be acknowledged and lost.
#[test]
fn a_store_whose_file_was_moved_takes_nothing_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let [path, moved] = ["jobs.redb", "moved"].map(|name| directory.path().join(name));
    let store = RedbStore::open(&path).unwrap();
    fs::rename(&path, &moved).unwrap();
    assert_eq!(store.insert(&[job(1)], Durability::Synced).unwrap_err().kind, ErrorKind::Unavailable);
    fs::write(&path, b"").unwrap();
    let refused = store.insert(&[job(1)], Durability::Synced).unwrap_err();
    assert!(refused.detail.contains("another one is there now"), "{refused}");
    fs::rename(&moved, &path).unwrap();
    store.insert(&[job(1)], Durability::Synced).unwrap();
    drop(store);
    assert_eq!(RedbStore::open(path).unwrap().unfinished().unwrap(), [job(1)]);
}
