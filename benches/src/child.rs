//! A child process for figures that are measured for a process: this program again, with the name of a task.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{machine, scenarios};

/// The report of a child on its standard output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Seconds of the task.
    pub seconds: f64,
    /// The most memory the process had, in bytes.
    pub peak: u64,
    /// The memory it had before the task, in bytes.
    pub before: u64,
    /// Bytes that the task read from a disk.
    pub read: u64,
}

impl Told {
    /// Runs `task` in this process, and reports its time and memory.
    ///
    /// # Errors
    /// As `task`.
    pub fn about(task: impl FnOnce() -> Result<()>) -> Result<Self> {
        let before = machine::memory();
        let read = machine::bytes_read();
        let seconds = crate::measure::seconds(task)?;
        let read = machine::bytes_read() - read;
        Ok(Self { seconds, peak: machine::peak_memory(), before, read })
    }
}

/// Runs `task` in a child process on the store in `directory`.
///
/// # Errors
/// When the child fails or prints anything but a [`Told`].
pub fn run(task: &str, directory: &Path, rows: usize) -> Result<Told> {
    let program = std::env::current_exe().context("find this program")?;
    let output = Command::new(program)
        .args(["--child", task, "--rows", &rows.to_string(), "--out"])
        .arg(directory)
        .output()
        .context("start the child")?;
    ensure!(output.status.success(), "child {task} failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("read what the child said")
}

/// Runs the task in the child process, and prints the report.
///
/// # Errors
/// The errors of the task, and one for an unknown task.
pub fn serve(task: &str, directory: &Path, rows: usize) -> Result<()> {
    let told = match task {
        "write" => scenarios::memory::write(directory, rows)?,
        "wait" => scenarios::finished_jobs::wait(directory, rows)?,
        "stream" => scenarios::memory::stream(directory)?,
        "cold" => scenarios::disk::read_cold(directory)?,
        "http" => return scenarios::http::serve(directory, rows),
        _ => bail!("there is no task {task}"),
    };
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}
