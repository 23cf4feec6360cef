//! Blocks: many rows under one key, written once, read without decoding. `docs/format.md` has the bytes.
//!
//! A block is the rows as JSON with a comma between every two, then a table of where each row starts, then a
//! footer. So any run of rows inside a block is one slice that can be copied into a JSON array as it is. A store whose
//! engine does not pack by itself [packs](packed) the block before it stores it.

mod packed;
mod rows;

use std::{fmt, ops::Range};

use job_core::{InvalidJson, JobId, append_json, one_value};
use serde::Serialize;
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;

use self::packed::Packed;
pub use self::{
    packed::Packer,
    rows::{Rows, Unpacked},
};
use crate::{ErrorKind, StoreError};

/// The version of the layout of a block that is not packed.
const VERSION: u8 = 1;
/// `rows: u32 | version: u8 | checksum: u64`, big-endian.
const FOOTER: usize = 4 + 1 + 8;
/// One entry of the table: where a row starts, from the start of the block.
const ENTRY: usize = 4;

/// Names a segment: a run of rows that one worker of one attempt wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey {
    /// The job.
    pub job: JobId,
    /// The attempt that writes the segment. Rows of a dead attempt have other keys than those of a live one.
    pub attempt: u32,
    /// The number of the segment in its attempt, from 0.
    pub number: u32,
}

impl SegmentKey {
    /// The key of the block whose rows end before `end_row`: 32 bytes, big-endian, so that keys sort in row order.
    /// The key has the end and not the start of the block. So the block of a row is the first one after the key of
    /// the row, one forward seek away.
    #[must_use]
    pub fn block_key(self, end_row: u64) -> [u8; 32] {
        let mut key = [0; 32];
        let parts = [
            self.job.as_bytes().as_slice(),
            &self.attempt.to_be_bytes(),
            &self.number.to_be_bytes(),
            &end_row.to_be_bytes(),
        ];
        for (to, from) in key.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        key
    }

    /// The segment and the row after the block's last, from the [key of a block](Self::block_key).
    ///
    /// ```
    /// use job_core::JobId;
    /// use job_store::SegmentKey;
    ///
    /// let key = SegmentKey { job: JobId::MIN, attempt: 1, number: 0 };
    /// assert_eq!(SegmentKey::of_block(&key.block_key(7)), Some((key, 7)));
    /// ```
    #[must_use]
    pub fn of_block(block_key: &[u8]) -> Option<(Self, u64)> {
        let (job, rest) = block_key.split_first_chunk::<16>()?;
        let (attempt, rest) = rest.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let end_row = u64::from_be_bytes(rest.try_into().ok()?);
        let job = JobId::from_bytes(*job);
        Some((Self { job, attempt: u32::from_be_bytes(*attempt), number: u32::from_be_bytes(*number) }, end_row))
    }

    /// The error about a corrupt or missing piece of this segment.
    pub(crate) fn corrupt(self, rows: &Range<u64>, what: impl fmt::Display) -> StoreError {
        let detail =
            format!("rows {}..{} of segment {}.{}: {what}", rows.start, rows.end, self.attempt, self.number);
        StoreError::new(ErrorKind::Corrupt, "read rows", detail).on(self.job)
    }
}

/// Packs rows into blocks of one segment; one buffer, reused.
///
/// ```
/// use job_core::{JobId, Timestamp};
/// use job_store::{Block, BlockBuilder, SegmentKey};
///
/// let job = JobId::from_parts(Timestamp::default(), [0; 10]);
/// let key = SegmentKey { job, attempt: 1, number: 0 };
/// let mut builder = BlockBuilder::new(key);
/// builder.push(&"Sarah")?;
/// builder.push(&["Sid", "ney"])?;
/// let sealed = builder.seal();
/// let block = Block::parse(sealed.bytes)?;
/// block.verify(key, sealed.first_row)?;
/// assert_eq!(*block.rows(0..2)?.json()?, *br#""Sarah",["Sid","ney"]"#);
/// assert_eq!(*block.rows(1..2)?.json()?, *br#"["Sid","ney"]"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct BlockBuilder {
    key: SegmentKey,
    first_row: u64,
    bytes: Vec<u8>,
    /// The end of the last complete row. Bytes after it belong to a row that failed or panicked.
    end: usize,
    starts: Vec<u32>,
    sealed: bool,
}

impl BlockBuilder {
    /// The bytes of JSON of a block by default.
    pub const BYTES: usize = 128 << 10;
    /// The longest row, in bytes of JSON.
    pub const MAX_ROW: usize = 16 << 20;

    /// Starts at row 0 of the segment.
    #[must_use]
    pub fn new(key: SegmentKey) -> Self {
        Self { key, first_row: 0, bytes: Vec::new(), end: 0, starts: Vec::new(), sealed: false }
    }

    /// Adds a row, serialized to JSON straight into the block.
    ///
    /// # Errors
    /// When the row does not serialize or is longer than [`MAX_ROW`](Self::MAX_ROW); of a longer row no more than
    /// that is serialized. After an error or a panic of the row the block is as before.
    pub fn push<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), InvalidRow> {
        let start = self.open_row()?;
        append_json(&mut self.bytes, row, Self::MAX_ROW).map_err(|error| match error {
            InvalidJson::TooLong => InvalidRow::TooLong { max: Self::MAX_ROW },
            InvalidJson::NotJson(reason) => InvalidRow::NotJson(reason),
            InvalidJson::NotFinite { place, number } => {
                InvalidRow::NotFinite { row: self.next_row(), place, number }
            }
        })?;
        self.close_row(start);
        Ok(())
    }

    /// Adds a row that is JSON already. The caller guarantees that it is: the row is not parsed.
    ///
    /// # Errors
    /// When the row is longer than [`MAX_ROW`](Self::MAX_ROW). The block is then unchanged.
    pub fn push_json(&mut self, row: &serde_json::value::RawValue) -> Result<(), InvalidRow> {
        self.push_json_unchecked(row.get().as_bytes())
    }

    /// Adds a row of bytes that are JSON already, without the white space around it. Cost: one pass over them.
    ///
    /// # Errors
    /// When they are not exactly one JSON value, or longer than [`MAX_ROW`](Self::MAX_ROW); the block is as before.
    pub fn push_json_bytes(&mut self, json: &[u8]) -> Result<(), InvalidRow> {
        // No look at bytes that are refused anyhow.
        if json.len() > Self::MAX_ROW {
            return Err(InvalidRow::TooLong { max: Self::MAX_ROW });
        }
        let row = one_value(json).map_err(|error| match error {
            InvalidJson::NotJson(reason) => InvalidRow::NotJson(reason),
            other => InvalidRow::NotJson(other.to_string()),
        })?;
        self.push_json_unchecked(row.as_bytes())
    }

    /// Adds a row of bytes as they are. Bytes that are no JSON spoil every page that has this row, since a page is the
    /// rows with commas between them. They change no other row and no count: each row is found by its place.
    ///
    /// # Errors
    /// When there is none, or more than [`MAX_ROW`](Self::MAX_ROW); the block is as before.
    pub fn push_json_unchecked(&mut self, json: &[u8]) -> Result<(), InvalidRow> {
        if json.len() > Self::MAX_ROW {
            return Err(InvalidRow::TooLong { max: Self::MAX_ROW });
        }
        if json.is_empty() {
            return Err(InvalidRow::NotJson("it has no bytes".to_owned()));
        }
        let start = self.open_row()?;
        self.bytes.extend_from_slice(json);
        self.close_row(start);
        Ok(())
    }

    /// Begins a row after the last complete one, with a comma before it if it is not the first. Returns the start
    /// of the row.
    fn open_row(&mut self) -> Result<u32, InvalidRow> {
        self.reset_if_sealed();
        self.bytes.truncate(self.end);
        if !self.starts.is_empty() {
            self.bytes.push(b',');
        }
        // A block is sealed long before it has 4 GiB. The error is for a caller that never seals the block.
        u32::try_from(self.bytes.len()).map_err(|_| InvalidRow::BlockFull)
    }

    fn close_row(&mut self, start: u32) {
        self.starts.push(start);
        self.end = self.bytes.len();
    }

    /// Removes the last row of the open block. `false` if the block has none.
    pub fn pop(&mut self) -> bool {
        self.reset_if_sealed();
        let Some(start) = self.starts.pop() else { return false };
        let start = position(start.to_be_bytes());
        // The comma before the row is removed too. The first row has none.
        self.end = if self.starts.is_empty() { start } else { start - 1 };
        true
    }

    /// Rows of the segment so far, sealed or not.
    #[must_use]
    pub fn next_row(&self) -> u64 {
        self.first_row + self.starts.len() as u64
    }

    /// Rows in the open block.
    #[must_use]
    pub fn rows(&self) -> usize {
        if self.sealed { 0 } else { self.starts.len() }
    }

    /// Bytes of the open block, without its table.
    #[must_use]
    pub fn bytes(&self) -> usize {
        if self.sealed { 0 } else { self.end }
    }

    /// Closes the block. The next row opens a new one in the same buffer.
    pub fn seal(&mut self) -> SealedBlock<'_> {
        self.reset_if_sealed();
        let rows = self.starts.len();
        let json_bytes = self.end;
        self.bytes.truncate(json_bytes);
        self.bytes.reserve(rows * ENTRY + FOOTER);
        for start in &self.starts {
            self.bytes.extend_from_slice(&start.to_be_bytes());
        }
        let count = u32::try_from(rows).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&count.to_be_bytes());
        self.bytes.push(VERSION);
        let checksum = checksum(self.key, self.first_row + rows as u64, &self.bytes);
        self.bytes.extend_from_slice(&checksum.to_be_bytes());
        self.sealed = true;
        SealedBlock {
            key: self.key,
            first_row: self.first_row,
            rows: rows as u64,
            json_bytes: json_bytes as u64,
            bytes: &self.bytes,
        }
    }

    fn reset_if_sealed(&mut self) {
        if self.sealed {
            self.first_row += self.starts.len() as u64;
            self.starts.clear();
            self.bytes.clear();
            self.end = 0;
            self.sealed = false;
        }
    }
}

/// The checksum covers the key as well, so a block under a wrong key is found.
fn checksum(key: SegmentKey, end_row: u64, bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&key.block_key(end_row));
    hash.update(bytes);
    hash.digest()
}

/// A row that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidRow {
    /// The row does not serialize; the text is the reason.
    #[error("the row is not JSON: {0}")]
    NotJson(String),
    /// The row has a number that JSON does not have.
    #[error(
        "row {row} of its writer cannot be stored: {} is {number}, which JSON does not have; give a number, None, or OrNull to write null",
        if place.is_empty() { "it" } else { place }
    )]
    NotFinite {
        /// The number of the row in the segment, from 0.
        row: u64,
        /// The place in the row, such as `ranks[3].score`; empty if it is the row itself.
        place: String,
        /// `NaN`, `inf` or `-inf`.
        number: String,
    },
    /// The row is too long.
    #[error("the row has more than {max} bytes of JSON: that is the most a row may have")]
    TooLong {
        /// The most bytes that are allowed.
        max: usize,
    },
    /// The open block has no room for the row: it has to be sealed first.
    #[error("the block is full: seal it before the next row")]
    BlockFull,
}

/// An error about rows of a job that the caller knows.
impl From<InvalidBlock> for StoreError {
    fn from(invalid: InvalidBlock) -> Self {
        Self::new(ErrorKind::Corrupt, "read rows", invalid.to_string()).because(invalid)
    }
}

/// A block that is ready to be stored.
#[derive(Debug, Clone, Copy)]
pub struct SealedBlock<'a> {
    /// The segment that the block belongs to.
    pub key: SegmentKey,
    /// The number of its first row in the segment.
    pub first_row: u64,
    /// The number of rows in the block.
    pub rows: u64,
    /// Bytes of JSON of the rows.
    pub json_bytes: u64,
    /// The bytes to store.
    pub bytes: &'a [u8],
}

impl SealedBlock<'_> {
    /// The key under which a store keeps the block.
    #[must_use]
    pub fn block_key(&self) -> [u8; 32] {
        self.key.block_key(self.first_row.saturating_add(self.rows))
    }
}

/// A stored block, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    bytes: &'a [u8],
    content: Content<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    Plain { json: &'a [u8], starts: &'a [[u8; ENTRY]] },
    Packed(Packed<'a>),
}

impl<'a> Block<'a> {
    /// Finds rows and tables in `bytes`. Cost: constant, or the parts of a packed block; nothing is hashed (see
    /// [`verify`](Self::verify)) or unpacked.
    ///
    /// # Errors
    /// When the bytes cannot be a block of a known version.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, InvalidBlock> {
        let (rest, footer) = bytes.split_last_chunk::<FOOTER>().ok_or(InvalidBlock::Torn)?;
        let [a, b, c, d, version, ..] = *footer;
        let rows = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| InvalidBlock::Torn)?;
        let content = match version {
            VERSION => Content::plain(rest, rows)?,
            packed::VERSION => Content::Packed(Packed::parse(rest, rows)?),
            other => return Err(InvalidBlock::Version(other)),
        };
        Ok(Self { bytes, content })
    }

    /// Compares the checksum, which covers the key too. Cost: one pass over the block, some 20 GB/s.
    ///
    /// # Errors
    /// When a bit has changed since it was written, or the block has another key.
    pub fn verify(&self, key: SegmentKey, first_row: u64) -> Result<(), InvalidBlock> {
        let (covered, stored) = self.bytes.split_last_chunk::<8>().ok_or(InvalidBlock::Torn)?;
        if checksum(key, first_row.saturating_add(self.len() as u64), covered) == u64::from_be_bytes(*stored) {
            Ok(())
        } else {
            Err(InvalidBlock::Checksum)
        }
    }

    /// The number of rows in the block.
    #[must_use]
    pub const fn len(&self) -> usize {
        match &self.content {
            Content::Plain { starts, .. } => starts.len(),
            Content::Packed(packed) => packed.rows,
        }
    }

    /// Whether the block has no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of JSON of all its rows, with a comma between every two.
    #[must_use]
    pub const fn json_bytes(&self) -> usize {
        match &self.content {
            Content::Plain { json, .. } => json.len(),
            Content::Packed(packed) => packed.json,
        }
    }

    /// The rows `range`, counted from the first of the block. Cost: constant.
    ///
    /// # Errors
    /// When the range is not inside the block, or the table of a block that is not packed is damaged.
    pub fn rows(&self, range: Range<usize>) -> Result<Rows<'a>, InvalidBlock> {
        let (json, starts) = match self.content {
            Content::Plain { json, starts } => (json, starts),
            Content::Packed(packed) if range.start <= range.end && range.end <= packed.rows => {
                return Ok(Rows::packed(packed, &range));
            }
            Content::Packed(_) => return Err(InvalidBlock::Torn),
        };
        let run = starts.get(range.clone()).ok_or(InvalidBlock::Torn)?;
        let Some(first) = run.first() else { return Ok(Rows::none()) };
        let base = position(*first);
        let end = match starts.get(range.end) {
            // The comma before the next row does not belong to this range.
            Some(next) => position(*next).checked_sub(1).ok_or(InvalidBlock::Torn)?,
            None => json.len(),
        };
        Ok(Rows::plain(json.get(base..end).ok_or(InvalidBlock::Torn)?, run, base))
    }

    /// The JSON and the starts of the rows of a block that is not packed.
    const fn as_plain(&self) -> Option<(&'a [u8], &'a [[u8; ENTRY]])> {
        match self.content {
            Content::Plain { json, starts } => Some((json, starts)),
            Content::Packed(_) => None,
        }
    }
}

impl<'a> Content<'a> {
    fn plain(rest: &'a [u8], rows: usize) -> Result<Self, InvalidBlock> {
        let table = rows.checked_mul(ENTRY).and_then(|length| rest.len().checked_sub(length));
        let (json, table) = table.and_then(|at| rest.split_at_checked(at)).ok_or(InvalidBlock::Torn)?;
        let (starts, _) = table.as_chunks::<ENTRY>();
        Ok(Self::Plain { json, starts })
    }
}

fn position(start: [u8; ENTRY]) -> usize {
    usize::try_from(u32::from_be_bytes(start)).unwrap_or(usize::MAX)
}

/// Bytes that are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidBlock {
    /// The bytes are shorter than their footer says, or the table points outside of them.
    #[error("the block is torn")]
    Torn,
    /// This library does not know the version of the block.
    #[error("the block has format version {0}, this library reads 1 and 2")]
    Version(u8),
    /// This library does not know how the block is packed.
    #[error("the block is packed in the way {0}, this library knows 1")]
    Packing(u8),
    /// The bytes have changed since they were written.
    #[error("the checksum of the block does not match")]
    Checksum,
}

#[cfg(test)]
mod tests {
    use job_core::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn key() -> SegmentKey {
        SegmentKey { job: JobId::from_parts(Timestamp::default(), [5; 10]), attempt: 2, number: 7 }
    }

    fn sealed(rows: &[String]) -> Vec<u8> {
        let mut builder = BlockBuilder::new(key());
        for row in rows {
            builder.push(row).unwrap();
        }
        builder.seal().bytes.to_vec()
    }

    fn json(block: &Block<'_>, rows: Range<usize>) -> Vec<u8> {
        block.rows(rows).unwrap().json().unwrap().into_owned()
    }

    proptest! {
        #[test]
        fn any_run_of_rows_is_its_json(rows in prop::collection::vec(".{0,12}", 1..20), a in 0usize..20, b in 0usize..20) {
            let bytes = sealed(&rows);
            let block = Block::parse(&bytes).unwrap();
            block.verify(key(), 0).unwrap();
            let (start, end) = (a.min(b).min(rows.len()), a.max(b).min(rows.len()));
            let run = block.rows(start..end).unwrap().unpack().unwrap();
            let each: Vec<String> = run.iter().map(|row| serde_json::from_slice(row).unwrap()).collect();
            prop_assert_eq!(&each[..], &rows[start..end]);
            let array = [b"[", run.json(), b"]"].concat();
            prop_assert_eq!(serde_json::from_slice::<Vec<String>>(&array).unwrap(), &rows[start..end]);
        }

        #[test]
        fn any_bytes_are_a_block_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200), a in 0usize..50, b in 0usize..50) {
            if let Ok(block) = Block::parse(&bytes) {
                let _ = block.verify(key(), 0);
                if let Ok(rows) = block.rows(a.min(b)..a.max(b)) {
                    rows.unpack().unwrap().iter().for_each(drop);
                }
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = sealed(&["Sarah".into(), "Sidney".into()]);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = Block::parse(&flipped).and_then(|block| block.verify(key(), 0));
            assert!(found.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_block_under_another_key_is_found() {
        let bytes = sealed(&["Sarah".into()]);
        let block = Block::parse(&bytes).unwrap();
        assert_eq!(block.verify(key(), 1), Err(InvalidBlock::Checksum));
        assert_eq!(block.verify(SegmentKey { attempt: 1, ..key() }, 0), Err(InvalidBlock::Checksum));
    }

    #[test]
    fn a_row_can_be_taken_back() {
        let mut builder = BlockBuilder::new(key());
        assert!(!builder.pop());
        for row in ["a", "bb", "ccc"] {
            builder.push(row).unwrap();
        }
        assert!(builder.pop() && builder.pop());
        builder.push("d").unwrap();
        assert_eq!(builder.seal().rows, 2);
        assert!(!builder.pop());
        builder.push("e").unwrap();
        let sealed = builder.seal();
        let block = Block::parse(sealed.bytes).unwrap();
        assert_eq!((sealed.first_row, &*json(&block, 0..1)), (2, br#""e""#.as_slice()));
    }

    #[test]
    fn a_row_that_fails_leaves_the_block_as_it_was() {
        let mut builder = BlockBuilder::new(key());
        builder.push(&1).unwrap();
        let bad = std::collections::HashMap::from([(vec![1u8], 1)]);
        assert!(matches!(builder.push(&bad), Err(InvalidRow::NotJson(_))));
        let nan = builder.push(&[f64::NAN]).unwrap_err().to_string();
        assert!(nan.starts_with("row 1 of its writer cannot be stored: [0] is NaN, which JSON"), "{nan}");
        assert!(matches!(builder.push(&"x".repeat(BlockBuilder::MAX_ROW)), Err(InvalidRow::TooLong { .. })));
        let raw = serde_json::value::to_raw_value(&"x".repeat(BlockBuilder::MAX_ROW)).unwrap();
        assert!(matches!(builder.push_json(&raw), Err(InvalidRow::TooLong { .. })));
        builder.push(&2).unwrap();
        assert_eq!(json(&Block::parse(builder.seal().bytes).unwrap(), 0..2), b"1,2");
    }

    /// Bytes that a host may hand over as a row, and that are none.
    const WRONG: [&[u8]; 12] = [
        b"1,2",
        b"{",
        b"]",
        b"\"",
        b"{\"a\" 1}",
        b"nul",
        b"NaN",
        b"1e",
        b"\xff",
        b"\"\xc3(\"",
        b"{} {}",
        b"\0\0\0\0",
    ];

    #[test]
    fn bytes_that_are_one_value_are_a_row_and_others_are_refused() {
        let mut builder = BlockBuilder::new(key());
        let taken: [(&[u8], &str); 6] = [
            (b"1", "1"),
            (b" \t\r\n{\"a\": [1, 2]} \n", "{\"a\": [1, 2]}"),
            ("\"莎\"".as_bytes(), "\"莎\""),
            (b"123456789012345678901234567890.10", "123456789012345678901234567890.10"),
            (b"null", "null"),
            (b"{\n\"a\":\n1}", "{\n\"a\":\n1}"),
        ];
        for (row, _) in taken {
            builder.push_json_bytes(row).unwrap();
        }
        let before = builder.bytes();
        for wrong in WRONG.iter().chain(&[b"".as_slice(), b"  "]) {
            let error = builder.push_json_bytes(wrong).unwrap_err();
            assert!(matches!(error, InvalidRow::NotJson(_)), "{wrong:?}: {error}");
        }
        let long = vec![b'1'; BlockBuilder::MAX_ROW + 1];
        assert_eq!(builder.push_json_bytes(&long), Err(InvalidRow::TooLong { max: BlockBuilder::MAX_ROW }));
        assert_eq!(builder.push_json_unchecked(&long), Err(InvalidRow::TooLong { max: BlockBuilder::MAX_ROW }));
        assert!(matches!(builder.push_json_unchecked(b""), Err(InvalidRow::NotJson(_))));
        assert_eq!((builder.rows(), builder.bytes()), (taken.len(), before), "the block is as before");
        let sealed = builder.seal();
        let block = Block::parse(sealed.bytes).unwrap();
        let rows = block.rows(0..taken.len()).unwrap().unpack().unwrap();
        assert!(rows.iter().eq(taken.iter().map(|(_, row)| row.as_bytes())));
    }

    /// Every other row, every count and every page without it are as they would be.
    #[test]
    fn a_wrong_row_that_nobody_checked_spoils_no_other() {
        for wrong in WRONG {
            let mut builder = BlockBuilder::new(key());
            builder.push("before").unwrap();
            builder.push_json_unchecked(wrong).unwrap();
            builder.push("after").unwrap();
            assert_eq!((builder.rows(), builder.next_row()), (3, 3));
            let bytes = builder.seal().bytes.to_vec();
            let block = Block::parse(&bytes).unwrap();
            block.verify(key(), 0).unwrap();
            let rows: Vec<Vec<u8>> =
                block.rows(0..3).unwrap().unpack().unwrap().iter().map(<[u8]>::to_vec).collect();
            assert_eq!(rows, [b"\"before\"".to_vec(), wrong.to_vec(), b"\"after\"".to_vec()]);
            assert_eq!(json(&block, 0..1), b"\"before\"");
            assert_eq!(json(&block, 2..3), b"\"after\"");
            // It can be taken back, as any row.
            let mut builder = BlockBuilder::new(key());
            builder.push("before").unwrap();
            builder.push_json_unchecked(wrong).unwrap();
            assert!(builder.pop());
            builder.push("after").unwrap();
            assert_eq!(json(&Block::parse(builder.seal().bytes).unwrap(), 0..2), b"\"before\",\"after\"");
        }
    }

    /// A row whose serialization panics after its first field.
    struct Panics;

    impl Serialize for Panics {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeMap;
            let mut fields = serializer.serialize_map(None)?;
            fields.serialize_entry("id", &1)?;
            panic!("the second field")
        }
    }

    /// A handler may catch the panic and add more rows. A page must not be `[1,{"id":1,2]` then.
    #[test]
    fn a_row_that_panics_leaves_the_block_as_it_was() {
        let mut builder = BlockBuilder::new(key());
        let panics = |builder: &mut BlockBuilder| {
            let push = std::panic::AssertUnwindSafe(|| builder.push(&Panics));
            assert!(std::panic::catch_unwind(push).is_err());
        };
        panics(&mut builder);
        assert_eq!((builder.rows(), builder.bytes()), (0, 0));
        builder.push(&1).unwrap();
        panics(&mut builder);
        assert_eq!((builder.rows(), builder.bytes()), (1, 1));
        builder.push(&2).unwrap();
        panics(&mut builder);
        assert!(builder.pop());
        builder.push(&3).unwrap();
        panics(&mut builder);
        let sealed = builder.seal();
        assert_eq!((sealed.rows, sealed.json_bytes), (2, 3));
        let block = Block::parse(sealed.bytes).unwrap();
        block.verify(key(), 0).unwrap();
        assert_eq!(json(&block, 0..2), b"1,3");
    }

    /// A row of a gigabyte must be refused before all of it is serialized.
    #[test]
    fn a_row_without_end_costs_no_more_than_the_longest_that_fits() {
        let mut builder = BlockBuilder::new(key());
        builder.push(&"x".repeat(BlockBuilder::MAX_ROW - 2)).unwrap();
        let long = "x".repeat(1 << 20);
        let huge = vec![long.as_str(); 1 << 16]; // 64 GiB
        assert_eq!(builder.push(&huge), Err(InvalidRow::TooLong { max: BlockBuilder::MAX_ROW }));
        assert!(builder.bytes.capacity() <= 4 * BlockBuilder::MAX_ROW, "{}", builder.bytes.capacity());
        assert_eq!((builder.rows(), builder.bytes()), (1, BlockBuilder::MAX_ROW));
    }

    #[test]
    fn the_next_block_goes_on_where_the_last_ended() {
        let mut builder = BlockBuilder::new(key());
        builder.push(&1).unwrap();
        builder.push(&2).unwrap();
        assert_eq!(builder.seal().first_row, 0);
        assert_eq!((builder.rows(), builder.next_row()), (0, 2));
        builder.push(&3).unwrap();
        let second = builder.seal();
        assert_eq!((second.first_row, second.rows, second.json_bytes), (2, 1, 1));
    }

    /// The bytes of `docs/format.md`, version 1: they must never change.
    #[test]
    fn golden_bytes() {
        let mut builder = BlockBuilder::new(SegmentKey { job: JobId::from_bytes([1; 16]), attempt: 1, number: 0 });
        builder.push(&"a").unwrap();
        builder.push(&7).unwrap();
        let expected: [u8; 26] = [
            0x22, 0x61, 0x22, 0x2c, 0x37, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, 1, 0x0b, 0xf8, 0xbc, 0xdd, 0x4b,
            0x2a, 0x3a, 0x9a,
        ];
        assert_eq!(builder.seal().bytes, expected);
    }
}
