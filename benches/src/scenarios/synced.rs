//! Submitting and draining with an fsync before every acknowledgement: 64 submitters, so that one fsync can serve many.

use anyhow::{Context, Result};
use job_runner::{Durability, Engine};

use super::{Bench, open};
use crate::{
    engines,
    measure::{Series, seconds},
    peers::{APALIS_FULL, EFFECTUM, FANG, Order},
    report::{Goal, Row, Unit},
};

const SUBMITTERS: usize = 64;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let n = bench.size(20_000, 1_920);
    let peers = [
        (EFFECTUM, bench.size(1_024, 128)),
        (FANG, bench.size(1_024, 128)),
        (APALIS_FULL, bench.size(1_024, 128)),
    ];
    let mut own = Vec::new();
    let mut theirs = vec![Vec::new(); peers.len()];
    for _ in 0..bench.size(3, 1) {
        let directory = bench.directory()?;
        let engine = engines::builder(open(directory.path())?, Durability::Synced).workers(8).open()?;
        own.push(n as f64 / seconds(|| submit_and_drain(&engine, n))?);
        for ((peer, n), rates) in peers.iter().zip(&mut theirs) {
            rates.push(peer.rate(&bench.stores, Order { scenario: "both", n: *n, workers: 8 })?);
        }
    }
    let own = Series::new(own)?;
    peers
        .iter()
        .zip(theirs)
        .map(|((peer, _), rates)| {
            let what = format!("submit and drain, 64 submitters / {}", peer.name);
            Ok(Row::new(what, "fsync per answer", Unit::PerSecond, own.clone())
                .beside(peer.name, Series::new(rates)?)
                .goal(Goal::SpeedupAtLeast(10.0)))
        })
        .collect()
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
