//! Keys: big-endian, so that keys sort as ids and rows do.
//!
//! | column family | key | value |
//! | --- | --- | --- |
//! | jobs | `f` | format version of the store |
//! | jobs | `j` id | record |
//! | jobs | `r` id | result |
//! | jobs | `u` id | nothing: the job is not complete |
//! | rows | id, attempt, segment, first row | block |

use std::ops::Range;

use job_core::JobId;

use crate::SegmentKey;

pub(super) const FORMAT: &[u8] = b"f";
pub(super) const RECORD: u8 = b'j';
pub(super) const RESULT: u8 = b'r';
pub(super) const UNFINISHED: u8 = b'u';

/// The key of `id` in one of the groups above.
pub(super) fn key(group: u8, id: JobId) -> [u8; 17] {
    let mut key = [group; 17];
    for (to, from) in key.iter_mut().skip(1).zip(id.as_bytes()) {
        *to = *from;
    }
    key
}

pub(super) fn id(key: &[u8]) -> Option<JobId> {
    let bytes: [u8; 16] = key.get(1..17)?.try_into().ok()?;
    Some(JobId::from_bytes(bytes))
}

/// All keys of a group.
pub(super) const fn group(group: u8) -> Range<[u8; 1]> {
    [group]..[group + 1]
}

/// All blocks that the attempts `0..=attempt` of a job wrote.
pub(super) fn blocks_until(job: JobId, attempt: u32) -> Range<Vec<u8>> {
    let first = SegmentKey { job, attempt: 0, number: 0 }.block_key(0).to_vec();
    let end = match attempt.checked_add(1) {
        Some(attempt) => SegmentKey { job, attempt, number: 0 }.block_key(0).to_vec(),
        // One byte longer than any key of the job, so greater than all of them.
        None => [SegmentKey { job, attempt, number: u32::MAX }.block_key(u64::MAX).as_slice(), &[0]].concat(),
    };
    first..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_attempts_holds_theirs_and_no_other() {
        let job = JobId::from_bytes([7; 16]);
        let block = |attempt, number, row| SegmentKey { job, attempt, number }.block_key(row).to_vec();
        let some = blocks_until(job, 2);
        assert!(some.contains(&block(0, 0, 0)) && some.contains(&block(2, u32::MAX, u64::MAX)));
        assert!(!some.contains(&block(3, 0, 0)));
        let all = blocks_until(JobId::MAX, u32::MAX);
        assert!(all.contains(
            &SegmentKey { job: JobId::MAX, attempt: u32::MAX, number: u32::MAX }.block_key(u64::MAX).to_vec()
        ));
        assert!(!blocks_until(job, u32::MAX).contains(
            &SegmentKey { job: JobId::from_bytes([8; 16]), attempt: 0, number: 0 }.block_key(0).to_vec()
        ));
    }

    #[test]
    fn a_key_gives_its_id_back() {
        let job = JobId::from_bytes([3; 16]);
        assert_eq!(id(&key(RECORD, job)), Some(job));
        assert!(group(RECORD).contains(&[RECORD]));
    }
}
