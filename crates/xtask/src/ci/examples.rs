//! Examples that are workspaces of their own, because no other package needs their native libraries.

use std::process::Command;

use crate::{Outcome, fuzz::fetched, process, skipped::Skipped, workspace::Workspace};

const EXAMPLES: [&str; 1] = ["examples/sqlite-store"];

const CHECKS: [&[&str]; 3] = [
    &["fmt", "--check"],
    &["clippy", "--quiet", "--release", "--locked", "--all-targets", "--", "-D", "warnings"],
    &["test", "--quiet", "--release", "--locked"],
];

/// Runs every check of each example. Without a network, an example is skipped if its packages are not downloaded.
pub(super) fn examples(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    for example in EXAMPLES {
        if fetched(cargo(workspace, example), example, skipped)? {
            CHECKS.iter().try_for_each(|arguments| process::run(cargo(workspace, example).args(*arguments)))?;
        }
    }
    Ok(())
}

fn cargo(workspace: &Workspace, example: &str) -> Command {
    let mut cargo = workspace.cargo();
    cargo.current_dir(workspace.root.join(example)).env("CARGO_TARGET_DIR", workspace.target().join("examples"));
    cargo
}
