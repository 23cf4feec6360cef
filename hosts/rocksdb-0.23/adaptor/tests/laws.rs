//! The contract of a store, law by law, in a database that also has a family of the host.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use adaptor::rocksdb::{ColumnFamilyDescriptor, DB, DBRecoveryMode, Options};
use job_runner::{
    Durability, JobId,
    store::{
        ErrorKind, Store, StoreError,
        conformance::{Death, Fixture},
        key_value::Table,
    },
};

struct Host {
    directory: tempfile::TempDir,
    /// The path of the database; a crash moves it.
    path: Mutex<PathBuf>,
}

impl Default for Host {
    fn default() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = Mutex::new(directory.path().join("graph"));
        Self { directory, path }
    }
}

impl Host {
    fn path(&self) -> PathBuf {
        self.path.lock().unwrap().clone()
    }

    fn database(&self) -> Result<DB, adaptor::rocksdb::Error> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        let mut families = vec![ColumnFamilyDescriptor::new("vertices", Options::default())];
        families.extend(adaptor::column_families());
        DB::open_cf_descriptors(&options, self.path(), families)
    }
}

impl Fixture for Host {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(adaptor::in_database(Arc::new(self.database().unwrap())).unwrap())
    }

    fn overwrite(&self, job: JobId, record: &[u8]) -> bool {
        let db = self.database().unwrap();
        let jobs = db.cf_handle(Table::Jobs.name()).unwrap();
        db.put_cf(jobs, [b"j", job.as_bytes().as_slice()].concat(), record).unwrap();
        true
    }

    /// The files of an open database are those that a killed process leaves. This fixture cannot simulate a power cut.
    fn crash(&self, store: Arc<dyn Store>, death: Death) -> bool {
        if death != Death::Process {
            return false;
        }
        let number = fs::read_dir(self.directory.path()).unwrap().count();
        let kept = self.directory.path().join(format!("kept-{number}"));
        fs::create_dir(&kept).unwrap();
        for file in files(&self.path()) {
            fs::copy(&file, kept.join(file.file_name().unwrap())).unwrap();
        }
        drop(store);
        *self.path.lock().unwrap() = kept;
        true
    }

    fn damage(&self, bytes: &[u8]) -> bool {
        let flipped: Vec<bool> = files(&self.path()).iter().map(|file| flip(file, bytes)).collect();
        flipped.contains(&true)
    }

    fn open_damaged(&self) -> Result<Arc<dyn Store>, StoreError> {
        let refused = |error| StoreError::caused(ErrorKind::Corrupt, error);
        let db =
            self.database().inspect_err(|error| assert!(error.as_ref().starts_with("Corruption: "), "{error}"));
        Ok(Arc::new(adaptor::in_database(Arc::new(db.map_err(refused)?))?))
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
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

mod in_the_database_of_a_host {
    job_runner::store::conformance_tests!(super::Host::default());
}

/// A law passes if its fixture cannot do what the law needs. This test checks that this fixture can.
#[test]
fn the_database_can_be_damaged_and_left_by_a_killed_process() {
    let host = Host::default();
    let store = host.open();
    store.insert(&[], Durability::Synced).unwrap();
    assert!(host.crash(store, Death::Process));
    drop(host.open());
    assert!(host.damage(Table::Rows.name().as_bytes()));
}

#[test]
fn a_directory_that_a_store_has_open_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = adaptor::open(directory.path()).unwrap();
    assert_eq!(adaptor::open(directory.path()).unwrap_err().kind, ErrorKind::AlreadyOpen);
    drop(store);
    adaptor::open(directory.path()).unwrap();
}

#[test]
fn a_database_without_the_families_of_the_jobs_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let db = Arc::new(DB::open_default(directory.path()).unwrap());
    let refused = adaptor::in_database(db).unwrap_err();
    assert!(refused.to_string().contains("job_engine.jobs"), "{refused}");
}
