//! `cargo xtask ci`: runs every check, the cheapest first, until one fails.

mod algorithms;
mod directions;
mod examples;
mod management;
mod packages;
mod page;
mod rest;
mod rooms;
mod service;
mod tidy;
mod words;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    arguments::Options,
    fuzz, hosts, process, setup,
    skipped::Skipped,
    test,
    workspace::{TEST_FEATURES, Workspace},
};

/// Packages with the features that they must also compile with, each alone: features that other packages turn on
/// hide mistakes.
const COMBINATIONS: [(&str, &[&str]); 18] = [
    ("job-core", &[]),
    ("job-store", &[]),
    ("job-store", &["--features", "conformance"]),
    ("job-store", &["--features", "rocksdb"]),
    ("job-store", &["--features", "redb"]),
    ("job-store", &["--features", "postgres"]),
    ("job-store", &["--features", "objects"]),
    ("job-store", &["--features", "tls"]),
    ("job-store", &["--features", "s3"]),
    ("job-runner", &["--no-default-features"]),
    ("job-runner", &["--no-default-features", "--features", "redb"]),
    ("job-runner", &[]),
    ("job-ffi", &["--no-default-features"]),
    ("job-ffi", &[]),
    ("job-ffi", &["--features", "postgres"]),
    ("job-demo", &[]),
    ("job-demo", &["--features", "postgres"]),
    ("job-demo", &["--features", "objects"]),
];

/// The seconds for each fuzz target.
const FUZZ_SECONDS: u32 = 10;

type Step<'a> = (String, Box<dyn Fn() -> Outcome + 'a>);

pub(crate) fn ci(workspace: &Workspace, options: &Options) -> Outcome {
    let start = Instant::now();
    let skipped = Skipped::of(workspace)?;
    let mut steps = steps(workspace, options, &skipped);
    if let Some(unknown) = options.rest.iter().find(|name| !steps.iter().any(|(step, _)| step == *name)) {
        let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("there is no step `{unknown}`: there are {}", names.join(", ")).into());
    }
    steps.retain(|(name, _)| options.rest.is_empty() || options.rest.contains(name));
    let mut took = Vec::new();
    let outcome = steps.iter().try_for_each(|(name, check)| step(name, check, &mut took));
    eprintln!("{}", table(&took, start.elapsed()));
    let told = skipped.tell();
    outcome.and(told)?;
    eprintln!("ci: {} green", if options.rest.is_empty() { "all" } else { "these steps" });
    Ok(())
}

/// Every check, the cheapest first.
fn steps<'a>(workspace: &'a Workspace, options: &'a Options, skipped: &'a Skipped) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut add = |name: &str, check: Box<dyn Fn() -> Outcome + 'a>| steps.push((name.to_owned(), check));
    add("format", Box::new(|| process::run(workspace.cargo().args(["fmt", "--all", "--check"]))));
    add("tidy", Box::new(|| tidy::tidy(workspace)));
    add("words", Box::new(|| words::words(workspace)));
    add("directions", Box::new(|| directions::directions(workspace)));
    add("rooms", Box::new(|| rooms::rooms(workspace)));
    add("setup", Box::new(|| setup::setup(workspace, options).map(drop)));
    let all = ["--workspace", "--all-targets", "--features", TEST_FEATURES];
    add("clippy", Box::new(move || process::run(&mut clippy(workspace, &all))));
    for (package, features) in COMBINATIONS {
        let selection = [&["--package", package], features].concat();
        add(&selection.join(" "), Box::new(move || process::run(&mut clippy(workspace, &selection))));
    }
    add("documentation", Box::new(|| process::run(&mut documentation(workspace))));
    add("doctests", Box::new(|| process::run(&mut test::doctests(workspace))));
    add(
        "tests",
        Box::new(|| {
            setup::servers(workspace);
            process::run(skipped.by(&mut test::runner(workspace, &[])))
        }),
    );
    add("fuzz", Box::new(|| fuzz::each_shortly(workspace, skipped, FUZZ_SECONDS)));
    add("examples", Box::new(|| examples::examples(workspace, skipped)));
    add("packages", Box::new(|| packages::packages(workspace, skipped)));
    add("hosts", Box::new(|| hosts::all(workspace, skipped)));
    add("algorithms", Box::new(|| algorithms::algorithms(workspace, skipped)));
    add("rest", Box::new(|| rest::rest(workspace)));
    add("management", Box::new(|| management::management(workspace)));
    add("page", Box::new(|| page::page(workspace)));
    steps
}

fn step(name: &str, check: impl Fn() -> Outcome, took: &mut Vec<(String, Duration)>) -> Outcome {
    let start = Instant::now();
    eprintln!("ci: {name}");
    let outcome = check().map_err(|error| format!("{name}: {error}").into());
    took.push((name.to_owned(), start.elapsed()));
    outcome
}

/// The time of each step, also of those before one that failed.
fn table(took: &[(String, Duration)], total: Duration) -> String {
    let total = ("in all".to_owned(), total);
    let width = took.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(total.0.len());
    let lines = took.iter().chain([&total]);
    let lines = lines.map(|(name, time)| format!("ci:   {name:<width$} {:>8.1} s", time.as_secs_f64()));
    lines.fold("ci: what each step took".to_owned(), |table, line| table + "\n" + &line)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_every_step_is_told_and_of_all() {
        let took =
            [("format".to_owned(), Duration::from_millis(1_540)), ("x".to_owned(), Duration::from_secs(70))];
        let table = table(&took, Duration::from_secs(72));
        let lines: Vec<_> = table.lines().skip(1).collect();
        assert_eq!(lines, ["ci:   format      1.5 s", "ci:   x          70.0 s", "ci:   in all     72.0 s"]);
    }
}
