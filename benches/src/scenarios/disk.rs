//! The bytes of rows on the disk: how many there are beside their JSON, and how many a page reads from a cold start.

use std::{fs::File, io, path::Path};

use anyhow::{Context, Result, ensure};
use job_core::PageRequest;
use job_store::{JobStore, Packing, RocksOptions, RocksStore, Store};
use rustix::fs::{Advice, fadvise};
use serde::Serialize;
use serde_json::json;

use super::{Bench, open, reader, real_work};
use crate::{
    child::{self, Told},
    measure::Series,
    report::{Goal, Row, Unit},
    stored,
    vertices::vertices,
};

const PAGE: u32 = 100_000;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let rows = bench.size(1_000_000, 200_000);
    let mut table = vec![size(bench, "vertex rows", &vertices(rows), 0.2)?];
    let ranks = real_work::ranks(if bench.quick { 17 } else { 20 }, rows * 5)?;
    let ranks: Vec<_> =
        ranks.iter().take(rows).enumerate().map(|(vertex, rank)| json!({ vertex.to_string(): rank })).collect();
    table.push(size(bench, "ranks", &ranks, 0.6)?);
    table.extend(cold(bench)?);
    Ok(table)
}

/// The bytes that a result adds to the directory of a store, which is closed before they are counted.
fn size<T: Serialize>(bench: &Bench, what: &str, rows: &[T], goal: f64) -> Result<Row> {
    let directory = bench.directory()?;
    drop(open(directory.path())?);
    let before = bytes_in(directory.path())?;
    let json = {
        let store = open(directory.path())?;
        let job = stored::finished(&*store, rows, rows.len())?;
        store.get(job)?.context("find the result")?.size.bytes
    };
    let stored = (bytes_in(directory.path())? - before) as f64;
    let what = format!("bytes on disk of {} {what} / their JSON", rows.len());
    Ok(Row::new(what, "fsync at the end", Unit::Bytes, Series::once(stored))
        .beside("their JSON", Series::once(json as f64))
        .goal(Goal::CostAtMost(goal)))
}

fn bytes_in(directory: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in directory.read_dir()? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() { bytes_in(&entry.path())? } else { found.len() };
    }
    Ok(bytes)
}

/// The first page of a large result in a process that has just started, with nothing of the store in the caches of
/// the system.
fn cold(bench: &Bench) -> Result<Vec<Row>> {
    let rows = bench.size(1_000_000, 200_000);
    let pool = vertices(100_000);
    let stores = [bench.directory()?, bench.directory()?];
    for (directory, packing) in stores.iter().zip([Packing::Lz4, Packing::None]) {
        let store = RocksStore::open(directory.path(), RocksOptions::default().packing(packing))?;
        stored::finished(&store, &pool, rows)?;
    }
    let mut told = [Vec::new(), Vec::new()];
    for _ in 0..bench.size(5, 2) {
        for (directory, told) in stores.iter().zip(&mut told) {
            told.push(child::run("cold", directory.path(), rows)?);
        }
    }
    let series = |figure: fn(&Told) -> f64| -> Result<[Series; 2]> {
        let [packed, plain] = &told;
        Ok([Series::new(packed.iter().map(figure).collect())?, Series::new(plain.iter().map(figure).collect())?])
    };
    let [read, plain_read] = series(|told| told.read as f64)?;
    let [time, plain_time] = series(|told| told.seconds)?;
    Ok(vec![
        Row::new("bytes read for a page of 100,000 rows, packed / not", "cold read", Unit::Bytes, read)
            .beside("not packed", plain_read)
            .goal(Goal::CostAtMost(1.0 / 3.0)),
        Row::new("time of that page, packed / not", "cold read", Unit::Seconds, time)
            .beside("not packed", plain_time),
    ])
}

/// Reads the first page of the only result; for a child process.
///
/// # Errors
/// The errors of the store, and one if the system counts no bytes that are read.
pub fn read_cold(directory: &Path) -> Result<Told> {
    forget(directory)?;
    let store = open(directory)?;
    let reader = reader(&store);
    let job = store.list(None, 0, 1)?.first().context("find the result")?.id;
    let told = Told::about(|| {
        let mut page = Vec::new();
        stored::status(&reader, job, PageRequest::new(0, PAGE)?, &mut page)?;
        std::hint::black_box(page.last());
        Ok(())
    })?;
    ensure!(told.read > 0, "the system counted no bytes that were read: is {} a disk?", directory.display());
    Ok(told)
}

/// Takes the files of a directory out of the caches of the system.
fn forget(directory: &Path) -> Result<()> {
    for entry in directory.read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            forget(&path)?;
        } else {
            let file = File::open(&path)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
