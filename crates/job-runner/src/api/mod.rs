//! The public interface of the engine.

pub(crate) mod builder;
pub(crate) mod changed;
pub(crate) mod crash;
pub(crate) mod driver;
pub(crate) mod engine;
pub(crate) mod explain;
pub(crate) mod handle;
pub(crate) mod snapshot;
pub(crate) mod submit;
