//! The machine that a figure was measured on.

use std::{
    fmt, fs,
    io::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::Result;

/// The machine and the moment of a run.
#[derive(Debug, Clone)]
pub struct Machine {
    cores: usize,
    memory_gib: u64,
    kernel: String,
    load: String,
    fdatasync_per_second: f64,
    date: String,
    commit: String,
}

impl Machine {
    /// Reads the facts of the machine, and appends to a file in `directory` for half a second to measure the time
    /// of an fsync.
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
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            commit: commit(),
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, memory_gib, kernel, load, fdatasync_per_second, date, commit } = self;
        writeln!(f, "{date}, commit {commit}, release profile")?;
        writeln!(f, "{cores} cores, {memory_gib} GiB, Linux {kernel}, load average {load} at the start,")?;
        write!(f, "{fdatasync_per_second:.0} fdatasync/s (4 KiB appends)")
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

fn field(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn fdatasync_rate(directory: &Path) -> Result<f64> {
    let mut file = tempfile::tempfile_in(directory)?;
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed() < Duration::from_millis(500) {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
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
