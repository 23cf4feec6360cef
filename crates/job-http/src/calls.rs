//! [`Calls`]: calls that may wait, to the store above all, made beside the threads that serve requests.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::failure::ApiFailure;

/// Makes calls on blocking threads, and no more at once than there are places. A call has its place until it has
/// ended, also when the request that made it is given up. So a store that hangs takes the places, and nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Calls(Arc<Semaphore>);

/// How long a new request waits for a place. A store that is well frees one much sooner.
const PATIENCE: Duration = Duration::from_millis(50);

impl Calls {
    /// At least one place.
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

    /// Makes a further call of a request that has begun: at once if a place is free, else when one is.
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
