//! RocksDB as a static library in the cache: built once, then linked by every clone and every target directory.

mod compile;
mod edition;
mod recipe;
mod units;

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{Seek, Write},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{Outcome, process, workspace::Workspace};

use super::{
    debian, disk,
    progress::{Progress, minutes},
    say,
};
use compile::Compilation;
use recipe::Recipe;
use units::{Machine, Source};

const FILE: &str = "librocksdb.a";
/// Measured: objects, the library and its copy take 100 MB.
const MEGABYTES: u64 = 200;

#[derive(Debug)]
pub(super) struct Library {
    recipe: Recipe,
    /// The directory of the library. Its name has all values that make two builds differ.
    pub(super) directory: PathBuf,
}

impl Library {
    /// The library that the lock file and the features of the workspace in `directory` ask for.
    pub(super) fn of(workspace: &Workspace, directory: &Path) -> Outcome<Self> {
        let recipe = Recipe::of(workspace, directory)?;
        Ok(Self { directory: workspace.cache.join(recipe.name()), recipe })
    }

    pub(super) fn is_built(&self) -> bool {
        self.directory.join(FILE).exists()
    }

    /// Builds the library, or waits for the process that does.
    pub(super) fn build(&self, workspace: &Workspace) -> Outcome {
        fs::create_dir_all(&workspace.cache)
            .map_err(|error| format!("{} cannot be made: {error}", workspace.cache.display()))?;
        let mut lock = lock(&workspace.cache.join("rocksdb.lock"))?;
        if self.is_built() {
            return Ok(());
        }
        disk::has_room(&workspace.cache, MEGABYTES, "RocksDB", "JOB_ENGINE_CACHE")?;
        let tree = workspace.cache.join("build");
        // Removes the tree of an interrupted build.
        let _ = fs::remove_dir_all(&tree);
        fs::create_dir_all(&tree)?;
        self.tell_of_others(workspace);
        let made = self.compile(workspace, &tree, &mut lock).map_err(|error| {
            format!(
                "RocksDB was not built ({error}): mend that and run the command again; what the compiler said is in {}",
                tree.display()
            )
        })?;
        self.keep(&made)?;
        // An error costs only space, since each build begins with a tree of its own.
        let _ = fs::remove_dir_all(&tree);
        Ok(())
    }

    /// Compiles all files. Returns the library.
    fn compile(&self, workspace: &Workspace, tree: &Path, lock: &mut File) -> Outcome<PathBuf> {
        let start = Instant::now();
        let build = self.recipe.compiler(workspace, tree)?;
        let compiler = build.try_get_compiler()?;
        let compiler = || {
            let mut command = compiler.to_command();
            command.current_dir(&self.recipe.directory);
            command
        };
        let machine = Machine::this();
        let units = units::plan(self.sources()?, machine);
        let (files, jobs) = (units.iter().map(|unit| unit.files.len()).sum::<usize>(), machine.jobs());
        say(&format!(
            "building RocksDB {}, once for this machine: {files} files in {} units, {jobs} at a time on {} cores; kept in {}",
            self.recipe.version,
            units.len(),
            machine.cores,
            self.directory.display()
        ));
        let compilation = Compilation { compiler: &compiler, tree, jobs, units, stages: Vec::new() };
        let mut progress = Progress::new("RocksDB");
        let objects = compilation.run(&mut |done, estimate| {
            progress.show(done, estimate);
            note(lock, done);
        })?;
        drop(progress);
        let library = tree.join(FILE);
        process::output(build.try_get_archiver()?.arg("crs").arg(&library).args(objects))?;
        say(&format!("RocksDB is built, in {}", minutes(start.elapsed())));
        Ok(library)
    }

    fn sources(&self) -> Outcome<Vec<Source>> {
        let size = |name: String| {
            let file = self.recipe.directory.join(&name);
            let bytes = file.metadata().map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
            Ok(Source { name, bytes: bytes.len() })
        };
        self.recipe.files()?.into_iter().map(size).collect()
    }

    /// Names libraries of other versions, codecs or set-ups, which this clone does not link.
    fn tell_of_others(&self, workspace: &Workspace) {
        let others = others(&workspace.cache, &self.directory);
        if others.is_empty() {
            return;
        }
        // A workspace whose packages are not downloaded links none yet.
        let linked = workspace.linked().map(|directory| Self::of(workspace, &directory));
        let linked: Vec<_> = linked.into_iter().flatten().map(|library| library.directory).collect();
        for other in others.iter().filter(|other| !linked.contains(other)) {
            say(&format!(
                "{} holds another RocksDB, which this clone does not link: delete it when no other clone needs it",
                other.display()
            ));
        }
    }

    /// Moves the library to its place in one step, so that no build links a part of it.
    fn keep(&self, made: &Path) -> Outcome {
        fs::create_dir_all(&self.directory)?;
        let draft = self.directory.join(format!("{FILE}.draft"));
        fs::copy(made, &draft)?;
        Ok(fs::rename(draft, self.directory.join(FILE))?)
    }
}

/// Takes the lock. Waits for a process that builds, if there is one. The lock is held until this process ends.
fn lock(path: &Path) -> Outcome<File> {
    let lock = File::options().create(true).truncate(false).read(true).write(true).open(path)?;
    let mut progress = None;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => {
                let progress = progress.get_or_insert_with(|| {
                    say("waiting for RocksDB, which another process is building");
                    Progress::new("RocksDB, elsewhere")
                });
                progress.show(&fs::read_to_string(path).unwrap_or_default(), None);
                thread::sleep(Duration::from_secs(1));
            }
            Err(TryLockError::Error(error)) => {
                return Err(format!("{} cannot be locked: {error}", path.display()).into());
            }
        }
    }
}

/// Writes the progress of the build into the lock file, for processes that wait. An error does no harm.
fn note(lock: &mut File, done: &str) {
    let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(done.as_bytes()));
}

/// Directories of other libraries in the cache.
fn others(cache: &Path, ours: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut libraries: Vec<_> = entries.filter(|path| path != ours && path.join(FILE).exists()).collect();
    libraries.sort();
    libraries
}

/// The programs that build and link RocksDB: a C++ compiler with its standard library.
pub(super) fn compiler() -> Outcome {
    let there = || process::output(Command::new("c++").arg("--version")).is_ok();
    if env::var_os("CXX").is_some() || there() {
        return Ok(());
    }
    let reason = if debian::is_root() {
        say("installing the C++ compiler of Debian, g++");
        debian::install(&["g++".to_owned()]).err().map(|error| error.to_string())
    } else {
        Some("only root can install it".to_owned())
    };
    if there() {
        return Ok(());
    }
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    Err(format!(
        "there is no C++ compiler, which RocksDB needs{reason}: install Debian's g++ (`sudo apt-get install g++`), or name another in CXX"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_of_other_set_ups_are_found_and_left_alone() {
        let cache = tempfile::tempdir().unwrap();
        for name in ["rocksdb-1-lz4", "rocksdb-1-lz4-zstd", "rocksdb-half-built"] {
            fs::create_dir(cache.path().join(name)).unwrap();
        }
        for name in ["rocksdb-1-lz4", "rocksdb-1-lz4-zstd"] {
            fs::write(cache.path().join(name).join(FILE), "").unwrap();
        }
        let found = others(cache.path(), &cache.path().join("rocksdb-1-lz4-zstd"));
        assert_eq!(found, [cache.path().join("rocksdb-1-lz4")]);
        assert!(found[0].join(FILE).exists());
    }

    #[test]
    fn those_that_wait_read_how_far_the_build_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rocksdb.lock");
        let mut lock = lock(&path).unwrap();
        note(&mut lock, "10 of 12 units");
        note(&mut lock, "9 of 9 units");
        assert_eq!(fs::read_to_string(&path).unwrap(), "9 of 9 units");
    }
}
