//! Faults that neither the compiler nor clippy looks for: the length of files, and text that belongs to one machine
//! only.

use std::{fs, path::Path};

use crate::{Outcome, workspace::Workspace};

/// The most lines of a file. A longer file has more than one purpose.
const LONGEST: usize = 600;

/// Texts that no tracked file may have: paths of one machine and hosts of package registries. They are cut in two
/// here, so that this file passes.
const BANNED: [&str; 10] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/tm", "p/"),
    concat!("static.cra", "tes.io"),
    concat!("index.cra", "tes.io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("deb.debian", ".org"),
];

/// The codes of the API and the statuses of HTTP, which only the room `wire` of the library may name.
const WIRE: [&str; 3] = ["\"GES.", "http_status", "ErrorCode"];

/// The packages that must not name these words outside of that room.
const UNWIRED: [&str; 3] = ["crates/job-core/src/", "crates/job-store/src/", "crates/job-runner/src/"];

/// The one source of packages that the lock file may name.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn tidy(workspace: &Workspace) -> Outcome {
    let mut wrong = Vec::new();
    for name in workspace.tracked()? {
        // Files that are deleted and not committed, and files that are no text, are skipped.
        let Ok(text) = fs::read_to_string(workspace.root.join(&name)) else { continue };
        wrong.extend(complaints(&name, &text));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn complaints(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let length = code_length(text);
    if Path::new(name).extension().is_some_and(|extension| extension == "rs") && !is_test(name) && length > LONGEST
    {
        complaints.push(format!("{name}: {length} lines of code, of {LONGEST} at most: split it by purpose"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(banned) = BANNED.iter().find(|banned| line.contains(*banned)) {
            complaints.push(format!("{name}:{number}: mentions {banned}, which is not of this project"));
        }
        if name.ends_with("Cargo.lock") && line.starts_with("source = ") && !line.contains(REGISTRY) {
            complaints.push(format!("{name}:{number}: takes a package from elsewhere than the public registry"));
        }
    }
    complaints.extend(wired(name, text));
    complaints
}

/// Words of the wire outside of their room.
fn wired(name: &str, text: &str) -> Option<String> {
    if !UNWIRED.iter().any(|package| name.starts_with(package)) || name.starts_with("crates/job-core/src/wire") {
        return None;
    }
    let code = (1..).zip(text.lines().take(code_length(text)));
    let (number, word) = code
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .find_map(|(number, line)| WIRE.iter().find(|word| line.contains(**word)).map(|word| (number, word)))?;
    Some(format!("{name}:{number}: knows of {word}, which only job_core::wire may"))
}

/// Lines before the tests at the end of a file.
pub(super) fn code_length(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

fn is_test(name: &str) -> bool {
    name.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "conformance")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count_as_code() {
        let code = "x\n".repeat(LONGEST);
        assert_eq!(complaints("src/a.rs", &format!("{code}#[cfg(test)]\nmod tests {{}}\n")), [""; 0]);
        assert_eq!(complaints("src/a.rs", &format!("{code}x\n")).len(), 1);
        assert_eq!(complaints("tests/it/a.rs", &format!("{code}x\n")), [""; 0]);
        assert_eq!(complaints("notes.md", &format!("{code}x\n")), [""; 0]);
    }

    #[test]
    fn a_path_of_one_machine_is_found_with_its_line() {
        let text = format!("fine\nsee {}me/notes\n", BANNED[0]);
        let complaints = complaints("README.md", &text);
        assert!(complaints[0].starts_with("README.md:2: "), "{complaints:?}");
    }

    #[test]
    fn codes_of_the_api_stay_in_their_room() {
        let text = "//! As `ErrorCode`.\nlet code = ErrorCode::JobQuery;\n";
        assert_eq!(complaints("crates/job-runner/src/read/page.rs", text).len(), 1);
        assert_eq!(complaints("crates/job-core/src/wire/code.rs", text), [""; 0]);
        assert_eq!(complaints("crates/job-http/src/failure.rs", text), [""; 0]);
        assert_eq!(complaints("crates/job-runner/src/lib.rs", "//! As `ErrorCode`.\n"), [""; 0]);
    }

    #[test]
    fn packages_come_from_the_public_registry() {
        assert_eq!(complaints("Cargo.lock", &format!("source = \"{REGISTRY}\"\n")), [""; 0]);
        assert_eq!(complaints("Cargo.lock", "source = \"git+https://example.com/x\"\n").len(), 1);
    }
}
