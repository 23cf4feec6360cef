//! Laws about finding jobs by their request, and about pins.

use std::{sync::Arc, thread};

use job_core::{Event, Failure, FailureKind, JobResult, JobSpec};

use super::{Broken, Fixture, UsageOfOne, at, finish, succeeded, versioned, waiting};
use crate::{Durability, ErrorKind, Pin, Store, Usage};

law! { Fixture;
    /// An idempotency key leads to the job in every state, on its graph only, until the job is removed.
    [FindKey, RemoveWhole]
    fn an_idempotency_key_finds_its_job_until_that_is_removed(store) {
        let job = versioned(1, "v1");
        assert_eq!(store.find_key("图", "key 1")?, None);
        store.insert(&[job.clone(), waiting(2)], Durability::Buffered)?;
        assert_eq!(store.find_key("图", "key 1")?, Some(job.id));
        assert_eq!((store.find_key("other", "key 1")?, store.find_key("图", "key 2")?), (None, None));
        store.replace(&job.apply(Event::Cancel, at(3))?, Durability::Buffered)?;
        assert_eq!(store.find_key("图", "key 1")?, Some(job.id));
        assert!(store.remove(job.id)?);
        assert_eq!(store.find_key("图", "key 1")?, None);
        let mut again = waiting(3);
        again.spec = job.spec;
        store.insert(std::slice::from_ref(&again), Durability::Buffered)?;
        assert_eq!(store.find_key("图", "key 1")?, Some(again.id));
    }

    /// A second submission under a freed key is a new job. The end or the removal of the first job does not take
    /// the key from the new one.
    [KeyFreed, FindKey]
    fn a_job_that_failed_or_was_cancelled_gives_its_idempotency_key_free(store) {
        let with_key = |n| {
            let mut job = waiting(n);
            job.spec = Arc::new(JobSpec::clone(&job.spec).idempotency_key("key"));
            job
        };
        let insert = |n: u64| store.insert(&[with_key(n)], Durability::Buffered);
        insert(1)?;
        assert_eq!(insert(2).map_err(|error| error.job), Err(Some(waiting(1).id)));
        let cancelled = with_key(1).apply(Event::Cancel, at(5))?;
        store.replace(&cancelled, Durability::Buffered)?;
        assert_eq!(store.find_key("图", "key")?, Some(waiting(1).id));
        insert(2)?;
        assert_eq!(store.find_key("图", "key")?, Some(waiting(2).id));
        assert_eq!(insert(3).map_err(|error| error.job), Err(Some(waiting(2).id)));
        assert!(store.remove(waiting(1).id)?);
        assert_eq!(store.find_key("图", "key")?, Some(waiting(2).id));
        let failure = Failure::new(FailureKind::Handler, "no");
        store.replace(&with_key(2).apply(Event::Expire(failure), at(6))?, Durability::Buffered)?;
        insert(3)?;
        let running = with_key(3).apply(Event::Start, at(7))?;
        store.replace(&running, Durability::Buffered)?;
        assert_eq!(insert(4).map_err(|error| error.job), Err(Some(waiting(3).id)));
        let result = JobResult::default();
        let done = running.apply(Event::Succeed(result.size()), at(8))?;
        store.complete(&[(&done, &result)], Durability::Buffered)?;
        assert_eq!(insert(4).map_err(|error| error.job), Err(Some(waiting(3).id)), "it has succeeded");
        assert!(store.remove(waiting(3).id)?);
        insert(4)?;
    }

    /// The refusal names the job that has the key, and nothing of the batch is stored.
    [KeyTaken, InsertWhole]
    fn an_idempotency_key_is_taken_once_on_a_graph(store) {
        let job = versioned(1, "v1");
        store.insert(std::slice::from_ref(&job), Durability::Buffered)?;
        let [mut same, mut elsewhere] = [waiting(2), waiting(3)];
        same.spec = job.spec.clone();
        elsewhere.spec = Arc::new(JobSpec::clone(&job.spec).with_graph("elsewhere"));
        let refused = store.insert(&[waiting(4), same.clone()], Durability::Buffered).unwrap_err();
        assert_eq!((refused.kind, refused.job), (ErrorKind::AlreadyExists, Some(job.id)));
        assert!(refused.detail.contains("key 1"), "{refused}");
        assert_eq!((store.get(same.id)?, store.get(waiting(4).id)?), (None, None));
        store.insert(std::slice::from_ref(&elsewhere), Durability::Buffered)?;

        let mut twin = waiting(6);
        twin.spec = versioned(5, "v1").spec;
        let twice = store.insert(&[versioned(5, "v1"), twin], Durability::Buffered).unwrap_err();
        assert_eq!((twice.kind, twice.job), (ErrorKind::AlreadyExists, Some(waiting(5).id)));
        assert_eq!((store.get(waiting(5).id)?, store.find_key("图", "key 5")?), (None, None));
    }

    /// A client that asks twice at the same moment gets one job.
    [KeyTaken, Threads]
    fn of_racing_inserts_under_one_key_one_wins(store) {
        for round in 0..20 {
            let jobs: Vec<_> = (0..4)
                .map(|n| {
                    let mut job = waiting(round * 10 + n + 1);
                    job.spec = Arc::new(JobSpec::clone(&job.spec).idempotency_key(format!("round {round}")));
                    job
                })
                .collect();
            let outcomes: Vec<_> = thread::scope(|scope| {
                let racers: Vec<_> = jobs
                    .iter()
                    .map(|job| scope.spawn(move || store.insert(std::slice::from_ref(job), Durability::Buffered)))
                    .collect();
                racers.into_iter().map(|racer| racer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
            });
            let winner = store.find_key("图", &format!("round {round}"))?;
            for (job, outcome) in jobs.iter().zip(outcomes) {
                match outcome {
                    Ok(()) => assert_eq!(winner, Some(job.id)),
                    Err(refused) => assert_eq!((refused.kind, refused.job), (ErrorKind::AlreadyExists, winner)),
                }
            }
        }
    }

    /// Work is the same if kind, graph, parameters and version are equal. Options do not count. Only the job that
    /// succeeded last is found.
    [FindReusable]
    fn finished_work_is_found_by_what_was_asked(store) {
        let job = versioned(1, "v1");
        store.insert(std::slice::from_ref(&job), Durability::Buffered)?;
        assert_eq!(store.find_reusable(&job.spec)?, None);
        store.replace(&job.apply(Event::Cancel, at(3))?, Durability::Buffered)?;
        assert_eq!(store.find_reusable(&job.spec)?, None);

        let done = finish(store, &versioned(2, "v1"))?;
        assert_eq!(store.find_reusable(&job.spec)?, Some(done.id));
        assert_eq!(store.find_reusable(&JobSpec::clone(&waiting(1).spec).graph_version("v1").priority(3))?, Some(done.id));
        assert_eq!(store.find_reusable(&waiting(1).spec)?, None);
        assert_eq!(store.find_reusable(&versioned(1, "v2").spec)?, None);
        assert_eq!(store.find_reusable(&JobSpec::clone(&job.spec).with_graph("other"))?, None);
        assert_eq!(store.find_reusable(&JobSpec::clone(&job.spec).with_parameters(&[1])?)?, None);

        let newest = finish(store, &versioned(3, "v1"))?;
        assert_eq!(store.find_reusable(&job.spec)?, Some(newest.id));
    }

    /// Removing an older job does not hide the newest; removing that one does.
    [FindReusable, RemoveWhole]
    fn finished_work_is_forgotten_with_its_job(store) {
        let [older, newest] = [finish(store, &versioned(1, "v1"))?, finish(store, &versioned(2, "v1"))?];
        assert!(store.remove(older.id)?);
        assert_eq!(store.find_reusable(&older.spec)?, Some(newest.id));
        assert!(store.remove(newest.id)?);
        assert_eq!(store.find_reusable(&older.spec)?, None);
    }

    /// The latest note of a reading counts. The store ignores notes about unknown jobs, and removes a note with
    /// its job.
    [RecordReads, RemoveWhole]
    fn what_was_read_is_noted_of_known_jobs_only(store) {
        let [one, two] = [succeeded(store, 1, 5)?, succeeded(store, 2, 5)?];
        assert_eq!(store.last_read(one.id)?, None);
        store.record_reads(&[(one.id, at(10)), (waiting(9).id, at(11)), (one.id, at(12)), (two.id, at(13))])?;
        store.record_reads(&[])?;
        assert_eq!((store.last_read(one.id)?, store.last_read(two.id)?), (Some(at(12)), Some(at(13))));
        assert_eq!((store.last_read(waiting(9).id)?, store.get(waiting(9).id)?), (None, None));
        assert!(store.remove(one.id)?);
        assert_eq!((store.last_read(one.id)?, store.last_read(two.id)?), (None, Some(at(13))));
    }

    /// `usage` returns one entry for each job, in the order of the argument. The entry of an unknown job is empty.
    [Usage]
    fn what_keeps_jobs_is_told_of_many(store) {
        let [one, two] = [succeeded(store, 1, 5)?, succeeded(store, 2, 5)?];
        store.insert(&[waiting(3)], Durability::Buffered)?;
        store.record_reads(&[(one.id, at(12))])?;
        store.pin(two.id, Pin::Keep)?;
        store.pin(waiting(3).id, Pin::Keep)?;
        let uses = store.usage(&[waiting(3).id, two.id, waiting(9).id, one.id, two.id])?;
        let pinned = Usage { last_read: None, pinned: true };
        let read = Usage { last_read: Some(at(12)), pinned: false };
        assert_eq!(uses, [pinned, pinned, Usage::default(), read, pinned]);
        assert_eq!(store.usage(&[])?, []);
    }

    /// A pinned job stays until it is released. An unknown job cannot be pinned.
    [Pin, RemoveRefused]
    fn a_pinned_job_is_not_removed(store) {
        let done = succeeded(store, 1, 5)?;
        assert!(!store.is_pinned(done.id)?);
        store.pin(done.id, Pin::Keep)?;
        store.pin(done.id, Pin::Keep)?;
        assert!(store.is_pinned(done.id)?);
        let refused = store.remove(done.id).unwrap_err();
        assert_eq!((refused.kind, refused.job), (ErrorKind::Invalid, Some(done.id)));
        assert!(refused.detail.contains("release"), "{refused}");
        assert_eq!(super::read(store, super::key(&done, 0), 0..5)?.len(), 5);
        store.pin(done.id, Pin::Release)?;
        assert!(store.remove(done.id)?);
        assert_eq!(store.pin(done.id, Pin::Keep).unwrap_err().kind, ErrorKind::NotFound);
        assert!(!store.is_pinned(done.id)?);
    }
}
