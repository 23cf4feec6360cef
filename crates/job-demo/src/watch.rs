//! [`Watch`]: tells long work when to stop, and takes its progress.

use thiserror::Error;

/// The work was stopped before it had a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the work was stopped")]
pub struct Stopped;

/// The interface of long work to its caller.
pub trait Watch {
    /// Checks whether the work may go on. Work calls this about once a millisecond.
    ///
    /// # Errors
    /// [`Stopped`] when the work must end now.
    fn check_stopped(&self) -> Result<(), Stopped>;

    /// Reports that `done` of `total` steps are done. The work chooses the size of a step. Its last report says
    /// that all are done.
    fn progress(&self, done: u64, total: u64);

    /// Reports that the work uses `bytes` bytes of memory now.
    ///
    /// # Errors
    /// [`Stopped`] if that is more than allowed.
    fn memory(&self, bytes: u64) -> Result<(), Stopped> {
        let _ = bytes;
        Ok(())
    }

    /// Calls `part` with each of the numbers `0..count`, on up to `threads` threads, and returns when all calls have.
    /// The order of the calls is open. The progress of a part is ignored.
    ///
    /// # Errors
    /// [`Stopped`] if a part was stopped. The other parts stop too.
    fn each(&self, count: usize, threads: usize, part: &Part<'_>) -> Result<(), Stopped> {
        let _ = threads;
        (0..count).try_for_each(|number| part(number, &Quiet(&|| self.check_stopped())))
    }

    /// The state that earlier work on the same request has saved.
    ///
    /// # Errors
    /// [`Stopped`] if it cannot be read.
    fn saved(&self) -> Result<Option<Vec<u8>>, Stopped> {
        Ok(None)
    }

    /// Offers a state from which the work can go on after a crash. The watcher takes it if the last one is old.
    ///
    /// # Errors
    /// [`Stopped`] if it cannot be stored.
    fn save(&self, state: &dyn Fn() -> Vec<u8>) -> Result<(), Stopped> {
        let _ = state;
        Ok(())
    }
}

/// A part of some work, by its number.
pub type Part<'p> = dyn Fn(usize, &dyn Watch) -> Result<(), Stopped> + Sync + 'p;

/// The watcher of a part of some work: it can stop the part, and ignores progress.
pub(crate) struct Quiet<'c>(pub(crate) &'c dyn Fn() -> Result<(), Stopped>);

impl Watch for Quiet<'_> {
    fn check_stopped(&self) -> Result<(), Stopped> {
        (self.0)()
    }

    fn progress(&self, _done: u64, _total: u64) {}
}

/// No watcher: the work runs to its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn check_stopped(&self) -> Result<(), Stopped> {
        Ok(())
    }

    fn progress(&self, _done: u64, _total: u64) {}
}

/// Counts steps of work, and makes one check for every [`STRIDE`](Self::STRIDE) steps.
pub struct Pace<'w> {
    watch: &'w dyn Watch,
    steps: usize,
}

impl<'w> Pace<'w> {
    /// The steps between two checks. A step takes some nanoseconds.
    pub const STRIDE: usize = 1 << 14;

    /// Starts to count.
    #[must_use]
    pub fn new(watch: &'w dyn Watch) -> Self {
        Self { watch, steps: 0 }
    }

    /// Counts `steps`, such as the neighbours just visited.
    ///
    /// # Errors
    /// [`Stopped`] if a check was due and stopped the work.
    pub fn step(&mut self, steps: usize) -> Result<(), Stopped> {
        if self.is_due(steps) { self.watch.check_stopped() } else { Ok(()) }
    }

    /// As [`step`](Self::step), with a report of progress at each check.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_to(&mut self, steps: usize, done: u64, total: u64) -> Result<(), Stopped> {
        if !self.is_due(steps) {
            return Ok(());
        }
        self.watch.progress(done, total);
        self.watch.check_stopped()
    }

    fn is_due(&mut self, steps: usize) -> bool {
        self.steps = self.steps.saturating_add(steps);
        let is_due = self.steps >= Self::STRIDE;
        if is_due {
            self.steps = 0;
        }
        is_due
    }
}

impl std::fmt::Debug for Pace<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("steps", &self.steps).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    /// Stops the work at its n-th check and counts them.
    pub(crate) struct StopAt {
        pub(crate) check: usize,
        pub(crate) seen: Cell<usize>,
    }

    impl StopAt {
        pub(crate) fn new(check: usize) -> Self {
            Self { check, seen: Cell::new(0) }
        }
    }

    impl Watch for StopAt {
        fn check_stopped(&self) -> Result<(), Stopped> {
            self.seen.set(self.seen.get() + 1);
            if self.seen.get() >= self.check { Err(Stopped) } else { Ok(()) }
        }

        fn progress(&self, done: u64, total: u64) {
            assert!(done <= total, "{done} of {total}");
        }
    }

    #[test]
    fn a_check_comes_once_per_stride() {
        let watch = StopAt::new(usize::MAX);
        let mut pace = Pace::new(&watch);
        for _ in 0..10 {
            pace.step(Pace::STRIDE / 2).unwrap();
        }
        assert_eq!(watch.seen.get(), 5);
        assert_eq!(Pace::new(&StopAt::new(1)).step(Pace::STRIDE), Err(Stopped));
    }
}
