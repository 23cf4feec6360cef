//! [`Showing`]: when a writer shows its rows to readers of the running job, beside when its blocks are full.

use std::time::Duration;

use job_core::Timestamp;

/// The times of one writer. A second after rows were shown, those that came since are shown. The clock is not read for
/// each row: every 64 rows, or sooner where rows come slowly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Showing {
    opened: Timestamp,
    shown: Timestamp,
    looked: Timestamp,
    /// After how many rows the clock is read.
    every: u32,
    /// How many of them are to come.
    left: u32,
}

impl Showing {
    /// How long rows are not shown, of a writer that is young.
    const LEAST: Duration = Duration::from_secs(1);
    /// The part of its age that an older one may wait. So a writer shows its rows 60 times in its first minute and then
    /// 42 times each time its age doubles, however long it lives.
    const PART: u32 = 60;
    /// The most rows between two looks at the clock.
    const MOST_ROWS: u32 = 64;
    /// Rows that take longer than this come slowly.
    const SLOW: Duration = Duration::from_millis(20);

    pub(crate) const fn new(now: Timestamp) -> Self {
        Self { opened: now, shown: now, looked: now, every: 1, left: 1 }
    }

    /// Counts a row; whether to look at the clock.
    pub(crate) const fn count_row(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    /// Looks at the clock; whether rows are to be shown now.
    pub(crate) fn look(&mut self, now: Timestamp) -> bool {
        let came_slowly = now.since(self.looked) > Self::SLOW;
        self.every = if came_slowly { 1 } else { (self.every * 2).min(Self::MOST_ROWS) };
        self.left = self.every;
        self.looked = now;
        let pause = Self::LEAST.max(now.since(self.opened) / Self::PART);
        // Or the clock has gone back, and it is not known how long ago that was.
        now < self.shown || now.since(self.shown) >= pause
    }

    /// Rows were shown, at the latest look.
    pub(crate) const fn show(&mut self) {
        self.shown = self.looked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn at(millis: u64) -> Timestamp {
        START.after(Duration::from_millis(millis))
    }

    /// How often rows were shown, and how often the clock was read, of a row after each `pause` for `whole`.
    fn run(pause: Duration, whole: Duration) -> (u32, u64) {
        let (mut showing, mut now) = (Showing::new(START), START);
        let (mut shown, mut looks) = (0, 0);
        while now.since(START) < whole {
            now = now.after(pause);
            if showing.count_row() {
                looks += 1;
                if showing.look(now) {
                    showing.show();
                    shown += 1;
                }
            }
        }
        (shown, looks)
    }

    #[test]
    fn rows_are_shown_a_second_after_those_before() {
        let mut showing = Showing::new(START);
        for (millis, due) in
            [(0, false), (999, false), (1_000, true), (1_001, false), (1_999, false), (2_000, true)]
        {
            assert_eq!(showing.look(at(millis)), due, "after {millis} ms");
            if due {
                showing.show();
            }
        }
        // Rows that were shown because their block was full count too.
        showing.look(at(2_500));
        showing.show();
        assert!(!showing.look(at(3_400)) && showing.look(at(3_500)));
        assert!(showing.look(at(100)), "the clock has gone back");
    }

    #[test]
    fn the_clock_is_read_seldom_where_rows_come_fast_and_for_each_row_where_they_come_slowly() {
        let (_, looks) = run(Duration::from_micros(1), Duration::from_millis(500));
        assert!(looks < 500_000 / 60, "{looks} looks");
        let (shown, looks) = run(Duration::from_millis(300), Duration::from_secs(30));
        assert!(shown >= 24 && looks == 100, "{shown} times shown, {looks} looks");
        // A burst, then a row a second.
        let mut showing = Showing::new(START);
        let mut looks = |now| {
            let looks = showing.count_row();
            looks && {
                showing.look(now);
                true
            }
        };
        assert!((0..10_000).filter(|_| looks(START)).count() < 200);
        let slow: Vec<bool> = (1..80).map(|second| looks(at(second * 1_000))).collect();
        assert!(slow.iter().skip(64).all(|looks| *looks), "{slow:?}");
    }

    #[test]
    fn however_long_a_writer_lives_it_shows_its_rows_a_bounded_number_of_times() {
        for (hours, most) in [(1, 320), (24, 510), (24 * 30, 720)] {
            let (shown, _) = run(Duration::from_millis(500), Duration::from_hours(hours));
            assert!((60..most).contains(&shown), "{shown} times in {hours} hours");
        }
    }
}
