//! Decisions as pure functions over data: the next job, the next claim, the outcome of an attempt.

pub(crate) mod claims;
pub(crate) mod outcome;
pub(crate) mod queue;
pub(crate) mod retention;
pub(crate) mod suspicion;
