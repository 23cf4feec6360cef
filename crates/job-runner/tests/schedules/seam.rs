//! The room `seam` of the library with other locks and threads, which the scheduler knows.

#[path = "../../src/seam/clock.rs"]
pub(crate) mod clock;
#[path = "../../src/seam/shield.rs"]
pub(crate) mod shield;
#[path = "sync.rs"]
pub(crate) mod sync;
