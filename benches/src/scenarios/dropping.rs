//! Removes a large result. The figures are the wait of the caller, the time until the disk has the space back, and
//! the cost of pages of another result.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use job_core::PageRequest;
use job_store::JobStore;

use super::{Bench, open, reader};
use crate::{
    measure::{Series, repeat_for, seconds},
    report::{Goal, Row, Unit},
    stored,
    vertices::vertices,
};

/// The longest wait for the space.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let pool = vertices(100_000);
    let rows = bench.size(10_000_000, 1_000_000);
    let directory = bench.directory()?;
    let store = open(directory.path())?;
    let reader = reader(&store);
    let other = stored::finished(&*store, &pool, pool.len())?;
    let without = size(directory.path())?;
    let large = stored::finished(&*store, &pool, rows)?;
    let with = size(directory.path())?;

    let mut out = Vec::new();
    let mut page = || {
        out.clear();
        stored::status(&reader, other, PageRequest::default(), &mut out)
    };
    page()?;
    let before = repeat_for(Duration::from_millis(500), &mut page)?;
    let start = Instant::now();
    let (caller, meanwhile, back) = std::thread::scope(|scope| -> Result<_> {
        let remover = scope.spawn(|| seconds(|| store.remove(large).map(drop).map_err(Into::into)));
        let mut times = Vec::new();
        // A tenth of the result may remain in half-empty files.
        let enough = without + (with.saturating_sub(without)) / 10;
        let mut back = None;
        while (back.is_none() && start.elapsed() < PATIENCE) || start.elapsed() < Duration::from_millis(500) {
            times.push(seconds(&mut page)?);
            if back.is_none() && remover.is_finished() && size(directory.path())? <= enough {
                back = Some(start.elapsed().as_secs_f64());
            }
        }
        let caller = remover.join().ok().context("the remover panicked")??;
        Ok((caller, Series::new(times)?, back))
    })?;
    let rows = rows / 1_000_000;
    Ok(vec![
        Row::new(format!("drop {rows} M rows: the caller waits"), "buffered", Unit::Seconds, Series::once(caller))
            .goal(Goal::AtMost(0.010)),
        Row::new(
            format!("drop {rows} M rows: the space is back after"),
            "buffered",
            Unit::Seconds,
            Series::once(back.unwrap_or(f64::INFINITY)),
        )
        .goal(Goal::AtMost(60.0)),
        Row::new(
            "page of another result meanwhile, p50",
            "warm read",
            Unit::Seconds,
            Series::once(meanwhile.median()),
        )
        .beside("before", Series::once(before.median()))
        .goal(Goal::CostAtMost(1.5)),
        Row::new(
            "page of another result meanwhile, slowest",
            "warm read",
            Unit::Seconds,
            Series::once(meanwhile.max()),
        )
        .beside("slowest before", Series::once(before.max())),
    ])
}

/// The bytes of all table files in the directory. The log has a bound of its own and is not counted. A file that
/// is removed meanwhile counts nothing.
fn size(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type();
        bytes += match kind {
            Ok(kind) if kind.is_dir() => size(&entry.path())?,
            _ if entry.path().extension().is_some_and(|extension| extension == "sst") => {
                entry.metadata().map_or(0, |file| file.len())
            }
            _ => 0,
        };
    }
    Ok(bytes)
}
