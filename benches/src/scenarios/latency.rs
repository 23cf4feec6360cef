//! Runs one job at a time, and measures the time from the call to the end of the job. Also measures the time until
//! a running job sees its cancel.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use job_runner::{Durability, JobContext, JobSpec, JobState, store::Store};

use super::{Bench, open};
use crate::{
    engines,
    measure::{Series, seconds},
    peers::{APALIS, AZUMS, EFFECTUM_WAL, KIOMQ, Order},
    report::{Goal, Row, Unit},
    vertices::{Random, SEED},
};

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = submit_to_done(bench)?;
    rows.push(cancel(bench)?);
    Ok(rows)
}

fn submit_to_done(bench: &Bench) -> Result<Vec<Row>> {
    let directory = bench.directory()?;
    let engine = engines::builder(open(directory.path())?, Durability::Buffered).workers(1).open()?;
    let one = || seconds(|| Ok(engine.submit(engines::noop())?.wait().map(drop)?));
    for _ in 0..100 {
        one()?;
    }
    let times = (0..bench.size(10_000, 2_000)).map(|_| one()).collect::<Result<Vec<_>>>()?;
    let ours = Series::new(times)?;
    let (p50, p99) = (Series::once(ours.median()), Series::once(ours.quantile(0.99)));
    let mut rows = Vec::new();
    let peers = [
        (EFFECTUM_WAL, bench.size(500, 100)),
        (AZUMS, bench.size(500, 100)),
        (KIOMQ, bench.size(500, 100)),
        (APALIS, bench.size(30, 5)),
    ];
    let row = |name: &str, ours: &Series| {
        Row::new(format!("submit to done, {name}"), "buffered", Unit::Seconds, ours.clone())
    };
    rows.push(row("p99", &p99).goal(Goal::AtMost(1e-3)));
    for (peer, n) in peers {
        let (their50, their99) = match peer.latency(&bench.stores, Order { scenario: "latency", n, workers: 1 }) {
            Ok(times) => times,
            Err(error) => {
                eprintln!("  {} is left out: {error:#}", peer.name);
                continue;
            }
        };
        rows.push(row(&format!("p50 / {}", peer.name), &p50).beside(peer.name, Series::once(their50)));
        rows.push(row(&format!("p99 / {}", peer.name), &p99).beside(peer.name, Series::once(their99)));
    }
    Ok(rows)
}

/// Measures the cancel of a job that computes for ever and calls `check_stopped` every millisecond.
fn cancel(bench: &Bench) -> Result<Row> {
    let directory = bench.directory()?;
    let store: Arc<dyn Store> = open(directory.path())?;
    let spin = |ctx: &mut JobContext| {
        loop {
            ctx.check_stopped()?;
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
        }
    };
    let engine = engines::builder(store, Durability::Buffered).algorithm("spin", spin).workers(1).open()?;
    let mut random = Random(SEED);
    let mut times = Vec::new();
    for _ in 0..bench.size(300, 50) {
        let job = engine.submit(JobSpec::algorithm("spin").with_graph("movies"))?;
        while !matches!(job.record().state, JobState::Running { .. }) {
            std::thread::yield_now();
        }
        // With a random pause, the request arrives at any point between two checks.
        std::thread::sleep(Duration::from_micros(random.below(3_000)));
        times.push(seconds(|| {
            job.cancel()?;
            Ok(job.wait().map(drop)?)
        })?);
    }
    let p99 = Series::once(Series::new(times)?.quantile(0.99));
    Ok(Row::new("cancel in a CPU loop that checks every 1 ms, p99", "buffered", Unit::Seconds, p99)
        .goal(Goal::AtMost(3e-3)))
}
