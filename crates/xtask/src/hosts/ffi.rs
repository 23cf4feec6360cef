//! The C interface: its tests with a sanitizer, and the libraries that hosts in other languages link.

use std::path::PathBuf;

use crate::{Outcome, dist, process, workspace::Workspace};

use super::{cpp, made};

/// The tests of job-ffi with the sanitizer of addresses, by the pinned compiler.
pub(super) fn sanitized_tests(workspace: &Workspace) -> Outcome {
    let host = workspace.host()?;
    eprintln!("hosts: the tests of job-ffi with the sanitizer of addresses");
    let mut cargo = workspace.cargo();
    // Without RocksDB, which is not built with it. Programs in C, which lack its runtime, are left out.
    cargo.args([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "job-ffi",
        "--no-default-features",
        "--features",
        "redb",
    ]);
    cargo.args(["--tests", "--target", &host, "--", "--skip", "library::", "--skip", "header::"]);
    cargo.env("CARGO_TARGET_DIR", made(workspace).join("sanitized")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    // A target that is named keeps the flags away from build scripts.
    process::run(cargo.env("RUSTC_BOOTSTRAP", "1").env("CARGO_ENCODED_RUSTFLAGS", "-Zsanitizer=address"))
}

/// How a host links the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Shared,
    Static,
}

/// The libraries, as `cargo xtask dist` gives them to hosts.
pub(super) struct Library {
    pub(super) directory: PathBuf,
}

impl Library {
    pub(super) fn build(workspace: &Workspace) -> Outcome<Self> {
        let mut cargo = workspace.cargo();
        process::run(cargo.args(["build", "--quiet", "--release", "--locked", "--package", "job-ffi"]))?;
        let directory = made(workspace).join("dist");
        dist::write(workspace, &workspace.target().join("release"), &directory)?;
        Ok(Self { directory })
    }

    pub(super) fn compile(
        &self,
        workspace: &Workspace,
        program: &str,
        link: Link,
        sanitizers: &[&str],
    ) -> Outcome<PathBuf> {
        let lib = self.directory.join("lib");
        let made = made(workspace).join(program);
        let mut compiler = cpp::compiler();
        compiler.args(["-std=c++17", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]).args(sanitizers);
        compiler.arg("-I").arg(self.directory.join("include")).arg(workspace.root.join("hosts/cpp/graph.cpp"));
        compiler.arg("-o").arg(&made);
        match link {
            Link::Shared => {
                compiler.arg("-L").arg(&lib).arg("-ljob").arg(format!("-Wl,-rpath,{}", lib.display()));
            }
            Link::Static => {
                compiler.arg(lib.join("libjob.a")).args(dist::NEEDED.split(' '));
            }
        }
        process::run(compiler.arg("-lrocksdb"))?;
        Ok(made)
    }
}
