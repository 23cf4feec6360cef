//! [`Convergence`]: the progress of an algorithm that iterates until its changes are small.

/// The progress from the change of the first iteration to one that is small enough.
///
/// The most iterations are no measure: a graph converges in 5 of 1,000. The change falls by about the same factor
/// in each iteration, so its logarithm falls by about the same step.
#[derive(Debug)]
pub(super) struct Convergence {
    /// The change that is small enough.
    goal: f64,
    most_iterations: u32,
    first: Option<f64>,
    done: u64,
}

impl Convergence {
    /// The number of all steps.
    pub(super) const STEPS: u64 = 1_000;

    pub(super) const fn new(goal: f64, most_iterations: u32) -> Self {
        Self { goal, most_iterations, first: None, done: 0 }
    }

    /// The number of done steps after these iterations, the last of which made this change. It never falls, and is
    /// the number of all steps only after the last iteration.
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
            // The change falls to a tenth each time.
            (1e-4, 1_000, &[1.0, 0.1, 0.01, 0.001, 0.0001][..], &[1, 250, 500, 750, 999][..]),
            // The ranks do not converge, so the run ends after the most iterations.
            (1e-4, 4, &[1.0, 1.0, 1.0, 1.0], &[250, 500, 750, 999]),
            // A larger change is no step back.
            (1e-2, 1_000, &[1.0, 0.1, 0.9, 0.05], &[1, 500, 500, 651]),
            // The change is 0 at once, or not a number.
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
