//! [`Queue`]: decides which job runs next. Pure: it has no lock, thread or clock.
//!
//! Jobs wait in lanes, one per graph and class. The lane with the fewest running jobs comes first, then the one
//! that has used the least worker time. So graphs share the workers, however many jobs each submits. Inside a lane
//! the rank decides: the time of submission, moved ahead by one `priority_aging` interval for each step of
//! priority. The order of two ranks never changes, and a job that waits long enough is ahead of all later ones. So
//! jobs age without being sorted again.
//!
//! Jobs that ran when their process died are suspects. They wait in front of their lanes, and one at a time may
//! enter its lane. The next one may when that one has ended or is cleared. So after another death of the process
//! only one job is to blame. Jobs that are no suspects run beside it.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use job_core::{JobClass, JobId, JobRecord, Timestamp};
use rustc_hash::FxHashMap;

/// The queue's data of a waiting job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    pub(crate) id: JobId,
    pub(crate) class: JobClass,
    pub(crate) graph: &'a str,
    pub(crate) priority: i8,
    pub(crate) submitted_at: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    /// How often a suspect was blamed; `None` if the job is no suspect.
    pub(crate) suspect: Option<u32>,
}

/// The limits on running jobs, and the speed of ageing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How long a job waits to gain one step of priority.
    pub(crate) priority_aging: Duration,
    /// The longest pause before another attempt.
    pub(crate) longest_pause: Duration,
    /// The most running jobs of one graph, for each class.
    pub(crate) per_graph: usize,
    /// The most running jobs of each class, read and write.
    pub(crate) per_class: [usize; 2],
}

/// Why a waiting job does not run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The job must not start before this time.
    Delayed(Timestamp),
    /// The graph of the job has as many running jobs as the limit allows.
    GraphBusy(usize),
    /// The class of the job has as many running jobs as the limit allows.
    ClassBusy(usize),
    /// The job is a suspect, and another suspect comes first.
    Suspect,
    /// This number of jobs of the same graph and class come before the job.
    Behind(usize),
}

#[derive(Debug)]
struct Lane {
    class: JobClass,
    graph: String,
    running: usize,
    /// Running jobs whose bodies wait for another job.
    paused: usize,
    /// Ready and delayed.
    waiting: usize,
    /// Worker time used, in microseconds.
    used: u64,
    ready: BTreeSet<(i64, JobId)>,
}

#[derive(Debug, Clone, Copy)]
struct Seat {
    lane: u32,
    rank: i64,
    delayed: Option<Timestamp>,
    suspect: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    lanes: FxHashMap<u32, Lane>,
    /// The lanes of each class by their graphs.
    names: [HashMap<String, u32>; 2],
    next_lane: u32,
    /// Lanes with ready jobs, per class, in the order they are served.
    eligible: [BTreeSet<(usize, u64, u32)>; 2],
    delayed: BTreeSet<(Timestamp, JobId)>,
    /// Suspects that may not enter their lanes yet. The suspect with the most blames comes first, since it is
    /// probably at fault.
    suspects: BTreeSet<(Reverse<u32>, i64, JobId)>,
    /// The suspect that has entered its lane. It waits in the lane, or runs.
    suspect: Option<JobId>,
    seats: FxHashMap<JobId, Seat>,
    running: FxHashMap<JobId, u32>,
    /// Running jobs whose bodies wait for another job, with their lanes.
    paused: FxHashMap<JobId, u32>,
    /// Running jobs that have waited, and go on when the limits have room.
    returning: BTreeSet<JobId>,
    waiting_in: [usize; 2],
    running_in: [usize; 2],
    /// The class that was served last.
    last: Option<JobClass>,
    /// The most worker time that a lane of each class had used when it was served.
    level: [u64; 2],
}

const fn slot(class: JobClass) -> usize {
    match class {
        JobClass::Read => 0,
        JobClass::Write => 1,
    }
}

#[expect(clippy::indexing_slicing, reason = "slot() is 0 or 1")]
impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: FxHashMap::default(),
            names: Default::default(),
            next_lane: 0,
            eligible: Default::default(),
            delayed: BTreeSet::new(),
            suspects: BTreeSet::new(),
            suspect: None,
            seats: FxHashMap::default(),
            running: FxHashMap::default(),
            paused: FxHashMap::default(),
            returning: BTreeSet::new(),
            waiting_in: [0; 2],
            running_in: [0; 2],
            last: None,
            level: [0; 2],
        }
    }

    /// Jobs of this class that wait, delayed ones too.
    pub(crate) fn waiting(&self, class: JobClass) -> usize {
        self.waiting_in[slot(class)]
    }

    /// Jobs that wait, delayed ones too.
    pub(crate) fn waiting_in_all(&self) -> usize {
        self.seats.len()
    }

    /// The number of suspects that wait for the end or the clearing of another one.
    pub(crate) fn suspects(&self) -> usize {
        self.suspects.len()
    }

    /// The running suspect, if there is one.
    pub(crate) fn running_suspect(&self) -> Option<JobId> {
        self.suspect.filter(|id| self.running.contains_key(id))
    }

    /// Jobs that wait or run.
    pub(crate) fn held(&self) -> usize {
        self.seats.len() + self.running.len()
    }

    /// Jobs of this class that run.
    #[cfg(test)]
    pub(crate) fn running(&self, class: JobClass) -> usize {
        self.running_in[slot(class)]
    }

    /// When the next delayed job may start.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.delayed.first().map(|&(due, _)| due)
    }

    pub(crate) fn push(&mut self, job: Waiting<'_>) {
        let lane = self.lane(job.class, job.graph);
        let priority_aging = i64::try_from(self.limits.priority_aging.as_micros()).unwrap_or(i64::MAX);
        let submitted = i64::try_from(job.submitted_at.as_micros()).unwrap_or(i64::MAX);
        let rank = submitted.saturating_sub(priority_aging.saturating_mul(i64::from(job.priority)));
        self.waiting_in[slot(job.class)] += 1;
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.waiting += 1;
        }
        let seat = Seat { lane, rank, delayed: job.not_before, suspect: job.suspect };
        self.seats.insert(job.id, seat);
        match job.not_before {
            Some(due) => {
                self.delayed.insert((due, job.id));
            }
            None => self.make_ready(job.id, seat),
        }
    }

    /// Takes the next job. It counts as running until [`finish`](Self::finish).
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<JobId> {
        self.wake(now);
        self.let_in();
        let mut classes = JobClass::ALL;
        // If both classes have as many running jobs, the class that was not served last comes first. Otherwise one
        // worker would serve one class only.
        classes.sort_by_key(|&class| (self.running_in[slot(class)], self.last == Some(class)));
        let lane = classes.into_iter().find_map(|class| self.next_lane_of(class))?;
        self.unlist(lane);
        let taken = self.lanes.get_mut(&lane)?;
        let (_, id) = taken.ready.pop_first()?;
        self.begin(id, lane);
        Some(id)
    }

    /// Takes this job if it may run now.
    pub(crate) fn take(&mut self, id: JobId, now: Timestamp) -> bool {
        self.wake(now);
        self.let_in();
        let (Some(&Seat { lane, rank, .. }), Some(Position::Behind(_))) = (self.seats.get(&id), self.position(id))
        else {
            return false;
        };
        self.unlist(lane);
        if let Some(taken) = self.lanes.get_mut(&lane) {
            taken.ready.remove(&(rank, id));
        }
        self.begin(id, lane);
        true
    }

    /// Notes that a job begins to run. It is out of its lane, and the lane is unlisted.
    fn begin(&mut self, id: JobId, lane: u32) {
        let Some(taken) = self.lanes.get_mut(&lane) else { return };
        taken.running += 1;
        taken.waiting -= 1;
        self.last = Some(taken.class);
        let class = slot(taken.class);
        self.level[class] = self.level[class].max(taken.used);
        self.running_in[class] += 1;
        self.waiting_in[class] -= 1;
        self.seats.remove(&id);
        self.running.insert(id, lane);
        self.enlist(lane);
    }

    /// Notes that the body of a running job waits for another job. Until the wait ends, the job counts against no
    /// limit and blocks no suspect.
    pub(crate) fn pause(&mut self, id: JobId) {
        let Some(number) = self.running.remove(&id) else { return };
        self.clear(id);
        self.paused.insert(id, number);
        self.count(number, -1, 1);
    }

    /// Notes that a body has stopped waiting. Its job [goes on](Self::go_on) when the limits have room for it.
    pub(crate) fn come_back(&mut self, id: JobId) {
        let Some(number) = self.paused.remove(&id) else { return };
        self.running.insert(id, number);
        self.returning.insert(id);
        self.count(number, 1, -1);
    }

    /// Whether a job whose body has stopped waiting may go on. From then on the job counts as running. With
    /// `at_once` it may go on even without room.
    pub(crate) fn go_on(&mut self, id: JobId, at_once: bool) -> bool {
        let Some(&number) = self.running.get(&id).filter(|_| self.returning.contains(&id)) else { return true };
        let Some(lane) = self.lanes.get(&number) else { return true };
        let class = slot(lane.class);
        let returning_of = |of: &dyn Fn(u32) -> bool| {
            let lanes = self.returning.iter().filter_map(|id| self.running.get(id));
            lanes.filter(|number| of(**number)).count()
        };
        let in_lane = lane.running - returning_of(&|other| other == number);
        let of_class = |number| self.lanes.get(&number).is_some_and(|other| slot(other.class) == class);
        let in_class = self.running_in[class] - returning_of(&of_class);
        let place = in_lane < self.limits.per_graph && in_class < self.limits.per_class[class];
        if place || at_once {
            self.returning.remove(&id);
        }
        place || at_once
    }

    /// Changes how many jobs of a lane run and are paused.
    fn count(&mut self, number: u32, running: isize, paused: isize) {
        self.unlist(number);
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.running = lane.running.saturating_add_signed(running);
            lane.paused = lane.paused.saturating_add_signed(paused);
            let class = slot(lane.class);
            self.running_in[class] = self.running_in[class].saturating_add_signed(running);
        }
        self.enlist(number);
    }

    /// Adds a job that runs already. It counts until [`finish`](Self::finish).
    pub(crate) fn run(&mut self, job: Waiting<'_>) {
        let number = self.lane(job.class, job.graph);
        self.unlist(number);
        if let Some(lane) = self.lanes.get_mut(&number) {
            lane.running += 1;
        }
        self.running_in[slot(job.class)] += 1;
        self.running.insert(job.id, number);
        self.enlist(number);
    }

    /// Notes that a job stopped running after it used a worker for `used`. A suspect keeps its place until it is
    /// [cleared](Self::clear).
    pub(crate) fn finish(&mut self, id: JobId, used: Duration) {
        // A job may end while one of its threads still waits.
        self.come_back(id);
        self.returning.remove(&id);
        let Some(lane) = self.running.remove(&id) else { return };
        self.unlist(lane);
        if let Some(lane) = self.lanes.get_mut(&lane) {
            lane.running -= 1;
            lane.used = lane.used.saturating_add(u64::try_from(used.as_micros()).unwrap_or(u64::MAX).max(1));
            self.running_in[slot(lane.class)] -= 1;
        }
        self.enlist(lane);
        self.prune(lane);
    }

    /// Notes that a job is no suspect any more: it has run for long enough, or its end is stored. `true` if
    /// another suspect may run now.
    pub(crate) fn clear(&mut self, id: JobId) -> bool {
        let cleared = self.suspect == Some(id);
        if cleared {
            self.suspect = None;
        }
        cleared && !self.suspects.is_empty()
    }

    /// Removes a waiting job; `false` if it does not wait.
    pub(crate) fn remove(&mut self, id: JobId) -> bool {
        let Some(seat) = self.seats.remove(&id) else { return false };
        self.clear(id);
        if let Some(blamed) = seat.suspect {
            self.suspects.remove(&(Reverse(blamed), seat.rank, id));
        }
        self.unlist(seat.lane);
        if let Some(due) = seat.delayed {
            self.delayed.remove(&(due, id));
        }
        if let Some(lane) = self.lanes.get_mut(&seat.lane) {
            lane.ready.remove(&(seat.rank, id));
            lane.waiting -= 1;
            self.waiting_in[slot(lane.class)] -= 1;
        }
        self.enlist(seat.lane);
        self.prune(seat.lane);
        true
    }

    /// Why a waiting job does not run yet; `None` if it does not wait. Cost: the jobs ahead of it.
    pub(crate) fn position(&self, id: JobId) -> Option<Position> {
        let seat = self.seats.get(&id)?;
        if let Some(due) = seat.delayed {
            return Some(Position::Delayed(due));
        }
        if seat.suspect.is_some_and(|blamed| self.suspects.contains(&(Reverse(blamed), seat.rank, id))) {
            return Some(Position::Suspect);
        }
        let lane = self.lanes.get(&seat.lane)?;
        let of_class = self.running_in[slot(lane.class)];
        Some(if lane.running >= self.limits.per_graph {
            Position::GraphBusy(lane.running)
        } else if of_class >= self.limits.per_class[slot(lane.class)] {
            Position::ClassBusy(of_class)
        } else {
            Position::Behind(lane.ready.range(..(seat.rank, id)).count())
        })
    }

    /// Whether [`pop`](Self::pop) would give a job.
    #[cfg(test)]
    pub(crate) fn has_ready(&mut self, now: Timestamp) -> bool {
        self.wake(now);
        self.let_in();
        JobClass::ALL.into_iter().any(|class| self.next_lane_of(class).is_some())
    }

    fn next_lane_of(&self, class: JobClass) -> Option<u32> {
        let class = slot(class);
        if self.running_in[class] >= self.limits.per_class[class] {
            return None;
        }
        // The first lane has the fewest running jobs. If it is at its limit, all lanes are.
        let &(running, _, lane) = self.eligible[class].first()?;
        (running < self.limits.per_graph).then_some(lane)
    }

    /// Moves jobs whose pause is over to their lanes. A pause that ends later than the longest pause allows is
    /// over too: the clock was ahead when it was set.
    fn wake(&mut self, now: Timestamp) {
        loop {
            let ends = [self.delayed.first(), self.delayed.last()].into_iter().flatten();
            let over =
                |&&(due, _): &&(Timestamp, JobId)| JobRecord::is_over(Some(due), now, self.limits.longest_pause);
            let Some(&(due, id)) = ends.into_iter().find(over) else { return };
            self.delayed.remove(&(due, id));
            if let Some(seat) = self.seats.get_mut(&id) {
                seat.delayed = None;
                let seat = *seat;
                self.make_ready(id, seat);
            }
        }
    }

    fn make_ready(&mut self, id: JobId, seat: Seat) {
        match seat.suspect {
            Some(blamed) => {
                self.suspects.insert((Reverse(blamed), seat.rank, id));
            }
            None => self.enter(id, seat),
        }
    }

    /// Lets the next suspect enter its lane, unless another suspect has entered its lane.
    fn let_in(&mut self) {
        if self.suspect.is_none()
            && let Some((_, _, id)) = self.suspects.pop_first()
            && let Some(&seat) = self.seats.get(&id)
        {
            self.suspect = Some(id);
            self.enter(id, seat);
        }
    }

    /// Puts a job into its lane.
    fn enter(&mut self, id: JobId, seat: Seat) {
        let Some(found) = self.lanes.get_mut(&seat.lane) else { return };
        let listed = !found.ready.is_empty();
        found.ready.insert((seat.rank, id));
        if !listed {
            self.enlist(seat.lane);
        }
    }

    fn lane(&mut self, class: JobClass, graph: &str) -> u32 {
        if let Some(&lane) = self.names[slot(class)].get(graph) {
            return lane;
        }
        let number = self.next_lane;
        self.next_lane = self.next_lane.wrapping_add(1);
        // A new lane starts at the level of the lane that was served last. Otherwise it would get all workers
        // until it caught up.
        let used = self.level[slot(class)];
        let lane = Lane {
            class,
            graph: graph.to_owned(),
            running: 0,
            paused: 0,
            waiting: 0,
            used,
            ready: BTreeSet::new(),
        };
        self.lanes.insert(number, lane);
        self.names[slot(class)].insert(graph.to_owned(), number);
        number
    }

    /// Takes the lane off the list of lanes to serve, before a change of the values that order it.
    fn unlist(&mut self, number: u32) {
        if let Some(lane) = self.lanes.get(&number) {
            self.eligible[slot(lane.class)].remove(&(lane.running, lane.used, number));
        }
    }

    fn enlist(&mut self, number: u32) {
        if let Some(lane) = self.lanes.get(&number).filter(|lane| !lane.ready.is_empty()) {
            self.eligible[slot(lane.class)].insert((lane.running, lane.used, number));
        }
    }

    /// Removes an empty lane, so that old graphs use no memory.
    fn prune(&mut self, number: u32) {
        if self.lanes.get(&number).is_some_and(|lane| lane.running + lane.waiting + lane.paused == 0)
            && let Some(lane) = self.lanes.remove(&number)
        {
            self.names[slot(lane.class)].remove(&lane.graph);
        }
    }
}

#[cfg(test)]
#[path = "queue/tests.rs"]
mod tests;
