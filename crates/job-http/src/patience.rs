//! [`Patience`]: how long the answer to one request may take.

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use axum::{extract::FromRequestParts, http::request::Parts};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::context::Context;

/// The time until which an answer is waited for. The handler of the request may extend it.
#[derive(Debug, Clone)]
pub(crate) struct Patience(Arc<Mutex<Instant>>);

/// A year: longer than any answer, and within the range of a clock.
const LONGEST: Duration = Duration::from_hours(24 * 365);

impl Patience {
    pub(crate) fn new(time: Duration) -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + time.min(LONGEST))))
    }

    /// Waits longer than before by this time.
    pub(crate) fn extend(&self, time: Duration) {
        *self.0.lock() += time.min(LONGEST);
    }

    /// The outcome of `answer`; `None` if it takes too long.
    pub(crate) async fn wait<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        let mut answer = pin!(answer);
        loop {
            let until = *self.0.lock();
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                () = sleep_until(until) => {}
            }
            if *self.0.lock() <= until {
                return None;
            }
        }
    }
}

impl FromRequestParts<Context> for Patience {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Context) -> Result<Self, Infallible> {
        let given = parts.extensions.get::<Self>().cloned();
        Ok(given.unwrap_or_else(|| Self::new(LONGEST)))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{pause, sleep};

    use super::*;

    #[tokio::test]
    async fn an_answer_has_the_time_that_its_handler_asks_for() {
        pause();
        let patience = Patience::new(Duration::from_secs(1));
        assert_eq!(patience.wait(async { 7 }).await, Some(7));
        assert_eq!(patience.wait(pending::<()>()).await, None);
        let patience = Patience::new(Duration::from_secs(1));
        let own = patience.clone();
        let slow = async move {
            own.extend(Duration::from_mins(1));
            sleep(Duration::from_secs(50)).await;
        };
        assert_eq!(patience.wait(slow).await, Some(()));
    }
}
