//! The C interface, called as C calls it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]
#![expect(clippy::multiple_unsafe_ops_per_block, reason = "a test makes many calls in a row")]

mod arguments;
mod handlers;
mod handles;
mod header;
mod jobs;
mod library;
mod nested;
mod pages;
#[cfg(feature = "postgres")]
mod postgres;
mod support;
