//! The published client of the service's management plane, run unchanged against the demo.

use std::{process::Command, time::Duration};

use crate::{Outcome, process, setup::pip, workspace::Workspace};

use super::service::{ANY_PORT, Service};

/// A run that takes longer hangs.
const HANG: Duration = Duration::from_mins(2);

pub(super) fn management(workspace: &Workspace) -> Outcome {
    let files = workspace.root.join("crates/job-http/ci");
    let packages = workspace.cache.join("management");
    pip::install_all(&files.join("management.txt"), &packages, &workspace.cache)?;
    let arguments = ["--graph", "movies", "--store", "store", "serve", "--listen", ANY_PORT];
    let demo = Service::of(workspace, "job-demo", &arguments)?;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1");
    command.arg(files.join("management.py")).arg(&demo.url);
    process::logged(&mut command, &workspace.target().join("management.log"), HANG).map(drop)
}
