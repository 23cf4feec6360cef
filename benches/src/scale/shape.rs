//! The input of the model, and its output.

use std::time::Duration;

use super::costs::Statement;

/// A cluster and its load.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The number of servers. Engines and jobs are divided evenly among them.
    pub partitions: usize,
    /// The number of engines in all. Each takes submissions and runs jobs.
    pub engines: usize,
    /// The number of workers of each engine.
    pub workers: usize,
    /// `EngineBuilder::max_prefetch`.
    pub max_prefetch: usize,
    /// Cores of each server.
    pub cores: usize,
    /// Jobs a second in all, on average.
    pub rate: f64,
    /// The load at the busiest moment of the day, divided by the average: 1 to 2. The run has the curve of one
    /// day.
    pub peak: f64,
    /// The average time of a job; times have an exponential distribution.
    pub body: Duration,
    /// Status queries for each job.
    pub queries: f64,
    /// Whether an old job is removed for each job that ends.
    pub removes: bool,
    /// Whether the engines run on the cores of the server, as in a measurement on one machine.
    pub on_one_machine: bool,
    /// The number of jobs that wait at the beginning, in all.
    pub waiting: usize,
    /// The modelled time.
    pub time: Duration,
    /// The seed of all random numbers.
    pub seed: u64,
}

impl Default for Shape {
    /// One engine with default options on one server of 16 cores, without any load.
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
    /// The number of jobs that were submitted and of jobs that ended.
    pub came: u64,
    /// See `came`.
    pub ended: u64,
    /// When the last job ended.
    pub last_end: Duration,
    /// The share of the time in which the cores were busy, and in which a flush ran.
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
