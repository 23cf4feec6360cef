//! Chance and time of an engine come from where a test says: two runs of one test are the same.

use std::{fmt::Write, sync::Arc, time::Duration};

use job_runner::{Clock, EngineBuilder, JobContext, JobError, JobHandle, JobId, JobSpec, Retention, Timestamp};

use crate::support::{Rig, job, numbers, wire};

/// Fails for the moment as often as its parameters say.
fn flaky(ctx: &mut JobContext) -> Result<(), JobError> {
    let failures: u32 = ctx.spec().parameters().read()?;
    if ctx.attempt() <= failures { Err(JobError::transient("not yet")) } else { Ok(()) }
}

fn setup(builder: EngineBuilder) -> EngineBuilder {
    builder
        .algorithm("flaky", flaky)
        .algorithm("numbers", numbers)
        .algorithm("stuck", |_: &mut JobContext| Err(JobError::failed("never")))
        .accept_any_kind()
        .retention(Retention::default().max_jobs(20))
}

fn flaky_job(n: u32) -> JobSpec {
    let graph = if n.is_multiple_of(3) { "movies" } else { "roads" };
    job("flaky").with_graph(graph).with_parameters(&(n % 4)).unwrap().max_attempts(3)
}

/// All that a host's test can see of one run.
fn told(seed: u64) -> String {
    let mut rig = Rig::new(|builder| setup(builder).seed(seed));
    let mut told = String::new();
    let mut known: Vec<JobId> = Vec::new();
    for round in 0..4u32 {
        let batch = (0..6).map(|n| flaky_job(n + round));
        let deadline = rig.clock.now().after(Duration::from_millis(350));
        let others = [
            job("numbers").with_parameters(&(round * 10)).unwrap().priority(3),
            job("stuck").deadline(deadline),
            job("unknown").deadline(deadline),
        ];
        known.extend(rig.engine.submit_all(batch.chain(others)).unwrap().iter().map(JobHandle::id));
        let stuck = *known.iter().nth_back(1).unwrap();
        rig.engine.cancel(stuck).unwrap();
        for _ in 0..6 {
            writeln!(told, "ran {:?}", rig.engine.driver().run_until_idle()).unwrap();
            rig.engine.driver().tick().unwrap();
            for record in rig.store.list(None, 0, 100).unwrap() {
                writeln!(told, "{record:?} {}", rig.engine.explain(record.id).unwrap()).unwrap();
            }
            let due = rig.engine.driver().next_due();
            writeln!(told, "{:?} {due:?}", rig.engine.stats()).unwrap();
            rig.clock.set(due.unwrap_or_else(|| rig.clock.now().after(Duration::from_secs(1))));
        }
        rig = rig.reopen(|builder| setup(builder).seed(seed + 1_000 + u64::from(round)));
    }
    told
}

#[test]
fn two_runs_with_one_seed_are_the_same_and_two_seeds_are_two_runs() {
    for seed in [0, 7, u64::MAX / 2] {
        let (first, second) = (told(seed), told(seed));
        let differs = first.lines().zip(second.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "two runs with seed {seed}");
        assert_eq!(first.len(), second.len());
        assert!(first.contains("not yet") && first.contains("its deadline passed"));
        assert_ne!(first, told(seed + 1));
    }
}

/// The pause of a retry came from the clock of the machine.
#[test]
fn pauses_are_those_of_the_seed_for_each_job_and_attempt() {
    let pauses = |seed: u64| {
        let rig = Rig::new(|builder| setup(builder).seed(seed));
        let jobs: Vec<_> =
            (0..20).map(|_| rig.submit(job("flaky").with_parameters(&1).unwrap().max_attempts(2))).collect();
        rig.engine.driver().run_until_idle();
        let now = rig.clock.now();
        jobs.iter().map(|job| job.record().not_before.unwrap().since(now)).collect::<Vec<_>>()
    };
    let first = pauses(11);
    assert_eq!(first, pauses(11));
    assert_ne!(first, pauses(12));
    let mut spread = first;
    spread.sort_unstable();
    spread.dedup();
    assert!(spread.len() > 15, "jobs that failed together come back together: {spread:?}");
}

/// The time that is left was estimated by the clock of the machine.
#[test]
fn what_is_left_is_estimated_by_the_clock_of_the_engine() {
    let clock = Arc::new(job_runner::ManualClock::default());
    let own = Arc::clone(&clock);
    let (ready, done) = wire::<()>();
    let (look, looked) = wire::<()>();
    let rig = Rig::new(|builder| {
        builder.clock(Arc::<job_runner::ManualClock>::clone(&clock)).algorithm(
            "slow",
            move |ctx: &mut JobContext| {
                own.advance(Duration::from_secs(10));
                ctx.set_progress(25, 100);
                ready.send(()).unwrap();
                looked.recv().unwrap();
                Ok(())
            },
        )
    });
    let handle = rig.submit(job("slow"));
    std::thread::scope(|scope| {
        scope.spawn(|| rig.engine.driver().run_one());
        done.recv().unwrap();
        assert_eq!(handle.progress().remaining, Some(Duration::from_secs(30)));
        assert_eq!(handle.snapshot().progress.remaining, Some(Duration::from_secs(30)));
        clock.set(Timestamp::default()); // back
        assert_eq!(handle.progress().remaining, Some(Duration::ZERO));
        look.send(()).unwrap();
    });
}
