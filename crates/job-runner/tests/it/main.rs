//! Jobs through the public interface. Tests are deterministic where one thread suffices (`workers(0)`, a manual
//! clock). With several threads, channels are the barriers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod admission;
mod algorithms;
mod attempts;
mod blocked;
mod cancel;
mod cluster;
mod crashes;
mod examples;
mod faults;
mod filters;
mod host_code;
mod inputs;
mod lifecycle;
mod limits;
mod metering;
mod nested;
mod panics;
mod queue;
mod reading;
mod reopen;
mod retention;
mod retry;
mod seats;
mod seeds;
mod shutdown;
mod spans;
mod started;
mod support;
mod suspects;
mod unreadable;
mod watching;
