//! Hosts in Rust, which are workspaces of their own: cargo links one RocksDB into a build.

use std::{path::Path, process::Command};

use crate::{Outcome, fuzz::fetched, process, setup, skipped::Skipped, workspace::Workspace};

use super::made;

const CHECKS: [&[&str]; 3] = [
    &["fmt", "--all", "--check"],
    &["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"],
    &["test", "--quiet", "--locked", "--workspace"],
];

/// A host whose build has no C++, and no C.
pub(super) fn redb(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    let host = Host { workspace, path: "hosts/redb" };
    if !host.begin(skipped)? {
        return Ok(());
    }
    let tree = process::output(host.cargo().args([
        "tree",
        "--locked",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let packages = of_rust_alone(&tree)?;
    eprintln!("hosts: the {packages} packages that it links are of Rust alone");
    host.check()?;
    host.run(&["--", &made(workspace).join("jobs.redb").display().to_string()])
}

/// Hosts with RocksDB 0.23, which is built once for the machine: an engine of ours, and IndraDB.
pub(super) fn rocksdb(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    let [_, directory] = workspace.linked();
    let host = Host { workspace, path: "hosts/rocksdb-0.23" };
    if !host.begin(skipped)? {
        return Ok(());
    }
    setup::hosts(workspace, &directory)?;
    host.check()?;
    host.run(&["--package", "engine"])?;
    host.run(&["--package", "indradb-host"])
}

struct Host<'w> {
    workspace: &'w Workspace,
    /// From the root of the clone.
    path: &'static str,
}

impl Host<'_> {
    /// Whether its packages are there.
    fn begin(&self, skipped: &Skipped) -> Outcome<bool> {
        eprintln!("hosts: {}", self.path);
        fetched(self.cargo(), self.path, skipped)
    }

    fn check(&self) -> Outcome {
        CHECKS.iter().try_for_each(|arguments| process::run(self.cargo().args(*arguments)))
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        process::run(self.cargo().args(["run", "--quiet", "--locked"]).args(arguments))
    }

    fn cargo(&self) -> Command {
        let mut cargo = self.workspace.cargo();
        let name = Path::new(self.path).file_name().unwrap_or_default();
        cargo.current_dir(self.workspace.root.join(self.path));
        cargo.env("CARGO_TARGET_DIR", made(self.workspace).join(name)).env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo
    }
}

/// Packages that compile or look for a library of C or C++ in the build of another one.
const COMPILERS: [&str; 5] = ["bindgen", "cc", "cmake", "pkg-config", "vcpkg"];

/// How many packages `cargo tree` lists. An error if one of them compiles C or C++, or binds to a library of it.
fn of_rust_alone(tree: &str) -> Outcome<usize> {
    let mut names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    names.dedup();
    let is_native = |name: &&&str| COMPILERS.contains(*name) || name.ends_with("-sys");
    match names.iter().find(is_native) {
        Some(native) => {
            Err(format!("the build has {native}, and it must have no C or C++: see `cargo tree`").into())
        }
        None => Ok(names.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_builds_cpp_is_found() {
        let tree = "redb-host v0.1.0 (/x)\njob-runner v0.1.0 (/x)\nredb v4.6.0\nlibc v0.2.1\nredb v4.6.0 (*)\n";
        assert_eq!(of_rust_alone(tree).unwrap(), 4);
        for native in ["librocksdb-sys v0.17.3", "cc v1.2.0"] {
            let refused = of_rust_alone(&format!("{tree}{native}\n")).unwrap_err().to_string();
            assert!(refused.contains(native.split(' ').next().unwrap()), "{refused}");
        }
    }
}
