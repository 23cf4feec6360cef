//! `strace`, with which the tests record the calls of a process to the file system.

use super::{debian, say};
use crate::process;

const PACKAGE: &str = "strace";

/// Installs strace if that is possible. Otherwise prints that the tests of power cuts are skipped.
pub(super) fn find() {
    if is_there() {
        return;
    }
    let outcome = debian::install_as_root(PACKAGE);
    if !is_there() {
        let reason = outcome.map_or_else(|error| error.to_string(), |()| "it does not start".to_owned());
        say(&format!("strace is missing ({reason}): the tests of power cuts are SKIPPED; install it"));
    }
}

fn is_there() -> bool {
    process::output(std::process::Command::new(PACKAGE).arg("--version")).is_ok()
}
