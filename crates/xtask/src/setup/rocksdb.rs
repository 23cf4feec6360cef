//! RocksDB as a static library in the cache: built once, then linked by every clone and every target directory.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::SystemTime,
};

use serde_json::Value;

use crate::{Outcome, process, workspace::Workspace};

use super::{debian, progress, say};

const PACKAGE: &str = "librocksdb-sys";
const FILE: &str = "librocksdb.a";
/// Measured: the files take a core eight seconds each, and there are some 340.
const CORE_MINUTES: usize = 48;

#[derive(Debug)]
pub(super) struct Library {
    /// Named after all that makes two builds differ.
    pub(super) directory: PathBuf,
    /// How many files of C++ it is compiled from.
    sources: usize,
}

impl Library {
    /// The library that this workspace's lock file and features ask for.
    pub(super) fn of(workspace: &Workspace) -> Outcome<Self> {
        let metadata = workspace.metadata()?;
        let packages = metadata.packages();
        let package = packages.into_iter().find(|package| package.name() == PACKAGE);
        let package = package.ok_or("no package of the workspace depends on RocksDB")?;
        let config = fs::read_to_string(workspace.root.join(".cargo/config.toml")).unwrap_or_default();
        let name = directory_name(package.version(), &metadata.features(package.id()), &processor(&config));
        let list = package.directory().join("rocksdb_lib_sources.txt");
        let sources = fs::read_to_string(list).map_or(0, |list| list.lines().count());
        Ok(Self { directory: workspace.cache.join(name), sources })
    }

    pub(super) fn is_built(&self) -> bool {
        self.directory.join(FILE).exists()
    }

    /// Builds the library, or waits for the process that does.
    pub(super) fn build(&self, workspace: &Workspace) -> Outcome {
        fs::create_dir_all(&workspace.cache)?;
        let path = workspace.cache.join("rocksdb.lock");
        // Held until this process ends, however it ends. Its time is when the build began.
        let lock = File::options().create(true).truncate(false).write(true).open(path)?;
        let tree = workspace.cache.join("build");
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say("waiting for RocksDB, which another process is building");
                let start = lock.metadata()?.modified()?;
                progress::during("RocksDB", self.sources, || objects(&tree, start), || lock.lock())?;
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if self.is_built() {
            return Ok(());
        }
        let start = SystemTime::now();
        lock.set_modified(start)?;
        self.announce();
        let made =
            progress::during("RocksDB", self.sources, || objects(&tree, start), || compile(workspace, &tree))?;
        self.keep(&made)?;
        // Only space: the next build begins with a tree of its own whether or not this one is gone.
        let _ = fs::remove_dir_all(&tree);
        Ok(())
    }

    fn announce(&self) {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let minutes = CORE_MINUTES.div_ceil(cores);
        let directory = self.directory.display();
        say(&format!(
            "building RocksDB, once for this machine: about {minutes} minutes on {cores} cores; kept in {directory}"
        ));
    }

    /// Moves the library to its place in one step, so that nobody links half of it.
    fn keep(&self, made: &Path) -> Outcome {
        fs::create_dir_all(&self.directory)?;
        let draft = self.directory.join(format!("{FILE}.draft"));
        fs::copy(made, &draft)?;
        Ok(fs::rename(draft, self.directory.join(FILE))?)
    }
}

/// What links RocksDB, and builds it: a C++ compiler with its standard library.
pub(super) fn compiler() -> Outcome {
    let there = || process::output(Command::new("c++").arg("--version")).is_ok();
    if env::var_os("CXX").is_some() || there() {
        return Ok(());
    }
    if debian::is_root() {
        say("installing the C++ compiler of Debian, g++");
        debian::install(&["g++".to_owned()])?;
    }
    if there() {
        Ok(())
    } else {
        Err("there is no C++ compiler, which RocksDB needs: install Debian's g++, or set CXX".into())
    }
}

/// Builds the one package, and returns the library it made. Cargo's own words go to a log.
fn compile(workspace: &Workspace, tree: &Path) -> Outcome<PathBuf> {
    let log = workspace.cache.join("rocksdb-build.log");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--package", PACKAGE, "--message-format=json", "--target-dir"]).arg(tree);
    // The flags are those of the workspace, and a library that is already there is no reason to build none.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "ROCKSDB_LIB_DIR", "ROCKSDB_STATIC"] {
        cargo.env_remove(variable);
    }
    let mut child = cargo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?).spawn()?;
    let messages =
        child.stdout.take().into_iter().flat_map(|pipe| BufReader::new(pipe).lines()).map_while(Result::ok);
    let made = messages.filter_map(|message| output_directory(&message)).last();
    let library = made.map(|directory| directory.join(FILE)).filter(|library| library.exists());
    match library {
        Some(library) if child.wait()?.success() => Ok(library),
        _ => {
            let reason = reason(&fs::read_to_string(&log).unwrap_or_default());
            Err(format!(
                "RocksDB was not built ({reason}): mend that and run the command again; all of it is in {}",
                log.display()
            )
            .into())
        }
    }
}

/// Where the build script of RocksDB put its library, if cargo's message tells that.
fn output_directory(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let field = |name| message.get(name).and_then(Value::as_str);
    let is_it = field("reason")? == "build-script-executed" && field("package_id")?.contains(PACKAGE);
    field("out_dir").filter(|_| is_it).map(PathBuf::from)
}

/// The line of a build log that says most.
fn reason(log: &str) -> String {
    let fatal = log.lines().find(|line| line.contains("fatal error:") || line.contains(" error: "));
    let line =
        fatal.or_else(|| log.lines().rev().find(|line| line.starts_with("error"))).or_else(|| log.lines().last());
    line.unwrap_or("cargo said nothing").trim().to_owned()
}

/// How many files this build has compiled. An earlier one that was cut short may have left some of its own.
fn objects(tree: &Path, since: SystemTime) -> usize {
    let builds = fs::read_dir(tree.join("release/build")).into_iter().flatten().flatten();
    let ours = builds.filter(|entry| entry.file_name().to_string_lossy().starts_with(PACKAGE));
    let files = ours.flat_map(|entry| fs::read_dir(entry.path().join("out")).into_iter().flatten().flatten());
    let objects = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "o"));
    objects.filter(|file| file.metadata().and_then(|data| data.modified()).is_ok_and(|time| time >= since)).count()
}

fn directory_name(version: &str, features: &[&str], processor: &str) -> String {
    // These change how the library is bound, not what is in it.
    let binding = |feature: &&&str| {
        !["default", "static", "bindgen-runtime"].contains(*feature) && !feature.ends_with("-sys")
    };
    let mut parts: Vec<&str> = features.iter().filter(binding).copied().collect();
    parts.sort_unstable();
    format!(
        "rocksdb-{version}-{}-{processor}",
        if parts.is_empty() { "plain".to_owned() } else { parts.join("-") }
    )
}

/// The processor that the workspace's flags build for.
fn processor(config: &str) -> String {
    let flag = config.split_once("target-cpu=").map(|(_, rest)| rest);
    let chosen =
        flag.and_then(|rest| rest.split(['"', ' ', ',']).next()).filter(|_| env::consts::ARCH == "x86_64");
    chosen.unwrap_or(env::consts::ARCH).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_names_what_makes_two_libraries_differ() {
        let features = ["static", "lz4-sys", "zstd", "lz4", "bindgen-runtime"];
        assert_eq!(
            directory_name("0.19.0+11.8.1", &features, "x86-64-v2"),
            "rocksdb-0.19.0+11.8.1-lz4-zstd-x86-64-v2"
        );
        assert_eq!(directory_name("1.0.0", &[], "aarch64"), "rocksdb-1.0.0-plain-aarch64");
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_processor_is_the_one_of_the_workspace() {
        assert_eq!(processor("rustflags = [\"-Ctarget-cpu=x86-64-v2\"]"), "x86-64-v2");
        assert_eq!(processor(""), "x86_64");
    }

    #[test]
    fn cargo_tells_where_the_library_is() {
        let ours =
            r#"{"reason":"build-script-executed","package_id":"r#librocksdb-sys@0.19.0","out_dir":"/t/out"}"#;
        let other = r#"{"reason":"build-script-executed","package_id":"r#lz4-sys@1.11.1","out_dir":"/t/out"}"#;
        assert_eq!(output_directory(ours), Some("/t/out".into()));
        assert_eq!(output_directory(other), None);
        assert_eq!(output_directory("no JSON"), None);
    }

    #[test]
    fn a_log_is_told_in_one_line() {
        let log = "Compiling a\nx.cc:1:10: fatal error: y.h: No such file\nerror: build failed\n";
        assert_eq!(reason(log), "x.cc:1:10: fatal error: y.h: No such file");
        assert_eq!(reason("error: first\nerror: last\nmore\n"), "error: last");
    }

    #[test]
    fn objects_of_an_earlier_build_are_not_counted() {
        let tree = tempfile::tempdir().unwrap();
        let out = tree.path().join("release/build/librocksdb-sys-1a/out");
        fs::create_dir_all(&out).unwrap();
        for name in ["a.o", "b.o", "librocksdb.a"] {
            fs::write(out.join(name), "").unwrap();
        }
        let times = fs::metadata(out.join("b.o")).unwrap().modified().unwrap();
        let old = File::options().write(true).open(out.join("a.o")).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(objects(tree.path(), times), 1);
        assert_eq!(objects(tree.path(), SystemTime::UNIX_EPOCH), 2);
    }
}
