//! Rows on their way from one store into another, block by block.

use std::ops::ControlFlow;

use job_core::{JobId, JobRecord, JobResult, RowList, Segment};

use super::{Copier, CopyNews, expected::half};
use crate::{Block, Durability, ErrorKind, SealedBlock, SegmentKey, StoreError};

/// The attempts that have rows, in their order. Those after the last of the job cannot be.
pub(super) fn attempts(segments: &[Segment], record: &JobRecord) -> Vec<u32> {
    let mut attempts: Vec<u32> = segments.iter().map(|segment| segment.attempt).collect();
    attempts.sort_unstable();
    attempts.dedup();
    if attempts.is_empty() { vec![record.attempt] } else { attempts }
}

impl Copier<'_> {
    /// Copies the rows of a job; why not, if they are damaged. The job is in the first of its attempts.
    pub(super) fn rows(&mut self, record: &JobRecord, result: &JobResult) -> Result<Option<String>, StoreError> {
        let segments = result.list.as_ref().map_or(&[][..], RowList::segments);
        let attempts = attempts(segments, record);
        let mut steps = attempts.len() as u64;
        for (turn, attempt) in attempts.iter().enumerate() {
            if turn > 0
                && let Some(next) = half(record, *attempt, steps)
            {
                self.to.replace(&next, Durability::Buffered)?;
            }
            steps -= 1;
            for segment in segments.iter().filter(|segment| segment.attempt == *attempt) {
                if let Some(why) = self.segment(record.id, *segment)? {
                    return Ok(Some(format!("segment {}.{}: {why}", segment.attempt, segment.number)));
                }
            }
        }
        Ok(None)
    }

    fn segment(&mut self, job: JobId, segment: Segment) -> Result<Option<String>, StoreError> {
        let key = SegmentKey { job, attempt: segment.attempt, number: segment.number };
        let mut writer = self.to.segment(key)?;
        let (mut next, mut damage, mut failed) = (0, None, None);
        let (copied, news) = (&mut self.copied, &mut self.news);
        let walked = self.from.blocks(key, &mut |end, stored| {
            let block = match sealed(key, next, end, stored) {
                Ok(block) => block,
                Err(what) => {
                    damage = Some(format!("rows {next}..{end}: {what}"));
                    return Ok(ControlFlow::Break(()));
                }
            };
            if let Err(error) = writer.append(block) {
                failed = Some(error);
                return Ok(ControlFlow::Break(()));
            }
            next = end;
            copied.rows += block.rows;
            copied.bytes += block.json_bytes;
            news(CopyNews::Progress(*copied));
            Ok(ControlFlow::Continue(()))
        });
        match walked {
            Err(error) if matches!(error.kind, ErrorKind::Corrupt | ErrorKind::NotFound) => {
                return Ok(Some(error.detail));
            }
            walked => walked?,
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if damage.is_some() {
            return Ok(damage);
        }
        let written = writer.finish()?;
        if written.rows != segment.rows {
            return Ok(Some(format!("rows {}..{} are missing", written.rows.min(segment.rows), segment.rows)));
        }
        let (found, counted) = (written.bytes, segment.bytes);
        Ok((found != counted)
            .then(|| format!("its blocks have {found} bytes of JSON, its result counts {counted}")))
    }
}

/// A stored block that should start at row `next` and end before `end`, to be stored elsewhere as it is.
fn sealed(key: SegmentKey, next: u64, end: u64, stored: &[u8]) -> Result<SealedBlock<'_>, String> {
    let block = Block::parse(stored).map_err(|error| error.to_string())?;
    let rows = block.len() as u64;
    if end.checked_sub(rows) != Some(next) {
        return Err(format!("a block of {rows} rows ends before row {end}"));
    }
    block.verify(key, next).map_err(|error| error.to_string())?;
    block.rows(0..block.len()).map_err(|error| error.to_string())?;
    Ok(SealedBlock { key, first_row: next, rows, json_bytes: block.json_bytes() as u64, bytes: stored })
}
