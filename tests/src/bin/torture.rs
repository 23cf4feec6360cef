//! Runs the long forms of the tests for a while, and says what was tried.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test harness reports by panicking")]

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use job_runner::Durability;
use job_tests::{
    child::Child,
    cluster::Cluster,
    kill::{Kills, Seen},
    member::Member,
    model::{InMemory, OnDisk, Walks},
    power,
    soak::Soak,
};

/// Tries to make the engine lose, mix up or hold something back, until the time is over.
#[derive(Parser)]
struct Torture {
    /// How long.
    #[arg(long, default_value_t = 10, global = true)]
    minutes: u64,
    /// Where chance begins; printed when it is not given.
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
    /// Only deaths and pauses of processes that share a `PostgreSQL` server, deaths of the server, and broken networks.
    Cluster {
        /// Jobs to submit in all.
        #[arg(long, default_value_t = 10_000)]
        jobs: u32,
    },
    /// A process of a cluster.
    #[command(hide = true)]
    Member {
        /// What to do, as JSON.
        task: String,
    },
    /// A process at work, to be killed.
    #[command(hide = true)]
    Child {
        /// What to do, as JSON.
        task: String,
    },
}

fn main() -> ExitCode {
    let torture = Torture::parse();
    let seed = torture.seed.unwrap_or_else(|| u64::from(std::process::id()) * 1_000_003);
    let time = Duration::from_secs(torture.minutes * 60);
    match torture.part {
        Some(Part::Child { task }) => return child(&task),
        Some(Part::Member { task }) => return serde_json::from_str::<Member>(&task).unwrap().work(),
        Some(Part::Cluster { jobs }) => {
            println!("seed {seed}");
            let cluster = Cluster { program: std::env::current_exe().unwrap(), jobs, seed };
            if let Some(seen) = cluster.run() {
                println!("{seen}");
            }
        }
        Some(Part::Soak) => {
            println!("seed {seed}");
            soak(time, seed);
        }
        Some(Part::Kill) => {
            println!("seed {seed}");
            kill(time, seed);
        }
        None => {
            println!("seed {seed}");
            rounds(time.mul_f64(0.8), seed);
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

fn kill(time: Duration, seed: u64) {
    let start = Instant::now();
    let mut killed = Seen::default();
    while start.elapsed() < time {
        let seed = seed.wrapping_add(u64::from(killed.kills));
        killed += Kills { program: std::env::current_exe().unwrap(), kills: 50, seed }.run();
        println!("{:>7.0?}  {} kills", start.elapsed(), killed.kills);
    }
    println!("{killed}");
}

fn soak(time: Duration, seed: u64) {
    println!("load for {time:.0?}");
    let soaked = Soak { time: time.max(Duration::from_secs(5)), seed, kept: 1_000 }.run();
    println!("{soaked}");
    assert_eq!(soaked.unfinished, 0, "jobs are stuck");
    soaked.assert_flat();
}

/// Rounds of everything that has an end, until the time is over.
fn rounds(time: Duration, seed: u64) {
    let start = Instant::now();
    let (mut moves, mut cuts) = (0, 0);
    let mut killed = Seen::default();
    let mut round = 0;
    while start.elapsed() < time || round == 0 {
        let seed = seed.wrapping_add(round);
        let walk = |walks| Walks { walks, moves: 80, seed };
        moves += walk(100).run::<InMemory>().unwrap_or_else(|parted| panic!("{parted}"));
        moves += walk(20).run::<OnDisk>().unwrap_or_else(|parted| panic!("{parted}"));
        cuts += power::cuts(Durability::Synced, seed) + power::cuts(Durability::Buffered, seed);
        killed += Kills { program: std::env::current_exe().unwrap(), kills: 30, seed }.run();
        round += 1;
        println!(
            "{:>7.0?}  round {round}, seed {seed}: {moves} moves, {} kills, {cuts} power cuts",
            start.elapsed(),
            killed.kills
        );
    }
    println!("{moves} moves of the model, on both backends: parted 0");
    println!("{killed}");
    println!("{cuts} power cuts: lost 0, wrong 0, did not open 0");
}
