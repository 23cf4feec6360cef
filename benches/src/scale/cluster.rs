//! The model: engines that share the PostgreSQL of their partition, for jobs that succeed at their first attempt,
//! which a claim starts. When an engine claims and looks, the policy of `job-runner` itself decides. A statement takes
//! a core of the server for its time. A synced one then waits for the log: one flush at a time writes the log for all
//! statements that wait.

use std::{collections::VecDeque, time::Duration};

use rand_distr::{Distribution, Exp, LogNormal, StandardUniform};
use rand_pcg::{Pcg64, rand_core::SeedableRng};

use super::{
    claims::{Action, Ask, Claims, Load, Settings},
    costs::{Costs, Statement},
    shape::{Outcome, Shape},
    station::{Calendar, Station},
};

/// The values are those of `job-store`'s notices and of `job-runner`'s defaults.
const BETWEEN_NOTICES: Duration = Duration::from_millis(20);
const POLL: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(10);
/// Each listener has a backend of its own in the server. The work of a notice for this number of listeners is one
/// piece of work for a core.
const LISTENERS_A_PIECE: usize = 8;

/// The step of the model that follows the end of a statement.
#[derive(Debug, Clone)]
enum Then {
    Stored(usize, Duration),
    Claimed(usize, VecDeque<Duration>, Ask, Duration),
    Looked(usize, Duration),
    Ended(usize, u64),
    Told(usize),
    Answered(Duration),
    Nothing,
}

#[derive(Debug)]
enum Event {
    Request(usize),
    Done(usize, Then),
    Flushed(usize, Vec<Then>),
    Tell(usize),
    Wake(usize, u64),
    Renew(usize),
    BodyEnds(usize),
}

#[derive(Debug)]
struct Partition {
    cores: Station<Then>,
    waiting: VecDeque<Duration>,
    unflushed: Vec<Then>,
    flushing: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "what its threads are doing")]
#[derive(Debug)]
struct Engine {
    /// The times at which the started jobs that wait for a worker were submitted.
    started: VecDeque<Duration>,
    running: usize,
    claims: Claims,
    /// Whether the claimer is at work, and the number of its present rest.
    busy: bool,
    rest: u64,
    /// The completer.
    ends: u64,
    recording: bool,
    /// Notices.
    untold: bool,
    telling: bool,
    next_notice: Duration,
}

impl Engine {
    fn new(shape: &Shape) -> Self {
        let settings = Settings {
            seats: shape.workers,
            starts: true,
            max_prefetch: shape.max_prefetch,
            lease: LEASE,
            poll: POLL,
        };
        Self {
            started: VecDeque::new(),
            running: 0,
            claims: Claims::new(settings, 0, Duration::ZERO),
            busy: false,
            rest: 0,
            ends: 0,
            recording: false,
            untold: false,
            telling: false,
            next_notice: Duration::ZERO,
        }
    }

    fn held(&self) -> usize {
        self.running + self.started.len()
    }
}

#[derive(Debug)]
struct Model<'a> {
    shape: &'a Shape,
    costs: &'a Costs,
    calendar: Calendar<Event>,
    partitions: Vec<Partition>,
    engines: Vec<Engine>,
    random: Pcg64,
    outcome: Outcome,
    flushed: Duration,
}

/// Runs the model. The same shape and costs give the same outcome.
#[must_use]
pub fn run(shape: &Shape, costs: &Costs) -> Outcome {
    let partition = |_| Partition {
        cores: Station::new(shape.cores),
        waiting: VecDeque::from(vec![Duration::ZERO; shape.waiting / shape.partitions]),
        unflushed: Vec::new(),
        flushing: false,
    };
    let mut model = Model {
        shape,
        costs,
        calendar: Calendar::new(),
        partitions: (0..shape.partitions).map(partition).collect(),
        engines: (0..shape.engines).map(|_| Engine::new(shape)).collect(),
        random: Pcg64::seed_from_u64(shape.seed),
        outcome: Outcome::default(),
        flushed: Duration::ZERO,
    };
    model.run();
    model.outcome
}

impl Model<'_> {
    fn run(&mut self) {
        for partition in 0..self.shape.partitions {
            self.expect_request(partition);
        }
        for engine in 0..self.shape.engines {
            let offset = self.uniform();
            self.calendar.after((LEASE / 3).mul_f64(offset), Event::Renew(engine));
            self.round(engine);
        }
        let drains = self.shape.rate == 0.0;
        while let Some(event) = self.calendar.next(self.shape.time) {
            self.happen(event);
            if drains && self.outcome.ended >= self.shape.waiting as u64 {
                break;
            }
        }
        let time = if drains { self.outcome.last_end } else { self.shape.time }.as_secs_f64();
        let used: Duration = self.partitions.iter().map(|partition| partition.cores.used).sum();
        let partitions = self.shape.partitions as f64;
        self.outcome.cores = used.as_secs_f64() / time / (self.shape.cores as f64 * partitions);
        self.outcome.flushing = self.flushed.as_secs_f64() / time / partitions;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Request(partition) => self.request(partition),
            Event::Done(at, then) => {
                if let Some((service, next)) = self.partition(at).and_then(|partition| partition.cores.leave()) {
                    self.calendar.after(service, Event::Done(at, next));
                }
                if matches!(then, Then::Stored(..) | Then::Ended(..)) {
                    self.sync(at, then);
                } else {
                    self.go_on(then);
                }
            }
            Event::Flushed(at, done) => {
                for then in done {
                    self.go_on(then);
                }
                if let Some(partition) = self.partition(at) {
                    partition.flushing = false;
                }
                self.flush(at);
            }
            Event::Tell(engine) => {
                if let Some(one) = self.engine(engine) {
                    one.untold = false;
                }
                self.send(engine, Statement::Notice, 0, Then::Told(engine));
            }
            Event::Wake(engine, rest) => {
                if self.engine(engine).is_some_and(|one| !one.busy && one.rest == rest) {
                    self.round(engine);
                }
            }
            Event::Renew(engine) => self.renew(engine),
            Event::BodyEnds(engine) => {
                if let Some(one) = self.engine(engine) {
                    one.running -= 1;
                    one.ends += 1;
                }
                self.record(engine);
                self.fill(engine);
            }
        }
    }

    fn go_on(&mut self, then: Then) {
        let now = self.calendar.now;
        match then {
            Then::Stored(engine, came) => {
                let at = engine % self.shape.partitions;
                if let Some(partition) = self.partition(at) {
                    partition.waiting.push_back(came);
                }
                self.outcome.submit.push(now.saturating_sub(came).as_secs_f64());
                self.tell(engine);
                self.ask(engine);
            }
            Then::Claimed(engine, jobs, ask, asked) => {
                if let Some(one) = self.engine(engine) {
                    one.claims.answered(ask, asked, now, Some(jobs.len()));
                    one.started.extend(jobs);
                }
                self.fill(engine);
                self.round(engine);
            }
            Then::Looked(engine, asked) => {
                if let Some(one) = self.engine(engine) {
                    one.claims.looked(asked, now, false);
                }
                self.round(engine);
            }
            Then::Ended(engine, ended) => {
                self.outcome.ended += ended;
                self.outcome.last_end = now;
                if let Some(one) = self.engine(engine) {
                    one.recording = false;
                    one.claims.job_left();
                }
                if self.shape.removes {
                    for _ in 0..ended {
                        self.send(engine, Statement::Remove, 1, Then::Nothing);
                    }
                }
                self.tell(engine);
                self.record(engine);
            }
            Then::Told(engine) => {
                if let Some(one) = self.engine(engine) {
                    (one.telling, one.next_notice) = (false, now + BETWEEN_NOTICES);
                }
                self.deliver(engine);
                if self.engine(engine).is_some_and(|one| one.untold) {
                    self.tell(engine);
                }
            }
            Then::Answered(asked) => self.outcome.state.push(now.saturating_sub(asked).as_secs_f64()),
            Then::Nothing => {}
        }
    }

    /// A submission or a status query arrives at one of the engines of a partition. Then the next one is
    /// scheduled.
    fn request(&mut self, partition: usize) {
        let share = self.calendar.now.as_secs_f64() / self.shape.time.as_secs_f64();
        let level = 1.0 - (self.shape.peak - 1.0) * (share * std::f64::consts::TAU).cos();
        if self.uniform() * self.shape.peak < level {
            let mine = self.shape.engines / self.shape.partitions;
            let chosen = pick(self.uniform(), mine) * self.shape.partitions + partition;
            let now = self.calendar.now;
            if self.uniform() * (1.0 + self.shape.queries) < 1.0 {
                self.outcome.came += 1;
                self.send(chosen, Statement::Submit, 1, Then::Stored(chosen, now));
            } else {
                self.send(chosen, Statement::State, 1, Then::Answered(now));
            }
        }
        self.expect_request(partition);
    }

    fn expect_request(&mut self, partition: usize) {
        let each = self.shape.rate / self.shape.partitions as f64 * (1.0 + self.shape.queries) * self.shape.peak;
        if each > 0.0 {
            let pause = self.exponential(Duration::from_secs_f64(1.0 / each));
            self.calendar.after(pause, Event::Request(partition));
        }
    }

    /// The claimer takes the action that the policy decides.
    fn round(&mut self, engine: usize) {
        let (now, pace) = (self.calendar.now, self.shape.body);
        let Some(one) = self.engine(engine) else { return };
        one.busy = true;
        let load = Load { open: true, held: one.held(), waiting: 0, pace };
        match one.claims.next(now, load) {
            Action::Claim(ask) => {
                let at = engine % self.shape.partitions;
                let jobs = self.partition(at).map(|partition| {
                    let count = ask.limit.min(partition.waiting.len());
                    partition.waiting.drain(..count).collect::<VecDeque<_>>()
                });
                let jobs = jobs.unwrap_or_default();
                let count = jobs.len();
                let statement = if count == 0 { Statement::Ask } else { Statement::Claim };
                self.send(engine, statement, count, Then::Claimed(engine, jobs, ask, now));
            }
            Action::Look if load.held == 0 => self.go_on(Then::Looked(engine, now)),
            Action::Look => self.send(engine, Statement::Look, load.held, Then::Looked(engine, now)),
            Action::Rest(pause) => {
                one.busy = false;
                one.rest += 1;
                let rest = one.rest;
                self.calendar.after(pause, Event::Wake(engine, rest));
            }
        }
    }

    /// A thread of this engine asks for a claim.
    fn ask(&mut self, engine: usize) {
        if let Some(one) = self.engine(engine) {
            one.claims.ask();
        }
        self.wake(engine);
    }

    /// Wakes the claimer if there is something new for it.
    fn wake(&mut self, engine: usize) {
        if self.engine(engine).is_some_and(|one| one.claims.wakes() && !one.busy) {
            self.round(engine);
        }
    }

    /// Free workers begin what is started.
    fn fill(&mut self, engine: usize) {
        let (seats, now) = (self.shape.workers, self.calendar.now);
        let Some(one) = self.engine(engine) else { return };
        let begins = one.started.len().min(seats.saturating_sub(one.running));
        let waits: Vec<f64> =
            one.started.drain(..begins).map(|came| now.saturating_sub(came).as_secs_f64()).collect();
        one.running += begins;
        one.claims.worker_took(one.running == seats, one.started.len());
        self.outcome.start.extend(waits);
        for _ in 0..begins {
            let body = self.exponential(self.shape.body);
            self.calendar.after(body, Event::BodyEnds(engine));
        }
        self.wake(engine);
    }

    /// The ends that wait to be stored go into one statement.
    fn record(&mut self, engine: usize) {
        let Some(one) = self.engine(engine) else { return };
        if one.recording || one.ends == 0 {
            return;
        }
        one.recording = true;
        let ends = std::mem::take(&mut one.ends);
        self.send(engine, Statement::End, usize::try_from(ends).unwrap_or_default(), Then::Ended(engine, ends));
    }

    /// Renews the leases of the engine.
    fn renew(&mut self, engine: usize) {
        self.calendar.after(LEASE / 3, Event::Renew(engine));
        let held = self.engine(engine).map_or(0, |one| one.held());
        if held > 0 {
            self.send(engine, Statement::Renew, held, Then::Nothing);
        }
    }

    /// Sends a notice to the other engines, with a minimum pause between two notices.
    fn tell(&mut self, engine: usize) {
        let now = self.calendar.now;
        let Some(one) = self.engine(engine) else { return };
        one.untold = true;
        if !one.telling {
            one.telling = true;
            let pause = one.next_notice.saturating_sub(now);
            self.calendar.after(pause, Event::Tell(engine));
        }
    }

    /// A notice reaches every other engine of the partition.
    fn deliver(&mut self, from: usize) {
        let (partitions, all) = (self.shape.partitions, self.engines.len());
        let others: Vec<usize> =
            (from % partitions..all).step_by(partitions).filter(|engine| *engine != from).collect();
        let each = self.costs.of(Statement::Notice).server.each;
        for piece in others.chunks(LISTENERS_A_PIECE) {
            self.occupy(from % partitions, each * piece.len() as f64, 1.0, Then::Nothing);
        }
        let now = self.calendar.now;
        for engine in others {
            if let Some(one) = self.engine(engine) {
                one.claims.hear(now);
                if !one.busy {
                    self.round(engine);
                }
            }
        }
    }

    /// A statement about `n` jobs takes a core of the engine's partition.
    fn send(&mut self, engine: usize, statement: Statement, n: usize, then: Then) {
        if let Some(count) = self.outcome.statements.get_mut(statement as usize) {
            *count += 1;
        }
        let (cost, n) = (self.costs.of(statement), n as f64);
        let mut micros = cost.server.at(n) * (1.0 + self.costs.background);
        if self.shape.on_one_machine {
            micros += cost.engine.at(n) + if statement == Statement::Claim { self.costs.engine * n } else { 0.0 };
        }
        self.occupy(engine % self.shape.partitions, micros, cost.tail, then);
    }

    /// Work that takes `micros` on average.
    fn occupy(&mut self, at: usize, micros: f64, tail: f64, then: Then) {
        // The slowest hundredth of a log-normal time begins 2.326 deviations above the median.
        let deviation = tail.max(1.0).ln() / 2.326;
        let spread = LogNormal::new(-deviation * deviation / 2.0, deviation);
        let factor = spread.map_or(1.0, |spread| spread.sample(&mut self.random));
        let service = Duration::from_secs_f64(micros.max(0.0) * factor / 1e6);
        if let Some((service, then)) =
            self.partition(at).and_then(|partition| partition.cores.enter(service, then))
        {
            self.calendar.after(service, Event::Done(at, then));
        }
    }

    fn sync(&mut self, at: usize, then: Then) {
        if let Some(partition) = self.partition(at) {
            partition.unflushed.push(then);
        }
        self.flush(at);
    }

    /// Flushes the log once for all statements that wait for a flush.
    fn flush(&mut self, at: usize) {
        let takes = Duration::from_secs_f64(self.costs.flush / 1e6);
        let Some(partition) = self.partition(at) else { return };
        if partition.flushing || partition.unflushed.is_empty() {
            return;
        }
        partition.flushing = true;
        let done = std::mem::take(&mut partition.unflushed);
        self.flushed += takes;
        self.calendar.after(takes, Event::Flushed(at, done));
    }

    fn partition(&mut self, at: usize) -> Option<&mut Partition> {
        self.partitions.get_mut(at)
    }

    fn engine(&mut self, at: usize) -> Option<&mut Engine> {
        self.engines.get_mut(at)
    }

    fn uniform(&mut self) -> f64 {
        StandardUniform.sample(&mut self.random)
    }

    fn exponential(&mut self, mean: Duration) -> Duration {
        let Ok(times) = Exp::new(1.0 / mean.as_secs_f64()) else { return Duration::ZERO };
        Duration::from_secs_f64(times.sample(&mut self.random))
    }
}

/// Picks one of `count` by a uniform number from 0 to 1.
fn pick(uniform: f64, count: usize) -> usize {
    whole(uniform * count as f64).min(count.saturating_sub(1))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "of small numbers that are not negative"
)]
fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_waiting_job_starts_and_ends_once_and_chance_is_the_seeds_alone() {
        let shape =
            Shape { partitions: 2, engines: 6, waiting: 3_000, time: Duration::from_hours(1), ..Shape::default() };
        let outcome = run(&shape, &Costs::MEASURED);
        assert_eq!((outcome.ended, outcome.start.len()), (3_000, 3_000));
        assert_eq!(outcome, run(&shape, &Costs::MEASURED));
        assert_ne!(outcome, run(&Shape { seed: 1, ..shape }, &Costs::MEASURED));
    }

    #[test]
    fn cores_are_busy_for_as_long_as_the_statements_take() {
        let time = Duration::from_secs(20);
        let shape = Shape {
            engines: 4,
            cores: 4,
            rate: 2_000.0,
            peak: 1.5,
            queries: 2.0,
            removes: true,
            time,
            ..Shape::default()
        };
        let costs = Costs::MEASURED;
        let outcome = run(&shape, &costs);
        let count = |statement: Statement| outcome.statements[statement as usize] as f64;
        let alone = |statement: Statement| count(statement) * costs.of(statement).server.fixed;
        let jobs = outcome.came as f64;
        // A statement about several jobs costs its fixed part once and the rest for each job.
        let each = |statement: Statement| jobs * costs.of(statement).server.each;
        let statements: f64 = Statement::ALL.into_iter().map(alone).sum();
        let jobs: f64 = [Statement::Submit, Statement::Claim, Statement::End].map(each).iter().sum();
        let listeners = count(Statement::Notice) * 3.0 * costs.of(Statement::Notice).server.each;
        let micros = (statements + jobs) * (1.0 + costs.background) + listeners;
        let expected = micros / 1e6 / (4.0 * time.as_secs_f64());
        assert!(
            (outcome.cores / expected - 1.0).abs() < 0.03,
            "busy for {}, by the sum {expected}",
            outcome.cores
        );
        assert!((jobs_a_second(&outcome, time) / 2_000.0 - 1.0).abs() < 0.05);
    }

    fn jobs_a_second(outcome: &Outcome, time: Duration) -> f64 {
        outcome.ended as f64 / time.as_secs_f64()
    }
}
