//! The peak memory of a process that only writes, or only streams, a large result.

use std::{io, path::Path, sync::Arc};

use anyhow::{Context, Result};
use job_core::PageRequest;
use job_store::{RocksOptions, RocksStore, Store};

use super::{Bench, reader};
use crate::{
    child::{self, Told},
    measure::Series,
    report::{Goal, Row, Unit},
    stored,
    vertices::vertices,
};

const BLOCK_CACHE: usize = 32 << 20;
const WRITE_BUFFER: usize = 8 << 20;
/// The bytes of the block cache and of the most write buffers that may be in use.
const CONFIGURED: usize = BLOCK_CACHE + 2 * WRITE_BUFFER;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let directory = bench.directory()?;
    let rows = bench.size(10_000_000, 1_000_000);
    let mut table = Vec::new();
    for (task, verb) in [("write", "writing"), ("stream", "streaming")] {
        let told = child::run(task, directory.path(), rows)?;
        let above = told.peak as f64 - CONFIGURED as f64;
        let what =
            format!("peak memory of {verb} {} M rows, above {} MiB of caches", rows / 1_000_000, CONFIGURED >> 20);
        table.push(
            Row::new(what, "whole process", Unit::Bytes, Series::once(above))
                .beside("before the task", Series::once(told.before as f64))
                .goal(Goal::AtMost(f64::from(64 << 20))),
        );
    }
    Ok(table)
}

fn open(directory: &Path) -> Result<RocksStore> {
    let options = RocksOptions::default().block_cache(BLOCK_CACHE).write_buffer(WRITE_BUFFER);
    Ok(RocksStore::open(directory, options)?)
}

/// Writes a result of `rows` rows; for a child process.
///
/// # Errors
/// The errors of the store.
pub fn write(directory: &Path, rows: usize) -> Result<Told> {
    let store = open(directory)?;
    let pool = vertices(1_000);
    Told::about(|| stored::finished(&store, &pool, rows).map(drop))
}

/// Streams the one result of the store, page by page; for a child process.
///
/// # Errors
/// The errors of the store.
pub fn stream(directory: &Path) -> Result<Told> {
    let store = Arc::new(open(directory)?);
    let reader = reader(&store);
    let job = store.list(None, 0, 1)?.into_iter().next().context("a job")?;
    Told::about(|| {
        for offset in (0..job.size.rows).step_by(PageRequest::MAX_LIMIT as usize) {
            stored::status(&reader, job.id, PageRequest::new(offset, PageRequest::MAX_LIMIT)?, &mut io::sink())?;
        }
        Ok(())
    })
}
