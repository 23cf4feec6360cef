//! A test of a host ends an engine in the middle of its work, as the death of its process would.

use std::{sync::Arc, thread, time::Duration};

use job_runner::{
    Crash, Engine, EngineError, FailureKind, JobContext, JobError, JobId, JobRecord, JobState, Outcome,
    store::{ErrorKind, FaultRule, FaultStore, JobStore, MemoryStore, Operation, Store},
};

use crate::{
    cluster::{Group, work},
    support::{Rig, count, job, nothing, numbers, page, rows, until_told, wire},
};

const SUCCEEDED: JobState = JobState::Complete(Outcome::Succeeded);

/// The stores that go on without the engine.
pub(crate) fn stores() -> Vec<(&'static str, Arc<dyn Store>, Option<tempfile::TempDir>)> {
    #[allow(unused_mut, reason = "without a feature there is one alone")]
    let mut stores: Vec<(_, Arc<dyn Store>, _)> = vec![("memory", Arc::new(MemoryStore::default()), None)];
    #[cfg(feature = "rocksdb")]
    {
        let directory = tempfile::tempdir().unwrap();
        let store =
            job_runner::store::RocksStore::open(directory.path(), job_runner::store::RocksOptions::default());
        stores.push(("rocksdb", Arc::new(store.unwrap()), Some(directory)));
    }
    #[cfg(feature = "redb")]
    {
        let directory = tempfile::tempdir().unwrap();
        let store = job_runner::store::RedbStore::open(directory.path().join("jobs.redb"));
        stores.push(("redb", Arc::new(store.unwrap()), Some(directory)));
    }
    stores
}

/// Counts to 40 in steps, with a saved state after each tenth; dies at `at` in the first attempt.
fn steps(crash: &Crash, at: u64) -> impl Fn(&mut JobContext) -> Result<(), JobError> + use<> {
    let crash = crash.clone();
    move |ctx| {
        let saved = ctx.load_checkpoint()?;
        let first = saved.map_or(0, |saved| u64::from_be_bytes(saved.try_into().unwrap()));
        let mut numbers = ctx.rows("numbers")?;
        for n in first..40 {
            ctx.check_stopped()?;
            if ctx.attempt() == 1 && n == at {
                crash.now();
            }
            (0..2_000).try_for_each(|_| numbers.push(&n))?;
            if n % 10 == 9 && n < 39 {
                ctx.save_checkpoint(&(n + 1).to_be_bytes())?;
            }
        }
        drop(numbers);
        Ok(ctx.set_output("first", &first)?)
    }
}

#[test]
fn a_crash_in_the_middle_of_a_handler_leaves_what_was_stored_and_the_job_goes_on_from_there() {
    for (name, store, _directory) in stores() {
        for (at, from) in [(0, 0), (9, 0), (10, 10), (25, 20), (39, 30)] {
            let crash = Crash::default();
            let setup = |builder: job_runner::EngineBuilder| {
                builder.algorithm("steps", steps(&crash, at)).algorithm("nothing", nothing).crash(&crash)
            };
            let rig = Rig::on(Arc::clone(&store), setup);
            let handle = rig.submit(job("steps").max_attempts(2));
            let next = rig.submit(job("nothing").priority(-1));
            assert_eq!(rig.engine.driver().run_one(), Some(handle.id()));
            // Not a word more reaches the store.
            let died = rig.stored(handle.id());
            assert_eq!((died.state, died.attempt), (JobState::Running { cancelling: false }, 1), "{name} at {at}");
            assert_eq!(rig.engine.driver().run_one(), None);
            assert_eq!(handle.wait(), Err(EngineError::LeftUnfinished(handle.id())));
            assert!(rig.engine.submit(job("steps")).is_err() && next.cancel().is_err());
            rig.engine.shutdown(Duration::ZERO);
            assert_eq!(rig.stored(handle.id()), died);
            assert_eq!(rig.stored(next.id()).state, JobState::Waiting);

            let rig = rig.reopen(setup);
            assert_eq!(rig.stored(handle.id()).failure.unwrap().kind, FailureKind::Interrupted);
            assert_eq!(rig.engine.driver().run_until_idle()[0], handle.id());
            let record = rig.stored(handle.id());
            assert_eq!((record.state, record.attempt, record.size.rows), (SUCCEEDED, 2, (40 - from) * 2_000));
            let again = rig.engine.job(handle.id()).unwrap().unwrap();
            assert_eq!(rows(&again, 0, 1), [from], "{name} at {at}");
            assert!(rig.engine.remove(handle.id()).unwrap());
        }
    }
}

/// One run of a job whose process dies at this write, before it or after it, and the run of the next process. Whether
/// there was such a write.
fn dies(write: u64, after: bool) -> bool {
    let crash = Crash::default();
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let store = FaultStore::new(Arc::clone(&memory));
    let setup = |builder: job_runner::EngineBuilder| {
        builder.algorithm("steps", steps(&Crash::default(), u64::MAX)).crash(&crash)
    };
    let rig = Rig::on(Arc::new(store.clone()), setup);
    let handle = rig.submit(job("steps").max_attempts(2));
    let own = crash.clone();
    let rule = FaultRule::writes().nth(write).call(move || own.now());
    let kind = ErrorKind::Unavailable;
    store.add(if after { rule.fail_after(kind) } else { rule.fail(kind) });
    rig.engine.driver().run_one();
    let survived = handle.record().state.is_complete();
    let died = rig.stored(handle.id());
    assert!(survived || after || !died.state.is_complete(), "write {write}: {died:?}");
    drop(rig);

    let rig = Rig::on(memory, setup);
    rig.engine.driver().run_until_idle();
    let record = rig.stored(handle.id());
    assert_eq!(record.state, SUCCEEDED, "write {write}, after it {after}: {died:?}");
    let job = rig.engine.job(handle.id()).unwrap().unwrap();
    assert_eq!(rows(&job, 0, 1), [40 - record.size.rows / 2_000], "rows of one attempt alone");
    assert_eq!(rows(&job, record.size.rows - 1, 2), [39]);
    !survived
}

/// As a test of a host does it.
#[test]
fn whichever_write_is_the_last_the_job_comes_to_the_same_end() {
    for after in [false, true] {
        let deaths = (0..1_000).take_while(|&write| dies(write, after)).count();
        assert!((8..1_000).contains(&deaths), "{deaths} deaths");
    }
}

#[test]
fn a_crash_gives_no_claim_back() {
    let group = Group::new();
    let crash = Crash::default();
    let body = {
        let crash = crash.clone();
        move |ctx: &mut JobContext| {
            numbers(ctx)?;
            crash.now();
            Ok(())
        }
    };
    let dead = group.engine(|builder| builder.algorithm("numbers", body).crash(&crash));
    let handle = dead.submit(count(3).max_attempts(2)).unwrap();
    dead.driver().tick().unwrap();
    dead.driver().run_one();
    drop(dead);
    let other = group.engine(|builder| builder.algorithm("numbers", numbers));
    assert_eq!(work(&other), 0, "the dead engine has it until its lease is over");
    assert_eq!(group.stored(handle.id()).state, JobState::Running { cancelling: false });
    group.clock.advance(Duration::from_mins(10));
    assert_eq!(work(&other), 1);
    let record = group.stored(handle.id());
    assert_eq!((record.state, record.attempt, record.size.rows), (SUCCEEDED, 2, 3));
}

/// Of an engine with threads: the body may be on any of them, and goes on without knowing.
#[test]
fn an_engine_with_workers_dies_in_the_middle_of_all_it_does() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let crash = Crash::default();
    let (inside, entered) = wire();
    let open = |busy: bool| {
        let inside = inside.clone();
        let body = move |ctx: &mut JobContext| if busy { until_told(ctx, &inside) } else { nothing(ctx) };
        Engine::builder(Arc::clone(&store)).algorithm("a", body).workers(2).crash(&crash).open().unwrap()
    };
    let engine = open(true);
    let jobs: Vec<_> = (0..4).map(|_| engine.submit(job("a").max_attempts(9)).unwrap()).collect();
    (0..2).for_each(|_| entered.recv().unwrap());
    crash.now();
    for job in &jobs {
        assert_eq!(job.wait(), Err(EngineError::LeftUnfinished(job.id())));
    }
    let states = |id: JobId| store.get(id).unwrap().unwrap();
    let died: Vec<JobRecord> = jobs.iter().map(|job| states(job.id())).collect();
    assert_eq!(died.iter().filter(|record| matches!(record.state, JobState::Running { .. })).count(), 2);
    // The next engine lives: it was opened after the crash.
    let next = open(false);
    drop(engine);
    for job in &jobs {
        let record = next.job(job.id()).unwrap().unwrap().wait().unwrap();
        assert_eq!(record.state, SUCCEEDED);
    }
}

#[test]
fn one_crash_takes_all_engines_of_the_process_and_none_of_a_later_one() {
    let crash = Crash::default();
    let rigs: Vec<Rig> =
        (0..3).map(|_| Rig::new(|builder| builder.algorithm("numbers", numbers).crash(&crash))).collect();
    let jobs: Vec<_> = rigs.iter().map(|rig| rig.submit(count(2))).collect();
    crash.now();
    crash.now(); // no engine is left
    for (rig, job) in rigs.into_iter().zip(jobs) {
        assert_eq!(job.wait(), Err(EngineError::LeftUnfinished(job.id())));
        let rig = rig.reopen(|builder| builder.algorithm("numbers", numbers).crash(&crash));
        assert_eq!(rig.engine.driver().run_until_idle(), [job.id()]);
        assert_eq!(rig.stored(job.id()).state, SUCCEEDED);
    }
}

/// The kinds of error that a host can make its store give at the end of a job.
#[test]
fn an_end_that_meets_any_error_is_tried_again_or_told() {
    let ended = |kind, made: bool| {
        let store = FaultStore::new(Arc::new(MemoryStore::default()));
        let rule = FaultRule::on(Operation::Complete).nth(0);
        store.add(if made { rule.fail_after(kind) } else { rule.fail(kind) });
        let engine =
            Engine::builder(Arc::new(store.clone())).algorithm("numbers", numbers).workers(1).open().unwrap();
        let job = engine.submit(count(3)).unwrap();
        let end = job.wait();
        let stored = store.get(job.id()).unwrap().unwrap();
        (end, stored)
    };
    for kind in [ErrorKind::Unavailable, ErrorKind::Full] {
        for made in [false, true] {
            let (end, stored) = ended(kind, made);
            assert_eq!(
                (end.unwrap().state, stored.state, stored.size.rows),
                (SUCCEEDED, SUCCEEDED, 3),
                "{kind:?}"
            );
        }
    }
    for kind in [ErrorKind::Conflict, ErrorKind::Corrupt, ErrorKind::Fenced] {
        let (end, stored) = ended(kind, false);
        match end {
            // Tried alone, it was stored after all.
            Ok(record) => assert_eq!((record.state, stored.state), (SUCCEEDED, SUCCEEDED), "{kind:?}"),
            Err(EngineError::Store(error)) => assert_eq!((error.kind, error.job), (kind, Some(stored.id))),
            Err(error) => panic!("{kind:?}: {error}"),
        }
    }
}

/// A record that cannot be read is told to whom asks, and holds up no other.
#[test]
fn reads_that_fail_are_told_and_lose_nothing() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Corrupt, ErrorKind::Full] {
        let store = FaultStore::new(Arc::new(MemoryStore::default()));
        let rig = Rig::on(Arc::new(store.clone()), |builder| builder.algorithm("numbers", numbers));
        let handle = rig.submit(count(3));
        rig.engine.driver().run_until_idle();
        store.add(FaultRule::reads().fail(kind));
        let told = |error: EngineError| matches!(error, EngineError::Store(error) if error.kind == kind);
        assert!(told(rig.engine.job(handle.id()).unwrap_err()));
        assert!(told(handle.page(page(0, 1)).unwrap_err()) && told(handle.status(page(0, 1)).unwrap_err()));
        store.clear();
        assert_eq!(rows(&handle, 0, 10), [0, 1, 2]);
    }
}

/// A slow store is no error, and a thread that waits for it holds up no other caller.
#[test]
fn a_late_answer_of_the_store_holds_up_its_caller_alone() {
    let store = FaultStore::new(Arc::new(MemoryStore::default()));
    let (tell, told) = wire();
    let (go, gone) = wire::<()>();
    let rig = Rig::on(Arc::new(store.clone()), |builder| builder.algorithm("numbers", numbers));
    let [first, second] = [3, 4].map(|n| rig.submit(count(n)));
    store.add(FaultRule::on(Operation::Complete).nth(0).call(move || {
        tell.send(()).unwrap();
        gone.recv().unwrap();
    }));
    thread::scope(|scope| {
        let runs = scope.spawn(|| rig.engine.driver().run_one());
        told.recv().unwrap();
        assert_eq!(first.record().state, JobState::Running { cancelling: false });
        assert_eq!(rig.submit(count(5)).record().state, JobState::Waiting);
        assert_eq!(second.cancel().unwrap().state, JobState::Complete(Outcome::Cancelled));
        go.send(()).unwrap();
        assert_eq!(runs.join().unwrap(), Some(first.id()));
    });
    assert_eq!(first.record().state, SUCCEEDED);
}
