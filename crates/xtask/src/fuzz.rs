//! `cargo xtask fuzz`: every decoder with a coverage-guided fuzzer, each for a while.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Outcome, arguments::Options, process, workspace::Workspace};

/// The most that one allocation may ask for, in MiB: inputs have a few KiB.
const LARGEST_ALLOCATION: u32 = 32;
/// The most memory of the fuzzer itself, in MiB.
const MEMORY: u32 = 2_048;
/// An input that takes as many seconds hangs.
const HANG: u32 = 20;

pub(crate) fn fuzz(workspace: &Workspace, options: &Options) -> Outcome {
    let (seconds, only) = parse(&options.rest)?;
    has_nightly(workspace)?;
    let package = workspace.root.join("fuzz");
    let targets = targets(&package)?;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        return Err(format!("there is no fuzz target `{unknown}`: there are {}", targets.join(", ")).into());
    }
    let chosen = if only.is_empty() { targets } else { only };
    build(&package)?;
    println!("{:<16} {:>12} {:>9} {:>9} {:>9}", "target", "executions", "seconds", "edges", "MiB");
    for target in &chosen {
        println!("{}", run(&package, target, seconds)?);
    }
    Ok(())
}

/// Runs one target; what it finds stays in `fuzz/target/corpus`, so that the committed corpus is small.
fn run(package: &Path, target: &str, seconds: u32) -> Outcome<String> {
    let found = package.join("target").join("corpus").join(target);
    fs::create_dir_all(&found)?;
    let artifacts = package.join("artifacts").join(target);
    fs::create_dir_all(&artifacts)?;
    let mut command = Command::new(built(package, target)?);
    command.arg(&found).arg(package.join("corpus").join(target)).current_dir(package);
    command.args([
        format!("-artifact_prefix={}/", artifacts.display()),
        format!("-max_total_time={seconds}"),
        format!("-malloc_limit_mb={LARGEST_ALLOCATION}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-timeout={HANG}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let output = command.stdin(Stdio::null()).output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(summary(target, seconds, &log));
    }
    let kept = package.join("target").join(format!("{target}.log"));
    fs::write(&kept, log.as_bytes())?;
    Err(format!("fuzz target {target} found an input that breaks it: see {}", kept.display()).into())
}

fn summary(target: &str, seconds: u32, log: &str) -> String {
    let stat = |name| log.lines().find_map(|line| line.strip_prefix(name)).map_or("?", str::trim);
    let words = log.lines().rev().find(|line| line.contains(" cov: ")).map(str::split_whitespace);
    let edges =
        words.and_then(|mut words| words.by_ref().skip_while(|word| *word != "cov:").nth(1)).unwrap_or("?");
    let executions = stat("stat::number_of_executed_units:");
    format!("{target:<16} {executions:>12} {seconds:>9} {edges:>9} {:>9}", stat("stat::peak_rss_mb:"))
}

fn parse(arguments: &[String]) -> Outcome<(u32, Vec<String>)> {
    let (mut seconds, mut only) = (60, Vec::new());
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let given = arguments.next().and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
            seconds = given.ok_or("--seconds needs a whole number after it, at least 1")?;
        } else {
            only.push(argument.clone());
        }
    }
    Ok((seconds, only))
}

fn has_nightly(workspace: &Workspace) -> Outcome {
    let mut cargo = Command::new("cargo");
    cargo.args(["+nightly", "fuzz", "--version"]).current_dir(&workspace.root);
    match process::output(&mut cargo) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("fuzzing needs a nightly compiler and cargo-fuzz ({error}): `rustup toolchain install nightly && cargo install cargo-fuzz --locked`; the tests try the committed inputs without").into()),
    }
}

fn build(package: &Path) -> Outcome {
    // The cargo that runs this is a stable one and has set variables that name it.
    let mut command = Command::new("cargo");
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env_remove("RUSTC").env_remove("CARGO_TARGET_DIR");
    process::run(command.args(["+nightly", "fuzz", "build", "--fuzz-dir", "."]).current_dir(package))
}

/// The program of a target, below the directory that is named after the machine it was built for.
fn built(package: &Path, target: &str) -> Outcome<PathBuf> {
    let machines = fs::read_dir(package.join("target"))?.flatten().map(|entry| entry.path());
    let mut programs = machines.map(|machine| machine.join("release").join(target));
    programs.find(|program| program.exists()).ok_or_else(|| format!("fuzz target {target} was not built").into())
}

fn targets(package: &Path) -> Outcome<Vec<String>> {
    let files = fs::read_dir(package.join("fuzz_targets"))?.map(|entry| entry.map(|entry| entry.path()));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    let mut names: Vec<String> =
        files.iter().filter_map(|file| file.file_stem()).map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_the_last_of_the_log() {
        let log = "#2 INITED cov: 5 ft: 6\n#9 NEW    cov: 12 ft: 13 corp: 2/9b\nstat::number_of_executed_units: 4096\nstat::peak_rss_mb: 77\n";
        let words: Vec<String> = summary("keys", 60, log).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words, ["keys", "4096", "60", "12", "77"]);
    }

    #[test]
    fn seconds_and_targets_are_arguments() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parse(&words("block --seconds 5 keys")).unwrap(), (5, words("block keys")));
        assert!(parse(&words("--seconds soon")).unwrap_err().to_string().contains("whole number"));
    }

    #[test]
    fn every_target_has_a_corpus() {
        let package = Workspace::locate().unwrap().root.join("fuzz");
        for target in targets(&package).unwrap() {
            assert!(package.join("corpus").join(&target).is_dir(), "fuzz/corpus/{target} is missing");
        }
    }
}
