//! Measures engines that share a store, and job libraries for PostgreSQL, on a server of its own.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use job_core::PageRequest;
use job_runner::{Durability, Engine, JobContext, JobReader};
use job_store::{PostgresOptions, PostgresStore, Store};
use postgres::{Client, NoTls};
use test_servers::Postgres;

use super::{Bench, beside_peers};
use crate::{
    engines,
    measure::{Series, seconds},
    peers::{APALIS_POSTGRES, GRAPHILE, GRAPHILE_BATCHED, GRAPHILE_RECORDED, Lane, Order, Peer},
    report::{Goal, Row, Unit},
    stored,
    team::{self, Team},
    vertices::vertices,
};

const WORKERS: usize = 8;
const PROCESSES: usize = 4;
const PAGE: u32 = 100_000;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    // PostgreSQL is not installed, and a line that says so has been printed.
    let Some(server) = Postgres::start()? else { return Ok(Vec::new()) };
    let mut rows = jobs(bench, &server)?;
    rows.extend(pages(bench, &server)?);
    Ok(rows)
}

/// A source of databases that were not used before.
struct Databases<'a> {
    server: &'a Postgres,
    made: usize,
}

impl Databases<'_> {
    fn next(&mut self) -> Result<String> {
        self.made += 1;
        Ok(self.server.database(&format!("bench_{}", self.made))?)
    }
}

fn store(url: &str) -> Result<Arc<PostgresStore>> {
    Ok(Arc::new(PostgresStore::open(url, PostgresOptions::default())?))
}

/// Submits with one call for each job and with 1,000 jobs for each call, and drains waiting jobs. The peers do the
/// same in the same rounds.
fn jobs(bench: &Bench, server: &Postgres) -> Result<Vec<Row>> {
    let (single, batch, waiting) = (bench.size(3_000, 300), bench.size(20_000, 2_000), bench.size(10_000, 1_000));
    let lanes = |peers: &[Peer], scenario, n| -> Vec<Lane> {
        let order = Order { scenario, n, workers: WORKERS };
        peers.iter().map(|peer| Lane::new(*peer, order)).collect()
    };
    let submitting = [GRAPHILE, GRAPHILE_BATCHED, APALIS_POSTGRES];
    let draining = [GRAPHILE, GRAPHILE_BATCHED, GRAPHILE_RECORDED, APALIS_POSTGRES];
    let mut databases = Databases { server, made: 0 };
    let mut rows = teams(bench, &mut databases)?;
    rows.push(statistics(bench, &mut databases)?);
    let mut contest = |what: &str, ours: &dyn Fn(&str) -> Result<f64>, mut lanes: Vec<Lane>| -> Result<()> {
        let mut own = Vec::new();
        for _ in 0..bench.size(3, 1) {
            own.push(ours(&databases.next()?)?);
            for lane in &mut lanes {
                lane.round_on(&bench.stores, Some(&databases.next()?));
            }
        }
        rows.extend(beside_peers(what, "fsync per answer", &Series::new(own)?, &lanes, |peer| {
            goal(what, peer, 1.5)
        }));
        Ok(())
    };
    contest(
        "submit on PostgreSQL, one call a job",
        &|url| submit(url, single),
        lanes(&submitting, "submit", single),
    )?;
    let lanes_of_batches = lanes(&submitting, "batch", batch);
    contest("submit on PostgreSQL, 1,000 a call", &|url| submit_batches(url, batch), lanes_of_batches)?;
    contest("drain on PostgreSQL, 8 workers", &|url| drain(url, waiting), lanes(&draining, "drain", waiting))?;
    Ok(rows)
}

/// The goal beside a peer. A drain beside `graphile_worker` has a goal of its own, since it deletes a finished job and we
/// keep it. If its handler keeps a record too, the goal is that of the others.
fn goal(what: &str, peer: Peer, deleting: f64) -> f64 {
    if what.starts_with("drain") && peer == GRAPHILE_BATCHED { deleting } else { 2.0 }
}

/// Submissions of two engines. One has made its plans while the database took the tables for empty, as an `ANALYZE`
/// before the first load leaves them. The other has made them without statistics.
fn statistics(bench: &Bench, databases: &mut Databases<'_>) -> Result<Row> {
    let n = bench.size(20_000, 2_000);
    let (mut ours, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..bench.size(3, 1) {
        ours.push(submit_beside_finished(&databases.next()?, n, "ANALYZE")?);
        unknown.push(submit_beside_finished(&databases.next()?, n, "")?);
    }
    let what = "submit on PostgreSQL, 1,000 a call, after an ANALYZE of empty tables";
    let row = Row::new(what, "fsync per answer", Unit::PerSecond, Series::new(ours)?);
    Ok(row.beside("without", Series::new(unknown)?).goal(Goal::SpeedupAtLeast(0.9)))
}

fn submit_beside_finished(url: &str, n: usize, look: &str) -> Result<f64> {
    const FINISHED: &str = "
        INSERT INTO job_engine.finished (id, revision, record)
        SELECT gen_random_uuid(), 3, repeat('x', 300)::bytea FROM generate_series(1, 100000)";
    let engine = front(url)?;
    let mut client = Client::connect(url, NoTls)?;
    client.batch_execute("ALTER TABLE job_engine.finished SET (autovacuum_enabled = off)")?;
    client.batch_execute(look)?;
    drop(engines::submit_batches(&engine, 1_000)?);
    client.batch_execute(FINISHED)?;
    Ok(n as f64 / seconds(|| engines::submit_batches(&engine, n).map(drop))?)
}

/// Measures the same as [`jobs`], with several processes on one database.
fn teams(bench: &Bench, databases: &mut Databases<'_>) -> Result<Vec<Row>> {
    let (single, waiting) = (bench.size(6_000, 600), bench.size(20_000, 2_000));
    let mut rows = Vec::new();
    for (what, scenario, n) in [
        ("submit on PostgreSQL, one call a job, 4 processes", "submit", single),
        ("drain on PostgreSQL, 4 processes of 8 workers", "join", waiting),
    ] {
        let order = Order { scenario, n, workers: WORKERS };
        let peers: &[Peer] = match scenario {
            "join" => &[GRAPHILE_BATCHED, GRAPHILE_RECORDED, APALIS_POSTGRES],
            _ => &[GRAPHILE_BATCHED, APALIS_POSTGRES],
        };
        let mut lanes: Vec<Lane> = peers.iter().map(|peer| Lane::new(*peer, order)).collect();
        let mut own = Vec::new();
        for _ in 0..bench.size(3, 1) {
            own.push(team(&databases.next()?, scenario, n)?);
            for lane in &mut lanes {
                lane.round_of(&bench.stores, PROCESSES, &databases.next()?);
            }
        }
        rows.extend(beside_peers(what, "fsync per answer", &Series::new(own)?, &lanes, |peer| {
            goal(what, peer, 1.2)
        }));
    }
    Ok(rows)
}

/// Jobs a second of several processes of this program.
fn team(url: &str, task: &str, n: usize) -> Result<f64> {
    let engine = front(url)?;
    if task == "join" {
        drop(engines::submit_batches(&engine, n)?);
    }
    drop(engine);
    let program = std::env::current_exe().context("find this program")?;
    let commands = (0..PROCESSES).map(|_| {
        let mut command = Command::new(&program);
        command.args(["--child", task, "--rows", &(n / PROCESSES).to_string(), "--url", url]);
        command
    });
    let team = Team::start(commands.collect())?;
    if task == "submit" {
        return Ok(n as f64 / team.submit()?);
    }
    let store = store(url)?;
    Ok(n as f64 / team.drain(n, || Ok(store.unfinished()?.is_empty()))?)
}

/// The task of a process of a team.
///
/// # Errors
/// The errors of the engine, and one for an unknown task.
pub fn serve(task: &str, url: &str, n: usize) -> Result<()> {
    match task {
        "submit" => {
            let engine = front(url)?;
            team::ready()?;
            for _ in 0..n {
                drop(engine.submit(engines::noop())?);
            }
            Ok(())
        }
        "join" => {
            let store = store(url)?;
            team::ready()?;
            let ran = Arc::new(AtomicUsize::new(0));
            let _engine = worker(store, &ran)?;
            team::tell(&ran)
        }
        _ => bail!("there is no task {task}"),
    }
}

/// An engine that runs no-op jobs, and counts them.
fn worker(store: Arc<PostgresStore>, ran: &Arc<AtomicUsize>) -> Result<Engine> {
    let count = Arc::clone(ran);
    let builder = Engine::builder_shared(store).algorithm("noop", move |_: &mut JobContext| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    Ok(builder.durability(Durability::Synced).workers(WORKERS).open()?)
}

/// An engine without handlers, which only submits jobs.
fn front(url: &str) -> Result<Engine> {
    Ok(Engine::builder_shared(store(url)?).durability(Durability::Synced).manual().open()?)
}

fn submit(url: &str, n: usize) -> Result<f64> {
    let engine = front(url)?;
    let all = seconds(|| {
        for _ in 0..n {
            drop(engine.submit(engines::noop())?);
        }
        Ok(())
    })?;
    Ok(n as f64 / all)
}

fn submit_batches(url: &str, n: usize) -> Result<f64> {
    let engine = front(url)?;
    Ok(n as f64 / seconds(|| engines::submit_batches(&engine, n).map(drop))?)
}

/// Measures until the store has no unfinished job. The clock of a peer stops earlier: when its last handler has
/// run.
fn drain(url: &str, n: usize) -> Result<f64> {
    drop(engines::submit_batches(&front(url)?, n)?);
    let store = store(url)?;
    let ran = Arc::new(AtomicUsize::new(0));
    let all = seconds(|| {
        let engine = worker(Arc::clone(&store), &ran)?;
        while ran.load(Ordering::Relaxed) < n {
            thread::sleep(Duration::from_millis(1));
        }
        while !store.unfinished()?.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        drop(engine);
        Ok(())
    })?;
    ensure!(ran.load(Ordering::Relaxed) == n, "jobs ran twice");
    Ok(n as f64 / all)
}

/// Measures the first and the last page of a long result, and the last page from a table with one database row for
/// each row.
fn pages(bench: &Bench, server: &Postgres) -> Result<Vec<Row>> {
    let rows = bench.size(1_000_000, 300_000);
    let pool = vertices(100_000);
    let url = server.database("bench_pages")?;
    let store = store(&url)?;
    let job = stored::finished(&*store, &pool, rows)?;
    let reader = JobReader::new(Arc::clone(&store) as Arc<dyn Store>);
    let mut client = Client::connect(&url, NoTls)?;
    fill_table(&mut client, &pool, rows)?;
    let last = rows as u64 - u64::from(PAGE);
    let mut out = Vec::new();
    let mut page = |offset: u64| {
        out.clear();
        stored::status(&reader, job, PageRequest::new(offset, PAGE)?, &mut out)
    };
    let (mut first_page, mut last_page, mut table) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.size(7, 3) {
        first_page.push(seconds(|| page(0))?);
        last_page.push(seconds(|| page(last))?);
        table.push(seconds(|| offset(&mut client, last))?);
    }
    let [first, last, table] = [Series::new(first_page)?, Series::new(last_page)?, Series::new(table)?];
    Ok(vec![
        Row::new("page of 100,000 rows on PostgreSQL, last / first", "warm read", Unit::Seconds, last.clone())
            .beside("first page", first)
            .goal(Goal::CostAtMost(1.1)),
        Row::new("last page on PostgreSQL / a table row each", "warm read", Unit::Seconds, last)
            .beside("a table row per row, OFFSET", table)
            .goal(Goal::SpeedupAtLeast(20.0)),
    ])
}

/// Writes the same rows into a table with one database row for each row, and with the key of such a table.
fn fill_table(client: &mut Client, pool: &[impl serde::Serialize], rows: usize) -> Result<()> {
    client.batch_execute("CREATE TABLE result (job int8, n int8, row text, PRIMARY KEY (job, n))")?;
    let texts: Vec<String> = pool.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    let statement = client.prepare(
        "INSERT INTO result SELECT 1, $1 + ordinality, row FROM unnest($2::text[]) WITH ORDINALITY AS rows (row)",
    )?;
    for first in (0..rows).step_by(10_000) {
        let batch: Vec<&String> =
            (first..rows.min(first + 10_000)).filter_map(|n| texts.get(n % texts.len())).collect();
        client.execute(&statement, &[&i64::try_from(first)?, &batch])?;
    }
    Ok(client.batch_execute("VACUUM ANALYZE result")?)
}

/// Reads a page from such a table, joined to a list.
fn offset(client: &mut Client, offset: u64) -> Result<()> {
    let found = client.query(
        "SELECT row FROM result WHERE job = 1 ORDER BY n LIMIT $1 OFFSET $2",
        &[&i64::from(PAGE), &i64::try_from(offset)?],
    )?;
    ensure!(found.len() == PAGE as usize, "the page is short");
    let rows: Vec<&str> = found.iter().map(|row| row.get(0)).collect();
    std::hint::black_box(rows.join(","));
    Ok(())
}
