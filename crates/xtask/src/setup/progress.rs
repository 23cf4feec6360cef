//! The progress of a task that takes minutes: a bar on a terminal, elsewhere a line each minute.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use super::say;

const LINE_EVERY: Duration = Duration::from_mins(1);
/// The steps of a bar.
const STEPS: u64 = 1_000;

/// Shows the progress of a task. Dropping it removes the bar.
pub(super) struct Progress {
    name: &'static str,
    way: Way,
    start: Instant,
}

enum Way {
    Bar(ProgressBar),
    /// The time of the last line, and whether one has given an estimate.
    Lines {
        last: Instant,
        is_estimated: bool,
    },
}

impl Progress {
    pub(super) fn new(name: &'static str) -> Self {
        let way = if io::stderr().is_terminal() { Way::Bar(bar(name)) } else { lines() };
        Self { name, way, start: Instant::now() }
    }

    /// Shows the present step and, if they are known, the done part and the remaining time.
    pub(super) fn show(&mut self, done: &str, estimate: Option<(f64, Duration)>) {
        match &mut self.way {
            Way::Bar(bar) => {
                let (steps, left) = estimate.map_or((0, "measuring".to_owned()), |(part, left)| {
                    (steps(part), format!("{} left", minutes(left)))
                });
                bar.set_position(steps);
                bar.set_message(format!("{done}, {left}"));
            }
            Way::Lines { last, is_estimated } => {
                let is_first_estimate = estimate.is_some() && !*is_estimated;
                if is_first_estimate || last.elapsed() >= LINE_EVERY {
                    *last = Instant::now();
                    *is_estimated = estimate.is_some();
                    say(&line(self.name, done, self.start.elapsed(), estimate.map(|(_, left)| left)));
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }
}

fn lines() -> Way {
    Way::Lines { last: Instant::now(), is_estimated: false }
}

fn bar(name: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(STEPS).with_prefix(name).with_message("starting");
    if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and STEPS")]
fn steps(part: f64) -> u64 {
    (part.clamp(0.0, 1.0) * 1_000.0) as u64
}

fn line(name: &str, done: &str, elapsed: Duration, left: Option<Duration>) -> String {
    let left = left.map_or_else(String::new, |left| format!(", about {} left", minutes(left)));
    format!("{name}: {done} after {}{left}", minutes(elapsed))
}

/// A duration, such as `40 s`, `3 min 20 s` or `25 min`.
pub(super) fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes @ 1..10, seconds) if seconds > 0 => format!("{minutes} min {seconds} s"),
        (minutes, _) => format!("{minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_left_as_soon_as_it_is_known() {
        let s = Duration::from_secs;
        assert_eq!(line("RocksDB", "0 of 8 units", s(61), None), "RocksDB: 0 of 8 units after 1 min 1 s");
        assert_eq!(
            line("RocksDB", "1 of 8 units", s(40), Some(s(160))),
            "RocksDB: 1 of 8 units after 40 s, about 2 min 40 s left"
        );
        assert_eq!(minutes(s(1_530)), "25 min");
    }
}
