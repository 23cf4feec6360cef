//! Tests the REST surface against its own `OpenAPI` document: schemathesis makes right and wrong requests from it.

use std::time::Duration;

use crate::{Outcome, process, setup::pip, workspace::Workspace};

use super::service::{ANY_PORT, Service};

/// After this number of seconds, the program sends no new requests.
const BUDGET: &str = "100";
/// A run that takes longer hangs.
const HANG: Duration = Duration::from_mins(6);

pub(super) fn rest(workspace: &Workspace) -> Outcome {
    let files = workspace.root.join("crates/job-http/ci");
    let packages = workspace.cache.join("schemathesis");
    pip::install_all(&files.join("schemathesis.txt"), &packages, &workspace.cache)?;
    let arguments =
        ["--graph", "movies", "--store", "store", "serve", "--exports", "exports", "--listen", ANY_PORT];
    let demo = Service::of(workspace, "job-demo", &arguments)?;
    let mut command = pip::program(&packages, "schemathesis");
    command.arg("--config-file").arg(files.join("schemathesis.toml")).arg("run");
    // The requests are the same every time, so a failure repeats on every machine.
    command.args(["--generation-deterministic", "--max-examples", "20", "--max-time", BUDGET, "--no-color"]);
    command.arg(format!("{}/openapi.json", demo.url)).current_dir(demo.directory());
    let log = workspace.target().join("schemathesis.log");
    let told = process::logged(&mut command, &log, HANG)?;
    eprintln!("{}", cases(&told));
    Ok(())
}

/// The last line of schemathesis, such as `880 generated, 880 passed`.
fn cases(told: &str) -> &str {
    told.lines().rev().map(str::trim).find(|line| line.contains(" passed")).unwrap_or("all passed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_cases_is_told() {
        assert_eq!(cases("Test cases:\n  880 generated, 880 passed\n\nSeed: none\n"), "880 generated, 880 passed");
    }
}
