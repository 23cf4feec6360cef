//! A store that does not answer one call stops only its caller.

use std::{sync::Arc, thread, time::Duration};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use job_runner::{
    Engine, EngineBuilder, EngineError, JobHandle, JobRecord, JobState, Outcome,
    store::{FaultStore, MemoryStore, Moment, SharedMemory},
};
use parking_lot::Mutex;

use crate::support::{Gate, gated, job, nothing};

/// Longer than any step of these tests, so that only an endless wait fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// Blocks the next write of a thread with this name, once it is armed.
struct Blocker {
    thread: Arc<Mutex<Option<&'static str>>>,
    blocked: Receiver<()>,
    go: Sender<()>,
}

impl Blocker {
    /// The blocker, and the hook of the store.
    fn new() -> (Self, impl Fn(Moment, u64) + Send + Sync + 'static) {
        let thread = Arc::new(Mutex::new(None));
        let (block, blocked) = unbounded();
        let (go, gone) = bounded::<()>(1);
        let hook = {
            let thread = Arc::clone(&thread);
            move |moment, _| {
                let own = thread::current();
                let is_next = |next: &mut &str| own.name().is_some_and(|name| name.starts_with(*next));
                if moment == Moment::Before && thread.lock().take_if(is_next).is_some() {
                    let _ = block.send(());
                    let _ = gone.recv_timeout(PATIENCE);
                }
            }
        };
        (Self { thread, blocked, go }, hook)
    }

    fn arm(&self, thread: &'static str) {
        *self.thread.lock() = Some(thread);
    }

    /// Waits until a write is blocked.
    fn met(&self) {
        self.blocked.recv_timeout(PATIENCE).unwrap();
    }

    fn open(&self) {
        self.go.send(()).unwrap();
    }

    /// Cancels a job, with a write that is blocked.
    fn cancel(&self, handle: &JobHandle) -> thread::JoinHandle<Result<JobRecord, EngineError>> {
        self.arm("cancel");
        let handle = handle.clone();
        let cancel = thread::Builder::new().name("cancel".to_owned()).spawn(move || handle.cancel()).unwrap();
        self.met();
        cancel
    }
}

/// Runs `code` on a thread of its own. Panics if `code` does not return in time.
fn in_time<T: Send + 'static>(what: &'static str, code: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = bounded(1);
    thread::spawn(move || tell.send(code()));
    told.recv_timeout(PATIENCE / 2).unwrap_or_else(|_| panic!("{what} waits for a store that does not answer"))
}

/// While the store does not answer a call about one job, all other callers are served. That job is shown as before
/// the call.
fn others_go_on(engine: &Arc<Engine>, job_of_the_call: &JobHandle, ends_are_stored: bool) {
    let shown = job_of_the_call.clone();
    in_time("a look at the job", move || (shown.record(), shown.snapshot(), shown.progress()));
    let (all, id) = (Arc::clone(engine), job_of_the_call.id());
    in_time("a look at the engine", move || (all.stats(), all.explain(id).map(drop), all.job(id).map(drop)))
        .2
        .unwrap();
    let all = Arc::clone(engine);
    let other = in_time("a submission", move || all.submit(job("nothing"))).unwrap();
    let waiting = other.clone();
    if ends_are_stored {
        let ended = in_time("another job", move || waiting.wait()).unwrap();
        assert_eq!(ended.state, JobState::Complete(Outcome::Succeeded));
    }
    let all = Arc::clone(engine);
    let cancelled = in_time("a cancel of another job", move || {
        let handle = all.submit(job("nobody runs this"))?;
        handle.cancel()
    });
    assert_eq!(cancelled.unwrap().state, JobState::Complete(Outcome::Cancelled));
}

fn handlers<S>(builder: EngineBuilder<S>) -> (EngineBuilder<S>, Gate) {
    let (gate, body) = gated();
    (builder.workers(3).algorithm("nothing", nothing).algorithm("gated", body), gate)
}

/// An engine that has its store for itself, and one that shares its store.
fn engines() -> [(Arc<Engine>, Blocker, Gate); 2] {
    let (alone, hook) = Blocker::new();
    let store = FaultStore::with_hook(Arc::new(MemoryStore::default()), hook);
    let (builder, first) = handlers(Engine::builder(Arc::new(store)));
    let one = Arc::new(builder.accept_any_kind().open().unwrap());
    let (shared, hook) = Blocker::new();
    let store = FaultStore::with_hook(Arc::new(SharedMemory::new(MemoryStore::default())), hook);
    let (builder, second) = handlers(Engine::builder_shared(Arc::new(store)));
    // The engine writes only for the jobs of the test.
    let builder = builder.lease_duration(Duration::from_hours(1)).poll_interval(Duration::from_hours(1));
    [(one, alone, first), (Arc::new(builder.open().unwrap()), shared, second)]
}

#[test]
fn a_cancel_of_a_waiting_job_keeps_nobody_waiting() {
    for (engine, blocker, _gate) in engines() {
        let handle = engine.submit(job("nobody runs this")).unwrap();
        let cancel = blocker.cancel(&handle);
        others_go_on(&engine, &handle, true);
        assert_eq!(handle.record().state, JobState::Waiting, "it is not stored yet");
        blocker.open();
        assert_eq!(cancel.join().unwrap().unwrap().state, JobState::Complete(Outcome::Cancelled));
    }
}

#[test]
fn a_cancel_of_a_running_job_keeps_nobody_waiting_and_not_the_job_itself() {
    for (engine, blocker, gate) in engines() {
        let handle = engine.submit(job("gated")).unwrap();
        gate.entered();
        let cancel = blocker.cancel(&handle);
        others_go_on(&engine, &handle, true);
        blocker.open();
        cancel.join().unwrap().unwrap();
        gate.open();
        let ended = handle.wait_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(ended.state, JobState::Complete(Outcome::Cancelled));
    }
}

/// For an engine with its own store: on a shared store a claim starts the job, and no engine has it before.
#[test]
fn the_start_of_a_job_keeps_nobody_waiting_and_no_shutdown() {
    let [(engine, blocker, gate), _] = engines();
    blocker.arm("job-worker");
    let handle = engine.submit(job("gated")).unwrap();
    blocker.met();
    others_go_on(&engine, &handle, true);
    let all = Arc::clone(&engine);
    let left = in_time("a shutdown", move || all.shutdown(Duration::ZERO));
    assert_eq!(left.abandoned + left.waiting, 1, "{left:?}");
    blocker.open();
    drop((engine, gate));
}

#[test]
fn the_end_of_a_job_keeps_nobody_waiting() {
    for (engine, blocker, gate) in engines() {
        let handle = engine.submit(job("gated")).unwrap();
        gate.entered();
        blocker.arm("job-completer");
        gate.open();
        blocker.met();
        // One thread stores all ends.
        others_go_on(&engine, &handle, false);
        blocker.open();
        let ended = handle.wait_timeout(PATIENCE).unwrap().unwrap();
        assert_eq!(ended.state, JobState::Complete(Outcome::Succeeded));
    }
}

/// The end of a job waits for a cancel that is being stored, and does not undo it.
#[test]
fn a_job_that_ends_while_its_cancel_is_stored_waits_for_it() {
    for (engine, blocker, gate) in engines() {
        let handle = engine.submit(job("gated")).unwrap();
        gate.entered();
        let cancel = blocker.cancel(&handle);
        gate.open();
        others_go_on(&engine, &handle, false);
        assert!(!handle.record().state.is_complete());
        blocker.open();
        assert_eq!(cancel.join().unwrap().unwrap().state, JobState::Running { cancelling: true });
        assert!(handle.wait_timeout(PATIENCE).unwrap().unwrap().state.is_complete());
    }
}
