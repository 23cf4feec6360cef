//! Runs no-op jobs that wait already. The figure is the engine's own cost of a job.

use std::sync::Arc;

use anyhow::Result;
use job_runner::{
    Durability,
    store::{MemoryStore, Store},
};

use super::{Bench, beside_peers, open};
use crate::{
    engines::{self, Gate},
    measure::{Series, seconds},
    peers::{APALIS, AZUMS, AZUMS_MEMORY, EFFECTUM, EFFECTUM_WAL, KIOMQ, Lane, Order, Peer},
    report::{Goal, Row, Unit},
};

const WORKERS: [usize; 4] = [1, 2, 4, 8];

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = on_disk(bench)?;
    rows.extend(in_memory(bench)?);
    Ok(rows)
}

/// The jobs a second of `n` jobs that waited at a gate, from its opening until all are complete in `store`.
pub(super) fn rate(store: Arc<dyn Store>, n: usize, workers: usize) -> Result<f64> {
    let gate = Arc::new(Gate::default());
    let builder = engines::builder(store, Durability::Buffered).workers(workers);
    let engine = gate.register(builder).open()?;
    let held = gate.hold(&engine, workers)?;
    let waiting = engines::submit_batches(&engine, n)?;
    let took = seconds(|| {
        gate.open();
        engines::wait_all(&waiting)
    })?;
    engines::wait_all(&held)?;
    Ok(n as f64 / took)
}

fn on_disk(bench: &Bench) -> Result<Vec<Row>> {
    let n = bench.size(50_000, 5_000);
    let (some, few) = (bench.size(8_000, 800), bench.size(1_500, 150));
    let peers: [(Peer, usize, &[usize]); 4] =
        [(EFFECTUM_WAL, some, &WORKERS), (AZUMS, few, &[1]), (APALIS, few, &[8]), (EFFECTUM, few, &[8])];
    let mut lanes: Vec<Lane> = peers
        .iter()
        .flat_map(|&(peer, n, workers)| workers.iter().map(move |&workers| lane(peer, n, workers)))
        .collect();
    let mut own = [const { Vec::new() }; WORKERS.len()];
    for _ in 0..bench.size(3, 1) {
        for (workers, rates) in WORKERS.iter().zip(&mut own) {
            let directory = bench.directory()?;
            rates.push(rate(open(directory.path())?, n, *workers)?);
        }
        for lane in &mut lanes {
            lane.round(&bench.stores);
        }
    }
    let own: Vec<Series> = own.into_iter().map(Series::new).collect::<Result<_>>()?;
    let mut rows = Vec::new();
    for (workers, own) in WORKERS.iter().zip(&own) {
        let those: Vec<Lane> = lanes.extract_if(.., |lane| lane.order.workers == *workers).collect();
        rows.extend(beside_peers(&format!("drain no-ops, {workers} workers"), "buffered", own, &those, |_| 10.0));
    }
    for ((more, less), workers) in own.iter().skip(1).zip(&own).zip(WORKERS.windows(2)) {
        if let [few, many] = workers {
            let what = format!("drain no-ops, {many} workers / {few}");
            rows.push(
                Row::new(what, "buffered", Unit::PerSecond, more.clone())
                    .beside(format!("{few} workers"), less.clone())
                    .goal(Goal::SpeedupAtLeast(0.95)),
            );
        }
    }
    Ok(rows)
}

const fn lane(peer: Peer, n: usize, workers: usize) -> Lane {
    Lane::new(peer, Order { scenario: "drain", n, workers })
}

fn in_memory(bench: &Bench) -> Result<Vec<Row>> {
    let n = bench.size(100_000, 10_000);
    let mut lanes = [lane(KIOMQ, bench.size(20_000, 2_000), 8), lane(AZUMS_MEMORY, bench.size(10_000, 1_000), 8)];
    let mut own = Vec::new();
    for _ in 0..bench.size(3, 1) {
        own.push(rate(Arc::new(MemoryStore::default()), n, 8)?);
        for lane in &mut lanes {
            lane.round(&bench.stores);
        }
    }
    Ok(beside_peers("drain no-ops, 8 workers", "memory", &Series::new(own)?, &lanes, |_| 5.0))
}
