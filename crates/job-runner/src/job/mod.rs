//! One job in this process: its record, its place, its attempt. No store and no thread.

pub(crate) mod attempt;
pub(crate) mod cancel;
pub(crate) mod entry;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod lease;
pub(crate) mod place;
pub(crate) mod progress;
pub(crate) mod registry;
pub(crate) mod signal;
