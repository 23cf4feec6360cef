//! Rounds, interleaving, medians.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// One figure of every round, in the order of the rounds. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Series(Vec<f64>);

impl Series {
    /// A series of these figures.
    ///
    /// # Errors
    /// When there are no figures.
    pub fn new(values: Vec<f64>) -> Result<Self> {
        ensure!(!values.is_empty(), "a series needs at least one round");
        Ok(Self(values))
    }

    /// A figure that was taken once.
    #[must_use]
    pub fn once(value: f64) -> Self {
        Self(vec![value])
    }

    /// The figure that `share` of the rounds do not exceed: 0.5 is the median, 0.99 the 99th percentile.
    #[must_use]
    pub fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list of a few thousand"
        )]
        let place = (share * (sorted.len() - 1) as f64).round() as usize;
        sorted.get(place).copied().unwrap_or(f64::NAN)
    }

    /// The median.
    #[must_use]
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// The least.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.quantile(0.0)
    }

    /// The greatest.
    #[must_use]
    pub fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    /// This figure divided by the other one, round by round. Noise that both had in a round cancels out.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }

    /// `amount` divided by each figure, which makes a rate of seconds.
    #[must_use]
    pub fn per(&self, amount: f64) -> Self {
        Self(self.0.iter().map(|seconds| amount / seconds).collect())
    }
}

/// One side of a round; it returns the seconds that it took.
pub type Contender<'a> = &'a mut dyn FnMut() -> Result<f64>;

/// Runs all contenders `rounds` times, one after the other in each round. Each round begins with a different
/// contender.
///
/// # Errors
/// The first error of a contender.
pub fn interleave<const N: usize>(rounds: usize, mut contenders: [Contender<'_>; N]) -> Result<[Series; N]> {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(rounds));
    for round in 0..rounds {
        for turn in 0..N {
            let place = (round + turn) % N;
            if let (Some(contender), Some(times)) = (contenders.get_mut(place), times.get_mut(place)) {
                times.push(contender()?);
            }
        }
    }
    let mut series = Vec::new();
    for times in times {
        series.push(Series::new(times)?);
    }
    series.try_into().map_err(|_| anyhow::anyhow!("one series for every contender"))
}

/// How many seconds `work` takes.
///
/// # Errors
/// As `work`.
pub fn seconds(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// How many seconds `work` takes the second time, with its memory and caches warm.
///
/// # Errors
/// As `work`.
pub fn warm(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    seconds(work)
}

/// Calls `work` repeatedly for `time`, at least once, and returns the seconds of each call.
///
/// # Errors
/// As `work`.
pub fn repeat_for(time: Duration, mut work: impl FnMut() -> Result<()>) -> Result<Series> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || start.elapsed() < time {
        times.push(seconds(&mut work)?);
    }
    Series::new(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contender_goes_first_in_turn() {
        let order = std::cell::RefCell::new(String::new());
        let run = |name: char| {
            order.borrow_mut().push(name);
            Ok(1.0)
        };
        let [a, b] = interleave(2, [&mut || run('a'), &mut || run('b')]).unwrap();
        assert_eq!((order.borrow().as_str(), a.over(&b).median()), ("abba", 1.0));
    }

    #[test]
    fn quantiles_are_values_that_occurred() {
        let series = Series::new(vec![4.0, 1.0, 3.0, 2.0, 100.0]).unwrap();
        assert_eq!((series.min(), series.median(), series.quantile(0.99), series.max()), (1.0, 3.0, 100.0, 100.0));
        assert!(Series::new(Vec::new()).is_err());
    }
}
