//! The locks of [`SharedMemory`](crate::SharedMemory) and the clock of its waits, named in one place. job-runner's
//! `tests/schedules` compiles the same source with the types of a scheduler that tries many orders.

pub(crate) use std::time::Instant;

pub(crate) use parking_lot::{Condvar, Mutex};
