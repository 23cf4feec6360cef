//! Reading jobs and results. Needs the store only.

pub(crate) mod page;
pub(crate) mod reader;
pub(crate) mod reads;
pub(crate) mod unreadable;
