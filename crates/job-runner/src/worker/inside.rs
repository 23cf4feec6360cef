//! The role of the calling thread: its engine, and the jobs whose bodies it is running.

use std::{cell::RefCell, sync::Arc};

use crate::{engine::core::EngineCore, handler::context::Core, seam::sync::thread_local};

/// A body that the calling thread is running.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) engine: Arc<EngineCore>,
    pub(crate) core: Arc<Core>,
}

#[derive(Default)]
struct Place {
    /// The address of the engine's shared part, and whether the thread is one of its workers.
    engine: Option<(usize, bool)>,
    /// The running bodies, the innermost last.
    jobs: Vec<Body>,
}

thread_local! {
    static PLACE: RefCell<Place> = RefCell::new(Place::default());
}

fn address(engine: &Arc<EngineCore>) -> usize {
    Arc::as_ptr(engine).addr()
}

/// Marks the calling thread as one of the engine.
pub(crate) fn serve(engine: &Arc<EngineCore>, works: bool) {
    PLACE.with(|place| place.borrow_mut().engine = Some((address(engine), works)));
}

/// Whether the calling thread is one of the engine's own.
pub(crate) fn serves(engine: &Arc<EngineCore>) -> bool {
    PLACE.with(|place| place.borrow().engine.is_some_and(|(own, _)| own == address(engine)))
}

/// Whether the calling thread is one of the engine's workers.
pub(crate) fn works_for(engine: &Arc<EngineCore>) -> bool {
    PLACE.with(|place| place.borrow().engine == Some((address(engine), true)))
}

/// A guard: the calling thread is running the body of a job.
pub(crate) struct Inside(());

/// Marks the calling thread as running the body of this job, until the guard is dropped.
pub(crate) fn enter(engine: &Arc<EngineCore>, core: &Arc<Core>) -> Inside {
    let body = Body { engine: Arc::clone(engine), core: Arc::clone(core) };
    PLACE.with(|place| place.borrow_mut().jobs.push(body));
    Inside(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        let left = PLACE.with(|place| place.borrow_mut().jobs.pop());
        drop(left);
    }
}

/// The innermost body that the calling thread is running.
pub(crate) fn body() -> Option<Body> {
    PLACE.with(|place| place.borrow().jobs.last().cloned())
}

/// How many bodies the calling thread runs, each inside a wait of the one before.
pub(crate) fn depth() -> usize {
    PLACE.with(|place| place.borrow().jobs.len())
}

/// How many jobs of this engine the calling thread is running. They cannot end before it goes on.
pub(crate) fn jobs_of(engine: &Arc<EngineCore>) -> usize {
    PLACE.with(|place| {
        let place = place.borrow();
        let mut jobs: Vec<_> = place
            .jobs
            .iter()
            .filter(|body| Arc::ptr_eq(&body.engine, engine))
            .map(|body| body.core.entry.id)
            .collect();
        jobs.sort_unstable();
        jobs.dedup();
        jobs.len()
    })
}
