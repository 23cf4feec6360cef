//! The shared library, as a linker and programs in C see it.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The shared library of this build, and a directory where programs find it.
struct Library {
    directory: tempfile::TempDir,
}

impl Library {
    /// `None` where a program that is needed is missing, with a line that says so.
    fn new(programs: &[&str]) -> Option<Self> {
        let missing = programs.iter().find(|program| Command::new(program).arg("--version").output().is_err());
        if let Some(program) = missing {
            test_servers::skip(&format!("there is no {program} (`sudo apt-get install gcc`)"));
            return None;
        }
        let built = env::current_exe().unwrap().with_file_name("libjob.so");
        assert!(built.exists(), "{} is built with the tests", built.display());
        let directory = tempfile::tempdir().unwrap();
        for name in ["libjob.so", "libjob.so.1"] {
            symlink(&built, directory.path().join(name)).unwrap();
        }
        Some(Self { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Compiles a source of this package against the library.
    fn compile(&self, source: &str, options: &[&str]) -> PathBuf {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = package.join(source);
        let program = self.path(source.file_stem().unwrap().to_str().unwrap());
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]).args(options);
        compiler.arg("-I").arg(package.join("include")).arg(&source).arg("-o").arg(&program);
        compiler.arg("-L").arg(self.directory.path()).args(["-ljob", "-ldl"]);
        compiler.arg(format!("-Wl,-rpath,{}", self.directory.path().display()));
        succeeded(&mut compiler);
        program
    }

    /// Runs a case of the host in C over this store, and says how it ended.
    fn host(&self, case: &str, store: &str) -> Output {
        let host = self.compile("tests/c/host.c", &[]);
        let plugin = self.compile("tests/c/plugin.c", &["-shared", "-fPIC"]);
        let mut host = Command::new(host);
        host.args([case, store]).arg(self.path("libjob.so")).arg(plugin).output().unwrap()
    }
}

fn succeeded(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The names of the functions in the header.
fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/job.h")).unwrap();
    let code: Vec<&str> = header.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let names = code.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    names.filter(|name| name.starts_with("job_")).map(str::to_owned).collect()
}

#[test]
fn the_library_exports_the_names_of_its_header_and_nothing_else() {
    let Some(library) = Library::new(&["nm"]) else { return };
    let symbols = succeeded(Command::new("nm").args(["-D", "--defined-only"]).arg(library.path("libjob.so")));
    let exported: BTreeSet<String> =
        symbols.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect();
    let documented = declared();
    // The text before the guard names calls in sentences, and so do no others.
    assert_eq!(exported, documented.into_iter().filter(|name| name != "job_").collect());
    assert!(exported.len() > 40, "{exported:?}");
}

#[test]
fn the_example_in_c_pages_its_rows() {
    let Some(library) = Library::new(&["cc"]) else { return };
    let example = library.compile("examples/filter.c", &["-pedantic"]);
    let stores = [("redb", "jobs.redb"), ("rocksdb", "jobs")];
    let stores = stores.map(|(store, place)| format!(r#"{{"{store}":"{}"}}"#, library.path(place).display()));
    let with = [cfg!(feature = "redb"), cfg!(feature = "rocksdb")];
    let stores = stores.iter().zip(with).filter(|(_, there)| *there).map(|(store, _)| store.as_str());
    let age = |vertex: &u32| vertex * 7 % 90;
    let adults: Vec<u32> = (0..200_000).filter(|vertex| age(vertex) >= 18).collect();
    let row = |vertex: &u32| format!(r#"{{"id":"v{vertex}","age":{}}}"#, age(vertex));
    let rows: Vec<String> = adults[1_000..1_003].iter().map(row).collect();
    let expected = format!("state 3, rows 1000 to 1002 of {}:\n[{}]\n", adults.len(), rows.join(","));
    for store in stores.chain([r#""memory""#]) {
        let told = succeeded(Command::new(&example).arg(store));
        assert_eq!(told, expected, "{store}");
    }
}

#[test]
fn the_header_is_one_of_cpp_too() {
    let Some(library) = Library::new(&["c++"]) else { return };
    let source = library.path("empty.cpp");
    fs::write(
        &source,
        "#include \"job.h\"\nint main() { return job_abi_version() == JOB_ABI_VERSION ? 0 : 1; }\n",
    )
    .unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
    succeeded(compiler.arg("-I").arg(package.join("include")).arg(&source));
}

fn ends_well(case: &str) {
    let Some(library) = Library::new(&["cc"]) else { return };
    let store = format!(r#"{{"redb":"{}"}}"#, library.path("jobs.redb").display());
    let store = if cfg!(feature = "redb") { store.as_str() } else { r#""memory""# };
    let ended = library.host(case, store);
    assert!(ended.status.success(), "{}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_forked_process_is_refused_and_the_first_one_goes_on() {
    ends_well("fork");
}

#[test]
fn signals_that_cut_calls_short_disturb_no_job_and_no_handler_of_them_is_changed() {
    ends_well("signals");
}

#[test]
fn threads_of_an_engine_go_on_after_the_library_is_closed() {
    ends_well("dlclose");
}

#[test]
fn code_of_the_host_may_be_unloaded_when_its_engine_is_freed() {
    ends_well("unload");
}

#[test]
fn a_host_may_return_from_main_with_an_engine_open() {
    ends_well("exit");
}
