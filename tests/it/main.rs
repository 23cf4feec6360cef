//! Tests of the whole engine, on every backend. One binary, because RocksDB is slow to link.
#![allow(missing_docs, unreachable_pub, reason = "a test binary has no public interface")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests report by panicking, also in functions that are no tests themselves"
)]

mod bystander;
mod cluster;
mod docs;
mod faults;
mod figures;
mod fuzz;
mod golden;
mod kill;
mod model;
mod operated;
mod outages;
mod pages;
mod power;
mod soak;
mod spelling;
mod support;
mod traces;
mod unreadable;
