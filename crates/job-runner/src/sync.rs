//! The locks and threads of the engine, named in one place: `tests/schedules` compiles the same sources with those
//! of a scheduler that tries many orders.

pub(crate) use std::{thread, thread_local};

pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard};
