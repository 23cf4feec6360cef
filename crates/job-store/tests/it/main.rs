//! The contract of a store on every backend, and the tests of single backends.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

/// The names that `memory` has from the library.
use job_store::{
    BlockBuilder, Durability, EachBlock, EachRows, ErrorKind, JobStore, Kept, LeastUsed, Listed, Pin, ResultStore,
    SealedBlock, Seat, Seats, SegmentKey, SegmentWriter, StoreError, Usage, contract,
};

mod backends;
#[cfg(feature = "rocksdb")]
mod backup;
#[path = "../../examples/btree_map.rs"]
mod btree_map;
mod content;
#[cfg(feature = "rocksdb")]
mod copy;
#[cfg(feature = "rocksdb")]
mod corruption;
#[cfg(feature = "postgres")]
mod crashed;
mod faults;
mod files;
#[cfg(feature = "rocksdb")]
mod fixture;
#[path = "../../examples/fjall_store.rs"]
mod fjall_store;
mod index;
/// The reference store, compiled outside of the library: it is written with what is public.
#[path = "../../src/memory.rs"]
mod memory;
mod mutants;
#[cfg(feature = "objects")]
mod objects;
#[cfg(feature = "objects")]
mod plans;
#[cfg(feature = "postgres")]
mod pooled;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "objects")]
mod restore;
#[cfg(feature = "rocksdb")]
mod rocks;
#[cfg(feature = "postgres")]
mod shortage;
#[cfg(feature = "postgres")]
mod stopped;
#[cfg(feature = "tls")]
mod tls;
