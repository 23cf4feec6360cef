//! Measures [`Costs`], and the rates of real engines, on a PostgreSQL server of its own.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use job_core::{Event, JobKind, JobRecord, JobResult, JobSpec, Timestamp};
use job_runner::{Clock, Durability, Engine, JobContext, SharedEngineBuilder, SystemClock};
use job_store::{
    Claim, ClaimId, JobStore, KnownRevision, PostgresOptions, PostgresStore, ResultStore, SegmentKey, SharedStore,
    Store,
};
use parking_lot::Mutex;
use postgres::{Client, NoTls};
use rand_distr::{Distribution, Exp};
use rand_pcg::{Pcg64, rand_core::SeedableRng};
use test_servers::Postgres;

use super::costs::{Cost, Costs, Line, Statement};
use crate::{
    engines,
    measure::{Series, seconds},
    stored,
    vertices::vertices,
};

const BATCH: usize = 64;
const LEASE: Duration = Duration::from_hours(1);

pub(super) fn open(url: &str) -> Result<Arc<PostgresStore>> {
    Ok(Arc::new(PostgresStore::open(url, PostgresOptions::default())?))
}

/// Reads the clocks of the server's processes and of this process.
struct Meter {
    client: Client,
}

/// The use of cores (microseconds) and of the log (bytes) until one moment.
struct Used {
    backends: HashMap<i32, f64>,
    own_processes: HashMap<i32, f64>,
    engine: f64,
    wal: f64,
}

/// The cost of one call or job: microseconds of cores, bytes of the log, and the seconds of all calls.
pub(super) struct Reading {
    server: f64,
    background: f64,
    engine: f64,
    wal: f64,
    pub(super) times: Series,
}

impl Meter {
    fn open(url: &str) -> Result<Self> {
        Ok(Self { client: Client::connect(url, NoTls)? })
    }

    fn used(&mut self) -> Result<Used> {
        let rows = self.client.query(
            "SELECT pid, backend_type = 'client backend' FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
            &[],
        )?;
        let (mut backends, mut own_processes) = (HashMap::new(), HashMap::new());
        for row in rows {
            let pid: i32 = row.get(0);
            // A process that has just ended is missed.
            let Ok(text) = fs::read_to_string(format!("/proc/{pid}/schedstat")) else { continue };
            let nanos: f64 = text.split_whitespace().next().context("the time of a process")?.parse()?;
            if row.get(1) { &mut backends } else { &mut own_processes }.insert(pid, nanos / 1e3);
        }
        let lsn = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";
        Ok(Used { backends, own_processes, engine: own_time()?, wal: self.client.query_one(lsn, &[])?.get(0) })
    }

    /// The cost of each of `n` jobs or calls since `before`.
    fn since(&mut self, before: &Used, n: usize, times: Series) -> Result<Reading> {
        let after = self.used()?;
        let spent = |before: &HashMap<i32, f64>, after: &HashMap<i32, f64>| -> f64 {
            after.iter().map(|(pid, used)| used - before.get(pid).unwrap_or(&0.0)).sum()
        };
        let n = n as f64;
        Ok(Reading {
            server: spent(&before.backends, &after.backends) / n,
            background: spent(&before.own_processes, &after.own_processes) / n,
            engine: (after.engine - before.engine) / n,
            wal: (after.wal - before.wal) / n,
            times,
        })
    }

    /// Calls `work` this number of times.
    fn read(&mut self, calls: usize, mut work: impl FnMut(usize) -> Result<()>) -> Result<Reading> {
        let before = self.used()?;
        let times = (0..calls).map(|call| seconds(|| work(call))).collect::<Result<_>>()?;
        self.since(&before, calls, Series::new(times)?)
    }
}

/// Microseconds of cores that this process has used, all threads together; the system counts in hundredths of a second.
fn own_time() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("the time of this process")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) * 1e4)
}

impl Reading {
    /// Seconds of cores that all processes have used.
    pub(super) fn cores(&self) -> f64 {
        (self.server + self.background + self.engine) / 1e6
    }

    fn tail(&self) -> f64 {
        self.times.quantile(0.99) / self.times.median()
    }

    /// The cost of a statement that was measured for one number of jobs, so without a cost of each job.
    fn alone(&self) -> Cost {
        let line = |fixed| Line { fixed, each: 0.0 };
        Cost { server: line(self.server), engine: line(self.engine), wal: line(self.wal), tail: self.tail() }
    }

    fn with(&self, many: &Self, n: usize) -> Cost {
        let n = n as f64;
        Cost {
            server: Line::through(self.server, many.server, n),
            engine: Line::through(self.engine, many.engine, n),
            wal: Line::through(self.wal, many.wal, n),
            tail: self.tail(),
        }
    }
}

/// Measures each statement by itself, with `n` calls on one connection.
pub(super) fn costs(server: &Postgres, n: usize) -> Result<Costs> {
    let url = server.database("scale_costs")?;
    let (store, mut meter) = (open(&url)?, Meter::open(&url)?);
    let mut costs = Costs::default();
    costs.engine = Costs::MEASURED.engine;
    let insert = |count: usize, durability| {
        let records: Vec<JobRecord> = (0..count).map(|_| stored::waiting()).collect();
        Ok(store.insert(&records, durability)?)
    };
    let one = meter.read(n, |_| insert(1, Durability::Synced))?;
    let many = meter.read(n / BATCH, |_| insert(BATCH, Durability::Synced))?;
    costs.set(Statement::Submit, one.with(&many, BATCH));
    let buffered = meter.read(n, |_| insert(1, Durability::Buffered))?;
    costs.flush = ((one.times.median() - buffered.times.median()) * 1e6).max(0.0);

    let mut jobs = Vec::new();
    let kinds = [JobKind::VertexFilter];
    let mut claim = |limit| {
        let start = Some(Timestamp::default());
        let claimed = store.claim(&Claim { start, ..Claim::new(&kinds, limit, LEASE) })?;
        jobs.extend(claimed.into_iter().map(|claimed| claimed.record));
        Ok(())
    };
    let one = meter.read(n, |_| claim(1))?;
    let many = meter.read(n.div_ceil(BATCH) * 2, |_| claim(BATCH))?;
    costs.set(Statement::Claim, one.with(&many, BATCH));
    costs.set(Statement::Ask, meter.read(n, |_| claim(8))?.alone());
    ensure!(jobs.len() >= 3 * n, "jobs were not claimed");

    let known: Vec<KnownRevision> =
        jobs.iter().map(|job| KnownRevision { id: job.id, revision: job.revision }).collect();
    let mut look = |count| {
        meter.read(n, |_| {
            store.changed(known.get(..count).unwrap_or_default())?;
            Ok(())
        })
    };
    let (one, many) = (look(1)?, look(BATCH)?);
    costs.set(Statement::Look, one.with(&many, BATCH));
    let held: Vec<ClaimId> = jobs.iter().map(|job| ClaimId { job: job.id, token: 0 }).collect();
    costs.set(Statement::Renew, renew(&url, &mut meter, &store, &held)?);
    finish(&mut costs, &mut meter, &store, &jobs)?;
    rows(&mut costs, &mut meter, &store, n)?;
    costs.set(Statement::Notice, notice(&url, &mut meter)?);
    drop(store);
    costs.kept = kept(server, 4 * n)?;
    Ok(costs)
}

/// Measures the renewal of one lease by another claimant, and of all leases `held` of `store`.
fn renew(url: &str, meter: &mut Meter, store: &PostgresStore, held: &[ClaimId]) -> Result<Cost> {
    let other = open(url)?;
    store.insert(&[stored::waiting()], Durability::Buffered)?;
    let claimed = other.claim(&Claim::new(&[JobKind::VertexFilter], 1, LEASE))?;
    let [claimed] = &*claimed else { bail!("the job was not claimed") };
    let one = meter.read(200, |_| {
        other.renew(&[ClaimId { job: claimed.record.id, token: 0 }], LEASE)?;
        Ok(())
    })?;
    let many = meter.read(3, |_| {
        store.renew(held, LEASE)?;
        Ok(())
    })?;
    Ok(one.with(&many, held.len()))
}

/// Measures the end and the removal of started jobs.
fn finish(costs: &mut Costs, meter: &mut Meter, store: &PostgresStore, jobs: &[JobRecord]) -> Result<()> {
    let (alone, together) = jobs.split_at(jobs.len() / 3);
    let batches: Vec<&[JobRecord]> = together.chunks_exact(BATCH).collect();
    let result = JobResult::default();
    let end = |of: &[JobRecord]| {
        let next: Vec<JobRecord> = of
            .iter()
            .map(|job| job.apply(Event::Succeed(result.size()), job.submitted_at))
            .collect::<Result<_, _>>()?;
        let ends: Vec<_> = next.iter().map(|next| (next, &result)).collect();
        Ok(store.complete(&ends, Durability::Synced)?)
    };
    let one = meter.read(alone.len(), |at| end(alone.get(at..=at).context("a job")?))?;
    let many = meter.read(batches.len(), |at| end(batches.get(at).context("a batch")?))?;
    costs.set(Statement::End, one.with(&many, BATCH));
    costs.background = (one.background + many.background) / (one.server + many.server);
    let get = meter.read(alone.len(), |at| {
        store.get(alone.get(at).context("a job")?.id)?;
        Ok(())
    })?;
    costs.set(Statement::State, get.alone());
    let remove = meter.read(alone.len(), |at| {
        ensure!(store.remove(alone.get(at).context("a job")?.id)?, "a job was removed already");
        Ok(())
    })?;
    costs.set(Statement::Remove, remove.alone());
    Ok(())
}

/// Measures the write of blocks, and the read of pages of 100 rows.
fn rows(costs: &mut Costs, meter: &mut Meter, store: &PostgresStore, n: usize) -> Result<()> {
    let (pool, job) = (vertices(100_000), stored::running(store)?);
    let mut blocks = 0.0;
    let written = meter.read(1, |_| {
        let segment = stored::segment(store, &job, 0, &pool)?;
        store.blocks(SegmentKey { job: job.id, attempt: job.attempt, number: 0 }, &mut |_, _| {
            blocks += 1.0;
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        stored::complete(store, &job, vec![segment], Durability::Synced)
    })?;
    let per_block = |line: Line| Line { fixed: line.fixed / blocks, each: 0.0 };
    let all = written.alone();
    let [server, engine, wal] = [all.server, all.engine, all.wal].map(per_block);
    costs.set(Statement::Block, Cost { server, engine, wal, tail: 1.0 });
    let key = SegmentKey { job: job.id, attempt: job.attempt, number: 0 };
    let page = meter.read(n, |at| {
        let first = (at as u64 * 7_919) % 99_000;
        store.read(key, first..first + 100, &mut |_| Ok(std::ops::ControlFlow::Continue(())))?;
        Ok(())
    })?;
    costs.set(Statement::Page, page.alone());
    Ok(())
}

/// Measures a notice with no listener but the stores, and with 64 more listeners.
fn notice(url: &str, meter: &mut Meter) -> Result<Cost> {
    const LISTENERS: usize = 64;
    let mut teller = Client::connect(url, NoTls)?;
    let tell = teller.prepare("SELECT pg_notify('scale', 'a claimant, whose id is about so long')")?;
    let mut telling = |meter: &mut Meter| {
        meter.read(400, |_| {
            teller.query(&tell, &[])?;
            Ok(())
        })
    };
    let one = telling(meter)?;
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        let mut listener = Client::connect(url, NoTls)?;
        listener.batch_execute("LISTEN scale")?;
        listeners.push(listener);
    }
    let many = telling(meter)?;
    drop(listeners);
    Ok(one.with(&many, LISTENERS + 1))
}

/// Measures the bytes that remain of each of `n` jobs that one engine has run.
fn kept(server: &Postgres, n: usize) -> Result<f64> {
    let url = server.database("scale_kept")?;
    let all = drain(&url, 1, n)?;
    let mut client = Client::connect(&url, NoTls)?;
    client.batch_execute("VACUUM ANALYZE")?;
    let tables = "SELECT relname::text, n_tup_upd, n_tup_hot_upd, n_tup_del, pg_relation_size(relid), pg_indexes_size(relid)
        FROM pg_stat_user_tables WHERE relname IN ('finished', 'queue', 'works') ORDER BY relname";
    let mut bytes = 0;
    for row in client.query(tables, &[])? {
        let [updates, hot, deletes, heap, indexes] = [1, 2, 3, 4, 5].map(|at| row.get::<_, i64>(at));
        let name: String = row.get(0);
        println!(
            "  {name}: {updates} updates, {hot} of them hot, {deletes} deletes; {heap} bytes, indexes {indexes}"
        );
        bytes += if name == "queue" { 0 } else { heap + indexes };
    }
    let Reading { server, background, engine, wal, .. } = all;
    println!(
        "  a job: {wal:.0} bytes of log; µs of cores: {server:.0} statements, {background:.0} the server's own, {engine:.0} engine"
    );
    Ok(bytes as f64 / n as f64)
}

/// `engines` engines of 8 workers run `n` jobs that wait in one database.
pub(super) fn drain(url: &str, engines: usize, n: usize) -> Result<Reading> {
    let front = open(url)?;
    drop(engines::submit_batches(&Engine::builder_shared(front.clone()).front_end().open()?, n)?);
    let stores: Vec<_> = (0..engines).map(|_| open(url)).collect::<Result<_>>()?;
    let ran = Arc::new(AtomicUsize::new(0));
    let mut meter = Meter::open(url)?;
    let before = meter.used()?;
    let mut open = Vec::new();
    let all = seconds(|| {
        for store in &stores {
            let count = Arc::clone(&ran);
            let noop = move |_: &mut JobContext| {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            open.push(Engine::builder_shared(store.clone()).algorithm("noop", noop).workers(8).open()?);
        }
        while ran.load(Ordering::Relaxed) < n || !front.unfinished()?.is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    })?;
    // The clocks are read before connections end, since the server's processes end with them.
    meter.since(&before, n, Series::once(all))
}

/// The jobs a second that `engines` engines store, with one call for each job.
pub(super) fn submit(url: &str, engines: usize, n: usize) -> Result<f64> {
    let fronts: Vec<Engine> =
        (0..engines).map(|_| Ok(Engine::builder_shared(open(url)?).front_end().open()?)).collect::<Result<_>>()?;
    let all = seconds(|| {
        thread::scope(|scope| {
            let submitters: Vec<_> = fronts
                .iter()
                .map(|front| {
                    scope.spawn(move || -> Result<()> {
                        for _ in 0..n / engines {
                            drop(front.submit(engines::noop())?);
                        }
                        Ok(())
                    })
                })
                .collect();
            submitters
                .into_iter()
                .try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a submitter died"))?)
        })
    })?;
    Ok(n as f64 / all)
}

/// Submits `rate` jobs a second to `engines` engines in turn. Each job takes `body`; both are random averages.
/// Returns how long each job waited for a worker.
pub(super) fn paced(
    url: &str,
    engines: usize,
    jobs: usize,
    rate: f64,
    body: Duration,
    set: impl Fn(SharedEngineBuilder) -> SharedEngineBuilder,
) -> Result<Series> {
    let mut random = Pcg64::seed_from_u64(20_261_124);
    let times = |rate| Exp::new(rate).map_err(|error| anyhow::anyhow!("the rate {rate}: {error}"));
    let (gaps, bodies) = (times(rate)?, times(1.0 / body.as_secs_f64())?);
    let begins = Arc::new(Mutex::new(HashMap::new()));
    let open_one = || -> Result<Engine> {
        let begins = Arc::clone(&begins);
        let pause = move |ctx: &mut JobContext| {
            begins.lock().insert(ctx.id(), SystemClock.now());
            let seconds = ctx.spec().parameters().read().unwrap_or(0.0);
            thread::sleep(Duration::from_secs_f64(seconds));
            Ok(())
        };
        Ok(set(Engine::builder_shared(open(url)?).algorithm("pause", pause)).open()?)
    };
    let open: Vec<Engine> = (0..engines).map(|_| open_one()).collect::<Result<_>>()?;
    let (mut handles, start, mut due) = (Vec::new(), Instant::now(), 0.0);
    for engine in open.iter().cycle().take(jobs) {
        due += gaps.sample(&mut random);
        thread::sleep(Duration::from_secs_f64(due).saturating_sub(start.elapsed()));
        let spec =
            JobSpec::algorithm("pause").with_graph("movies").with_parameters(&bodies.sample(&mut random))?;
        handles.push(engine.submit(spec)?);
    }
    let waits = handles.iter().map(|handle| {
        let record = handle.wait()?;
        // The time of the claim would be too early: the job may have waited for a worker after its claim.
        let begun = begins.lock().get(&record.id).copied().context("a job never began")?;
        Ok(begun.since(record.submitted_at).as_secs_f64())
    });
    Series::new(waits.collect::<Result<_>>()?)
}

/// Makes the server count its statements.
pub(super) fn count_statements(server: &Postgres) -> Result<()> {
    server.sql("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")?;
    server.stop()?;
    server.start_again()?;
    server.sql("CREATE EXTENSION pg_stat_statements")?;
    Ok(())
}

/// The number of claims that were sent so far, in all databases.
pub(super) fn claims(server: &Postgres) -> Result<f64> {
    let count = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE '%SKIP LOCKED%'";
    Ok(server.sql(count)?.trim().parse()?)
}
