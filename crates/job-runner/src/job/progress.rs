//! [`Progress`]: the progress of a job, as a tree of named tasks.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use job_core::{JobRecord, JobState, Outcome, Outputs, Timestamp};
use serde::Serialize;

use crate::{
    job::signal::{News, Signal},
    seam::sync::Mutex,
};

/// The progress of a job. While an attempt runs, it never falls: a report of a smaller part than before has no
/// effect. An attempt that finds more work shows the earlier part until it has done more.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Steps behind.
    pub done: u64,
    /// The number of all steps; 0 before the job reports it.
    pub total: u64,
    /// The estimated rest of the time, if the remaining steps take as long as those that are done.
    pub remaining: Option<Duration>,
    /// The named parts of the job, in the order in which they began.
    pub tasks: Vec<TaskProgress>,
}

/// The progress of a named part of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskProgress {
    /// Its name.
    pub name: String,
    /// Steps behind.
    pub done: u64,
    /// The number of all steps; 0 while it is unknown.
    pub total: u64,
    /// The parts of this part.
    pub tasks: Vec<Self>,
}

impl Progress {
    /// The part that is done, from 0 to 1; 0 while the total is unknown.
    ///
    /// ```
    /// assert_eq!(job_runner::Progress::default().ratio(), 0.0);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn ratio(&self) -> f64 {
        if self.total == 0 { 0.0 } else { (self.done.min(self.total) as f64) / (self.total as f64) }
    }

    /// The part that is done, in whole percent from 0 to 100. It is 100 only when all is done.
    ///
    /// ```
    /// assert_eq!(job_runner::Progress::default().percent(), 0);
    /// ```
    #[must_use]
    pub fn percent(&self) -> u8 {
        let done = u128::from(self.done.min(self.total)) * 100;
        done.checked_div(u128::from(self.total)).and_then(|percent| u8::try_from(percent).ok()).unwrap_or_default()
    }

    /// The progress of a job that does not run. A succeeded job has done one step of one; the record of a
    /// cancelled one has its percent.
    pub(crate) fn at_rest(record: &JobRecord) -> Self {
        let (done, total) = match record.state {
            JobState::Complete(Outcome::Succeeded) => (1, 1),
            _ => record.progress.map_or((0, 0), |percent| (u64::from(percent), 100)),
        };
        Self { done, total, ..Self::default() }
    }
}

/// The counter of one attempt. It is not stored.
#[derive(Debug)]
pub(crate) struct Counter {
    start: Timestamp,
    root: Arc<Root>,
}

/// The job whose signal announces steps.
type Job = dyn AsRef<Signal> + Send + Sync;

/// The state that the parts of an attempt share.
#[derive(Default)]
struct Root {
    node: Node,
    /// Whether a listener wants the next step. Without a listener a step costs no more than this check.
    watched: AtomicBool,
    /// The job; set with the first listener.
    job: Mutex<Option<Weak<Job>>>,
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Root {
    /// Announces a report that was made under a lock.
    fn tell(&self) {
        if self.watched.load(Ordering::Relaxed) {
            self.tell_job();
        }
    }

    #[cold]
    fn tell_job(&self) {
        self.watched.store(false, Ordering::Relaxed);
        let job = self.job.lock().as_ref().and_then(Weak::upgrade);
        if let Some(job) = job {
            job.as_ref().as_ref().tell(News::Progress);
        }
    }
}

#[derive(Debug, Default)]
struct Node {
    /// How many parts contain this part.
    depth: u32,
    steps: Mutex<Steps>,
    tasks: Mutex<Vec<(String, Arc<Node>)>>,
}

/// The done steps and all steps. Both change together, so no reader sees a pair that was never reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Steps {
    done: u64,
    total: u64,
}

impl Steps {
    /// The steps to show after the report `next`: never a smaller part than before.
    fn after(self, next: Self) -> Self {
        let falls = u128::from(next.done) * u128::from(self.total.max(1))
            < u128::from(self.done) * u128::from(next.total.max(1));
        if falls { self } else { next }
    }
}

impl Node {
    fn set(&self, done: u64, total: u64) {
        let mut steps = self.steps.lock();
        *steps = steps.after(Steps { done: done.min(total), total });
    }

    fn steps(&self) -> Steps {
        *self.steps.lock()
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
        let Steps { done, total } = self.steps();
        TaskProgress { name: name.to_owned(), done, total, tasks: self.tasks() }
    }
}

impl Counter {
    /// Of an attempt that begins at `start`.
    pub(crate) fn new(start: Timestamp) -> Self {
        Self { start, root: Arc::default() }
    }

    pub(crate) fn set(&self, done: u64, total: u64) {
        self.note(done, total);
        self.tell();
    }

    /// As [`set`](Self::set), for a caller that holds a lock and announces later.
    pub(crate) fn note(&self, done: u64, total: u64) {
        self.root.node.set(done, total);
    }

    /// Announces a report to listeners. The caller holds no lock.
    pub(crate) fn tell(&self) {
        self.root.tell();
    }

    /// From now on, the next step is announced to the listeners of this job. A listener that reads the progress
    /// after this call misses no step: it sees the step, or the step is announced.
    pub(crate) fn watch(&self, job: Weak<Job>) {
        *self.root.job.lock() = Some(job);
        self.root.watched.store(true, Ordering::Relaxed);
    }

    pub(crate) fn task(&self, name: &str) -> Task {
        Task { node: self.root.node.child(name), root: Arc::clone(&self.root) }
    }

    pub(crate) fn snapshot(&self, now: Timestamp) -> Progress {
        let Steps { done, total } = self.root.node.steps();
        let tasks = self.root.node.tasks();
        Progress { done, total, remaining: remaining(now.since(self.start), done, total), tasks }
    }
}

fn remaining(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    if done == 0 || total < done {
        return None;
    }
    let nanos = elapsed.as_nanos().saturating_mul(u128::from(total - done)) / u128::from(done);
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

/// A named part of a job with its own progress. Clones count together. Names are cut to 256 bytes.
#[derive(Debug, Clone)]
pub struct Task {
    node: Arc<Node>,
    root: Arc<Root>,
}

impl Task {
    /// The most shown parts of a job or of one part. Further ones count, and are not shown.
    pub const MAX: usize = 1_000;
    /// How deep parts inside parts are shown.
    pub const MAX_DEPTH: u32 = 8;

    /// Reports that `done` of `total` steps of this part are done.
    pub fn set_progress(&self, done: u64, total: u64) {
        self.node.set(done, total);
        self.root.tell();
    }

    /// Opens a part of this part; the same name gives the same part.
    #[must_use]
    pub fn task(&self, name: &str) -> Self {
        let root = Arc::clone(&self.root);
        Self { node: self.node.child(name), root }
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

    /// Parts nested a hundred thousand deep must not overflow the stack of a reader.
    #[test]
    fn parts_without_number_or_depth_are_not_shown() {
        let counter = Counter::new(Timestamp::default());
        (0..2_000).for_each(|n| counter.task(&n.to_string()).set_progress(1, 1));
        let mut task = counter.task("0");
        (0..100_000).for_each(|_| task = task.task(&"萎".repeat(1_000)));
        task.set_progress(1, 2);
        let shown = counter.snapshot(Timestamp::default());
        assert_eq!(shown.tasks.len(), Task::MAX);
        let (mut tasks, mut depth) = (shown.tasks, 0);
        while !tasks.is_empty() {
            assert!(tasks[0].name.len() <= 256);
            (tasks, depth) = (std::mem::take(&mut tasks[0].tasks), depth + 1);
        }
        assert_eq!(depth, Task::MAX_DEPTH);
    }

    #[test]
    fn the_part_behind_never_falls() {
        let steps = |done, total| Steps { done, total };
        for (before, said, shown) in [
            ((0, 0), (0, 0), (0, 0)),
            ((0, 0), (1, 4), (1, 4)),
            ((1, 4), (2, 4), (2, 4)),
            // A smaller part, a new beginning, a total of 0.
            ((2, 4), (1, 4), (2, 4)),
            ((4, 4), (0, 9), (4, 4)),
            ((2, 4), (0, 0), (2, 4)),
            ((0, 4), (0, 0), (0, 0)),
            // More work is found: the part stays, then goes on.
            ((50, 100), (60, 200), (50, 100)),
            ((50, 100), (100, 200), (100, 200)),
            ((50, 100), (101, 200), (101, 200)),
            // Less work is left.
            ((50, 100), (50, 80), (50, 80)),
            ((u64::MAX - 1, u64::MAX), (u64::MAX, u64::MAX), (u64::MAX, u64::MAX)),
            ((u64::MAX, u64::MAX), (u64::MAX - 1, u64::MAX), (u64::MAX, u64::MAX)),
        ] {
            assert_eq!(steps(before.0, before.1).after(steps(said.0, said.1)), steps(shown.0, shown.1));
        }
        let counter = Counter::new(Timestamp::default());
        let part = counter.task("load");
        for (done, total) in [(3, 4), (1, 4), (9, 4), (0, 0)] {
            counter.set(done, total);
            part.set_progress(done, total);
        }
        let shown = counter.snapshot(Timestamp::default());
        assert_eq!((shown.done, shown.total, shown.percent()), (4, 4, 100));
        assert_eq!((shown.tasks[0].done, shown.tasks[0].total), (4, 4));
    }

    #[test]
    fn percents_are_whole_and_100_only_at_the_end() {
        for (done, total, percent) in
            [(0, 0, 0), (0, 9, 0), (1, 50, 2), (1_999, 2_000, 99), (7, 7, 100), (9, 7, 100)]
        {
            assert_eq!(Progress { done, total, ..Progress::default() }.percent(), percent);
        }
        assert_eq!(Progress { done: u64::MAX, total: u64::MAX, ..Progress::default() }.percent(), 100);
    }

    #[test]
    fn tasks_are_a_tree() {
        let counter = Counter::new(Timestamp::default());
        counter.set(1, 2);
        let load = counter.task("load");
        load.task("vertices").set_progress(5, 10);
        load.task("vertices").set_progress(6, 10);
        let shown = counter.snapshot(Timestamp::default());
        assert_eq!((shown.done, shown.total), (1, 2));
        let vertices = &shown.tasks[0].tasks[0];
        assert_eq!((vertices.name.as_str(), vertices.done, vertices.total), ("vertices", 6, 10));
    }
}
