//! The text of `cargo xtask help`.

use std::fmt::Write;

use crate::arguments::Command;

/// The purpose and the arguments of one command.
struct About {
    command: Command,
    name: &'static str,
    arguments: &'static str,
    /// One line.
    summary: &'static str,
    details: &'static str,
}

const COMMANDS: [About; 10] = [
    About {
        command: Command::Setup,
        name: "setup",
        arguments: "",
        summary: "Find or install what the workspace needs, and build RocksDB",
        details: "\
All other commands but `fuzz` and `help` begin with it; when all is there, it
takes a moment. It needs Rust 1.95 or later, gcc with g++, and python3; a
network for what is missing; and 200 MB in the cache. What it finds is written
to .cargo/setup.toml, so that cargo and an editor use it too.

  g++       found, else installed from Debian by root; or another compiler
            that CXX names
  libclang  found, else installed from Debian by root, else unpacked from PyPI
            into the cache; or where LIBCLANG_PATH says
  WordNet   found, else from Debian, installed by root, else unpacked into the
            cache; see --wordnet
  RocksDB   compiled into the cache with LZ4, Snappy and ZSTD; a library that
            an older set-up left in the cache is named and not used

A build of RocksDB that was cut short starts anew. Two clones that need it at
once build it once.",
    },
    About {
        command: Command::Demo,
        name: "demo",
        arguments: "[COMMAND] [OPTIONS]",
        summary: "Run the demo on a real graph",
        details: "  run            One job of every kind, and a page of each [default]
                 --pending: only finish what is there
  submit WORK    Store a job: vertex_filter, edge_filter or an algorithm
                 --parameters JSON, --owner NAME, --label LABEL, --wait
  retry ID       Store the request of a job once more [--wait]
  list           Jobs, the newest first
                 --state STATE, --work WORK, --owner NAME, --label LABEL,
                 --limit N, --offset N, --watch
  status ID      The answer to a status query [--limit N] [--offset N]
  rows ID        Rows of a result, a line each [--limit N] [--offset N]
  export ID      A whole result [--output FILE] [--format csv|jsonl]
  cancel ID      Stop a job that has not ended
  inspect [ID]   Compare every checksum of the store
  backup         Copy the store as it is at this moment, also while it is served
                 --to DIR
  copy           Copy the jobs of one store into another
                 --from STORE, --to STORE, and jobs as `list` picks them
  serve          Jobs over HTTP, with a page for people
                 --listen ADDRESS, --workers N, --exports DIR, --host NAME,
                 --origin ORIGIN, --dialect NAME, --log text|json,
                 --unknown-parameters refuse|ignore
  worker         Run the jobs of a database that others share
                 --workers N, --exports DIR, --grace SECONDS,
                 --log text|json
  completions    What makes a SHELL complete words
  help           The help of the program itself, also of one command

ID may be the end of an id, as `list` shows it. While `serve` runs, commands go
to it. Options of all of them:
  --graph NAME      wordnet, movies (160 vertices) or synthetic
  --synthetic N     Make `synthetic` of N vertices, for work to watch
  --store PLACE     A directory or a database [default: target/demo-store]
  --server URL      Ask this server
  --json            JSON for machines

It is built without PostgreSQL and S3; for these:
  cargo build --release --package job-demo --features s3",
    },
    About {
        command: Command::Test,
        name: "test",
        arguments: "[ARGUMENTS]",
        summary: "Run all tests, and the examples of the documentation",
        details: "\
ARGUMENTS go to the test runner (cargo-nextest where it is installed, else
`cargo test --tests`), such as a part of a test's name, or --package job-core;
with any, examples of the documentation are left out.

PostgreSQL, PgBouncer and strace are installed as root where they are missing,
SeaweedFS into the cache. Without one of them, its tests are skipped: the last
lines say how many.

  JOB_ENGINE_ALL_TESTS  Where this is set, a test that would be skipped fails
  JOB_ENGINE_POSTGRES   The directory with PostgreSQL's programs
                        [default: the newest that Debian has]
  JOB_ENGINE_SEAWEEDFS  The program `weed` [default: the one in the cache]",
    },
    About {
        command: Command::Bench,
        name: "bench",
        arguments: "[--quick] [--only NAME]... [--out DIR] [--stores DIR]",
        summary: "Run the benchmarks and write their figures",
        details: "  --quick       Small sizes: under two minutes
  --only NAME   Only scenarios whose name contains NAME; may be given more than
                once
  --out DIR     Where Markdown and plot go [default: benches/results]
  --stores DIR  Where stores are made, on the disk that is to be measured
                [default: target/bench-stores]",
    },
    About {
        command: Command::Torture,
        name: "torture",
        arguments: "[PART] [--minutes N] [--seed S]",
        summary: "Kill, cut the power, fail and load the engine for a while",
        details: "  kill           Only deaths of processes
  power          Only power cuts
  model          Only the engine beside a plain model
  cluster        Only deaths and pauses of processes that share PostgreSQL, and
                 broken networks; --jobs N: how many to submit in all
                 [default: 10000]
  soak           Only load: submitters, readers, cancels, removals, retention
  --minutes N    How long [default: 10]
  --seed S       Where chance begins; printed when it is not given
  schedules [N]  Try N orders of threads for each scenario of the engine, and N
                 seeds of its simulation
                 [default: 100000]",
    },
    About {
        command: Command::Fuzz,
        name: "fuzz",
        arguments: "[TARGET]... [--seconds N]",
        summary: "Fuzz every decoder with the sanitizer of addresses",
        details: "  TARGET       A file in fuzz/fuzz_targets, without its ending
               [default: all of them]
  --seconds N  How long each runs [default: 60]

It needs no other compiler than the pinned one, and one target runs on each
core. Inputs that it finds are kept in target/fuzz/corpus, one that breaks a
decoder in fuzz/artifacts.",
    },
    About {
        command: Command::Hosts,
        name: "hosts",
        arguments: "[HOST]... [--vertices N]",
        summary: "Build and run the hosts that link the library as strangers do",
        details: "\
HOST is one of these [default: all of them]:

  redb          An engine without any C++: it lists its packages, and runs
  rocksdb-0.23  An engine of ours on an older RocksDB than the library's, whose
                database also keeps its jobs; IndraDB, with jobs beside its
                database. Each runs a filter and an algorithm, kills a process
                in the middle of that, and goes on with its job. This RocksDB
                is compiled into the cache, once for the machine
  job-ffi       The tests of job-ffi with the sanitizer of addresses
  python        The tests of the package for Python
  cpp           A host in C++ with a RocksDB of its own: with the sanitizers of
                g++, with the static library, and in the emulator of valgrind.
                It fills a graph, filters it, reads every page, cancels a job,
                dies in the middle of one, and goes on with it

  --vertices N  Vertices of the graph of `cpp`, at least 1000; valgrind gets a
                tenth [default: 200000]

Debian's librocksdb-dev is installed as root where it is missing. Without it, or
without valgrind, that part is skipped: the last lines say so.",
    },
    About {
        command: Command::Dist,
        name: "dist",
        arguments: "[--out DIR] [--no-default-features] [--features LIST]",
        summary: "Build the libraries and files that a host in C links",
        details: "\
The directory has include/job.h, lib/libjob.so and lib/libjob.a, with files for
pkg-config (job.pc) and CMake (job::job, job::static). Neither library shows the
names of the RocksDB inside, so a host may link its own. The static one is made
by ld, objcopy and ar.

  --out DIR               Where it is written [default: target/dist]
  --no-default-features   Without rocksdb and redb
  --features LIST         rocksdb, redb, postgres, tls",
    },
    About {
        command: Command::Ci,
        name: "ci",
        arguments: "[STEP]...",
        summary: "Run every check, the cheapest first, and say what each took",
        details: "\
STEP is a name that it prints, such as `format`, `tidy`, `clippy`, `tests`,
`fuzz` or `rest` [default: all of them]. The first that fails ends it. What was
skipped is said at the end, and fails where JOB_ENGINE_ALL_TESTS is set.",
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
  --wordnet DIR  Take WordNet 3.0 (data.noun and its siblings) from DIR instead
                 of installing it
  --no-wordnet   Do without WordNet: tests on it are skipped, the demo takes its
                 small graph of films

Environment:
  JOB_ENGINE_CACHE     Where RocksDB and downloads are kept
                       [default: ~/.cache/job-engine]
  JOB_ENGINE_LIBCLANG  `system`, `apt` or `wheel`: the only way to try for
                       libclang [default: each in turn]";

/// The help of all commands, or of one.
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
    fn no_line_is_wider_than_a_terminal() {
        let topics = COMMANDS.iter().map(|about| Some(about.command)).chain([None]);
        for text in topics.map(text) {
            let wide = text.lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None);
        }
    }

    /// An option that only the help of its own program lists would not be found.
    #[test]
    fn the_options_of_the_programs_are_in_the_help() {
        let root = Workspace::locate().unwrap().root;
        let demo = "crates/job-demo/src";
        for (command, files) in [
            (Command::Bench, vec!["benches/src/main.rs".to_owned()]),
            (Command::Torture, vec!["tests/src/bin/torture.rs".to_owned()]),
            (
                Command::Demo,
                ["cli.rs", "cli/pick.rs", "cli/serve.rs"].map(|file| format!("{demo}/{file}")).to_vec(),
            ),
        ] {
            let read = |file: &String| fs::read_to_string(root.join(file)).unwrap();
            let source: String = files.iter().map(read).collect();
            let help = text(Some(command));
            let options = long_options(&source);
            assert!(options.len() > 2, "{files:?}: {options:?}");
            for option in options {
                assert!(help.contains(&format!("--{option}")), "--{option} of {files:?} is not in the help");
            }
        }
    }

    /// The fields that clap takes as options, except hidden ones. An attribute may span several lines.
    fn long_options(source: &str) -> Vec<String> {
        let fields = source.split("#[arg(").skip(1);
        let fields = fields.filter(|rest| rest.trim_start().starts_with("long"));
        let ends = fields.filter_map(|rest| rest.split_once(")]\n").or_else(|| rest.split_once(")\n    ]\n")));
        let shown = ends.filter(|(attribute, _)| !attribute.contains("hide ="));
        let names = shown.filter_map(|(_, field)| field.split(':').next());
        names.map(|name| name.trim().replace('_', "-")).collect()
    }

    #[test]
    fn every_command_of_the_demo_is_told_of() {
        let help = text(Some(Command::Demo));
        for command in crate::demo::COMMANDS {
            assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        }
    }

    #[test]
    fn the_minimal_rust_is_the_one_of_the_workspace() {
        let toolchain = Workspace::locate().unwrap().root.join("rust-toolchain.toml");
        let toolchain = fs::read_to_string(toolchain).unwrap();
        let version = toolchain.split_once("channel = \"").and_then(|(_, rest)| rest.split('"').next());
        let version = version.and_then(|version| version.strip_suffix(".0"));
        assert!(text(Some(Command::Setup)).contains(&format!("Rust {} or later", version.unwrap())));
    }
}
