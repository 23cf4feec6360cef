//! The host in C++.

use std::{env, fs, path::Path, process::Command};

use crate::{Outcome, process, setup::debian, skipped::Skipped, workspace::Workspace};

use super::{
    ffi::{Library, Link},
    made,
};

/// The RocksDB of the host.
const ROCKSDB: (&str, &str) = ("librocksdb-dev", "rocksdb/db.h");

/// The exit code of a host that dies in the middle of a job.
const CRASHED: i32 = 42;

/// The host in C++ with a RocksDB of its own. Its side runs with the sanitizers of g++, without those of the compiler of
/// Rust. Then it runs with the static library, and in the emulator of valgrind.
pub(super) fn cpp(workspace: &Workspace, skipped: &Skipped, library: &Library, vertices: u64) -> Outcome {
    let (package, header) = ROCKSDB;
    if !compiles(header) {
        // Also where it cannot be installed the next line tells.
        let _ = debian::install_as_root(package);
    }
    if !compiles(header) {
        let why = format!("there is no RocksDB of the system (`sudo apt-get install {package}`)");
        return skipped.note("hosts/cpp", &why);
    }
    let data = |name: &str| made(workspace).join("data").join(name);
    let sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let sanitized = library.compile(workspace, "graph-sanitized", Link::Shared, &sanitizers)?;
    phases(&mut || Command::new(&sanitized), &data("sanitized"), vertices)?;
    let with_static = library.compile(workspace, "graph-static", Link::Static, &[])?;
    phases(&mut || Command::new(&with_static), &data("static"), vertices)?;
    if process::output(Command::new("valgrind").arg("--version")).is_err() {
        return skipped.note("hosts/cpp in valgrind", "there is no valgrind (`sudo apt-get install valgrind`)");
    }
    let plain = library.compile(workspace, "graph", Link::Shared, &[])?;
    let mut emulated = || {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=no"]).arg(&plain);
        valgrind
    };
    phases(&mut emulated, &data("emulated"), vertices / 10)
}

/// A filter, pages and a cancel; a death in the middle of a job; the next process, which goes on with it.
fn phases(program: &mut dyn FnMut() -> Command, directory: &Path, vertices: u64) -> Outcome {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    for (phase, code) in [("filter", 0), ("crash", CRASHED), ("resume", 0)] {
        let mut host = program();
        host.arg(directory).arg(vertices.to_string()).arg(phase);
        let ended = host.status().map_err(|error| process::not_started(&host, &error))?;
        if ended.code() != Some(code) {
            return Err(format!("`{}` ended with {ended}, and not with code {code}", process::line(&host)).into());
        }
    }
    Ok(())
}

/// Whether the compiler finds this header.
fn compiles(header: &str) -> bool {
    let program = format!("#include <{header}>\n");
    let source = env::temp_dir().join(format!("header-{}.cpp", std::process::id()));
    if fs::write(&source, program).is_err() {
        return false;
    }
    let found = process::output(compiler().args(["-std=c++17", "-fsyntax-only"]).arg(&source)).is_ok();
    // Nothing depends on it.
    let _ = fs::remove_file(&source);
    found
}

pub(super) fn compiler() -> Command {
    Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()))
}
