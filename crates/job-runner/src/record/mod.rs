//! Changes of jobs: each is begun, stored without a lock, and then shown.

pub(crate) mod attempt;
pub(crate) mod cancel;
pub(crate) mod change;
pub(crate) mod completer;
pub(crate) mod deadline;
pub(crate) mod failed;
pub(crate) mod suspects;
pub(crate) mod sweep;
