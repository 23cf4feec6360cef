//! The questions to the model, and its answers.

use std::time::Duration;

use super::costs::Statement;

/// A cluster and its load.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Servers; engines and jobs are dealt out evenly.
    pub partitions: usize,
    /// Engines in all: each takes submissions and works.
    pub engines: usize,
    /// Of each engine.
    pub workers: usize,
    /// `EngineBuilder::max_prefetch`.
    pub max_prefetch: usize,
    /// Cores of each server.
    pub cores: usize,
    /// Jobs a second in all, on average.
    pub rate: f64,
    /// The busiest moment of the day over the average, 1 to 2; the day is squeezed into the run.
    pub peak: f64,
    /// How long a job runs on average; times are exponential.
    pub body: Duration,
    /// Status queries for each job.
    pub queries: f64,
    /// Whether each job that ends pays for the removal of an old one.
    pub removes: bool,
    /// Whether the engines run on the cores of the server, as in a measurement on one machine.
    pub on_one_machine: bool,
    /// Jobs that wait when it begins, in all.
    pub waiting: usize,
    /// How long it runs.
    pub time: Duration,
    /// Of all chance.
    pub seed: u64,
}

impl Default for Shape {
    /// One engine as it is shipped on one server of 16 cores, without any load.
    fn default() -> Self {
        Self {
            partitions: 1,
            engines: 1,
            workers: 8,
            max_prefetch: 256,
            cores: 16,
            rate: 0.0,
            peak: 1.0,
            body: Duration::ZERO,
            queries: 0.0,
            removes: false,
            on_one_machine: false,
            waiting: 0,
            time: Duration::from_secs(4),
            seed: 20_261_124,
        }
    }
}

/// The outcome.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Outcome {
    /// Jobs that came and that ended.
    pub came: u64,
    /// See `came`.
    pub ended: u64,
    /// When the last ended.
    pub last_end: Duration,
    /// Share of the time that the cores were busy, and that a flush was under way.
    pub cores: f64,
    /// See `cores`.
    pub flushing: f64,
    /// How often each statement was sent, in the order of [`Statement::ALL`].
    pub statements: [u64; Statement::ALL.len()],
    /// Seconds from a submission to its answer.
    pub submit: Vec<f64>,
    /// Seconds from a submission to the start of the job.
    pub start: Vec<f64>,
    /// Seconds of a status query.
    pub state: Vec<f64>,
}
