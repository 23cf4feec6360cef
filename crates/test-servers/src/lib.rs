//! Servers that tests start by themselves. Each is found on the machine and runs on a free port in a temporary
//! directory. It ends after the last test that uses it, however that ended. And a network to them that can be broken:
//! [`Proxy`].
//!
//! For tests and benchmarks alone; nothing of the library depends on it.

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
