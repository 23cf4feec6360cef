//! The cost of each statement. The model and docs/scale.md take their costs from here.

use std::fmt;

/// A cost that grows in a line: `fixed + each * n` for a statement about `n` jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Line {
    /// The cost of the statement itself.
    pub fixed: f64,
    /// The cost of each job in the statement.
    pub each: f64,
}

impl Line {
    /// The line through the cost of one job and the cost of `n` jobs together.
    #[must_use]
    pub fn through(one: f64, many: f64, n: f64) -> Self {
        let each = ((many - one) / (n - 1.0)).max(0.0);
        Self { fixed: (one - each).max(0.0), each }
    }

    /// The cost of `n` jobs.
    #[must_use]
    pub fn at(self, n: f64) -> f64 {
        self.fixed + self.each * n
    }
}

/// The cost of a statement.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Microseconds of a core of the server.
    pub server: Line,
    /// Microseconds of a core of the engine.
    pub engine: Line,
    /// Bytes of write-ahead log.
    pub wal: Line,
    /// The time of the slowest hundredth, divided by the median.
    pub tail: f64,
}

/// The statements that are sent to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// `insert`, synced.
    Submit,
    /// `claim` that finds jobs and starts them.
    Claim,
    /// `claim` that finds no job.
    Ask,
    /// `complete`, synced.
    End,
    /// `renew`.
    Renew,
    /// `changed`, for jobs that have not changed.
    Look,
    /// `get`: a status query of an unfinished job.
    State,
    /// `remove`, as retention calls it.
    Remove,
    /// A notice; `each` is the cost of one listener.
    Notice,
    /// One block of 128 KiB of rows.
    Block,
    /// One page of 100 rows.
    Page,
}

impl Statement {
    /// All statements.
    pub const ALL: [Self; 11] = [
        Self::Submit,
        Self::Claim,
        Self::Ask,
        Self::End,
        Self::Renew,
        Self::Look,
        Self::State,
        Self::Remove,
        Self::Notice,
        Self::Block,
        Self::Page,
    ];
}

/// All measured costs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Costs {
    statements: [Cost; Statement::ALL.len()],
    /// Microseconds until the log is on the disk.
    pub flush: f64,
    /// Core time of the server's own processes (log, checkpoints, vacuum), divided by that of all statements.
    pub background: f64,
    /// Microseconds of an engine's core for a job, without its statements.
    pub engine: f64,
    /// Bytes of tables and indexes for each finished job without rows.
    pub kept: f64,
}

const fn cost(server: [f64; 2], engine: [f64; 2], wal: [f64; 2], tail: f64) -> Cost {
    const fn line([fixed, each]: [f64; 2]) -> Line {
        Line { fixed, each }
    }
    Cost { server: line(server), engine: line(engine), wal: line(wal), tail }
}

impl Costs {
    /// The costs as `cargo xtask bench --only scale` prints them. Copy its lines to here after a change of the
    /// store.
    ///
    /// These costs were measured on 2026-11-25, with 2,048 calls each, on the idle machine of `results/run.md`.
    /// The engine's own time is that of a drain in memory.
    pub const MEASURED: Self = Self {
        statements: [
            /* Submit */ cost([159.3, 13.7], [74.4, 3.7], [39.8, 345.0], 1.7),
            /* Claim  */ cost([199.3, 20.0], [52.1, 1.6], [33.5, 496.8], 1.5),
            /* Ask    */ cost([156.8, 0.0], [34.2, 0.0], [0.1, 0.0], 1.3),
            /* End    */ cost([220.1, 15.8], [81.8, 1.2], [41.2, 326.9], 1.7),
            /* Renew  */ cost([120.9, 16.9], [49.5, 0.5], [0.0, 422.2], 1.8),
            /* Look   */ cost([69.5, 3.3], [38.9, 0.2], [0.0, 0.0], 1.3),
            /* State  */ cost([65.0, 0.0], [43.9, 0.0], [0.0, 0.0], 1.6),
            /* Remove */ cost([198.1, 0.0], [78.1, 0.0], [96.3, 0.0], 1.4),
            /* Notice */ cost([48.7, 26.1], [25.0, 0.0], [40.1, 0.0], 1.6),
            /* Block  */ cost([1011.2, 0.0], [720.0, 0.0], [143_506.5, 0.0], 1.0),
            /* Page   */ cost([281.7, 0.0], [175.8, 0.0], [0.0, 0.0], 1.7),
        ],
        flush: 234.9,
        background: 0.02,
        engine: 9.0,
        kept: 240.0,
    };

    /// The cost of one statement.
    #[must_use]
    pub fn of(&self, statement: Statement) -> Cost {
        self.statements.get(statement as usize).copied().unwrap_or_default()
    }

    /// Sets the cost of one statement, and prints it.
    pub fn set(&mut self, statement: Statement, cost: Cost) {
        println!("  {statement:?}: {cost:.1?}");
        if let Some(place) = self.statements.get_mut(statement as usize) {
            *place = cost;
        }
    }
}

/// Prints the costs as source text, for [`Costs::MEASURED`].
impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for statement in Statement::ALL {
            let Cost { server, engine, wal, tail } = self.of(statement);
            let line = |line: Line| format!("[{:.1}, {:.2}]", line.fixed, line.each);
            let name = format!("{statement:?}");
            writeln!(
                f,
                "            /* {name:6} */ cost({}, {}, {}, {tail:.1}),",
                line(server),
                line(engine),
                line(wal)
            )?;
        }
        let Self { flush, background, engine, kept, .. } = self;
        write!(f, "        flush: {flush:.1}, background: {background:.2}, engine: {engine:.1}, kept: {kept:.0},")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_both_measurements() {
        let line = Line::through(30.0, 160.0, 14.0);
        assert_eq!(line, Line { fixed: 20.0, each: 10.0 });
        assert!((line.at(14.0) - 160.0).abs() < 1e-9);
    }
}
