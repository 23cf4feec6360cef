//! Tests of the whole engine, on every backend. One binary, because RocksDB is slow to link.
#![allow(missing_docs, unreachable_pub, reason = "a test binary has no public interface")]

mod docs;
mod golden;
mod model;
mod pages;
mod support;
