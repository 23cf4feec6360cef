//! Writing one segment: each block is one statement, which locks and compares the fence as it writes.

use std::fmt;

use job_core::Segment;

use super::{Call, Parameters, PostgresStore, signed, uuid};
use crate::{SealedBlock, SegmentKey, SegmentWriter, StoreError, contract::Tally};

/// Put in place of a block of the same rows: the statement may be sent twice.
const APPEND: &str = "
    WITH fence AS (
        SELECT job FROM queue
        WHERE job = $1 AND attempt = $2 AND state > 0
            AND (until IS NULL OR (claimant = $3 AND until > clock_timestamp()))
        FOR SHARE
    )
    INSERT INTO blocks (job, attempt, segment, end_row, bytes) SELECT job, $2, $4, $5, $6 FROM fence
    ON CONFLICT (job, attempt, segment, end_row) DO UPDATE SET bytes = excluded.bytes RETURNING 1";

/// Nothing is gathered: a block is large beside the cost of a statement, so a writer hears of a lost lease with the
/// next block, and what it has appended can be read.
pub(super) struct PostgresSegment {
    store: PostgresStore,
    tally: Tally,
}

impl PostgresSegment {
    pub(super) const fn new(store: PostgresStore, key: SegmentKey) -> Self {
        Self { store, tally: Tally::new(key) }
    }
}

impl SegmentWriter for PostgresSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        let key = self.tally.key;
        let call = Call::new("append rows").on(key.job);
        if let Err(refused) = self.tally.check(&block) {
            // Whoever is fenced off hears of that first.
            self.store.check_fence(key)?;
            return Err(refused);
        }
        let (attempt, number) = (i64::from(key.attempt), i64::from(key.number));
        let end = signed(block.first_row + block.rows);
        let parameters: Parameters<'_> =
            &[&uuid(key.job), &attempt, &self.store.inner.claimant, &number, &end, &block.bytes];
        if self.store.rows(call, APPEND, parameters)?.is_empty() {
            return Err(self.store.fenced(call, key)?);
        }
        self.tally.add(&block);
        Ok(())
    }

    fn readable(&self) -> u64 {
        self.tally.rows()
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        self.store.check_fence(self.tally.key)?;
        Ok(self.tally.segment())
    }
}

impl fmt::Debug for PostgresSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSegment").field("tally", &self.tally).finish_non_exhaustive()
    }
}
