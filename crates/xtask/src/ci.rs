//! `cargo xtask ci`: every check, the cheapest first; the first that fails ends it.

mod directions;
mod tidy;

use std::{process::Command, time::Instant};

use crate::{
    Outcome,
    arguments::Options,
    process, setup, test,
    workspace::{TEST_FEATURES, Workspace},
};

/// Packages with the features they must also compile with, each alone: features that others turn on hide mistakes.
const COMBINATIONS: [(&str, &[&str]); 8] = [
    ("job-core", &[]),
    ("job-store", &[]),
    ("job-store", &["--features", "conformance"]),
    ("job-store", &["--features", "rocksdb"]),
    ("job-store", &["--features", "postgres"]),
    ("job-runner", &["--no-default-features"]),
    ("job-runner", &[]),
    ("job-demo", &[]),
];

pub(crate) fn ci(workspace: &Workspace, options: &Options) -> Outcome {
    let start = Instant::now();
    step("format", || process::run(workspace.cargo().args(["fmt", "--all", "--check"])))?;
    step("tidy", || tidy::tidy(workspace))?;
    step("directions", || directions::directions(workspace))?;
    step("setup", || setup::setup(workspace, options).map(drop))?;
    setup::servers();
    step("clippy", || {
        process::run(&mut clippy(workspace, &["--workspace", "--all-targets", "--features", TEST_FEATURES]))
    })?;
    for (package, features) in COMBINATIONS {
        let selection = [&["--package", package], features].concat();
        step(&selection.join(" "), || process::run(&mut clippy(workspace, &selection)))?;
    }
    step("documentation", || process::run(&mut documentation(workspace)))?;
    step("doctests", || process::run(&mut test::doctests(workspace)))?;
    step("tests", || process::run(&mut test::runner(workspace, &[])))?;
    eprintln!("ci: all green after {} s", start.elapsed().as_secs());
    Ok(())
}

fn step(name: &str, check: impl FnOnce() -> Outcome) -> Outcome {
    let start = Instant::now();
    eprintln!("ci: {name}");
    check().map_err(|error| format!("{name}: {error}"))?;
    eprintln!("ci: {name} took {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn clippy(workspace: &Workspace, selection: &[&str]) -> Command {
    let mut command = workspace.cargo();
    command.args(["clippy", "--quiet", "--release"]).args(selection).args(["--", "-D", "warnings"]);
    command
}

fn documentation(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo();
    command.args(["doc", "--quiet", "--release", "--no-deps", "--workspace", "--features", TEST_FEATURES]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}
