//! The state that the threads of one engine share.

pub(crate) mod completer;
pub(crate) mod config;
pub(crate) mod core;
pub(crate) mod ended;
pub(crate) mod figures;
pub(crate) mod health;
pub(crate) mod ids;
pub mod metrics;
pub(crate) mod observe;
pub(crate) mod recent;
pub(crate) mod scheduler;
pub(crate) mod source;
pub(crate) mod started;
pub(crate) mod stats;
