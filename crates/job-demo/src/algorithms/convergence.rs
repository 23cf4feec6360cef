//! [`Convergence`]: how far an algorithm is that goes on until nothing much changes any more.

/// The way from the change of the first iteration to a change that is small enough.
///
/// The most iterations that are allowed say little: a graph converges in five of a thousand. The change of each
/// iteration falls by about the same factor each time, so its logarithm falls by about the same step.
#[derive(Debug)]
pub(super) struct Convergence {
    /// The change that is small enough.
    goal: f64,
    most_iterations: u32,
    first: Option<f64>,
    done: u64,
}

impl Convergence {
    /// Steps of the whole way.
    pub(super) const STEPS: u64 = 1_000;

    pub(super) const fn new(goal: f64, most_iterations: u32) -> Self {
        Self { goal, most_iterations, first: None, done: 0 }
    }

    /// The steps behind after this number of iterations, the last of which made this change. Never less than before,
    /// and all of them only when there is no further iteration.
    pub(super) fn after(&mut self, iterations: u32, change: f64) -> u64 {
        let first = *self.first.get_or_insert(change);
        let by_change = if change <= self.goal { 1.0 } else { (first / change).ln() / (first / self.goal).ln() };
        let by_count = f64::from(iterations) / f64::from(self.most_iterations.max(1));
        let part = if by_change > by_count { by_change } else { by_count };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part of 1, clamped, of a small number"
        )]
        let steps = (part.clamp(0.0, 1.0) * (Self::STEPS as f64)).round() as u64;
        self.done = self.done.max(steps.min(Self::STEPS - 1));
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_the_change_or_the_iterations_whichever_is_further() {
        for (goal, most, changes, steps) in [
            // A tenth each time.
            (1e-4, 1_000, &[1.0, 0.1, 0.01, 0.001, 0.0001][..], &[1, 250, 500, 750, 999][..]),
            // It never converges, and ends with the iterations.
            (1e-4, 4, &[1.0, 1.0, 1.0, 1.0], &[250, 500, 750, 999]),
            // A step back is not told.
            (1e-2, 1_000, &[1.0, 0.1, 0.9, 0.05], &[1, 500, 500, 651]),
            // Done at once, or no number at all.
            (1e-2, 1_000, &[0.0], &[999]),
            (1e-2, 1_000, &[f64::NAN, f64::NAN], &[1, 2]),
        ] {
            let mut convergence = Convergence::new(goal, most);
            let told: Vec<u64> =
                (1..).zip(changes).map(|(iteration, &change)| convergence.after(iteration, change)).collect();
            assert_eq!(told, steps, "{changes:?}");
        }
    }
}
