//! Jobs as a table.

use job_runner::{Clock, SystemClock, Timestamp};

use super::{
    columns::{self, Column, cut},
    ids,
    job::{Job, State},
    plain::plain,
    terminal::Terminal,
    words::{ago, count, took},
};

const COLUMNS: [Column; 7] = [
    Column { head: "JOB", right: false, cut: false },
    Column { head: "WORK", right: false, cut: true },
    Column { head: "GRAPH", right: false, cut: true },
    Column { head: "STATE", right: false, cut: false },
    Column { head: "SUBMITTED", right: false, cut: false },
    Column { head: "ROWS", right: true, cut: false },
    Column { head: "TOOK", right: true, cut: false },
];

/// How a table is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) now: Timestamp,
    /// The most columns of a line.
    pub(super) width: usize,
    /// Whether states have colours.
    pub(super) colour: bool,
}

impl View {
    /// The present view on standard output.
    pub(super) fn of(terminal: Terminal) -> Self {
        Self { now: SystemClock.now(), width: terminal.width, colour: terminal.colour }
    }
}

/// A head line and one line for each job, with the reason below a failed job. `all` are the ids that the short ids
/// must differ from.
pub(super) fn lines(jobs: &[Job], all: &[job_runner::JobId], view: View) -> Vec<String> {
    let shown: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let rows: Vec<_> =
        jobs.iter().zip(ids::short(&shown, all)).map(|(job, id)| cells(job, id, view.now)).collect();
    let mut laid_out = columns::lay_out(&COLUMNS, &rows, view.width).into_iter();
    let mut lines: Vec<String> = laid_out.next().iter().map(columns::join).collect();
    for (job, mut cells) in jobs.iter().zip(laid_out) {
        let [_, _, _, state, ..] = &mut cells;
        if view.colour {
            *state = job.state.paint(state);
        }
        lines.push(columns::join(&cells));
        if let Some(why) = &job.why {
            lines.push(cut(&format!("  {}", plain(why)), view.width));
        }
    }
    lines
}

fn cells(job: &Job, id: String, now: Timestamp) -> [String; 7] {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let name = |name: &str| or_nothing(Some(plain(name).into_owned()).filter(|name| !name.is_empty()));
    let end = job.finished.or_else(|| Some(now).filter(|_| !job.state.is_complete()));
    [
        id,
        name(&job.work),
        name(&job.graph),
        state(job),
        or_nothing(job.submitted.map(|time| ago(now.since(time)))),
        or_nothing(Some(job.rows).filter(|rows| *rows > 0).map(count)),
        or_nothing(
            job.started
                .filter(|_| job.state != State::Waiting)
                .zip(end)
                .map(|(start, end)| took(end.since(start))),
        ),
    ]
}

fn state(job: &Job) -> String {
    match job.progress.filter(|_| job.state == State::Running) {
        Some(percent) => format!("{} {percent}%", job.state),
        None => job.state.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use job_runner::{Event, Failure, FailureKind, JobId, JobRecord, JobSpec, ResultSize};
    use unicode_width::UnicodeWidthStr;

    use super::*;

    const VIEW: View = View { now: Timestamp::from_micros(181_000_000), width: 80, colour: false };

    fn text(jobs: &[JobRecord], view: View) -> String {
        let jobs: Vec<Job> = jobs.iter().map(Job::from).collect();
        lines(&jobs, &[], view).join("\n")
    }

    #[test]
    fn texts_of_jobs_stay_in_their_cells() {
        let now = Timestamp::from_micros(1_000_000);
        let hostile = "\u{1b}[2J\u{202e}\nJOB";
        let spec = JobSpec::algorithm(hostile).with_graph(hostile);
        let record = JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec, now);
        let record = record.apply(Event::Start, now).unwrap();
        let record = record.apply(Event::Fail(Failure::new(FailureKind::Handler, hostile)), now).unwrap();
        let out = text(&[record], View { width: 200, ..VIEW });
        assert_eq!(out.matches(r"\u001b[2J\u202e\nJOB").count(), 3, "{out}");
        assert_eq!(out.lines().count(), 3, "{out}");
        assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out}");
    }

    #[test]
    fn columns_are_aligned() {
        let now = Timestamp::from_micros(1_000_000);
        let record = |spec: JobSpec, entropy| {
            JobRecord::waiting(JobId::from_parts(now, [entropy; 10]), spec.with_graph("wordnet"), now)
        };
        let waiting = record(JobSpec::algorithm("cluster_coefficient"), 1);
        let running = record(JobSpec::vertex_filter(), 2).apply(Event::Start, now).unwrap();
        let size = ResultSize { rows: 117_659, bytes: 9 };
        let done = running.apply(Event::Succeed(size), Timestamp::from_micros(1_250_000)).unwrap();
        assert_eq!(
            text(&[done, running, waiting], VIEW),
            "\
JOB       WORK                 GRAPH    STATE      SUBMITTED     ROWS     TOOK
02020202  vertex_filter        wordnet  succeeded  3 min ago  117,659  0.250 s
02020202  vertex_filter        wordnet  running    3 min ago        -    3 min
01010101  cluster_coefficient  wordnet  waiting    3 min ago        -        -"
        );
    }

    #[test]
    fn a_colour_changes_no_text_and_no_width() {
        let now = Timestamp::from_micros(1_000_000);
        let waiting = JobRecord::waiting(JobId::from_parts(now, [1; 10]), JobSpec::vertex_filter(), now);
        let running = waiting.apply(Event::Start, now).unwrap();
        let done = running.apply(Event::Succeed(ResultSize::default()), now).unwrap();
        let jobs = [waiting, running, done];
        let painted = text(&jobs, View { colour: true, ..VIEW });
        assert!(painted.contains("\u{1b}[36mrunning  \u{1b}[0m  "), "{painted:?}");
        assert!(painted.contains("\u{1b}[32msucceeded\u{1b}[0m  "), "{painted:?}");
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text(&jobs, VIEW));
    }

    /// Every line fits, for jobs of any content.
    #[test]
    fn a_list_fits_80_columns() {
        let now = Timestamp::from_micros(1_000_000);
        let mut jobs = Vec::new();
        for (entropy, name) in
            ["kcore", "cluster_coefficient", "莎拉莎拉莎拉莎拉莎拉莎拉莎拉", &"x".repeat(256)].iter().enumerate()
        {
            let id = JobId::from_parts(Timestamp::from_micros(entropy as u64 * 1_000), [7; 10]);
            let waiting = JobRecord::waiting(id, JobSpec::algorithm(*name).with_graph(*name), now);
            let running = waiting.apply(Event::Start, now).unwrap();
            let failure = Failure::new(FailureKind::Handler, name.repeat(30));
            let size = ResultSize { rows: u64::MAX, bytes: u64::MAX };
            let ends = [Event::Succeed(size), Event::Fail(failure)];
            jobs.extend(ends.map(|end| running.apply(end, Timestamp::from_micros(u64::MAX)).unwrap()));
            jobs.push(waiting);
            jobs.push(running);
        }
        let mut jobs: Vec<Job> = jobs.iter().map(Job::from).collect();
        for job in &mut jobs {
            job.progress = Some(100);
        }
        for now in [VIEW.now, Timestamp::from_micros(u64::MAX)] {
            let lines = lines(&jobs, &[], View { now, ..VIEW });
            assert_eq!(lines.len(), 1 + jobs.len() + 4);
            let wide = lines.iter().find(|line| line.width() > 80);
            assert_eq!(wide, None);
        }
    }
}
