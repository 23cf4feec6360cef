//! Decisions as pure functions over data: which job is next, what to claim, what becomes of an attempt.

pub(crate) mod claims;
pub(crate) mod outcome;
pub(crate) mod queue;
pub(crate) mod retention;
pub(crate) mod suspicion;
