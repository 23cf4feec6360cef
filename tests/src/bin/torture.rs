//! Runs the long forms of the tests for a while, and says what was tried.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test harness reports by panicking")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use job_tests::{
    child::Child,
    kill::Kills,
    model::{InMemory, OnDisk, Walks},
};

/// Tries to make the engine lose, mix up or hold something back, until the time is over.
#[derive(Parser)]
struct Torture {
    /// How long.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Where chance begins; printed when it is not given.
    #[arg(long)]
    seed: Option<u64>,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// A process at work, to be killed.
    #[command(hide = true)]
    Child {
        /// What to do, as JSON.
        task: String,
    },
}

fn main() -> ExitCode {
    let torture = Torture::parse();
    if let Some(Part::Child { task }) = torture.part {
        let child: Child = serde_json::from_str(&task).unwrap();
        return match child.work() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let seed = torture.seed.unwrap_or_else(|| u64::from(std::process::id()) * 1_000_003);
    println!("seed {seed}");
    run(Duration::from_secs(torture.minutes * 60), seed);
    ExitCode::SUCCESS
}

/// Rounds of everything until the time is over.
fn run(time: Duration, seed: u64) {
    let start = Instant::now();
    let mut moves = 0;
    let mut round = 0;
    while start.elapsed() < time || round == 0 {
        let seed = seed.wrapping_add(round);
        let walk = |walks| Walks { walks, moves: 80, seed };
        let in_memory = walk(100).run::<InMemory>().unwrap_or_else(|parted| panic!("{parted}"));
        let on_disk = walk(20).run::<OnDisk>().unwrap_or_else(|parted| panic!("{parted}"));
        moves += in_memory + on_disk;
        let seen = Kills { program: std::env::current_exe().unwrap(), kills: 30, seed }.run();
        round += 1;
        println!("{:>6.0?} round {round}, seed {seed}: {moves} moves of the model; {seen}", start.elapsed());
    }
}
