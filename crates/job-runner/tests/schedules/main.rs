//! The engine under a scheduler that tries many orders of its threads (shuttle).
//!
//! These are the sources of the library once more, with other locks and threads ([`sync`]): whole engines with
//! workers, keeper and completer run, over a store in memory. A deadlock, a waiter that is never woken and a wrong
//! outcome are failures, and the schedule that led there is printed.
//!
//! `JOB_SCHEDULES` says how many schedules each scenario tries, one of two engines a quarter of them: 1,000 by default,
//! 100,000 for the long form. Time is the scheduler's too ([`time`]).
//!
//! Besides, several engines are simulated on one store ([`simulation`]), over lines that delay, fail and lose answers.
//! `JOB_SEEDS` says how many seeds are tried, 200 by default, and `JOB_SEED` which is the first: with both, and with
//! `JOB_STORY` set, one run is made again and told. The feature `mistakes` puts five mistakes into the lines, each of
//! which the simulation has to find; `JOB_MISTAKE` puts one of them into every run.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    unfulfilled_lint_expectations,
    reason = "the library's sources, of which this uses a part"
)]

#[path = "../../src/attempt.rs"]
mod attempt;
#[path = "../../src/cancel.rs"]
mod cancel;
#[path = "../../src/clock.rs"]
mod clock;
#[path = "../../src/completer.rs"]
mod completer;
#[path = "../../src/config.rs"]
mod config;
#[path = "../../src/context.rs"]
mod context;
#[path = "../../src/deadline.rs"]
mod deadline;
#[path = "../../src/engine.rs"]
mod engine;
#[path = "../../src/engine_core.rs"]
mod engine_core;
#[path = "../../src/entry.rs"]
mod entry;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/explain.rs"]
mod explain;
mod found;
#[path = "../../../job-store/src/guard.rs"]
mod guard;
#[path = "../../src/handle.rs"]
mod handle;
#[path = "../../src/handler.rs"]
mod handler;
#[path = "../../src/health.rs"]
mod health;
#[path = "../../src/ids.rs"]
mod ids;
#[path = "../../src/inside.rs"]
mod inside;
#[path = "../../src/lease.rs"]
mod lease;
mod line;
#[path = "../../src/metrics.rs"]
mod metrics;
#[path = "../../src/next.rs"]
mod next;
#[path = "../../src/outcome.rs"]
mod outcome;
#[path = "../../src/page.rs"]
mod page;
#[path = "../../src/partition.rs"]
mod partition;
#[path = "../../src/place.rs"]
mod place;
#[path = "../../src/pool.rs"]
mod pool;
#[path = "../../src/progress.rs"]
mod progress;
#[path = "../../src/queue.rs"]
mod queue;
#[path = "../../src/reader.rs"]
mod reader;
#[path = "../../src/registry.rs"]
mod registry;
#[path = "../../src/retention.rs"]
mod retention;
#[path = "../../src/rows.rs"]
mod rows;
#[path = "../../src/saved.rs"]
mod saved;
mod scenarios;
mod several;
#[path = "../../../job-store/src/shared_memory.rs"]
mod shared_memory;
#[path = "../../src/shield.rs"]
mod shield;
mod simulation;
#[path = "../../src/snapshot.rs"]
mod snapshot;
#[path = "../../src/source/mod.rs"]
mod source;
#[path = "../../src/started.rs"]
mod started;
#[path = "../../src/stats.rs"]
mod stats;
#[path = "../../src/submit.rs"]
mod submit;
#[path = "../../src/suspicion.rs"]
mod suspicion;
mod sync;
mod time;
#[path = "../../src/unreadable.rs"]
mod unreadable;
#[path = "../../src/waiting.rs"]
mod waiting;
#[path = "../../src/watch.rs"]
mod watch;
#[path = "../../src/width.rs"]
mod width;
#[path = "../../src/worker.rs"]
mod worker;

pub use crate::context::Iterative;
use crate::time::Timed;

use std::{env, process::ExitCode};

// What the store in memory finds at the root of its own crate.
use job_store::{
    Claim, ClaimId, Claimed, Durability, EachBlock, ErrorKind, Held, JobStore, LONGEST_PAUSE, Listed, MemoryStore,
    Pin, ResultStore, Rows, SealedBlock, Seat, Seats, SegmentKey, SegmentWriter, SharedStore, StoreError,
};
use libtest_mimic::{Arguments, Trial};
use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

/// Schedules a scenario when nothing else is said.
const SCHEDULES: u64 = 1_000;
/// Out of so many steps one lets time pass although others could go on.
const TIME_EVERY: u64 = 32;

fn main() -> ExitCode {
    let schedules = number("JOB_SCHEDULES").unwrap_or(SCHEDULES);
    let of_two = schedules.div_ceil(4);
    let scenarios =
        [(scenarios::ALL, schedules), (several::ALL, of_two)].into_iter().flat_map(|(all, schedules)| {
            let half = usize::try_from(schedules.div_ceil(2)).unwrap_or(usize::MAX);
            all.iter().map(move |&(name, scenario)| {
                Trial::test(name, move || {
                    // Half of them by chance, half with few changes of priority, which finds what needs long runs of one thread.
                    run(RandomScheduler::new(half), scenario);
                    run(PctScheduler::new(3, half), scenario);
                    Ok(())
                })
            })
        });
    let found = found::trials();
    libtest_mimic::run(&Arguments::from_args(), scenarios.chain(found).collect()).exit_code()
}

/// What a variable of the environment is set to.
fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    Runner::new(Timed::new(scheduler), config).run(move || time::run(TIME_EVERY, scenario));
}
