//! The cost that finished jobs in the store add to running ones, and the memory of waiting jobs.

use std::path::Path;

use anyhow::Result;
use job_runner::Durability;

use super::{Bench, draining, open, reopening};
use crate::{
    child::{self, Told},
    engines,
    measure::Series,
    report::{Goal, Row, Unit},
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    Ok(vec![drain_among_finished(bench)?, waiting(bench)?])
}

fn drain_among_finished(bench: &Bench) -> Result<Row> {
    let jobs = bench.size(1_000_000, 50_000);
    let n = bench.size(30_000, 5_000);
    let full = bench.directory()?;
    reopening::fill(full.path(), jobs)?;
    let (mut among, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..bench.size(5, 3) {
        among.push(draining::rate(open(full.path())?, n, 2)?);
        let empty = bench.directory()?;
        alone.push(draining::rate(open(empty.path())?, n, 2)?);
    }
    let what = format!("drain with {},000 finished jobs / none", jobs / 1_000);
    Ok(Row::new(what, "buffered", Unit::PerSecond, Series::new(among)?)
        .beside("empty store", Series::new(alone)?)
        .goal(Goal::SpeedupAtLeast(0.9)))
}

fn waiting(bench: &Bench) -> Result<Row> {
    let jobs = bench.size(100_000, 20_000);
    let directory = bench.directory()?;
    let told = child::run("wait", directory.path(), jobs)?;
    let each = (told.peak as f64 - told.before as f64) / jobs as f64;
    let what = format!("peak memory of {},000 waiting jobs, each", jobs / 1_000);
    Ok(Row::new(what, "store's own included", Unit::Bytes, Series::once(each)).goal(Goal::AtMost(1024.0)))
}

/// Lets `jobs` jobs wait in an engine without workers; for a child process.
///
/// # Errors
/// The errors of the engine.
pub fn wait(directory: &Path, jobs: usize) -> Result<Told> {
    let engine = engines::builder(open(directory)?, Durability::Buffered).manual().open()?;
    Told::about(|| {
        for _ in 0..jobs.div_ceil(engines::BATCH) {
            drop(engines::submit_batches(&engine, engines::BATCH)?);
        }
        Ok(())
    })
}
