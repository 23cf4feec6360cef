//! `strace`, with which the tests record what a process asked of the disk, so that they can take parts of it back.

use super::{debian, say};
use crate::process;

const PACKAGE: &str = "strace";

/// Installs it where that is possible. Without it the tests of power cuts pass untried, and this says so.
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
