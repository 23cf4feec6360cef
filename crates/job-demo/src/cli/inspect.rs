//! `inspect`: what a store holds, job by job or segment by segment, with every checksum compared.

use std::{
    error::Error,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    process::ExitCode,
};

use job_runner::{
    EngineError, JobId, JobKind, JobRecord, PageRequest, Segment,
    store::{SegmentKey, Store, StoreError, Verified, verify},
};
use serde_json::json;

use super::{
    Global, Outcome,
    exit::Exit,
    plain::{one_line, plain},
    store, table,
};

pub(super) fn inspect(global: &Global, id: Option<JobId>) -> Outcome {
    let store = &*store::read_only(global)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match id {
        Some(id) => {
            let record = store.get(id)?.ok_or(EngineError::UnknownJob(id))?;
            segments(&mut out, global, store, &record)?;
            out.flush()?;
            Ok(ExitCode::SUCCESS)
        }
        None => whole(&mut out, global, store),
    }
}

/// Every job and where its rows are, then the findings.
fn whole(out: &mut impl Write, global: &Global, store: &dyn Store) -> Outcome {
    const PIECE: u32 = 1_000;
    let limit = usize::try_from(PageRequest::new(0, PIECE)?.limit())?;
    let mut before = None;
    loop {
        let entries = store.entries(before, 0, limit)?;
        // One that cannot be read is a finding below.
        for record in entries.iter().filter_map(|entry| entry.record.as_ref().ok()) {
            line(out, global, store, record)?;
        }
        match entries.last() {
            Some(last) if entries.len() == limit => before = Some(last.id),
            _ => break,
        }
    }
    let mut findings = Vec::new();
    let seen = verify(store, &mut |finding| findings.push(finding.to_string()))?;
    total(out, global, store, &seen, &findings)?;
    out.flush()?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { Exit::Store.into() })
}

fn line(
    out: &mut impl Write,
    global: &Global,
    store: &dyn Store,
    record: &JobRecord,
) -> Result<(), Box<dyn Error>> {
    // A damaged result is a finding of the pass over everything, not the end of the list.
    let list = store.result(record.id).ok().flatten().and_then(|result| result.list);
    let count = list.map_or(0, |list| list.segments().len());
    let work = table::work(record.spec.kind());
    if global.json {
        let work = if let JobKind::Algorithm(name) = record.spec.kind() { name } else { &work };
        let entry = json!({
            "jobId": record.id.to_string(), "work": work, "state": record.state.to_string(),
            "rows": record.size.rows, "bytes": record.size.bytes, "segments": count,
        });
        writeln!(out, "{}", one_line(&entry.to_string()))?;
    } else {
        let (rows, bytes) = (table::thousands(record.size.rows), table::thousands(record.size.bytes));
        writeln!(
            out,
            "{}  {work:20}  {:10}  {rows:>12} rows  {bytes:>15} bytes  {count:>5} segments",
            record.id,
            record.state.to_string()
        )?;
    }
    Ok(())
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
            "rows": seen.rows, "bytes": seen.bytes, "bytesOnDisk": disk, "findings": findings,
        });
        writeln!(out, "{}", one_line(&entry.to_string()))?;
        return Ok(());
    }
    let [jobs, blocks, rows, bytes] = [seen.jobs, seen.blocks, seen.rows, seen.bytes].map(table::thousands);
    writeln!(
        out,
        "\n{jobs} jobs, {} results in {} segments: {rows} rows in {blocks} blocks, {bytes} bytes",
        seen.results, seen.segments
    )?;
    if let Some(disk) = disk {
        writeln!(out, "rows take {} bytes on disk", table::thousands(disk))?;
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
        writeln!(out, "{}  {}  {}", record.id, table::work(record.spec.kind()), record.state)?;
    }
    for &segment in list.iter().flat_map(job_runner::RowList::segments) {
        let blocks = blocks(store, record.id, segment)?;
        if global.json {
            let entry = json!({
                "attempt": segment.attempt, "segment": segment.number, "rows": segment.rows, "bytes": segment.bytes,
                "rowsOfBlocks": blocks,
            });
            writeln!(out, "{entry}")?;
        } else {
            let [rows, bytes] = [segment.rows, segment.bytes].map(table::thousands);
            let (attempt, number) = (segment.attempt, segment.number);
            writeln!(out, "segment {attempt}.{number}: {rows} rows, {bytes} bytes, {} blocks", blocks.len())?;
        }
    }
    Ok(())
}

/// Rows of each block of a segment.
fn blocks(store: &dyn Store, job: JobId, segment: Segment) -> Result<Vec<usize>, StoreError> {
    let key = SegmentKey { job, attempt: segment.attempt, number: segment.number };
    let mut blocks = Vec::new();
    store.read(key, 0..segment.rows, &mut |run| {
        blocks.push(run.len());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(blocks)
}
