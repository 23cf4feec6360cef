//! Rows and results in PostgreSQL.

use std::{collections::BTreeMap, ops::Range};

use super::{
    Call, PostgresStore,
    blocks::{Blocks, block},
    column,
    fence::{fence, fenced},
    filtered::Ends,
    segment::PostgresSegment,
    signed, uuid,
};
use crate::{
    Block, BlockBuilder, Durability, EachBlock, EachRows, ErrorKind, ResultStore, SegmentKey, SegmentWriter,
    StoreError, codec,
    contract::{self, Cut},
};
use job_core::{FailedAttempt, JobId, JobRecord, JobResult, RowList};

/// Stores all ends in `$1..` or none. A division by zero rolls the statement back if their number is not `$5`. A
/// logarithm of zero does so if rows of the segments in `$9..` are missing. Ends come in the order of their ids,
/// as in every statement that locks the rows of several jobs. A block without a first row was written by an
/// earlier version, and may be all of its segment.
const COMPLETE: &str = "
    WITH ends AS (
        SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bytea[],
                $13::bytea[], $14::bytea[], $15::smallint[], $16::bytea[], $17::bigint[], $18::bigint[])
            AS ends (id, revision, record, result, graph, kind, outcome, owner, bytes, ended)
    ), gone AS (
        DELETE FROM queue q USING ends e
        WHERE q.job = ANY (ARRAY[e.id]) AND q.revision = e.revision - 1
            AND (q.until IS NULL OR (q.claimant = $6 AND q.until > clock_timestamp()))
        RETURNING e.*, q.last_read, q.pinned
    ), checkpoint AS (
        DELETE FROM checkpoints WHERE job = ANY (ARRAY(SELECT id FROM gone))
    ), work AS (
        INSERT INTO works (hash, job)
        SELECT w.hash, w.job FROM unnest($7::bytea[], $8::uuid[]) AS w (hash, job) ORDER BY w.hash
        ON CONFLICT (hash) DO UPDATE SET job = excluded.job
    ), stored AS (
        INSERT INTO finished
            (id, revision, record, result, last_read, pinned, graph, kind, outcome, owner, bytes, ended)
        SELECT id, revision, record, result, last_read, pinned, graph, kind, outcome, owner, bytes, ended FROM gone
        RETURNING bytes, pinned
    ), labelled AS (
        INSERT INTO labels (label, outcome, job)
        SELECT label, outcome, job FROM unnest($19::bytea[], $20::smallint[], $21::uuid[]) AS l (label, outcome, job)
    ), counted AS (
        INSERT INTO kept (jobs, bytes) SELECT count(*), sum(bytes) FROM stored WHERE NOT pinned HAVING count(*) > 0
    ), short AS (
        SELECT 1 FROM unnest($9::uuid[], $10::bigint[], $11::bigint[], $12::bigint[]) AS s (job, attempt, segment, size)
        WHERE size > (
            SELECT coalesce(sum(coalesce(end_row - first_row, size)), 0) FROM (
                SELECT b.first_row, b.end_row FROM blocks b
                WHERE b.job = s.job AND b.attempt = s.attempt AND b.segment = s.segment
                UNION ALL
                SELECT o.first_row, o.end_row FROM objects o
                WHERE o.job = s.job AND o.attempt = s.attempt AND o.segment = s.segment
            ) AS runs)
    )
    SELECT CASE
        WHEN count(*) = $5 THEN ln((NOT EXISTS (SELECT FROM short))::integer)
        ELSE 1 / (count(*) = $5)::integer
    END FROM stored";

const SAVE: &str = fenced!(
    "
    INSERT INTO checkpoints (job, bytes) SELECT job, $4 FROM fence
    ON CONFLICT (job) DO UPDATE SET bytes = excluded.bytes RETURNING 1"
);

const SAVE_FAILURES: &str = fenced!(
    "
    INSERT INTO failures (job, bytes) SELECT job, $4 FROM fence
    ON CONFLICT (job) DO UPDATE SET bytes = excluded.bytes RETURNING 1"
);

const DISCARD: &str = "
    WITH refused AS (
        SELECT 1 FROM finished WHERE id = $1 AND result IS NOT NULL
    ), fenced AS (
        SELECT 1 FROM queue
        WHERE job = $1 AND CASE WHEN until IS NULL THEN false ELSE NOT (claimant = $3 AND until > clock_timestamp()) END
    ), gone AS (
        DELETE FROM blocks
        WHERE job = $1 AND attempt <= $2 AND NOT EXISTS (SELECT FROM refused) AND NOT EXISTS (SELECT FROM fenced)
    ), objects AS (
        DELETE FROM objects
        WHERE job = $1 AND attempt <= $2 AND NOT EXISTS (SELECT FROM refused) AND NOT EXISTS (SELECT FROM fenced)
    ), due AS (
        UPDATE uploads SET due = true, revision = revision + 1
        WHERE job = $1 AND attempt <= $2 AND NOT EXISTS (SELECT FROM refused) AND NOT EXISTS (SELECT FROM fenced)
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM refused), EXISTS (SELECT FROM fenced), EXISTS (SELECT FROM due)";

impl ResultStore for PostgresStore {
    fn segment(&self, key: SegmentKey) -> Result<Box<dyn SegmentWriter>, StoreError> {
        self.check_fence(key)?;
        #[cfg(feature = "objects")]
        if let Some(writer) = super::objects::ObjectSegment::new(self, key) {
            return Ok(Box::new(writer));
        }
        Ok(Box::new(PostgresSegment::new(self.clone(), key)))
    }

    fn complete(&self, ends: &[(&JobRecord, &JobResult)], durability: Durability) -> Result<(), StoreError> {
        let mut call = Call::new("store the result").durable(durability);
        if let [(only, _)] = ends {
            call = call.on(only.id);
        }
        contract::check_complete(ends)?;
        if ends.is_empty() {
            return Ok(());
        }
        let mut sorted = ends.to_vec();
        sorted.sort_unstable_by_key(|(next, _)| next.id);
        let ids: Vec<_> = sorted.iter().map(|(next, _)| uuid(next.id)).collect();
        let revisions: Vec<_> = sorted.iter().map(|(next, _)| signed(next.revision)).collect();
        let encoded: Vec<_> = sorted.iter().map(|(next, _)| codec::encode_record(next)).collect();
        let results: Vec<_> = sorted.iter().map(|(next, result)| codec::encode_result(next.id, result)).collect();
        let (hashes, workers): (Vec<_>, Vec<_>) = works(ends).into_iter().unzip();
        let Segments { owners, attempts, numbers, sizes } = Segments::of(&sorted);
        let told = Ends::of(sorted.iter().map(|(next, _)| *next));
        let (count, me) = (signed(ends.len() as u64), self.inner.claimant);
        let parameters: super::Parameters<'_> = &[
            &ids,
            &revisions,
            &encoded,
            &results,
            &count,
            &me,
            &hashes,
            &workers,
            &owners,
            &attempts,
            &numbers,
            &sizes,
            &told.graphs,
            &told.kinds,
            &told.outcomes,
            &told.owners,
            &told.bytes,
            &told.ended,
            &told.labels,
            &told.label_outcomes,
            &told.labelled,
        ];
        let records: Vec<_> = ends.iter().map(|(next, _)| *next).collect();
        let mut uncertain = false;
        match self.run_telling(call, COMPLETE, parameters, &mut uncertain) {
            Ok(_) => {}
            Err(failed) if failed.lacks_rows() => {
                return Err(call
                    .failed(ErrorKind::Lost, "rows of it are gone: the database died before they were flushed"));
            }
            Err(failed) if failed.is_refused() => {
                if !(uncertain && self.are_stored(call, &records)?) {
                    return Err(self.first_refusal(call, &records)?);
                }
            }
            Err(failed) => return Err(failed.on(call)),
        }
        self.moved(&records);
        self.gather(records.len());
        Ok(())
    }

    fn result(&self, id: JobId) -> Result<Option<JobResult>, StoreError> {
        let call = Call::new("read the result").on(id);
        let rows = self.rows(call, "SELECT result FROM finished WHERE id = $1", &[&uuid(id)])?;
        let bytes: Option<&[u8]> = rows.first().map_or(Ok(None), |row| column(call, row, 0))?;
        bytes.map(|bytes| codec::decode_result(id, bytes)).transpose().map_err(|error| call.corrupt(&error))
    }

    fn read(&self, key: SegmentKey, rows: Range<u64>, each: &mut EachRows<'_>) -> Result<(), StoreError> {
        let call = Call::new("read rows").on(key.job);
        let mut wanted = rows;
        let mut blocks = Blocks::new(self, call, key, wanted.clone());
        while !wanted.is_empty() {
            // No connection is held while `each` runs.
            let found = blocks.batch()?;
            if found.is_empty() {
                return self.read_objects(call, key, wanted, each);
            }
            for row in &found {
                let (end, bytes) = block(call, row)?;
                verify(key, end, bytes, &wanted)?;
                let Some(Cut { rows: run, next, .. }) = contract::cut(key, end, bytes, &wanted)? else {
                    return Err(contract::missing(self, key, &wanted));
                };
                if each(run)?.is_break() {
                    return Ok(());
                }
                wanted.start = next;
            }
        }
        Ok(())
    }

    fn blocks(&self, key: SegmentKey, each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        let call = Call::new("read rows").on(key.job);
        let mut blocks = Blocks::new(self, call, key, 0..u64::MAX);
        let mut is_first = true;
        loop {
            let found = blocks.batch()?;
            if found.is_empty() {
                // The blocks of a segment are all in the table or all in objects.
                return if is_first { self.object_blocks(call, key, each) } else { Ok(()) };
            }
            is_first = false;
            for row in &found {
                let (end, bytes) = block(call, row)?;
                if each(end, bytes)?.is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn discard(&self, job: JobId, attempt: u32) -> Result<(), StoreError> {
        let call = Call::new("discard rows").on(job);
        let rows = self.rows(call, DISCARD, &[&uuid(job), &i64::from(attempt), &self.inner.claimant])?;
        let Some(row) = rows.first() else { return Ok(()) };
        contract::check_discardable(job, column(call, row, 0)?)?;
        if column(call, row, 1)? {
            return Err(self.no_lease(call));
        }
        #[cfg(feature = "objects")]
        self.collect_if_due(call, Some(&rows), 2)?;
        Ok(())
    }

    fn save_checkpoint(&self, job: JobId, attempt: u32, bytes: &[u8]) -> Result<(), StoreError> {
        contract::check_checkpoint(job, bytes)?;
        let call = Call::new("save the checkpoint").on(job);
        let sealed = codec::encode_checkpoint(job, bytes);
        let parameters: super::Parameters<'_> = &[&uuid(job), &i64::from(attempt), &self.inner.claimant, &sealed];
        if self.rows(call, SAVE, parameters)?.is_empty() {
            return Err(self.fenced(call, SegmentKey { job, attempt, number: 0 })?);
        }
        Ok(())
    }

    fn checkpoint(&self, job: JobId) -> Result<Option<Vec<u8>>, StoreError> {
        let call = Call::new("read the checkpoint").on(job);
        let rows = self.rows(call, "SELECT bytes FROM checkpoints WHERE job = $1", &[&uuid(job)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let checkpoint =
            codec::decode_checkpoint(job, column(call, row, 0)?).map_err(|error| call.corrupt(&error))?;
        Ok(Some(checkpoint.to_vec()))
    }

    fn save_failures(&self, job: JobId, attempt: u32, failed: &[FailedAttempt]) -> Result<(), StoreError> {
        contract::check_failures(job, failed)?;
        let call = Call::new("keep the failed attempts").on(job);
        let sealed = codec::encode_failures(job, failed);
        let parameters: super::Parameters<'_> = &[&uuid(job), &i64::from(attempt), &self.inner.claimant, &sealed];
        if self.rows(call, SAVE_FAILURES, parameters)?.is_empty() {
            return Err(self.fenced(call, SegmentKey { job, attempt, number: 0 })?);
        }
        Ok(())
    }

    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError> {
        let call = Call::new("read the failed attempts").on(job);
        let rows = self.rows(call, "SELECT bytes FROM failures WHERE job = $1", &[&uuid(job)])?;
        let Some(row) = rows.first() else { return Ok(Vec::new()) };
        codec::decode_failures(job, column(call, row, 0)?).map_err(|error| call.corrupt(&error))
    }

    fn size_on_disk(&self) -> Result<Option<u64>, StoreError> {
        const SIZE: &str = "
            SELECT pg_total_relation_size('blocks') + (SELECT coalesce(sum(size), 0)::bigint FROM objects)";
        let call = Call::new("measure the store");
        let rows = self.rows(call, SIZE, &[])?;
        let bytes: Option<i64> = rows.first().map_or(Ok(None), |row| column(call, row, 0))?;
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()))
    }

    fn block_bytes(&self) -> usize {
        BlockBuilder::BYTES
    }
}

impl PostgresStore {
    pub(super) fn check_fence(&self, key: SegmentKey) -> Result<(), StoreError> {
        let call = Call::new("write rows").on(key.job);
        let parameters: super::Parameters<'_> = &[&uuid(key.job), &i64::from(key.attempt), &self.inner.claimant];
        if self.rows(call, fence!(), parameters)?.is_empty() { Err(self.fenced(call, key)?) } else { Ok(()) }
    }

    /// The error about a write of this attempt that did not pass the fence.
    pub(super) fn fenced(&self, call: Call, key: SegmentKey) -> Result<StoreError, StoreError> {
        let found = self.record(call, key.job)?;
        Ok(contract::check_attempt(found.as_ref(), key).err().unwrap_or_else(|| self.no_lease(call)))
    }

    /// Rows in objects are an error of their own for a store without an object store: they are not missing.
    pub(super) fn check_no_objects(&self, call: Call, key: SegmentKey) -> Result<(), StoreError> {
        const ANY: &str = "SELECT 1 FROM objects WHERE job = $1 AND attempt = $2 AND segment = $3 LIMIT 1";
        let (attempt, number) = (i64::from(key.attempt), i64::from(key.number));
        if self.rows(call, ANY, &[&uuid(key.job), &attempt, &number])?.is_empty() {
            return Ok(());
        }
        let detail = "they are in an object store: open this store with the option `objects`, as the others do";
        Err(call.failed(ErrorKind::Invalid, detail))
    }

    fn are_stored(&self, call: Call, records: &[&JobRecord]) -> Result<bool, StoreError> {
        for next in records {
            if self.record(call, next.id)?.as_ref() != Some(*next) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The error about the first end because of which the batch is refused.
    fn first_refusal(&self, call: Call, records: &[&JobRecord]) -> Result<StoreError, StoreError> {
        const HELD: &str = "
            SELECT 1 FROM queue
            WHERE job = $1 AND revision = $2::bigint - 1 AND (until IS NULL OR (claimant = $3 AND until > clock_timestamp()))";
        for next in records {
            let parameters: super::Parameters<'_> =
                &[&uuid(next.id), &signed(next.revision), &self.inner.claimant];
            if self.rows(call, HELD, parameters)?.is_empty() {
                return self.refusal(call, next);
            }
        }
        Ok(call.failed(ErrorKind::Unavailable, "others changed the jobs meanwhile"))
    }
}

/// A build without object stores.
#[cfg(not(feature = "objects"))]
impl PostgresStore {
    fn read_objects(
        &self,
        call: Call,
        key: SegmentKey,
        wanted: Range<u64>,
        _each: &mut EachRows<'_>,
    ) -> Result<(), StoreError> {
        self.check_no_objects(call, key)?;
        Err(contract::missing(self, key, &wanted))
    }

    fn object_blocks(&self, call: Call, key: SegmentKey, _each: &mut EachBlock<'_>) -> Result<(), StoreError> {
        self.check_no_objects(call, key)
    }
}

/// The segments of results, column by column.
#[derive(Default)]
struct Segments {
    owners: Vec<uuid::Uuid>,
    attempts: Vec<i64>,
    numbers: Vec<i64>,
    sizes: Vec<i64>,
}

impl Segments {
    fn of(ends: &[(&JobRecord, &JobResult)]) -> Self {
        let mut columns = Self::default();
        for (next, result) in ends {
            for segment in result.list.iter().flat_map(RowList::segments).filter(|segment| segment.rows > 0) {
                columns.owners.push(uuid(next.id));
                columns.attempts.push(i64::from(segment.attempt));
                columns.numbers.push(i64::from(segment.number));
                columns.sizes.push(signed(segment.rows));
            }
        }
        columns
    }
}

/// The finished work, each once. For equal work the last job counts.
fn works(ends: &[(&JobRecord, &JobResult)]) -> BTreeMap<Vec<u8>, uuid::Uuid> {
    let reusable = ends.iter().filter(|(next, _)| contract::is_reusable(next));
    reusable.filter_map(|(next, _)| Some((contract::work_hash(&next.spec)?.to_vec(), uuid(next.id)))).collect()
}

/// PostgreSQL checks its pages only if that is switched on, so the checksum of the block is compared.
pub(super) fn verify(key: SegmentKey, end: u64, bytes: &[u8], wanted: &Range<u64>) -> Result<(), StoreError> {
    let corrupt = |error| key.corrupt(wanted, error);
    let block = Block::parse(bytes).map_err(corrupt)?;
    block.verify(key, end.saturating_sub(block.len() as u64)).map_err(corrupt)
}
