//! A finished job in a store, and the bytes of its status query.

use std::{
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Result;
use job_core::{Event, JobId, JobRecord, JobResult, JobSpec, PageRequest, RowList, Segment, Timestamp};
use job_runner::JobReader;
use job_store::{BlockBuilder, Durability, SegmentKey, Store};
use serde::Serialize;

/// A block is sealed at this number of bytes of JSON, as in `job-runner`.
pub const BLOCK_BYTES: usize = BlockBuilder::BYTES;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A new waiting job, which no store has yet. Each call gives a greater id.
#[must_use]
pub fn waiting() -> JobRecord {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let now = Timestamp::from_micros(1_700_000_000_000_000 + number * 1_000);
    let mut entropy = [0; 10];
    for (to, from) in entropy.iter_mut().zip(number.to_be_bytes()) {
        *to = from;
    }
    JobRecord::waiting(JobId::from_parts(now, entropy), JobSpec::vertex_filter().with_graph("movies"), now)
}

/// A job that a worker has taken, inserted in the store.
///
/// # Errors
/// The errors of the store.
pub fn running(store: &dyn Store) -> Result<JobRecord> {
    let waiting = waiting();
    store.insert(std::slice::from_ref(&waiting), Durability::Buffered)?;
    let running = waiting.apply(Event::Start, waiting.submitted_at)?;
    store.replace(&running, Durability::Buffered)?;
    Ok(running)
}

/// Writes `rows` as segment `number` of a running job.
///
/// # Errors
/// The errors of the store.
pub fn segment<'a, T: Serialize + 'a>(
    store: &dyn Store,
    job: &JobRecord,
    number: u32,
    rows: impl IntoIterator<Item = &'a T>,
) -> Result<Segment> {
    let key = SegmentKey { job: job.id, attempt: job.attempt, number };
    let mut writer = store.segment(key)?;
    let mut block = BlockBuilder::new(key);
    for row in rows {
        block.push(row)?;
        if block.bytes() >= BLOCK_BYTES {
            writer.append(block.seal())?;
        }
    }
    if block.rows() > 0 {
        writer.append(block.seal())?;
    }
    Ok(writer.finish()?)
}

/// Ends a running job with its segments.
///
/// # Errors
/// The errors of the store.
pub fn complete(store: &dyn Store, job: &JobRecord, segments: Vec<Segment>, durability: Durability) -> Result<()> {
    let result = JobResult { list: Some(RowList::new("vertices", segments)), ..JobResult::default() };
    let done = job.apply(Event::Succeed(result.size()), job.submitted_at)?;
    Ok(store.complete(&[(&done, &result)], durability)?)
}

/// Stores a finished job with `count` rows, which repeat `pool`.
///
/// # Errors
/// The errors of the store.
pub fn finished<T: Serialize>(store: &dyn Store, pool: &[T], count: usize) -> Result<JobId> {
    let job = running(store)?;
    let rows = segment(store, &job, 0, pool.iter().cycle().take(count))?;
    complete(store, &job, vec![rows], Durability::Synced)?;
    Ok(job.id)
}

/// Writes the whole answer of a status query to `out`.
///
/// # Errors
/// The errors of the store.
pub fn status<W: Write>(reader: &JobReader, job: JobId, page: PageRequest, out: &mut W) -> Result<()> {
    Ok(reader.status(job, page)?.write_to(out)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use job_store::MemoryStore;

    use super::*;
    use crate::vertices::vertices;

    #[test]
    fn a_page_holds_the_rows_asked_for() {
        let (store, rows) = (Arc::new(MemoryStore::default()), vertices(2_000));
        let job = finished(&*store, &rows, 3_000).unwrap();
        let mut out = Vec::new();
        status(&JobReader::new(store), job, PageRequest::new(1_998, 3).unwrap(), &mut out).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let outputs = &answer["data"]["outputs"];
        assert_eq!(outputs["data_total_size"], 3_000);
        assert_eq!(outputs["vertices"], serde_json::json!([rows[1_998], rows[1_999], rows[0]]));
    }
}
