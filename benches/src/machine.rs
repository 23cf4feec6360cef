//! The machine that a figure was measured on.

use std::{fmt, fs, io::Write, path::Path, process::Command, time::Duration};

use anyhow::Result;

use crate::{measure::repeat_for, vertices::vertices};

/// The machine and the moment of a run.
#[derive(Debug, Clone)]
pub struct Machine {
    cores: usize,
    memory_gib: u64,
    kernel: String,
    load: String,
    fdatasync_per_second: f64,
    rows_per_second: f64,
    copied_per_second: f64,
    date: String,
    commit: String,
}

impl Machine {
    /// Reads the facts of the machine, and measures its disk, a core and the memory for half a second each. The figures are
    /// fsyncs of a file in `directory`, rows that `serde_json` writes, and bytes that are copied.
    ///
    /// # Errors
    /// When that file cannot be written.
    pub fn look(directory: &Path) -> Result<Self> {
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib().div_ceil(1 << 20),
            kernel: word_of("/proc/sys/kernel/osrelease"),
            load: load(),
            fdatasync_per_second: fdatasync_rate(directory)?,
            rows_per_second: serialized_rate()?,
            copied_per_second: copied_rate()?,
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            commit: commit(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, memory_gib, kernel, load, date, commit, .. } = self;
        let (fsyncs, rows, copied) = (self.fdatasync_per_second, self.rows_per_second, self.copied_per_second);
        writeln!(f, "{date}, commit {commit}, release profile")?;
        writeln!(f, "{cores} cores, {memory_gib} GiB, Linux {kernel}, load average {load} at the start,")?;
        writeln!(f, "{fsyncs:.0} fdatasync/s (4 KiB appends), a core writes {:.2} M rows/s as JSON,", rows / 1e6)?;
        write!(f, "and copies {:.1} GB/s (buffers of 16 MB)", copied / 1e9)
    }
}

/// The load average of the last minute, now.
#[must_use]
pub fn load() -> String {
    word_of("/proc/loadavg")
}

fn word_of(file: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn memory_kib() -> u64 {
    field("/proc/meminfo", "MemTotal:").unwrap_or_default()
}

/// The most memory that this process has had, in bytes.
#[must_use]
pub fn peak_memory() -> u64 {
    field("/proc/self/status", "VmHWM:").unwrap_or_default() << 10
}

/// The memory that this process has now, in bytes.
#[must_use]
pub fn memory() -> u64 {
    field("/proc/self/status", "VmRSS:").unwrap_or_default() << 10
}

/// The bytes that this process has read from disks; 0 where the system does not count them.
#[must_use]
pub fn bytes_read() -> u64 {
    field("/proc/self/io", "read_bytes:").unwrap_or_default()
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn fdatasync_rate(directory: &Path) -> Result<f64> {
    let mut file = tempfile::tempfile_in(directory)?;
    rate(|| {
        file.write_all(&[7; 4096])?;
        Ok(file.sync_data()?)
    })
}

fn serialized_rate() -> Result<f64> {
    let rows = vertices(1_000);
    let mut out = Vec::new();
    let calls = rate(|| {
        out.clear();
        for row in &rows {
            serde_json::to_writer(&mut out, row)?;
        }
        std::hint::black_box(out.last());
        Ok(())
    })?;
    Ok(calls * rows.len() as f64)
}

fn copied_rate() -> Result<f64> {
    let (from, mut to) = (vec![7_u8; 16_000_000], vec![0_u8; 16_000_000]);
    let calls = rate(|| {
        to.copy_from_slice(std::hint::black_box(&from));
        std::hint::black_box(to.last());
        Ok(())
    })?;
    Ok(calls * from.len() as f64)
}

/// Calls a second of `work`, which is called for half a second.
fn rate(work: impl FnMut() -> Result<()>) -> Result<f64> {
    let series = repeat_for(Duration::from_millis(500), work)?;
    Ok(1.0 / series.mean())
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let clean = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| changes.is_empty());
    if clean { commit } else { commit + " with changes" }
}
