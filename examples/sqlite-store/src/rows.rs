//! The writer of a segment, and the removal of a job's rows.

use job_core::{JobId, Segment};
use job_store::{
    Durability, SealedBlock, SegmentKey, SegmentWriter, StoreError,
    contract::{self, Tally},
};
use rusqlite::{Connection, params};

use crate::{SqliteStore, record, signed};

const OPERATION: &str = "write rows";

/// Writes a segment block by block. The transaction of each block checks that the attempt still runs.
#[derive(Debug)]
pub(crate) struct Writer {
    store: SqliteStore,
    tally: Tally,
}

impl Writer {
    pub(crate) const fn new(store: SqliteStore, key: SegmentKey) -> Self {
        Self { store, tally: Tally::new(key) }
    }
}

impl SegmentWriter for Writer {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        const APPEND: &str = "INSERT INTO blocks (job, attempt, segment, end, bytes) VALUES (?1, ?2, ?3, ?4, ?5)";
        let (key, tally) = (self.tally.key(), &self.tally);
        self.store.write(OPERATION, Durability::Buffered, |tx| {
            // The attempt is checked first, so that a worker that has lost its job gets that error even if its
            // block is wrong.
            contract::check_attempt(record(tx, key.job, OPERATION)?.as_ref(), key)?;
            tally.check(&block)?;
            let end = signed(block.first_row + block.rows);
            tx.prepare_cached(APPEND)?.execute(params![
                key.job.as_bytes(),
                key.attempt,
                key.number,
                end,
                block.bytes
            ])?;
            Ok(())
        })?;
        self.tally.add(&block);
        Ok(())
    }

    fn visible_rows(&self) -> u64 {
        self.tally.rows()
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        let found = self.store.get_running(self.tally.key())?;
        contract::check_attempt(found.as_ref(), self.tally.key())?;
        Ok(self.tally.segment())
    }
}

/// Drops the rows of attempts up to and including this one.
pub(crate) fn drop_rows(connection: &Connection, job: JobId, attempt: u32) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM blocks WHERE job = ?1 AND attempt <= ?2")?;
    statement.execute(params![job.as_bytes(), attempt]).map(drop)
}

pub(crate) fn drop_checkpoint(connection: &Connection, job: JobId) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("DELETE FROM checkpoints WHERE job = ?1")?;
    statement.execute(params![job.as_bytes()]).map(drop)
}
