//! The threads of an engine and their tasks.

pub(crate) mod inside;
pub(crate) mod keeper;
pub(crate) mod next;
pub(crate) mod pool;
pub(crate) mod run;
pub(crate) mod waiting;
