//! Reads the blocks of a segment, batch after batch. The server finds the next batch while the caller has one.

use std::ops::Range;

use tokio::task::JoinHandle;
use tokio_postgres::{Error, Row, types::ToSql};

use super::{Call, PostgresStore, column, signed, uuid, wait::wait};
use crate::{SegmentKey, StoreError};

/// The blocks from the first to the last of the rows `$4..$5`, at most `$6` of them: two look-ups in the index.
const READ: &str = "
    SELECT end_row, bytes FROM blocks
    WHERE job = $1 AND attempt = $2 AND segment = $3 AND end_row > $4
        AND end_row <= coalesce((
            SELECT last.end_row FROM blocks last
            WHERE last.job = $1 AND last.attempt = $2 AND last.segment = $3 AND last.end_row >= $5
            ORDER BY last.end_row LIMIT 1), 9223372036854775807)
    ORDER BY end_row LIMIT $6";

/// The most blocks of a batch: a few MiB.
const BATCH: usize = 16;

/// The blocks that hold some rows of a segment, in batches. Memory: two batches.
pub(super) struct Blocks<'s> {
    store: &'s PostgresStore,
    call: Call,
    key: SegmentKey,
    /// The rows that no batch has had.
    rest: Range<u64>,
    /// The next batch, on its way.
    next: Option<Sent>,
}

/// The answer to a statement that was sent. A task reads it from the socket, also when no call waits for it.
pub(super) type Sent = JoinHandle<Result<Vec<Row>, Error>>;

impl<'s> Blocks<'s> {
    pub(super) const fn new(store: &'s PostgresStore, call: Call, key: SegmentKey, rows: Range<u64>) -> Self {
        Self { store, call, key, rest: rows, next: None }
    }

    /// The next batch; it is empty after the last one. No connection is held when it returns.
    pub(super) fn batch(&mut self) -> Result<Vec<Row>, StoreError> {
        if self.rest.is_empty() {
            return Ok(Vec::new());
        }
        let found = match self.arrived() {
            Some(found) => found,
            None => self.store.rows(self.call, READ, &self.parameters().each_ref().map(|one| &**one as _))?,
        };
        match found.last() {
            Some(last) => self.rest.start = block(self.call, last)?.0,
            None => self.rest.start = self.rest.end,
        }
        if found.len() < BATCH {
            self.rest.start = self.rest.end;
        } else if !self.rest.is_empty() {
            self.next = self.store.inner.pool.send(READ, || self.parameters().into());
        }
        Ok(found)
    }

    /// The batch that was sent for. `None` if it failed: the batch is then asked for anew, as any read.
    fn arrived(&mut self) -> Option<Vec<Row>> {
        let sent = self.next.take()?;
        wait(sent, self.store.inner.pool.deadline())?.ok()?.ok()
    }

    fn parameters(&self) -> [Box<dyn ToSql + Sync + Send>; 6] {
        let SegmentKey { job, attempt, number } = self.key;
        let number_of = |count: u64| Box::new(signed(count)) as Box<dyn ToSql + Sync + Send>;
        let batch = BATCH as u64;
        let [attempt, number, start, end, batch] =
            [attempt.into(), number.into(), self.rest.start, self.rest.end, batch].map(number_of);
        [Box::new(uuid(job)), attempt, number, start, end, batch]
    }
}

/// The row after the block's last, and the bytes of the block.
pub(super) fn block(call: Call, row: &Row) -> Result<(u64, &[u8]), StoreError> {
    let end: i64 = column(call, row, 0)?;
    Ok((end.unsigned_abs(), column(call, row, 1)?))
}
