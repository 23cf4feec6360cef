//! No document, comment, name or message of this repository has a word that is a known misspelling.

use std::{path::Path, process::Command};

use typos_dict::WORD;

/// Misspellings that are meant: names that others gave, abbreviations, and wrong words that a test sends.
const MEANT: [&str; 11] =
    ["acces", "alhpa", "befores", "flate", "ges", "lables", "onces", "ser", "visulized", "wrk", "wronly"];

#[test]
fn no_text_has_a_known_misspelling() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut git = Command::new("git");
    let list = git.args(["ls-files", "-z"]).current_dir(&root).output().expect("git lists the files");
    let list = String::from_utf8(list.stdout).unwrap();
    let names: Vec<&str> = list.split('\0').filter(|name| is_ours(name)).collect();
    assert!(names.len() > 300, "git lists {} texts only", names.len());
    let mut wrong = Vec::new();
    for name in names {
        // A file that is deleted and not yet committed is of no interest.
        let Ok(text) = std::fs::read_to_string(root.join(name)) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            wrong.extend(
                misspelt(line).map(|(word, right)| format!("{name}:{number}: {word}: {}", right.join(", "))),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_misspelt_word_is_found_in_prose_and_in_names() {
    let found: Vec<&str> = ["// It is recieved.", "fn recieve_all()", "let theRecieved", "received, Rust"]
        .iter()
        .flat_map(|line| misspelt(line))
        .map(|(word, _)| word)
        .collect();
    assert_eq!(found, ["recieved", "recieve", "Recieved"]);
}

/// Sources and documents that people of this project write.
fn is_ours(name: &str) -> bool {
    let written = ["benches/results/", "/fixtures/", "/golden/", "fuzz/corpus/", "tests/it/spelling.rs"];
    let endings = ["css", "html", "js", "md", "py", "rs", "sql", "toml"];
    !written.iter().any(|part| name.contains(part))
        && endings.iter().any(|ending| name.rsplit_once('.').is_some_and(|(_, own)| own == *ending))
}

/// The misspelt words of a line, each with the right spellings.
fn misspelt(line: &str) -> impl Iterator<Item = (&str, &'static [&'static str])> {
    let words = line.split(|character: char| !character.is_ascii_alphabetic()).flat_map(parts);
    words.filter(|word| word.len() > 2 && !MEANT.contains(&word.to_ascii_lowercase().as_str())).filter_map(
        |word| {
            let right: &'static [&'static str] = WORD.find(&word.into())?;
            Some((word, right))
        },
    )
}

/// The parts of a name that begin with a capital: `theNewName` has three.
fn parts(name: &str) -> Vec<&str> {
    let is_border = |at: usize| {
        let before = name.as_bytes()[at - 1];
        before.is_ascii_lowercase() && name.as_bytes()[at].is_ascii_uppercase()
    };
    let mut borders: Vec<usize> = (1..name.len()).filter(|at| is_border(*at)).collect();
    borders.insert(0, 0);
    borders.push(name.len());
    borders.windows(2).map(|pair| &name[pair[0]..pair[1]]).collect()
}
