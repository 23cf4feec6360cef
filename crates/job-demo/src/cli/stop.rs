//! Waits for the signal to stop.

use std::{future::pending, io, thread};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use tokio::sync::watch;

/// Resolves when the program is told to stop.
#[derive(Debug)]
pub(super) struct Told(watch::Receiver<bool>);

/// Listens from now on for Ctrl-C and for the signal that service managers send. The first signal asks the program to
/// stop; a second ends it at once, in any state.
pub(super) fn listen() -> io::Result<Told> {
    let (tell, told) = watch::channel(false);
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let again = tell.send_replace(true);
            if again {
                // Not `exit`: that would wait for the threads of the store.
                let _ = emulate_default_handler(signal);
            }
        }
    })?;
    Ok(Told(told))
}

impl Told {
    /// Waits for the first signal.
    pub(super) async fn wait(mut self) {
        if self.0.wait_for(|told| *told).await.is_err() {
            // The receiver is gone.
            pending::<()>().await;
        }
    }
}
