//! `cargo xtask demo`: the demo on WordNet, or on the small graph that ships with it.

use std::path::PathBuf;

use crate::{
    Outcome,
    arguments::{Options, WordNet},
    process, setup,
    workspace::Workspace,
};

pub(crate) fn demo(workspace: &Workspace, options: &Options) -> Outcome {
    let wordnet = setup::setup(workspace, options)?;
    let mut command = workspace.cargo();
    command.args(["run", "--release", "--package", "job-demo", "--"]);
    if let Some(directory) = wordnet {
        command.arg("--wordnet").arg(directory);
    }
    if options.wordnet == WordNet::Nowhere && !has(&options.rest, "--graph") {
        command.args(["--graph", "movies"]);
    }
    if !has(&options.rest, "--store") {
        let store = store(workspace);
        eprintln!("jobs are kept in {}; `cargo xtask demo list` shows them again", store.display());
        command.arg("--store").arg(store);
    }
    if !names_a_command(&options.rest) {
        command.arg("run");
    }
    process::run(command.args(&options.rest))
}

fn store(workspace: &Workspace) -> PathBuf {
    workspace.target().join("demo-store")
}

fn has(arguments: &[String], option: &str) -> bool {
    arguments.iter().any(|argument| argument.split('=').next() == Some(option))
}

/// Whether the caller chose what the demo does; without, it runs everything.
fn names_a_command(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|first| !first.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_alone_are_options_of_run() {
        assert!(!names_a_command(&words("--graph movies")));
        assert!(!names_a_command(&[]));
        assert!(names_a_command(&words("status 1")));
    }

    #[test]
    fn an_option_is_seen_in_both_spellings() {
        assert!(has(&words("list --store here"), "--store"));
        assert!(has(&words("list --store=here"), "--store"));
        assert!(!has(&words("list --json"), "--store"));
    }
}
