//! Works on a store, lets the power go again and again, and checks what each durability promises.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use job_runner::{
    Durability, Ending, Engine, JobContext, JobId, JobReader, JobSpec, JobState, PageRequest,
    store::{RocksOptions, RocksStore, Store},
};
use parking_lot::Mutex;

use crate::{
    disk::{self, Sizes, Tail},
    script::row,
};

const LIST: &str = "vertices";

/// A store on which power cuts are taken while it works.
struct Plant {
    directory: tempfile::TempDir,
    durability: Durability,
    /// What was on the disk for sure at the last acknowledgement.
    synced: Mutex<Sizes>,
    /// What was acknowledged so far, in order.
    acknowledged: Mutex<Vec<Acknowledged>>,
    cuts: Mutex<Vec<Cut>>,
    chance: Mutex<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Acknowledged {
    job: JobId,
    succeeded: bool,
}

/// A power cut: the files it left, and what was acknowledged before it.
struct Cut {
    files: tempfile::TempDir,
    acknowledged: Vec<Acknowledged>,
    tail: Tail,
}

impl Plant {
    fn chance(&self, below: u64) -> u64 {
        let mut state = self.chance.lock();
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    }

    fn acknowledge(&self, job: JobId, succeeded: bool) {
        if self.durability == Durability::Synced {
            *self.synced.lock() = disk::sizes(self.directory.path()).unwrap();
        }
        self.acknowledged.lock().push(Acknowledged { job, succeeded });
    }

    /// The power goes now, in another world.
    fn cut(&self) {
        let files = tempfile::tempdir().unwrap();
        let part = self.chance(1_001);
        let tail = if self.chance(3) == 0 { Tail::Zeros(part) } else { Tail::Cut(part) };
        disk::cut(self.directory.path(), files.path(), &self.synced.lock(), tail).unwrap();
        let acknowledged = self.acknowledged.lock().clone();
        self.cuts.lock().push(Cut { files, acknowledged, tail });
    }
}

/// Small results and large ones: the large ones go to files of their own.
fn options() -> RocksOptions {
    RocksOptions {
        block_cache: 8 << 20,
        small_segment: 64 << 10,
        file_bytes: 128 << 10,
        ..RocksOptions::default()
    }
}

fn open(path: &Path) -> Arc<dyn Store> {
    Arc::new(RocksStore::open(path, options()).unwrap_or_else(|error| panic!("after a power cut: {error}")))
}

fn rows_of(spec: &JobSpec) -> u64 {
    spec.json().read::<u64>().unwrap()
}

fn engine(store: Arc<dyn Store>, plant: Option<Arc<Plant>>, durability: Durability) -> Engine {
    Engine::builder(store)
        .workers(0)
        .durability(durability)
        .vertex_filter(move |ctx: &mut JobContext| {
            let count = rows_of(ctx.spec());
            let mut rows = ctx.rows(LIST)?;
            for number in 0..count {
                rows.push(&serde_json::value::RawValue::from_string(row(7, number)).unwrap())?;
                if let Some(plant) = &plant
                    && plant.chance(count * 2) == 0
                {
                    plant.cut();
                }
            }
            Ok(())
        })
        .open()
        .unwrap()
}

fn work(durability: Durability, seed: u64) -> Arc<Plant> {
    let plant = Arc::new(Plant {
        directory: tempfile::tempdir().unwrap(),
        durability,
        synced: Mutex::default(),
        acknowledged: Mutex::default(),
        cuts: Mutex::default(),
        chance: Mutex::new(seed),
    });
    let engine = engine(open(plant.directory.path()), Some(Arc::clone(&plant)), durability);
    for turn in 0..12u64 {
        let rows = if turn % 4 == 3 { 2_000 } else { plant.chance(150) };
        let job = engine.submit(JobSpec::vertex_filter().graph("g").parameters(&rows).unwrap()).unwrap();
        plant.acknowledge(job.id(), false);
        if plant.chance(3) == 0 {
            plant.cut();
        }
        if turn % 2 == 1 {
            assert!(engine.run_one());
            for record in engine.reader().list(PageRequest::default()).unwrap() {
                let done = Acknowledged { job: record.id, succeeded: true };
                if record.state == JobState::Complete(Ending::Succeeded)
                    && !plant.acknowledged.lock().contains(&done)
                {
                    plant.acknowledge(record.id, true);
                }
            }
        }
    }
    plant.cut();
    plant
}

/// Whether the store has what was acknowledged.
fn has(store: &Arc<dyn Store>, ack: Acknowledged) -> bool {
    let record = store.get(ack.job).unwrap();
    record.is_some_and(|record| !ack.succeeded || record.state == JobState::Complete(Ending::Succeeded))
}

fn check_every_row(path: &Path) -> usize {
    let store = open(path);
    let reader = JobReader::new(Arc::clone(&store));
    let records = reader.list(PageRequest::default()).unwrap();
    for record in records.iter().filter(|record| record.state == JobState::Complete(Ending::Succeeded)) {
        let page = reader.page(record.id, PageRequest::default()).unwrap();
        let rows: Vec<Box<serde_json::value::RawValue>> = page.rows().unwrap();
        assert_eq!(rows.len() as u64, rows_of(&record.spec));
        assert!(
            rows.iter().zip(0..).all(|(found, number)| found.get() == row(7, number)),
            "rows of {}",
            record.id
        );
    }
    records.len()
}

fn check(cut: &Cut, durability: Durability) {
    let path: PathBuf = cut.files.path().to_owned();
    {
        let store = open(&path);
        let there: Vec<bool> = cut.acknowledged.iter().map(|&ack| has(&store, ack)).collect();
        let first_lost = there.iter().position(|there| !there);
        if durability == Durability::Synced {
            assert_eq!(first_lost, None, "lost although it was synced: {:?}, {:?}", cut.acknowledged, cut.tail);
        }
        // What is lost is the latest, never something in the middle.
        if let Some(first) = first_lost {
            assert!(there[first..].iter().all(|there| !there), "a hole: {there:?}, {:?}", cut.tail);
        }
    }
    check_every_row(&path);
    // The next process takes everything up.
    let engine = engine(open(&path), None, durability);
    while engine.run_one() {}
    drop(engine);
    let jobs = check_every_row(&path);
    assert!(open(&path).unfinished().unwrap().is_empty());
    assert!(
        durability == Durability::Buffered || jobs >= cut.acknowledged.iter().filter(|ack| !ack.succeeded).count()
    );
}

/// Power cuts on a new store that works with this durability. How many there were comes back.
///
/// # Panics
/// When a store does not open after one, or something is lost or wrong that must not be.
#[must_use]
pub fn cuts(durability: Durability, seed: u64) -> u64 {
    let plant = work(durability, seed);
    let cuts = plant.cuts.lock();
    for cut in cuts.iter() {
        check(cut, durability);
    }
    cuts.len() as u64
}
