//! The directions of dependencies between packages.

use std::collections::BTreeSet;

use crate::{Outcome, process, workspace::Workspace};

/// Packages of the library, the lowest first, with those of the workspace that each may know.
const LAYERS: [(&str, &[&str]); 4] = [
    ("job-core", &[]),
    ("job-store", &["job-core", SERVERS]),
    ("job-runner", &["job-core", "job-store", SERVERS]),
    ("job-ffi", &["job-runner", SERVERS]),
];

/// A package for tests alone. A package of the library that depends on it breaks a ban below.
const SERVERS: &str = "test-servers";

/// Packages that only the named ones may use. The benches compare the store with the engine below it, so they use
/// RocksDB.
const OWNED: [(&str, &[&str]); 3] = [
    ("rocksdb", &["job-store", "job-benches"]),
    ("tokio-postgres", &["job-store"]),
    ("object_store", &["job-store"]),
];

/// Packages that a package must not depend on, also indirectly, with these features. The client of PostgreSQL is
/// built on tokio, which therefore comes with the feature `postgres` alone.
const BANS: [(&str, &[&str], &[&str]); 13] = [
    ("job-core", &["--all-features"], &["librocksdb-sys", "rocksdb", "tokio", "axum", "hyper"]),
    ("job-store", &["--features", "conformance,rocksdb,redb"], &["tokio", "tokio-postgres", "axum", "hyper"]),
    ("job-store", &["--features", "postgres"], &["object_store", "hyper", "axum"]),
    // Objects in a directory need no HTTP client. TLS is built with a C compiler, without cmake.
    ("job-store", &["--features", "objects"], &["hyper", "reqwest", "rustls"]),
    ("job-store", &["--all-features"], &["aws-lc-sys", "openssl-sys"]),
    ("job-store", &["--all-features"], &["axum", SERVERS]),
    ("job-runner", &["--all-features"], &["axum", SERVERS]),
    ("job-runner", &[], &["tokio", "tokio-postgres", "axum", "hyper"]),
    ("job-runner", &["--no-default-features"], &["librocksdb-sys", "rocksdb"]),
    // A store on disk in Rust alone.
    ("job-runner", &["--no-default-features", "--features", "redb"], &["librocksdb-sys", "rocksdb", "cc"]),
    // A library that hosts in C link: cbindgen writes its header, in a test.
    ("job-ffi", &[], &["tokio", "tokio-postgres", "axum", "hyper", "cbindgen", SERVERS]),
    ("job-ffi", &["--no-default-features", "--features", "redb"], &["librocksdb-sys", "rocksdb", "cc"]),
    // The first command that a reader runs compiles only code that it uses.
    (
        "job-demo",
        &[],
        &["tokio-postgres", "object_store", "reqwest", "rustls", "chrono", "icu_collections", SERVERS],
    ),
];

pub(super) fn directions(workspace: &Workspace) -> Outcome {
    let metadata = workspace.metadata()?;
    let members = metadata.members();
    let edges: Vec<(&str, &str)> = members
        .iter()
        .flat_map(|member| member.dependencies().into_iter().map(|name| (member.name(), name)))
        .collect();
    let names: BTreeSet<&str> = members.iter().map(|member| member.name()).collect();
    if let Some(wrong) = edges.iter().find_map(|&(from, to)| wrong_edge(from, to, names.contains(to))) {
        return Err(wrong.into());
    }
    for (package, features, banned) in BANS {
        let mut tree = workspace.cargo();
        tree.args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        let tree = process::output(tree.args(features))?;
        if let Some(name) = first_banned(&tree, banned) {
            let features = features.join(" ");
            return Err(format!("{package} ({features}) depends on {name}, and must not: see `cargo tree -p {package} {features} -i {name}`").into());
        }
    }
    Ok(())
}

/// Why one package may not name another in its manifest.
fn wrong_edge(from: &str, to: &str, is_member: bool) -> Option<String> {
    if OWNED.iter().any(|(owned, owners)| *owned == to && !owners.contains(&from)) {
        return Some(format!("{from} depends on {to} itself: only job-store may; take what job-store exports"));
    }
    if from == "xtask" && is_member {
        return Some(format!(
            "xtask depends on {to}: it is built before the rest of the workspace and may know none of it"
        ));
    }
    let (_, allowed) = LAYERS.iter().find(|(layer, _)| *layer == from)?;
    if is_member && !allowed.contains(&to) {
        return Some(format!("{from} depends on {to}, which is above it: dependencies point down"));
    }
    None
}

/// The first package in the output of `cargo tree` that is banned.
fn first_banned<'a>(tree: &str, banned: &[&'a str]) -> Option<&'a str> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    banned.iter().copied().find(|name| names.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_point_down() {
        assert_eq!(wrong_edge("job-runner", "job-core", true), None);
        assert_eq!(wrong_edge("job-core", "serde", false), None);
        assert_eq!(wrong_edge("job-demo", "job-runner", true), None);
        assert_eq!(wrong_edge("job-ffi", "job-runner", true), None);
        assert!(wrong_edge("job-core", "job-store", true).is_some());
        assert!(wrong_edge("job-store", "job-runner", true).is_some());
        assert!(wrong_edge("job-runner", "job-ffi", true).is_some());
        assert!(wrong_edge("job-ffi", "job-http", true).is_some());
        assert!(wrong_edge("xtask", "job-core", true).is_some());
    }

    #[test]
    fn databases_are_seen_by_the_store_alone() {
        assert_eq!(wrong_edge("job-store", "tokio-postgres", false), None);
        assert!(wrong_edge("job-runner", "tokio-postgres", false).is_some());
        assert!(wrong_edge("job-demo", "object_store", false).is_some());
        assert_eq!(wrong_edge("job-store", "rocksdb", false), None);
        assert!(wrong_edge("job-runner", "rocksdb", false).is_some());
        assert!(wrong_edge("job-demo", "rocksdb", false).is_some());
    }

    #[test]
    fn a_banned_package_is_found_by_its_whole_name() {
        let tree = "job-core v0.1.0 (/w)\nserde v1.0.0\ntokio-util v0.7.0\n";
        assert_eq!(first_banned(tree, &["tokio", "axum"]), None);
        assert_eq!(first_banned(tree, &["tokio-util"]), Some("tokio-util"));
    }
}
