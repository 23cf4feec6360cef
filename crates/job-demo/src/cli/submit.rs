//! `submit` and `retry`: store a job, and wait for its end if asked to.

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use clap::Args;
use job_demo::{actions::Action, algorithms::Algorithm};
use job_runner::{
    EngineError, JobId, JobKind, JobSpec,
    job_core::{shown, strict},
};

use super::{
    CommandResult, Global,
    exit::{Exit, Mistake},
    ids,
    job::{Job, State},
    list, progress,
    source::{self, Changes},
    words::{thousands, took},
};

pub(super) fn submit(global: &Global, work: &str, parameters: String, marks: Marks, wait: bool) -> CommandResult {
    let parameters = strict::object("--parameters", parameters)?;
    known(work)?;
    let spec = marks.put_on(spec(work).with_graph(global.graph().as_str()).with_raw_parameters(parameters));
    let jobs = open(global, wait)?;
    acknowledge(global, &*jobs, jobs.submit(spec)?, wait)
}

/// The fields by which lists are filtered.
#[derive(Debug, Default, Args)]
pub(super) struct Marks {
    /// For whom the job runs
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// A label to find it by; may be repeated, or several with commas
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    label: Vec<String>,
}

impl Marks {
    fn put_on(self, mut spec: JobSpec) -> JobSpec {
        if let Some(owner) = self.owner {
            spec = spec.owner(owner);
        }
        self.label.into_iter().fold(spec, JobSpec::label)
    }
}

/// The same request as a new job.
pub(super) fn retry(global: &Global, id: &str, wait: bool) -> CommandResult {
    let jobs = open(global, wait)?;
    let id = ids::resolve(&*jobs, id)?;
    let job = jobs.job(id)?.ok_or(EngineError::UnknownJob(id))?;
    let parameters = jobs.parameters(&job)?.ok_or(EngineError::UnknownJob(id))?;
    let marks = Marks { owner: job.owner, label: job.labels.into_iter().collect() };
    let spec = marks.put_on(spec(&job.work).with_graph(job.graph).with_raw_parameters(parameters));
    acknowledge(global, &*jobs, jobs.submit(spec)?, wait)
}

fn open(global: &Global, wait: bool) -> Result<Box<dyn Changes>, Box<dyn Error>> {
    if wait { source::run(global) } else { source::write(global) }
}

fn acknowledge(global: &Global, jobs: &dyn Changes, id: JobId, wait: bool) -> CommandResult {
    match (wait, global.json) {
        (false, true) => writeln!(io::stdout().lock(), r#"{{"jobId":"{id}"}}"#)?,
        (_, false) => writeln!(io::stdout().lock(), "{id}")?,
        // The line about the end has the id.
        (true, true) => {}
    }
    if !wait {
        return Ok(ExitCode::SUCCESS);
    }
    let job = progress::wait_for(jobs, id)?;
    if global.json {
        let line = list::line(&job, jobs.parameters(&job)?.as_ref())?;
        io::stdout().lock().write_all(line.as_bytes())?;
        return Ok(if job.state == State::Succeeded { ExitCode::SUCCESS } else { Exit::JobFailed.into() });
    }
    if job.state != State::Succeeded {
        return Err(Mistake::new(Exit::JobFailed, ending(&job)).into());
    }
    writeln!(io::stdout().lock(), "{}", ending(&job))?;
    Ok(ExitCode::SUCCESS)
}

/// The line about the end of the job.
fn ending(job: &Job) -> String {
    let why = job.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let rows = match job.rows {
        0 => String::new(),
        rows => format!(", {} rows", thousands(rows)),
    };
    let time = job.started.zip(job.finished).map(|(start, end)| format!(" after {}", took(end.since(start))));
    format!("job {} {}{}{rows}{why}", job.id, job.state, time.unwrap_or_default())
}

/// Refuses an unknown name before a store or a server is asked.
fn known(work: &str) -> Result<(), Mistake> {
    let is_known = match JobKind::named(work) {
        JobKind::VertexFilter | JobKind::EdgeFilter => true,
        JobKind::Algorithm(name) => Algorithm::find(&name).is_some(),
        JobKind::Action(name) => Action::find(&name).is_some(),
    };
    if is_known {
        return Ok(());
    }
    let names = Algorithm::ALL.map(|algorithm| algorithm.name()).join(", ");
    let work = shown(work);
    let actions = Action::ALL.map(|action| format!("action:{}", action.name())).join(", ");
    let message =
        format!("work {work:?} is unknown: it must be vertex_filter, edge_filter or one of {names}, {actions}");
    Err(Mistake::new(Exit::Usage, message))
}

fn spec(work: &str) -> JobSpec {
    JobSpec::new(JobKind::named(work))
}
