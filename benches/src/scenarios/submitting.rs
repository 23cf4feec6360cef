//! Submits jobs, and compares with the job libraries that a graph engine could embed instead.

use std::sync::Arc;

use anyhow::Result;
use job_runner::{Durability, Engine, store::Store};

use super::{Bench, beside_peers as rows, open};
use crate::{
    engines,
    measure::{Series, seconds},
    peers::{APALIS, AZUMS, EFFECTUM, EFFECTUM_WAL, Lane, Order, Peer},
    report::Row,
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = one_a_call(bench)?;
    rows.extend(batches(bench)?);
    Ok(rows)
}

fn one_a_call(bench: &Bench) -> Result<Vec<Row>> {
    let n = bench.size(50_000, 5_000);
    let ours = |engine: &Engine| {
        for _ in 0..n {
            drop(engine.submit(engines::noop())?);
        }
        Ok(())
    };
    let peers = [
        (EFFECTUM_WAL, bench.size(10_000, 1_000)),
        (AZUMS, bench.size(5_000, 500)),
        (APALIS, bench.size(3_000, 300)),
        (EFFECTUM, bench.size(1_000, 100)),
    ];
    beside(bench, "submit, one call a job", n, &ours, ("submit", &peers), |_| 10.0)
}

fn batches(bench: &Bench) -> Result<Vec<Row>> {
    let n = bench.size(200_000, 20_000);
    let ours = |engine: &Engine| engines::submit_batches(engine, n).map(drop);
    let peers = [(EFFECTUM_WAL, bench.size(50_000, 5_000)), (APALIS, bench.size(10_000, 1_000))];
    beside(bench, "submit, 1,000 a call", n, &ours, ("batch", &peers), |peer| {
        if peer == EFFECTUM_WAL { 3.0 } else { 4.0 }
    })
}

/// Runs ours once and each peer once in every round. No worker runs.
fn beside(
    bench: &Bench,
    what: &str,
    n: usize,
    ours: &dyn Fn(&Engine) -> Result<()>,
    (scenario, peers): (&'static str, &[(Peer, usize)]),
    goal: impl Fn(Peer) -> f64,
) -> Result<Vec<Row>> {
    let order = |n| Order { scenario, n, workers: 1 };
    let mut lanes: Vec<Lane> = peers.iter().map(|&(peer, n)| Lane::new(peer, order(n))).collect();
    let mut own = Vec::new();
    for _ in 0..bench.size(3, 1) {
        let directory = bench.directory()?;
        let store: Arc<dyn Store> = open(directory.path())?;
        let engine = engines::builder(store, Durability::Buffered).manual().open()?;
        own.push(n as f64 / seconds(|| ours(&engine))?);
        for lane in &mut lanes {
            lane.round(&bench.stores);
        }
    }
    let own = Series::new(own)?;
    Ok(rows(what, "buffered", &own, &lanes, goal))
}
