//! The row of an object, which names its blocks and their places.

use std::ops::Range;

use super::super::{Call, Parameters, PostgresStore, column, fence::fenced, signed, uuid};
use crate::{SegmentKey, StoreError};

/// A repeated row replaces itself, since the statement may be sent twice.
const ADD: &str = fenced!(
    "
    INSERT INTO objects (job, attempt, segment, end_row, first_row, name, size, ends, offsets)
    SELECT job, $2, $4, $5, $6, $7, $8, $9, $10 FROM fence
    ON CONFLICT (job, attempt, segment, end_row) DO UPDATE SET first_row = excluded.first_row, name = excluded.name,
        size = excluded.size, ends = excluded.ends, offsets = excluded.offsets
    RETURNING 1"
);

/// The next objects, whether they hold rows of the page or not: a few rows are cheaper than a test.
const FIND: &str = "
    SELECT name, ends, offsets FROM objects
    WHERE job = $1 AND attempt = $2 AND segment = $3 AND end_row > $4
    ORDER BY end_row LIMIT 4";

/// The blocks of an object that is stored or about to be.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) blocks: Vec<Placed>,
}

/// A block in an object.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    /// The row after its last.
    pub(super) end: u64,
    pub(super) bytes: Range<u64>,
}

impl Object {
    pub(super) fn end(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.end)
    }

    pub(super) fn size(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.bytes.end)
    }

    /// The blocks that hold the rows `wanted`, of which the first may be in an earlier object.
    pub(super) fn with(&self, wanted: &Range<u64>) -> &[Placed] {
        let first = self.blocks.partition_point(|block| block.end <= wanted.start);
        let last = self.blocks.partition_point(|block| block.end < wanted.end) + 1;
        self.blocks.get(first..last.min(self.blocks.len())).unwrap_or_default()
    }

    fn decode(name: String, ends: &[i64], offsets: &[i64]) -> Option<Self> {
        let ascend = |numbers: &[i64]| numbers.first() > Some(&0) && numbers.is_sorted_by(|a, b| a < b);
        if ends.len() != offsets.len() || !ascend(ends) || !ascend(offsets) {
            return None;
        }
        let starts = [0].into_iter().chain(offsets.iter().copied());
        let placed = ends.iter().zip(starts.zip(offsets)).map(|(end, (start, after))| Placed {
            end: end.unsigned_abs(),
            bytes: start.unsigned_abs()..after.unsigned_abs(),
        });
        Some(Self { name, blocks: placed.collect() })
    }
}

impl PostgresStore {
    /// Adds a stored object to its segment.
    pub(super) fn add_object(
        &self,
        call: Call,
        key: SegmentKey,
        first_row: u64,
        object: &Object,
    ) -> Result<bool, StoreError> {
        let (attempt, number) = (i64::from(key.attempt), i64::from(key.number));
        let [first_row, end, size] = [first_row, object.end(), object.size()].map(signed);
        let ends: Vec<_> = object.blocks.iter().map(|block| signed(block.end)).collect();
        let offsets: Vec<_> = object.blocks.iter().map(|block| signed(block.bytes.end)).collect();
        let parameters: Parameters<'_> = &[
            &uuid(key.job),
            &attempt,
            &self.inner.claimant,
            &number,
            &end,
            &first_row,
            &object.name,
            &size,
            &ends,
            &offsets,
        ];
        Ok(!self.rows(call, ADD, parameters)?.is_empty())
    }

    /// The next objects of a segment that end behind `row`.
    pub(super) fn objects_after(&self, call: Call, key: SegmentKey, row: u64) -> Result<Vec<Object>, StoreError> {
        let (attempt, number) = (i64::from(key.attempt), i64::from(key.number));
        let rows = self.rows(call, FIND, &[&uuid(key.job), &attempt, &number, &signed(row)])?;
        let objects = rows.iter().map(|row| {
            let (ends, offsets): (Vec<i64>, Vec<i64>) = (column(call, row, 1)?, column(call, row, 2)?);
            let object = Object::decode(column(call, row, 0)?, &ends, &offsets);
            object.ok_or_else(|| call.corrupt(&"the index of an object is damaged"))
        });
        objects.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_of_a_page_are_found() {
        let object = Object::decode("o".to_owned(), &[10, 20, 30], &[100, 200, 350]).unwrap();
        assert_eq!((object.end(), object.size()), (30, 350));
        let found = |wanted: Range<u64>| {
            let blocks = object.with(&wanted);
            (blocks.len(), blocks.first().map(|block| block.bytes.start), blocks.last().map(|block| block.end))
        };
        assert_eq!(found(0..1), (1, Some(0), Some(10)));
        assert_eq!(found(9..10), (1, Some(0), Some(10)));
        assert_eq!(found(9..11), (2, Some(0), Some(20)));
        assert_eq!(found(10..30), (2, Some(100), Some(30)));
        assert_eq!(found(25..900), (1, Some(200), Some(30)));
        assert_eq!(found(30..31), (0, None, None));
    }

    #[test]
    fn a_damaged_index_is_none() {
        for (ends, offsets) in
            [(&[1, 2][..], &[5][..]), (&[], &[]), (&[2, 1], &[5, 6]), (&[1, 2], &[5, 5]), (&[-1], &[1])]
        {
            assert!(Object::decode(String::new(), ends, offsets).is_none(), "{ends:?} {offsets:?}");
        }
    }
}
