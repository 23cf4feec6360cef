//! `cargo xtask fuzz`: runs a coverage-guided fuzzer on every decoder for a while.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use crate::{
    Outcome,
    arguments::{Options, value},
    process,
    skipped::Skipped,
    workspace::Workspace,
};

/// The largest allocation, in MiB. Inputs have a few KiB.
const LARGEST_ALLOCATION: u32 = 32;
/// The most memory of the fuzzer itself, in MiB.
const MEMORY: u32 = 2_048;
/// The seconds after which an input counts as hanging.
const HANG: u32 = 20;

/// The compiler options that libFuzzer needs, as cargo-fuzz sets them. Only a nightly compiler accepts some of
/// them, or a compiler that is asked to behave as one. The runtime of the sanitizer comes with both.
const FLAGS: [&str; 10] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "--cfg=fuzzing",
    "-Zsanitizer=address",
];

pub(crate) fn fuzz(workspace: &Workspace, options: &Options) -> Outcome {
    let (seconds, only) = parse(&options.rest)?;
    let fuzzer = Fuzzer::of(workspace);
    let targets = fuzzer.targets()?;
    if let Some(unknown) = only.iter().find(|name| !targets.contains(name)) {
        return Err(format!("there is no fuzz target `{unknown}`: there are {}", targets.join(", ")).into());
    }
    fuzzer.run(workspace, if only.is_empty() { targets } else { only }, seconds)
}

/// Runs every target for a few seconds. Skipped without a network if its packages are not downloaded.
pub(crate) fn each_shortly(workspace: &Workspace, skipped: &Skipped, seconds: u32) -> Outcome {
    let fuzzer = Fuzzer::of(workspace);
    if fetched(fuzzer.cargo(workspace), "fuzz", skipped)? {
        fuzzer.run(workspace, fuzzer.targets()?, seconds)?;
    }
    Ok(())
}

/// Downloads the packages of a separate workspace if they are missing. If that fails, notes that the workspace is
/// skipped, and returns false.
pub(crate) fn fetched(mut cargo: Command, name: &str, skipped: &Skipped) -> Outcome<bool> {
    match process::output(cargo.args(["fetch", "--quiet", "--locked"])) {
        Ok(_) => Ok(true),
        Err(why) if why.to_string().contains("--locked flag") => {
            Err(format!("{name}/Cargo.lock is older than the manifests: run `cargo fetch` in {name}").into())
        }
        Err(why) => skipped.note(name, &format!("its packages cannot be had ({why})")).map(|()| false),
    }
}

/// The directories of the fuzz targets and of their output.
struct Fuzzer {
    package: PathBuf,
    /// The directory for programs, logs and found inputs, so that the committed corpus stays small.
    made: PathBuf,
}

impl Fuzzer {
    fn of(workspace: &Workspace) -> Self {
        Self { package: workspace.root.join("fuzz"), made: workspace.target().join("fuzz") }
    }

    fn cargo(&self, workspace: &Workspace) -> Command {
        let mut cargo = workspace.cargo();
        cargo.current_dir(&self.package);
        cargo
    }

    fn targets(&self) -> Outcome<Vec<String>> {
        let files = fs::read_dir(self.package.join("fuzz_targets"))?.map(|entry| entry.map(|entry| entry.path()));
        let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
        let names = files.iter().filter_map(|file| file.file_stem());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Builds the targets and runs them, one on each core.
    fn run(&self, workspace: &Workspace, targets: Vec<String>, seconds: u32) -> Outcome {
        let programs = self.build(workspace)?;
        println!("{:<16} {:>12} {:>9} {:>9} {:>9}", "target", "executions", "seconds", "edges", "MiB");
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let queue = Mutex::new(targets.into_iter());
        let next = || queue.lock().ok().and_then(|mut queue| queue.next());
        let work = || -> Result<(), String> {
            while let Some(target) = next() {
                println!("{}", self.run_one(&programs, &target, seconds).map_err(|error| error.to_string())?);
            }
            Ok(())
        };
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("it panicked".into()))).collect()
        });
        Ok(results.into_iter().collect::<Result<(), String>>()?)
    }

    /// Returns the directory of the programs.
    fn build(&self, workspace: &Workspace) -> Outcome<PathBuf> {
        let host = workspace.host()?;
        let mut cargo = self.cargo(workspace);
        // With `--target`, cargo does not use the flags for build scripts.
        cargo.args(["build", "--quiet", "--release", "--locked", "--bins", "--target", &host, "--target-dir"]);
        cargo.arg(&self.made).env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
        process::run(&mut cargo)?;
        Ok(self.made.join(host).join("release"))
    }

    fn run_one(&self, programs: &Path, target: &str, seconds: u32) -> Outcome<String> {
        let found = self.made.join("corpus").join(target);
        fs::create_dir_all(&found)?;
        let artifacts = self.package.join("artifacts").join(target);
        fs::create_dir_all(&artifacts)?;
        let mut command = Command::new(programs.join(target));
        command.arg(&found).arg(self.package.join("corpus").join(target)).current_dir(&self.package);
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
        let kept = self.made.join(format!("{target}.log"));
        fs::write(&kept, log.as_bytes())?;
        Err(format!("fuzz target {target} found an input that breaks it: see {}", kept.display()).into())
    }
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
    let mut arguments = arguments.iter().cloned();
    while let Some(argument) = arguments.next() {
        match value(&argument, "--seconds", &mut arguments) {
            Some(given) => {
                let given = given.parse().ok().filter(|seconds| *seconds > 0);
                seconds = given.ok_or("--seconds needs a whole number after it, at least 1")?;
            }
            None => only.push(argument),
        }
    }
    Ok((seconds, only))
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
        assert_eq!(parse(&words("--seconds=7 keys")).unwrap(), (7, words("keys")));
        assert!(parse(&words("--seconds soon")).unwrap_err().to_string().contains("whole number"));
    }

    #[test]
    fn every_target_has_a_corpus() {
        let fuzzer = Fuzzer::of(&Workspace::locate().unwrap());
        for target in fuzzer.targets().unwrap() {
            assert!(fuzzer.package.join("corpus").join(&target).is_dir(), "fuzz/corpus/{target} is missing");
        }
    }
}
