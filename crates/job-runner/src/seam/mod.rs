//! The parts of the machine that the engine uses: time, chance, threads, locks, and code of the host that may panic.

pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod shield;
pub(crate) mod sync;
