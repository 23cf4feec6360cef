//! Parts that several tests need.

use std::sync::Arc;

use job_runner::{
    Status,
    store::{MemoryStore, RocksOptions, RocksStore, Store},
};
use tempfile::TempDir;

/// An empty store of each kind, with the directory that it needs.
pub fn backends() -> Vec<(&'static str, Arc<dyn Store>, Option<TempDir>)> {
    let directory = tempfile::tempdir().unwrap();
    let rocks = RocksStore::open(directory.path(), RocksOptions::default()).unwrap();
    vec![("memory", Arc::new(MemoryStore::default()), None), ("rocks", Arc::new(rocks), Some(directory))]
}

/// The whole answer, read in each of the two ways, which must agree.
pub fn body(status: Status) -> Vec<u8> {
    let mut written = Vec::new();
    status.write_to(&mut written).unwrap();
    let pieces: Vec<_> = status.pieces().collect::<Result<_, _>>().unwrap();
    assert_eq!(pieces.concat(), written, "pieces() and write_to() differ");
    written
}

/// A number from the environment, so that a long form needs no other program.
pub fn setting(variable: &str, default: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The seed: `TORTURE_SEED`, or a random number that every run prints.
pub fn seed() -> u64 {
    let given = std::env::var("TORTURE_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}
