//! A database that was restored from a dump, beside a place of objects that is newer.

use std::{collections::BTreeSet, fs, ops::ControlFlow, path::Path, time::Duration};

use job_core::{Event, JobRecord, JobResult, JobState, RowList, Timestamp};
use job_store::{
    BlockBuilder, Claim, ClaimId, Claimed, Durability, ErrorKind, JobStore, ObjectOptions, PostgresOptions,
    PostgresStore, ResultStore, SegmentKey, SharedStore, Store, verify,
};
use test_servers::Postgres;

use crate::postgres::{filters, job};

const LONG: Duration = Duration::from_hours(1);

fn open(url: &str, place: &Path) -> PostgresStore {
    let objects = ObjectOptions::at(format!("file://{}", place.display())).small_segment(100).object_bytes(300);
    PostgresStore::open(url, PostgresOptions::default().objects(objects)).unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_micros(5)
}

fn started(store: &PostgresStore, lease: Duration) -> Vec<Claimed> {
    store.claim(&Claim { start: Some(now()), lease, ..filters(9) }).unwrap()
}

/// Ends a running job with a few objects of rows, each of which says so.
fn end(store: &PostgresStore, running: &JobRecord, word: &str) -> JobRecord {
    let key = SegmentKey { job: running.id, attempt: running.attempt, number: 0 };
    let (mut writer, mut block) = (store.segment(key).unwrap(), BlockBuilder::new(key));
    for row in 0..100 {
        block.push(&format!("{word} {row}")).unwrap();
        if row % 10 == 9 {
            writer.append(block.seal()).unwrap();
        }
    }
    let list = RowList::new("n", vec![writer.finish().unwrap()]);
    let result = JobResult { list: Some(list), ..JobResult::default() };
    let done = running.apply(Event::Succeed(result.size()), now()).unwrap();
    store.complete(&[(&done, &result)], Durability::Synced).unwrap();
    done
}

/// The first words of all rows of a job.
fn words(store: &PostgresStore, done: &JobRecord) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let key = SegmentKey { job: done.id, attempt: done.attempt, number: 0 };
    store
        .read(key, 0..done.size.rows, &mut |run| {
            let run = run.unpack()?;
            let rows = run.iter().map(|row| serde_json::from_slice::<String>(row).unwrap());
            words.extend(rows.map(|row| row.split(' ').next().unwrap().to_owned()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    words
}

/// The jobs that have objects.
fn with_objects(place: &Path) -> BTreeSet<String> {
    fn any(path: &Path) -> bool {
        path.is_file() || fs::read_dir(path).unwrap().any(|entry| any(&entry.unwrap().path()))
    }
    let files = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let jobs = files(place).into_iter().filter(|path| any(path));
    jobs.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_restored_database_goes_on_from_its_dump_whatever_came_after_it() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let old = open(&server.url(), place);
    old.insert(&[job(1)], Durability::Synced).unwrap();
    let done = end(&old, &started(&old, LONG)[0].record, "before");
    // One whose engine has died, one whose engine works on, and one that waits.
    old.insert(&[job(2)], Durability::Synced).unwrap();
    let lost = started(&old, Duration::ZERO);
    old.insert(&[job(3)], Durability::Synced).unwrap();
    let leased = old.claim(&Claim { start: Some(now()), lease: LONG, lost: false, ..filters(1) }).unwrap();
    old.insert(&[job(4)], Durability::Synced).unwrap();
    let dump = server.dump().unwrap();

    // After it: the one that waits has run, and others have come, run and gone.
    let claim = Claim { start: Some(now()), lease: LONG, lost: false, ..filters(1) };
    let run = old.claim(&claim).unwrap();
    assert_eq!(run[0].record.id, job(4).id);
    end(&old, &run[0].record, "after");
    old.insert(&[job(5)], Durability::Synced).unwrap();
    let newer = end(&old, &old.claim(&claim).unwrap()[0].record, "after");
    old.insert(&[job(6)], Durability::Synced).unwrap();
    drop(old);

    let url = server.database("restored").unwrap();
    server.restore(&url, &dump).unwrap();
    let store = open(&url, place);
    assert_eq!(words(&store, &done), ["before".to_owned()].into());
    verify(&store, &mut |finding| panic!("{finding}")).unwrap();
    let ids = |records: Vec<JobRecord>| records.into_iter().map(|record| record.id).collect::<Vec<_>>();
    assert_eq!(ids(store.list(None, 0, 9).unwrap()), [4, 3, 2, 1].map(|n| job(n).id));
    // The lease that ended before is claimed again; the other one holds until its end, which is by the clock.
    let claimed = started(&store, LONG);
    let found: Vec<_> = claimed.iter().map(|claimed| (claimed.record.id, claimed.lost)).collect();
    assert_eq!(found, [(lost[0].record.id, true), (job(4).id, false)]);
    assert_eq!(store.get(leased[0].record.id).unwrap().unwrap().state, JobState::Running { cancelling: false });
    let leased = &leased[0].record;
    server
        .sql_at(&url, &format!("UPDATE job_engine.queue SET until = now() WHERE job = '{}'", leased.id))
        .unwrap();
    let taken = started(&store, LONG);
    assert_eq!((taken[0].record.id, taken[0].lost), (leased.id, true));

    // The same attempt once more: its rows are its own, and those of the first time go.
    let again = end(&store, &claimed[1].record, "again");
    assert_eq!(words(&store, &again), ["again".to_owned()].into());
    store.collect_objects().unwrap();
    assert_eq!(words(&store, &again), ["again".to_owned()].into());
    let name = |record: &JobRecord| record.id.to_string();
    assert_eq!(
        with_objects(place),
        [name(&done), name(&again), name(&newer)].into(),
        "of the newer job nothing is known"
    );
    // A running attempt that has put objects keeps them.
    let key = SegmentKey { job: taken[0].record.id, attempt: taken[0].record.attempt, number: 0 };
    let (mut writer, mut block) = (store.segment(key).unwrap(), BlockBuilder::new(key));
    for row in 0..100 {
        block.push(&format!("running {row}")).unwrap();
        if row % 10 == 9 {
            writer.append(block.seal()).unwrap();
        }
    }
    fs::write(place.join("a file of others"), "x").unwrap();
    assert!(store.collect_unknown_objects().unwrap() > 0);
    assert_eq!(store.collect_unknown_objects().unwrap(), 0);
    assert!(place.join("a file of others").exists());
    let kept = [name(&done), name(&again), key.job.to_string(), "a file of others".to_owned()];
    assert_eq!(with_objects(place), kept.into());
    writer.finish().unwrap();
    verify(&store, &mut |finding| panic!("{finding}")).unwrap();
    for done in [&done, &again] {
        assert_eq!(words(&store, done).len(), 1);
    }
}

/// The engine of before the restore comes back to the database that was restored.
#[test]
fn an_engine_from_before_the_restore_writes_nothing_into_a_job_that_it_no_longer_has() {
    let Some(server) = Postgres::start().unwrap() else { return };
    let old = PostgresStore::open(&server.url(), PostgresOptions::default()).unwrap();
    old.insert(&[job(1)], Durability::Synced).unwrap();
    let dump = server.dump().unwrap();
    let running = started(&old, LONG)[0].record.clone();
    server.sql("DROP SCHEMA job_engine CASCADE").unwrap();
    server.restore(&server.url(), &dump).unwrap();
    let key = SegmentKey { job: running.id, attempt: running.attempt, number: 0 };
    let refused = old.segment(key).and_then(|mut writer| {
        let mut block = BlockBuilder::new(key);
        block.push(&1).unwrap();
        writer.append(block.seal())
    });
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Fenced);
    assert_eq!(old.renew(&[ClaimId { job: running.id, token: 0 }], LONG).unwrap(), []);
    let new = PostgresStore::open(&server.url(), PostgresOptions::default()).unwrap();
    assert_eq!(new.get(running.id).unwrap(), Some(job(1)));
    assert_eq!(started(&new, LONG)[0].record.attempt, 1);
}
