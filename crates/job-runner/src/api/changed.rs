//! [`Changed`]: a future of the next change of a job.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use job_core::JobState;

use crate::{
    engine::core::EngineCore,
    job::{
        entry::Entry,
        signal::{Listener, Listening, News},
    },
};

/// Resolves when something about a job has changed; see [`JobHandle::changed`](crate::JobHandle::changed).
#[must_use = "it waits when it is awaited"]
#[derive(Debug)]
pub struct Changed {
    /// `None` if the job cannot change any more.
    job: Option<Listening<Entry>>,
    /// Set while the job waits: other jobs that come or go change its place in the queue.
    queue: Option<Listening<EngineCore>>,
}

impl Changed {
    pub(crate) fn of(entry: &Arc<Entry>, least: News) -> Self {
        let job = Listening::begin(entry, Listener::Task(least, None));
        let is_over = entry.lock().is_over();
        Self { job: Some(job).filter(|_| !is_over), queue: None }
    }

    pub(crate) fn any(engine: &Arc<EngineCore>, entry: &Arc<Entry>) -> Self {
        let changed = Self::of(entry, News::Progress);
        let (waits, attempt) = {
            let state = entry.lock();
            (state.record.state == JobState::Waiting, state.place.attempt().cloned())
        };
        if changed.job.is_none() {
            return changed;
        }
        if let Some(attempt) = attempt {
            let job = Arc::downgrade(entry);
            attempt.counter.watch(job);
        }
        Self { queue: waits.then(|| Listening::begin(engine, Listener::Task(News::Progress, None))), ..changed }
    }
}

impl Future for Changed {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker();
        let goes_on = self.job.as_ref().is_some_and(|job| job.goes_on(waker))
            && self.queue.as_ref().is_none_or(|queue| queue.goes_on(waker));
        if goes_on { Poll::Pending } else { Poll::Ready(()) }
    }
}
