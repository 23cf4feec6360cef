//! Checks the contract of a store, law by law. Also checks that the laws about crashes, damage and costs do run.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use job_core::JobId;
use job_runner::store::{
    Store,
    conformance::{Death, Fixture},
};
use parking_lot::Mutex;
use rusqlite::{Connection, params};
use sqlite_store::SqliteStore;

struct File {
    directory: tempfile::TempDir,
    /// The path of the store; a crash moves the store.
    path: Mutex<PathBuf>,
    steps: Arc<AtomicU64>,
}

impl Default for File {
    fn default() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = Mutex::new(directory.path().join("jobs.db"));
        Self { directory, path, steps: Arc::default() }
    }
}

impl File {
    fn path(&self) -> PathBuf {
        self.path.lock().clone()
    }
}

impl Fixture for File {
    fn open(&self) -> Arc<dyn Store> {
        let mut connection = Connection::open(self.path()).unwrap();
        let steps = Arc::clone(&self.steps);
        let count = move || {
            steps.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(1, Some(count)).unwrap();
        Arc::new(SqliteStore::over(connection).unwrap())
    }

    fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
        let connection = Connection::open(self.path()).unwrap();
        let update = "UPDATE jobs SET record = ?2 WHERE id = ?1";
        connection.execute(update, params![job.as_bytes(), record]).unwrap() == 1
    }

    /// The files of an open store are those that a killed process leaves. This fixture cannot simulate a power
    /// cut.
    fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
        if death != Death::Process {
            return false;
        }
        let left = self.path();
        let number = fs::read_dir(self.directory.path()).unwrap().count();
        let kept = self.directory.path().join(format!("kept-{number}.db"));
        for suffix in ["", "-wal"] {
            let [from, to] = [&left, &kept].map(|path| PathBuf::from(format!("{}{suffix}", path.display())));
            if from.exists() {
                fs::copy(from, to).unwrap();
            }
        }
        drop(store);
        *self.path.lock() = kept;
        true
    }

    fn damage(&self, bytes: &[u8]) -> bool {
        flip(&self.path(), bytes)
    }

    fn looked_at(&self) -> Option<u64> {
        Some(self.steps.load(Ordering::Relaxed))
    }
}

/// Flips a bit in the middle of these bytes, wherever the file has them.
fn flip(path: &Path, bytes: &[u8]) -> bool {
    let mut file = fs::read(path).unwrap();
    let places: Vec<_> =
        (0..file.len().saturating_sub(bytes.len())).filter(|at| file[*at..].starts_with(bytes)).collect();
    for at in &places {
        file[at + bytes.len() / 2] ^= 1;
    }
    fs::write(path, file).unwrap();
    !places.is_empty()
}

mod sqlite {
    job_runner::store::conformance_tests!(super::File::default());
}

/// A law passes if its fixture cannot do what the law needs. This test checks that this fixture can.
#[test]
fn the_file_can_be_damaged_and_left_by_a_killed_process() {
    let file = File::default();
    let store = file.open();
    store.insert(&[], job_runner::Durability::Synced).unwrap();
    assert!(file.crash(store, Death::Process));
    drop(file.open());
    assert!(file.damage(b"CREATE TABLE jobs") && file.looked_at() > Some(0));
}

#[test]
fn a_file_that_another_has_open_is_refused() {
    let file = File::default();
    let store = SqliteStore::open(&file.path()).unwrap();
    let refused = SqliteStore::open(&file.path()).unwrap_err();
    assert_eq!(refused.kind, job_runner::store::ErrorKind::AlreadyOpen, "{refused}");
    drop(store);
    SqliteStore::open(&file.path()).unwrap();
}
