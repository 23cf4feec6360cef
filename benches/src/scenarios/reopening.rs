//! Measures that the cost of opening a store and finding the unfinished jobs does not depend on the finished ones.

use std::path::Path;

use anyhow::{Result, ensure};
use job_core::Event;
use job_store::{Durability, JobStore, Store};

use super::{Bench, open};
use crate::{
    measure::{interleave, seconds},
    report::{Goal, Row, Unit},
    stored,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let (many, few) = (bench.directory()?, bench.directory()?);
    let jobs = bench.size(1_000_000, 50_000);
    fill(many.path(), jobs)?;
    fill(few.path(), 1_000)?;
    let [many, few] = interleave(bench.size(11, 5), [&mut || reopen(many.path()), &mut || reopen(few.path())])?;
    let what = format!("reopen with {},000 finished jobs / 1,000", jobs / 1_000);
    Ok(vec![
        Row::new(what, "open + unfinished jobs", Unit::Seconds, many)
            .beside("with 1,000", few)
            .goal(Goal::CostAtMost(1.2)),
    ])
}

/// Fills a store with `jobs` cancelled jobs and ten waiting ones.
pub(super) fn fill(directory: &Path, jobs: usize) -> Result<()> {
    let store = open(directory)?;
    let mut left = jobs;
    while left > 0 {
        let batch: Vec<_> = (0..left.min(1_000)).map(|_| stored::waiting()).collect();
        store.insert(&batch, Durability::Buffered)?;
        for job in &batch {
            store.replace(&job.apply(Event::Cancel, job.submitted_at)?, Durability::Buffered)?;
        }
        left -= batch.len();
    }
    let unfinished: Vec<_> = (0..10).map(|_| stored::waiting()).collect();
    Ok(store.insert(&unfinished, Durability::Synced)?)
}

fn reopen(directory: &Path) -> Result<f64> {
    let mut found = 0;
    let took = seconds(|| {
        found = open(directory)?.unfinished()?.len();
        Ok(())
    })?;
    ensure!(found == 10, "ten jobs are unfinished, not {found}");
    Ok(took)
}
