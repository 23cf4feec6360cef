//! What `cargo xtask help` says.

use std::fmt::Write;

use crate::arguments::Command;

/// What one command is for and takes.
struct About {
    command: Command,
    name: &'static str,
    arguments: &'static str,
    /// One line.
    summary: &'static str,
    details: &'static str,
}

const COMMANDS: [About; 8] = [
    About {
        command: Command::Setup,
        name: "setup",
        arguments: "",
        summary: "Find or install what the workspace needs, and build RocksDB",
        details: "\
All other commands but `fuzz` and `help` begin with it; when all is there, it takes a moment. It needs
Rust 1.95 or later, gcc with g++, and python3; a network for what is missing; and 200 MB in the cache.
What it finds is written to .cargo/setup.toml, so that cargo and an editor use it too.

  g++       found, else installed from Debian by root; or another compiler that CXX names
  libclang  found, else installed from Debian by root, else unpacked from PyPI into the cache; or where
            LIBCLANG_PATH says
  WordNet   found, else from Debian, installed by root, else unpacked into the cache; see --wordnet
  RocksDB   compiled into the cache with LZ4, Snappy and ZSTD; a library that an older set-up left in the
            cache is named and not used

A build of RocksDB that was cut short starts anew. Two clones that need it at once build it once.",
    },
    About {
        command: Command::Demo,
        name: "demo",
        arguments: "[COMMAND] [OPTIONS]",
        summary: "Run the demo on a real graph",
        details: "\
COMMAND and OPTIONS are those of the program job-demo: `run`, `submit`, `status`, `list`, `inspect`,
`cancel`, `serve` and `worker`. Without COMMAND it is `run`: one job of every kind, and a page of each.
`cargo xtask demo help` lists them, `cargo xtask demo serve --help` the options of one.

Jobs are kept in target/demo-store, unless --store names another directory. It is built without
PostgreSQL and S3; for these: cargo build --release --package job-demo --features objects,s3",
    },
    About {
        command: Command::Test,
        name: "test",
        arguments: "[ARGUMENTS]",
        summary: "Run all tests, and the examples of the documentation",
        details: "\
ARGUMENTS go to the test runner (cargo-nextest where it is installed, else `cargo test --tests`), such as
a part of a test's name, or --package job-core; with any, examples of the documentation are left out.

PostgreSQL, PgBouncer and strace are installed as root where they are missing, SeaweedFS into the cache.
Without one of them, its tests are skipped, and a line says so.

  JOB_ENGINE_POSTGRES   The directory with PostgreSQL's programs [default: the newest that Debian has]
  JOB_ENGINE_SEAWEEDFS  The program `weed` [default: the one in the cache]",
    },
    About {
        command: Command::Bench,
        name: "bench",
        arguments: "[--quick] [--only NAME]... [--out DIR] [--stores DIR]",
        summary: "Run the benchmarks and write their figures",
        details: "  --quick       Small sizes: under two minutes
  --only NAME   Only scenarios whose name contains NAME; may be given more than once
  --out DIR     Where Markdown and plot go [default: benches/results]
  --stores DIR  Where stores are made, on the disk that is to be measured [default: target/bench-stores]",
    },
    About {
        command: Command::Torture,
        name: "torture",
        arguments: "[kill|power|model|cluster|soak] [--minutes N] [--seed S] | schedules [N]",
        summary: "Kill, cut the power, fail and load the engine for a while",
        details: "  kill           Only deaths of processes
  power          Only power cuts
  model          Only the engine beside a plain model
  cluster        Only deaths and pauses of processes that share PostgreSQL, and broken networks;
                 --jobs N: how many to submit in all [default: 10000]
  soak           Only load: submitters, readers, cancels, removals, retention
  --minutes N    How long [default: 10]
  --seed S       Where chance begins; printed when it is not given
  schedules [N]  Try N orders of threads for each scenario of the engine [default: 100000]",
    },
    About {
        command: Command::Fuzz,
        name: "fuzz",
        arguments: "[TARGET]... [--seconds N]",
        summary: "Fuzz every decoder with the sanitizer of addresses",
        details: "  TARGET       A file in fuzz/fuzz_targets, without its ending [default: all of them]
  --seconds N  How long each runs [default: 60]

It needs no other compiler than the pinned one, and one target runs on each core. Inputs that it finds are
kept in target/fuzz/corpus, one that breaks a decoder in fuzz/artifacts.",
    },
    About {
        command: Command::Ci,
        name: "ci",
        arguments: "[STEP]...",
        summary: "Run every check, the cheapest first, and say what each took",
        details: "\
STEP is a name that it prints, such as `format`, `tidy`, `clippy`, `tests`, `fuzz` or `rest`
[default: all of them]. The first that fails ends it.",
    },
    About {
        command: Command::Help,
        name: "help",
        arguments: "[COMMAND]",
        summary: "Say this, or all about one command",
        details: "",
    },
];

const OPTIONS: &str = "\
Options of all commands that begin with the set-up:
  --wordnet DIR  Take WordNet 3.0 (data.noun and its siblings) from DIR instead of installing it
  --no-wordnet   Do without WordNet: tests on it are skipped, the demo takes its small graph of films

Environment:
  JOB_ENGINE_CACHE     Where RocksDB and downloads are kept [default: ~/.cache/job-engine]
  JOB_ENGINE_LIBCLANG  `system`, `apt` or `wheel`: the only way to try for libclang [default: each in turn]";

/// All commands, or one.
pub(crate) fn text(topic: Option<Command>) -> String {
    match COMMANDS.iter().find(|about| Some(about.command) == topic) {
        Some(about) => one(about),
        None => all(),
    }
}

fn all() -> String {
    let mut text = "Usage: cargo xtask <COMMAND> [ARGUMENTS]\n\nCommands:\n".to_owned();
    for about in &COMMANDS {
        let _ = writeln!(text, "  {:<8} {}", about.name, about.summary);
    }
    format!("{text}\n{OPTIONS}\n\n`cargo xtask help COMMAND` lists the arguments of one command.")
}

fn one(about: &About) -> String {
    let usage = format!("Usage: cargo xtask {} {}", about.name, about.arguments);
    let parts = [usage.trim_end(), about.summary, about.details, OPTIONS];
    let has_options = !matches!(about.command, Command::Fuzz | Command::Help);
    let parts = parts.into_iter().filter(|part| !part.is_empty() && (has_options || *part != OPTIONS));
    parts.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn every_command_is_told_of_and_can_be_given() {
        for about in &COMMANDS {
            assert_eq!(Command::named(about.name), Some(about.command));
            assert!(text(None).contains(&format!("\n  {:<8} {}", about.name, about.summary)), "{}", about.name);
            assert!(text(Some(about.command)).contains(&format!("cargo xtask {}", about.name)), "{}", about.name);
        }
    }

    #[test]
    fn no_line_is_wider_than_a_page() {
        let topics = COMMANDS.iter().map(|about| Some(about.command)).chain([None]);
        for text in topics.map(text) {
            let wide = text.lines().find(|line| line.chars().count() > 108);
            assert_eq!(wide, None);
        }
    }

    /// Options that are only in the program they go to were found by nobody.
    #[test]
    fn the_options_of_the_programs_are_in_the_help() {
        let root = Workspace::locate().unwrap().root;
        for (command, file) in
            [(Command::Bench, "benches/src/main.rs"), (Command::Torture, "tests/src/bin/torture.rs")]
        {
            let source = fs::read_to_string(root.join(file)).unwrap();
            let help = text(Some(command));
            let options = long_options(&source);
            assert!(options.len() > 2, "{file}: {options:?}");
            for option in options {
                assert!(help.contains(&format!("--{option}")), "--{option} of {file} is not in the help");
            }
        }
    }

    /// Fields that clap takes as options, but for those that it hides.
    fn long_options(source: &str) -> Vec<&str> {
        let is_option =
            |attribute: &&str| attribute.trim().starts_with("#[arg(long") && !attribute.contains("hide");
        let after = source.lines().zip(source.lines().skip(1)).filter(|(attribute, _)| is_option(attribute));
        after.filter_map(|(_, field)| field.split(':').next()).map(str::trim).collect()
    }

    #[test]
    fn the_minimal_rust_is_the_one_of_the_workspace() {
        let manifest = fs::read_to_string(Workspace::locate().unwrap().root.join("Cargo.toml")).unwrap();
        let version = manifest.split_once("rust-version = \"").and_then(|(_, rest)| rest.split('"').next());
        assert!(text(Some(Command::Setup)).contains(&format!("Rust {} or later", version.unwrap())));
    }
}
