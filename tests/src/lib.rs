//! The parts that the tests and the `torture` program share. These are jobs whose every row is known beforehand, a
//! model of the whole engine, processes that are killed, and disks that lose power.
//!
//! * [`script`]: a job as data. Its rows follow from it, so any process can check a page.
//! * [`model`]: the engine against a plain model, move by move (`proptest-state-machine`).
//! * [`child`] and [`kill`]: a process that works on a store, and one that kills it and checks the store.
//! * [`member`] and [`cluster`]: processes that share a database, and one that kills, stops and checks them.
//! * [`bystander`]: processes with a job that kills them every time.
//! * [`crowd`]: a process with more results than it may have files open.
//! * [`fork`]: a process that forks while it has stores open, and what both halves say.
//! * [`stumble`]: a store that kills its process at a chosen write.
//! * [`trace`], [`disk`] and [`power`]: the calls of a process to the file system, and the state that a power cut at
//!   any moment may leave. They say which jobs must be in it.
//! * [`soak`]: everything at once for a long time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test harness reports by panicking"
)]

mod audit;
pub mod bystander;
pub mod child;
pub mod cluster;
pub mod crowd;
pub mod disk;
pub mod fork;
pub mod kill;
pub mod member;
pub mod model;
pub mod power;
pub mod script;
pub mod soak;
pub mod stumble;
pub mod trace;

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The tests of `docs/testing.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/testing.md")]
struct Testing;
