//! Servers that tests start by themselves. Each server is found on the machine and runs on a free port in a
//! temporary directory. It ends after the last test that uses it, also after a failed or killed one. [`Proxy`] is
//! a network to a server that a test can break.
//!
//! This package is for tests and benchmarks alone. No package of the library depends on it.

mod directory;
mod pooler;
mod postgres;
mod proxy;
mod s3;
mod skip;

pub use pooler::Pooler;
pub use postgres::{Postgres, Shared};
pub use proxy::Proxy;
pub use s3::S3;
pub use skip::skip;
