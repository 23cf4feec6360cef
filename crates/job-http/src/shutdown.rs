//! [`ShutdownHandle`]: open while requests are served, closed for ever afterwards.

use tokio::sync::watch;

/// Shuts the API. After [`close`](Self::close) every request is answered with 503, and requests that wait for a
/// job answer at once; pages on their way are finished. Clones shut the same API.
#[derive(Debug, Clone)]
pub struct ShutdownHandle(watch::Sender<bool>);

impl Default for ShutdownHandle {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl ShutdownHandle {
    /// Takes no more requests.
    pub fn close(&self) {
        self.0.send_replace(true);
    }

    /// Whether requests are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until requests are refused.
    pub async fn closed(&self) {
        // The sender is in `self`, so that this ends only with the value.
        let _ = self.0.subscribe().wait_for(|closed| *closed).await;
    }
}
