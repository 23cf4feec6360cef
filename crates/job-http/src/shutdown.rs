//! [`ShutdownHandle`]: open while requests are served, then closed for good.

use tokio::sync::watch;

/// Shuts the API down. After [`close`](Self::close) every new request is answered with 503, and requests that wait
/// for a job answer at once. Pages that are being sent are finished. Clones shut down the same API.
#[derive(Debug, Clone)]
pub struct ShutdownHandle(watch::Sender<bool>);

impl Default for ShutdownHandle {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl ShutdownHandle {
    /// Refuses requests from now on.
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
        // The sender lives in `self`, so the wait ends only with a close.
        let _ = self.0.subscribe().wait_for(|closed| *closed).await;
    }
}
