//! [`Calls`]: makes calls that may block, such as those to the store, on threads of their own.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::failure::ApiFailure;

/// Makes calls on blocking threads, a bounded number at once. A call keeps its place until it ends, even if its
/// request is dropped. So a store that hangs uses up the places, and blocks nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Calls(Arc<Semaphore>);

/// How long a new request waits for a place. A store that works frees one much sooner.
const PATIENCE: Duration = Duration::from_millis(50);

impl Calls {
    /// Allows `places` calls at once, at least one.
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// Makes the first call of a request.
    ///
    /// # Errors
    /// 503 when every place is taken.
    pub(crate) async fn begin<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiFailure> {
        let place = match Arc::clone(&self.0).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => match timeout(PATIENCE, Arc::clone(&self.0).acquire_owned()).await {
                Ok(Ok(place)) => place,
                _ => return Err(ApiFailure::unavailable("the job store answers too slowly; try again later")),
            },
        };
        ended(run(place, call)).await
    }

    /// Makes a later call of a request. It begins at once if a place is free, and else waits for one.
    pub(crate) fn go_on<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, ApiFailure>> + Send + 'static {
        let places = Arc::clone(&self.0);
        let begun = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => Ok(run(place, call)),
            Err(_) => Err(call),
        };
        async move {
            match begun {
                Ok(running) => ended(running).await,
                Err(call) => {
                    let place = places.acquire_owned().await.map_err(|error| ApiFailure::internal(&error))?;
                    ended(run(place, call)).await
                }
            }
        }
    }
}

fn run<T: Send + 'static>(
    place: OwnedSemaphorePermit,
    call: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    spawn_blocking(move || {
        let answer = call();
        drop(place);
        answer
    })
}

async fn ended<T>(running: JoinHandle<T>) -> Result<T, ApiFailure> {
    running.await.map_err(|error| ApiFailure::internal(&error))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_call_keeps_its_place_until_it_has_ended_whoever_waits_for_it() {
        let calls = Calls::new(1);
        let (end, ends) = mpsc::channel::<()>();
        let given_up = calls.go_on(move || ends.recv().is_err());
        drop(given_up);
        assert_eq!(calls.begin(|| ()).await.unwrap_err().status(), 503);
        let next = calls.go_on(|| 7);
        drop(end);
        assert_eq!(next.await.unwrap(), 7);
        assert_eq!(calls.begin(|| 8).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn a_call_that_panics_gives_its_place_back() {
        let calls = Calls::new(0);
        for _ in 0..3 {
            let panics = calls.begin(|| std::panic::panic_any("the code of a host may"));
            assert_eq!(panics.await.unwrap_err().status(), 500);
        }
        assert_eq!(calls.begin(|| 1).await.unwrap(), 1);
    }
}
