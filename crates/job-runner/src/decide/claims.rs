//! [`Claims`]: when an engine of several claims jobs, how many, and when it looks at those that it knows. Pure: what
//! happens and the time come in, what to do comes out. Times are counted from any moment, by a clock that never goes back.

use std::time::Duration;

/// The least time between two looks, and the ratio of the pause after a look to the look itself. So looks take a small
/// part of the store's time, with any number of waiters and notices.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_SHARE: u32 = 4;

/// How long a claim in vain keeps the next notice from another claim: at first, doubled each time, at most. A notice
/// reaches every engine, and one of them has the job. Without a pause the claims of the others would be most of the
/// load of a database of many engines.
const PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(20);

/// How much work is claimed ahead of the workers: less where the claim starts it.
const AHEAD: Duration = Duration::from_millis(20);
const STARTED_AHEAD: Duration = Duration::from_millis(10);

/// Longer times between polls might be more than the clock can count.
const LONGEST_POLL: Duration = Duration::from_hours(24 * 365);

/// The settings of an engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How many jobs it runs at once; 0 of one that claims none.
    pub(crate) seats: usize,
    /// Whether claims start what they claim: nothing but a free worker is needed for it.
    pub(crate) starts: bool,
    /// The most jobs that are claimed ahead of the workers.
    pub(crate) max_prefetch: usize,
    /// How long a claim lasts when it is not renewed.
    pub(crate) lease: Duration,
    /// The time without a notice after which the store is looked at all the same.
    pub(crate) poll: Duration,
}

/// The load of the engine at one moment. Suspects that may not start yet do not count: they keep no worker from other jobs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Whether it takes jobs: not when it shuts down.
    pub(crate) open: bool,
    /// Jobs that it has claimed.
    pub(crate) held: usize,
    /// The claimed jobs that wait for a worker and are not started.
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
    /// Names the claim.
    pub(crate) token: u64,
    /// The claim of this token has failed, and may have taken effect.
    pub(crate) again: bool,
    /// Whether to take running jobs from engines that have not renewed their leases.
    pub(crate) lost: bool,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Claim; [`Claims::answered`] is told of the answer.
    Claim(Ask),
    /// Look at the jobs that are known; [`Claims::looked`] is told of it.
    Look,
    /// Wait for news, at most for this time.
    Rest(Duration),
}

/// The policy. One claim at a time is under way.
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that has happened")]
#[derive(Debug)]
pub(crate) struct Claims {
    settings: Settings,
    /// Others may have submitted jobs.
    news: bool,
    /// A thread of this engine asks for a claim.
    wanted: bool,
    /// There is something new to look at.
    look: bool,
    /// The store may have jobs that there was no room for.
    more: bool,
    /// Jobs have come to an end since the last claim.
    moved: bool,
    /// There is something new to do, and the waiters for news have been woken for it.
    stirred: bool,
    woken: bool,
    /// How many jobs may be claimed beyond the seats at this time, up to the prefetch.
    ahead: usize,
    /// After the last claim.
    pause: Duration,
    next_claim: Duration,
    next_look: Duration,
    /// When something may have been missed.
    next_poll: Duration,
    /// The token of the next claim, and of the last one if it has failed.
    token: u64,
    unanswered: Option<u64>,
    /// Whether the claim that is under way was asked for here.
    asked: bool,
    /// When the store last failed or was slow to answer.
    trouble: Option<Duration>,
}

impl Claims {
    /// Of an engine that opens now. Another engine may be the same claimant, so tokens begin anywhere.
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

    /// The claim that is due now. One that was asked for here does not wait for the end of the pause.
    pub(crate) fn claim(&mut self, now: Duration, load: Load) -> Option<Ask> {
        let asked = std::mem::take(&mut self.wanted);
        let due = asked || (self.news && now >= self.next_claim);
        self.news &= !due;
        if !due || !load.open || self.settings.seats == 0 {
            return None;
        }
        // From now on a worker that takes a job says so.
        self.more = true;
        // A claim without an answer may hold jobs, which have their place already.
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

    /// How many jobs to claim: one for each idle worker, and some ahead of them. Those ahead are no more than the
    /// workers will have begun in [`AHEAD`], since other engines may be idle. The number ahead doubles when workers
    /// ran out of work though jobs came to an end. It also doubles when the jobs that wait here may not run beside
    /// those that run. It goes to zero when jobs had to wait here while others might have been idle.
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

    /// After an outage engines get time to renew: it is no death.
    fn takes_over(&self, now: Duration) -> bool {
        self.trouble.is_none_or(|at| now.saturating_sub(at) >= self.settings.lease)
    }

    /// The answer of a claim that was asked for at that time: how many jobs it has given.
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

    /// A look that began at that time is over.
    pub(crate) fn looked(&mut self, began: Duration, now: Duration, failed: bool) {
        self.look |= failed;
        let took = now.saturating_sub(began);
        self.next_look = now + LOOK_EVERY.max(took * LOOK_SHARE);
    }

    /// The store has answered what it was asked at that time, or has failed to.
    pub(crate) fn note_answer(&mut self, asked: Duration, now: Duration, failed: bool) {
        if failed || now.saturating_sub(asked) >= self.settings.lease / 3 {
            self.trouble = Some(now);
        }
    }

    /// Others have changed something.
    pub(crate) fn hear(&mut self, now: Duration) {
        (self.news, self.look) = (true, true);
        self.next_poll = now + self.settings.poll.min(LONGEST_POLL);
    }

    /// A thread of this engine asks for a claim.
    pub(crate) const fn ask(&mut self) {
        self.stirred |= !self.wanted;
        self.wanted = true;
    }

    /// A seat is free: asks for a claim, if the store may have more.
    pub(crate) const fn ask_for_more(&mut self) {
        if self.more {
            self.ask();
        }
    }

    /// A worker has looked for a job; this number is left for others. The next claim is due when it found
    /// none, or few are left.
    pub(crate) const fn worker_took(&mut self, found: bool, left: usize) {
        if !found || left <= self.ahead / 2 {
            self.ask_for_more();
        }
    }

    /// There is something new to look at.
    pub(crate) const fn want_look(&mut self) {
        self.stirred |= !self.look;
        self.look = true;
    }

    /// A job has left this engine.
    pub(crate) const fn job_left(&mut self) {
        self.moved = true;
    }

    /// Jobs had to wait here: from now on no more is claimed than can start, until jobs are short again.
    pub(crate) const fn claim_less(&mut self) {
        self.ahead = 0;
    }

    /// Whether to wake the waiters for news; once for each rest.
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
    /// Of an engine whose jobs take a millisecond.
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

    /// The others could not renew either.
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

    /// Small steps, the same in every run. An engine never holds more than its seats and its prefetch, and a wish
    /// that was told never waits for the end of a sleep.
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
