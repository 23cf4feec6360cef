//! The peers: separate programs, which are built on first use and run as child processes.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{measure::Series, team::Team};

/// A peer in one of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The name of the peer in the table.
    pub name: &'static str,
    package: &'static str,
    variant: &'static str,
}

const fn peer(name: &'static str, package: &'static str, variant: &'static str) -> Peer {
    Peer { name, package, variant }
}

/// Rollback journal, `synchronous = NORMAL`: an fsync per commit.
pub const EFFECTUM: Peer = peer("effectum as shipped", "effectum", "");
/// No fsync per commit.
pub const EFFECTUM_WAL: Peer = peer("effectum, WAL forced", "effectum", "wal");
/// WAL, with no fsync on the one connection that the peer's set-up changed.
pub const APALIS: Peer = peer("apalis-sqlite as shipped", "apalis", "");
/// WAL, an fsync per commit.
pub const APALIS_FULL: Peer = peer("apalis-sqlite, FULL", "apalis", "full");
/// WAL, `synchronous = NORMAL`: no fsync per commit.
pub const AZUMS: Peer = peer("azums, SQLite", "azums", "");
/// In memory.
pub const AZUMS_MEMORY: Peer = peer("azums, memory", "azums", "memory");
/// WAL, an fsync per commit.
pub const FANG: Peer = peer("fang, WAL", "fang", "");
/// A statement or two for each job.
pub const GRAPHILE: Peer = peer("graphile_worker as shipped", "graphile", "");
/// Jobs are fetched 500 at once and ended together.
pub const GRAPHILE_BATCHED: Peer = peer("graphile_worker, batched", "graphile", "batched");
/// The same, with a handler that leaves a row about the finished job in a table of its own: so both keep a record.
pub const GRAPHILE_RECORDED: Peer = peer("graphile_worker, batched, with a record kept", "graphile", "recorded");
/// Jobs are fetched 100 at once.
pub const APALIS_POSTGRES: Peer = peer("apalis-postgres", "apalis-postgres", "");
/// In memory.
pub const KIOMQ: Peer = peer("kiomq, memory", "kiomq", "");

/// The task of a peer; its own program explains the scenarios.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// `submit`, `batch`, `drain`, `join`, `both` or `latency`.
    pub scenario: &'static str,
    /// Jobs.
    pub n: usize,
    /// Workers, or slots of one worker.
    pub workers: usize,
}

#[derive(Debug, Deserialize)]
struct Line {
    seconds: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
}

/// One peer with one order, in all rounds. A peer that cannot be built or that fails is left out of later rounds,
/// with a line on the standard error. The other figures are measured nevertheless.
#[derive(Debug)]
pub struct Lane {
    /// The peer that runs.
    pub peer: Peer,
    /// The scenario that it runs.
    pub order: Order,
    rates: Vec<f64>,
    failed: bool,
}

impl Lane {
    /// A peer that has not run yet.
    #[must_use]
    pub const fn new(peer: Peer, order: Order) -> Self {
        Self { peer, order, rates: Vec::new(), failed: false }
    }

    /// Runs the peer once.
    pub fn round(&mut self, stores: &Path) {
        self.round_on(stores, None);
    }

    /// Runs the peer once, on an empty database if the peer needs a server.
    pub fn round_on(&mut self, stores: &Path, database: Option<&str>) {
        if self.failed {
            return;
        }
        let rate = self.peer.rate(stores, self.order, database);
        self.note(rate);
    }

    /// Runs the peer once in this number of processes.
    pub fn round_of(&mut self, stores: &Path, processes: usize, database: &str) {
        if !self.failed {
            let rate = self.peer.team(stores, self.order, processes, database);
            self.note(rate);
        }
    }

    fn note(&mut self, rate: Result<f64>) {
        match rate {
            Ok(rate) => self.rates.push(rate),
            Err(error) => {
                self.failed = true;
                eprintln!("  {} is left out of {}: {error:#}", self.peer.name, self.order.scenario);
            }
        }
    }

    /// The peer's jobs a second, if it did not fail.
    #[must_use]
    pub fn rates(&self) -> Option<Series> {
        if self.failed { None } else { Series::new(self.rates.clone()).ok() }
    }
}

/// How long a peer may take for one order.
const PATIENCE: Duration = Duration::from_secs(100);

impl Peer {
    fn rate(self, stores: &Path, order: Order, database: Option<&str>) -> Result<f64> {
        let seconds = self.run(stores, order, database)?.seconds.context("a peer must say how long it took")?;
        Ok(order.n as f64 / seconds)
    }

    /// Seconds from submission to end, median and 99th percentile.
    ///
    /// # Errors
    /// When the peer cannot be built, fails, or prints an unknown line.
    pub fn latency(self, stores: &Path, order: Order) -> Result<(f64, f64)> {
        let line = self.run(stores, order, None)?;
        line.p50.zip(line.p99).context("a peer must say how long its jobs took")
    }

    fn run(self, stores: &Path, order: Order, database: Option<&str>) -> Result<Line> {
        self.build()?;
        let directory = tempfile::tempdir_in(stores)?;
        let child = self
            .command(order, directory.path(), database)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", self.name))?;
        let output = end(child)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "it failed: {}", errors.trim());
        serde_json::from_slice(&output.stdout).context("read what it said")
    }

    fn command(self, order: Order, directory: &Path, database: Option<&str>) -> Command {
        let mut command = Command::new(peers().join("target/release").join(format!("peer-{}", self.package)));
        command
            .arg(order.scenario)
            .args([format!("n={}", order.n), format!("workers={}", order.workers)])
            .arg(format!("variant={}", self.variant))
            .arg(format!("dir={}", directory.display()))
            .args(database.map(|url| format!("url={url}")))
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// Jobs a second of this many processes on one empty database. `batch` fills the database, then each process does
    /// a part of `submit`, or all of them `join`.
    fn team(self, stores: &Path, order: Order, processes: usize, database: &str) -> Result<f64> {
        let drains = order.scenario == "join";
        let fill = Order { scenario: "batch", n: if drains { order.n } else { 0 }, ..order };
        self.run(stores, fill, Some(database))?;
        let directory = tempfile::tempdir_in(stores)?;
        let part = Order { n: order.n / processes, ..order };
        let commands = (0..processes).map(|_| {
            let mut command = self.command(part, directory.path(), Some(database));
            command.arg("gate=1").stderr(Stdio::null());
            command
        });
        let team = Team::start(commands.collect())?;
        let seconds = if drains { team.drain(order.n, || Ok(true)) } else { team.submit() }?;
        Ok(order.n as f64 / seconds)
    }

    /// Builds the program, once in a run.
    fn build(self) -> Result<()> {
        static BUILT: Mutex<Option<HashSet<&str>>> = Mutex::new(None);
        let mut built = BUILT.lock().map_err(|_| anyhow::anyhow!("another thread failed to build"))?;
        if built.get_or_insert_default().contains(self.package) {
            return Ok(());
        }
        eprintln!("  building {} (minutes the first time)", self.package);
        let status = Command::new("cargo")
            .args(["build", "--release", "--quiet", "--locked", "--target-dir", "../target"])
            .current_dir(peers().join(self.package))
            .status()
            .context("run cargo")?;
        ensure!(status.success(), "{} does not build", self.package);
        built.get_or_insert_default().insert(self.package);
        Ok(())
    }
}

/// Waits for a child that prints little, at most [`PATIENCE`].
fn end(mut child: Child) -> Result<Output> {
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("it was not done after {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(child.wait_with_output()?)
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}
