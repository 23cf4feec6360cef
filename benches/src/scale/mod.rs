//! The limits of the design on a cluster. The figures are measured costs of statements, a model that uses these
//! costs, and real engines to compare with the model. docs/scale.md draws the conclusions.

/// The policy of an engine on a shared store, which is no public item of `job-runner`.
#[path = "../../../crates/job-runner/src/decide/claims.rs"]
#[allow(dead_code, reason = "the model loses no answer and closes no engine")]
mod claims;
mod cluster;
mod costs;
mod measure;
mod shape;
mod station;
mod tables;

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use job_runner::SharedEngineBuilder;
use test_servers::Postgres;

pub use self::{
    cluster::run as simulate,
    costs::{Cost, Costs, Line, Statement},
    shape::{Outcome, Shape},
};
use crate::{
    measure::Series,
    report::{Row, Unit},
    scenarios::Bench,
};

/// Measures the cost of statements and compares real engines with the model. Then it writes the model's figures of
/// larger clusters, by the costs in the source, to `scale.md`.
///
/// # Errors
/// When the server or an engine fails, or the file cannot be written.
pub fn run(bench: &Bench) -> Result<Vec<Row>> {
    let rows = match Postgres::start()? {
        // PostgreSQL is not installed, and a line that says so has been printed.
        None => Vec::new(),
        Some(server) => {
            measure::count_statements(&server)?;
            let costs = measure::costs(&server, bench.size(2_048, 256))?;
            println!("{costs}");
            beside_the_model(bench, &server, &costs)?
        }
    };
    let text = tables::markdown(bench, &Costs::MEASURED);
    print!("{text}");
    fs::create_dir_all(&bench.out)?;
    let name = if bench.quick { "scale-quick.md" } else { "scale.md" };
    fs::write(bench.out.join(name), text).context("write the tables of the model")?;
    Ok(rows)
}

/// The rates of real engines on this machine, and the rates of the model with costs that were just measured on the
/// same machine.
fn beside_the_model(bench: &Bench, server: &Postgres, costs: &Costs) -> Result<Vec<Row>> {
    let jobs = bench.size(10_000, 1_000);
    let cores = std::thread::available_parallelism()?.get();
    let here = Shape { cores, on_one_machine: true, time: Duration::from_mins(10), ..Shape::default() };
    let mut rows = Vec::new();
    let mut databases = 0;
    let mut database = || -> Result<String> {
        databases += 1;
        Ok(server.database(&format!("scale_{databases}"))?)
    };
    for engines in [1, 4] {
        let drained: Vec<_> =
            (0..bench.size(3, 1)).map(|_| measure::drain(&database()?, engines, jobs)).collect::<Result<_>>()?;
        let model = simulate(&Shape { engines, waiting: jobs, ..here.clone() }, costs);
        let time = model.last_end.as_secs_f64();
        let rates = drained.iter().map(|one| jobs as f64 / one.times.median()).collect();
        let what = format!("drain with {engines} engines / by the model");
        rows.push(row(what, "fsync per answer", Unit::PerSecond, rates, jobs as f64 / time)?);
        let core_times = drained.iter().map(measure::Reading::cores).collect();
        let what = format!("core time of a job, drain with {engines} engines / by the model");
        let modelled = model.cores * cores as f64 * time / jobs as f64;
        rows.push(row(what, "fsync per answer", Unit::Seconds, core_times, modelled)?);
    }
    for engines in [1, 4] {
        let rounds: Vec<f64> = (0..bench.size(3, 1))
            .map(|_| measure::submit(&database()?, engines, jobs / 4))
            .collect::<Result<_>>()?;
        let what = format!("submit with {engines} engines / by the model");
        rows.push(row(what, "fsync per answer", Unit::PerSecond, rounds, submits(costs, cores, engines))?);
    }
    rows.extend(paced(bench, server, &mut database, costs, &here)?);
    Ok(rows)
}

/// The rate of `submitters` that each send the next submission when the last one is answered.
fn submits(costs: &Costs, cores: usize, submitters: usize) -> f64 {
    let cost = costs.of(Statement::Submit);
    let busy = cost.server.at(1.0) * (1.0 + costs.background) + cost.engine.at(1.0);
    let (n, cores) = (submitters as f64, cores as f64);
    // The rate is limited by the cores and by the time of an answer.
    (cores / busy).min(n / (busy + costs.flush)) * 1e6
}

/// Jobs of 50 ms on four engines that are half busy. The figure is the time until they start, with and without a
/// prefetch.
fn paced(
    bench: &Bench,
    server: &Postgres,
    database: &mut impl FnMut() -> Result<String>,
    costs: &Costs,
    here: &Shape,
) -> Result<Vec<Row>> {
    let (engines, workers, body, rate) = (4, 2, Duration::from_millis(50), 80.0);
    let jobs = bench.size(1_600, 160);
    let mut rows = Vec::new();
    for max_prefetch in [here.max_prefetch, 0] {
        let set = |builder: SharedEngineBuilder| builder.workers(workers).max_prefetch(max_prefetch);
        let before = measure::claims(server)?;
        let starts = measure::paced(&database()?, engines, jobs, rate, body, set)?;
        let claims = measure::claims(server)? - before;
        let time = Duration::from_secs_f64(jobs as f64 / rate);
        let shape = Shape { engines, workers, max_prefetch, rate, body, time, ..here.clone() };
        let model = simulate(&shape, costs);
        let waits = Series::new(model.start.clone())?;
        for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
            let what = format!("submit to start, prefetch {max_prefetch}, {name} / by the model");
            rows.push(row(
                what,
                "fsync per answer",
                Unit::Seconds,
                vec![starts.quantile(share)],
                waits.quantile(share),
            )?);
        }
        let count = |statement: Statement| model.statements.get(statement as usize).copied().unwrap_or_default();
        let modelled = (count(Statement::Claim) + count(Statement::Ask)) as f64 / time.as_secs_f64();
        let what = format!("claims a second, prefetch {max_prefetch} / by the model");
        rows.push(row(what, "fsync per answer", Unit::PerSecond, vec![claims / time.as_secs_f64()], modelled)?);
    }
    Ok(rows)
}

fn row(what: String, class: &'static str, unit: Unit, rounds: Vec<f64>, model: f64) -> Result<Row> {
    let model = Series::new(vec![model; rounds.len()])?;
    Ok(Row::new(what, class, unit, Series::new(rounds)?).beside("the model", model))
}
