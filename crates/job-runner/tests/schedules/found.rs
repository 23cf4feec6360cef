//! The simulation finds no fault in the library, and each of the [mistakes](Mistake) that can be put into it.

use std::{env, fmt::Write as _, time::Instant};

use libtest_mimic::{Failed, Trial};

use crate::{
    line::Mistake,
    number,
    simulation::{self, Run},
};

/// The default number of seeds.
const SEEDS: u64 = 200;
/// The number of seeds within which a mistake is found.
#[cfg(feature = "mistakes")]
const AT_MOST: u64 = 2_000;

pub(crate) fn trials() -> Vec<Trial> {
    let trials = vec![
        Trial::test("a_simulation_of_several_engines_breaks_no_promise", holds),
        Trial::test("a_seed_is_one_run", is_repeated),
    ];
    #[cfg(feature = "mistakes")]
    let trials = trials.into_iter().chain(Mistake::ALL.map(|(name, mistake)| {
        Trial::test(format!("the_simulation_finds_the_mistake_{name}"), move || finds(name, mistake))
    }));
    #[cfg(feature = "mistakes")]
    let trials = trials.collect();
    trials
}

/// The mistake that every run has, for a person who wants to see one.
fn asked() -> Result<Option<Mistake>, Failed> {
    let Ok(asked) = env::var("JOB_MISTAKE") else { return Ok(None) };
    let known = Mistake::ALL.iter().find(|(name, _)| *name == asked);
    let found = known.filter(|_| cfg!(feature = "mistakes")).map(|(_, mistake)| Some(*mistake));
    let names = Mistake::ALL.map(|(name, _)| name).join(", ");
    found.ok_or_else(|| format!("JOB_MISTAKE is {asked}: with the feature `mistakes` it is one of {names}").into())
}

fn holds() -> Result<(), Failed> {
    let (mistake, first, seeds) =
        (asked()?, number("JOB_SEED").unwrap_or(0), number("JOB_SEEDS").unwrap_or(SEEDS));
    let (start, mut steps) = (Instant::now(), 0);
    for seed in first..first.saturating_add(seeds) {
        let run = simulation::run(seed, mistake, env::var_os("JOB_STORY").is_some());
        steps += run.steps;
        broken(seed, run)?;
    }
    eprintln!("simulated {seeds} seeds from {first} on, {steps} steps of threads, in {:.1?}", start.elapsed());
    Ok(())
}

/// The error about a run that has broken a promise, with its events.
fn broken(seed: u64, run: Run) -> Result<(), Failed> {
    let Some(violation) = run.violation else { return Ok(()) };
    let mut text = format!("seed {seed}: {violation}\n");
    for event in run.story {
        let _ = writeln!(text, "{event}");
    }
    let _ = write!(text, "again, with all that happens: JOB_SEED={seed} JOB_SEEDS=1 JOB_STORY=1");
    Err(text.into())
}

/// The same seed makes the same run, to the last event, so that a run can be repeated.
fn is_repeated() -> Result<(), Failed> {
    for seed in 0..5 {
        let (once, again) = (simulation::run(seed, None, true), simulation::run(seed, None, true));
        if once != again || once.story.is_empty() {
            return Err(format!("two runs of seed {seed} differ: {once:#?}, {again:#?}").into());
        }
    }
    Ok(())
}

#[cfg(feature = "mistakes")]
fn finds(name: &str, mistake: Mistake) -> Result<(), Failed> {
    let start = Instant::now();
    for seed in 0..AT_MOST {
        if let Some(violation) = simulation::run(seed, Some(mistake), false).violation {
            eprintln!("{name}: found with seed {seed}, in {:.1?}: {violation}", start.elapsed());
            return Ok(());
        }
    }
    Err(format!("{name} was not found in {AT_MOST} seeds").into())
}
