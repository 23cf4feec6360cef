//! The page for people, driven by keyboard in a headless Chromium. It fails where there is none.

use std::{env, path::PathBuf, process::Command, time::Duration};

use crate::{
    Outcome, process,
    setup::{debian, pip},
    workspace::Workspace,
};

use super::service::{ANY_PORT, Service};

/// More rows than the browser keeps, which a job makes quickly.
const ROWS: &str = "200000";
/// A run that takes longer hangs.
const HANG: Duration = Duration::from_mins(8);

pub(super) fn page(workspace: &Workspace) -> Outcome {
    let chromium = chromium()?;
    let files = workspace.root.join("crates/job-http/ci");
    let packages = workspace.cache.join("playwright");
    pip::install_all(&files.join("playwright.txt"), &packages, &workspace.cache)?;
    let load = Service::of(workspace, "examples/load", &[ANY_PORT, ROWS])?;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", &packages).env("PYTHONDONTWRITEBYTECODE", "1").env("CHROMIUM", chromium);
    command.arg(files.join("page.py")).arg(format!("{}/", load.url)).arg(workspace.target().join("page-shots"));
    process::logged(&mut command, &workspace.target().join("page.log"), HANG).map(drop)
}

/// The installed browser; as root, Debian's is installed.
fn chromium() -> Result<PathBuf, String> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    if !debian::is_root() {
        return Err("there is no Chromium: install it (`sudo apt-get install chromium`)".to_owned());
    }
    let result = debian::install(&["chromium".to_owned()]);
    installed().ok_or_else(|| {
        let why = result.err().map_or_else(|| "it holds no program".to_owned(), |error| error.to_string());
        format!("there is no Chromium, and Debian's package could not be installed ({why})")
    })
}

fn installed() -> Option<PathBuf> {
    let directories: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names
        .iter()
        .find_map(|name| directories.iter().map(|directory| directory.join(name)).find(|file| file.is_file()))
}
