//! [`Recent`]: the figures of the last 15 minutes, in a bounded memory of the engine.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use job_core::Timestamp;

use crate::{
    engine::figures::{Figures, Sample},
    seam::sync::Mutex,
};

/// The jobs of an engine at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) waiting: usize,
    pub(crate) running: usize,
}

/// Remembers starts and loads. It is written by events and by the sweeper of the engine, so it needs no thread of
/// its own. No code of a host and no call of a store runs under its lock.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<Slot>>);

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

/// The figures of one period of [`Figures::PERIOD`].
#[derive(Debug, Default)]
struct Slot {
    /// The time since 1970, in periods.
    number: u64,
    load: Option<Load>,
    starts: u64,
    waits: Waits,
}

impl Recent {
    /// An attempt began. `waited` is the time from the submission of its job, if it is the first attempt.
    pub(crate) fn started(&self, now: Timestamp, waited: Option<Duration>) {
        change(&mut self.0.lock(), now, |slot| {
            slot.starts += 1;
            if let Some(waited) = waited {
                slot.waits.add(waited);
            }
        });
    }

    /// Notes the load at this moment. The last note of a period counts.
    pub(crate) fn note(&self, now: Timestamp, load: Load) {
        change(&mut self.0.lock(), now, |slot| slot.load = Some(load));
    }

    /// The figures up to now, without those of the engine's options.
    pub(crate) fn figures(&self, now: Timestamp, load: Load) -> Figures {
        let mut slots = self.0.lock();
        change(&mut slots, now, |slot| slot.load = Some(load));
        let newest = slots.back().map_or(0, |slot| slot.number);
        let mut all = Waits::default();
        for slot in slots.iter() {
            all.join(&slot.waits);
        }
        let last_minute = slots.iter().filter(|slot| slot.number < newest && newest - slot.number <= MINUTE);
        Figures {
            shared: false,
            workers: 0,
            waiting: load.waiting,
            running: load.running,
            starts_last_minute: last_minute.map(|slot| slot.starts).sum(),
            wait_p50: all.quantile(50),
            wait_p99: all.quantile(99),
            samples: slots.iter().map(Slot::sample).collect(),
        }
    }
}

/// Periods of a minute.
const MINUTE: u64 = 60 / Figures::PERIOD.as_secs();

/// Changes the slot of this moment. The slots since the last change are empty.
fn change(slots: &mut VecDeque<Slot>, now: Timestamp, change: impl FnOnce(&mut Slot)) {
    let most = Figures::SAMPLES as u64;
    let number = now.as_micros() / (Figures::PERIOD.as_secs() * 1_000_000);
    let newest = slots.back().map(|slot| slot.number);
    // A clock that was set far back would hide all figures until it has caught up.
    if newest.is_some_and(|newest| newest > number.saturating_add(most)) {
        slots.clear();
    }
    let first = match slots.back() {
        Some(slot) => (slot.number + 1).max(number.saturating_sub(most - 1)),
        None => number,
    };
    slots.extend((first..=number).map(|number| Slot { number, ..Slot::default() }));
    while slots.len() > Figures::SAMPLES {
        slots.pop_front();
    }
    if let Some(slot) = slots.back_mut() {
        change(slot);
    }
}

impl Slot {
    fn sample(&self) -> Sample {
        Sample {
            at: Timestamp::from_micros(self.number * Figures::PERIOD.as_secs() * 1_000_000),
            waiting: self.load.map(|load| load.waiting),
            running: self.load.map(|load| load.running),
            starts: self.starts,
            wait_p50: self.waits.quantile(50),
            wait_p99: self.waits.quantile(99),
        }
    }
}

/// How many times fell into which class. Each power of two of milliseconds has eight classes.
#[derive(Debug, Default)]
struct Waits(BTreeMap<u16, u64>);

/// The greatest power of two of milliseconds with classes of its own; it is 34 years.
const LONGEST: u32 = 40;

impl Waits {
    fn add(&mut self, time: Duration) {
        *self.0.entry(class(time)).or_default() += 1;
    }

    fn join(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            *self.0.entry(*class).or_default() += count;
        }
    }

    /// The longest time of the class in which this part of the times ends.
    fn quantile(&self, percent: u64) -> Option<Duration> {
        let all: u64 = self.0.values().sum();
        let mut left = all.saturating_mul(percent).div_ceil(100).max(1);
        for (class, count) in &self.0 {
            left = left.saturating_sub(*count);
            if left == 0 {
                return Some(longest(*class));
            }
        }
        None
    }
}

/// The class of a time: 0 below a millisecond.
fn class(time: Duration) -> u16 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).min((1 << LONGEST) - 1);
    let Some(power) = millis.checked_ilog2() else { return 0 };
    let eighth = (millis << 3 >> power) & 7;
    u16::try_from(1 + u64::from(power) * 8 + eighth).unwrap_or(u16::MAX)
}

/// The longest time of a class, in whole milliseconds.
fn longest(class: u16) -> Duration {
    let Some(class) = class.checked_sub(1) else { return Duration::ZERO };
    let (power, eighth) = (class / 8, u64::from(class % 8));
    Duration::from_millis((((9 + eighth) << power) - 1) >> 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Load = Load { waiting: 0, running: 0 };

    fn second(second: u64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn a_class_holds_its_longest_time_and_not_the_next() {
        assert_eq!(class(Duration::from_micros(999)), 0);
        for millis in (8..5_000).chain([1 << 20, (1 << 39) + 12_345, (1 << 40) - 1]) {
            let time = Duration::from_millis(millis);
            let longest = longest(class(time));
            assert!(longest >= time && longest.as_millis() * 8 <= time.as_millis() * 9, "{millis}");
            assert_eq!(class(longest), class(time));
            if class(time) < 320 {
                assert_eq!(class(longest + Duration::from_millis(1)), class(time) + 1);
            }
        }
        assert_eq!(class(Duration::MAX), class(Duration::from_millis((1 << 40) - 1)));
    }

    #[test]
    fn a_quantile_is_the_time_that_this_part_of_the_jobs_waited_at_most() {
        let mut waits = Waits::default();
        assert_eq!(waits.quantile(50), None);
        for millis in 1..=100 {
            waits.add(Duration::from_millis(millis));
        }
        let millis = |percent| waits.quantile(percent).unwrap().as_millis();
        assert_eq!((millis(1), millis(50), millis(99), millis(100)), (1, 51, 103, 103));
    }

    #[test]
    fn the_memory_is_of_fifteen_minutes_however_long_the_engine_runs() {
        let recent = Recent::default();
        for time in 0..10_000 {
            recent.started(second(time), Some(Duration::from_secs(time)));
        }
        let figures = recent.figures(second(9_999), IDLE);
        assert_eq!(figures.samples.len(), Figures::SAMPLES);
        assert_eq!(figures.samples.iter().map(|sample| sample.starts).sum::<u64>(), 900);
        assert_eq!((figures.samples[0].at, figures.samples[89].at), (second(9_100), second(9_990)));
        assert_eq!(figures.starts_last_minute, 60);
        // All jobs of the last 15 minutes waited for 9,100 s or longer.
        assert!(figures.wait_p50.unwrap() > Duration::from_secs(9_100));
    }

    #[test]
    fn a_pause_is_a_gap_and_a_long_one_leaves_nothing_old() {
        let recent = Recent::default();
        recent.note(second(0), Load { waiting: 5, running: 1 });
        recent.started(second(1), None);
        let figures = recent.figures(second(40), IDLE);
        let waiting: Vec<_> = figures.samples.iter().map(|sample| sample.waiting).collect();
        assert_eq!(waiting, [Some(5), None, None, None, Some(0)]);
        assert_eq!((figures.starts_last_minute, figures.wait_p50), (1, None));
        let figures = recent.figures(second(1_000_000), IDLE);
        assert_eq!(figures.samples.len(), Figures::SAMPLES);
        assert_eq!(figures.samples.iter().map(|sample| sample.starts).sum::<u64>(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_costs_figures_and_nothing_else() {
        let recent = Recent::default();
        recent.started(second(100_000), None);
        recent.started(second(99_970), None);
        assert_eq!(recent.figures(second(99_980), IDLE).samples.len(), 1, "it goes on where it was");
        recent.started(second(50), None);
        let figures = recent.figures(second(50), IDLE);
        assert_eq!((figures.samples.len(), figures.samples[0].at), (1, second(50)));
        recent.started(Timestamp::from_micros(u64::MAX), None);
        assert_eq!(recent.figures(second(0), IDLE).samples.len(), 1);
    }
}
