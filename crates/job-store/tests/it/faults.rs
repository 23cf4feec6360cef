//! The store that fails on request: each call of its own, each kind of error, and nothing else.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use job_core::{Event, JobFilter, JobId, JobKind, JobRecord, JobResult, JobSpec, RowList, Timestamp};
use job_store::{
    BlockBuilder, Claim, ClaimId, Durability, ErrorKind, Fault, FaultRule, FaultStore, JobStore, KnownRevision,
    MemoryStore, Operation, Pin, ResultStore, SegmentKey, SharedMemory, SharedStore, StoreError,
};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const LEASE: Duration = Duration::from_mins(10);

fn waiting(n: u8) -> JobRecord {
    let spec = JobSpec::algorithm("a").with_graph("movies").graph_version("7").idempotency_key(n.to_string());
    JobRecord::waiting(JobId::from_parts(NOW, [n; 10]), spec.max_attempts(3), NOW)
}

fn store() -> FaultStore<SharedMemory> {
    FaultStore::new(Arc::new(SharedMemory::new(MemoryStore::default())))
}

/// Makes every call of a store in an order in which each works: the answer to each, until the first that fails.
fn every_call(
    store: &FaultStore<SharedMemory>,
    done: &mut BTreeSet<Operation>,
) -> Result<(), (Operation, StoreError)> {
    let mut made = |operation, answer: Result<(), StoreError>| {
        done.insert(operation);
        answer.map_err(|error| (operation, error))
    };
    let job = waiting(1);
    let kinds = [JobKind::Algorithm("a".to_owned())];
    made(Operation::Insert, store.insert(&[job.clone(), waiting(2)], Durability::Buffered))?;
    made(Operation::Get, store.get(job.id).map(drop))?;
    made(Operation::Entries, store.entries(None, 0, 9).map(drop))?;
    made(Operation::UnfinishedEntries, store.unfinished_entries().map(drop))?;
    made(Operation::FilteredEntries, store.filtered_entries(&JobFilter::default(), None, 9).map(drop))?;
    made(Operation::Count, store.count(&JobFilter::default(), 9).map(drop))?;
    made(Operation::Kept, store.kept().map(drop))?;
    made(Operation::LeastUsed, store.least_used(false, None, 9).map(drop))?;
    made(Operation::FindKey, store.find_key("movies", "1").map(drop))?;
    made(Operation::FindReusable, store.find_reusable(&job.spec).map(drop))?;
    made(Operation::Usage, store.usage(&[job.id]).map(drop))?;
    made(Operation::RecordReads, store.record_reads(&[(job.id, NOW)]))?;
    made(Operation::Pin, store.pin(job.id, Pin::Release))?;
    made(Operation::SizeOnDisk, store.size_on_disk().map(drop))?;
    let claim = Claim { start: Some(NOW), ..Claim::new(&kinds, 1, LEASE) };
    let claimed = store.claim(&claim);
    let running = claimed.as_ref().ok().and_then(|claimed| Some(claimed.first()?.record.clone()));
    made(Operation::Claim, claimed.map(drop))?;
    let running = running.unwrap();
    let claim = ClaimId { job: running.id, token: 0 };
    made(Operation::Renew, store.renew(&[claim], LEASE).map(drop))?;
    made(Operation::Changed, store.changed(&[KnownRevision { id: job.id, revision: 9 }]).map(drop))?;
    let key = SegmentKey { job: running.id, attempt: running.attempt, number: 0 };
    let segment = store.segment(key);
    made(Operation::Segment, segment.as_ref().map(drop).map_err(Clone::clone))?;
    let (mut writer, mut block) = (segment.unwrap(), BlockBuilder::new(key));
    block.push("Sarah").unwrap();
    made(Operation::Append, writer.append(block.seal()))?;
    made(Operation::ShowRows, writer.show_rows())?;
    made(Operation::StartFlush, writer.start_flush().map(drop))?;
    let finished = writer.finish();
    made(Operation::Finish, finished.clone().map(drop))?;
    made(Operation::SaveCheckpoint, store.save_checkpoint(running.id, running.attempt, b"state"))?;
    made(Operation::Checkpoint, store.checkpoint(running.id).map(drop))?;
    made(Operation::SaveFailures, store.save_failures(running.id, running.attempt, &[]))?;
    made(Operation::Failures, store.failures(running.id).map(drop))?;
    let result =
        JobResult { list: Some(RowList::new("vertices", vec![finished.unwrap()])), ..JobResult::default() };
    let end = running.apply(Event::Succeed(result.size()), NOW).unwrap();
    made(Operation::Complete, store.complete(&[(&end, &result)], Durability::Buffered))?;
    made(Operation::Result, store.result(end.id).map(drop))?;
    made(Operation::Read, store.read(key, 0..1, &mut |_| Ok(ControlFlow::Continue(()))))?;
    made(Operation::Blocks, store.blocks(key, &mut |_, _| Ok(ControlFlow::Continue(()))))?;
    made(Operation::Remove, store.remove(end.id).map(drop))?;
    let other = waiting(2);
    made(Operation::Discard, store.discard(other.id, 0))?;
    made(Operation::Holder, store.holder(other.id).map(drop))?;
    made(Operation::Release, store.release(&[claim]))?;
    let cancelled = other.apply(Event::Cancel, NOW).unwrap();
    made(Operation::Replace, store.replace(&cancelled, Durability::Buffered))
}

#[test]
fn every_call_can_be_made_to_fail_alone_with_every_kind_of_error() {
    let kinds = [
        ErrorKind::Unavailable,
        ErrorKind::Full,
        ErrorKind::Corrupt,
        ErrorKind::Conflict,
        ErrorKind::Fenced,
        ErrorKind::NotFound,
        ErrorKind::Invalid,
    ];
    let mut made = BTreeSet::new();
    assert_eq!(every_call(&store(), &mut made), Ok(()));
    assert!(made.iter().eq(Operation::ALL), "calls that no rule is about, or that this test does not make");
    for (&operation, kind) in Operation::ALL.iter().zip(kinds.into_iter().cycle()) {
        for after in [false, true] {
            let store = store();
            let rule = FaultRule::on(operation).nth(0);
            store.add(if after { rule.fail_after(kind) } else { rule.fail(kind) });
            let (failed, error) = every_call(&store, &mut BTreeSet::new()).unwrap_err();
            assert_eq!((failed, error.kind), (operation, kind), "{error}");
            let text = error.to_string();
            assert!(text.starts_with("could not ") && text.contains("injected by a test"), "{text}");
            assert!(text.contains(&format!("`{}`", operation.as_str())), "{text}");
        }
    }
}

#[test]
fn rules_are_about_what_they_name() {
    for operation in Operation::ALL {
        let fails = |rule: FaultRule| {
            let store = store();
            store.add(rule.fail(ErrorKind::Full));
            every_call(&store, &mut BTreeSet::new()).unwrap_err().0
        };
        assert_eq!(fails(FaultRule::on(*operation)), *operation);
        let own = *operation;
        assert_eq!(fails(FaultRule::all().when(move |call| call.operation == own)), *operation);
        let of_its_kind = if operation.is_write() { FaultRule::writes() } else { FaultRule::reads() };
        assert_eq!(fails(of_its_kind.when(move |call| call.operation == own)), *operation);
    }
    let store = store();
    store.add(FaultRule::reads().fail(ErrorKind::Unavailable));
    assert!(store.insert(&[waiting(1)], Durability::Buffered).is_ok() && store.get(waiting(1).id).is_err());
    store.clear();
    store.add(FaultRule::writes().fail(ErrorKind::Unavailable));
    assert!(store.pin(waiting(1).id, Pin::Keep).is_err() && store.get(waiting(1).id).is_ok());
}

#[test]
fn a_call_that_fails_afterwards_is_made_and_one_that_fails_is_not() {
    for (rule, stored) in [
        (FaultRule::on(Operation::Insert).fail(ErrorKind::Full), false),
        (FaultRule::on(Operation::Insert).fail_after(ErrorKind::Full), true),
    ] {
        let store = store();
        store.add(rule);
        let error = store.insert(&[waiting(1)], Durability::Buffered).unwrap_err();
        assert_eq!((error.kind, error.job), (ErrorKind::Full, Some(waiting(1).id)));
        assert_eq!(store.get(waiting(1).id).unwrap().is_some(), stored);
    }
}

#[test]
fn a_rule_counts_from_when_it_was_added_and_says_which_call_of_which_job() {
    let store = store();
    let seen = Arc::new(AtomicU64::new(0));
    let own = Arc::clone(&seen);
    store.insert(&[waiting(1)], Durability::Buffered).unwrap();
    store.add(FaultRule::on(Operation::Get).nth(2).fail(ErrorKind::Unavailable));
    store.add(FaultRule::on(Operation::Get).when(|call| call.job == Some(waiting(1).id) && call.number < 2).call(
        move || {
            own.fetch_add(1, Ordering::SeqCst);
        },
    ));
    let failed: Vec<bool> = [1, 2, 1, 1].into_iter().map(|n| store.get(waiting(n).id).is_err()).collect();
    assert_eq!(failed, [false, false, true, false]);
    // Once: the second was of another job, the third failed before, and the fourth is not among the first two.
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    store.clear();
    assert!((0..5).all(|_| store.get(waiting(1).id).is_ok()));
}

#[test]
fn rules_and_a_plan_go_together() {
    let store = store();
    store.add(FaultRule::on(Operation::Pin).fail(ErrorKind::NotFound));
    store.plan(Fault::Write(0));
    // It does not get as far as to be a write.
    assert_eq!(store.pin(waiting(1).id, Pin::Keep).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(store.writes(), 0);
    assert_eq!(store.insert(&[], Durability::Buffered).unwrap_err().kind, ErrorKind::Unavailable);
    store.plan(Fault::Never);
    assert_eq!(store.pin(waiting(1).id, Pin::Keep).unwrap_err().kind, ErrorKind::NotFound);
    store.clear();
    store.plan(Fault::Cut);
    assert_eq!(store.get(waiting(1).id).unwrap_err().kind, ErrorKind::Unavailable);
}

#[test]
fn a_call_waits_as_long_as_a_rule_says_and_code_of_a_rule_may_call_the_store() {
    let store = store();
    store.insert(&[waiting(1)], Durability::Buffered).unwrap();
    let own = store.clone();
    let rule = FaultRule::on(Operation::Get).delay(Duration::from_millis(20)).call(move || {
        own.clear();
        own.add(FaultRule::on(Operation::Get).fail(ErrorKind::Corrupt));
        assert!(own.get(waiting(1).id).is_err());
    });
    store.add(rule);
    let began = Instant::now();
    assert!(store.get(waiting(1).id).unwrap().is_some(), "its own rule only waits");
    assert!(began.elapsed() >= Duration::from_millis(20));
    assert_eq!(store.get(waiting(1).id).unwrap_err().kind, ErrorKind::Corrupt);
}
