//! The name of this program, for commands that it suggests.

use std::env;

use job_demo::wordnet;

use super::{DEFAULT_STORE, Global, GraphName, STORE, location::Location, plain::plain};

/// The environment variable with the name of the program, set by another program that calls it, such as `cargo
/// xtask demo`.
const CALLED: &str = "JOB_DEMO_CALLED";

/// A command to type: `words` behind the program's name, and the options of this process.
pub(super) fn command(global: &Global, words: &str) -> String {
    let default = env::var(STORE).unwrap_or_else(|_| DEFAULT_STORE.to_owned());
    format!("{} {words}{}", program(), store(&global.store, &default))
}

/// As [`command`], for a command that also reads the graph.
pub(super) fn on_graph(global: &Global, words: &str) -> String {
    let is_found = called().is_some() || global.wordnet.as_os_str() == wordnet::DEFAULT_DIRECTORY;
    let wordnet = Some(&global.wordnet).filter(|_| !is_found);
    let wordnet = wordnet.map(|directory| format!(" --wordnet {}", word(&directory.to_string_lossy())));
    let graph = graph(global.graph, global.synthetic);
    command(global, &format!("{words}{graph}{}", wordnet.unwrap_or_default()))
}

fn called() -> Option<String> {
    env::var(CALLED).ok().filter(|called| !called.is_empty())
}

fn program() -> String {
    match called() {
        Some(called) => plain(&called).into_owned(),
        None => word(&env::args().next().unwrap_or_else(|| "job-demo".to_owned())),
    }
}

/// The option for the store; empty for the default one.
fn store(store: &Location, default: &str) -> String {
    let Ok(default) = default.parse::<Location>();
    if *store == default { String::new() } else { format!(" --store {}", word(&store.to_string())) }
}

fn graph(graph: Option<GraphName>, synthetic: Option<u32>) -> String {
    let graph = graph.map(|graph| format!(" --graph {}", graph.as_str()));
    let synthetic = synthetic.map(|vertices| format!(" --synthetic {vertices}"));
    graph.into_iter().chain(synthetic).collect()
}

/// Quotes a text so that a shell takes it for one word.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    let text = plain(text);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_that_a_shell_takes() {
        for (text, expected) in [
            ("target/release/job-demo", "target/release/job-demo"),
            ("my jobs", "'my jobs'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$HOME", "'$HOME'"),
            ("a\u{1b}", r"'a\u001b'"),
        ] {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn what_is_the_default_is_left_out() {
        let location = |text: &str| -> Location {
            let Ok(location) = text.parse();
            location
        };
        assert_eq!(store(&location("jobs"), "jobs"), "");
        assert_eq!(store(&location("my jobs"), "jobs"), " --store 'my jobs'");
        assert_eq!(graph(None, None), "");
        assert_eq!(graph(Some(GraphName::Movies), Some(9)), " --graph movies --synthetic 9");
    }
}
