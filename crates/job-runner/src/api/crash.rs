//! [`Crash`]: the death of a process, for tests of hosts.

use std::{
    fmt, panic,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use job_store::{Fault, FaultStore, Store};

use crate::{
    engine::core::EngineCore,
    seam::sync::Mutex,
    worker::{inside, pool},
};

/// Ends engines as the death of their process does, for tests: [`EngineBuilder::crash`](crate::EngineBuilder::crash).
/// Clones are the same crash; one may be called from anywhere, also inside of a handler.
///
/// ```
/// use std::sync::Arc;
/// use job_runner::{Crash, Engine, EngineError, JobContext, JobSpec, store::{MemoryStore, Store}};
///
/// let crash = Crash::default();
/// let open = |store: &Arc<dyn Store>| {
///     let own = crash.clone();
///     let body = move |ctx: &mut JobContext| {
///         ctx.rows("vertices")?.push("Sarah")?;
///         if ctx.attempt() == 1 {
///             own.now(); // the process dies here
///         }
///         Ok(())
///     };
///     Engine::builder(Arc::clone(store)).vertex_filter(body).crash(&crash).manual().open()
/// };
/// let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
/// let engine = open(&store)?;
/// let job = engine.submit(JobSpec::vertex_filter().with_graph("movies").max_attempts(2))?;
/// engine.driver().run_one();
/// assert_eq!(job.wait(), Err(EngineError::LeftUnfinished(job.id())));
///
/// let engine = open(&store)?;
/// engine.driver().run_until_idle();
/// let record = engine.job(job.id())?.ok_or("it is stored")?.record();
/// assert_eq!((record.attempt, record.size.rows), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Crash(Arc<Mutex<Vec<Weak<Victim>>>>);

impl fmt::Debug for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crash")
    }
}

impl Crash {
    /// The engines that were opened with this crash are dead from here on. Nothing of theirs reaches the store any more:
    /// no end, no row, no claim that is given back. Waits for their jobs end with
    /// [`LeftUnfinished`](crate::EngineError::LeftUnfinished). The store itself goes on with what it has, and another
    /// engine may be opened on it at once. Engines that are opened later, with this crash too, live.
    ///
    /// Inside the body of a job of theirs this call does not return: the body unwinds, without the message of a panic. A
    /// body on another thread is told to stop, and all that it does counts for nothing.
    pub fn now(&self) {
        let victims = std::mem::take(&mut *self.0.lock());
        let own = inside::body();
        let mut is_inside = false;
        for victim in victims.iter().filter_map(Weak::upgrade) {
            victim.die();
            let dead = victim.engine.get().and_then(Weak::upgrade);
            is_inside |= own.as_ref().zip(dead).is_some_and(|(body, dead)| Arc::ptr_eq(&body.engine, &dead));
        }
        if is_inside {
            panic::resume_unwind(Box::new("the process of this engine has died, as its test says"));
        }
    }

    /// `store`, as an engine has it that may crash.
    pub(crate) fn cut<S: Store + ?Sized>(&self, store: Arc<S>) -> (FaultStore<S>, Arc<Victim>) {
        let store = FaultStore::new(store);
        let own = store.clone();
        let victim = Arc::new(Victim {
            cut: Box::new(move || own.plan(Fault::Cut)),
            is_dead: AtomicBool::new(false),
            engine: OnceLock::new(),
        });
        let mut victims = self.0.lock();
        victims.retain(|victim| victim.strong_count() > 0);
        victims.push(Arc::downgrade(&victim));
        drop(victims);
        (store, victim)
    }
}

/// An engine that may crash. The engine keeps it, so that a store is closed with its engine.
pub(crate) struct Victim {
    /// Takes its store away from it.
    cut: Box<dyn Fn() + Send + Sync>,
    is_dead: AtomicBool,
    engine: OnceLock<Weak<EngineCore>>,
}

impl fmt::Debug for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Victim").field("is_dead", &self.is_dead).finish_non_exhaustive()
    }
}

impl Victim {
    fn die(&self) {
        (self.cut)();
        self.is_dead.store(true, Ordering::SeqCst);
        if let Some(engine) = self.engine.get().and_then(Weak::upgrade) {
            pool::abandon(&engine);
        }
    }

    /// The engine is open. It may have died before: its threads run jobs already.
    pub(crate) fn is(&self, engine: &Arc<EngineCore>) {
        // Set once, by the open that made this.
        let _ = self.engine.set(Arc::downgrade(engine));
        if self.is_dead.load(Ordering::SeqCst) {
            pool::abandon(engine);
        }
    }
}
