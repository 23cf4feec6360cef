//! The parts of a discrete-event model: a calendar of the next events, and a station with a queue before it.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

/// Future events, in the order of time. Of two events at the same time, the one that was added first comes first.
#[derive(Debug)]
pub(super) struct Calendar<E> {
    entries: BinaryHeap<Entry<E>>,
    number: u64,
    /// The time of the last event that was taken out.
    pub(super) now: Duration,
}

#[derive(Debug)]
struct Entry<E> {
    at: Duration,
    number: u64,
    event: E,
}

impl<E> Calendar<E> {
    pub(super) const fn new() -> Self {
        Self { entries: BinaryHeap::new(), number: 0, now: Duration::ZERO }
    }

    pub(super) fn after(&mut self, pause: Duration, event: E) {
        self.number += 1;
        self.entries.push(Entry { at: self.now + pause, number: self.number, event });
    }

    /// Takes out the next event. `None` if there is none up to `end`.
    pub(super) fn next(&mut self, end: Duration) -> Option<E> {
        let entry = self.entries.pop().filter(|entry| entry.at <= end)?;
        self.now = entry.at;
        Some(entry.event)
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

/// A number of slots that each serve one piece of work. Work that arrives when all slots are busy waits in line.
#[derive(Debug)]
pub(super) struct Station<W> {
    free: usize,
    waiting: VecDeque<(Duration, W)>,
    /// The busy time of all slots together, with the time of the work that they have begun.
    pub(super) used: Duration,
}

impl<W> Station<W> {
    pub(super) const fn new(slots: usize) -> Self {
        Self { free: slots, waiting: VecDeque::new(), used: Duration::ZERO }
    }

    /// Adds a piece of work. It is returned if it begins at once.
    pub(super) fn enter(&mut self, service: Duration, work: W) -> Option<(Duration, W)> {
        if self.free == 0 {
            self.waiting.push_back((service, work));
            return None;
        }
        self.free -= 1;
        self.used += service;
        Some((service, work))
    }

    /// Frees a slot. Returns the work that begins in the slot.
    pub(super) fn leave(&mut self) -> Option<(Duration, W)> {
        let next = self.waiting.pop_front();
        match &next {
            Some((service, _)) => self.used += *service,
            None => self.free += 1,
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, Exp};
    use rand_pcg::{Pcg64, rand_core::SeedableRng};

    use super::*;

    /// The mean time in line of simulated customers that arrive at random and take a random time.
    fn simulated(arrivals: f64, services: f64, slots: usize, customers: u64) -> f64 {
        enum Event {
            Comes,
            Goes,
        }
        let mut random = Pcg64::seed_from_u64(20_261_124);
        let [gaps, times] = [arrivals, services].map(|rate| Exp::new(rate).unwrap());
        let mut draw = |from: &Exp<f64>| Duration::from_secs_f64(from.sample(&mut random));
        let (mut calendar, mut station) = (Calendar::new(), Station::new(slots));
        let (mut waited, mut begun) = (Duration::ZERO, 0);
        calendar.after(draw(&gaps), Event::Comes);
        while begun < customers {
            let next = match calendar.next(Duration::MAX).unwrap() {
                Event::Comes => {
                    calendar.after(draw(&gaps), Event::Comes);
                    station.enter(draw(&times), calendar.now)
                }
                Event::Goes => station.leave(),
            };
            if let Some((service, came)) = next {
                (waited, begun) = (waited + calendar.now.saturating_sub(came), begun + 1);
                calendar.after(service, Event::Goes);
            }
        }
        waited.as_secs_f64() / customers as f64
    }

    /// The mean time in line by Erlang's formula.
    fn by_formula(arrivals: f64, services: f64, slots: usize) -> f64 {
        let (c, load) = (slots as f64, arrivals / services);
        let mut term = 1.0;
        let mut sum = 0.0;
        for k in 0..slots {
            sum += term;
            term *= load / (k + 1) as f64;
        }
        let all_busy = term / (1.0 - load / c);
        all_busy / (sum + all_busy) / (c * services - arrivals)
    }

    #[test]
    fn a_station_queues_as_the_formula_of_erlang_says() {
        for (slots, load) in [(1, 0.5), (1, 0.8), (2, 0.7), (8, 0.9), (16, 0.8)] {
            let arrivals = load * slots as f64 * 1_000.0;
            let (simulated, formula) =
                (simulated(arrivals, 1_000.0, slots, 400_000), by_formula(arrivals, 1_000.0, slots));
            let off = (simulated / formula - 1.0).abs();
            assert!(off < 0.05, "{slots} slots at {load}: {simulated} s in line, by the formula {formula} s");
        }
    }

    #[test]
    fn what_was_put_in_first_comes_first_at_the_same_time() {
        let mut calendar = Calendar::new();
        for (after, event) in [(2, 'c'), (1, 'a'), (1, 'b'), (9, 'z')] {
            calendar.after(Duration::from_secs(after), event);
        }
        let order: String = std::iter::from_fn(|| calendar.next(Duration::from_secs(5))).collect();
        assert_eq!((order.as_str(), calendar.now), ("abc", Duration::from_secs(2)));
    }
}
