//! [`Place`]: which part of this engine has an unfinished job, if any. Pure: each transition is a function of the
//! place alone.

use std::sync::Arc;

use crate::job::{attempt::Attempt, error::EngineError, lease::Lease};

/// The place of a job. On a store that one engine has for itself there are no leases, and a registered job is
/// never outside.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// This engine does not have the job. Another engine has it, it waits for an engine, or it is complete. The
    /// record in this process may be older than the stored one.
    Outside,
    /// This engine has lost its claim, and the record is unchanged since. The value is an attempt that has ended
    /// here without a lease, if there is one. Then the job is put back, unless another engine has it.
    LeaseLost(Option<Stopped>),
    /// The job waits for a worker of this engine.
    Waiting(Option<Arc<Lease>>),
    /// The job waits for an engine that has a handler for its kind.
    Unhandled,
    /// The claim has started the job, and no worker has begun it.
    Started(Arc<Attempt>),
    /// A worker runs the job, or its end is being stored.
    Running(Arc<Attempt>),
    /// No thread of this process will see the end of the job.
    Left(Box<EngineError>),
}

/// An attempt that has ended without a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) attempt: u32,
    /// The token of the claim under which the job ran.
    pub(crate) token: u64,
}

impl Place {
    /// This engine's claim on the job.
    pub(crate) fn lease(&self) -> Option<&Arc<Lease>> {
        match self {
            Self::Waiting(lease) => lease.as_ref(),
            Self::Started(attempt) | Self::Running(attempt) => attempt.lease(),
            Self::Outside | Self::LeaseLost(_) | Self::Unhandled | Self::Left(_) => None,
        }
    }

    /// The running attempt.
    pub(crate) const fn attempt(&self) -> Option<&Arc<Attempt>> {
        match self {
            Self::Started(attempt) | Self::Running(attempt) => Some(attempt),
            _ => None,
        }
    }

    /// Whether this engine may run the job.
    pub(crate) const fn is_here(&self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Unhandled | Self::Started(_) | Self::Running(_))
    }

    pub(crate) const fn is_left(&self) -> bool {
        matches!(self, Self::Left(_))
    }

    /// The job waits here: a claim has given it, or it is new in an engine alone.
    pub(crate) fn wait(&mut self, lease: Option<Arc<Lease>>) {
        if !self.is_left() {
            *self = Self::Waiting(lease);
        }
    }

    /// No handler of this engine can run the job.
    pub(crate) fn miss_handler(&mut self) {
        if matches!(self, Self::Waiting(_)) {
            *self = Self::Unhandled;
        }
    }

    /// The claim of the job has started it.
    pub(crate) fn start(&mut self, attempt: Arc<Attempt>) {
        if matches!(self, Self::Waiting(_)) {
            *self = Self::Started(attempt);
        }
    }

    /// A worker has started an attempt of the job.
    pub(crate) fn run(&mut self, attempt: Arc<Attempt>) {
        if matches!(self, Self::Waiting(_)) {
            *self = Self::Running(attempt);
        }
    }

    /// A worker begins the attempt that the claim started. Returns the attempt.
    pub(crate) fn begin(&mut self) -> Option<Arc<Attempt>> {
        if let Self::Started(attempt) = self {
            *self = Self::Running(Arc::clone(attempt));
        }
        self.attempt().cloned()
    }

    /// The attempt is over, and its outcome is stored.
    pub(crate) fn stop(&mut self) {
        if let Some(attempt) = self.attempt() {
            *self = Self::Waiting(attempt.lease().cloned());
        }
    }

    /// This engine no longer has the job. `runs` is the number of its attempt, if its record says running. Returns
    /// whether the engine's claim has to be given back.
    pub(crate) fn go(&mut self, runs: Option<u32>) -> bool {
        let lease = self.lease().cloned();
        if !self.is_left() {
            *self = match &lease {
                Some(lease) if lease.is_over() => {
                    Self::LeaseLost(runs.map(|attempt| Stopped { attempt, token: lease.claim() }))
                }
                _ => Self::Outside,
            };
        }
        lease.is_some() && matches!(self, Self::Outside) && runs.is_none()
    }

    /// Another engine has changed the job. A lost lease becomes `Outside`, unless its attempt still `runs` by the
    /// new record and has to be put back.
    pub(crate) fn meet_change(&mut self, runs: Option<u32>) {
        if matches!(self, Self::LeaseLost(stopped) if stopped.is_none_or(|stopped| Some(stopped.attempt) != runs))
        {
            *self = Self::Outside;
        }
    }

    /// The attempt that has ended here without a lease.
    pub(crate) const fn stopped(&self) -> Option<Stopped> {
        match self {
            Self::LeaseLost(stopped) => *stopped,
            _ => None,
        }
    }

    /// The attempt that ended without a lease was put back, or another engine has the job.
    pub(crate) fn settle(&mut self) {
        if let Self::LeaseLost(stopped) = self {
            *stopped = None;
        }
    }

    /// No thread of this process will see the end of the job. Later writes of its body do not count.
    pub(crate) fn leave(&mut self, why: EngineError) {
        if let Some(attempt) = self.attempt() {
            attempt.leave();
        }
        *self = Self::Left(Box::new(why));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use job_core::{Budget, JobId, Timestamp};

    use super::*;
    use crate::seam::sync::Instant;

    const HOUR: Duration = Duration::from_hours(1);

    fn lease(length: Duration) -> Arc<Lease> {
        Arc::new(Lease::new(Instant::now(), length, 0, 0))
    }

    fn attempt(lease: Arc<Lease>) -> Arc<Attempt> {
        Arc::new(Attempt::under(lease, 7, Budget::default(), Timestamp::default()))
    }

    /// One place of each kind. The leases of places that have one last for `length`.
    fn all(length: Duration) -> Vec<Place> {
        vec![
            Place::Outside,
            Place::LeaseLost(None),
            Place::LeaseLost(Some(Stopped { attempt: 7, token: 0 })),
            Place::Waiting(Some(lease(length))),
            Place::Waiting(None),
            Place::Unhandled,
            Place::Started(attempt(lease(length))),
            Place::Running(attempt(lease(length))),
            Place::Left(Box::new(EngineError::LeftUnfinished(JobId::MIN))),
        ]
    }

    fn name(place: &Place) -> String {
        match place {
            Place::Outside => "outside".to_owned(),
            Place::LeaseLost(None) => "lost".to_owned(),
            Place::LeaseLost(Some(_)) => "stopped".to_owned(),
            Place::Waiting(Some(_)) => "claimed".to_owned(),
            Place::Waiting(None) => "waiting".to_owned(),
            Place::Unhandled => "unhandled".to_owned(),
            Place::Started(_) => "started".to_owned(),
            Place::Running(_) => "running".to_owned(),
            Place::Left(_) => "left".to_owned(),
        }
    }

    /// The place after a transition, from each place in the order of [`all`].
    fn row(length: Duration, step: impl Fn(&mut Place)) -> String {
        let places = all(length).into_iter().map(|mut place| {
            step(&mut place);
            name(&place)
        });
        places.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_move_from_every_place_is_this_table() {
        let none = "outside lost stopped claimed waiting unhandled started running left";
        let left = EngineError::LeftUnfinished(JobId::MIN);
        let held = || attempt(lease(HOUR));
        let rows: [(&str, String, &str); 15] = [
            ("nothing", row(HOUR, |_| ()), none),
            (
                "wait",
                row(HOUR, |place| place.wait(Some(lease(HOUR)))),
                "claimed claimed claimed claimed claimed claimed claimed claimed left",
            ),
            (
                "wait alone",
                row(HOUR, |place| place.wait(None)),
                "waiting waiting waiting waiting waiting waiting waiting waiting left",
            ),
            (
                "miss_handler",
                row(HOUR, Place::miss_handler),
                "outside lost stopped unhandled unhandled unhandled started running left",
            ),
            (
                "start",
                row(HOUR, |place| place.start(held())),
                "outside lost stopped started started unhandled started running left",
            ),
            (
                "run",
                row(HOUR, |place| place.run(held())),
                "outside lost stopped running running unhandled started running left",
            ),
            (
                "begin",
                row(HOUR, |place| drop(place.begin())),
                "outside lost stopped claimed waiting unhandled running running left",
            ),
            (
                "stop",
                row(HOUR, Place::stop),
                "outside lost stopped claimed waiting unhandled claimed claimed left",
            ),
            (
                "go",
                row(HOUR, |place| _ = place.go(None)),
                "outside outside outside outside outside outside outside outside left",
            ),
            (
                "go without a lease",
                row(Duration::ZERO, |place| _ = place.go(None)),
                "outside outside outside lost outside outside lost lost left",
            ),
            (
                "go while it runs without a lease",
                row(Duration::ZERO, |place| _ = place.go(Some(7))),
                "outside outside outside stopped outside outside stopped stopped left",
            ),
            (
                "meet_change",
                row(HOUR, |place| place.meet_change(None)),
                "outside outside outside claimed waiting unhandled started running left",
            ),
            (
                "meet_change of its attempt",
                row(HOUR, |place| place.meet_change(Some(7))),
                "outside outside stopped claimed waiting unhandled started running left",
            ),
            (
                "settle",
                row(HOUR, Place::settle),
                "outside lost lost claimed waiting unhandled started running left",
            ),
            (
                "leave",
                row(HOUR, |place| place.leave(left.clone())),
                "left left left left left left left left left",
            ),
        ];
        for (step, found, expected) in rows {
            assert_eq!(found, expected, "{step}");
        }
    }

    #[test]
    fn a_claim_is_given_back_of_what_waits_under_a_lease() {
        let gives = |length, runs| {
            let back = all(length).into_iter().map(|mut place| place.go(runs));
            back.map(usize::from).collect::<Vec<_>>()
        };
        assert_eq!(gives(HOUR, None), [0, 0, 0, 1, 0, 0, 1, 1, 0]);
        assert_eq!(gives(HOUR, Some(7)), [0; 9], "it runs in its record: its lease fences it off");
        assert_eq!(gives(Duration::ZERO, None), [0; 9], "nothing is left to give back");
    }

    #[test]
    fn what_is_left_behind_is_told_to_its_body() {
        for mut place in all(HOUR) {
            let attempt = place.attempt().cloned();
            place.leave(EngineError::LeftUnfinished(JobId::MIN));
            assert!(attempt.is_none_or(|attempt| attempt.is_left()));
            assert!(place.attempt().is_none() && place.lease().is_none() && !place.is_here());
        }
    }
}
