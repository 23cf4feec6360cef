//! Compiles the units, a few at a time.

use std::{
    fmt::Write,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{Outcome, process};

use super::{
    say,
    units::{Stage, Unit, estimate},
};

/// Called with the present step and, if they are known, the done part and the remaining time.
type Tell<'a> = &'a mut dyn FnMut(&str, Option<(f64, Duration)>);

/// A running compiler. Dropping the value ends the compiler.
struct Compiler {
    index: usize,
    child: Child,
    start: Instant,
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // The compiler may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The units of one library, and their progress.
pub(super) struct Compilation<'a> {
    /// Makes the compiler with its flags, in the directory of the source files.
    pub(super) compiler: &'a dyn Fn() -> Command,
    /// The directory for objects and logs.
    pub(super) tree: &'a Path,
    pub(super) jobs: usize,
    pub(super) units: Vec<Unit>,
    pub(super) stages: Vec<Stage>,
}

impl Compilation<'_> {
    /// Compiles all units and returns the objects. The error is the compiler's message about the failed file.
    pub(super) fn run(mut self, tell: Tell<'_>) -> Outcome<Vec<PathBuf>> {
        self.stages = vec![Stage::Waiting; self.units.len()];
        let mut running: Vec<Compiler> = Vec::new();
        loop {
            self.fill(&mut running)?;
            if running.is_empty() {
                return Ok((0..self.units.len()).filter_map(|index| self.object(index)).collect());
            }
            thread::sleep(Duration::from_millis(100));
            let mut still = Vec::new();
            for mut compiler in running {
                let status = compiler.child.try_wait()?;
                let took = compiler.start.elapsed();
                match status {
                    None => {
                        self.set(compiler.index, Stage::Running(took));
                        still.push(compiler);
                    }
                    Some(status) => self.ended(compiler.index, status.success(), took)?,
                }
            }
            running = still;
            self.show(tell);
        }
    }

    /// Starts compilers for waiting units, as many as may run.
    fn fill(&mut self, running: &mut Vec<Compiler>) -> Outcome {
        while running.len() < self.jobs {
            let Some(index) = self.stages.iter().position(|stage| *stage == Stage::Waiting) else { break };
            running.push(self.start(index)?);
            self.set(index, Stage::Running(Duration::ZERO));
        }
        Ok(())
    }

    fn start(&self, index: usize) -> Outcome<Compiler> {
        let mut command = (self.compiler)();
        let directory = command.get_current_dir().map(Path::to_owned).unwrap_or_default();
        let text = self.units.get(index).map(|unit| text(unit, &directory)).unwrap_or_default();
        let source = self.tree.join(format!("unit-{index}.cc"));
        fs::write(&source, text)?;
        command.arg("-c").arg(&source).arg("-o").arg(self.tree.join(format!("unit-{index}.o")));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(self.log(index))?);
        let child = command.spawn().map_err(|error| process::not_started(&command, &error))?;
        Ok(Compiler { index, child, start: Instant::now() })
    }

    /// Notes that a compiler ended. The files of a unit that failed are then compiled one at a time. Names that differ
    /// only by file, or too little memory, stop the unit but not its files.
    fn ended(&mut self, index: usize, succeeded: bool, took: Duration) -> Outcome {
        self.set(index, Stage::Done(took));
        let Some(unit) = self.units.get_mut(index).filter(|_| !succeeded) else { return Ok(()) };
        let log = fs::read_to_string(self.tree.join(format!("unit-{index}.log"))).unwrap_or_default();
        if let [file] = unit.files.as_slice() {
            return Err(format!("{}: {}", file.name, reason(&log)).into());
        }
        let files = unit.taken_apart();
        unit.files.clear();
        say(&format!("a unit of {} files does not compile ({}): one at a time", files.len(), reason(&log)));
        self.stages.extend(files.iter().map(|_| Stage::Waiting));
        self.units.extend(files);
        Ok(())
    }

    fn set(&mut self, index: usize, to: Stage) {
        if let Some(stage) = self.stages.get_mut(index) {
            *stage = to;
        }
    }

    fn log(&self, index: usize) -> PathBuf {
        self.tree.join(format!("unit-{index}.log"))
    }

    /// The object of a unit; `None` if the unit was split.
    fn object(&self, index: usize) -> Option<PathBuf> {
        let unit = self.units.get(index)?;
        (!unit.files.is_empty()).then(|| self.tree.join(format!("unit-{index}.o")))
    }

    fn show(&self, tell: Tell<'_>) {
        let weights: Vec<(u64, Stage)> =
            self.units.iter().map(Unit::weight).zip(self.stages.iter().copied()).collect();
        let done = self.stages.iter().filter(|stage| matches!(stage, Stage::Done(_))).count();
        let estimate = estimate(&weights, self.jobs).map(|estimate| (estimate.part, estimate.left));
        tell(&format!("{done} of {} units", self.units.len()), estimate);
    }
}

/// A source file that includes the files of a unit.
fn text(unit: &Unit, directory: &Path) -> String {
    unit.files.iter().fold(String::new(), |mut text, file| {
        let _ = writeln!(text, "#include \"{}\"", directory.join(&file.name).display());
        text
    })
}

/// The most useful line of a compiler's output.
fn reason(log: &str) -> String {
    let fatal = log.lines().find(|line| line.contains("error: ") || line.contains("error:"));
    fatal.or_else(|| log.lines().last()).unwrap_or("the compiler said nothing").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::rocksdb::units::Source;

    /// A directory of C++ files and one for objects.
    struct Fixture {
        sources: tempfile::TempDir,
        tree: tempfile::TempDir,
    }

    impl Fixture {
        fn of(files: &[(&str, &str)]) -> Self {
            let fixture = Self { sources: tempfile::tempdir().unwrap(), tree: tempfile::tempdir().unwrap() };
            for (name, text) in files {
                fs::write(fixture.sources.path().join(name), text).unwrap();
            }
            fixture
        }

        fn compile(&self, units: &[&[&str]]) -> Outcome<Vec<PathBuf>> {
            let file = |name: &&str| Source { name: (*name).to_owned(), bytes: 1 };
            let units = units.iter().map(|unit| Unit { files: unit.iter().map(file).collect() }).collect();
            let compiler = || {
                let mut command = Command::new("c++");
                command.current_dir(self.sources.path());
                command
            };
            let compilation =
                Compilation { compiler: &compiler, tree: self.tree.path(), jobs: 2, units, stages: vec![] };
            compilation.run(&mut |_, _| ())
        }
    }

    #[test]
    fn a_unit_that_does_not_compile_is_compiled_one_file_at_a_time() {
        let clash = "static int same() { return 1; } int NAME() { return same(); }";
        let files = ["one", "two", "three"].map(|name| (format!("{name}.cc"), clash.replace("NAME", name)));
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let fixture = Fixture::of(&files);
        let objects = fixture.compile(&[&["one.cc", "two.cc"], &["three.cc"]]).unwrap();
        assert_eq!(objects.len(), 3);
        assert!(objects.iter().all(|object| object.exists()), "{objects:?}");
    }

    #[test]
    fn a_file_that_does_not_compile_is_named_with_the_compilers_words() {
        let fixture = Fixture::of(&[("fine.cc", "int fine;"), ("wrong.cc", "#include \"nowhere.h\"\n")]);
        let error = fixture.compile(&[&["fine.cc", "wrong.cc"]]).unwrap_err().to_string();
        assert!(error.starts_with("wrong.cc: ") && error.contains("nowhere.h"), "{error}");
    }

    #[test]
    fn the_error_stands_for_the_log() {
        let log = "In file included from a.cc\nx.cc:1:10: fatal error: y.h: No such file\ncompilation terminated.";
        assert_eq!(reason(log), "x.cc:1:10: fatal error: y.h: No such file");
        assert_eq!(reason("Killed\n"), "Killed");
    }
}
