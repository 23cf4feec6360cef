//! `list`: jobs, the newest first.

use std::{
    error::Error,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    process::ExitCode,
};

use jiff::Timestamp as Instant;
use job_runner::{JobRecord, JobState, PageRequest, Parameters, Timestamp};
use serde::Serialize;
use serde_json::json;

use super::{
    Global, Outcome,
    plain::one_line,
    source::{self, Entry, Source},
    table,
};

pub(super) fn list(global: &Global, offset: Option<&str>, limit: Option<&str>) -> Outcome {
    let page = PageRequest::parse(offset, limit)?;
    let entries = newest(&*source::read(global)?, page)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if global.json {
        lines(&mut out, &entries)?;
    } else if entries.is_empty() {
        writeln!(out, "no jobs")?;
    } else {
        table::write(&mut out, &entries)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The jobs of the page.
fn newest(source: &dyn Source, page: PageRequest) -> Result<Vec<Entry>, Box<dyn Error>> {
    let mut skip = page.offset();
    let mut entries = Vec::new();
    source.each(&mut |entry| {
        if skip > 0 {
            skip -= 1;
        } else {
            entries.push(entry);
        }
        if entries.len() as u64 >= u64::from(page.limit()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(entries)
}

/// Writes a line of JSON for each job.
pub(super) fn lines(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    for entry in entries {
        let json = match entry {
            Ok(record) => serde_json::to_string(&Line::of(record))?,
            Err(job) => json!({ "jobId": job.job.to_string(), "unreadable": job.reason }).to_string(),
        };
        // Parameters are as they came, perhaps laid out over several lines.
        writeln!(out, "{}", one_line(&json))?;
    }
    Ok(())
}

/// A job as machines read it. Times are UTC in RFC 3339.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'r> {
    job_id: String,
    kind: String,
    graph: &'r str,
    parameters: &'r Parameters,
    /// `waiting`, `running` or `complete`.
    status: &'static str,
    /// Of a complete job: `succeeded`, `failed` or `cancelled`.
    outcome: Option<String>,
    attempt: u32,
    rows: u64,
    bytes: u64,
    submit_time: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    fail_reason: Option<&'r str>,
}

impl<'r> Line<'r> {
    fn of(record: &'r JobRecord) -> Self {
        Self {
            job_id: record.id.to_string(),
            kind: record.spec.kind().to_string(),
            graph: record.spec.graph_name(),
            parameters: record.spec.json(),
            status: record.state.wire(),
            outcome: matches!(record.state, JobState::Complete(_)).then(|| record.state.to_string()),
            attempt: record.attempt,
            rows: record.size.rows,
            bytes: record.size.bytes,
            submit_time: utc(record.submitted_at),
            start_time: record.started_at.and_then(utc),
            end_time: record.finished_at.and_then(utc),
            fail_reason: record.failure.as_ref().map(|failure| failure.message.as_str()),
        }
    }
}

fn utc(time: Timestamp) -> Option<String> {
    let micros = i64::try_from(time.as_micros()).ok()?;
    Instant::from_microsecond(micros).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use job_runner::{JobId, JobSpec};

    use super::*;

    #[test]
    fn a_line_has_every_field() {
        let now = Timestamp::from_micros(1_700_000_000_500_000);
        let spec = JobSpec::algorithm("kcore").graph("movies").parameters(&serde_json::json!({"k": 3})).unwrap();
        let record = JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec, now);
        let mut out = Vec::new();
        lines(&mut out, &[Ok(record)]).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"jobId":"018bcfe5-69f4-7000-8000-000000000000","kind":"kcore","graph":"movies","parameters":{"k":3},"#,
                r#""status":"waiting","outcome":null,"attempt":0,"rows":0,"bytes":0,"#,
                r#""submitTime":"2023-11-14T22:13:20.5Z","startTime":null,"endTime":null,"failReason":null}"#,
                "\n"
            )
        );
    }
}
