//! The contract of a store on every backend, and what only RocksDB has.
#![allow(missing_docs, unreachable_pub)]

mod backends;
#[cfg(feature = "rocksdb")]
mod rocks;
