//! `run`: finishes unfinished jobs, runs one job of every kind, and shows pages of the results.

use std::{
    collections::BTreeSet,
    error::Error,
    io::{self, BufWriter, Write},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use job_demo::graphs::Graphs;
use job_runner::{Engine, JobHandle, JobRecord, JobState, Outcome};

use super::{
    CommandResult, Global,
    exit::Exit,
    job::Job as Shown,
    list, pages,
    plain::plain,
    progress, requests, server, store,
    table::{self, View},
    terminal::Terminal,
    words::thousands,
};

/// How many jobs run at once in a command that runs jobs.
pub(super) const WORKERS: usize = 2;

pub(super) fn run(global: &Global, pending: bool) -> CommandResult {
    let graphs = Arc::new(global.graphs());
    server::none(global, "run")?;
    let store = store::write(global)?;
    // An unreadable record is left to a version that can read it.
    let left = store.store().unfinished_entries()?.into_iter().filter_map(|entry| entry.record.ok());
    let left: Vec<JobRecord> = left.collect();
    load(global, &graphs, &left, pending)?;
    let engine =
        store.engine(&store::Work { graphs: &graphs, workers: WORKERS, exports: None, lenient: false })?;
    let mut jobs = Vec::new();
    for record in left {
        let handle = engine.job(record.id)?;
        jobs.extend(handle.map(|handle| Job { work: record.spec.kind().to_string(), handle }));
    }
    announce(global, jobs.len())?;
    if !pending {
        for spec in requests::of_everything(global.graph())? {
            let work = spec.kind().to_string();
            jobs.push(Job { work, handle: engine.submit(spec)? });
        }
    }
    let records = finish(global, &jobs)?;
    report(global, &engine, &records, pending)?;
    let bad = records.iter().any(|record| record.state == JobState::Complete(Outcome::Failed));
    Ok(if bad { Exit::JobFailed.into() } else { ExitCode::SUCCESS })
}

/// An awaited job.
pub(super) struct Job {
    /// The kind of work, for people.
    pub(super) work: String,
    pub(super) handle: JobHandle,
}

/// Loads graphs before a worker needs them, so that no job counts the loading as its own time. A graph of an
/// earlier process's jobs may be missing. These jobs then fail with the reason.
fn load(global: &Global, graphs: &Graphs, left: &[JobRecord], pending: bool) -> Result<(), Box<dyn Error>> {
    let own = Some(global.graph().as_str()).filter(|_| !pending);
    let names: BTreeSet<&str> = left.iter().map(|record| record.spec.graph()).chain(own).collect();
    for name in names {
        let start = Instant::now();
        let loaded = if own == Some(name) { global.load(graphs) } else { graphs.get(name) };
        match loaded {
            Ok(graph) if !global.json => {
                let [vertices, edges] =
                    [graph.vertices().len(), graph.edges().len()].map(|count| thousands(count as u64));
                let seconds = start.elapsed().as_secs_f64();
                writeln!(
                    io::stdout().lock(),
                    "{}: {vertices} vertices, {edges} edges, loaded in {seconds:.2} s",
                    plain(name)
                )?;
            }
            Err(error) if own == Some(name) => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

fn announce(global: &Global, left: usize) -> io::Result<()> {
    if global.json || left == 0 {
        return Ok(());
    }
    let jobs = if left == 1 { "1 unfinished job".to_owned() } else { format!("{left} unfinished jobs") };
    writeln!(io::stdout().lock(), "{jobs} of an earlier process: taken up again")
}

fn finish(global: &Global, jobs: &[Job]) -> Result<Vec<JobRecord>, Box<dyn Error>> {
    if global.json { jobs.iter().map(|job| Ok(job.handle.wait()?)).collect() } else { progress::wait(jobs) }
}

fn report(global: &Global, engine: &Engine, records: &[JobRecord], pending: bool) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(io::stdout().lock());
    let jobs: Vec<Shown> = records.iter().map(Shown::from).collect();
    if global.json {
        for job in &jobs {
            out.write_all(list::line(job, job.parameters.as_ref())?.as_bytes())?;
        }
    } else if records.is_empty() {
        writeln!(out, "nothing to do")?;
    } else {
        writeln!(out)?;
        for line in table::lines(&jobs, &[], View::of(Terminal::look())) {
            writeln!(out, "{line}")?;
        }
        if !pending {
            pages::write(&mut out, global, &engine.reader(), records)?;
            pages::what_next(&mut out, global, records)?;
        }
    }
    Ok(out.flush()?)
}
