//! [`FaultRule`]: which calls of a store fail or wait, when and how.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use job_core::JobId;
use parking_lot::Mutex;

use super::Operation;
use crate::{ErrorKind, StoreError};

/// A call that a [`FaultRule`] is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCall {
    /// Which method.
    pub operation: Operation,
    /// Its number among the calls that the rule is about; the first is 0.
    pub number: u64,
    /// The job, of a call that concerns one.
    pub job: Option<JobId>,
}

/// A rule of a [`FaultStore`](crate::FaultStore): which calls it is about, when it applies, and what then happens. That
/// may be a pause, a call of the test's own code, and an error. By default it applies to every one, and nothing happens.
///
/// ```
/// use job_store::{ErrorKind, FaultRule, Operation};
///
/// let full = FaultRule::on(Operation::Complete).nth(0).fail(ErrorKind::Full); // the first end of a job
/// let unheard = FaultRule::on(Operation::Complete).fail_after(ErrorKind::Unavailable); // done, but never answered
/// let outage = FaultRule::all().fail(ErrorKind::Unavailable);
/// # drop((full, unheard, outage));
/// ```
#[derive(Clone)]
pub struct FaultRule {
    about: About,
    when: When,
    delay: Duration,
    code: Option<Code>,
    then: Then,
}

type Code = Arc<dyn Fn() + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    All,
    Reads,
    Writes,
    One(Operation),
}

impl About {
    fn takes(self, operation: Operation) -> bool {
        match self {
            Self::All => true,
            Self::Reads => !operation.is_write(),
            Self::Writes => operation.is_write(),
            Self::One(one) => one == operation,
        }
    }
}

#[derive(Clone)]
enum When {
    Always,
    Nth(u64),
    Says(Arc<dyn Fn(FaultCall) -> bool + Send + Sync>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Goes,
    Fails(ErrorKind),
    FailsAfter(ErrorKind),
}

impl fmt::Debug for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultRule")
            .field("about", &self.about)
            .field("delay", &self.delay)
            .field("then", &self.then)
            .finish_non_exhaustive()
    }
}

impl FaultRule {
    /// About calls of this method.
    #[must_use]
    pub const fn on(operation: Operation) -> Self {
        Self::about(About::One(operation))
    }

    /// About every call that only reads.
    #[must_use]
    pub const fn reads() -> Self {
        Self::about(About::Reads)
    }

    /// About every call that writes.
    #[must_use]
    pub const fn writes() -> Self {
        Self::about(About::Writes)
    }

    /// About every call.
    #[must_use]
    pub const fn all() -> Self {
        Self::about(About::All)
    }

    const fn about(about: About) -> Self {
        Self { about, when: When::Always, delay: Duration::ZERO, code: None, then: Then::Goes }
    }

    /// Applies to the call with this number alone, counted from 0 among those that the rule is about, since it was added.
    #[must_use]
    pub fn nth(mut self, number: u64) -> Self {
        self.when = When::Nth(number);
        self
    }

    /// Applies to the calls that `says` takes. It is called on the thread of each call that the rule is about.
    #[must_use]
    pub fn when(mut self, says: impl Fn(FaultCall) -> bool + Send + Sync + 'static) -> Self {
        self.when = When::Says(Arc::new(says));
        self
    }

    /// The call waits for this time before anything else, on its own thread.
    #[must_use]
    pub const fn delay(mut self, pause: Duration) -> Self {
        self.delay = pause;
        self
    }

    /// Calls `code` on the thread of the call: before it is made or fails, and after it with
    /// [`fail_after`](Self::fail_after). It may wait, panic or end the engine.
    #[must_use]
    pub fn call(mut self, code: impl Fn() + Send + Sync + 'static) -> Self {
        self.code = Some(Arc::new(code));
        self
    }

    /// The call fails with an error of this kind, and is not made.
    #[must_use]
    pub const fn fail(mut self, kind: ErrorKind) -> Self {
        self.then = Then::Fails(kind);
        self
    }

    /// The call is made, but its caller is told that it failed, as when a machine dies between the fsync and the answer.
    #[must_use]
    pub const fn fail_after(mut self, kind: ErrorKind) -> Self {
        self.then = Then::FailsAfter(kind);
        self
    }
}

impl FaultRule {
    fn call_code(&self) {
        if let Some(code) = &self.code {
            code();
        }
    }
}

/// The rules of a store.
#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<Vec<Arc<Counted>>>);

/// A rule, and how many calls it was about.
#[derive(Debug)]
struct Counted {
    rule: FaultRule,
    calls: AtomicU64,
}

impl Counted {
    /// The rule, if it applies to this call, which is counted.
    fn applies(&self, operation: Operation, job: Option<JobId>) -> Option<(&FaultRule, FaultCall)> {
        if !self.rule.about.takes(operation) {
            return None;
        }
        let call = FaultCall { operation, number: self.calls.fetch_add(1, Ordering::SeqCst), job };
        let applies = match &self.rule.when {
            When::Always => true,
            When::Nth(number) => *number == call.number,
            When::Says(says) => says(call),
        };
        applies.then_some((&self.rule, call))
    }
}

impl Rules {
    pub(super) fn add(&self, rule: FaultRule) {
        self.0.lock().push(Arc::new(Counted { rule, calls: AtomicU64::new(0) }));
    }

    pub(super) fn clear(&self) {
        let gone = std::mem::take(&mut *self.0.lock());
        drop(gone);
    }

    /// Makes a call as the rules say. Code of a rule runs under no lock: it may add another.
    pub(super) fn call<T>(
        &self,
        operation: Operation,
        job: Option<JobId>,
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let rules = self.0.lock().clone();
        let mut after = Vec::new();
        for rule in &rules {
            let Some((rule, call)) = rule.applies(operation, job) else { continue };
            thread::sleep(rule.delay);
            match rule.then {
                Then::Goes => rule.call_code(),
                Then::Fails(kind) => {
                    rule.call_code();
                    return Err(injected(kind, call, "was not made"));
                }
                Then::FailsAfter(kind) => after.push((rule, kind, call)),
            }
        }
        let done = call()?;
        match after.first() {
            Some((rule, kind, call)) => {
                rule.call_code();
                Err(injected(*kind, *call, "was made"))
            }
            None => Ok(done),
        }
    }
}

fn injected(kind: ErrorKind, call: FaultCall, made: &str) -> StoreError {
    let FaultCall { operation, number, job } = call;
    let detail = format!("injected by a test: call {number} of `{}` {made}", operation.as_str());
    let error = StoreError::new(kind, operation.words(), detail);
    match job {
        Some(job) => error.on(job),
        None => error,
    }
}
