//! Laws about lists by a filter, and about the order in which jobs were used.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use job_core::{
    Event, Failure, FailureKind, JobFilter, JobId, JobKind, JobRecord, JobResult, JobSpec, JobState, Outcome,
};

use super::{Broken, Fixture, at, finish, running, succeeded, waiting};
use crate::{Durability, Kept, LeastUsed, Pin, Store, StoreError};

law! { Fixture;
    /// Filters have one field or several, pages have any length, and the store is opened again.
    [FilteredList, Reopening]
    fn a_filter_shows_what_it_takes_page_by_page(in fixture) {
        let store = fixture.open();
        let all = population(&*store)?;
        are_filtered(&*store, &all)?;
        drop(store);
        are_filtered(&*fixture.open(), &all)?;
    }

    /// Jobs take every way to their end, and back to waiting.
    [FilteredList]
    fn a_filter_by_state_follows_the_job(store) {
        let by = |states: &[JobState]| states.iter().fold(JobFilter::default(), |filter, state| filter.state(*state));
        let is_in = |state: JobState| -> Result<(), Broken> {
            for other in JobState::ALL {
                let found = ids(store.filtered_entries(&by(&[other]).graph("图"), None, 9)?);
                assert_eq!(found.len(), usize::from(other == state), "{other} of one that is {state}");
                assert_eq!(store.filtered_entries(&by(&[other]), None, 9)?.len(), usize::from(other == state));
            }
            Ok(())
        };
        let failure = || Failure::new(FailureKind::Handler, "no");
        for ends in [
            vec![Event::Start, Event::Requeue(failure(), None), Event::Start, Event::Fail(failure())],
            vec![Event::Start, Event::Cancel, Event::Stop],
            vec![Event::Cancel],
            vec![Event::Expire(failure())],
        ] {
            let mut record = waiting(1);
            store.insert(std::slice::from_ref(&record), Durability::Buffered)?;
            is_in(JobState::Waiting)?;
            for event in ends {
                record = record.apply(event, at(9))?;
                store.replace(&record, Durability::Buffered)?;
                is_in(record.state)?;
            }
            assert!(store.remove(record.id)?);
            assert_eq!(store.filtered_entries(&by(&JobState::ALL), None, 9)?, []);
        }
        // One job keeps its rows, and one is inserted with its history.
        let runs = running(store, 2)?;
        let kept = runs.apply(Event::Fail(failure()), at(3_000))?;
        store.complete(&[(&kept, &JobResult::default())], Durability::Buffered)?;
        is_in(kept.state)?;
        assert!(store.remove(kept.id)?);
        store.insert(&[JobRecord { id: waiting(3).id, ..kept }], Durability::Buffered)?;
        is_in(JobState::Complete(Outcome::Failed))?;
    }

    /// A filtered list does not show the removed job, and shows all others.
    [FilteredList, RemoveWhole]
    fn a_removed_job_is_in_no_filtered_list(store) {
        let mut all = population(store)?;
        let (gone, kept): (Vec<_>, Vec<_>) =
            all.drain(..).enumerate().partition(|(n, job)| job.state.is_complete() && n % 3 > 0);
        for (_, job) in gone {
            assert!(store.remove(job.id)?);
        }
        are_filtered(store, &kept.into_iter().map(|(_, job)| job).collect::<Vec<_>>())?;
    }

    /// Jobs end while a walk goes from page to page. The walk meets each of them once.
    [FilteredList, Threads]
    fn a_job_that_ends_beside_a_walk_is_met_once(store) {
        let jobs: Vec<_> = (1..=150).map(|n| of_graph(n, if n % 3 == 0 { "other" } else { "图" })).collect();
        store.insert(&jobs, Durability::Buffered)?;
        let mut expected: Vec<_> =
            jobs.iter().filter(|job| job.spec.graph() == "图").map(|job| job.id).collect();
        expected.reverse();
        let filter = JobFilter::default().graph("图");
        thread::scope(|scope| {
            let ends = || jobs.iter().try_for_each(|job| end(store, job, job.id.as_bytes()[5]));
            let ends = scope.spawn(move || ends().map_err(|broken| broken.to_string()));
            loop {
                let is_last = ends.is_finished();
                assert_eq!(walked(store, &filter, 7)?, expected);
                assert_eq!(ids(store.filtered_entries(&filter, None, 1_000)?), expected);
                if is_last {
                    ends.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                    return Ok::<_, Broken>(());
                }
            }
        })?;
    }

    /// Jobs begin one after the other beside lists, and every second one ends. Each list has all jobs up to the one that
    /// began last.
    [FilteredList, Threads]
    fn a_list_beside_jobs_that_begin_has_all_up_to_the_last(store) {
        let jobs: Vec<_> = (1..=150).map(|n| of_graph(n, "图")).collect();
        let expected: Vec<_> = jobs.iter().map(|job| job.id).collect();
        let filter = JobFilter::default().graph("图");
        let count = AtomicUsize::new(0);
        let begin = || -> Result<(), Broken> {
            for (n, job) in jobs.iter().enumerate() {
                store.insert(std::slice::from_ref(job), Durability::Buffered)?;
                count.store(n + 1, Ordering::Release);
                if n % 2 == 0 {
                    end(store, job, job.id.as_bytes()[5])?;
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let insertions = scope.spawn(|| begin().map_err(|broken| broken.to_string()));
            loop {
                let is_last = insertions.is_finished();
                let least = count.load(Ordering::Acquire);
                let mut found = ids(store.filtered_entries(&filter, None, 1_000)?);
                found.reverse();
                assert!(found.len() >= least, "{} of {least} jobs", found.len());
                assert!(found.iter().eq(expected.iter().take(found.len())), "{found:?}");
                if is_last {
                    insertions.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                    return Ok::<_, Broken>(());
                }
            }
        })?;
    }

    /// The store counts the jobs of a filter up to the most that the call asks for.
    [Count]
    fn jobs_that_a_filter_takes_are_counted(store) {
        let all = population(store)?;
        for filter in filters() {
            let taken = all.iter().filter(|job| filter.takes(job)).count() as u64;
            for most in [0, 1, taken, taken + 1, 1_001, u64::MAX] {
                assert_eq!(store.count(&filter, most)?, taken.min(most), "{filter:?}, {most} at most");
            }
        }
    }

    /// An unreadable job may match the filter, so the list shows it. It hides no other job.
    [FilteredList, Unreadable]
    fn a_job_that_cannot_be_read_is_in_filtered_lists(in fixture) {
        let store = fixture.open();
        let jobs: Vec<_> = (1..=4).map(|n| of_graph(n, "图")).collect();
        store.insert(&jobs, Durability::Synced)?;
        for job in &jobs[..2] {
            end(&*store, job, 0)?;
        }
        drop(store);
        if ![&jobs[1], &jobs[2]].iter().all(|job| fixture.overwrite(job.id, b"what is this?")) {
            return Ok(());
        }
        let store = fixture.open();
        let found = store.filtered_entries(&JobFilter::default().graph("图"), None, 9)?;
        assert_eq!(found.iter().map(|listed| listed.record.is_ok()).collect::<Vec<_>>(), [true, false, false, true]);
        for job in [&jobs[1], &jobs[2]] {
            assert!(store.remove(job.id)?);
        }
        assert_eq!(ids(store.filtered_entries(&JobFilter::default().graph("图"), None, 9)?), [jobs[3].id, jobs[0].id]);
        assert_eq!(store.kept()?.jobs, 1);
    }

    /// The store counts complete jobs without a pin, and the bytes of their rows, at any time.
    [Kept, Reopening]
    fn what_can_be_removed_is_counted(in fixture) {
        let store = fixture.open();
        assert_eq!(store.kept()?, Kept::default());
        let [one, two] = [succeeded(&*store, 1, 5)?, succeeded(&*store, 2, 50)?];
        running(&*store, 3)?;
        store.insert(&[waiting(4)], Durability::Buffered)?;
        let empty = finish(&*store, &waiting(5))?;
        let both = Kept { jobs: 3, bytes: one.size.bytes + two.size.bytes };
        assert_eq!(store.kept()?, both);
        store.record_reads(&[(one.id, at(1 << 40)), (waiting(4).id, at(7))])?;
        store.pin(two.id, Pin::Keep)?;
        store.pin(two.id, Pin::Keep)?;
        store.pin(waiting(4).id, Pin::Keep)?;
        store.replace(&waiting(4).apply(Event::Cancel, at(9))?, Durability::Buffered)?;
        let rest = Kept { jobs: 2, bytes: one.size.bytes };
        assert_eq!(store.kept()?, rest);
        drop(store);

        let store = fixture.open();
        assert_eq!(store.kept()?, rest);
        store.pin(two.id, Pin::Release)?;
        store.pin(two.id, Pin::Release)?;
        store.pin(waiting(4).id, Pin::Release)?;
        assert_eq!(store.kept()?, Kept { jobs: 4, ..both });
        assert!(store.remove(two.id)? && store.remove(empty.id)?);
        assert_eq!(store.kept()?, rest);
        let kept = running(&*store, 6)?.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(9))?;
        store.replace(&kept, Durability::Buffered)?;
        assert_eq!(store.kept()?, Kept { jobs: 3, ..rest });
    }

    /// The order is by the end or the last reading, whichever is later, then by id. A list may begin behind a
    /// named job, or hold only jobs with rows.
    [LeastUsed, Reopening]
    fn jobs_come_in_the_order_of_their_last_use(in fixture) {
        let store = fixture.open();
        let job = |n: u64, end: u64, rows: u64| -> Result<LeastUsed, Broken> {
            let runs = running(&*store, n)?;
            let result = super::list(vec![super::write(&*store, super::key(&runs, 0), 0, rows, 10)?]);
            let done = runs.apply(Event::Succeed(result.size()), at(end))?;
            store.complete(&[(&done, &result)], Durability::Buffered)?;
            Ok(LeastUsed { id: done.id, used: at(end), bytes: done.size.bytes })
        };
        let jobs = [job(1, 90_000, 5)?, job(2, 20_000, 0)?, job(3, 30_000, 50)?, job(4, 20_000, 7)?, job(5, 10, 3)?];
        let [one, two, three, four, five] = jobs;
        running(&*store, 6)?;
        assert_eq!(store.least_used(false, None, 9)?, [five, two, four, three, one]);
        assert_eq!(store.least_used(true, None, 9)?, [five, four, three, one]);
        assert_eq!(store.least_used(false, Some(two), 2)?, [four, three]);
        assert_eq!(store.least_used(true, Some(two), 2)?, [four, three]);
        assert_eq!(store.least_used(false, None, 0)?, []);
        // A reading before the end of a job does not count.
        store.record_reads(&[(five.id, at(5)), (two.id, at(60_000)), (two.id, at(50_000)), (three.id, at(1 << 50))])?;
        store.pin(four.id, Pin::Keep)?;
        let [two, three] = [LeastUsed { used: at(50_000), ..two }, LeastUsed { used: at(1 << 50), ..three }];
        assert_eq!(store.least_used(false, None, 9)?, [five, two, one, three]);
        drop(store);

        let store = fixture.open();
        assert_eq!(store.least_used(false, None, 9)?, [five, two, one, three]);
        store.record_reads(&[(three.id, at(60_000))])?;
        store.pin(four.id, Pin::Release)?;
        assert!(store.remove(five.id)?);
        let three = LeastUsed { used: at(60_000), ..three };
        assert_eq!(store.least_used(false, None, 9)?, [four, two, three, one]);
        assert_eq!(store.least_used(true, Some(four), 9)?, [three, one]);
        for job in [four, two, three, one] {
            assert!(store.remove(job.id)?);
        }
        assert_eq!((store.least_used(false, None, 9)?, store.kept()?), (Vec::new(), Kept::default()));
    }

    /// Readings and pins of a running job count once it has ended.
    [LeastUsed, Kept]
    fn what_is_noted_of_a_running_job_counts_at_its_end(store) {
        let [pinned, read, early] = [running(store, 1)?, running(store, 2)?, running(store, 3)?];
        store.pin(pinned.id, Pin::Keep)?;
        store.record_reads(&[(read.id, at(1 << 40)), (early.id, at(1))])?;
        for job in [&pinned, &read, &early] {
            let done = job.apply(Event::Succeed(JobResult::default().size()), at(5_000))?;
            store.complete(&[(&done, &JobResult::default())], Durability::Buffered)?;
        }
        let used = |job: &JobRecord, micros| LeastUsed { id: job.id, used: at(micros), bytes: 0 };
        assert_eq!(store.least_used(false, None, 9)?, [used(&early, 5_000), used(&read, 1 << 40)]);
        assert_eq!(store.kept()?.jobs, 2);
        assert!(store.remove(read.id)? && store.remove(early.id)?);
        assert_eq!(store.least_used(false, None, 9)?, []);
    }
}

fn of_graph(n: u64, graph: &str) -> JobRecord {
    let record = waiting(n);
    JobRecord { spec: Arc::new(JobSpec::clone(&record.spec).with_graph(graph)), ..record }
}

fn ids(entries: Vec<crate::Listed>) -> Vec<JobId> {
    entries.into_iter().map(|listed| listed.id).collect()
}

/// Ends a waiting job, in one way or another.
fn end(store: &dyn Store, job: &JobRecord, how: u8) -> Result<(), Broken> {
    if how.is_multiple_of(3) {
        store.replace(&job.apply(Event::Cancel, at(9))?, Durability::Buffered)?;
        return Ok(());
    }
    let running = job.apply(Event::Start, at(9))?;
    store.replace(&running, Durability::Buffered)?;
    if how % 3 == 1 {
        let failed = running.apply(Event::Fail(Failure::new(FailureKind::Handler, "no")), at(9))?;
        store.replace(&failed, Durability::Buffered)?;
        return Ok(());
    }
    let result = JobResult::default();
    let done = running.apply(Event::Succeed(result.size()), at(9))?;
    store.complete(&[(&done, &result)], Durability::Buffered)?;
    Ok(())
}

/// The ids on all pages of a filtered list, in their order.
fn walked(store: &dyn Store, filter: &JobFilter, limit: usize) -> Result<Vec<JobId>, Broken> {
    let mut all: Vec<JobId> = Vec::new();
    loop {
        let page = ids(store.filtered_entries(filter, all.last().copied(), limit)?);
        assert!(page.len() <= limit);
        let is_last = page.len() < limit;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
        if all.len() > 10_000 {
            return Err("the list by a filter has no end".into());
        }
    }
}

/// Jobs of every kind in every state, the newest first. They end in another order than they came.
fn population(store: &dyn Store) -> Result<Vec<JobRecord>, Broken> {
    const JOBS: u64 = 96;
    let kinds = ["", "v", "pagerank"].map(|name| JobKind::Algorithm(name.to_owned()));
    let [_, odd, pagerank] = kinds;
    let action = JobKind::Action("pagerank".to_owned());
    let kinds = [JobKind::VertexFilter, JobKind::EdgeFilter, pagerank, odd, action];
    let mut jobs: Vec<JobRecord> = Vec::new();
    for n in 1..=JOBS {
        let at = |step: u64, of: usize| usize::try_from(n / step).unwrap_or_default() % of;
        let mut spec = JobSpec::new(kinds[at(2, 5)].clone()).with_graph(["图", "movies", "Movies"][at(1, 3)]);
        if let Some(owner) = [None, Some("Sarah"), Some("sarah")][at(3, 3)] {
            spec = spec.owner(owner);
        }
        let labels: &[&str] = [&[][..], &["nightly"], &["nightly", "team=搜索"], &["Nightly"]][at(5, 4)];
        for label in labels {
            spec = spec.label(*label);
        }
        jobs.push(JobRecord { spec: Arc::new(spec), ..waiting(n) });
    }
    store.insert(&jobs, Durability::Buffered)?;
    for n in 0..JOBS {
        // The order in which jobs end differs from the order of their ids.
        let job = jobs[usize::try_from((n * 37 + 11) % JOBS)?].clone();
        match job.id.as_bytes()[5] % 6 {
            0 => {}
            1 => store.replace(&job.apply(Event::Start, at(9))?, Durability::Buffered)?,
            2 => {
                let running = job.apply(Event::Start, at(9))?;
                store.replace(&running, Durability::Buffered)?;
                store.replace(&running.apply(Event::Cancel, at(9))?, Durability::Buffered)?;
            }
            how => end(store, &job, how)?,
        }
    }
    let mut now = jobs.iter().map(|job| store.get(job.id)).collect::<Result<Vec<_>, StoreError>>()?;
    now.reverse();
    Ok(now.into_iter().flatten().collect())
}

fn filters() -> Vec<JobFilter> {
    let any = JobFilter::default;
    let [running, cancelling] = [false, true].map(|cancelling| JobState::Running { cancelling });
    let [succeeded, failed, cancelled] =
        [Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled].map(JobState::Complete);
    let kind = |name: &str| JobKind::Algorithm(name.to_owned());
    let mut filters = vec![
        any(),
        any().graph("图"),
        any().graph("movies"),
        any().graph("movie"),
        any().kind(JobKind::VertexFilter),
        any().kind(JobKind::EdgeFilter),
        any().kind(kind("v")),
        any().kind(kind("pagerank")),
        any().kind(kind("page")),
        any().kind(JobKind::Action("pagerank".to_owned())),
        any().kind(JobKind::Action("page".to_owned())),
        any().owner("Sarah"),
        any().owner("sarah"),
        any().owner("SARAH"),
        any().label("nightly"),
        any().label("Nightly"),
        any().label("team=搜索"),
        any().label("team"),
        any().label("nightly").label("team=搜索"),
        any().label("nightly").label("Nightly"),
        any().state(running).state(cancelling),
        any().state(failed).state(JobState::Waiting),
        any().graph("movies").state(failed),
        any().graph("movies").state(cancelled).state(running),
        any().graph("Movies").kind(JobKind::VertexFilter),
        any().graph("图").owner("Sarah").label("nightly").state(succeeded),
        any().kind(kind("pagerank")).state(succeeded),
        any().owner("sarah").state(failed).state(cancelled),
    ];
    filters.extend(JobState::ALL.map(|state| any().state(state)));
    filters
}

/// For every filter, compares the list of the store with the jobs of `all` that the filter takes, newest first.
fn are_filtered(store: &dyn Store, all: &[JobRecord]) -> Result<(), Broken> {
    for filter in filters() {
        let taken: Vec<_> = all.iter().filter(|job| filter.takes(job)).cloned().collect();
        let found = store.filtered_entries(&filter, None, 1_000)?;
        let found = found.into_iter().map(|listed| listed.record).collect::<Result<Vec<_>, _>>()?;
        assert_eq!(found, taken, "{filter:?}");
        let taken: Vec<_> = taken.iter().map(|job| job.id).collect();
        for limit in [1, 4] {
            assert_eq!(walked(store, &filter, limit)?, taken, "{filter:?} by {limit}");
        }
        assert_eq!(store.filtered_entries(&filter, None, 0)?, [], "{filter:?}");
        // The cursor may be the id of a job outside the list, or of no job.
        let between = waiting(40).id;
        let older: Vec<_> = taken.iter().copied().filter(|id| *id < between).take(3).collect();
        assert_eq!(ids(store.filtered_entries(&filter, Some(between), 3)?), older, "{filter:?}");
        assert_eq!(store.filtered_entries(&filter, Some(JobId::MIN), 3)?, [], "{filter:?}");
    }
    Ok(())
}
