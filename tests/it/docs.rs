//! The documents say the same as the code.

use std::{fs, path::Path};

use job_runner::Move;

fn document(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).ok()
}

/// The cells of every table line with as many columns.
fn table(text: &str, columns: usize) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
        inner.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    text.lines()
        .filter(|line| line.trim_start().starts_with('|'))
        .map(cells)
        .filter(|row| row.len() == columns)
        .collect()
}

#[test]
fn the_table_of_states_in_the_architecture_is_the_one_of_the_code() {
    let text = document("ARCHITECTURE.md").expect("ARCHITECTURE.md is in the root of the workspace");
    let moves: Vec<Vec<String>> =
        Move::all().map(|edge| vec![edge.from.to_string(), edge.event.to_string(), edge.to.to_string()]).collect();
    let states: Vec<&String> = moves.iter().flat_map(|edge| [&edge[0], &edge[2]]).collect();
    let written: Vec<Vec<String>> =
        table(&text, 3).into_iter().filter(|row| states.contains(&&row[0]) && states.contains(&&row[2])).collect();
    assert_eq!(written, moves, "ARCHITECTURE.md does not have the moves of JobState::on");
}

/// Every test that a document names exists: a promise without its test is none.
#[test]
fn every_test_that_the_guarantees_name_exists() {
    for (name, least) in [("docs/guarantees.md", 11), ("README.md", 7)] {
        let text = document(name).expect(name);
        assert!(named(&text).len() >= least, "{name} names only {} tests", named(&text).len());
        exist(name, &named(&text));
    }
}

fn exist(document: &str, tests: &[&str]) {
    let mut sources = String::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("it"), &mut sources);
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates"), &mut sources);
    for name in tests {
        assert!(sources.contains(&format!("fn {name}(")), "{document} names the test {name}, which is nowhere");
    }
}

/// Texts that look like the name of a test.
fn named(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_name = |name: &&str| {
        name.len() > 12
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && name.matches('_').count() >= 3
    };
    quoted.filter(is_name).collect()
}

fn collect(directory: &Path, into: &mut String) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}
