//! `list`: jobs, the newest first.

use std::{
    collections::{BTreeSet, HashMap},
    error::Error,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    process::ExitCode,
    thread,
    time::Duration,
};

use jiff::Timestamp as Instant;
use job_runner::{JobFilter, JobId, PageRequest, Parameters, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::{
    CommandResult, Global,
    job::{Job, State},
    pick::Pick,
    plain::one_line,
    source::{self, Source},
    table::{self, View},
    terminal::Terminal,
    words::thousands,
};

/// The default number of jobs in a list.
pub(super) const LIMIT: &str = "20";

/// How many of the newest jobs the short ids must differ from. A command refuses a short id that an older job
/// shares.
const CONSIDERED: usize = 10_000;

/// The number up to which further jobs are counted.
const MORE: u64 = 1_000;

/// The time between two lists of `--watch`.
const TICK: Duration = Duration::from_secs(1);

/// The selection of jobs to list.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) pick: Pick,
    pub(super) page: PageRequest,
    /// Whether to list again and again.
    pub(super) watch: bool,
}

pub(super) fn list(global: &Global, listing: &Listing) -> CommandResult {
    let mut told = Told::default();
    loop {
        let source = source::read(global)?;
        let look = Look::at(&*source, listing, global)?;
        let terminal = Terminal::look();
        let text =
            if global.json { told.json(&*source, &look, listing)? } else { told.people(&look, listing, terminal) };
        let mut out = BufWriter::new(io::stdout().lock());
        out.write_all(text.as_bytes())?;
        out.flush()?;
        if !listing.watch {
            return Ok(ExitCode::SUCCESS);
        }
        drop((out, source));
        thread::sleep(TICK);
    }
}

/// The jobs of one moment.
struct Look {
    jobs: Vec<Job>,
    /// The ids of the newest jobs of all.
    all: Vec<JobId>,
    /// The number of further jobs.
    more: u64,
    /// Whether the listing stopped before the last job, so that `more` is not the full number.
    is_cut: bool,
}

impl Look {
    fn at(source: &dyn Source, listing: &Listing, global: &Global) -> Result<Self, Box<dyn Error>> {
        let graph = global.graph.map(super::GraphName::as_str);
        let limit = usize::try_from(listing.page.limit())?;
        // Whole ids need no comparison with others.
        let considered = if global.json { 0 } else { CONSIDERED };
        let mut skip = listing.page.offset();
        let mut look = Self { jobs: Vec::new(), all: Vec::new(), more: 0, is_cut: false };
        source.each(&listing.pick.filter(graph), &mut |job| {
            if listing.pick.takes(&job) {
                match () {
                    () if skip > 0 => skip -= 1,
                    () if look.jobs.len() < limit => look.jobs.push(job),
                    () => look.more += 1,
                }
            }
            look.is_cut = look.jobs.len() >= limit && look.more >= MORE;
            if look.is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if considered > 0 {
            source.each(&JobFilter::default(), &mut |job| {
                look.all.push(job.id);
                let enough = look.all.len() >= considered;
                if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(look)
    }

    fn lines(&self, listing: &Listing, view: View) -> Vec<String> {
        if self.jobs.is_empty() {
            return vec![if self.all.is_empty() { "no jobs" } else { "no such jobs" }.to_owned()];
        }
        let mut lines = table::lines(&self.jobs, &self.all, view);
        let next = listing.page.offset() + self.jobs.len() as u64;
        match (self.more, self.is_cut) {
            (0, false) => {}
            (0, true) => lines.push(format!("--offset {next} goes on")),
            (more, false) => lines.push(format!("{} more: --offset {next} goes on", thousands(more))),
            (more, true) => lines.push(format!("at least {} more: --offset {next} goes on", thousands(more))),
        }
        lines
    }
}

/// The part of a job that changes only by an event.
type Seen = (JobId, State, u64, Option<u64>);

/// The last printed output, so that the same output is not printed again.
#[derive(Default)]
struct Told {
    lines: HashMap<JobId, String>,
    states: Option<Vec<Seen>>,
}

impl Told {
    /// The table. On a terminal it replaces the last one; elsewhere it follows if something has changed.
    fn people(&mut self, look: &Look, listing: &Listing, terminal: Terminal) -> String {
        let states = look.jobs.iter().map(|job| (job.id, job.state, job.rows, job.progress)).collect();
        let is_new = self.states.replace(states) != self.states;
        let lines = |end: &str| look.lines(listing, View::of(terminal)).join(end) + end;
        if listing.watch && terminal.is_seen {
            return format!("\u{1b}[H{}\u{1b}[J", lines("\u{1b}[K\n"));
        }
        if is_new { lines("\n") } else { String::new() }
    }

    /// The lines of jobs that have changed.
    fn json(&mut self, source: &dyn Source, look: &Look, listing: &Listing) -> Result<String, Box<dyn Error>> {
        let mut text = String::new();
        for job in &look.jobs {
            let line = line(job, source.parameters(job)?.as_ref())?;
            if !listing.watch || self.lines.get(&job.id) != Some(&line) {
                text.push_str(&line);
                self.lines.insert(job.id, line);
            }
        }
        Ok(text)
    }
}

/// A line of JSON.
pub(super) fn line(job: &Job, parameters: Option<&Parameters>) -> Result<String, serde_json::Error> {
    let json = match job.state {
        State::Unreadable => json!({ "jobId": job.id.to_string(), "unreadable": job.why }).to_string(),
        _ => serde_json::to_string(&Line::of(job, parameters))?,
    };
    // Parameters are as the client sent them, possibly over several lines.
    Ok(format!("{}\n", one_line(&json)))
}

/// A job as machines read it. Times are UTC in RFC 3339.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'j> {
    job_id: String,
    kind: &'j str,
    graph: &'j str,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'j str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    labels: &'j BTreeSet<String>,
    parameters: Option<&'j Parameters>,
    /// `waiting`, `running` or `complete`.
    status: &'static str,
    /// Of a complete job: `succeeded`, `failed` or `cancelled`.
    outcome: Option<&'static str>,
    attempt: u32,
    rows: u64,
    bytes: u64,
    submit_time: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    fail_reason: Option<&'j str>,
}

impl<'j> Line<'j> {
    fn of(job: &'j Job, parameters: Option<&'j Parameters>) -> Self {
        Self {
            job_id: job.id.to_string(),
            kind: &job.work,
            graph: &job.graph,
            owner: job.owner.as_deref(),
            labels: &job.labels,
            parameters,
            status: job.state.wire(),
            outcome: Some(job.state.as_str()).filter(|_| job.state.is_complete()),
            attempt: job.attempt,
            rows: job.rows,
            bytes: job.bytes,
            submit_time: job.submitted.and_then(utc),
            start_time: job.started.and_then(utc),
            end_time: job.finished.and_then(utc),
            fail_reason: job.why.as_deref(),
        }
    }
}

fn utc(time: Timestamp) -> Option<String> {
    let micros = i64::try_from(time.as_micros()).ok()?;
    Instant::from_microsecond(micros).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use job_runner::{JobRecord, JobSpec};

    use super::*;

    fn job() -> Job {
        let now = Timestamp::from_micros(1_700_000_000_500_000);
        let spec = JobSpec::algorithm("kcore")
            .with_graph("movies")
            .with_parameters(&serde_json::json!({"k": 3}))
            .unwrap();
        Job::from(&JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec, now))
    }

    #[test]
    fn a_line_has_every_field() {
        let job = job();
        assert_eq!(
            line(&job, job.parameters.as_ref()).unwrap(),
            concat!(
                r#"{"jobId":"018bcfe5-69f4-7000-8000-000000000000","kind":"kcore","graph":"movies","parameters":{"k":3},"#,
                r#""status":"waiting","outcome":null,"attempt":0,"rows":0,"bytes":0,"#,
                r#""submitTime":"2023-11-14T22:13:20.5Z","startTime":null,"endTime":null,"failReason":null}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_watched_is_told_anew_only_when_it_has_changed() {
        let listing = Listing { pick: Pick::default(), page: PageRequest::default(), watch: true };
        let look = |job: Job| Look { all: vec![job.id], jobs: vec![job], more: 0, is_cut: false };
        let (waiting, running) = (look(job()), look(Job { state: State::Running, ..job() }));
        let mut told = Told::default();
        let file = Terminal { width: 80, is_seen: false, colour: false };
        let mut lines = |look: &Look| told.people(look, &listing, file).lines().count();
        assert_eq!((lines(&waiting), lines(&waiting), lines(&running)), (2, 0, 2));
        let seen = Terminal { is_seen: true, ..file };
        let mut is_drawn = |look: &Look| told.people(look, &listing, seen).starts_with("\u{1b}[H");
        assert_eq!((is_drawn(&running), is_drawn(&running)), (true, true));
    }

    #[test]
    fn a_list_that_goes_on_says_where() {
        let page = PageRequest::new(5, 1).unwrap();
        let listing = Listing { pick: Pick::default(), page, watch: false };
        let look = Look { all: vec![job().id], jobs: vec![job()], more: 1_234, is_cut: false };
        let view = View { now: Timestamp::default(), width: 80, colour: false };
        assert_eq!(look.lines(&listing, view).last().unwrap(), "1,234 more: --offset 6 goes on");
        let none = Look { all: Vec::new(), jobs: Vec::new(), more: 0, is_cut: false };
        assert_eq!(none.lines(&listing, view), ["no jobs"]);
    }
}
