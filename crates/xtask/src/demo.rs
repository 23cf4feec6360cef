//! `cargo xtask demo`: the demo on WordNet, or on the small graph that ships with it.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Outcome,
    arguments::{Options, WordNet},
    process, setup,
    workspace::Workspace,
};

/// The commands of job-demo. Without a command, `run` is used.
pub(crate) const COMMANDS: [&str; 15] = [
    "run",
    "submit",
    "retry",
    "status",
    "rows",
    "export",
    "list",
    "completions",
    "inspect",
    "backup",
    "copy",
    "cancel",
    "serve",
    "worker",
    "help",
];

/// The environment variable that tells job-demo its name in commands.
const CALLED: &str = "JOB_DEMO_CALLED";

/// The environment variable with the store of commands that name none.
const STORE: &str = "JOB_DEMO_STORE";

/// Replaces this process by the demo, so that the exit code is the demo's and signals reach it.
pub(crate) fn demo(workspace: &Workspace, options: &Options) -> Outcome {
    let wordnet = setup::setup(workspace, options)?;
    let program = workspace.target().join("release/job-demo");
    build(workspace, program.exists())?;
    if !names_a_command(&options.rest) && !has(&options.rest, "--store") {
        eprintln!("jobs are kept in {}", store(workspace).display());
    }
    let mut command = Command::new(program);
    command.args(arguments(options, wordnet.as_deref()));
    command.env(CALLED, called(&options.wordnet)).env(STORE, store(workspace));
    let error = command.exec();
    Err(process::not_started(&command, &error).into())
}

/// Builds the demo. Prints no line if there is nothing to compile.
fn build(workspace: &Workspace, is_built: bool) -> Outcome {
    const MOMENT: Duration = Duration::from_secs(2);
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--package", "job-demo"]);
    if !is_built {
        return process::run(&mut cargo);
    }
    process::run_quietly(cargo.arg("--quiet"), MOMENT, "compiling what has changed since the last time")
}

fn arguments(options: &Options, wordnet: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(directory) = wordnet {
        arguments.extend(["--wordnet".into(), directory.into()]);
    }
    let names_a_graph = has(&options.rest, "--graph") || has(&options.rest, "--synthetic");
    if options.wordnet == WordNet::Nowhere && !names_a_graph {
        arguments.extend(["--graph".into(), "movies".into()]);
    }
    if !names_a_command(&options.rest) {
        arguments.push("run".into());
    }
    arguments.extend(options.rest.iter().map(Into::into));
    arguments
}

/// The words before a command of the demo. An option of this program has to be given each time.
fn called(wordnet: &WordNet) -> String {
    let demo = "cargo xtask demo";
    match wordnet {
        WordNet::Anywhere => demo.to_owned(),
        WordNet::Directory(directory) => format!("{demo} --wordnet '{}'", directory.display()),
        WordNet::Nowhere => format!("{demo} --no-wordnet"),
    }
}

fn store(workspace: &Workspace) -> PathBuf {
    workspace.target().join("demo-store")
}

fn has(arguments: &[String], option: &str) -> bool {
    arguments.iter().any(|argument| argument.split('=').next() == Some(option))
}

/// Whether the caller names a command. Without one the demo runs everything.
fn names_a_command(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| COMMANDS.contains(&argument.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_alone_are_options_of_run_and_may_stand_before_a_command() {
        assert!(!names_a_command(&words("--graph movies")));
        assert!(names_a_command(&words("--graph movies list")));
        assert!(!names_a_command(&[]));
        assert!(names_a_command(&words("status 1")));
    }

    #[test]
    fn the_demo_is_given_what_it_needs_and_what_it_was_told() {
        let given = |line: &str, wordnet: Option<&str>| {
            let options = Options::parse(words(line)).unwrap();
            let arguments = arguments(&options, wordnet.map(Path::new));
            arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        for (line, wordnet, expected) in [
            ("demo", Some("/w"), "--wordnet /w run"),
            ("demo --json", Some("/w"), "--wordnet /w run --json"),
            ("demo --no-wordnet list", None, "--graph movies list"),
            ("demo --no-wordnet serve --synthetic 9", None, "serve --synthetic 9"),
            ("demo --graph movies list", Some("/w"), "--wordnet /w --graph movies list"),
        ] {
            assert_eq!(given(line, wordnet), expected, "{line}");
        }
    }

    #[test]
    fn an_option_is_seen_in_both_spellings() {
        assert!(has(&words("list --store here"), "--store"));
        assert!(has(&words("list --store=here"), "--store"));
        assert!(!has(&words("list --json"), "--store"));
    }

    #[test]
    fn every_command_of_the_demo_is_known() {
        let root = Workspace::locate().unwrap().root;
        let source = std::fs::read_to_string(root.join("crates/job-demo/src/cli.rs")).unwrap();
        let commands = source.split("enum Command {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
        let names = commands.lines().filter_map(|line| line.strip_prefix("    ")?.split([' ', '(', ',']).next());
        let names: Vec<String> = names
            .filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase()))
            .map(str::to_ascii_lowercase)
            .chain(["help".to_owned()])
            .collect();
        assert_eq!(names.len(), COMMANDS.len(), "{names:?}");
        assert!(names.iter().all(|name| COMMANDS.contains(&name.as_str())), "{names:?}");
    }

    #[test]
    fn what_is_for_xtask_only_is_said_again() {
        assert_eq!(called(&WordNet::Anywhere), "cargo xtask demo");
        assert_eq!(called(&WordNet::Nowhere), "cargo xtask demo --no-wordnet");
        assert_eq!(called(&WordNet::Directory("my words".into())), "cargo xtask demo --wordnet 'my words'");
    }
}
