//! [`Progress`]: how far a job is, as a tree of named tasks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use job_core::Outputs;
use serde::Serialize;

use crate::sync::Mutex;

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Steps behind.
    pub done: u64,
    /// Steps in all; 0 while the job has not said.
    pub total: u64,
    /// The time that is probably left, if the rest goes on as fast as the part behind.
    pub remaining: Option<Duration>,
    /// Its named parts, in the order they began.
    pub tasks: Vec<TaskProgress>,
}

/// How far a named part of a job is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskProgress {
    /// Its name.
    pub name: String,
    /// Steps behind.
    pub done: u64,
    /// Steps in all; 0 while unknown.
    pub total: u64,
    /// Its own parts.
    pub tasks: Vec<Self>,
}

impl Progress {
    /// The part behind, from 0 to 1; 0 while the total is unknown.
    ///
    /// ```
    /// assert_eq!(job_runner::Progress::default().ratio(), 0.0);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn ratio(&self) -> f64 {
        if self.total == 0 { 0.0 } else { (self.done.min(self.total) as f64) / (self.total as f64) }
    }
}

/// Where one attempt counts. Counting is two atomic stores; nothing is written to the store.
#[derive(Debug)]
pub(crate) struct Counter {
    start: Instant,
    root: Arc<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// How many parts it is inside of.
    depth: u32,
    done: AtomicU64,
    total: AtomicU64,
    tasks: Mutex<Vec<(String, Arc<Node>)>>,
}

impl Node {
    fn set(&self, done: u64, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(done.min(total), Ordering::Relaxed);
    }

    fn child(&self, name: &str) -> Arc<Self> {
        let name = name.get(..name.floor_char_boundary(Outputs::MAX_NAME)).unwrap_or_default();
        let mut tasks = self.tasks.lock();
        if let Some((_, found)) = tasks.iter().find(|(taken, _)| taken == name) {
            return Arc::clone(found);
        }
        let node = Arc::new(Self { depth: self.depth.saturating_add(1), ..Self::default() });
        if tasks.len() < Task::MAX && node.depth <= Task::MAX_DEPTH {
            tasks.push((name.to_owned(), Arc::clone(&node)));
        }
        node
    }

    fn tasks(&self) -> Vec<TaskProgress> {
        let tasks = self.tasks.lock();
        tasks.iter().map(|(name, node)| node.snapshot(name)).collect()
    }

    fn snapshot(&self, name: &str) -> TaskProgress {
        TaskProgress {
            name: name.to_owned(),
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
            tasks: self.tasks(),
        }
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self { start: Instant::now(), root: Arc::default() }
    }
}

impl Counter {
    pub(crate) fn set(&self, done: u64, total: u64) {
        self.root.set(done, total);
    }

    pub(crate) fn task(&self, name: &str) -> Task {
        Task(self.root.child(name))
    }

    pub(crate) fn snapshot(&self) -> Progress {
        let done = self.root.done.load(Ordering::Relaxed);
        let total = self.root.total.load(Ordering::Relaxed);
        Progress { done, total, remaining: remaining(self.start.elapsed(), done, total), tasks: self.root.tasks() }
    }
}

fn remaining(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    if done == 0 || total < done {
        return None;
    }
    let nanos = elapsed.as_nanos().saturating_mul(u128::from(total - done)) / u128::from(done);
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// A named part of a job that counts for itself. Clones count together. Of its name the first 256 bytes are kept.
#[derive(Debug, Clone)]
pub struct Task(Arc<Node>);

impl Task {
    /// The most parts that are shown of a job or of one part of it. Further ones count for themselves.
    pub const MAX: usize = 1_000;
    /// How deep parts inside parts are shown.
    pub const MAX_DEPTH: u32 = 8;

    /// Says that `done` of `total` steps of this part are behind.
    pub fn set_progress(&self, done: u64, total: u64) {
        self.0.set(done, total);
    }

    /// Opens a part of this part; the same name gives the same part.
    #[must_use]
    pub fn task(&self, name: &str) -> Self {
        Self(self.0.child(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_estimated_from_the_part_behind() {
        assert_eq!(remaining(Duration::from_secs(10), 25, 100), Some(Duration::from_secs(30)));
        assert_eq!(remaining(Duration::from_secs(10), 0, 100), None);
        assert_eq!(remaining(Duration::from_secs(10), 7, 0), None);
        assert_eq!(remaining(Duration::from_secs(10), 100, 100), Some(Duration::ZERO));
    }

    /// A part inside a hundred thousand others took the stack of whoever looked.
    #[test]
    fn parts_without_number_or_depth_are_not_shown() {
        let counter = Counter::default();
        (0..2_000).for_each(|n| counter.task(&n.to_string()).set_progress(1, 1));
        let mut task = counter.task("0");
        (0..100_000).for_each(|_| task = task.task(&"萎".repeat(1_000)));
        task.set_progress(1, 2);
        let shown = counter.snapshot();
        assert_eq!(shown.tasks.len(), Task::MAX);
        let (mut tasks, mut depth) = (shown.tasks, 0);
        while !tasks.is_empty() {
            assert!(tasks[0].name.len() <= 256);
            (tasks, depth) = (std::mem::take(&mut tasks[0].tasks), depth + 1);
        }
        assert_eq!(depth, Task::MAX_DEPTH);
    }

    #[test]
    fn tasks_are_a_tree() {
        let counter = Counter::default();
        counter.set(1, 2);
        let load = counter.task("load");
        load.task("vertices").set_progress(5, 10);
        load.task("vertices").set_progress(6, 10);
        let shown = counter.snapshot();
        assert_eq!((shown.done, shown.total), (1, 2));
        let vertices = &shown.tasks[0].tasks[0];
        assert_eq!((vertices.name.as_str(), vertices.done, vertices.total), ("vertices", 6, 10));
    }
}
