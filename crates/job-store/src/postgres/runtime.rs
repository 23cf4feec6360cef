//! The thread that drives the sockets of a store.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinError,
};

/// A runtime on one thread. It ends some time after the drop: a wait for it would panic on a thread of an async
/// runtime. The thread is started here, because a runtime that starts its own panics when the system gives none.
pub(super) struct Runtime {
    handle: Handle,
    _ends: oneshot::Sender<()>,
}

impl Runtime {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ends, ended) = oneshot::channel();
        thread::Builder::new().name("job-store-postgres".to_owned()).spawn(move || {
            // No message is sent. The drop of the sender ends the wait.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, _ends: ends })
    }

    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// The reason why a task of the runtime gave no answer.
pub(super) fn unanswered(ended: &JoinError) -> &'static str {
    // Names are looked up and files are read on threads that the runtime starts when it needs them.
    if ended.is_panic() { "no thread is to be had for it, or it panicked" } else { "the store is closing" }
}
