//! The table: each figure, the figure that it is compared with, and whether the goal is met.

use std::fmt::Write as _;

use crate::{machine::Machine, measure::Series};

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Less is better.
    Seconds,
    /// More is better.
    PerSecond,
    /// Less is better.
    Bytes,
}

impl Unit {
    /// The figure as text with its unit.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Seconds if value >= 1.0 => format!("{value:.2} s"),
            Self::Seconds if value >= 1e-3 => format!("{:.2} ms", value * 1e3),
            Self::Seconds => format!("{:.1} µs", value * 1e6),
            Self::PerSecond if value >= 1e6 => format!("{:.2} M/s", value / 1e6),
            Self::PerSecond if value >= 1e3 => format!("{:.1} k/s", value / 1e3),
            Self::PerSecond => format!("{value:.0} /s"),
            Self::Bytes if value.abs() >= 1e6 => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::Bytes => format!("{value:.0} B"),
        }
    }
}

/// The goal of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Our time or memory is at most this number of times that of the other.
    CostAtMost(f64),
    /// Ours is at least this number of times as fast as the other.
    SpeedupAtLeast(f64),
    /// Our own figure is at most this one.
    AtMost(f64),
    /// Our own figure is at least this one.
    AtLeast(f64),
    /// The row has no goal, and is shown for information.
    Shown,
}

/// Whether a goal is met, and by how many of the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// By every round.
    Always,
    /// By the median, and not by the worst round.
    ByMedian,
    /// Not by the median.
    No,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    class: &'static str,
    unit: Unit,
    ours: Series,
    beside: Option<(String, Series)>,
    goal: Goal,
}

impl Row {
    /// A row about `what`. `class` names the durability of its writes or the state of the caches for its reads.
    #[must_use]
    pub fn new(what: impl Into<String>, class: &'static str, unit: Unit, ours: Series) -> Self {
        Self { what: what.into(), class, unit, ours, beside: None, goal: Goal::Shown }
    }

    /// Adds the figure that ours is compared with.
    #[must_use]
    pub fn beside(mut self, name: impl Into<String>, figures: Series) -> Self {
        self.beside = Some((name.into(), figures));
        self
    }

    /// Its goal.
    #[must_use]
    pub const fn goal(mut self, goal: Goal) -> Self {
        self.goal = goal;
        self
    }

    /// The subject of the row.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The ratio of the goal. For a goal without a ratio, how many times as fast ours is.
    #[must_use]
    pub fn ratio(&self) -> Option<Series> {
        let (_, beside) = self.beside.as_ref()?;
        if matches!(self.goal, Goal::AtMost(_) | Goal::AtLeast(_)) {
            return None;
        }
        let more_is_better = self.unit == Unit::PerSecond;
        let cost = matches!(self.goal, Goal::CostAtMost(_));
        Some(if more_is_better == cost { beside.over(&self.ours) } else { self.ours.over(beside) })
    }

    /// Whether the figures reach the goal. `None` without a goal, or without the figure to compare with.
    #[must_use]
    pub fn met(&self) -> Option<Met> {
        let (figures, most, least) = match self.goal {
            Goal::CostAtMost(most) => (self.ratio()?, most, 0.0),
            Goal::SpeedupAtLeast(least) => (self.ratio()?, f64::INFINITY, least),
            Goal::AtMost(most) => (self.ours.clone(), most, f64::NEG_INFINITY),
            Goal::AtLeast(least) => (self.ours.clone(), f64::INFINITY, least),
            Goal::Shown => return None,
        };
        let reached = |figure: f64| figure <= most && figure >= least;
        Some(match reached(figures.median()) {
            true if reached(figures.min()) && reached(figures.max()) => Met::Always,
            true => Met::ByMedian,
            false => Met::No,
        })
    }

    /// The figure in relation to the goal: 1 meets the goal exactly, 2 is twice as good.
    #[must_use]
    pub fn margin(&self) -> Option<f64> {
        let ratio = self.ratio().map(|ratio| ratio.median());
        match self.goal {
            Goal::CostAtMost(most) => ratio.map(|ratio| most / ratio),
            Goal::SpeedupAtLeast(least) => ratio.map(|ratio| ratio / least),
            Goal::AtMost(most) => Some(most / self.ours.median()),
            Goal::AtLeast(least) => Some(self.ours.median() / least),
            Goal::Shown => None,
        }
    }

    fn goal_text(&self) -> String {
        match self.goal {
            Goal::CostAtMost(most) => format!("≤ {}x", (most * 1e3).round() / 1e3),
            Goal::SpeedupAtLeast(least) => format!("≥ {least}x"),
            Goal::AtMost(most) => format!("≤ {}", self.unit.show(most)),
            Goal::AtLeast(least) => format!("≥ {}", self.unit.show(least)),
            Goal::Shown => "shown".to_owned(),
        }
    }

    fn cells(&self) -> [String; 7] {
        let figure = |series: &Series| self.unit.show(series.median());
        let ratio = self.ratio().map_or_else(String::new, |ratio| {
            let digits = if ratio.median() >= 100.0 { 0 } else { 2 };
            format!("{:.digits$} ({:.digits$}..{:.digits$})", ratio.median(), ratio.min(), ratio.max())
        });
        [
            self.what.clone(),
            self.class.to_owned(),
            figure(&self.ours),
            self.beside.as_ref().map_or_else(String::new, |(name, series)| format!("{} {name}", figure(series))),
            ratio,
            self.goal_text(),
            match self.met() {
                Some(Met::Always) => "yes".to_owned(),
                Some(Met::ByMedian) => "yes, by the median".to_owned(),
                Some(Met::No) => "NO".to_owned(),
                None => String::new(),
            },
        ]
    }
}

const HEADINGS: [&str; 7] = ["what", "class", "ours", "beside", "ratio (least..greatest)", "goal", "met"];

/// All results of one run.
#[derive(Debug)]
pub struct Report {
    /// The machine and the time of the run.
    pub machine: Machine,
    /// The load average at the end.
    pub load_after: String,
    /// Whether the run used the small sizes.
    pub quick: bool,
    /// The scenarios with their rows, in order.
    pub sections: Vec<(String, Vec<Row>)>,
}

impl Report {
    /// The run as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = String::from("# Benchmark run\n\n");
        let _ = writeln!(text, "{}; load average {} at the end.\n", self.machine, self.load_after);
        if self.quick {
            text.push_str("Quick sizes: good for a look, not for a claim.\n\n");
        }
        text.push_str(concat!(
            "A figure is the median of its rounds; a ratio is taken round by round against what ran beside it, its ",
            "median with the least and the greatest.\n`≤ 1.6x`: costs at most 1.6 times the other. `≥ 10x`: at least ",
            "10 times as fast as the other.\nA goal is met by the median of the rounds; `by the median` names a row whose ",
            "worst round misses it.\nThe peers' clock stops when their last handler has run, ours when every ",
            "job is complete in the store.\n",
        ));
        for (name, rows) in &self.sections {
            let _ = writeln!(text, "\n## {name}\n");
            let _ = writeln!(text, "| {} |", HEADINGS.join(" | "));
            let _ = writeln!(text, "|{}", " --- |".repeat(HEADINGS.len()));
            for row in rows {
                let _ = writeln!(text, "| {} |", row.cells().join(" | "));
            }
        }
        text
    }

    /// Every row of the run.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.sections.iter().flat_map(|(_, rows)| rows)
    }
}

/// The rows as columns for a terminal.
#[must_use]
pub fn columns(rows: &[Row]) -> String {
    let cells: Vec<[String; 7]> = rows.iter().map(Row::cells).collect();
    let width = |column: usize| {
        let lengths = cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        lengths.max().unwrap_or_default()
    };
    let mut text = String::new();
    for row in &cells {
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(text, "  {cell:<width$}", width = width(column));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(unit: Unit, ours: f64, beside: f64, goal: Goal) -> Row {
        Row::new("x", "memory", unit, Series::once(ours)).beside("other", Series::once(beside)).goal(goal)
    }

    #[test]
    fn a_cost_is_ours_over_theirs_and_a_speedup_the_other_way_round() {
        assert_eq!(row(Unit::Seconds, 3.0, 2.0, Goal::CostAtMost(1.6)).met(), Some(Met::Always));
        assert_eq!(row(Unit::Seconds, 3.0, 2.0, Goal::CostAtMost(1.4)).met(), Some(Met::No));
        assert_eq!(row(Unit::Seconds, 1.0, 10.0, Goal::SpeedupAtLeast(10.0)).met(), Some(Met::Always));
        assert_eq!(row(Unit::PerSecond, 90.0, 10.0, Goal::SpeedupAtLeast(10.0)).met(), Some(Met::No));
        assert_eq!(row(Unit::PerSecond, 80.0, 100.0, Goal::CostAtMost(1.25)).met(), Some(Met::Always));
        assert_eq!(row(Unit::Seconds, 2.0, 8.0, Goal::Shown).ratio().unwrap(), Series::once(4.0));
    }

    #[test]
    fn a_goal_that_the_worst_round_misses_is_met_by_the_median() {
        let met = |goal| {
            Row::new("x", "memory", Unit::Seconds, Series::new(vec![1.0, 2.0, 3.0]).unwrap()).goal(goal).met()
        };
        assert_eq!(met(Goal::AtMost(3.0)), Some(Met::Always));
        assert_eq!(met(Goal::AtMost(2.5)), Some(Met::ByMedian));
        assert_eq!(met(Goal::AtMost(1.5)), Some(Met::No));
        assert_eq!(met(Goal::AtLeast(1.5)), Some(Met::ByMedian));
        assert_eq!(met(Goal::AtLeast(2.5)), Some(Met::No));
    }
}
