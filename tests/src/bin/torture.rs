//! Runs the long forms of the tests for a while, and says what was tried.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test harness reports by panicking")]

use std::{
    fmt::{self, Display},
    ops::AddAssign,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use job_tests::{
    bystander::Bystander,
    child::Child,
    cluster::Cluster,
    crowd::Crowd,
    fork::Forking,
    kill::{Kills, Seen},
    member::Member,
    model::{InMemory, OnDisk, Walks},
    power::{Cuts, Power},
    soak::Soak,
};

/// Tries to make the engine lose, mix up or block jobs, until the time is over.
#[derive(Parser)]
struct Torture {
    /// How long.
    #[arg(long, default_value_t = 10, global = true)]
    minutes: u64,
    /// The seed; a random one is printed.
    #[arg(long, global = true)]
    seed: Option<u64>,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Only the load, for the whole time: submitters, readers, cancels, removals, retention.
    Soak,
    /// Only deaths of processes.
    Kill,
    /// Only power cuts.
    Power,
    /// Only the engine beside a plain model.
    Model,
    /// Only deaths and pauses of processes that share a `PostgreSQL` server, deaths of the server, and broken networks.
    Cluster {
        /// Jobs to submit in all.
        #[arg(long, default_value_t = 10_000)]
        jobs: u32,
    },
    /// A process of a cluster.
    #[command(hide = true)]
    Member {
        /// The task, as JSON.
        task: String,
    },
    /// A process with many large results.
    #[command(hide = true)]
    Crowd {
        /// The task, as JSON.
        task: String,
    },
    /// A process that forks.
    #[command(hide = true)]
    Fork {
        /// The task, as JSON.
        task: String,
    },
    /// A process with a job that kills the process.
    #[command(hide = true)]
    Bystander {
        /// The task, as JSON.
        task: String,
    },
    /// A process at work, to be killed.
    #[command(hide = true)]
    Child {
        /// The task, as JSON.
        task: String,
    },
}

fn main() -> ExitCode {
    let torture = Torture::parse();
    match &torture.part {
        Some(Part::Child { task }) => return child(task),
        Some(Part::Bystander { task }) => return serde_json::from_str::<Bystander>(task).unwrap().work(),
        Some(Part::Member { task }) => return serde_json::from_str::<Member>(task).unwrap().work(),
        Some(Part::Crowd { task }) => {
            serde_json::from_str::<Crowd>(task).unwrap().work();
            return ExitCode::SUCCESS;
        }
        Some(Part::Fork { task }) => {
            serde_json::from_str::<Forking>(task).unwrap().work();
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let seed = torture.seed.unwrap_or_else(|| u64::from(std::process::id()) * 1_000_003);
    println!("seed {seed}");
    let time = Duration::from_secs(torture.minutes * 60);
    match torture.part {
        Some(
            Part::Bystander { .. }
            | Part::Child { .. }
            | Part::Member { .. }
            | Part::Crowd { .. }
            | Part::Fork { .. },
        ) => {}
        Some(Part::Cluster { jobs }) => {
            let cluster = Cluster { program: std::env::current_exe().unwrap(), jobs, seed };
            if let Some(seen) = cluster.run() {
                println!("{seen}");
            }
        }
        Some(Part::Soak) => soak(time, seed),
        Some(Part::Kill) => repeat(time, seed, kill),
        Some(Part::Power) => repeat(time, seed, power),
        Some(Part::Model) => repeat(time, seed, model),
        None => {
            repeat(time.mul_f64(0.8), seed, |seed| Round {
                moves: model(seed),
                cuts: power(seed),
                killed: kill(seed),
            });
            soak(time.mul_f64(0.2), seed);
        }
    }
    ExitCode::SUCCESS
}

fn child(task: &str) -> ExitCode {
    let child: Child = serde_json::from_str(task).unwrap();
    match child.work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Does something with one seed after the other, until the time is over; says what was seen so far.
fn repeat<S: Display + Default + AddAssign>(time: Duration, seed: u64, once: impl Fn(u64) -> S) {
    let start = Instant::now();
    let mut so_far = S::default();
    let mut round = 0;
    while round == 0 || start.elapsed() < time {
        so_far += once(seed.wrapping_add(round));
        round += 1;
        println!("{:>7.0?}  round {round}: {so_far}", start.elapsed());
    }
}

fn kill(seed: u64) -> Seen {
    Kills { program: std::env::current_exe().unwrap(), kills: 30, seed }.run()
}

/// Does nothing where `strace` is missing.
fn power(seed: u64) -> Cuts {
    let lives = |synced| {
        let program = std::env::current_exe().unwrap();
        Power { program, synced, lives: 3, cuts: 12, seed }.run().unwrap_or_default()
    };
    let mut so_far = lives(true);
    so_far += lives(false);
    so_far
}

/// Moves on both backends.
fn model(seed: u64) -> Moves {
    let walk = |walks| Walks { walks, moves: 80, seed };
    let in_memory = walk(100).run::<InMemory>().unwrap_or_else(|parted| panic!("{parted}"));
    let on_disk = walk(20).run::<OnDisk>().unwrap_or_else(|parted| panic!("{parted}"));
    Moves { in_memory, on_disk }
}

#[derive(Default)]
struct Moves {
    in_memory: u64,
    on_disk: u64,
}

impl AddAssign for Moves {
    fn add_assign(&mut self, other: Self) {
        self.in_memory += other.in_memory;
        self.on_disk += other.on_disk;
    }
}

impl Display for Moves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_memory, on_disk } = self;
        write!(f, "{in_memory} moves of the model in memory and {on_disk} on disk: parted 0")
    }
}

fn soak(time: Duration, seed: u64) {
    println!("load for {time:.0?}");
    let soaked = Soak { time: time.max(Duration::from_secs(5)), seed, kept: 1_000 }.run();
    println!("{soaked}");
    assert_eq!(soaked.unfinished, 0, "jobs are stuck");
    soaked.assert_flat();
}

/// A round of every test that ends by itself, one after the other.
#[derive(Default)]
struct Round {
    moves: Moves,
    cuts: Cuts,
    killed: Seen,
}

impl AddAssign for Round {
    fn add_assign(&mut self, other: Self) {
        self.moves += other.moves;
        self.cuts += other.cuts;
        self.killed += other.killed;
    }
}

impl Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moves, cuts, killed } = self;
        write!(f, "{moves}\n         {cuts}\n         {killed}")
    }
}
