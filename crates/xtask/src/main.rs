//! `cargo xtask`: sets a machine up for this workspace, and runs its demo, tests, benches and checks.
//!
//! It is built before RocksDB, so it depends on no other package of the workspace.

mod arguments;
mod ci;
mod demo;
mod dist;
mod fuzz;
mod help;
mod hosts;
mod metadata;
mod process;
mod setup;
mod skipped;
mod test;
mod workspace;

use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use arguments::{Command, Options};
use workspace::Workspace;

/// The result of every command; an error is one sentence that says what to do.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match Options::parse(env::args().skip(1)).map_err(Into::into).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Outcome {
    let workspace = Workspace::locate()?;
    match options.command {
        Command::Help => {
            // The reader may stop before the end, as `head` does.
            let _ = writeln!(io::stdout(), "{}", help::text(options.topic));
            Ok(())
        }
        Command::Setup => setup::setup(&workspace, options).map(drop),
        Command::Demo => demo::demo(&workspace, options),
        Command::Test => test::test(&workspace, options),
        Command::Bench => bench(&workspace, options),
        Command::Torture => torture(&workspace, options),
        Command::Fuzz => fuzz::fuzz(&workspace, options),
        Command::Dist => dist::dist(&workspace, options),
        Command::Hosts => hosts::hosts(&workspace, options),
        Command::Ci => ci::ci(&workspace, options),
    }
}

/// Runs the benchmark harness with the remaining arguments.
fn bench(workspace: &Workspace, options: &Options) -> Outcome {
    setup::setup(workspace, options)?;
    let mut harness = workspace.cargo();
    harness.args(["run", "--release", "--package", "job-benches", "--"]).args(&options.rest);
    process::run(&mut harness)
}

/// Runs the long forms of the tests.
fn torture(workspace: &Workspace, options: &Options) -> Outcome {
    if let Some(("schedules", rest)) = options.rest.split_first().map(|(part, rest)| (part.as_str(), rest)) {
        return schedules(workspace, options, rest);
    }
    setup::setup(workspace, options)?;
    let mut torture = workspace.cargo();
    torture.args(["run", "--release", "--package", "job-tests", "--bin", "torture", "--"]).args(&options.rest);
    process::run(&mut torture)
}

/// Tries this number of thread orders for each scenario, and of seeds for the simulation. It uses cargo's own
/// runner, which does not end a test that takes hours.
fn schedules(workspace: &Workspace, options: &Options, rest: &[String]) -> Outcome {
    let number = arguments::schedules(rest)?;
    setup::setup(workspace, options)?;
    let mut schedules = workspace.cargo();
    schedules.args(["test", "--release", "--package", "job-runner", "--test", "schedules"]);
    process::run(schedules.env("JOB_SCHEDULES", number.to_string()).env("JOB_SEEDS", number.to_string()))
}
