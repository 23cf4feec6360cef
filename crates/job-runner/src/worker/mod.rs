//! The threads of an engine and what they do.

pub(crate) mod inside;
pub(crate) mod keeper;
pub(crate) mod next;
pub(crate) mod pool;
pub(crate) mod run;
pub(crate) mod waiting;
