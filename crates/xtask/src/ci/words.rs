//! The words of documents and comments: the rules of style of CONTRIBUTING.md that a program can check.

mod comments;
mod links;
mod rules;
mod sentences;

use std::fs;

use crate::{Outcome, workspace::Workspace};
use comments::Language;

/// Texts that no person of this project wrote: licences, figures of a run, files of tests.
const FOREIGN: [&str; 4] = ["LICENSE", "benches/results/", "/fixtures/", "fuzz/corpus/"];

/// The sentences that may break a rule.
const EXCEPTIONS: &str = "crates/xtask/words/exceptions.txt";

pub(super) fn words(workspace: &Workspace) -> Outcome {
    let names = workspace.tracked()?;
    let exceptions = fs::read_to_string(workspace.root.join(EXCEPTIONS))?;
    let mut exceptions = Exceptions::parse(&exceptions);
    let mut wrong = Vec::new();
    for name in names.iter().filter(|name| !FOREIGN.iter().any(|part| name.contains(part))) {
        let Some(language) = Language::of(name) else { continue };
        // A file that is deleted but not committed yet is of no interest.
        let Ok(text) = fs::read_to_string(workspace.root.join(name)) else { continue };
        wrong.extend(faults(name, language, &text, &mut exceptions));
        if language == Language::Markdown {
            wrong.extend(links::broken(name, &text, &|path| workspace.root.join(path).exists()));
        }
    }
    wrong.extend(exceptions.unused());
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// The sentences of a file that break a rule, each as a line for people.
fn faults(name: &str, language: Language, text: &str, exceptions: &mut Exceptions<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    for block in language.prose(text) {
        for sentence in sentences::of(&block) {
            let Some(fault) = rules::fault(&sentence.text) else { continue };
            if !exceptions.allow(name, &sentence.text) {
                faults.push(format!("{name}:{}: {fault}: {}", sentence.line, sentence.text));
            }
        }
    }
    faults
}

/// Lines of `file: beginning of a sentence`.
struct Exceptions<'a> {
    lines: Vec<(&'a str, bool)>,
}

impl<'a> Exceptions<'a> {
    fn parse(text: &'a str) -> Self {
        let is_exception = |line: &&str| !line.is_empty() && !line.starts_with('#');
        Self { lines: text.lines().filter(is_exception).map(|line| (line, false)).collect() }
    }

    fn allow(&mut self, name: &str, sentence: &str) -> bool {
        let matches = |line: &str| {
            line.split_once(": ").is_some_and(|(file, start)| file == name && sentence.starts_with(start))
        };
        match self.lines.iter_mut().find(|(line, _)| matches(line)) {
            Some((_, used)) => {
                *used = true;
                true
            }
            None => false,
        }
    }

    fn unused(&self) -> impl Iterator<Item = String> {
        let unused = self.lines.iter().filter(|(_, used)| !used);
        unused.map(|(line, _)| format!("{EXCEPTIONS}: `{line}` excepts no sentence: remove the line"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_with_its_file_and_line_unless_it_is_excepted() {
        let text = "fn a() {}\n\n/// Adds one.\n/// What is added is one.\nfn b() {}\n";
        let mut exceptions = Exceptions::parse("");
        let told = faults("a.rs", Language::Slashes, text, &mut exceptions);
        assert_eq!(told, ["a.rs:4: begins with `What`: begin with the subject: What is added is one."]);
        let mut exceptions = Exceptions::parse("# why\na.rs: What is added\n");
        assert_eq!(faults("a.rs", Language::Slashes, text, &mut exceptions), [""; 0]);
        assert_eq!(exceptions.unused().count(), 0);
    }

    #[test]
    fn an_exception_that_excepts_nothing_is_told() {
        let mut exceptions = Exceptions::parse("a.rs: What is added\n");
        assert!(!exceptions.allow("b.rs", "What is added is one."));
        assert_eq!(exceptions.unused().count(), 1);
    }
}
