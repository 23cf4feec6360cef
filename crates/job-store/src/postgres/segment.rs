//! Writing one segment: each block is one statement, which locks and compares the fence as it writes.

use std::{fmt, ops::Range};

use job_core::Segment;

use super::{Call, Parameters, PostgresStore, fence::fenced, signed, uuid};
use crate::{
    SealedBlock, SegmentKey, SegmentWriter, StoreError,
    contract::{Packer, Tally},
};

/// The statement replaces a block of the same rows, since it may be sent twice.
const APPEND: &str = fenced!(
    "
    INSERT INTO blocks (job, attempt, segment, end_row, bytes, first_row) SELECT job, $2, $4, $5, $6, $7 FROM fence
    ON CONFLICT (job, attempt, segment, end_row)
        DO UPDATE SET bytes = excluded.bytes, first_row = excluded.first_row RETURNING 1"
);

/// Blocks are not gathered, since a block is large beside the cost of a statement. So a writer learns of a lost
/// lease with its next block, and appended blocks can be read at once.
pub(super) struct PostgresSegment {
    store: PostgresStore,
    tally: Tally,
    packer: Packer,
}

impl PostgresSegment {
    pub(super) fn new(store: PostgresStore, key: SegmentKey) -> Self {
        Self { tally: Tally::new(key), packer: Packer::new(store.inner.options.packing), store }
    }
}

impl SegmentWriter for PostgresSegment {
    fn append(&mut self, block: SealedBlock<'_>) -> Result<(), StoreError> {
        let key = self.tally.key();
        let call = Call::new("append rows").on(key.job);
        if let Err(refused) = self.tally.check(&block) {
            // The fence is checked first, so that a late writer gets `Fenced` also for a faulty block.
            self.store.check_fence(key)?;
            return Err(refused);
        }
        let rows = block.first_row..block.first_row + block.rows;
        let packed = self.packer.pack(block);
        self.store.append_block(call, key, rows, packed.bytes)?;
        self.tally.add(&packed);
        Ok(())
    }

    fn visible_rows(&self) -> u64 {
        self.tally.rows()
    }

    fn stored_bytes(&self) -> u64 {
        self.tally.stored_bytes()
    }

    fn finish(self: Box<Self>) -> Result<Segment, StoreError> {
        self.store.check_fence(self.tally.key())?;
        Ok(self.tally.segment())
    }
}

impl PostgresStore {
    pub(super) fn append_block(
        &self,
        call: Call,
        key: SegmentKey,
        rows: Range<u64>,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let (attempt, number) = (i64::from(key.attempt), i64::from(key.number));
        let [first, end] = [rows.start, rows.end].map(signed);
        let parameters: Parameters<'_> =
            &[&uuid(key.job), &attempt, &self.inner.claimant, &number, &end, &bytes, &first];
        if self.rows(call, APPEND, parameters)?.is_empty() { Err(self.fenced(call, key)?) } else { Ok(()) }
    }
}

impl fmt::Debug for PostgresSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSegment").field("tally", &self.tally).finish_non_exhaustive()
    }
}
