//! Reads RocksDB's logs far enough to tell a write that never came to the disk from damage to a stored one. The
//! write-ahead log and the manifest have the same format.
//!
//! A power cut takes back unsynced bytes in any order, down to sectors. Bytes that a file has not reached read as
//! zeros. A torn record ends before its length says, covers a sector of zeros, or has zeros to the end of a page.
//! In the last case the page was being written when the record was half there.
//!
//! Format: <https://github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format>.

use std::ops::Range;

const BLOCK: usize = 32 << 10;
/// Checksum (4 bytes), length (2), type (1).
const HEADER: usize = 7;
const SECTOR: usize = 512;
const PAGE: usize = 4 << 10;
/// A record may end in this number of zeros of its own.
const OWN_ZEROS: usize = 6;

/// The state of a log's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The last record is whole.
    Whole,
    /// From here on, the log was not written to the disk, or only in parts.
    Unwritten(usize),
    /// The record here was written, and has changed since.
    Damaged(usize),
}

/// Looks at every record. Cost: a checksum of the whole log.
pub(super) fn end(log: &[u8]) -> End {
    let mut at = 0;
    while at < log.len() {
        let left_in_block = BLOCK - at % BLOCK;
        if left_in_block < HEADER {
            // The rest of the block is too short for a header, and RocksDB fills it with zeros.
            at += left_in_block;
            continue;
        }
        let record = record(log, at);
        if !record.good {
            let torn = record.range.end > log.len()
                || sectors(&record).any(|sector| is_unwritten(log, sector, record.unit()));
            return if torn { End::Unwritten(at) } else { End::Damaged(at) };
        }
        at = record.range.end;
    }
    End::Whole
}

struct Record {
    range: Range<usize>,
    good: bool,
    /// No record has this type. So the end of the header is missing, and the length of the record is unknown.
    headless: bool,
}

impl Record {
    /// The unit in which zeros at its end begin and end.
    const fn unit(&self) -> usize {
        if self.headless { SECTOR } else { PAGE }
    }
}

#[expect(clippy::little_endian_bytes, reason = "RocksDB writes them")]
fn record(log: &[u8], at: usize) -> Record {
    let Some(&[a, b, c, d, low, high, kind]) = log.get(at..at + HEADER) else {
        return Record { range: at..at + HEADER, good: false, headless: false };
    };
    let end = at + HEADER + usize::from(u16::from_le_bytes([low, high]));
    // The checksum covers the type and the data. A record never leaves its block.
    let covered = log.get(at + HEADER - 1..end).filter(|_| kind != 0 && end <= (at / BLOCK + 1) * BLOCK);
    let good = covered.is_some_and(|bytes| masked(crc32c::crc32c(bytes)) == u32::from_le_bytes([a, b, c, d]));
    Record { range: at..end, good, headless: kind == 0 }
}

/// RocksDB masks its checksums, since a CRC over bytes that contain their CRC detects less.
const fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The sectors that hold a part of the record. The first begins with the record.
fn sectors(record: &Record) -> impl Iterator<Item = Range<usize>> {
    let Range { start, end } = record.range;
    let end = if record.headless { end + SECTOR } else { end };
    let first = start / SECTOR * SECTOR;
    (first..end).step_by(SECTOR).map(move |sector| sector.max(start)..sector + SECTOR)
}

fn is_unwritten(log: &[u8], sector: Range<usize>, unit: usize) -> bool {
    let ends_unit = sector.end.is_multiple_of(unit) || sector.end >= log.len();
    let Some(bytes) = log.get(sector.start..sector.end.min(log.len())) else { return false };
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    zeros == bytes.len() || (ends_unit && zeros > OWN_ZEROS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A log with records of these lengths, and the start of each.
    #[expect(clippy::little_endian_bytes, reason = "RocksDB writes them")]
    fn log(lengths: &[u16]) -> (Vec<u8>, Vec<usize>) {
        let (mut log, mut starts) = (Vec::new(), Vec::new());
        for &length in lengths {
            let left = BLOCK - log.len() % BLOCK;
            if left < HEADER {
                log.resize(log.len() + left, 0);
            }
            let room = BLOCK - log.len() % BLOCK - HEADER;
            let data = [vec![1], vec![7; usize::from(length).min(room)]].concat();
            starts.push(log.len());
            log.extend(masked(crc32c::crc32c(&data)).to_le_bytes());
            log.extend(u16::try_from(data.len() - 1).unwrap().to_le_bytes());
            log.extend(data);
        }
        (log, starts)
    }

    fn lengths() -> impl Strategy<Value = Vec<u16>> {
        prop::collection::vec(0..5_000u16, 1..20)
    }

    #[test]
    fn the_end_of_a_whole_log_is_whole() {
        assert_eq!(end(&[]), End::Whole);
        assert_eq!(end(&log(&[10, 40_000, 0, 2_000, 40_000, 9]).0), End::Whole);
    }

    #[test]
    fn a_flipped_bit_is_damage() {
        let (mut log, starts) = log(&[100, 3_000, 100]);
        log[starts[1] + 1_500] ^= 1;
        assert_eq!(end(&log), End::Damaged(starts[1]));
    }

    proptest! {
        #[test]
        fn any_cut_is_unwritten_or_whole(lengths in lengths(), part in 0..1_000usize) {
            let (log, starts) = log(&lengths);
            let cut = log.len() * part / 1_000;
            // The record that is cut; `None` if the cut is at the start of a record, or in the unused end of a
            // block.
            let torn = starts.iter().rev().find(|start| **start < cut).filter(|start| record(&log, **start).range.end > cut);
            let expected = torn.map_or(End::Whole, |at| End::Unwritten(*at));
            prop_assert_eq!(end(&log[..cut]), expected);
        }

        #[test]
        fn any_missing_sector_is_unwritten(lengths in lengths(), part in 0..1_000usize) {
            let (mut log, starts) = log(&lengths);
            let sector = log.len() * part / 1_000 / SECTOR * SECTOR;
            let until = (sector + SECTOR).min(log.len());
            log[sector..until].fill(0);
            // The first record that has bytes in the sector.
            let torn = starts.iter().rposition(|start| *start <= sector).unwrap();
            let torn = starts[torn..].iter().find(|start| !record(&log, **start).good);
            prop_assert_eq!(end(&log), torn.map_or(End::Whole, |at| End::Unwritten(*at)));
        }

        #[test]
        fn a_record_whose_first_part_came_to_the_disk_is_unwritten(lengths in lengths(), part in 1..1_000usize) {
            let (mut log, starts) = log(&lengths);
            let last = *starts.last().unwrap();
            // The zeros cover at least the last byte of the header, and more bytes than a record may end in.
            let most = log.len().saturating_sub(OWN_ZEROS + 1).max(last);
            log[last + (most - last) * part / 1_000..].fill(0);
            log.resize(log.len().max(last + HEADER + OWN_ZEROS), 0);
            prop_assert_eq!(end(&log), End::Unwritten(last));
        }

        #[test]
        fn any_bytes_have_an_end(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            end(&bytes);
        }
    }
}
