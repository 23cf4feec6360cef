//! The package for Python.

use std::process::Command;

use crate::{Outcome, process, workspace::Workspace};

use super::ffi::Library;

/// The tests of the package for Python, which needs `python3` alone.
pub(super) fn python(workspace: &Workspace, library: &Library) -> Outcome {
    eprintln!("hosts: the tests of the package for Python");
    let mut python = Command::new("python3");
    python
        .args(["-m", "unittest", "discover", "--start-directory"])
        .arg(workspace.root.join("hosts/python/tests"));
    python.env("JOB_ENGINE_LIBRARY", library.directory.join("lib/libjob.so.1"));
    process::run(python.env("PYTHONDONTWRITEBYTECODE", "1"))
}
