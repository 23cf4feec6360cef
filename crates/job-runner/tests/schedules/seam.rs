//! The folder `seam` of the library with the scheduler's locks and threads.

#[path = "../../src/seam/chance.rs"]
pub(crate) mod chance;
#[path = "../../src/seam/clock.rs"]
pub(crate) mod clock;
#[path = "../../src/seam/shield.rs"]
pub(crate) mod shield;
#[path = "sync.rs"]
pub(crate) mod sync;
