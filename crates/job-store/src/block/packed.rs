//! Version 2 of a block: its JSON in parts, each packed by itself. `docs/format.md` has the bytes.

use std::{borrow::Cow, fmt, ops::Range};

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

use super::{Block, InvalidBlock, SealedBlock, checksum};
use crate::Packing;

/// The version of the layout.
pub(super) const VERSION: u8 = 2;
/// The least bytes of JSON in a part of a block that has several.
const PART: usize = 64 << 10;
/// The most bytes of JSON in a part. A page needs no more memory than that beside its own.
const MAX_PART: usize = 2 * PART;
/// One entry of the table of parts: its bytes as they are stored, and its bytes of JSON.
const ENTRY: usize = 8;
/// The number of LZ4 in a block. No other is known.
const LZ4: u8 = 1;
/// LZ4 packs 255 bytes into one, at most. A length above that is a lie.
const MAX_RATIO: usize = 255;

/// The parts and tables of a block of this version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed<'a> {
    /// The parts, one after the other.
    parts: &'a [u8],
    /// For each part its packed and its unpacked length.
    lengths: &'a [[u8; ENTRY]],
    table: &'a [u8],
    /// Bytes of an entry of the unpacked table.
    width: usize,
    pub(super) rows: usize,
    /// Bytes of JSON of all parts.
    pub(super) json: usize,
}

impl<'a> Packed<'a> {
    /// Finds parts and tables in the bytes before the footer. Every length is compared here, before memory is taken for
    /// it. Cost: the number of parts.
    pub(super) fn parse(bytes: &'a [u8], rows: usize) -> Result<Self, InvalidBlock> {
        let (rest, &[width, packing]) = bytes.split_last_chunk().ok_or(InvalidBlock::Torn)?;
        if packing != LZ4 {
            return Err(InvalidBlock::Packing(packing));
        }
        let (rest, counts) = rest.split_last_chunk().ok_or(InvalidBlock::Torn)?;
        let (table, count) = pair(*counts);
        let (rest, lengths) = split_end(rest, count.checked_mul(ENTRY).ok_or(InvalidBlock::Torn)?)?;
        let (parts, table) = split_end(rest, table)?;
        let (lengths, _) = lengths.as_chunks::<ENTRY>();
        let width = usize::from(width);
        let known_width = matches!(width, 1 | 2 | 4);
        if !known_width || !is_packed(table.len(), rows.checked_mul(width).ok_or(InvalidBlock::Torn)?) {
            return Err(InvalidBlock::Torn);
        }
        let (mut stored, mut json) = (0_usize, 0_usize);
        for (length, unpacked) in lengths.iter().copied().map(pair) {
            if unpacked > MAX_PART || length == 0 || !is_packed(length, unpacked) {
                return Err(InvalidBlock::Torn);
            }
            stored = stored.checked_add(length).ok_or(InvalidBlock::Torn)?;
            json = json.checked_add(unpacked).ok_or(InvalidBlock::Torn)?;
        }
        if stored != parts.len() || (rows == 0) != (json == 0) {
            return Err(InvalidBlock::Torn);
        }
        Ok(Self { parts, lengths, table, width, rows, json })
    }

    /// The row table, and where the JSON of these rows is in that of the block.
    fn place(&self, rows: &Range<usize>) -> Result<(Lengths<'a>, Range<usize>), InvalidBlock> {
        let length = self.rows * self.width;
        let bytes = if self.table.len() == length {
            Cow::Borrowed(self.table)
        } else {
            let mut bytes = vec![0; length];
            unpack(self.table, &mut bytes)?;
            Cow::Owned(bytes)
        };
        let lengths = Lengths { bytes, width: self.width };
        let [before, these, after] = [0..rows.start, rows.clone(), rows.end..self.rows].map(|some| {
            // With every row comes a comma, but for the last.
            lengths.sum(&some).map(|bytes| bytes + some.len() as u64)
        });
        let (before, these, after) = (
            before.ok_or(InvalidBlock::Torn)?,
            these.ok_or(InvalidBlock::Torn)?,
            after.ok_or(InvalidBlock::Torn)?,
        );
        if before + these + after != self.json as u64 + 1 {
            return Err(InvalidBlock::Torn);
        }
        let at = |place: u64| usize::try_from(place).map_err(|_| InvalidBlock::Torn);
        Ok((lengths, at(before)?..at((before + these).saturating_sub(1))?))
    }

    /// Appends the JSON of these rows, of which there is at least one, to `out`. Only the parts that they lie in are
    /// unpacked, each where it belongs in `out`. After an error `out` is as before.
    pub(super) fn append(&self, rows: &Range<usize>, out: &mut Vec<u8>) -> Result<Lengths<'a>, InvalidBlock> {
        let (lengths, wanted) = self.place(rows)?;
        let before = out.len();
        out.reserve(wanted.len());
        let (mut at, mut rest) = (0, self.parts);
        for (length, unpacked) in self.lengths.iter().copied().map(pair) {
            let (stored, after) = rest.split_at_checked(length).ok_or(InvalidBlock::Torn)?;
            let part = at..at + unpacked;
            (at, rest) = (part.end, after);
            let from = wanted.start.max(part.start);
            let to = wanted.end.min(part.end);
            if from < to {
                append_part(stored, unpacked, from - part.start..to - part.start, out)
                    .inspect_err(|_| out.truncate(before))?;
            }
        }
        Ok(lengths)
    }
}

/// Appends a piece of one part. A part is unpacked as a whole, since LZ4 has no way into its middle.
fn append_part(
    stored: &[u8],
    unpacked: usize,
    piece: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), InvalidBlock> {
    if stored.len() == unpacked {
        out.extend_from_slice(stored.get(piece).ok_or(InvalidBlock::Torn)?);
        return Ok(());
    }
    let start = out.len();
    out.resize(start + unpacked, 0);
    let (_, room) = out.split_at_mut(start);
    unpack(stored, room)?;
    out.truncate(start + piece.end);
    if piece.start > 0 {
        out.drain(start..start + piece.start);
    }
    Ok(())
}

/// Unpacks bytes that fill all of `room`.
fn unpack(stored: &[u8], room: &mut [u8]) -> Result<(), InvalidBlock> {
    match decompress_into(stored, room) {
        Ok(length) if length == room.len() => Ok(()),
        _ => Err(InvalidBlock::Torn),
    }
}

/// Whether LZ4 can make that number of bytes of `unpacked` ones, or they are these as they are.
const fn is_packed(stored: usize, unpacked: usize) -> bool {
    stored <= unpacked && unpacked <= stored.saturating_mul(MAX_RATIO)
}

fn number(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX)
}

/// Two numbers, one after the other.
fn pair(bytes: [u8; ENTRY]) -> (usize, usize) {
    let both = u64::from_be_bytes(bytes);
    let number = |bits: u64| usize::try_from(bits & u64::from(u32::MAX)).unwrap_or(usize::MAX);
    (number(both >> 32), number(both))
}

fn split_end(bytes: &[u8], length: usize) -> Result<(&[u8], &[u8]), InvalidBlock> {
    let at = bytes.len().checked_sub(length).ok_or(InvalidBlock::Torn)?;
    bytes.split_at_checked(at).ok_or(InvalidBlock::Torn)
}

/// The lengths of all rows of a block.
#[derive(Debug, Clone)]
pub(super) struct Lengths<'a> {
    bytes: Cow<'a, [u8]>,
    width: usize,
}

impl Lengths<'_> {
    /// The length of a row; 0 of one that the block does not have.
    pub(super) fn of(&self, row: usize) -> usize {
        let at = row.saturating_mul(self.width);
        let bytes = self.bytes.get(at..at.saturating_add(self.width)).unwrap_or_default();
        bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
    }

    /// The bytes of these rows together.
    fn sum(&self, rows: &Range<usize>) -> Option<u64> {
        let bytes = self.bytes.get(rows.start.checked_mul(self.width)?..rows.end.checked_mul(self.width)?)?;
        Some(match self.width {
            1 => bytes.iter().map(|byte| u64::from(*byte)).sum(),
            2 => bytes.as_chunks().0.iter().map(|length| u64::from(u16::from_be_bytes(*length))).sum(),
            _ => bytes.as_chunks().0.iter().map(|length| u64::from(u32::from_be_bytes(*length))).sum(),
        })
    }
}

/// Packs sealed blocks, for a store whose engine does not pack by itself. One buffer, reused.
///
/// ```
/// use job_core::JobId;
/// use job_store::{Block, BlockBuilder, Packing, SegmentKey, contract::Packer};
///
/// let key = SegmentKey { job: JobId::MIN, attempt: 1, number: 0 };
/// let mut builder = BlockBuilder::new(key);
/// (0..1_000).try_for_each(|_| builder.push("Sarah"))?;
/// let sealed = builder.seal();
/// let mut packer = Packer::new(Packing::Lz4);
/// let packed = packer.pack(sealed);
/// assert!(packed.bytes.len() * 50 < sealed.bytes.len());
/// assert_eq!((packed.rows, packed.json_bytes), (sealed.rows, sealed.json_bytes));
/// let rows = Block::parse(packed.bytes)?.rows(998..1_000)?;
/// assert_eq!(*rows.json()?, *br#""Sarah","Sarah""#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Packer {
    packing: Packing,
    /// The packed block.
    bytes: Vec<u8>,
    /// The lengths of the rows.
    table: Vec<u8>,
    /// The memory in which LZ4 finds repetitions, made with the first block.
    seen: Option<CompressTable>,
}

impl Packer {
    /// A packer of this kind. ZSTD is RocksDB's alone, and leaves blocks as they are here.
    #[must_use]
    pub const fn new(packing: Packing) -> Self {
        Self { packing, bytes: Vec::new(), table: Vec::new(), seen: None }
    }

    /// The block, packed; or as it is, where that is shorter or the block is packed already. Cost: one pass over it.
    pub fn pack<'p>(&'p mut self, block: SealedBlock<'p>) -> SealedBlock<'p> {
        if self.packing != Packing::Lz4 || block.rows == 0 {
            return block;
        }
        let Some((json, starts)) = Block::parse(block.bytes).ok().and_then(|block| block.as_plain()) else {
            return block;
        };
        if self.write(block, json, starts).is_none() || self.bytes.len() >= block.bytes.len() {
            return block;
        }
        SealedBlock { bytes: &self.bytes, ..block }
    }

    /// Writes the packed block. `None` if it has lengths that the layout has no room for.
    fn write(&mut self, block: SealedBlock<'_>, json: &[u8], starts: &[[u8; 4]]) -> Option<()> {
        let Self { bytes, table, seen, .. } = self;
        let seen = seen.get_or_insert_with(CompressTable::large);
        bytes.clear();
        // Parts of one size: the last of several is not a few bytes.
        let count = (json.len() / PART).max(1);
        let mut lengths = Vec::with_capacity(count * ENTRY);
        for part in json.chunks(json.len().div_ceil(count)) {
            let stored = pack_part(part, seen, bytes);
            lengths.extend_from_slice(&u32::try_from(stored).ok()?.to_be_bytes());
            lengths.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        }
        let width = write_lengths(json.len(), starts, table)?;
        let stored = pack_part(table, seen, bytes);
        bytes.extend_from_slice(&lengths);
        bytes.extend_from_slice(&u32::try_from(stored).ok()?.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(lengths.len() / ENTRY).ok()?.to_be_bytes());
        bytes.extend_from_slice(&[width, LZ4]);
        bytes.extend_from_slice(&u32::try_from(block.rows).ok()?.to_be_bytes());
        bytes.push(VERSION);
        let sum = checksum(block.key, block.first_row + block.rows, bytes);
        bytes.extend_from_slice(&sum.to_be_bytes());
        Some(())
    }
}

impl Default for Packer {
    /// A packer that leaves blocks as they are.
    fn default() -> Self {
        Self::new(Packing::None)
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").field("packing", &self.packing).finish_non_exhaustive()
    }
}

/// Appends these bytes to `out`, packed. If that saves less than an eighth of them, they stay as they are, so that a read
/// of them is a copy. Returns how many bytes were appended.
fn pack_part(part: &[u8], seen: &mut CompressTable, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.resize(start + get_maximum_output_size(part.len()), 0);
    let (_, room) = out.split_at_mut(start);
    let packed = compress_into_with_table(part, room, seen).unwrap_or(usize::MAX);
    if packed < part.len() - part.len() / 8 {
        out.truncate(start + packed);
        return packed;
    }
    out.truncate(start);
    out.extend_from_slice(part);
    part.len()
}

/// Writes the length of each row, in as few bytes as the longest needs. Returns how many these are.
fn write_lengths(json: usize, starts: &[[u8; 4]], table: &mut Vec<u8>) -> Option<u8> {
    let ends = starts.iter().skip(1).map(|next| number(*next)).chain([json + 1]);
    let lengths = starts.iter().zip(ends).map(|(start, next)| next.checked_sub(number(*start) + 1));
    let longest = lengths.clone().try_fold(0, |longest, length| Some(length?.max(longest)))?;
    let width = match longest {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    };
    table.clear();
    table.reserve(starts.len() * usize::from(width));
    for length in lengths.flatten() {
        let bytes = u32::try_from(length).ok()?.to_be_bytes();
        table.extend_from_slice(bytes.get(4 - usize::from(width)..)?);
    }
    Some(width)
}

#[cfg(test)]
mod tests {
    use job_core::JobId;
    use proptest::prelude::*;

    use super::{super::FOOTER, *};
    use crate::{BlockBuilder, SegmentKey};

    fn key() -> SegmentKey {
        SegmentKey { job: JobId::from_bytes([5; 16]), attempt: 2, number: 7 }
    }

    /// The rows in a block, not packed and packed; and whether packing was worth it.
    fn packed(rows: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>, bool) {
        let mut builder = BlockBuilder::new(key());
        for row in rows {
            builder.push_json_unchecked(row).unwrap();
        }
        let sealed = builder.seal();
        let mut packer = Packer::new(Packing::Lz4);
        let small = packer.pack(sealed);
        assert_eq!((small.key, small.first_row, small.rows), (sealed.key, sealed.first_row, sealed.rows));
        assert_eq!(small.json_bytes, sealed.json_bytes);
        assert!(small.bytes.len() <= sealed.bytes.len(), "a block never grows");
        (sealed.bytes.to_vec(), small.bytes.to_vec(), version(small.bytes) == VERSION)
    }

    fn version(block: &[u8]) -> u8 {
        block[block.len() - 9]
    }

    /// The checksum put right again, so that what is behind it is tested.
    fn signed(mut block: Vec<u8>, rows: u64) -> Vec<u8> {
        block.truncate(block.len() - 8);
        let sum = checksum(key(), rows, &block);
        block.extend_from_slice(&sum.to_be_bytes());
        block
    }

    /// Bytes that repeat nothing.
    fn noise(length: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            b'!' + u8::try_from(state >> 58).unwrap()
        };
        (0..length).map(|_| next()).collect()
    }

    /// A row of a kind and a length: none packs as another.
    fn row(length: usize, kind: u8, seed: u64) -> Vec<u8> {
        match kind {
            0 => vec![b'a'; length],
            1 => b"{\"id\":\"Sarah\",\"label\":\"user\"}".iter().copied().cycle().take(length).collect(),
            _ => noise(length, seed),
        }
    }

    fn same(plain: &[u8], packed: &[u8], rows: Range<usize>) {
        let [plain, packed] = [plain, packed].map(|bytes| {
            let block = Block::parse(bytes).unwrap();
            block.verify(key(), 0).unwrap();
            (block.len(), block.json_bytes(), block.rows(rows.clone()).unwrap())
        });
        assert_eq!((plain.0, plain.1, plain.2.len()), (packed.0, packed.1, packed.2.len()));
        let [a, b] = [plain.2.unpack().unwrap(), packed.2.unpack().unwrap()];
        assert!(a.json() == b.json() && a.iter().eq(b.iter()), "rows {rows:?}");
        let mut appended = b"[".to_vec();
        packed.2.append_to(&mut appended).unwrap();
        assert!(appended[1..] == *a.json() && *packed.2.json().unwrap() == *a.json());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_run_of_any_rows_is_what_it_was(
            rows in prop::collection::vec((prop_oneof![4 => 1usize..40, 3 => 1usize..4_000, 1 => 1usize..90_000], 0u8..3, any::<u64>()), 1..60),
            a in 0usize..60, b in 0usize..60,
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(length, kind, seed)| row(length, kind, seed)).collect();
            let (plain, packed, _) = packed(&rows);
            let (from, to) = (a.min(b).min(rows.len()), a.max(b).min(rows.len()));
            same(&plain, &packed, from..to);
            same(&plain, &packed, 0..rows.len());
        }

        // Few of them are a block.
        #[test]
        fn any_bytes_with_a_right_footer_are_a_block_or_an_error(
            body in prop::collection::vec(any::<u8>(), 0..200), table in 0u32..40, parts in 0u32..4, width in 0u8..6,
            rows in 0u32..30, a in 0usize..30, b in 0usize..30,
        ) {
            let tail = [&table.to_be_bytes()[..], &parts.to_be_bytes(), &[width, LZ4], &rows.to_be_bytes(), &[VERSION]];
            let block = signed([&body[..], &tail.concat(), &[0; 8]].concat(), rows.into());
            let run = Block::parse(&block).and_then(|block| block.rows(a.min(b)..a.max(b)));
            if let Ok(run) = run.and_then(|run| run.unpack()) {
                run.iter().for_each(drop);
            }
        }
    }

    #[test]
    fn a_block_of_several_parts_has_rows_across_them_and_parts_that_do_not_shrink() {
        let mut rows: Vec<_> = (0..3_000).map(|n| format!("{{\"id\":\"vertex {n}\"}}").into_bytes()).collect();
        rows.push(noise(150_000, 1));
        rows.push(row(100_000, 1, 0));
        rows.push(noise(9, 2));
        let (plain, packed, is_packed) = packed(&rows);
        assert!(is_packed && packed.len() * 10 < plain.len() * 7);
        let Block { content: super::super::Content::Packed(found), .. } = Block::parse(&packed).unwrap() else {
            panic!("it is packed")
        };
        let kinds: Vec<bool> =
            found.lengths.iter().copied().map(pair).map(|(stored, json)| stored == json).collect();
        assert!(kinds.len() >= 4 && kinds.contains(&true) && kinds.contains(&false), "{kinds:?}");
        let all = rows.len();
        for run in [0..all, 0..1, 2_000..2_010, 2_999..all, 3_000..3_001, 3_001..all, all - 1..all, 5..5, all..all]
        {
            same(&plain, &packed, run);
        }
        let block = Block::parse(&packed).unwrap();
        assert!(block.rows(0..all + 1).is_err() && block.rows(all + 1..all + 1).is_err());
    }

    #[test]
    fn the_longest_row_and_very_many_short_ones_are_read_back() {
        for rows in [
            vec![row(BlockBuilder::MAX_ROW, 1, 0), b"7".to_vec()],
            vec![noise(1 << 20, 3), row(200_000, 0, 0)],
            vec![b"7".to_vec(); 100_000],
        ] {
            let (plain, packed, is_packed) = packed(&rows);
            assert!(is_packed);
            same(&plain, &packed, 0..rows.len());
            same(&plain, &packed, rows.len() - 1..rows.len());
        }
    }

    #[test]
    fn a_block_that_does_not_shrink_stays_as_it_is() {
        for rows in [vec![b"7".to_vec()], vec![noise(5_000, 4)], vec![noise(200_000, 5)]] {
            let (plain, packed, is_packed) = packed(&rows);
            assert!(!is_packed && plain == packed);
        }
        let mut builder = BlockBuilder::new(key());
        builder.push(&"x".repeat(9_000)).unwrap();
        let sealed = builder.seal();
        assert_eq!(Packer::new(Packing::None).pack(sealed).bytes, sealed.bytes);
        assert!(Packer::new(Packing::Lz4).pack(SealedBlock { rows: 0, bytes: &[], ..sealed }).bytes.is_empty());
    }

    #[test]
    fn a_packed_block_is_not_packed_again() {
        let (_, once, _) = packed(&[row(9_000, 1, 0)]);
        let block = SealedBlock { key: key(), first_row: 0, rows: 1, json_bytes: 9_000, bytes: &once };
        assert_eq!(Packer::new(Packing::Lz4).pack(block).bytes, once);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let rows: Vec<_> = (0..40).map(|n| row(50 + n, 1, 0)).chain([noise(40, 6)]).collect();
        let (_, packed, is_packed) = packed(&rows);
        assert!(is_packed);
        for bit in 0..packed.len() * 8 {
            let mut flipped = packed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = Block::parse(&flipped).and_then(|block| block.verify(key(), 0));
            assert!(found.is_err(), "bit {bit}");
            // Without the checksum it is an error or other rows, and never a panic.
            if let Ok(run) = Block::parse(&flipped).and_then(|block| block.rows(0..rows.len().min(block.len()))) {
                let _ = run.unpack().map(|run| run.iter().count());
            }
        }
        for length in 0..packed.len() {
            let found = Block::parse(&packed[..length]).and_then(|block| block.verify(key(), 0));
            assert!(found.is_err(), "cut at {length}");
        }
    }

    /// A right checksum with a wrong length inside must not use up the memory.
    #[test]
    fn a_lying_length_is_an_error_before_memory_is_taken() {
        let (_, right, _) = packed(&vec![row(200, 1, 0); 700]);
        let rows = 700;
        let end = right.len();
        // `bytes of the row table: u32 | parts: u32 | width: u8 | packing: u8`.
        let tail = end - FOOTER - 10;
        let parts = number(right[tail + 4..tail + 8].try_into().unwrap());
        let lengths = tail - parts * ENTRY;
        assert_eq!(parts, 2);
        let read = |block: &[u8]| {
            let block = Block::parse(block)?;
            block.rows(0..block.len())?.json().map(|json| json.len())
        };
        assert_eq!(read(&right), Ok(200 * 700 + 699));
        let lie = |at: usize, bytes: &[u8]| {
            let mut block = right.clone();
            block[at..at + bytes.len()].copy_from_slice(bytes);
            read(&signed(block, rows))
        };
        let most = u32::MAX.to_be_bytes();
        for at in [lengths, lengths + 4, lengths + 8, lengths + 12, tail, tail + 4, end - FOOTER] {
            assert!(lie(at, &most).is_err(), "at {at}");
            assert!(lie(at, &[0; 4]).is_err(), "at {at}");
        }
        assert_eq!(lie(tail + 9, &[2]), Err(InvalidBlock::Packing(2)));
        for width in [0, 3, 8] {
            assert_eq!(lie(tail + 8, &[width]), Err(InvalidBlock::Torn));
        }
        // A part is never longer than the bound, also if its packed bytes could be.
        let unpacked = u32::try_from(MAX_PART + 1).unwrap().to_be_bytes();
        assert_eq!(lie(lengths + 4, &unpacked), Err(InvalidBlock::Torn));
        // More than LZ4 can unpack from these bytes.
        let mut packer = Packer::new(Packing::Lz4);
        let mut table = Vec::new();
        let stored = pack_part(&vec![1; 50_000], packer.seen.get_or_insert_with(CompressTable::large), &mut table);
        assert!(is_packed(stored, 50_000) && !is_packed(stored, 256 * stored));
    }

    /// These are the bytes of `docs/format.md`, version 2, which stay readable. LZ4 may pack the same to others.
    #[test]
    fn golden_bytes() {
        const BLOCK: [u8; 63] = [
            0x8f, 0x22, 0x53, 0x61, 0x72, 0x61, 0x68, 0x22, 0x2c, 0x08, 0x00, 0xff, 0x21, 0x60, 0x72, 0x61, 0x68,
            0x22, 0x2c, 0x37, 0x1f, 0x07, 0x01, 0x00, 0x0f, 0x60, 0x07, 0x07, 0x07, 0x07, 0x07, 0x01, 0, 0, 0,
            0x14, 0, 0, 1, 0x41, 0, 0, 0, 0x0c, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0x29, 2, 0x22, 0x30, 0xc1, 0xb1, 0xfd,
            0xe3, 0xa7, 0x79,
        ];
        let rows: Vec<_> = std::iter::repeat_n(b"\"Sarah\"".to_vec(), 40).chain([b"7".to_vec()]).collect();
        let (plain, packed, _) = packed(&rows);
        same(&plain, &BLOCK, 0..41);
        same(&plain, &packed, 0..41);
        assert_eq!(version(&packed), VERSION);
    }
}
