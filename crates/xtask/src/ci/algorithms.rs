//! Every algorithm of the demo beside the same of `NetworkX`. Skipped where `NetworkX` cannot be downloaded.

use std::{process::Command, time::Duration};

use crate::{Outcome, process, setup::pip, skipped::Skipped, workspace::Workspace};

use super::service::{ANY_PORT, Service};

/// The vertices of the generated graph. A search from each of them takes `NetworkX` some seconds.
const VERTICES: &str = "1000";
/// A run that takes longer hangs.
const HANG: Duration = Duration::from_mins(8);

pub(super) fn algorithms(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    let files = workspace.root.join("crates/job-demo/ci");
    let packages = workspace.cache.join("networkx");
    if let Err(why) = pip::install_all(&files.join("networkx.txt"), &packages, &workspace.cache) {
        return skipped.note("algorithms", &why.to_string());
    }
    let arguments =
        ["--graph", "movies", "--synthetic", VERTICES, "--store", "store", "serve", "--listen", ANY_PORT];
    let demo = Service::of(workspace, "job-demo", &arguments)?;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(files.join("algorithms.py")).arg(&demo.url);
    let told = process::logged(&mut command, &workspace.target().join("algorithms.log"), HANG)?;
    eprintln!("{}", told.lines().last().unwrap_or_default());
    Ok(())
}
