//! Measures that a page costs the same at every place of a result, and with any number of other results in the
//! store.

use std::path::Path;

use anyhow::Result;
use job_core::{JobId, PageRequest};
use job_runner::JobReader;

use super::{Bench, open, reader};
use crate::{
    measure::{interleave, warm},
    report::{Goal, Row, Unit},
    stored,
    vertices::vertices,
};

const PAGE: u32 = 100_000;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    Ok(vec![last_against_first(bench)?, among(bench, 1_000, 1_000)?])
}

fn last_against_first(bench: &Bench) -> Result<Row> {
    let pool = vertices(PAGE as usize);
    let rows = bench.size(10_000_000, 1_000_000);
    let directory = bench.directory()?;
    let store = open(directory.path())?;
    let job = stored::finished(&*store, &pool, rows)?;
    let reader = reader(&store);
    let mut out = Vec::new();
    let mut page = |offset| {
        warm(|| {
            out.clear();
            stored::status(&reader, job, PageRequest::new(offset, PAGE)?, &mut out)
        })
    };
    let page = std::cell::RefCell::new(&mut page);
    let at = |offset| (page.borrow_mut())(offset);
    let last = rows as u64 - u64::from(PAGE);
    let [last, first] = interleave(bench.size(21, 7), [&mut || at(last), &mut || at(0)])?;
    let what = format!("last page of {} M rows / first", rows / 1_000_000);
    Ok(Row::new(what, "warm read", Unit::Seconds, last).beside("first page", first).goal(Goal::CostAtMost(1.1)))
}

/// Measures the same page in a store with `others` other results of `rows` rows each, and in one with a single
/// other result.
fn among(bench: &Bench, others: usize, rows: usize) -> Result<Row> {
    let pool = vertices(PAGE as usize);
    let (many, few) = (bench.directory()?, bench.directory()?);
    let make = |directory: &Path, others: usize| -> Result<(JobReader, JobId)> {
        let store = open(directory)?;
        for _ in 0..others / 2 {
            stored::finished(&*store, &pool, rows)?;
        }
        let job = stored::finished(&*store, &pool, pool.len())?;
        for _ in others / 2..others {
            stored::finished(&*store, &pool, rows)?;
        }
        Ok((reader(&store), job))
    };
    let many_results = make(many.path(), others)?;
    let few_results = make(few.path(), 1)?;
    let mut out = Vec::new();
    let mut page = |(reader, job): &(JobReader, JobId)| {
        warm(|| {
            out.clear();
            stored::status(reader, *job, PageRequest::default(), &mut out)
        })
    };
    let page = std::cell::RefCell::new(&mut page);
    let of = |store| (page.borrow_mut())(store);
    let [many, few] = interleave(bench.size(21, 7), [&mut || of(&many_results), &mut || of(&few_results)])?;
    Ok(Row::new("page with 1,000 other results / with 1", "warm read", Unit::Seconds, many)
        .beside("with 1 other result", few)
        .goal(Goal::CostAtMost(1.1)))
}
