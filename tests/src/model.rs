//! The engine against a plain model, move by move.
//!
//! [`Move`] is an action of a caller, a disk or a clock. [`World`] does it to a real engine and to a model in memory,
//! and compares the two after every move: records, failures, results, pages, lists. The model knows no queue, thread
//! or store; it takes from the engine only which of the jobs that might run did run.

mod expected;
mod world;

use std::{fmt, marker::PhantomData};

use proptest::{
    prelude::*,
    strategy::BoxedStrategy,
    test_runner::{Config, TestError, TestRunner},
};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

pub use self::world::{Backend, InMemory, OnDisk, World};
use crate::script::Script;

/// The possible actions. A number chooses a job, modulo the number of jobs.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names of the fields are the parameters of the engine")]
pub enum Move {
    /// A job is submitted; `fault`: the write fails, or is done but reported as failed.
    Submit { script: Script, how: How, fault: Option<Applied> },
    /// The next job runs.
    Run,
    /// The next job runs while the store fails once, at this write.
    RunWithFault { write: u64, applied: Applied },
    /// The next job runs, and the process dies before this write. Then a new process opens the store.
    RunAndCrash { write: u64 },
    /// A caller asks for the end of a job.
    Cancel { job: usize, fault: Option<Applied> },
    /// A finished job is removed.
    Remove { job: usize },
    /// A finished job is pinned or released.
    Pin { job: usize, keep: bool },
    /// A page of rows is read.
    Page { job: usize, offset: u64, limit: u32 },
    /// A page of jobs is listed.
    List { offset: u64, limit: u32 },
    /// Time passes, and due work is done.
    Pass { millis: u32 },
    /// The clock jumps back.
    JumpBack { millis: u32 },
    /// The engine is closed in order and opened again, with a handler for late jobs or without.
    Reopen { late: bool },
    /// The process dies while nothing runs.
    Crash,
}

/// The fate of a write that was reported as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The write was done.
    Yes,
    /// The write was not done.
    No,
}

/// The options of a submission.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are those of the options")]
pub struct How {
    pub graph: u8,
    pub write: bool,
    pub late: bool,
    pub priority: i8,
    pub key: Option<u8>,
    pub version: Option<u8>,
    pub deadline: Option<u32>,
    pub max_rows: Option<u16>,
    pub keep_rows: bool,
    pub max_attempts: u32,
}

fn how() -> impl Strategy<Value = How> {
    let place = (0u8..2, prop::bool::weighted(0.2), prop::bool::weighted(0.1), -2i8..3);
    let names = (prop::option::weighted(0.3, 0u8..4), prop::option::weighted(0.2, 0u8..2));
    let limits = (
        prop::option::weighted(0.3, 0u32..40_000),
        prop::option::weighted(0.2, 0u16..500),
        any::<bool>(),
        1u32..4,
    );
    (place, names, limits).prop_map(
        |((graph, write, late, priority), (key, version), (deadline, max_rows, keep_rows, max_attempts))| How {
            graph,
            write,
            late,
            priority,
            key,
            version,
            deadline,
            max_rows,
            keep_rows,
            max_attempts,
        },
    )
}

fn applied() -> impl Strategy<Value = Applied> {
    prop_oneof![Just(Applied::Yes), Just(Applied::No)]
}

fn a_move() -> impl Strategy<Value = Move> {
    let job = || any::<usize>();
    prop_oneof![
        30 => (Script::any(400), how(), prop::option::weighted(0.1, applied()))
            .prop_map(|(script, how, fault)| Move::Submit { script, how, fault }),
        30 => Just(Move::Run),
        6 => (0u64..8, applied()).prop_map(|(write, applied)| Move::RunWithFault { write, applied }),
        6 => (0u64..8).prop_map(|write| Move::RunAndCrash { write }),
        6 => (job(), prop::option::weighted(0.2, applied())).prop_map(|(job, fault)| Move::Cancel { job, fault }),
        5 => job().prop_map(|job| Move::Remove { job }),
        3 => (job(), any::<bool>()).prop_map(|(job, keep)| Move::Pin { job, keep }),
        15 => (job(), 0u64..900, prop_oneof![1u32..300, Just(100_000)])
            .prop_map(|(job, offset, limit)| Move::Page { job, offset, limit }),
        3 => (0u64..30, 1u32..20).prop_map(|(offset, limit)| Move::List { offset, limit }),
        8 => (0u32..90_000).prop_map(|millis| Move::Pass { millis }),
        2 => (0u32..30_000).prop_map(|millis| Move::JumpBack { millis }),
        3 => any::<bool>().prop_map(|late| Move::Reopen { late }),
        3 => Just(Move::Crash),
    ]
}

/// Generates moves. Every move is possible at any time, so no state is needed between them.
#[derive(Debug)]
pub struct Moves;

impl ReferenceStateMachine for Moves {
    type State = ();
    type Transition = Move;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions((): &()) -> BoxedStrategy<Move> {
        a_move().boxed()
    }

    fn apply((): (), _: &Move) {}
}

/// The machine under test, over a backend.
#[derive(Debug)]
pub struct Machine<B>(PhantomData<B>);

impl<B: Backend> StateMachineTest for Machine<B> {
    type SystemUnderTest = World<B>;
    type Reference = Moves;

    fn init_test((): &()) -> World<B> {
        World::new()
    }

    fn apply(mut world: World<B>, (): &(), step: Move) -> World<B> {
        world.make(step);
        world.check();
        world
    }

    fn teardown(mut world: World<B>, (): ()) {
        world.finish();
    }
}

/// Walks of the model: how many, how long, from which seed.
#[derive(Debug, Clone, Copy)]
pub struct Walks {
    /// How many walks.
    pub walks: u32,
    /// The approximate number of moves of each.
    pub moves: usize,
    /// The seed of the random choices.
    pub seed: u64,
}

impl Walks {
    /// Makes the walks. Returns the number of moves.
    ///
    /// # Errors
    /// The shortest found walk on which engine and model differ.
    pub fn run<B: Backend>(self) -> Result<u64, Parted> {
        let config = Config {
            cases: self.walks,
            failure_persistence: None,
            max_shrink_iters: 2_000,
            rng_seed: proptest::test_runner::RngSeed::Fixed(self.seed),
            ..Config::default()
        };
        let made = std::cell::Cell::new(0u64);
        let mut runner = TestRunner::new(config.clone());
        let strategy = Moves::sequential_strategy(self.moves / 2..self.moves + self.moves / 2);
        let outcome = runner.run(&strategy, |(state, moves, seen)| {
            made.set(made.get() + moves.len() as u64);
            Machine::<B>::test_sequential(config.clone(), state, moves, seen);
            Ok(())
        });
        match outcome {
            Ok(()) => Ok(made.get()),
            Err(TestError::Fail(reason, ((), moves, _))) => {
                Err(Parted(format!("{reason}\nseed {}; the shortest walk found:\n{moves:#?}", self.seed)))
            }
            Err(TestError::Abort(reason)) => Err(Parted(reason.to_string())),
        }
    }
}

/// The difference between engine and model.
#[derive(Debug)]
pub struct Parted(String);

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Parted {}
