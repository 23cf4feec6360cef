//! `cargo xtask test`: runs every test of the workspace, on each backend that the machine has, and the doctests.

use std::process::{Command, Stdio};

use crate::{
    Outcome,
    arguments::Options,
    process, setup,
    skipped::Skipped,
    workspace::{TEST_FEATURES, Workspace},
};

pub(crate) fn test(workspace: &Workspace, options: &Options) -> Outcome {
    setup::setup(workspace, options)?;
    setup::servers(workspace);
    let skipped = Skipped::of(workspace)?;
    let outcome = tests(workspace, &options.rest, &skipped);
    // Skipped tests are printed also after a failed test.
    let told = skipped.tell();
    outcome.and(told)
}

fn tests(workspace: &Workspace, rest: &[String], skipped: &Skipped) -> Outcome {
    process::run(skipped.by(&mut runner(workspace, rest)))?;
    if rest.is_empty() { process::run(&mut doctests(workspace)) } else { Ok(()) }
}

/// The test runner: nextest where it is installed, else cargo's own.
pub(crate) fn runner(workspace: &Workspace, rest: &[String]) -> Command {
    let mut command = workspace.cargo();
    if has_nextest(workspace) {
        command.args(["nextest", "run"]);
    } else {
        command.args(["test", "--tests"]);
    }
    command.arg("--release").args(selection(rest)).args(rest);
    command
}

/// The packages and features to test: all, unless the caller names packages.
fn selection(rest: &[String]) -> &'static [&'static str] {
    let names_packages = rest.iter().any(|argument| argument == "--package" || argument.starts_with("-p"));
    if names_packages { &[] } else { &["--workspace", "--features", TEST_FEATURES] }
}

pub(crate) fn doctests(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo();
    command.args(["test", "--release", "--workspace", "--doc", "--features", TEST_FEATURES]);
    command
}

fn has_nextest(workspace: &Workspace) -> bool {
    let mut command = workspace.cargo();
    command.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naming_a_package_leaves_the_others_out() {
        assert_eq!(selection(&["-p".to_owned(), "job-core".to_owned()]), [""; 0]);
        assert_eq!(selection(&["a_page".to_owned()]).first(), Some(&"--workspace"));
    }
}
