//! The events that each host of this workspace goes through. There is a filter, an algorithm, a process that is killed in
//! the middle of it, and the next one.
//!
//! A host calls [`main`] with what opens its engine. The program then takes a directory, and one is made for the run where
//! none is named.

use std::{
    env,
    error::Error,
    fmt::Display,
    io::{BufRead, BufReader, Write, stdout},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use job_runner::{Engine, JobHandle, JobId, JobSpec, PageRequest};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The step before which a process waits for its death.
pub const HELD: u64 = 3;

/// The second argument of a process that is to be killed.
const HOLD: &str = "hold";

/// A graph engine with jobs.
pub struct Host {
    /// Opens the graph and the engine of jobs in a directory. The engine has a vertex filter and the algorithm. The algorithm
    /// waits for ever before that step, if one is named, as [`hold`] does.
    pub open: fn(&Path, Option<u64>) -> Outcome<Engine>,
    /// The algorithm. It saves its state after each step, and its output `begun_at` is the first step of its last attempt.
    pub algorithm: &'static str,
}

/// Runs the program with the arguments of the process.
///
/// # Errors
/// When a job does not end as it should.
pub fn main(host: &Host) -> Outcome {
    let mut arguments = env::args_os().skip(1);
    let made = tempfile::tempdir()?;
    let directory = arguments.next().map_or_else(|| made.path().join("graph"), PathBuf::from);
    if arguments.next().is_some_and(|argument| argument == HOLD) {
        let engine = (host.open)(&directory, Some(HELD))?;
        let job = engine.submit(JobSpec::algorithm(host.algorithm).with_graph("people"))?;
        println!("{}", job.id());
        return Err(format!("{:?} in a process that is to be killed before", job.wait()?.state).into());
    }
    let whole = undisturbed(host, &directory)?;
    let killed = killed_in_the_middle(&directory)?;
    resumed(host, &directory, killed, &whole)
}

/// A filter and a page of it, and the algorithm from its beginning to its end. Returns the rows of the algorithm.
fn undisturbed(host: &Host, directory: &Path) -> Outcome<Vec<u8>> {
    let engine = (host.open)(directory, None)?;
    let filter = engine.submit(JobSpec::vertex_filter().with_graph("people"))?;
    let found = filter.wait()?;
    expect("state of the filter", found.state, "succeeded")?;
    println!("the filter found {} vertices, of them:", found.size.rows);
    filter.status(PageRequest::new(found.size.rows / 2, 2)?)?.write_to(&mut stdout())?;
    println!();
    let job = engine.submit(JobSpec::algorithm(host.algorithm).with_graph("people"))?;
    expect("state of the algorithm", job.wait()?.state, "succeeded")?;
    let rows = rows(&job)?;
    println!("{} left {} bytes of rows, undisturbed", host.algorithm, rows.len());
    Ok(rows)
}

/// A second process begins the algorithm, and is killed after some steps. Returns its job.
fn killed_in_the_middle(directory: &Path) -> Outcome<JobId> {
    let mut process = Command::new(env::current_exe()?);
    let mut process = process.arg(directory).arg(HOLD).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(process.stdout.take().ok_or("the second process has no output")?).lines();
    // The id of the job, and the line of `hold`. A process that has failed ends before.
    let told: Result<Vec<String>, _> = lines.by_ref().take(2).collect();
    // SIGKILL on Unix: no destructor runs, and no buffer of the process is written.
    process.kill()?;
    let ended = process.wait()?;
    let mut told = told?;
    told.sort_by_key(|line| line.starts_with(HOLDS));
    let [id, _] = told.as_slice() else {
        return Err(format!("the second process ended by itself ({ended})").into());
    };
    println!("killed a process before step {HELD} of job {id}: {ended}");
    Ok(id.parse()?)
}

/// The job of the killed process goes on from its last checkpoint, and its rows are those of the undisturbed one.
fn resumed(host: &Host, directory: &Path, job: JobId, whole: &[u8]) -> Outcome {
    let engine = (host.open)(directory, None)?;
    let job = engine.job(job)?.ok_or("the job of the killed process is gone")?;
    let record = job.wait()?;
    expect("state of the job", record.state, "succeeded")?;
    expect("attempt", record.attempt, "2")?;
    let result = engine.reader().result(job.id())?.ok_or("the job has no result")?;
    let begun = result.outputs.iter().find(|(name, _)| *name == "begun_at");
    let (_, begun) = begun.ok_or("the algorithm does not say where it began")?;
    expect("first step of the second attempt", begun, &HELD.to_string())?;
    if rows(&job)? != whole {
        return Err("the rows differ from those of the undisturbed algorithm".into());
    }
    println!("its second attempt went on from step {HELD}, and left the same rows");
    Ok(())
}

/// All rows, page by page.
fn rows(job: &JobHandle) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let total = job.record().size.rows;
    let page = 1_000_u32;
    for first in (0..total).step_by(page as usize) {
        job.page(PageRequest::new(first, page)?)?.write_to(&mut bytes)?;
    }
    Ok(bytes)
}

fn expect(what: &str, found: impl Display, expected: &str) -> Outcome {
    let found = found.to_string();
    if found == expected { Ok(()) } else { Err(format!("{what}: {found}, and not {expected}").into()) }
}

/// The beginning of the line of a process that waits.
const HOLDS: &str = "holds";

/// Waits for the death of the process, before this step if it is named.
pub fn hold(step: u64, named: Option<u64>) {
    if named == Some(step) {
        let mut out = stdout();
        // If no process reads the line, none kills this one, and it goes on waiting.
        let _ = writeln!(out, "{HOLDS} before step {step}").and_then(|()| out.flush());
        loop {
            thread::park();
        }
    }
}
