//! A time that passes when every thread waits for it, and randomly also while threads work.
//!
//! One task of each run is the clock. [`Timed`] lets it run when no other can, or at random. It then moves the
//! time to the end of the shortest sleep.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    mem::ManuallyDrop,
    ops::{Add, Sub},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use job_core::Timestamp;
use shuttle::{
    current,
    future::batch_semaphore::{BatchSemaphore, Fairness},
    scheduler::{Schedule, Scheduler, Task, TaskId},
    thread,
};

use crate::seam::clock::Clock;

/// Until this time of the run, time may pass while other threads can work. After it, time passes only when all
/// other threads wait.
const HASTE: Duration = Duration::from_mins(1);

/// The longest run. A thread that still waits then waits for ever.
const LONGEST: Duration = Duration::from_mins(20);

std::thread_local! {
    static TIME: RefCell<Time> = RefCell::default();
}

/// The time of the run of this thread.
#[derive(Default)]
struct Time {
    now: Duration,
    clock: Option<TaskId>,
    sleeps: BTreeMap<(Duration, u64), Arc<Sleep>>,
    /// Numbers the sleeps, so that sleeps with the same end are ended in the order in which they began.
    count: u64,
    /// Has a permit for each begun sleep, and one for the end of the run.
    begun: Option<Arc<BatchSemaphore>>,
    is_over: bool,
    /// Time passes in one of this number of steps; in none if it is 0.
    every: u64,
    random: u64,
    /// Describes the state of a run that does not end. After a failed run it cannot be dropped.
    state: ManuallyDrop<Option<Box<dyn Fn() -> String>>>,
}

fn with<T>(change: impl FnOnce(&mut Time) -> T) -> T {
    TIME.with_borrow_mut(change)
}

/// Runs `scenario` in a time of its own. While others work, time passes in one of `every` steps.
pub(crate) fn run(every: u64, scenario: impl FnOnce()) {
    let begun = Arc::new(BatchSemaphore::new(0, Fairness::StrictlyFair));
    with(|time| (time.begun, time.every) = (Some(Arc::clone(&begun)), every));
    let clock = thread::spawn(pass);
    scenario();
    drop(with(|time| time.state.take()));
    // Threads that an engine has left behind may still sleep. Their sleeps end here, and none begins later.
    let sleeps = with(|time| {
        time.is_over = true;
        std::mem::take(&mut time.sleeps)
    });
    for sleep in sleeps.into_values() {
        sleep.end(TIMED_OUT);
    }
    begun.release(1);
    // A panic of the clock has ended the run.
    let _ = clock.join();
}

/// The loop of the clock.
fn pass() {
    let begun = with(|time| {
        time.clock = Some(current::me());
        time.begun.clone()
    });
    let Some(begun) = begun else { return };
    while begun.acquire_blocking(1).is_ok() && !with(|time| time.is_over) {
        let Some(((until, _), sleep)) = with(|time| time.sleeps.pop_first()) else { continue };
        with(|time| time.now = time.now.max(until));
        let state = if until > LONGEST { with(|time| time.state.take()) } else { None };
        let state = state.map_or_else(String::new, |state| state());
        assert!(until <= LONGEST, "after {LONGEST:?} somebody still waits\n{state}");
        sleep.end(TIMED_OUT);
    }
}

/// Sets the description for a run that does not end.
pub(crate) fn tell(state: impl Fn() -> String + 'static) {
    // The earlier description is dropped while nothing is borrowed.
    drop(with(|time| time.state.replace(Box::new(state))));
}

/// Moves the time while no thread runs. Sleeping threads notice when they wake.
pub(crate) fn skip(by: Duration) {
    with(|time| time.now += by);
}

/// Blocks the caller for this time.
pub(crate) fn sleep(time: Duration) {
    let sleep = Arc::new(Sleep::default());
    sleep.begin(Some(Instant::now() + time));
    sleep.wait();
}

/// The time since the run began.
pub(crate) fn now() -> Duration {
    with(|time| time.now)
}

/// The time in the form of records.
pub(crate) fn timestamp() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).after(now())
}

/// A random number, which the schedule decides.
pub(crate) fn random() -> u64 {
    with(|time| {
        // SplitMix64.
        time.random = time.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (time.random ^ (time.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// The clock of an engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunClock;

impl Clock for RunClock {
    fn now(&self) -> Timestamp {
        timestamp()
    }
}

/// A moment, in place of [`std::time::Instant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        now().saturating_sub(self.0)
    }

    /// `None` above the greatest moment, as of the real one.
    pub(crate) fn checked_add(self, by: Duration) -> Option<Self> {
        self.0.checked_add(by).filter(|until| *until < Duration::MAX / 2).map(Self)
    }

    pub(crate) const fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0 + by)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

const WAITING: u8 = 0;
const NOTIFIED: u8 = 1;
const TIMED_OUT: u8 = 2;

/// One wait of one thread.
struct Sleep {
    state: AtomicU8,
    over: BatchSemaphore,
}

impl Default for Sleep {
    fn default() -> Self {
        Self { state: AtomicU8::new(WAITING), over: BatchSemaphore::new(0, Fairness::StrictlyFair) }
    }
}

impl Sleep {
    /// Begins the sleep. From now on the clock may end it.
    fn begin(self: &Arc<Self>, until: Option<Instant>) {
        let Some(Instant(until)) = until else { return };
        // Time has whole microseconds, as in records.
        let until = Duration::from_micros(u64::try_from(until.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX));
        if with(|time| time.is_over) {
            self.end(TIMED_OUT);
            return;
        }
        let begun = with(|time| {
            time.count += 1;
            time.sleeps.insert((until, time.count), Arc::clone(self));
            time.begun.clone()
        });
        if let Some(begun) = begun {
            begun.release(1);
        }
    }

    /// Waits for the end. Returns whether it timed out.
    fn wait(&self) -> bool {
        // The semaphore is never closed.
        let _ = self.over.acquire_blocking(1);
        self.state.load(Ordering::SeqCst) == TIMED_OUT
    }

    /// Ends the sleep. `false` if it was over before.
    fn end(&self, how: u8) -> bool {
        let ends = self.state.compare_exchange(WAITING, how, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if ends {
            self.over.release(1);
        }
        ends
    }
}

/// The sleeps of one condition variable, in their order.
#[derive(Default)]
pub(crate) struct Waits(std::sync::Mutex<VecDeque<Arc<Sleep>>>);

impl Waits {
    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Sleep>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, after `unlock`, until it is notified or until that moment. Returns whether it timed out.
    pub(crate) fn wait(&self, until: Option<Instant>, unlock: impl FnOnce()) -> bool {
        let sleep = Arc::new(Sleep::default());
        self.queue().push_back(Arc::clone(&sleep));
        sleep.begin(until);
        unlock();
        let timed_out = sleep.wait();
        if timed_out {
            self.queue().retain(|other| !Arc::ptr_eq(other, &sleep));
        } else if until.is_some() {
            with(|time| time.sleeps.retain(|_, other| !Arc::ptr_eq(other, &sleep)));
        }
        timed_out
    }

    pub(crate) fn notify_one(&self) {
        loop {
            let next = self.queue().pop_front();
            // A sleep that timed out at this moment was not notified, so the next one is.
            if next.is_none_or(|sleep| sleep.end(NOTIFIED)) {
                return;
            }
        }
    }

    pub(crate) fn notify_all(&self) {
        let all = std::mem::take(&mut *self.queue());
        for sleep in all {
            sleep.end(NOTIFIED);
        }
    }
}

/// A scheduler under which time passes.
#[derive(Debug)]
pub(crate) struct Timed<S> {
    inner: S,
    dice: u64,
}

impl<S> Timed<S> {
    pub(crate) const fn new(inner: S) -> Self {
        Self { inner, dice: 0 }
    }

    /// Whether time passes now although others could go on.
    fn passes(&mut self, every: u64) -> bool {
        // Xorshift.
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        every > 0 && self.dice.is_multiple_of(every)
    }
}

impl<S: Scheduler> Scheduler for Timed<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        let schedule = self.inner.new_execution()?;
        self.dice = schedule.seed | 1;
        let last = TIME.replace(Time { random: schedule.seed, ..Time::default() });
        // The remains of a failed run cannot be dropped outside of that run.
        std::mem::forget(last);
        Some(schedule)
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        let (clock, every) = with(|time| (time.clock, if time.now < HASTE { time.every } else { 0 }));
        let others: Vec<&Task> = runnable.iter().copied().filter(|task| Some(task.id()) != clock).collect();
        let is_due = others.len() < runnable.len();
        if others.is_empty() || is_due && self.passes(every) {
            return clock;
        }
        self.inner.next_task(&others, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }
}
