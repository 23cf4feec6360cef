//! [`Claims`]: decides when an engine on a shared store claims jobs and how many, and when it looks at the jobs
//! that it knows. Pure: events and times are inputs, and actions are outputs. Times are counted from any moment,
//! by a clock that never goes back.

use std::time::Duration;

/// The least time between two looks, and the ratio of the pause after a look to the look itself. So looks take a small
/// part of the store's time, with any number of waiters and notices.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_SHARE: u32 = 4;

/// The first and the longest time for which a claim in vain delays the next claim by a notice. It doubles each
/// time. A notice reaches every engine, and one of them gets the job. Without a pause the claims of the others
/// would be most of the load of a database with many engines.
const PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// The worker time that is claimed ahead: `AHEAD` if workers start the jobs, `STARTED_AHEAD` if the claim does.
const AHEAD: Duration = Duration::from_millis(20);
const STARTED_AHEAD: Duration = Duration::from_millis(10);

/// The bound keeps sums of times within the range of the clock.
const LONGEST_POLL: Duration = Duration::from_hours(24 * 365);

/// The settings of an engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How many jobs the engine runs at once; 0 if it claims none.
    pub(crate) seats: usize,
    /// Whether claims also start their jobs, which then need only a free worker.
    pub(crate) starts: bool,
    /// The most jobs to claim ahead of the workers.
    pub(crate) max_prefetch: usize,
    /// How long a claim lasts unless it is renewed.
    pub(crate) lease: Duration,
    /// The time after which the store is looked at even without a notice.
    pub(crate) poll: Duration,
}

/// The load of the engine at one moment. Suspects that may not start yet do not count, since they use no worker.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Whether the engine takes jobs; `false` in a shutdown.
    pub(crate) open: bool,
    /// The number of claimed jobs.
    pub(crate) held: usize,
    /// The number of claimed jobs that wait for a worker and are not started.
    pub(crate) waiting: usize,
    /// The average time of a job on a worker.
    pub(crate) pace: Duration,
}

impl Load {
    /// The number of jobs that these workers will begin in this time.
    fn begun_in(&self, time: Duration, workers: usize) -> usize {
        let begun = time.as_nanos().saturating_mul(workers as u128) / self.pace.as_nanos().max(1);
        usize::try_from(begun).unwrap_or(usize::MAX)
    }
}

/// A claim to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) limit: usize,
    /// The token of the claim.
    pub(crate) token: u64,
    /// Whether the claim of this token has failed with an unknown outcome.
    pub(crate) again: bool,
    /// Whether to take running jobs from engines that have not renewed their leases.
    pub(crate) lost: bool,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Claim jobs, and pass the answer to [`Claims::answered`].
    Claim(Ask),
    /// Look at the known jobs, and call [`Claims::looked`] afterwards.
    Look,
    /// Wait for news, at most for this time.
    Rest(Duration),
}

/// The policy. At most one claim runs at a time.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that has happened")]
#[derive(Debug)]
pub(crate) struct Claims {
    settings: Settings,
    /// Whether others may have submitted jobs.
    news: bool,
    /// Whether a thread of this engine asks for a claim.
    wanted: bool,
    /// Whether the known jobs have to be looked at.
    look: bool,
    /// Whether the store may have jobs for which there was no room.
    more: bool,
    /// Whether jobs have ended since the last claim.
    moved: bool,
    /// Whether the thread that rests has been woken for a new task.
    stirred: bool,
    woken: bool,
    /// How many jobs may be claimed beyond the seats at present, at most `max_prefetch`.
    ahead: usize,
    /// The pause after the last claim in vain.
    pause: Duration,
    next_claim: Duration,
    next_look: Duration,
    /// When the next poll is due, for missed notices.
    next_poll: Duration,
    /// The token of the next claim, or of the last one if that failed.
    token: u64,
    unanswered: Option<u64>,
    /// Whether a thread of this engine asked for the running claim.
    asked: bool,
    /// When the store last failed or was slow to answer.
    trouble: Option<Duration>,
}

impl Claims {
    /// The policy of an engine that opens now. Another engine may have used the same claimant, so tokens begin at
    /// any number.
    pub(crate) const fn new(settings: Settings, token: u64, now: Duration) -> Self {
        Self {
            settings,
            news: true,
            wanted: false,
            look: false,
            more: true,
            moved: false,
            stirred: false,
            woken: false,
            ahead: 0,
            pause: Duration::ZERO,
            next_claim: now,
            next_look: now,
            next_poll: now,
            token,
            unanswered: None,
            asked: false,
            trouble: None,
        }
    }

    /// The next step at this time.
    pub(crate) fn next(&mut self, now: Duration, load: Load) -> Action {
        self.woken = false;
        if now >= self.next_poll {
            self.hear(now);
        }
        if let Some(ask) = self.claim(now, load) {
            return Action::Claim(ask);
        }
        if self.look && now >= self.next_look {
            self.look = false;
            return Action::Look;
        }
        let claim = self.news.then_some(self.next_claim);
        let look = self.look.then_some(self.next_look);
        let next = claim.into_iter().chain(look).fold(self.next_poll, Duration::min);
        Action::Rest(next.saturating_sub(now))
    }

    /// The claim that is due now. A claim that a thread of this engine asked for does not wait for the end of the
    /// pause.
    pub(crate) fn claim(&mut self, now: Duration, load: Load) -> Option<Ask> {
        let asked = std::mem::take(&mut self.wanted);
        let due = asked || (self.news && now >= self.next_claim);
        self.news &= !due;
        if !due || !load.open || self.settings.seats == 0 {
            return None;
        }
        // From now on, workers report the jobs that they start.
        self.more = true;
        // A claim without an answer may hold jobs, and their places are already taken.
        let limit = self.room(load).max(usize::from(self.unanswered.is_some()));
        if limit == 0 {
            return None;
        }
        self.asked = asked;
        let again = self.unanswered.is_some();
        let token = self.unanswered.unwrap_or_else(|| {
            self.token = self.token.wrapping_add(1);
            self.token
        });
        Some(Ask { limit, token, again, lost: self.takes_over(now) })
    }

    /// How many jobs to claim: one for each idle worker, and some ahead. Those ahead are at most the jobs that the
    /// workers will begin within [`AHEAD`], since other engines may be idle. Their number doubles if workers ran
    /// out of work although jobs ended, and if the waiting jobs may not run beside the running ones. It becomes
    /// zero if jobs had to wait here while other engines might be idle.
    fn room(&mut self, load: Load) -> usize {
        let Settings { seats, starts, max_prefetch, .. } = self.settings;
        let idle = load.held - load.waiting.min(load.held) < seats;
        let moved = std::mem::take(&mut self.moved);
        if idle && (moved || load.waiting > 0) {
            self.ahead = (self.ahead * 2).max(1).min(max_prefetch);
        }
        let soon = if starts {
            load.begun_in(STARTED_AHEAD, seats).min(self.ahead)
        } else if idle && load.waiting > 0 {
            self.ahead
        } else {
            load.begun_in(AHEAD, seats).min(self.ahead)
        };
        (seats + soon).saturating_sub(load.held)
    }

    /// After an outage, other engines get time to renew their leases, since they have not died.
    fn takes_over(&self, now: Duration) -> bool {
        self.trouble.is_none_or(|at| now.saturating_sub(at) >= self.settings.lease)
    }

    /// Notes the answer of a claim that began at `asked`: the number of jobs that it gave.
    pub(crate) fn answered(&mut self, ask: Ask, asked: Duration, now: Duration, jobs: Option<usize>) {
        self.note_answer(asked, now, jobs.is_none());
        let Some(jobs) = jobs else {
            self.unanswered = Some(ask.token);
            self.news = true;
            return;
        };
        self.unanswered = None;
        self.more &= jobs >= ask.limit;
        if jobs > 0 {
            self.pause = Duration::ZERO;
        } else if !self.asked {
            self.pause = (self.pause * 2).clamp(PAUSE, MAX_PAUSE);
        }
        self.next_claim = now + self.pause;
    }

    /// Notes the end of a look that began at `began`.
    pub(crate) fn looked(&mut self, began: Duration, now: Duration, failed: bool) {
        self.look |= failed;
        let took = now.saturating_sub(began);
        self.next_look = now + LOOK_EVERY.max(took * LOOK_SHARE);
    }

    /// Notes that the store answered a call of the time `asked`, or failed to.
    pub(crate) fn note_answer(&mut self, asked: Duration, now: Duration, failed: bool) {
        if failed || now.saturating_sub(asked) >= self.settings.lease / 3 {
            self.trouble = Some(now);
        }
    }

    /// Notes a notice of other engines.
    pub(crate) fn hear(&mut self, now: Duration) {
        (self.news, self.look) = (true, true);
        self.next_poll = now + self.settings.poll.min(LONGEST_POLL);
    }

    /// Notes that a thread of this engine asks for a claim.
    pub(crate) const fn ask(&mut self) {
        self.stirred |= !self.wanted;
        self.wanted = true;
    }

    /// Notes a free seat, which asks for a claim if the store may have more jobs.
    pub(crate) const fn ask_for_more(&mut self) {
        if self.more {
            self.ask();
        }
    }

    /// Notes that a worker has looked for a job, and that `left` jobs remain. The next claim is due if it found
    /// none, or if few are left.
    pub(crate) const fn worker_took(&mut self, found: bool, left: usize) {
        if !found || left <= self.ahead / 2 {
            self.ask_for_more();
        }
    }

    /// Notes that the known jobs have to be looked at.
    pub(crate) const fn want_look(&mut self) {
        self.stirred |= !self.look;
        self.look = true;
    }

    /// Notes that a job has left this engine.
    pub(crate) const fn job_left(&mut self) {
        self.moved = true;
    }

    /// Notes that jobs had to wait here. From now on only jobs that can start are claimed, until jobs are short
    /// again.
    pub(crate) const fn claim_less(&mut self) {
        self.ahead = 0;
    }

    /// Whether to wake the thread that rests; once for each rest.
    pub(crate) const fn wakes(&mut self) -> bool {
        let wakes = self.stirred && !self.woken;
        (self.stirred, self.woken) = (false, self.woken || wakes);
        wakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const EIGHT: Settings = Settings { seats: 8, starts: true, max_prefetch: 512, lease: HOUR, poll: HOUR };
    /// The load of an engine whose jobs take a millisecond.
    const IDLE: Load = Load { open: true, held: 0, waiting: 0, pace: Duration::from_millis(1) };

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn claims(settings: Settings) -> Claims {
        Claims::new(settings, 0, Duration::ZERO)
    }

    /// The claim that is due, and its answer at once.
    fn round(claims: &mut Claims, now: Duration, load: Load, jobs: usize) -> Option<usize> {
        match claims.next(now, load) {
            Action::Claim(ask) => {
                claims.answered(ask, now, now, Some(jobs));
                Some(ask.limit)
            }
            _ => None,
        }
    }

    #[test]
    fn claims_in_vain_are_further_and_further_apart() {
        let (mut claims, mut now, mut pauses) = (claims(EIGHT), Duration::ZERO, Vec::new());
        for _ in 0..7 {
            assert_eq!(round(&mut claims, now, IDLE, 0), Some(8));
            claims.look = false;
            assert_eq!(
                claims.next(now, IDLE),
                Action::Rest(claims.next_poll.saturating_sub(now)),
                "nothing to do before there is news"
            );
            claims.hear(now);
            claims.look = false;
            let Action::Rest(pause) = claims.next(now, IDLE) else {
                panic!("a notice is no reason to claim at once")
            };
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 20, 20]);
        assert_eq!(round(&mut claims, now, IDLE, 3), Some(8));
        claims.hear(now);
        assert_eq!(round(&mut claims, now, IDLE, 0), Some(8), "after a claim that found jobs there is no pause");
    }

    #[test]
    fn who_asks_here_does_not_wait_and_costs_no_pause() {
        let mut claims = claims(EIGHT);
        assert_eq!(round(&mut claims, Duration::ZERO, IDLE, 0), Some(8));
        claims.hear(Duration::ZERO);
        assert_eq!(round(&mut claims, Duration::ZERO, IDLE, 0), None);
        claims.ask();
        assert_eq!(round(&mut claims, Duration::ZERO, IDLE, 0), Some(8));
        assert_eq!(claims.pause, PAUSE);
        assert!(!claims.news, "what was news has been looked for");
    }

    #[test]
    fn whoever_waits_is_woken_once_for_what_is_new() {
        let mut claims = claims(EIGHT);
        assert_eq!(round(&mut claims, Duration::ZERO, IDLE, 0), Some(8));
        claims.look = false;
        assert!(!claims.wakes(), "nothing has happened");
        claims.want_look();
        claims.ask();
        assert_eq!([claims.wakes(), claims.wakes()], [true, false]);
        claims.ask();
        assert!(!claims.wakes(), "it is on its way");
        claims.looked(Duration::ZERO, Duration::ZERO, false);
        assert_eq!(round(&mut claims, Duration::ZERO, IDLE, 0), Some(8));
        assert_eq!(claims.next(Duration::ZERO, IDLE), Action::Rest(LOOK_EVERY));
        claims.want_look();
        assert!(!claims.wakes(), "the look is due later");
        claims.ask();
        assert!(claims.wakes());
    }

    #[test]
    fn an_engine_that_shuts_down_claims_nothing() {
        let mut claims = claims(EIGHT);
        claims.ask();
        assert_eq!(round(&mut claims, Duration::ZERO, Load { open: false, ..IDLE }, 0), None);
    }

    #[test]
    fn looks_take_a_small_part_of_the_time() {
        let mut claims = claims(Settings { seats: 0, ..EIGHT });
        assert_eq!(claims.next(Duration::ZERO, IDLE), Action::Look, "an engine that claims nothing looks");
        claims.looked(Duration::ZERO, millis(10), false);
        claims.want_look();
        assert_eq!(claims.next(millis(10), IDLE), Action::Rest(millis(40)));
        assert_eq!(claims.next(millis(50), IDLE), Action::Look);
        claims.looked(millis(50), millis(50), true);
        assert_eq!(claims.next(millis(50), IDLE), Action::Rest(LOOK_EVERY), "one that failed is due again");
    }

    #[test]
    fn a_claim_without_an_answer_is_asked_for_again_with_its_token() {
        let mut claims = claims(EIGHT);
        let Action::Claim(first) = claims.next(Duration::ZERO, IDLE) else {
            panic!("an engine begins with a claim")
        };
        claims.answered(first, Duration::ZERO, millis(1), None);
        let full = Load { held: 8, ..IDLE };
        let Action::Claim(again) = claims.next(millis(1), full) else {
            panic!("it may hold jobs that nobody knows of")
        };
        assert_eq!(again, Ask { limit: 1, token: first.token, again: true, lost: false });
        claims.answered(again, millis(1), millis(2), Some(8));
        claims.ask();
        let Action::Claim(next) = claims.next(millis(2), IDLE) else { panic!("it was asked for") };
        assert!(!next.again && next.token != first.token);
    }

    /// During an outage, no other engine could renew its leases.
    #[test]
    fn after_an_outage_nothing_is_taken_over_for_a_lease() {
        let lease = Duration::from_secs(9);
        let mut claims = claims(Settings { lease, ..EIGHT });
        let mut takes = |answer: Duration, failed, at| {
            claims.note_answer(Duration::ZERO, answer, failed);
            claims.takes_over(at)
        };
        assert!(takes(millis(2_999), false, millis(3_000)));
        assert!(!takes(millis(3_000), false, millis(11_999)), "an answer that came late");
        assert!(takes(millis(1), false, millis(12_000)));
        assert!(!takes(millis(12_000), true, millis(20_999)));
    }

    #[test]
    fn what_is_claimed_ahead_follows_the_workers() {
        let mut claims = claims(EIGHT);
        assert_eq!(round(&mut claims, Duration::ZERO, IDLE, 8), Some(8), "nothing is known: one for each worker");
        let mut limits = Vec::new();
        for n in 1..9 {
            claims.job_left();
            claims.worker_took(false, 0);
            limits.extend(round(&mut claims, millis(n), IDLE, 999));
        }
        assert_eq!(limits, [9, 10, 12, 16, 24, 40, 72, 88], "no more than is begun in 10 ms");
        claims.claim_less();
        claims.ask();
        assert_eq!(round(&mut claims, millis(9), IDLE, 999), Some(8));
        claims.ask();
        let full = Load { held: 8, ..IDLE };
        assert_eq!(round(&mut claims, millis(10), full, 0), None, "no room");
    }

    /// Makes small steps with a fixed seed. An engine never holds more jobs than its seats and its prefetch, and a
    /// wish never waits for the end of a sleep.
    #[test]
    fn any_history_keeps_the_bounds_and_answers_every_wish() {
        let mut chance = fastrand::Rng::with_seed(7);
        let mut random = |below: u64| chance.u64(..below);
        let settings = Settings { max_prefetch: 20, poll: millis(500), lease: Duration::from_secs(3), ..EIGHT };
        let (mut claims, mut now, mut held) = (claims(settings), Duration::ZERO, 0_usize);
        for step in 0..20_000 {
            now += Duration::from_micros(random(3_000));
            match random(6) {
                0 => claims.hear(now),
                1 => claims.ask(),
                2 => claims.want_look(),
                3 if held > 0 => {
                    held -= 1;
                    claims.job_left();
                    claims.worker_took(true, held.saturating_sub(8));
                }
                4 => claims.claim_less(),
                _ => {}
            }
            let load = Load {
                open: true,
                held,
                waiting: held.saturating_sub(8),
                pace: Duration::from_micros(random(50_000) + 1),
            };
            let wished = claims.wanted;
            match claims.next(now, load) {
                Action::Claim(ask) => {
                    assert!((1..=28).contains(&ask.limit), "step {step}: {ask:?}");
                    let answer = (random(9) > 0).then(|| usize::try_from(random(ask.limit as u64 + 1)).unwrap());
                    claims.answered(ask, now, now + Duration::from_micros(random(2_000)), answer);
                    held += answer.unwrap_or_default();
                    assert!(held <= 28 + usize::from(ask.again), "step {step}: {held} are held");
                }
                Action::Look => claims.looked(now, now + Duration::from_micros(random(2_000)), random(9) == 0),
                Action::Rest(rest) => {
                    assert!(rest <= settings.poll, "step {step}: {rest:?}");
                    assert!(!wished || held >= 8, "step {step}: a wish was slept over with {held} jobs");
                }
            }
            held = held.min(28);
        }
    }
}
