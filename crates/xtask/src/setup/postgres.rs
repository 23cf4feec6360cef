//! PostgreSQL and a pooler, which tests start by themselves.

use std::{env, fs, path::Path};

use super::{debian, say};

/// The environment variable with the directory of PostgreSQL's programs.
const PROGRAMS: &str = "JOB_ENGINE_POSTGRES";
/// Debian's directory of PostgreSQL servers, with a subdirectory for each version.
const INSTALLED: &str = "/usr/lib/postgresql";
/// The server of the release's own version.
const PACKAGE: &str = "postgresql";

const POOLER: &str = "/usr/sbin/pgbouncer";
const POOLER_PACKAGE: &str = "pgbouncer";

/// Installs PostgreSQL if that is possible. Otherwise prints that its tests are skipped.
pub(super) fn find() {
    find_pooler();
    if is_there() {
        return;
    }
    say("installing PostgreSQL from Debian (some 60 MB)");
    let outcome = debian::install_as_root(PACKAGE);
    if !is_there() {
        let reason = outcome.map_or_else(|e| e.to_string(), |()| format!("there is no server in {INSTALLED}"));
        say(&format!(
            "PostgreSQL is missing ({reason}): the tests of its store are SKIPPED; install it, or set {PROGRAMS}"
        ));
    }
}

fn find_pooler() {
    if Path::new(POOLER).is_file() {
        return;
    }
    say("installing PgBouncer from Debian (some 1 MB)");
    let outcome = debian::install_as_root(POOLER_PACKAGE);
    if !Path::new(POOLER).is_file() {
        let reason = outcome.map_or_else(|e| e.to_string(), |()| format!("there is no {POOLER}"));
        say(&format!("PgBouncer is missing ({reason}): the tests behind a pooler are SKIPPED"));
    }
}

fn is_there() -> bool {
    let named = env::var_os(PROGRAMS).is_some_and(|named| !named.is_empty());
    named
        || fs::read_dir(INSTALLED)
            .is_ok_and(|versions| versions.flatten().any(|version| version.path().join("bin/initdb").is_file()))
}
