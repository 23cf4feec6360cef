//! `inspect`: the content of a store, job by job or segment by segment, with every checksum compared.

use std::{
    error::Error,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    process::ExitCode,
    sync::Arc,
};

use job_runner::{
    EngineError, JobId, JobReader, JobRecord, Segment,
    store::{SegmentKey, Store, StoreError, Verified, verify},
};
use serde_json::json;

use super::{
    CommandResult, Global,
    columns::{self, Column},
    exit::{Exit, Mistake},
    ids,
    job::State,
    plain::{one_line, plain},
    store,
    terminal::Terminal,
    words::{count, thousands},
};

pub(super) fn inspect(global: &Global, id: Option<&str>) -> CommandResult {
    if global.server.is_some() {
        return Err(Mistake::new(Exit::Usage, "inspect reads a store itself: leave out --server").into());
    }
    let opened = store::read_only(global)?;
    let store = &*opened;
    let mut out = BufWriter::new(io::stdout().lock());
    match id {
        Some(id) => {
            let id = ids::resolve(&JobReader::new(Arc::clone(&opened)), id)?;
            let record = store.get(id)?.ok_or(EngineError::UnknownJob(id))?;
            segments(&mut out, global, store, &record)?;
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        None => whole(&mut out, global, store),
    }
}

/// Every job and where its rows are, then the findings.
fn whole(out: &mut impl Write, global: &Global, store: &dyn Store) -> CommandResult {
    const PIECE: usize = 1_000;
    let mut before = None;
    loop {
        let entries = store.entries(before, 0, PIECE)?;
        // An unreadable job is a finding below.
        let records: Vec<_> = entries.iter().filter_map(|entry| entry.record.as_ref().ok()).collect();
        if global.json {
            for record in records {
                line(out, store, record)?;
            }
        } else {
            for line in table(store, &records, before.is_none(), Terminal::look()) {
                writeln!(out, "{line}")?;
            }
        }
        match entries.last() {
            Some(last) if entries.len() == PIECE => before = Some(last.id),
            _ => break,
        }
    }
    let mut findings = Vec::new();
    let seen = verify(store, &mut |finding| findings.push(finding.to_string()))?;
    total(out, global, store, &seen, &findings)?;
    out.flush()?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { Exit::Store.into() })
}

const COLUMNS: [Column; 6] = [
    Column { head: "JOB", right: false, cut: false },
    Column { head: "WORK", right: false, cut: true },
    Column { head: "STATE", right: false, cut: false },
    Column { head: "ROWS", right: true, cut: false },
    Column { head: "BYTES", right: true, cut: false },
    Column { head: "SEGMENTS", right: true, cut: false },
];

/// One line for each job, below a head in the first part of them.
fn table(store: &dyn Store, records: &[&JobRecord], is_first: bool, terminal: Terminal) -> Vec<String> {
    let ids: Vec<JobId> = records.iter().map(|record| record.id).collect();
    let cells = |(record, id): (&&JobRecord, String)| {
        let (work, state) = (plain(&record.spec.kind().to_string()).into_owned(), record.state.to_string());
        let [rows, bytes] = [record.size.rows, record.size.bytes].map(count);
        [id, work, state, rows, bytes, thousands(segment_count(store, record.id))]
    };
    let rows: Vec<_> = records.iter().zip(ids::short(&ids, &[])).map(cells).collect();
    let mut lines = columns::lay_out(&COLUMNS, &rows, terminal.width);
    for ([_, _, state, ..], record) in lines.iter_mut().skip(1).zip(records) {
        if terminal.colour {
            *state = State::from(record.state).paint(state);
        }
    }
    lines.iter().skip(usize::from(!is_first || records.is_empty())).map(columns::join).collect()
}

/// A damaged result is a finding of the pass over everything, not the end of the list.
fn segment_count(store: &dyn Store, job: JobId) -> u64 {
    let list = store.result(job).ok().flatten().and_then(|result| result.list);
    list.map_or(0, |list| list.segments().len() as u64)
}

fn line(out: &mut impl Write, store: &dyn Store, record: &JobRecord) -> io::Result<()> {
    let work = record.spec.kind().to_string();
    let work = if let "vertex_filter" | "edge_filter" = work.as_str() { work.replace('_', " ") } else { work };
    let entry = json!({
        "jobId": record.id.to_string(), "work": work, "state": record.state.to_string(), "rows": record.size.rows,
        "bytes": record.size.bytes, "segments": segment_count(store, record.id),
    });
    writeln!(out, "{}", one_line(&entry.to_string()))
}

fn total(
    out: &mut impl Write,
    global: &Global,
    store: &dyn Store,
    seen: &Verified,
    findings: &[String],
) -> Result<(), Box<dyn Error>> {
    let disk = store.size_on_disk()?;
    if global.json {
        let entry = json!({
            "jobs": seen.jobs, "results": seen.results, "segments": seen.segments, "blocks": seen.blocks,
            "rows": seen.rows, "bytes": seen.bytes, "storedBytes": seen.stored_bytes, "bytesOnDisk": disk, "findings": findings,
        });
        writeln!(out, "{}", one_line(&entry.to_string()))?;
        return Ok(());
    }
    let [jobs, blocks, rows] = [seen.jobs, seen.blocks, seen.rows].map(thousands);
    let [bytes, stored] = [seen.bytes, seen.stored_bytes].map(thousands);
    writeln!(
        out,
        "\n{jobs} jobs, {} results in {} segments: {rows} rows in {blocks} blocks, {bytes} bytes stored in {stored}",
        seen.results, seen.segments
    )?;
    if let Some(disk) = disk {
        writeln!(out, "rows take {} bytes on disk", thousands(disk))?;
    }
    for finding in findings {
        writeln!(out, "DAMAGED: {}", plain(finding))?;
    }
    let verdict = if findings.is_empty() {
        "every checksum is right"
    } else {
        "the jobs above are damaged: restore or remove them"
    };
    writeln!(out, "{verdict}")?;
    Ok(())
}

/// The segments of one job and the blocks in them.
fn segments(
    out: &mut impl Write,
    global: &Global,
    store: &dyn Store,
    record: &JobRecord,
) -> Result<(), Box<dyn Error>> {
    let list = store.result(record.id)?.and_then(|result| result.list);
    if !global.json {
        let work = record.spec.kind().to_string();
        writeln!(out, "{}  {}  {}", record.id, plain(&work), record.state)?;
    }
    for &segment in list.iter().flat_map(job_runner::RowList::segments) {
        let Blocks { rows: blocks, stored } = blocks(store, record.id, segment)?;
        if global.json {
            let entry = json!({
                "attempt": segment.attempt, "segment": segment.number, "rows": segment.rows, "bytes": segment.bytes,
                "storedBytes": stored, "rowsOfBlocks": blocks,
            });
            writeln!(out, "{entry}")?;
        } else {
            let [rows, bytes, stored] = [segment.rows, segment.bytes, stored].map(thousands);
            let (attempt, number, blocks) = (segment.attempt, segment.number, blocks.len());
            writeln!(
                out,
                "segment {attempt}.{number}: {rows} rows, {bytes} bytes stored in {stored}, {blocks} blocks"
            )?;
        }
    }
    Ok(())
}

/// The blocks of a segment.
#[derive(Default)]
struct Blocks {
    /// The rows of each.
    rows: Vec<usize>,
    /// The bytes of all of them as the store has them.
    stored: u64,
}

fn blocks(store: &dyn Store, job: JobId, segment: Segment) -> Result<Blocks, StoreError> {
    let key = SegmentKey { job, attempt: segment.attempt, number: segment.number };
    let mut blocks = Blocks::default();
    store.read(key, 0..segment.rows, &mut |run| {
        blocks.rows.push(run.len());
        Ok(ControlFlow::Continue(()))
    })?;
    store.blocks(key, &mut |_, bytes| {
        blocks.stored += bytes.len() as u64;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(blocks)
}
