//! Keys of every store on disk: big-endian, so that keys sort as ids and rows do. `docs/format.md` has the values.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | jobs | `f` | format version of the store |
//! | jobs | `j` id | record |
//! | jobs | `r` id | result |
//! | jobs | `u` id | nothing: the job is not complete |
//! | jobs | `k` length of the graph's name, graph, idempotency key | id |
//! | jobs | `w` hash of the work | id of the job that did it last |
//! | jobs | `a` id | failed attempts |
//! | jobs | `t` id | when its result was last read |
//! | jobs | `p` id | nothing: the job is pinned |
//! | jobs | `d` id attempt | nothing: files of dropped rows, up to this attempt, are still to be deleted |
//! | jobs | `x` term, outcome, id | nothing: the job is complete and has the term |
//! | jobs | `x?` id | nothing: the job is complete, and its record cannot be read |
//! | jobs | `o` whether it has rows, last use, id | bytes of its rows: the job is complete and not pinned |
//! | checkpoints | id | checkpoint |
//! | rows | id, attempt, segment, row after the last | block |

use std::ops::Range;

use job_core::{JobId, Timestamp};

use crate::{LeastUsed, SegmentKey, contract::Term};

pub(crate) const FORMAT: &[u8] = b"f";
pub(crate) const RECORD: u8 = b'j';
pub(crate) const RESULT: u8 = b'r';
pub(crate) const UNFINISHED: u8 = b'u';
pub(crate) const FAILURES: u8 = b'a';
pub(crate) const LAST_READ: u8 = b't';
pub(crate) const PINNED: u8 = b'p';
pub(crate) const DROPPED: u8 = b'd';
pub(crate) const IDEMPOTENCY: u8 = b'k';
pub(crate) const WORK: u8 = b'w';
pub(crate) const TERM: u8 = b'x';
pub(crate) const USED: u8 = b'o';
/// This byte takes the place of the class of a term.
const UNREADABLE: u8 = b'?';

/// The key of `id` in one of these groups.
pub(crate) fn key(group: u8, id: JobId) -> [u8; 17] {
    tagged(group, id.as_bytes())
}

/// The key that leads to the job that last did this work.
pub(crate) fn work(hash: [u8; 16]) -> [u8; 17] {
    tagged(WORK, &hash)
}

fn tagged(group: u8, bytes: &[u8; 16]) -> [u8; 17] {
    let mut key = [group; 17];
    for (to, from) in key.iter_mut().skip(1).zip(bytes) {
        *to = *from;
    }
    key
}

/// The key that leads to the job with this idempotency key. The length keeps `("a", "bc")` apart from `("ab",
/// "c")`.
pub(crate) fn idempotency(graph: &str, key: &str) -> Vec<u8> {
    let length = (graph.len() as u64).to_be_bytes();
    [&[IDEMPOTENCY], length.as_slice(), graph.as_bytes(), key.as_bytes()].concat()
}

/// The prefix of entries of complete jobs with this term and outcome; their ids follow.
pub(crate) fn term(term: Term<'_>, outcome: u8) -> Vec<u8> {
    let mut key = vec![TERM];
    term.append_to(&mut key);
    key.push(outcome);
    key
}

/// The prefix of entries of complete jobs that cannot be read.
pub(crate) fn unreadable() -> Vec<u8> {
    vec![TERM, UNREADABLE]
}

/// The entries that begin with `prefix`, of jobs older than `before`; all when `None`.
pub(crate) fn led_by(prefix: &[u8], before: Option<JobId>) -> Range<Vec<u8>> {
    let id = before.map_or([u8::MAX; 17].to_vec(), |id| id.as_bytes().to_vec());
    prefix.to_vec()..[prefix, &id].concat()
}

/// The id at the end of a key.
pub(crate) fn last_id(key: &[u8]) -> Option<JobId> {
    key.last_chunk().map(|id| JobId::from_bytes(*id))
}

/// The beginning of a key of the index up to the end of its kind: group, class, length and text.
pub(crate) fn kind_of(key: &[u8]) -> Option<&[u8]> {
    let length = u32::from_be_bytes(key.get(2..6)?.try_into().ok()?);
    key.get(..6 + usize::try_from(length).ok()?)
}

/// The entries of the kinds after this one; of all kinds for `None`.
pub(crate) fn kinds_after(kind: Option<&[u8]>) -> Range<Vec<u8>> {
    let from = kind.map_or_else(|| vec![TERM, Term::KIND], |kind| [kind, &[u8::MAX]].concat());
    from..vec![TERM, Term::KIND + 1]
}

/// The key of a complete job in the order of last use. Jobs without rows come first.
pub(crate) fn used(job: &LeastUsed) -> Vec<u8> {
    let micros = job.used.as_micros().to_be_bytes();
    [&[USED, u8::from(job.bytes > 0)], micros.as_slice(), job.id.as_bytes()].concat()
}

/// The job that [`used`] named, with the value of its key.
pub(crate) fn of_used(key: &[u8], value: &[u8]) -> Option<LeastUsed> {
    let used = Timestamp::from_micros(u64::from_be_bytes(key.get(2..10)?.try_into().ok()?));
    let bytes = u64::from_be_bytes(value.try_into().ok()?);
    Some(LeastUsed { id: last_id(key)?, used, bytes })
}

/// The places after `after` in the order of last use, of jobs with rows or of jobs without.
pub(crate) fn used_after(with_rows: bool, after: Option<LeastUsed>) -> Range<Vec<u8>> {
    let class = u8::from(with_rows);
    let from = after.map_or_else(
        || vec![USED, class],
        |after| [used(&LeastUsed { bytes: class.into(), ..after }).as_slice(), &[0]].concat(),
    );
    from..vec![USED, class + 1]
}

/// Notes that the rows of `0..=attempt` were dropped.
pub(crate) fn dropped(job: JobId, attempt: u32) -> [u8; 21] {
    let mut dropped = [0; 21];
    for (to, from) in dropped.iter_mut().zip(key(DROPPED, job).into_iter().chain(attempt.to_be_bytes())) {
        *to = from;
    }
    dropped
}

/// The job and attempt that [`dropped`] noted.
pub(crate) fn of_dropped(key: &[u8]) -> Option<(JobId, u32)> {
    let attempt = key.get(17..21)?.try_into().ok()?;
    Some((id(key)?, u32::from_be_bytes(attempt)))
}

pub(crate) fn id(key: &[u8]) -> Option<JobId> {
    let bytes: [u8; 16] = key.get(1..17)?.try_into().ok()?;
    Some(JobId::from_bytes(bytes))
}

/// All keys of a group.
pub(crate) const fn group(group: u8) -> Range<[u8; 1]> {
    [group]..[group + 1]
}

/// The records of the jobs older than `before`; all when `None`.
pub(crate) fn records(before: Option<JobId>) -> Range<Vec<u8>> {
    let all = group(RECORD);
    let end = before.map_or_else(|| all.end.to_vec(), |id| key(RECORD, id).to_vec());
    all.start.to_vec()..end
}

/// The entries of unfinished jobs newer than `from` and older than `before`.
pub(crate) fn unfinished(from: Option<JobId>, before: Option<JobId>) -> Range<Vec<u8>> {
    let all = group(UNFINISHED);
    let start = from.map_or_else(|| all.start.to_vec(), |id| [key(UNFINISHED, id).as_slice(), &[0]].concat());
    let end = before.map_or_else(|| all.end.to_vec(), |id| key(UNFINISHED, id).to_vec());
    start..end
}

/// All blocks that the attempts `0..=attempt` of a job wrote. The end is one byte longer than the greatest of their
/// keys, so that it touches no key of the next attempt.
pub(crate) fn blocks_until(job: JobId, attempt: u32) -> Range<Vec<u8>> {
    let first = SegmentKey { job, attempt: 0, number: 0 }.block_key(0).to_vec();
    let last = SegmentKey { job, attempt, number: u32::MAX }.block_key(u64::MAX);
    first..[last.as_slice(), &[0]].concat()
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
        assert_eq!(of_dropped(&dropped(job, 9)), Some((job, 9)));
    }

    #[test]
    fn entries_of_finished_jobs_give_back_what_they_name() {
        let job = JobId::from_bytes([3; 16]);
        for bytes in [0, 7] {
            let place = LeastUsed { id: job, used: Timestamp::from_micros(9), bytes };
            let key = used(&place);
            assert_eq!(of_used(&key, &bytes.to_be_bytes()), Some(place));
            assert!(used_after(bytes > 0, None).contains(&key) && !used_after(bytes == 0, None).contains(&key));
            assert!(!used_after(bytes > 0, Some(place)).contains(&key));
            let next = LeastUsed { id: JobId::from_bytes([4; 16]), ..place };
            assert!(used_after(bytes > 0, Some(place)).contains(&used(&next)));
        }
        let kind = term(Term::Kind(&job_core::JobKind::EdgeFilter), 2);
        let entry = [kind.as_slice(), job.as_bytes()].concat();
        assert_eq!((last_id(&entry), kind_of(&entry)), (Some(job), kind.get(..kind.len() - 1)));
        assert!(kinds_after(None).contains(&entry) && !kinds_after(kind_of(&entry)).contains(&entry));
        assert!(led_by(&kind, None).contains(&entry) && !led_by(&kind, Some(job)).contains(&entry));
        let greatest = [kind.as_slice(), JobId::MAX.as_bytes()].concat();
        assert!(led_by(&kind, None).contains(&greatest));
    }

    #[test]
    fn names_that_join_to_the_same_text_have_keys_of_their_own() {
        assert_ne!(idempotency("a", "bc"), idempotency("ab", "c"));
    }
}
