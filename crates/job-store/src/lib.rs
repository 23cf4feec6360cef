//! Where jobs and their results are kept.
//!
//! Two traits, [`JobStore`] and [`ResultStore`], state a contract. [`conformance`] is that contract as tests,
//! which any backend can run. The backends of this crate are:
//!
//! [`MemoryStore`], the reference. `RocksStore` (feature `rocksdb`), the fastest on disk, which holds results
//! larger than memory and survives crashes. `RedbStore` (feature `redb`), one file in Rust alone. `PostgresStore`
//! (feature `postgres`), a [`SharedStore`] for engines on many machines, which can keep large results in an object
//! store (feature `objects`).
//!
//! `RocksStore` and `RedbStore` are one [`KeyValueStore`], which runs on any ordered key-value engine over a small
//! adaptor: see [`key_value`]. [`contract`] says how to write a store of another shape.
//!
//! This crate stores bytes in order, in atomic writes. It does **not** know which changes of a job are legal
//! (`job-core` does), and it runs no job (`job-runner` does).
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `rocksdb` | `RocksStore`: a RocksDB directory. Links the crate `rocksdb`, of which a build can have one version |
//! | `redb` | `RedbStore`: one file, in Rust alone |
//! | `postgres` | `PostgresStore`: a store that engines on several machines share |
//! | `tls` | encrypted connections to PostgreSQL, by rustls |
//! | `objects` | large results beside PostgreSQL, in a directory or any `object_store` |
//! | `s3` | large results in S3, with `tls` |
//! | `conformance` | [`conformance`], for the tests of a store |
//!
//! Without a feature there is the store in memory, and [`KeyValueStore`] over the host's own engine.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use job_core::{Event, JobId, JobRecord, JobResult, JobSpec, ResultSize, RowList, Timestamp};
//! use job_store::{BlockBuilder, Durability, JobStore, MemoryStore, ResultStore, SegmentKey};
//!
//! let store = MemoryStore::default();
//! let now = Timestamp::from_micros(1);
//! let job = JobId::from_parts(now, [0; 10]);
//! let waiting = JobRecord::waiting(job, JobSpec::vertex_filter().with_graph("movies"), now);
//! store.insert(&[waiting.clone()], Durability::Synced)?;
//! let running = waiting.apply(Event::Start, now)?;
//! store.replace(&running, Durability::Buffered)?;
//!
//! // A worker packs rows into blocks and appends them to a segment of its own.
//! let key = SegmentKey { job, attempt: 1, number: 0 };
//! let mut block = BlockBuilder::new(key);
//! block.push(&"Sarah")?;
//! let mut writer = store.segment(key)?;
//! writer.append(block.seal())?;
//! let segment = writer.finish()?;
//!
//! // The record says `succeeded` only together with the result.
//! let result = JobResult { list: Some(RowList::new("vertices", vec![segment])), ..JobResult::default() };
//! let done = running.apply(Event::Succeed(result.size()), now)?;
//! store.complete(&[(&done, &result)], Durability::Synced)?;
//! store.read(key, 0..1, &mut |rows| {
//!     assert_eq!(*rows.json()?, *br#""Sarah""#);
//!     Ok(ControlFlow::Continue(()))
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod block;
pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contract;
mod copy;
mod error;
mod fault;
#[doc(hidden)]
pub mod forward;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod index;
pub mod key_value;
#[cfg(any(feature = "rocksdb", feature = "redb"))]
#[cfg_attr(not(feature = "rocksdb"), allow(dead_code, reason = "a part of it is for directories"))]
mod lock;
mod memory;
mod packing;
#[cfg(any(feature = "rocksdb", feature = "redb"))]
#[cfg_attr(not(feature = "rocksdb"), allow(dead_code, reason = "a part of it is for directories"))]
mod place;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "rocksdb")]
mod rocks;
mod seat;
mod shared;
mod shared_memory;
mod store;
mod sync;
mod verify;

pub use backup::Backup;
pub use block::{Block, BlockBuilder, InvalidBlock, InvalidRow, Rows, SealedBlock, SegmentKey, Unpacked};
pub use copy::{Copied, CopyNews, CopyOptions, copy};
pub use error::{ErrorKind, StoreError};
pub use fault::{Fault, FaultCall, FaultRule, FaultStore, Moment, Operation};
pub use key_value::KeyValueStore;
pub use memory::MemoryStore;
/// The client of object stores that [`PostgresStore`] uses, for hosts that bring an object store of their own.
#[cfg(feature = "objects")]
pub use object_store;
pub use packing::{Packing, UnknownPacking};
#[cfg(feature = "objects")]
pub use postgres::ObjectOptions;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
#[cfg(feature = "redb")]
pub use redb::{Redb, RedbOptions, RedbStore};
#[cfg(feature = "rocksdb")]
pub use rocks::{Database, Rocks, RocksOptions, RocksStore};
/// The RocksDB bindings that [`RocksStore`] uses, for hosts that share a database with it.
#[cfg(feature = "rocksdb")]
pub use rocksdb;
pub use seat::{Seat, Seats};
pub use shared::{Claim, ClaimId, Claimed, Holder, KnownRevision, LONGEST_PAUSE, SharedStore};
pub use shared_memory::SharedMemory;
pub use store::{
    BlockRows, Durability, EachBlock, EachRows, JobStore, Kept, LeastUsed, Listed, MAX_CHECKPOINT, Pin,
    ResultStore, SegmentWriter, Store, Usage,
};
pub use verify::{Finding, Verified, verify};
