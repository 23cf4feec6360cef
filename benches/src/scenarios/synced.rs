//! Submits and drains with an fsync before every acknowledgement. 64 threads submit, so that one fsync can serve
//! many.

use anyhow::{Context, Result};
use job_runner::{Durability, Engine};

use super::{Bench, beside_peers, open};
use crate::{
    engines,
    measure::{Series, seconds},
    peers::{APALIS_FULL, EFFECTUM, FANG, Lane, Order},
    report::Row,
};

const SUBMITTERS: usize = 64;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let n = bench.size(20_000, 1_920);
    let peers = [
        (EFFECTUM, bench.size(1_024, 128)),
        (FANG, bench.size(1_024, 128)),
        (APALIS_FULL, bench.size(1_024, 128)),
    ];
    let order = |n| Order { scenario: "both", n, workers: 8 };
    let mut lanes: Vec<Lane> = peers.iter().map(|&(peer, n)| Lane::new(peer, order(n))).collect();
    let mut own = Vec::new();
    for _ in 0..bench.size(3, 1) {
        let directory = bench.directory()?;
        let engine = engines::builder(open(directory.path())?, Durability::Synced).workers(8).open()?;
        own.push(n as f64 / seconds(|| submit_and_drain(&engine, n))?);
        for lane in &mut lanes {
            lane.round(&bench.stores);
        }
    }
    let what = "submit and drain, 64 submitters";
    Ok(beside_peers(what, "fsync per answer", &Series::new(own)?, &lanes, |_| 10.0))
}

fn submit_and_drain(engine: &Engine, n: usize) -> Result<()> {
    std::thread::scope(|scope| {
        let submitters: Vec<_> = (0..SUBMITTERS)
            .map(|_| {
                scope.spawn(|| {
                    let handles: Result<Vec<_>, _> =
                        (0..n / SUBMITTERS).map(|_| engine.submit(engines::noop())).collect();
                    engines::wait_all(&handles?)
                })
            })
            .collect();
        submitters.into_iter().try_for_each(|one| one.join().ok().context("a submitter panicked")?)
    })
}
