//! `cargo xtask hosts`: engines that others might write, which link the library as strangers do.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    Outcome,
    arguments::{Options, value},
    dist, process,
    setup::{self, debian},
    skipped::Skipped,
    workspace::Workspace,
};

/// Vertices of the graph that each host fills. The emulator of valgrind gets a tenth.
const VERTICES: u64 = 200_000;

/// The RocksDB of the host in C++.
const ROCKSDB: (&str, &str) = ("librocksdb-dev", "rocksdb/db.h");

/// The exit code of a host that dies in the middle of a job.
const CRASHED: i32 = 42;

pub(crate) fn hosts(workspace: &Workspace, options: &Options) -> Outcome {
    let vertices = parse(&options.rest)?;
    setup::setup(workspace, options)?;
    let skipped = Skipped::of(workspace)?;
    let outcome = each(workspace, &skipped, &["--package", "job-ffi"], vertices);
    let told = skipped.tell();
    outcome.and(told)
}

fn parse(arguments: &[String]) -> Outcome<u64> {
    let mut vertices = VERTICES;
    let mut arguments = arguments.iter().cloned();
    while let Some(argument) = arguments.next() {
        let given = value(&argument, "--vertices", &mut arguments)
            .ok_or_else(|| format!("`hosts` takes no argument `{argument}`: see `cargo xtask help hosts`"))?;
        let given = given.parse().ok().filter(|vertices| *vertices >= 1_000);
        vertices = given.ok_or("--vertices needs a whole number after it, at least 1000")?;
    }
    Ok(vertices)
}

/// As CI has it: the library that its tests have built.
pub(crate) fn of_tests(workspace: &Workspace, skipped: &Skipped) -> Outcome {
    let selection = ["--workspace", "--lib", "--features", crate::workspace::TEST_FEATURES];
    each(workspace, skipped, &selection, VERTICES)
}

fn each(workspace: &Workspace, skipped: &Skipped, selection: &[&str], vertices: u64) -> Outcome {
    sanitized_tests(workspace)?;
    let library = Library::build(workspace, selection)?;
    python(workspace, &library)?;
    cpp(workspace, skipped, &library, vertices)
}

/// The tests of the package for Python, which needs `python3` alone.
fn python(workspace: &Workspace, library: &Library) -> Outcome {
    eprintln!("hosts: the tests of the package for Python");
    let mut python = Command::new("python3");
    python
        .args(["-m", "unittest", "discover", "--start-directory"])
        .arg(workspace.root.join("hosts/python/tests"));
    python.env("JOB_ENGINE_LIBRARY", library.directory.join("lib/libjob.so.1"));
    process::run(python.env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// The tests of job-ffi with the sanitizer of addresses, by the pinned compiler.
fn sanitized_tests(workspace: &Workspace) -> Outcome {
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

/// The host in C++ with a RocksDB of its own. Its side runs with the sanitizers of g++, without those of the compiler of
/// Rust. Then it runs with the static library, and in the emulator of valgrind.
fn cpp(workspace: &Workspace, skipped: &Skipped, library: &Library, vertices: u64) -> Outcome {
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

fn compiler() -> Command {
    Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()))
}

/// Where all that this command makes is.
fn made(workspace: &Workspace) -> PathBuf {
    workspace.target().join("hosts")
}

/// How a host links the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Shared,
    Static,
}

/// The libraries, as `cargo xtask dist` gives them to hosts.
struct Library {
    directory: PathBuf,
}

impl Library {
    fn build(workspace: &Workspace, selection: &[&str]) -> Outcome<Self> {
        let mut cargo = workspace.cargo();
        process::run(cargo.args(["build", "--quiet", "--release", "--locked"]).args(selection))?;
        let directory = made(workspace).join("dist");
        dist::write(workspace, &workspace.target().join("release"), &directory)?;
        Ok(Self { directory })
    }

    fn compile(&self, workspace: &Workspace, program: &str, link: Link, sanitizers: &[&str]) -> Outcome<PathBuf> {
        let lib = self.directory.join("lib");
        let made = made(workspace).join(program);
        let mut compiler = compiler();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertices_are_a_number() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(parse(&[]).unwrap(), VERTICES);
        assert_eq!(parse(&words("--vertices 20000")).unwrap(), 20_000);
        assert!(parse(&words("--vertices 5")).unwrap_err().to_string().contains("at least 1000"));
        assert!(parse(&words("cpp")).unwrap_err().to_string().contains("`cpp`"));
    }
}
