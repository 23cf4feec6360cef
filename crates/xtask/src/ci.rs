//! `cargo xtask ci`: every check, the cheapest first; the first that fails ends it.

mod directions;
mod page;
mod rest;
mod service;
mod tidy;

use std::{process::Command, time::Instant};

use crate::{
    Outcome,
    arguments::Options,
    process, setup, test,
    workspace::{TEST_FEATURES, Workspace},
};

/// Packages with the features they must also compile with, each alone: features that others turn on hide mistakes.
const COMBINATIONS: [(&str, &[&str]); 13] = [
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
    ("job-runner", &[]),
    ("job-demo", &["--no-default-features"]),
    ("job-demo", &[]),
];

type Step<'a> = (String, Box<dyn Fn() -> Outcome + 'a>);

pub(crate) fn ci(workspace: &Workspace, options: &Options) -> Outcome {
    let start = Instant::now();
    let mut steps = steps(workspace, options);
    if let Some(unknown) = options.rest.iter().find(|name| !steps.iter().any(|(step, _)| step == *name)) {
        let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
        return Err(format!("there is no step `{unknown}`: there are {}", names.join(", ")).into());
    }
    steps.retain(|(name, _)| options.rest.is_empty() || options.rest.contains(name));
    steps.iter().try_for_each(|(name, check)| step(name, check))?;
    let what = if options.rest.is_empty() { "all" } else { "these steps" };
    eprintln!("ci: {what} green after {} s", start.elapsed().as_secs());
    Ok(())
}

/// Every check, the cheapest first.
fn steps<'a>(workspace: &'a Workspace, options: &'a Options) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut add = |name: &str, check: Box<dyn Fn() -> Outcome + 'a>| steps.push((name.to_owned(), check));
    add("format", Box::new(|| process::run(workspace.cargo().args(["fmt", "--all", "--check"]))));
    add("tidy", Box::new(|| tidy::tidy(workspace)));
    add("directions", Box::new(|| directions::directions(workspace)));
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
            process::run(&mut test::runner(workspace, &[]))
        }),
    );
    add("rest", Box::new(|| rest::rest(workspace)));
    add("page", Box::new(|| page::page(workspace)));
    steps
}

fn step(name: &str, check: impl Fn() -> Outcome) -> Outcome {
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
