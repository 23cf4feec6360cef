//! Tables and numbers for people.

use std::{
    fmt::Display,
    io::{self, Write},
};

use job_runner::{JobKind, JobRecord, Unreadable};

use super::plain::plain;

/// Writes rows of jobs under a head line; columns are as wide as what they hold, numbers stand at the right.
pub(super) fn write(out: &mut impl Write, entries: &[Result<JobRecord, Unreadable>]) -> io::Result<()> {
    const HEAD: [&str; 6] = ["JOB", "WORK", "GRAPH", "STATE", "ROWS", "SECONDS"];
    let rows: Vec<[String; 6]> = entries.iter().map(entry_cells).collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(out, &HEAD, &widths)?;
    for (row, entry) in rows.iter().zip(entries) {
        line(out, row, &widths)?;
        match entry {
            Ok(JobRecord { failure: Some(failure), .. }) => writeln!(out, "  {}", plain(&failure.message))?,
            Ok(_) => {}
            Err(unreadable) => writeln!(out, "  {}", plain(&unreadable.reason))?,
        }
    }
    Ok(())
}

fn line(out: &mut impl Write, cells: &[impl Display; 6], widths: &[usize; 6]) -> io::Result<()> {
    let [job, work, graph, state, rows, seconds] = cells;
    let [w_job, w_work, w_graph, w_state, w_rows, w_seconds] = *widths;
    writeln!(
        out,
        "{job:w_job$}  {work:w_work$}  {graph:w_graph$}  {state:w_state$}  {rows:>w_rows$}  {seconds:>w_seconds$}"
    )
}

fn entry_cells(entry: &Result<JobRecord, Unreadable>) -> [String; 6] {
    let nothing = || "-".to_owned();
    match entry {
        Ok(record) => cells(record),
        Err(unreadable) => {
            [unreadable.job.to_string(), nothing(), nothing(), "unreadable".to_owned(), nothing(), nothing()]
        }
    }
}

fn cells(record: &JobRecord) -> [String; 6] {
    let seconds = record.started_at.zip(record.finished_at).map(|(start, end)| end.since(start).as_secs_f64());
    [
        record.id.to_string(),
        work(record.spec.kind()),
        plain(record.spec.graph_name()).into_owned(),
        record.state.to_string(),
        if record.size.rows == 0 { "-".to_owned() } else { thousands(record.size.rows) },
        seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.3}")),
    ]
}

/// The work of a job as people call it, for a terminal.
pub(super) fn work(kind: &JobKind) -> String {
    match kind {
        JobKind::VertexFilter => "vertex filter".to_owned(),
        JobKind::EdgeFilter => "edge filter".to_owned(),
        JobKind::Algorithm(name) => plain(name).into_owned(),
    }
}

/// A number with a comma between thousands.
pub(super) fn thousands(number: impl Into<u64>) -> String {
    let digits = number.into().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use job_runner::{Event, Failure, FailureKind, JobId, JobSpec, ResultSize, Timestamp};

    use super::*;

    #[test]
    fn thousands_are_parted() {
        for (number, text) in
            [(0_u64, "0"), (999, "999"), (1_000, "1,000"), (117_659, "117,659"), (1_000_000, "1,000,000")]
        {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn texts_of_jobs_stay_in_their_cells() {
        let now = Timestamp::from_micros(1_000_000);
        let hostile = "\u{1b}[2J\u{202e}\nJOB";
        let spec = JobSpec::algorithm(hostile).graph(hostile);
        let record = JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec, now);
        let record = record.apply(Event::Start, now).unwrap();
        let record = record.apply(Event::Fail(Failure::new(FailureKind::Handler, hostile)), now).unwrap();
        let mut out = Vec::new();
        write(&mut out, &[Ok(record)]).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.matches(r"\u001b[2J\u202e\nJOB").count(), 3, "{out}");
        assert_eq!(out.lines().count(), 3, "{out}");
        assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out}");
    }

    #[test]
    fn columns_are_aligned() {
        let now = Timestamp::from_micros(1_000_000);
        let record =
            |spec: JobSpec| JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec.graph("movies"), now);
        let waiting = record(JobSpec::algorithm("cluster_coefficient"));
        let running = record(JobSpec::vertex_filter()).apply(Event::Start, now).unwrap();
        let size = ResultSize { rows: 1_234, bytes: 9 };
        let done = running.apply(Event::Succeed(size), Timestamp::from_micros(1_250_000)).unwrap();
        let mut out = Vec::new();
        write(&mut out, &[Ok(done), Ok(waiting)]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "JOB                                   WORK                 GRAPH   STATE       ROWS  SECONDS\n\
             00000000-03e8-7000-8000-000000000000  vertex filter        movies  succeeded  1,234    0.250\n\
             00000000-03e8-7000-8000-000000000000  cluster_coefficient  movies  waiting        -        -\n"
        );
    }
}
