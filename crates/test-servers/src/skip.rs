//! Tests that cannot run on this machine.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write},
    path::Path,
    thread,
};

/// The environment variable with the file of notes, one on each line. `cargo xtask test` counts them.
const NOTES: &str = "JOB_ENGINE_SKIPPED";

/// With this environment variable, a test fails if something that it needs is missing.
const ALL: &str = "JOB_ENGINE_ALL_TESTS";

/// Notes that the calling test is skipped, and why.
///
/// # Panics
/// When `JOB_ENGINE_ALL_TESTS` is set: the test fails instead.
pub fn skip(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(notes) = set(NOTES)
        && let Err(error) = note(Path::new(&notes), why)
    {
        eprintln!("{}: {error}", notes.display());
    }
    assert!(set(ALL).is_none(), "{ALL} is set, and {why}");
}

fn set(name: &str) -> Option<std::ffi::OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The note is written in one call, because other processes write to the file too.
fn note(notes: &Path, why: &str) -> io::Result<()> {
    let line = format!("{why}\t{}\n", test());
    OpenOptions::new().create(true).append(true).open(notes)?.write_all(line.as_bytes())
}

/// The name of the calling test, with the name of its program. Empty on a thread without a name.
fn test() -> String {
    let thread = thread::current();
    let program = env::current_exe().unwrap_or_default();
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    match thread.name() {
        None | Some("main") => String::new(),
        Some(test) => format!("{program} {test}"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[ignore = "the test below starts it in a process of its own"]
    fn cannot_be_tried() {
        skip("there is no server");
    }

    #[test]
    fn a_skipped_test_is_noted_and_fails_where_all_are_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let notes = directory.path().join("notes");
        let succeeds = |all: &str| {
            let mut tests = Command::new(env::current_exe().unwrap());
            tests.args(["--ignored", "--exact", "skip::tests::cannot_be_tried", "--test-threads", "2"]);
            tests.env(NOTES, &notes).env(ALL, all).output().unwrap().status.success()
        };
        assert!(succeeds("") && !succeeds("1"));
        let text = std::fs::read_to_string(&notes).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once('\t').unwrap()).collect();
        assert_eq!((lines.len(), lines[0], lines[0].0), (2, lines[1], "there is no server"));
        assert!(lines[0].1.ends_with(" skip::tests::cannot_be_tried"), "{text}");
    }
}
