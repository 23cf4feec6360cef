//! The documents say the same as the code.

use std::{collections::HashSet, fs, path::Path};

use job_runner::Transition;

fn document(name: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).ok()
}

/// The cells of every table line with this number of columns.
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
    let moves: Vec<Vec<String>> = Transition::all()
        .map(|edge| vec![edge.from.to_string(), edge.event.to_string(), edge.to.to_string()])
        .collect();
    let states: Vec<&String> = moves.iter().flat_map(|edge| [&edge[0], &edge[2]]).collect();
    let written: Vec<Vec<String>> =
        table(&text, 3).into_iter().filter(|row| states.contains(&&row[0]) && states.contains(&&row[2])).collect();
    assert_eq!(written, moves, "ARCHITECTURE.md does not have the moves of JobState::on");
}

/// The documents that people read, by their path from the root of the workspace. The changelog may name what is gone.
const DOCUMENTS: [&str; 15] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "benches/README.md",
    "docs/README.md",
    "docs/cluster.md",
    "docs/format.md",
    "docs/guarantees.md",
    "docs/hosts.md",
    "docs/http.md",
    "docs/operate.md",
    "docs/scale.md",
    "docs/speed.md",
    "docs/testing.md",
];

/// Names that other programs have.
const FOREIGN: [&str; 2] = ["MultiGet", "pg_dump"];

/// Every test that a document names exists, since a promise without its test is not tested.
#[test]
fn every_test_that_the_guarantees_name_exists() {
    let sources = sources();
    for (name, least) in [("docs/guarantees.md", 11), ("README.md", 7), ("ARCHITECTURE.md", 10)] {
        let text = document(name).expect(name);
        let tests: Vec<&str> = quoted(&text).filter(|quoted| is_test(quoted)).collect();
        assert!(tests.len() >= least, "{name} names only {} tests", tests.len());
        for test in tests {
            assert!(
                sources.iter().any(|(_, text)| text.contains(&format!("fn {test}("))),
                "{name}: no test {test}"
            );
        }
    }
}

#[test]
fn every_symbol_and_file_that_a_document_names_exists() {
    let sources = sources();
    let known: HashSet<&str> = sources.iter().flat_map(|(_, text)| names(text)).collect();
    let mut missing = Vec::new();
    for document_name in DOCUMENTS {
        let text = without_listings(&document(document_name).expect(document_name));
        for quoted in quoted(&text) {
            let symbols = names(quoted).filter(|name| is_symbol(name, quoted) && !FOREIGN.contains(name));
            let unknown =
                symbols.filter(|name| !known.contains(name) && !known.iter().any(|word| exists_as(name, word)));
            missing.extend(unknown.map(|name| format!("{document_name}: `{quoted}`: nothing is called {name}")));
            if let Some((owner, member)) = member(quoted)
                && !sources.iter().any(|(_, text)| defines(text, owner) && names(text).any(|name| name == member))
            {
                missing.push(format!("{document_name}: `{quoted}`: no file that defines {owner} has {member}"));
            }
            let is_source =
                !quoted.contains(' ') && Path::new(quoted).extension().is_some_and(|kind| kind == "rs");
            if is_source && !sources.iter().any(|(path, _)| path.ends_with(&format!("/{quoted}"))) {
                missing.push(format!("{document_name}: there is no file {quoted}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Whether a source has the name. A part of a longer name counts, for filters of tests.
fn exists_as(name: &str, word: &str) -> bool {
    word.eq_ignore_ascii_case(name) || (name.contains('_') && word.contains(name))
}

/// Whether a quoted name is that of a symbol: it has the form of one, or is in a path.
fn is_symbol(name: &str, quoted: &str) -> bool {
    let inner_upper =
        name.chars().zip(name.chars().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    name.starts_with(|first: char| !first.is_ascii_digit())
        && (name.contains('_') || inner_upper || quoted.contains("::"))
}

/// A type and its member, of a quotation like `Engine::open` or `RocksOptions::open_files`.
fn member(quoted: &str) -> Option<(&str, &str)> {
    let mut parts = quoted.split('(').next()?.rsplit("::");
    let (member, owner) = (parts.next()?, parts.next()?);
    let is_name = |name: &str| names(name).eq([name]);
    (is_name(member) && is_name(owner) && owner.starts_with(char::is_uppercase)).then_some((owner, member))
}

/// Whether a source defines the type or implements it.
fn defines(text: &str, owner: &str) -> bool {
    text.lines().any(|line| {
        let mut words = names(line).skip_while(|word| !["struct", "enum", "trait", "type", "impl"].contains(word));
        words.next().is_some() && words.any(|word| word == owner)
    })
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|name| !name.is_empty())
}

/// Whether a quotation looks like the name of a test.
fn is_test(quoted: &str) -> bool {
    quoted.len() > 12
        && quoted.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && quoted.matches('_').count() >= 3
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn without_listings(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// Every source of the workspace without the lines that are comments, by its path.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    for directory in ["benches", "crates", "examples", "fuzz", "hosts", "tests"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory), &mut sources);
    }
    sources
}

fn collect(directory: &Path, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, into);
            }
        } else if let Some("rs" | "sql" | "toml" | "js") =
            path.extension().and_then(|extension| extension.to_str())
        {
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            into.push((path.to_string_lossy().into_owned(), code.join("\n")));
        }
    }
}
