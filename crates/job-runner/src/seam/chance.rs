//! [`Chance`]: the one place where chance comes from, beside the clock.

use std::sync::atomic::{AtomicU64, Ordering};

use job_core::JobId;

use crate::seam::sync::random;

/// The chance of one engine: new job ids, and the spread of pauses before another attempt.
#[derive(Debug)]
pub(crate) struct Chance {
    /// Spreads the pauses.
    seed: u64,
    /// How many ids were drawn from the seed; `None` where ids come from the machine.
    drawn: Option<AtomicU64>,
}

impl Chance {
    /// Of the machine, or all of it from `seed`.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let own = || u64::try_from(u128::from_be_bytes(random()) >> 64).unwrap_or_default();
        Self { seed: seed.unwrap_or_else(own), drawn: seed.map(|_| AtomicU64::new(0)) }
    }

    /// Bytes that no other call gets.
    pub(crate) fn bytes(&self) -> [u8; 16] {
        let Some(drawn) = &self.drawn else { return random() };
        let number = drawn.fetch_add(2, Ordering::Relaxed);
        let [high, low] = [number, number.wrapping_add(1)].map(|number| u128::from(mixed(self.seed, number)));
        (high << 64 | low).to_be_bytes()
    }

    /// A number for this attempt, the same in every call.
    pub(crate) fn of_attempt(&self, job: JobId, attempt: u32) -> u64 {
        let id = u128::from_be_bytes(*job.as_bytes());
        let [high, low] =
            [id >> 64, id & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or_default());
        [high, low, u64::from(attempt)].into_iter().fold(self.seed, mixed)
    }
}

/// The number with this index in the sequence of a seed: the generator `SplitMix64`.
const fn mixed(seed: u64, index: u64) -> u64 {
    let mut mixed = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use job_core::Timestamp;

    use super::*;

    /// The first numbers of seed 0 as its authors give them.
    #[test]
    fn the_sequence_is_that_of_splitmix() {
        let first: Vec<u64> = (0..3).map(|index| mixed(0, index)).collect();
        assert_eq!(first, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn one_seed_gives_one_sequence_and_two_seeds_give_two() {
        let drawn = |seed| {
            let chance = Chance::new(seed);
            (0..100).map(|_| chance.bytes()).collect::<BTreeSet<_>>()
        };
        assert_eq!(drawn(Some(7)), drawn(Some(7)));
        assert_eq!(drawn(Some(7)).len(), 100);
        for other in [Some(8), Some(0), Some(u64::MAX), None] {
            assert!(drawn(other).is_disjoint(&drawn(Some(7))));
        }
        assert!(drawn(None).is_disjoint(&drawn(None)));
    }

    #[test]
    fn each_attempt_of_each_job_has_a_number_of_its_own() {
        let job = |n| JobId::from_parts(Timestamp::from_micros(1_000_000), [n; 10]);
        let numbers = |seed| {
            let chance = Chance::new(seed);
            let of = |n| (1..20).map(move |attempt| (job(n), attempt));
            (0..20).flat_map(of).map(|(job, attempt)| chance.of_attempt(job, attempt)).collect::<BTreeSet<_>>()
        };
        assert_eq!(numbers(Some(7)).len(), 20 * 19);
        assert_eq!(numbers(Some(7)), numbers(Some(7)));
        assert!(numbers(Some(7)).is_disjoint(&numbers(Some(8))));
        assert!(numbers(None).is_disjoint(&numbers(None)));
    }
}
