//! [`Entry`]: one unfinished job in this process. The job's handles wait on its entry.

use std::{fmt, mem, sync::Arc, time::Duration};

use job_core::{JobId, JobRecord, JobState};

use crate::{
    job::{
        attempt::Attempt,
        error::EngineError,
        events::{Audience, JobEvents},
        lease::Lease,
        place::Place,
        signal::{Callback, Listener, News, Signal},
    },
    seam::{
        shield,
        sync::{Instant, Mutex, MutexGuard},
    },
};

/// One job. `record` is the stored record. While a [`Change`] is being stored, it is the record before the change.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: JobId,
    state: Mutex<State>,
    signal: Signal,
}

pub(crate) struct State {
    pub(crate) record: JobRecord,
    pub(crate) place: Place,
    /// Whether a change of the record is being stored, without the lock. No other change begins meanwhile.
    recording: bool,
    /// Whether a thread of this engine waits for the job, so that the engine looks at it while another engine has
    /// it.
    pub(crate) awaited: bool,
    /// The reason why the job is left to another engine or the next open, unless the change that is being stored
    /// completes it. In a box, since every waiting job has room for it.
    leaving: Option<Box<EngineError>>,
    /// The readers of this job's changes.
    pub(crate) events: Audience,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("record", &self.record).field("place", &self.place).finish_non_exhaustive()
    }
}

impl State {
    /// The answer to waiters; `None` while the job may still change.
    fn end(&self) -> Option<Result<JobRecord, EngineError>> {
        if self.record.state.is_complete() {
            return Some(Ok(self.record.clone()));
        }
        match &self.place {
            Place::Left(why) => Some(Err(why.as_ref().clone())),
            _ => None,
        }
    }

    /// Whether no other engine can change the record, so that it is up to date.
    pub(crate) const fn is_settled_or_here(&self) -> bool {
        self.place.is_here() || self.is_over()
    }

    /// Whether the job will not change any more in this process.
    pub(crate) const fn is_over(&self) -> bool {
        self.record.state.is_complete() || self.place.is_left()
    }

    /// Replaces the record by a later one, and announces it. All watches get every change in order, because the
    /// lock is held.
    pub(crate) fn show(&mut self, record: JobRecord) {
        self.events.tell(&record);
        if record.state.is_complete() {
            self.events.close();
        }
        self.record = record;
    }

    /// The attempt of a record that says running; `None` otherwise.
    pub(crate) const fn runs(&self) -> Option<u32> {
        match self.record.state {
            JobState::Running { .. } => Some(self.record.attempt),
            _ => None,
        }
    }
}

impl AsRef<Signal> for Entry {
    fn as_ref(&self) -> &Signal {
        &self.signal
    }
}

impl Entry {
    pub(crate) fn new(record: JobRecord, place: Place) -> Self {
        let id = record.id;
        let state =
            State { record, place, recording: false, awaited: false, leaving: None, events: Audience::default() };
        Self { id, state: Mutex::new(state), signal: Signal::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn record(&self) -> JobRecord {
        self.lock().record.clone()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.lock().record.state.is_complete()
    }

    pub(crate) fn attempt(&self) -> Option<Arc<Attempt>> {
        self.lock().place.attempt().cloned()
    }

    pub(crate) fn lease(&self) -> Option<Arc<Lease>> {
        self.lock().place.lease().cloned()
    }

    /// Whether this engine had a claim on the job that is over.
    pub(crate) fn is_lease_over(&self) -> bool {
        self.lock().place.lease().is_some_and(|lease| lease.is_over())
    }

    /// The answer to a wait; `None` while the job may still change.
    pub(crate) fn end(&self) -> Option<Result<JobRecord, EngineError>> {
        self.lock().end()
    }

    /// Waits for the end, at most until `until`; `None` if that time comes first.
    pub(crate) fn wait(&self, until: Option<Instant>) -> Option<Result<JobRecord, EngineError>> {
        let mut state = self.lock();
        loop {
            if let Some(end) = state.end() {
                return Some(end);
            }
            if self.signal.wait(&mut state, until) {
                return state.end();
            }
        }
    }

    /// Whether the job is still needed when it has no handle.
    pub(crate) fn is_needed(&self) -> bool {
        let state = self.lock();
        state.place.is_here() || state.place.stopped().is_some() || self.signal.count() > 0
    }

    /// Calls `callback` at the end, on the thread that completes the job; at once if it is complete.
    pub(crate) fn on_complete(&self, callback: Callback) {
        let state = self.lock();
        if state.record.state.is_complete() {
            let record = state.record.clone();
            drop(state);
            self.shield(|| callback(&record));
        } else if state.place.is_left() {
            // The callback will not be called. It is dropped, since a thread may wait for a value that it holds.
            drop(state);
            shield::discard(callback);
        } else {
            self.signal.add(Listener::Callback(callback));
        }
    }

    /// The changes of the job from now on.
    pub(crate) fn watch(self: &Arc<Self>) -> JobEvents {
        // Under the lock no change comes between the check and the watch.
        let mut state = self.lock();
        if state.is_over() {
            state.events.close();
        }
        state.events.join(Some(Arc::clone(self)))
    }

    /// Begins a change of the record. Waits for the end of another change.
    pub(crate) fn change(self: &Arc<Self>) -> Change {
        let mut state = self.lock();
        while state.recording {
            self.signal.wait(&mut state, None);
        }
        state.recording = true;
        drop(state);
        Change(Arc::clone(self))
    }

    /// Begins a change of the record; `None` if another change is being stored.
    pub(crate) fn try_change(self: &Arc<Self>) -> Option<Change> {
        let was_recording = mem::replace(&mut self.lock().recording, true);
        (!was_recording).then(|| Change(Arc::clone(self)))
    }

    /// Locks the job; `None` while a change of it is being stored.
    pub(crate) fn lock_unchanging(&self) -> Option<MutexGuard<'_, State>> {
        Some(self.lock()).filter(|state| !state.recording)
    }

    /// Wakes all waiters, after the record has become complete. The caller holds no lock.
    pub(crate) fn tell_end(&self) {
        self.signal.wake_threads();
        let callbacks = self.signal.tell(News::End);
        if callbacks.is_empty() {
            return;
        }
        let record = self.record();
        for callback in callbacks {
            self.shield(|| callback(&record));
        }
    }

    /// Signals a new record or a new place. The caller holds no lock.
    pub(crate) fn tell_state(&self) {
        // Callbacks are called only at the end.
        self.signal.tell(News::State);
    }

    /// Runs code of the host. Its panic does not end the thread: a worker, the keeper, or the caller of a cancel.
    fn shield(&self, call: impl FnOnce()) {
        if let Err(message) = shield::run(call) {
            shield::log(|| tracing::error!(job = %self.id, message, "a callback at the end of a job panicked"));
        }
    }

    /// Tells all waiters that the job will not end in this process, and ensures that it does not.
    pub(crate) fn lose(&self, why: EngineError) {
        let mut state = self.lock();
        if state.recording {
            state.leaving = Some(Box::new(why));
            return;
        }
        state.place.leave(why);
        state.events.close();
        drop(state);
        // The callbacks will not be called. They are dropped, since a thread may wait for a value that they hold,
        // such as a channel.
        self.signal.wake_threads();
        shield::discard_all(self.signal.tell(News::End));
    }
}

/// One change of a job's record, from its beginning until it is stored and shown. Dropping it gives the change up.
/// It holds no lock, so only other changes of this job wait for the store.
#[derive(Debug)]
pub(crate) struct Change(Arc<Entry>);

impl Change {
    /// The state of the job. Do not hold it across a call to the store.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let leaving = {
            let mut state = self.0.lock();
            state.recording = false;
            state.leaving.take().filter(|_| !state.record.state.is_complete())
        };
        self.0.signal.wake_threads();
        match leaving {
            Some(why) => self.0.lose(*why),
            None => self.0.tell_state(),
        }
    }
}

/// `timeout` from now; `None` when that is past the end of time.
pub(crate) fn until(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}
