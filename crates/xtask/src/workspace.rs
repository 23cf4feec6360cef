//! The directories: the clone, and the cache that all clones of a user share.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, metadata::Metadata, process};

/// Features that the tests of all packages need; clippy and rustdoc take the same, so that nothing builds twice.
pub(crate) const TEST_FEATURES: &str = "job-store/conformance,job-store/rocksdb,job-store/s3,job-demo/s3,job-ffi/postgres,\
    job-runner/checked-locks,job-runner/redb,job-runner/mistakes";

#[derive(Debug)]
pub(crate) struct Workspace {
    /// The clone.
    pub(crate) root: PathBuf,
    /// The directory outside the clone in which RocksDB, libclang and WordNet are built or downloaded.
    pub(crate) cache: PathBuf,
}

impl Workspace {
    pub(crate) fn locate() -> Outcome<Self> {
        // The directory comes from the variable that `cargo run` sets, since clones that share a target directory
        // also share this program.
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).ancestors().nth(2).ok_or("xtask is not in a workspace")?.to_owned();
        let cache = cache_directory(|name| env::var_os(name).filter(|value| !value.is_empty()))
            .ok_or("there is no home directory: set JOB_ENGINE_CACHE to a directory that may grow to 1 GB")?;
        Ok(Self { root, cache })
    }

    /// A cargo command that runs in the clone.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        command
    }

    /// The tracked files, as paths from the root of the clone.
    pub(crate) fn tracked(&self) -> Outcome<Vec<String>> {
        let mut git = Command::new("git");
        let list = process::output(git.args(["ls-files", "-z"]).current_dir(&self.root))?;
        Ok(list.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// The target directory of cargo.
    pub(crate) fn target(&self) -> PathBuf {
        let directory = env::var_os("CARGO_TARGET_DIR").filter(|directory| !directory.is_empty());
        self.root.join(directory.map_or_else(|| "target".into(), PathBuf::from))
    }

    /// The kind of machine that cargo builds for.
    pub(crate) fn host(&self) -> Outcome<String> {
        let version = process::output(self.cargo().arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(host.ok_or("`cargo -vV` does not tell for which machine it builds")?.to_owned())
    }

    /// The packages of this workspace and all they depend on, on this machine.
    pub(crate) fn metadata(&self) -> Outcome<Metadata> {
        self.metadata_in(&self.root)
    }

    /// The same of the workspace in this directory, such as one of `hosts`.
    pub(crate) fn metadata_in(&self, directory: &Path) -> Outcome<Metadata> {
        let mut metadata = self.cargo();
        metadata.current_dir(directory);
        metadata.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &self.host()?]);
        let text = process::output(&mut metadata).map_err(|error| {
            format!("cargo cannot say what {} is built of ({error}): where packages are missing, `cargo fetch --locked` downloads them once a network is there", directory.display())
        })?;
        Ok(Metadata::parse(&text)?)
    }

    /// The workspaces of this clone that the set-up links a RocksDB for: itself, and the hosts with an older one.
    pub(crate) fn linked(&self) -> [PathBuf; 2] {
        [self.root.clone(), self.root.join("hosts/rocksdb-0.23")]
    }
}

fn cache_directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(own) = variable("JOB_ENGINE_CACHE") {
        return std::path::absolute(own).ok();
    }
    let users = match variable("XDG_CACHE_HOME") {
        Some(directory) => PathBuf::from(directory),
        None => Path::new(&variable("HOME")?).join(".cache"),
    };
    Some(users.join("job-engine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(variables: &[(&str, &str)]) -> Option<PathBuf> {
        cache_directory(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_cache_is_where_the_user_keeps_caches() {
        assert_eq!(cache(&[("HOME", "/u")]), Some("/u/.cache/job-engine".into()));
        assert_eq!(cache(&[("HOME", "/u"), ("XDG_CACHE_HOME", "/c")]), Some("/c/job-engine".into()));
        assert_eq!(cache(&[("HOME", "/u"), ("JOB_ENGINE_CACHE", "/j")]), Some("/j".into()));
        assert_eq!(cache(&[]), None);
    }

    #[test]
    fn the_workspace_is_two_levels_up() {
        let workspace = Workspace::locate().unwrap();
        assert!(workspace.root.join("Cargo.lock").exists());
    }
}
