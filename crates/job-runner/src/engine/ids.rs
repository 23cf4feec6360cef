//! [`IdSource`]: makes ids that ascend in the order of submission, also within a millisecond.

use std::sync::Arc;

use job_core::{JobId, Timestamp};

use crate::seam::{chance::Chance, sync::Mutex};

/// Makes job ids. Each is greater than all earlier ones of this source, and than all that were stored when it
/// began. That holds even if the clock goes back or stands still. So the order of ids is the order of submission.
/// No decision depends on the time in an id: after a clock that was ahead, ids only count on.
#[derive(Debug)]
pub(crate) struct IdSource {
    last: Mutex<Last>,
    chance: Arc<Chance>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    id: JobId,
    millis: u64,
    entropy: [u8; 10],
}

impl IdSource {
    /// Makes ids after `highest`, the greatest stored one. The first of them is random, even if the clock stands
    /// still: a job with the next id may have existed and been removed.
    pub(crate) fn after(highest: JobId, chance: Arc<Chance>) -> Self {
        const AT_ITS_END: [u8; 10] = [0xff; 10];
        let all = u128::from_be_bytes(*highest.as_bytes());
        let millis = u64::try_from(all >> 80).unwrap_or(u64::MAX);
        Self { last: Mutex::new(Last { id: highest, millis, entropy: AT_ITS_END }), chance }
    }

    pub(crate) fn next(&self, now: Timestamp) -> JobId {
        let mut last = self.last.lock();
        let millis = now.as_micros() / 1_000;
        let counted = if millis > last.millis { None } else { counted_on(last.entropy) };
        *last = match counted {
            Some(entropy) => Last::new(last.millis, entropy),
            None => Last::new(millis.max(last.millis + 1), fresh(&self.chance)),
        }
        .after(last.id, &self.chance);
        last.id
    }
}

impl Last {
    fn new(millis: u64, entropy: [u8; 10]) -> Self {
        Self {
            id: JobId::from_parts(Timestamp::from_micros(millis.saturating_mul(1_000)), entropy),
            millis,
            entropy,
        }
    }

    /// This value, or one of the next millisecond if its id does not come after `id`. The second case occurs only
    /// if an id was made by other rules.
    fn after(self, id: JobId, chance: &Chance) -> Self {
        if self.id > id { self } else { Self::new(self.millis + 1, fresh(chance)) }
    }
}

/// The entropy of the next id. Its seven low bytes are a counter that starts below half its range; `None` at its
/// end.
fn counted_on(mut entropy: [u8; 10]) -> Option<[u8; 10]> {
    for byte in entropy.iter_mut().skip(3).rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(entropy);
        }
    }
    None
}

fn fresh(chance: &Chance) -> [u8; 10] {
    // Three zero bytes, and seven bytes of a random UUID without its version and variant.
    let random = chance.bytes();
    let mut entropy = [0; 10];
    for (to, from) in entropy.iter_mut().zip(random.into_iter().take(3).chain(random.into_iter().skip(9))) {
        *to = from;
    }
    if let Some(top) = entropy.get_mut(3) {
        *top &= 0x7f;
    }
    entropy
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(highest: JobId) -> IdSource {
        IdSource::after(highest, Arc::new(Chance::new(None)))
    }

    #[test]
    fn ids_ascend_within_a_millisecond_and_when_the_clock_goes_back() {
        let source = after(JobId::MIN);
        let mut last = JobId::MIN;
        for step in 0..3_000u64 {
            let now = if step % 100 == 99 { 1_000_000 } else { 2_000_000 + step / 10 };
            let id = source.next(Timestamp::from_micros(now));
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }

    /// The next id after an opening at the same time must not be that of a removed job.
    #[test]
    fn the_id_of_a_removed_job_is_not_given_again() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let highest = after(JobId::MIN).next(now);
        let ids: std::collections::BTreeSet<JobId> = (0..100)
            .flat_map(|_| {
                let source = after(highest);
                [source.next(now), source.next(now)]
            })
            .collect();
        assert_eq!(ids.len(), 200);
    }

    /// After another opening at the same or an earlier time, ids must come after the stored ones.
    #[test]
    fn ids_count_on_from_the_highest_that_is_stored() {
        let at = |millis: u64| Timestamp::from_micros(millis * 1_000);
        let ten_years = 1_700_000_000_000 + 10 * 365 * 86_400_000;
        let stored = [
            JobId::MIN,
            JobId::from_parts(at(1_700_000_000_000), [0; 10]),
            JobId::from_parts(at(1_700_000_000_000), [0xff; 10]),
            JobId::from_parts(at(ten_years), [7; 10]),
            // An id of a UUID version that this library does not make.
            JobId::from_bytes([0xfa; 16]),
            JobId::from_bytes([0x01; 16]),
        ];
        for highest in stored {
            let source = after(highest);
            let mut last = highest;
            for now in [1_700_000_000_000, 0, 1_600_000_000_000, 1_700_000_000_001, 1_700_000_000_001] {
                let id = source.next(at(now));
                assert!(id > last, "{id} after {last}");
                last = id;
            }
        }
    }
}
