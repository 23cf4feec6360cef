//! The scenarios, with one file for each.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use job_runner::JobReader;
use job_store::{RocksOptions, RocksStore, Store};
use tempfile::TempDir;

use crate::{
    measure::Series,
    peers::{Lane, Peer},
    report::{Goal, Row, Unit},
    scale,
};

mod depth;
pub mod disk;
mod draining;
mod dropping;
pub mod finished_jobs;
pub mod http;
mod latency;
mod listing;
pub mod memory;
mod other_stores;
mod packed;
mod page;
pub mod postgres;
mod real_work;
mod reopening;
mod row_per_key;
mod small_page;
mod status;
mod submitting;
mod synced;
mod writing;

/// A scenario.
#[derive(Debug)]
pub struct Scenario {
    /// The name of the scenario, for `--only`.
    pub name: &'static str,
    /// The measured quantity, in a few words.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&Bench) -> Result<Vec<Row>>,
}

/// All scenarios, in the order in which they run.
pub const ALL: &[Scenario] = &[
    Scenario { name: "page", about: "100,000 vertex rows as a whole status payload, warm", run: page::run },
    Scenario { name: "other-stores", about: "the same page out of other stores", run: other_stores::run },
    Scenario { name: "depth", about: "depth of the page, and other results in the store", run: depth::run },
    Scenario { name: "small-page", about: "10 rows anywhere against a point read", run: small_page::run },
    Scenario { name: "writing", about: "typed rows in, durable result out", run: writing::run },
    Scenario {
        name: "disk",
        about: "bytes of rows on the disk, and a page that is read from there",
        run: disk::run,
    },
    Scenario { name: "memory", about: "peak memory of a child process of its own", run: memory::run },
    Scenario { name: "dropping", about: "removing a large result", run: dropping::run },
    Scenario { name: "reopening", about: "opening a store with many finished jobs", run: reopening::run },
    Scenario { name: "status", about: "status without data", run: status::run },
    Scenario { name: "submitting", about: "no-op jobs into the queue", run: submitting::run },
    Scenario { name: "draining", about: "no-op jobs that wait", run: draining::run },
    Scenario { name: "synced", about: "an fsync before every acknowledgement", run: synced::run },
    Scenario { name: "finished-jobs", about: "many finished, many waiting jobs", run: finished_jobs::run },
    Scenario { name: "listing", about: "lists by a filter, retention, labels", run: listing::run },
    Scenario { name: "latency", about: "one job at a time; cancelling", run: latency::run },
    Scenario { name: "http", about: "pages and states over HTTP, on four connections", run: http::run },
    Scenario { name: "postgres", about: "jobs and rows on a PostgreSQL server, fsync on", run: postgres::run },
    Scenario { name: "packed", about: "rows into PostgreSQL and into objects", run: packed::run },
    Scenario {
        name: "scale",
        about: "what statements cost on PostgreSQL, and a model of clusters",
        run: scale::run,
    },
    Scenario { name: "real-work", about: "an algorithm and a filter", run: real_work::run },
];

/// The arguments of a scenario.
#[derive(Debug)]
pub struct Bench {
    /// Whether to use the small sizes.
    pub quick: bool,
    /// The directory for stores.
    pub stores: PathBuf,
    /// The directory for the tables.
    pub out: PathBuf,
}

impl Bench {
    /// `quick` in a run with small sizes, else `full`.
    #[must_use]
    pub const fn size(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// An empty directory on the disk that is measured. Dropping the value removes the directory.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn directory(&self) -> Result<TempDir> {
        tempfile::tempdir_in(&self.stores).context("make a directory for a store")
    }
}

/// A store with default options in `directory`.
///
/// # Errors
/// The errors of the store.
pub fn open(directory: &Path) -> Result<Arc<RocksStore>> {
    Ok(Arc::new(RocksStore::open(directory, RocksOptions::default())?))
}

/// Reads the jobs of a store.
#[must_use]
pub fn reader(store: &Arc<RocksStore>) -> JobReader {
    JobReader::new(Arc::clone(store) as Arc<dyn Store>)
}

/// Compares our rate with each peer that did not fail. Ours has to be at least `goal` times as fast as that peer.
fn beside_peers(
    what: &str,
    class: &'static str,
    ours: &Series,
    lanes: &[Lane],
    goal: impl Fn(Peer) -> f64,
) -> Vec<Row> {
    let beside = lanes.iter().filter_map(|lane| {
        let row = Row::new(format!("{what} / {}", lane.peer.name), class, Unit::PerSecond, ours.clone());
        Some(row.beside(lane.peer.name, lane.rates()?).goal(Goal::SpeedupAtLeast(goal(lane.peer))))
    });
    let rows: Vec<Row> = beside.collect();
    if rows.is_empty() { vec![Row::new(what, class, Unit::PerSecond, ours.clone())] } else { rows }
}
