//! The engine under a scheduler that tries many orders of its threads (shuttle).
//!
//! This compiles the sources of the library with other locks and threads ([`seam`]). Whole engines with workers,
//! keeper and completer run over a store in memory. A deadlock, a waiter that is never woken and a wrong outcome
//! are failures, and their schedule is printed.
//!
//! `JOB_SCHEDULES` is the number of schedules of each scenario: 1,000 by default, 100,000 in the long form, a
//! quarter of that for two engines. The scheduler also decides the time ([`time`]).
//!
//! The tests also simulate several engines on one store ([`simulation`]), over lines that delay, fail and lose
//! answers. `JOB_SEEDS` is the number of seeds, 200 by default, and `JOB_SEED` is the first one. With both, and
//! with `JOB_STORY` set, one run is made again and its events are printed. The feature `mistakes` puts five
//! mistakes into the lines, each of which the simulation has to find. `JOB_MISTAKE` puts one of them into every
//! run.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    unfulfilled_lint_expectations,
    reason = "the library's sources, of which this uses a part"
)]

#[path = "../../src/api/mod.rs"]
mod api;
#[path = "../../src/decide/mod.rs"]
mod decide;
#[path = "../../src/engine/mod.rs"]
mod engine;
mod found;
#[path = "../../../job-store/src/guard.rs"]
mod guard;
#[path = "../../src/handler/mod.rs"]
mod handler;
#[path = "../../src/job/mod.rs"]
mod job;
mod line;
#[path = "../../src/read/mod.rs"]
mod read;
#[path = "../../src/record/mod.rs"]
mod record;
mod scenarios;
mod seam;
mod several;
#[path = "../../../job-store/src/shared_memory.rs"]
mod shared_memory;
mod simulation;
#[path = "../../src/source/mod.rs"]
mod source;
mod time;
#[path = "../../src/worker/mod.rs"]
mod worker;

pub use crate::engine::metrics;
pub use crate::handler::context::Iterative;
use crate::{seam::sync, time::Timed};

use std::{env, process::ExitCode};

// The names that the store in memory finds at the root of its own crate.
use job_store::{
    Claim, ClaimId, Claimed, Durability, ErrorKind, Holder, JobStore, KnownRevision, LONGEST_PAUSE, MemoryStore,
    ResultStore, Seat, Seats, SegmentKey, SegmentWriter, SharedStore, Store, StoreError, forward,
};
use libtest_mimic::{Arguments, Trial};
use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

/// Schedules of a scenario by default.
const SCHEDULES: u64 = 1_000;
/// Time passes in one of this number of steps, although threads could go on.
const TIME_EVERY: u64 = 32;

fn main() -> ExitCode {
    let schedules = number("JOB_SCHEDULES").unwrap_or(SCHEDULES);
    let of_two = schedules.div_ceil(4);
    let scenarios =
        [(scenarios::ALL, schedules), (several::ALL, of_two)].into_iter().flat_map(|(all, schedules)| {
            let half = usize::try_from(schedules.div_ceil(2)).unwrap_or(usize::MAX);
            all.iter().map(move |&(name, scenario)| {
                Trial::test(name, move || {
                    // Half of the schedules are random. The others change priorities rarely, which finds faults
                    // that need long runs of one thread.
                    run(RandomScheduler::new(half), scenario);
                    run(PctScheduler::new(3, half), scenario);
                    Ok(())
                })
            })
        });
    let found = found::trials();
    libtest_mimic::run(&Arguments::from_args(), scenarios.chain(found).collect()).exit_code()
}

/// The value of a variable of the environment.
fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    Runner::new(Timed::new(scheduler), config).run(move || time::run(TIME_EVERY, scenario));
}
