//! Measures that lists by a filter, retention and labels cost the same with any number of other jobs in the store.

use std::{path::Path, sync::Arc};

use anyhow::{Result, ensure};
use job_core::{Event, JobFilter, JobRecord, JobSpec, Outcome};
use job_runner::{Durability, Engine, JobState, Retention};
use job_store::{JobStore, RocksStore, Store};

use super::{Bench, open, reopening};
use crate::{
    engines,
    measure::{interleave, seconds, warm},
    report::{Goal, Row, Unit},
    stored,
};

/// The number of jobs of the graph whose list is read.
const OWN: usize = 1_000;
const PAGE: usize = 100;
/// Jobs that a pass of retention removes.
const SURPLUS: usize = 10;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let others = bench.size(1_000_000, 50_000);
    let (many, few) = (bench.directory()?, bench.directory()?);
    fill(many.path(), others)?;
    fill(few.path(), 0)?;
    let mut rows = pages(bench, many.path(), few.path(), others)?;
    rows.push(retention(bench, many.path(), few.path(), others)?);
    rows.extend(labels(bench)?);
    Ok(rows)
}

/// Half of the jobs of other graphs are older than those of the graph, half are newer.
fn fill(directory: &Path, others: usize) -> Result<()> {
    reopening::fill(directory, others / 2)?;
    let store = open(directory)?;
    for _ in 0..OWN {
        let waiting = stored::waiting();
        let spec = JobSpec::clone(&waiting.spec).with_graph("own").owner("Sarah").label("nightly");
        let own = JobRecord { spec: Arc::new(spec), ..waiting };
        store.insert(std::slice::from_ref(&own), Durability::Buffered)?;
        store.replace(&own.apply(Event::Cancel, own.submitted_at)?, Durability::Buffered)?;
    }
    drop(store);
    reopening::fill(directory, others / 2)
}

fn pages(bench: &Bench, many: &Path, few: &Path, others: usize) -> Result<Vec<Row>> {
    let any = JobFilter::default;
    let cancelled = JobState::Complete(Outcome::Cancelled);
    let filters = [
        ("graph", any().graph("own")),
        ("graph and state", any().graph("own").state(cancelled)),
        ("owner", any().owner("Sarah")),
        ("label", any().label("nightly")),
    ];
    let (many, few) = (open(many)?, open(few)?);
    let page = |store: &RocksStore, filter: &JobFilter| {
        warm(|| {
            let found = store.filtered_entries(filter, None, PAGE)?.len();
            ensure!(found == PAGE, "a page has {PAGE} jobs, not {found}");
            Ok(())
        })
    };
    let mut rows = Vec::new();
    for (what, filter) in filters {
        let rounds = bench.size(31, 11);
        let [among, alone] = interleave(rounds, [&mut || page(&many, &filter), &mut || page(&few, &filter)])?;
        let what = format!("{PAGE} jobs by {what} among {},000 of others / none", others / 1_000);
        rows.push(Row::new(what, "warm", Unit::Seconds, among).beside("none", alone).goal(Goal::CostAtMost(2.0)));
    }
    Ok(rows)
}

fn retention(bench: &Bench, many: &Path, few: &Path, others: usize) -> Result<Row> {
    let (many, few) = (open(many)?, open(few)?);
    let pass = |store: &Arc<RocksStore>| -> Result<Box<dyn FnMut() -> Result<f64>>> {
        let jobs = store.kept()?.jobs;
        let engine = Engine::builder(Arc::clone(store) as Arc<dyn Store>).manual();
        let engine = engine.retention(Retention::default().max_jobs(jobs)).open()?;
        let store = Arc::clone(store);
        Ok(Box::new(move || {
            let surplus: Vec<_> = (0..SURPLUS).map(|_| stored::waiting()).collect();
            store.insert(&surplus, Durability::Buffered)?;
            for job in surplus {
                store.replace(&job.apply(Event::Cancel, job.submitted_at)?, Durability::Buffered)?;
            }
            let took = seconds(|| Ok(engine.driver().tick()?))?;
            let left = store.kept()?.jobs;
            ensure!(left == jobs, "{jobs} jobs are kept, not {left}");
            Ok(took)
        }))
    };
    let (mut long, mut short) = (pass(&many)?, pass(&few)?);
    let [long, short] = interleave(bench.size(31, 11), [&mut *long, &mut *short])?;
    let what = format!("a pass of retention over {},000 kept jobs / 1,000", others / 1_000);
    Ok(Row::new(what, "ten jobs go", Unit::Seconds, long).beside("1,000", short).goal(Goal::CostAtMost(2.0)))
}

fn labels(bench: &Bench) -> Result<Vec<Row>> {
    let n = bench.size(100_000, 10_000);
    let plain = || run_labelled(bench, n, 0);
    let labelled = || run_labelled(bench, n, 5);
    let (mut submit, mut drain) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
    for _ in 0..bench.size(7, 3) {
        for (at, run) in [&plain as &dyn Fn() -> Result<(f64, f64)>, &labelled].into_iter().enumerate() {
            let (submitted, drained) = run()?;
            submit.get_mut(at).into_iter().for_each(|rates| rates.push(submitted));
            drain.get_mut(at).into_iter().for_each(|rates| rates.push(drained));
        }
    }
    let row = |what: &str, [plain, labelled]: [Vec<f64>; 2]| -> Result<Row> {
        let row = Row::new(what, "buffered", Unit::PerSecond, crate::measure::Series::new(labelled)?);
        Ok(row.beside("no label", crate::measure::Series::new(plain)?).goal(Goal::SpeedupAtLeast(0.9)))
    };
    Ok(vec![row("submit with five labels / none", submit)?, row("drain with five labels / none", drain)?])
}

/// Jobs a second that were submitted, and then that were run.
fn run_labelled(bench: &Bench, n: usize, labels: usize) -> Result<(f64, f64)> {
    let directory = bench.directory()?;
    let store: Arc<dyn Store> = open(directory.path())?;
    let gate = Arc::new(engines::Gate::default());
    let engine = gate.register(engines::builder(store, Durability::Buffered).workers(2)).open()?;
    let held = gate.hold(&engine, 2)?;
    let spec = || (0..labels).fold(engines::noop(), |spec, n| spec.label(format!("label {n}")));
    let mut handles = Vec::with_capacity(n);
    let submitted = seconds(|| {
        for first in (0..n).step_by(engines::BATCH) {
            handles.extend(engine.submit_all((0..engines::BATCH.min(n - first)).map(|_| spec()))?);
        }
        Ok(())
    })?;
    let drained = seconds(|| {
        gate.open();
        engines::wait_all(&handles)
    })?;
    engines::wait_all(&held)?;
    Ok((n as f64 / submitted, n as f64 / drained))
}
