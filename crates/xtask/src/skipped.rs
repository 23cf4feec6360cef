//! Skipped tests. Their own lines are easily missed, so the end of a run repeats them.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    process::Command,
};

use crate::{Outcome, workspace::Workspace};

/// The environment variable with the file for notes of skipped tests.
const NOTES: &str = "JOB_ENGINE_SKIPPED";

/// With this environment variable, a skipped test is an error.
const ALL: &str = "JOB_ENGINE_ALL_TESTS";

/// Collects the skipped tests.
#[derive(Debug)]
pub(crate) struct Skipped {
    notes: PathBuf,
}

impl Skipped {
    /// Begins anew.
    pub(crate) fn of(workspace: &Workspace) -> Outcome<Self> {
        let notes = workspace.target().join(format!("skipped-tests-{}", std::process::id()));
        fs::create_dir_all(workspace.target())?;
        fs::write(&notes, "")?;
        Ok(Self { notes })
    }

    /// Adds the environment variable under which the tests of this command note each skipped test.
    pub(crate) fn by<'c>(&self, tests: &'c mut Command) -> &'c mut Command {
        tests.env(NOTES, &self.notes)
    }

    /// Notes that a check other than a test cannot be made here.
    pub(crate) fn note(&self, check: &str, why: &str) -> Outcome {
        eprintln!("ci: {check} skipped: {why}");
        let line = format!("{check}: {why}\t\n");
        Ok(OpenOptions::new().append(true).open(&self.notes)?.write_all(line.as_bytes())?)
    }

    /// Prints the skipped tests at the end, where they are seen.
    ///
    /// # Errors
    /// When tests were skipped and `JOB_ENGINE_ALL_TESTS` is set.
    pub(crate) fn tell(&self) -> Outcome {
        let lines = summary(&fs::read_to_string(&self.notes).unwrap_or_default());
        for line in &lines {
            eprintln!("{line}");
        }
        if lines.is_empty() || !all_are_wanted() {
            return Ok(());
        }
        Err(format!("{ALL} is set, and not everything was tried").into())
    }
}

impl Drop for Skipped {
    fn drop(&mut self) {
        // The notes were printed, so the file is not needed.
        let _ = fs::remove_file(&self.notes);
    }
}

fn all_are_wanted() -> bool {
    env::var_os(ALL).is_some_and(|value| !value.is_empty())
}

/// A line for each reason: how many tests. A test that notes itself twice is one.
fn summary(notes: &str) -> Vec<String> {
    let mut reasons: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for (why, test) in notes.lines().filter_map(|line| line.split_once('\t')) {
        let (named, unnamed) = reasons.entry(why).or_default();
        if test.is_empty() {
            *unnamed += 1;
        } else {
            named.insert(test);
        }
    }
    let line = |(why, (named, unnamed)): (&str, (BTreeSet<&str>, usize))| match named.len() + unnamed {
        1 => format!("SKIPPED: 1 test: {why}"),
        tests => format!("SKIPPED: {tests} tests: {why}"),
    };
    reasons.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_counts_once_for_each_reason() {
        let notes = "there is no b\tit x\nthere is no a\tit x\nthere is no b\tit x\nthere is no b\tit y\n\
                     there is no b\t\nthere is no b\t\nhalf of a li";
        assert_eq!(summary(notes), ["SKIPPED: 1 test: there is no a", "SKIPPED: 4 tests: there is no b"]);
        assert_eq!(summary(""), [""; 0]);
    }
}
