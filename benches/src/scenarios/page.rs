//! Writes a page of 100,000 rows with warm caches, as a whole status payload, into a reused buffer. The page is
//! compared with a memcpy of the same bytes, and with the layout that most engines have at first.

use anyhow::{Result, ensure};
use job_core::PageRequest;

use super::{Bench, open, reader, row_per_key::RowPerKey};
use crate::{
    measure::{interleave, warm},
    report::{Goal, Row, Unit},
    stored::{self, BLOCK_BYTES},
    vertices::vertices,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let rows = vertices(100_000);
    let directory = bench.directory()?;
    let store = open(directory.path())?;
    let reader = reader(&store);
    let job = stored::finished(&*store, &rows, rows.len())?;
    let per_key = RowPerKey::create(bench.directory()?, &rows)?;

    let mut page = Vec::new();
    stored::status(&reader, job, PageRequest::default(), &mut page)?;
    let mut other = Vec::new();
    per_key.page(&mut other)?;
    ensure!(page == other, "both answers must be the same bytes");

    let source = page.clone();
    let blocks: Vec<Box<[u8]>> = source.chunks(BLOCK_BYTES).map(Box::from).collect();
    let (mut copy, mut pieces) = (Vec::new(), Vec::new());
    let [ours, memcpy, in_pieces, per_key] = interleave(
        bench.size(21, 5),
        [
            &mut || {
                warm(|| {
                    page.clear();
                    stored::status(&reader, job, PageRequest::default(), &mut page)
                })
            },
            &mut || {
                warm(|| {
                    copy.clear();
                    copy.extend_from_slice(&source);
                    Ok(())
                })
            },
            &mut || {
                warm(|| {
                    pieces.clear();
                    for block in &blocks {
                        pieces.extend_from_slice(block);
                    }
                    Ok(())
                })
            },
            &mut || {
                warm(|| {
                    other.clear();
                    per_key.page(&mut other)
                })
            },
        ],
    )?;
    ensure!(page == source && copy == source && pieces == source, "the answers must stay the same bytes");
    let what = format!("page of 100,000 rows ({:.1} MB)", source.len() as f64 / 1e6);
    Ok(vec![
        Row::new(format!("{what} / memcpy"), "warm read", Unit::Seconds, ours.clone())
            .beside("memcpy of the same bytes", memcpy.clone())
            .goal(Goal::CostAtMost(1.2)),
        // The least that a cache of blocks can reach, if it finds them at no cost.
        Row::new("memcpy out of blocks of 128 KiB / of one buffer", "warm read", Unit::Seconds, in_pieces)
            .beside("memcpy of the same bytes", memcpy),
        Row::new(format!("{what} / a key per row"), "warm read", Unit::Seconds, ours)
            .beside("RocksDB key per row, bincode + serde_json", per_key)
            .goal(Goal::SpeedupAtLeast(35.0)),
    ])
}
