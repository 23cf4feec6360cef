//! The peers: programs of their own, built on first use and run as children.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// A peer in one of its settings.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its name in the table.
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
/// WAL; no fsync on the one connection that its set-up reached.
pub const APALIS: Peer = peer("apalis-sqlite as shipped", "apalis", "");
/// WAL, an fsync per commit.
pub const APALIS_FULL: Peer = peer("apalis-sqlite, FULL", "apalis", "full");
/// WAL, `synchronous = NORMAL`: no fsync per commit.
pub const AZUMS: Peer = peer("azums, SQLite", "azums", "");
/// In memory.
pub const AZUMS_MEMORY: Peer = peer("azums, memory", "azums", "memory");
/// WAL, an fsync per commit.
pub const FANG: Peer = peer("fang, WAL", "fang", "");
/// In memory.
pub const KIOMQ: Peer = peer("kiomq, memory", "kiomq", "");

/// What a peer is to do; its own program explains the scenarios.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// `submit`, `batch`, `drain`, `both` or `latency`.
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

impl Peer {
    /// Jobs a second.
    ///
    /// # Errors
    /// When the peer cannot be built, fails, or says something unknown.
    pub fn rate(self, stores: &Path, order: Order) -> Result<f64> {
        let seconds = self.run(stores, order)?.seconds.context("a peer must say how long it took")?;
        Ok(order.n as f64 / seconds)
    }

    /// Seconds from submission to end, median and 99th percentile.
    ///
    /// # Errors
    /// As [`rate`](Self::rate).
    pub fn latency(self, stores: &Path, order: Order) -> Result<(f64, f64)> {
        let line = self.run(stores, order)?;
        line.p50.zip(line.p99).context("a peer must say how long its jobs took")
    }

    fn run(self, stores: &Path, order: Order) -> Result<Line> {
        self.build()?;
        let directory = tempfile::tempdir_in(stores)?;
        let output = Command::new(peers().join("target/release").join(format!("peer-{}", self.package)))
            .arg(order.scenario)
            .args([format!("n={}", order.n), format!("workers={}", order.workers)])
            .arg(format!("variant={}", self.variant))
            .arg(format!("dir={}", directory.path().display()))
            .output()
            .with_context(|| format!("start {}", self.name))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {errors}", self.name);
        serde_json::from_slice(&output.stdout).with_context(|| format!("read what {} said", self.name))
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

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}
