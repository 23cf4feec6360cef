//! Laws about several claimants of one store. Time is the store's, so they wait for ends of leases by looking.

use std::{
    collections::BTreeSet,
    panic,
    sync::{Arc, LazyLock},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use job_core::{Event, Failure, FailureKind, JobId, JobKind, JobRecord, JobResult, JobState, Timestamp};

use super::{Broken, UsageOfOne, at, key, list, waiting, within, write};
use crate::{
    BlockBuilder, Claim, ClaimId, Claimed, Durability, ErrorKind, KnownRevision, LONGEST_PAUSE, SegmentWriter,
    SharedStore, StoreError,
};

/// A place of one store that several claimants open.
pub trait SharedFixture {
    /// Opens the store as one more claimant. Claimants that are open stay open.
    fn open(&self) -> Arc<dyn SharedStore>;

    /// How long a law waits, as [`Fixture::patience`](super::Fixture::patience).
    fn patience(&self) -> Duration {
        super::PATIENCE
    }
}

/// Makes one `#[test]` per law of sharing. The argument is an expression that makes a new, empty [`SharedFixture`], or
/// followed by `, skip` an `Option` of one, as in [`conformance_tests`](crate::conformance_tests).
#[macro_export]
macro_rules! sharing_tests {
    ($fixture:expr) => {
        $crate::sharing_tests! { @list laws $fixture }
    };
    ($fixture:expr, skip) => {
        $crate::sharing_tests! { @list laws_or_skip $fixture }
    };
    (@list $rule:ident $fixture:expr) => {
        $crate::conformance_tests! { @$rule $fixture;
            a_claimant_is_one_engine
            two_claimants_never_get_the_same_job
            a_claim_takes_priority_then_age
            a_pause_that_is_longer_than_any_is_over
            a_claim_takes_what_it_asks_for
            a_claim_leaves_the_record_alone
            a_claim_starts_first_attempts
            a_claim_that_is_asked_again_answers_what_it_has_started
            a_claim_that_is_asked_again_answers_what_it_has_not_started_too
            what_a_claim_has_started_is_a_job_like_any_other
            only_the_claimant_writes
            a_lease_that_ended_lets_nobody_write
            a_lease_lasts_as_long_as_it_was_asked_for
            a_job_whose_claimant_is_gone_goes_to_another
            everybody_may_cancel
            a_renewal_answers_what_is_held
            a_renewed_lease_goes_on
            a_renewal_leaves_other_leases_as_they_are
            a_lease_that_ended_is_renewed_unless_another_has_claimed_the_job
            a_claim_tells_whose_lease_has_ended
            a_claim_leaves_what_runs_where_it_is_unless_asked
            a_released_job_is_free_at_once
            a_claim_that_is_over_is_not_renewed_and_not_given_back
            who_holds_a_job_is_told
            the_end_of_a_job_ends_its_claim
            what_others_do_is_heard
            a_wake_ends_a_wait
            what_has_changed_is_told
            whoever_dies_between_a_claim_and_a_start_delays_the_job_only
        }
    };
}

/// A lease that outlasts every law.
const LONG: Duration = Duration::from_hours(1);
/// A lease that is short enough for a law to wait for its end.
const SHORT: Duration = Duration::from_millis(50);

law! { SharedFixture;
    /// Each claimant admits one engine, and no engine may have the shared store for itself.
    [ClaimantSeat]
    fn a_claimant_is_one_engine(one, other) {
        let first = one.shared_seat("the first")?;
        let refused = one.shared_seat("the second").unwrap_err();
        assert_eq!(refused.kind, ErrorKind::AlreadyOpen);
        assert!(refused.to_string().contains("the first"), "{refused}");
        let beside = other.shared_seat("the second")?;
        assert_eq!(one.seat("alone").map(drop).map_err(kind), Err(ErrorKind::Invalid));
        drop(first);
        one.shared_seat("the third")?;
        drop(beside);
    }

    /// A claim takes higher priorities first, then older jobs, whichever was inserted first.
    [ClaimOrder]
    fn a_claim_takes_priority_then_age(one, other) {
        let mut jobs: Vec<_> = (1..=6).map(waiting).collect();
        for (job, priority) in jobs.iter_mut().zip([0, 5, 0, -5, 5, 0]) {
            let spec = job_core::JobSpec::clone(&job.spec).priority(priority);
            job.spec = Arc::new(spec);
        }
        one.insert(&jobs, Durability::Buffered)?;
        let order = |claimed: Vec<JobRecord>| -> Vec<u64> {
            claimed.iter().map(|job| job.submitted_at.as_micros() / 1_000).collect()
        };
        assert_eq!(order(claim(one, 4, LONG)?), [2, 5, 1, 3]);
        assert_eq!(order(claim(other, 4, LONG)?), [6, 4]);
        assert_eq!(order(claim(other, 4, LONG)?), [0u64; 0]);
    }

    /// A claim takes jobs of its kinds, at most its limit, and none before its time.
    [ClaimAsked]
    fn a_claim_takes_what_it_asks_for(one, other) {
        let mut filter = waiting(1);
        filter.spec = Arc::new(job_core::JobSpec::vertex_filter().with_graph("图"));
        let mut late = waiting(2);
        late.not_before = Some(in_an_hour());
        let mut due = waiting(3);
        due.not_before = Some(at(1));
        other.insert(&[filter.clone(), late, due.clone(), waiting(4)], Durability::Buffered)?;
        let ask = |kinds: &[JobKind], limit| records(one.claim(&Claim { kinds, limit, ..asked(0, LONG) }));
        assert_eq!(ask(&[], 10)?, []);
        assert_eq!(ask(&[JobKind::Algorithm("other".to_owned()), JobKind::EdgeFilter], 10)?, []);
        assert_eq!(ask(&[JobKind::Algorithm("pagerank".to_owned())], 0)?, []);
        assert_eq!(ask(&[JobKind::Algorithm("pagerank".to_owned())], 1)?, [due]);
        assert_eq!(ask(&[JobKind::Algorithm("pagerank".to_owned()), JobKind::VertexFilter], 10)?, [filter, waiting(4)]);
    }

    /// A clock that is a year ahead can set a pause of a year. A pause longer than any allowed one is over.
    [ClaimDue]
    fn a_pause_that_is_longer_than_any_is_over(one, other; patience) {
        let mut ahead = waiting(1);
        ahead.not_before = Some(in_an_hour().after(LONGEST_PAUSE * 365));
        let mut paused = waiting(2);
        paused.not_before = Some(in_an_hour());
        one.insert(&[ahead.clone(), paused.clone()], Durability::Buffered)?;
        assert_eq!(claim(other, 10, SHORT)?, [ahead.clone()]);
        // Such a pause is over also for a job whose lease has ended.
        assert_eq!(claim_soon(one, patience)?, [ahead]);
    }

    /// A claim changes no record, and only the claimant starts the job.
    [ClaimRecord, OnlyClaimant]
    fn a_claim_leaves_the_record_alone(one, other) {
        one.insert(&[waiting(1)], Durability::Buffered)?;
        assert_eq!(claim(one, 1, LONG)?, [waiting(1)]);
        assert_eq!(other.get(waiting(1).id)?, Some(waiting(1)));
        let running = waiting(1).apply(Event::Start, at(5))?;
        assert_eq!(other.replace(&running, Durability::Buffered).map_err(kind), Err(ErrorKind::Fenced));
        let expired = waiting(1).apply(Event::Expire(failure()), at(5))?;
        assert_eq!(other.replace(&expired, Durability::Buffered).map_err(kind), Err(ErrorKind::Fenced));
        one.replace(&running, Durability::Buffered)?;
        assert_eq!(other.get(running.id)?, Some(running));
    }

    /// A claim starts jobs that wait for the first of several attempts. Readers see the start. Jobs that ran or
    /// failed before stay as they are.
    [ClaimStarts]
    fn a_claim_starts_first_attempts(one, other; patience) {
        let running = start(one, 1, LONG)?;
        let (first, second) = (waiting(2), waiting(3));
        let again = first.apply(Event::Start, at(4))?.apply(Event::Requeue(failure(), None), at(5))?;
        let mut once = waiting(4);
        once.spec = Arc::new(job_core::JobSpec::clone(&once.spec).max_attempts(1));
        one.insert(&[again.clone(), second.clone(), once.clone()], Durability::Buffered)?;
        one.renew(&ids([running.id]), SHORT)?;
        let mut claimed = Vec::new();
        within(patience, "four jobs are claimed", || {
            claimed.extend(other.claim(&starting(10, 1))?);
            Ok((claimed.len() >= 4).then_some(()))
        })?;
        claimed.sort_by_key(|claimed| claimed.record.id);
        let started = second.apply(Event::Start, at(9))?;
        let expected = [(running.clone(), false), (again.clone(), false), (started.clone(), true), (once.clone(), false)];
        let lost = |record: &JobRecord| record.id == running.id;
        assert_eq!(claimed, expected.map(|(record, started)| Claimed { lost: lost(&record), record, started }));
        for record in [&running, &again, &started, &once] {
            assert_eq!(one.get(record.id)?.as_ref(), Some(record));
        }
        assert_eq!(one.unfinished()?, [running, again.clone(), started.clone(), once]);
        let known = [KnownRevision { id: second.id, revision: 0 }, KnownRevision { id: again.id, revision: again.revision }];
        assert_eq!(one.changed(&known)?, [(second.id, Some(started))]);
    }

    /// A repeated claim of the same claimant returns its jobs in their present state, while the lease lasts. After
    /// that it claims other jobs.
    [ClaimAgain]
    fn a_claim_that_is_asked_again_answers_what_it_has_started(one, other; patience) {
        one.insert(&[waiting(1), waiting(2), waiting(3)], Durability::Buffered)?;
        let ask = |store: &dyn SharedStore, token, again| given(store.claim(&Claim { again, ..starting(1, token) }));
        let started = |n| Ok::<_, Broken>(waiting(n).apply(Event::Start, at(9))?);
        assert_eq!(ask(one, 5, false)?, [(started(1)?, true)]);
        let cancelling = started(1)?.apply(Event::Cancel, at(10))?;
        other.replace(&cancelling, Durability::Buffered)?;
        assert_eq!(ask(one, 5, true)?, [(cancelling.clone(), true)]);
        assert_eq!(ask(other, 5, true)?, [(started(2)?, true)], "another claimant's token is another one");
        one.replace(&cancelling.apply(Event::Stop, at(11))?, Durability::Buffered)?;
        assert_eq!(ask(one, 5, true)?, [(started(3)?, true)], "nothing of it is left");
        end_leases(one, &started(3)?, patience)?;
        assert_eq!(ask(one, 6, true)?, [(started(3)?, false)], "a job whose lease is over has to be taken up");
    }

    /// A claim whose answer is lost leaves no job claimed for ever.
    [ClaimAgain]
    fn a_claim_that_is_asked_again_answers_what_it_has_not_started_too(one, other; patience) {
        let running = start(other, 1, LONG)?;
        let mut once = waiting(2);
        once.spec = Arc::new(job_core::JobSpec::clone(&once.spec).max_attempts(1));
        one.insert(&[once.clone(), waiting(3)], Durability::Buffered)?;
        end_leases(other, &running, patience)?;
        assert_eq!(one.claim(&starting(3, 7))?.len(), 3);
        let started = waiting(3).apply(Event::Start, at(9))?;
        let mut again = given(one.claim(&Claim { again: true, ..starting(3, 7) }))?;
        again.sort_by_key(|(record, _)| record.id);
        assert_eq!(again, [(running, false), (once.clone(), false), (started, true)]);
        let calm = Claim { start: None, ..starting(1, 8) };
        one.insert(&[waiting(4), waiting(5)], Durability::Buffered)?;
        assert_eq!(given(one.claim(&calm))?, [(waiting(4), false)]);
        assert_eq!(given(one.claim(&Claim { again: true, ..calm }))?, [(waiting(4), false)], "it starts none");
        one.release(&[ClaimId { job: waiting(4).id, token: 8 }])?;
        assert_eq!(given(other.claim(&calm))?, [(waiting(4), false)], "what was given back is another's");
        assert_eq!(given(one.claim(&Claim { again: true, ..calm }))?, [(waiting(5), false)], "nothing of it is left");
    }

    /// The claimant of a running job writes its rows and ends it. Another claimant may only cancel it.
    [ClaimStarts, OnlyClaimant]
    fn what_a_claim_has_started_is_a_job_like_any_other(one, other) {
        one.insert(&[waiting(1), waiting(2), waiting(3)], Durability::Buffered)?;
        one.pin(waiting(1).id, crate::Pin::Keep)?;
        let claimed = one.claim(&Claim { start: Some(at(7)), ..starting(3, 1) })?;
        let [first, second, third] = [1, 2, 3].map(|n| waiting(n).apply(Event::Start, at(7)));
        let (first, second, third) = (first?, second?, third?);
        assert_eq!(claimed.iter().map(|claimed| claimed.started).collect::<Vec<_>>(), [true; 3]);
        assert_all_fenced(other, &first, None)?;
        let segment = write(one, key(&first, 0), 0, 30, 10)?;
        one.save_checkpoint(first.id, 1, b"half way")?;
        let result = list(vec![segment]);
        let done = first.apply(Event::Succeed(result.size()), at(8))?;
        one.complete(&[(&done, &result)], Durability::Buffered)?;
        let cancelling = second.apply(Event::Cancel, at(8))?;
        other.replace(&cancelling, Durability::Buffered)?;
        let stopped = cancelling.apply(Event::Stop, at(9))?;
        one.replace(&stopped, Durability::Buffered)?;
        let again = third.apply(Event::Requeue(failure(), None), at(9))?;
        one.replace(&again, Durability::Buffered)?;
        assert_eq!(other.list(None, 0, 9)?, [again, stopped, done.clone()]);
        assert_eq!(other.result(done.id)?, Some(result));
        assert!(other.is_pinned(done.id)?);
    }

    /// Another claimant writes no rows, no checkpoint and no end, and a refused write leaves nothing.
    [OnlyClaimant]
    fn only_the_claimant_writes(one, other) {
        let running = start(one, 1, LONG)?;
        assert_all_fenced(other, &running, None)?;
        let segment = write(one, key(&running, 0), 0, 30, 10)?;
        one.save_checkpoint(running.id, 1, b"half way")?;
        let result = list(vec![segment]);
        let done = running.apply(Event::Succeed(result.size()), at(7))?;
        one.complete(&[(&done, &result)], Durability::Buffered)?;
        assert_eq!(other.get(done.id)?, Some(done));
        assert_eq!(other.result(running.id)?, Some(result));
    }

    /// After the end of a lease its claimant writes nothing, even if no other has claimed the job.
    [LeaseEnds, Release]
    fn a_lease_that_ended_lets_nobody_write(one, other; patience) {
        let running = start(one, 1, LONG)?;
        let writer = one.segment(key(&running, 1))?;
        one.insert(&[waiting(2)], Durability::Buffered)?;
        assert_eq!(claim(one, 1, LONG)?, [waiting(2)]);
        end_leases(one, &running, patience)?;
        assert_all_fenced(one, &running, Some(writer))?;
        assert_all_fenced(other, &running, None)?;
        let started = waiting(2).apply(Event::Start, at(9))?;
        assert_eq!(one.replace(&started, Durability::Buffered).map_err(kind), Err(ErrorKind::Fenced));
        // A release by a claimant without the claim does not free the job.
        one.release(&ids([running.id]))?;
        assert_all_fenced(one, &running, None)?;
    }

    /// A lease ends after its own duration, beside another lease that ends sooner.
    [LeaseEnds]
    fn a_lease_lasts_as_long_as_it_was_asked_for(one, other; patience) {
        one.insert(&[waiting(1), waiting(2)], Durability::Buffered)?;
        assert_eq!(claim(one, 1, LONG)?, [waiting(1)]);
        assert_eq!(claim(one, 1, SHORT)?, [waiting(2)]);
        let claimed = within(patience, "a lease ends", || {
            Ok(Some(claim(other, 9, LONG)?).filter(|claimed| !claimed.is_empty()))
        })?;
        assert_eq!(claimed, [waiting(2)]);
        let running = waiting(1).apply(Event::Start, at(5))?;
        one.replace(&running, Durability::Buffered)?;
    }

    /// A late renewal lets the same attempt go on. After another claim of the job it has no effect.
    [RenewLate]
    fn a_lease_that_ended_is_renewed_unless_another_has_claimed_the_job(one, other; patience) {
        let (running, second, third) = (start(one, 1, LONG)?, start(one, 2, LONG)?, start(other, 3, LONG)?);
        let mut writer = one.segment(key(&running, 0))?;
        end_leases(one, &running, patience)?;
        let mut taken = 0;
        within(patience, "two jobs are claimed", || {
            taken += claim(other, 2, LONG)?.len();
            Ok((taken >= 2).then_some(()))
        })?;
        let all = [running.id, second.id, third.id];
        assert_eq!(one.renew(&ids(all), LONG)?, [], "another has claimed them");
        end_leases(other, &third, patience)?;
        let mut held: Vec<JobId> = other.renew(&ids(all), LONG)?.iter().map(|held| held.id).collect();
        held.sort();
        assert_eq!(held, all);
        assert_eq!(claim(one, 9, LONG)?, []);
        write(other, key(&third, 0), 0, 3, 1)?;
        let mut block = BlockBuilder::new(key(&running, 0));
        block.push(&1)?;
        assert_eq!(writer.append(block.seal()).map_err(kind), Err(ErrorKind::Fenced));
        let done = third.apply(Event::Fail(failure()), at(9))?;
        other.replace(&done, Durability::Buffered)?;
        assert_eq!(one.get(done.id)?, Some(done));
    }

    /// `lost` is true if another claimant's lease on a running job ended, since that process may have died. It is
    /// false for a job of the claimant itself, and for one that was given back.
    [ClaimLost]
    fn a_claim_tells_whose_lease_has_ended(one, other; patience) {
        let running = start(one, 1, LONG)?;
        let soon = |store: &dyn SharedStore, lease| {
            within(patience, "the job is claimed", || {
                let claimed = store.claim(&asked(1, lease))?;
                Ok(claimed.first().map(|claimed| (claimed.record.id, claimed.started, claimed.lost)))
            })
        };
        end_leases(one, &running, patience)?;
        assert_eq!(soon(one, SHORT)?, (running.id, false, false));
        assert_eq!(soon(other, LONG)?, (running.id, false, true));
        other.release(&ids([running.id]))?;
        assert_eq!(soon(one, LONG)?, (running.id, false, false));
        let again = running.apply(Event::Requeue(failure(), None), at(8))?;
        one.replace(&again, Durability::Buffered)?;
        one.renew(&ids([running.id]), SHORT)?;
        assert_eq!(soon(other, LONG)?, (running.id, false, false), "it waits");
    }

    /// A claim without `lost` leaves running jobs alone, and takes waiting ones.
    [ClaimLost]
    fn a_claim_leaves_what_runs_where_it_is_unless_asked(one, other; patience) {
        let running = start(one, 1, LONG)?;
        one.insert(&[waiting(2)], Durability::Buffered)?;
        assert_eq!(claim(one, 1, LONG)?, [waiting(2)]);
        end_leases(one, &running, patience)?;
        let calm = Claim { lost: false, ..asked(9, LONG) };
        let claimed = within(patience, "the job is claimed", || {
            Ok(Some(records(other.claim(&calm))?).filter(|claimed| !claimed.is_empty()))
        })?;
        assert_eq!(claimed, [waiting(2)]);
        assert_eq!(claim_soon(other, patience)?, [running]);
    }

    /// The record still says that the job runs. The new claimant decides what to do, and the old one writes
    /// nothing any more.
    [ClaimLost, OnlyClaimant]
    fn a_job_whose_claimant_is_gone_goes_to_another(one, other; patience) {
        let running = start(one, 1, LONG)?;
        write(one, key(&running, 0), 0, 30, 10)?;
        one.save_checkpoint(running.id, 1, b"half way")?;
        let writer = one.segment(key(&running, 1))?;
        assert_eq!(claim(other, 1, LONG)?, []);
        one.renew(&ids([running.id]), SHORT)?;
        assert_eq!(claim_soon(other, patience)?, std::slice::from_ref(&running));
        assert_all_fenced(one, &running, Some(writer))?;
        let lost = running.apply(Event::Requeue(Failure::new(FailureKind::Interrupted, "gone"), None), at(8))?;
        other.replace(&lost, Durability::Buffered)?;
        other.discard(running.id, 1)?;
        let again = lost.apply(Event::Start, at(9))?;
        other.replace(&again, Durability::Buffered)?;
        assert_eq!(other.checkpoint(again.id)?.as_deref(), Some(b"half way".as_slice()));
        for attempt in [1, 2] {
            let key = crate::SegmentKey { job: again.id, attempt, number: 0 };
            assert_eq!(one.segment(key).map(drop).map_err(kind), Err(ErrorKind::Fenced));
        }
        let result = list(vec![write(other, key(&again, 0), 0, 3, 2)?]);
        let done = again.apply(Event::Succeed(result.size()), at(10))?;
        assert_eq!(one.complete(&[(&done, &result)], Durability::Buffered).map_err(kind), Err(ErrorKind::Fenced));
        other.complete(&[(&done, &result)], Durability::Buffered)?;
        assert_eq!(one.get(done.id)?, Some(done));
    }

    /// Every caller may end a waiting job by a cancel. Of a running job the claimant learns of the cancel and
    /// stops it.
    [Cancel]
    fn everybody_may_cancel(one, other) {
        let running = start(one, 1, LONG)?;
        one.insert(&[waiting(2)], Durability::Buffered)?;
        claim(one, 1, LONG)?;
        let cancelled = waiting(2).apply(Event::Cancel, at(5))?;
        other.replace(&cancelled, Durability::Buffered)?;
        let late = waiting(2).apply(Event::Start, at(6))?;
        assert_eq!(one.replace(&late, Durability::Buffered).map_err(kind), Err(ErrorKind::Conflict));
        let cancelling = running.apply(Event::Cancel, at(5))?;
        other.replace(&cancelling, Durability::Buffered)?;
        let held = KnownRevision { id: running.id, revision: cancelling.revision };
        assert_eq!(one.renew(&ids([running.id, waiting(2).id]), LONG)?, [held]);
        let twice = cancelling.apply(Event::Cancel, at(6))?;
        other.replace(&twice, Durability::Buffered)?;
        let stopped = twice.apply(Event::Stop, at(7))?;
        assert_eq!(other.replace(&stopped, Durability::Buffered).map_err(kind), Err(ErrorKind::Fenced));
        one.save_checkpoint(running.id, 1, b"to the last")?;
        one.replace(&stopped, Durability::Buffered)?;
        assert_eq!(other.get(running.id)?, Some(stopped));
    }

    /// A renewal answers the claimant's jobs in every state, with their stored revisions. It answers no job of
    /// others, and no removed one.
    [Renew]
    fn a_renewal_answers_what_is_held(one, other) {
        assert_eq!(one.renew(&[], LONG)?, []);
        let running = start(one, 1, LONG)?;
        one.insert(&[waiting(2), waiting(3), waiting(4)], Durability::Buffered)?;
        claim(other, 1, LONG)?;
        claim(one, 1, LONG)?;
        let all = ids([1, 2, 3, 4, 5].map(|n| waiting(n).id));
        let mut held = one.renew(&all, LONG)?;
        held.sort_by_key(|held| held.id);
        let expected = [KnownRevision { id: running.id, revision: 1 }, KnownRevision { id: waiting(3).id, revision: 0 }];
        assert_eq!(held, expected);
        assert_eq!(other.renew(&all, LONG)?, [KnownRevision { id: waiting(2).id, revision: 0 }]);
        assert_eq!(one.renew(&all[2..], LONG)?, expected[1..], "what is not asked for is not answered");
    }

    /// A claim of any length lasts as long as it is renewed in time.
    [Renew]
    fn a_renewed_lease_goes_on(one, other) {
        one.insert(&[waiting(1), waiting(2)], Durability::Buffered)?;
        assert_eq!(claim(one, 1, LONG)?.len(), 1);
        one.renew(&ids([waiting(1).id]), Duration::from_mins(1))?;
        assert_eq!(one.renew(&ids([waiting(1).id]), LONG)?.len(), 1);
        let running = waiting(1).apply(Event::Start, at(5))?;
        one.replace(&running, Durability::Buffered)?;
        assert_eq!(claim(other, 10, LONG)?, [waiting(2)]);
        write(one, key(&running, 0), 0, 3, 1)?;
    }

    /// A claimant that leaves one of its jobs out of a renewal loses that job, and keeps the others.
    [Renew]
    fn a_renewal_leaves_other_leases_as_they_are(one, other; patience) {
        let (kept, forgotten) = (start(one, 1, LONG)?, start(one, 2, LONG)?);
        assert_eq!(one.renew(&ids([kept.id, forgotten.id]), SHORT)?.len(), 2);
        assert_eq!(one.renew(&ids([kept.id]), LONG)?.len(), 1);
        assert_eq!(claim_soon(other, patience)?, [forgotten]);
        write(one, key(&kept, 0), 0, 3, 1)?;
    }

    /// A release frees a waiting or a running job, and leaves jobs of other claimants alone.
    [Release]
    fn a_released_job_is_free_at_once(one, other) {
        let running = start(one, 1, LONG)?;
        one.insert(&[waiting(2), waiting(3)], Durability::Buffered)?;
        claim(one, 1, LONG)?;
        assert_eq!(claim(other, 10, LONG)?, [waiting(3)]);
        one.release(&ids([waiting(3).id, waiting(9).id]))?;
        assert_eq!(claim(one, 10, LONG)?, []);
        one.release(&ids([running.id, waiting(2).id]))?;
        assert_eq!(one.renew(&ids([running.id, waiting(2).id]), LONG)?, []);
        assert_eq!(claim(other, 10, LONG)?, [running, waiting(2)]);
    }

    /// A late renewal or release of an earlier claim does not change a later claim of the same claimant.
    [Release, Renew]
    fn a_claim_that_is_over_is_not_renewed_and_not_given_back(one, other) {
        one.insert(&[waiting(1)], Durability::Buffered)?;
        let claim_as = |token| given(one.claim(&Claim { token, ..asked(1, LONG) }));
        let [first, second] = [1, 2].map(|token| [ClaimId { job: waiting(1).id, token }]);
        assert_eq!(claim_as(1)?, [(waiting(1), false)]);
        one.release(&first)?;
        assert_eq!(claim_as(2)?, [(waiting(1), false)]);
        assert_eq!(one.renew(&first, SHORT)?, []);
        one.release(&first)?;
        assert_eq!(claim(other, 9, LONG)?, []);
        assert_eq!(one.renew(&second, LONG)?, [KnownRevision { id: waiting(1).id, revision: 0 }]);
        one.release(&second)?;
        assert_eq!(claim(other, 9, LONG)?, [waiting(1)]);
    }

    /// To every claimant, until the claim is given back or its lease ends.
    [Holder]
    fn who_holds_a_job_is_told(one, other; patience) {
        one.insert(&[waiting(1)], Durability::Buffered)?;
        let told = |store: &dyn SharedStore| store.holder(waiting(1).id);
        let held = |store: &dyn SharedStore| -> Result<_, StoreError> {
            told(store)?.ok_or_else(|| StoreError::new(ErrorKind::NotFound, "ask who holds a job", "it is held"))
        };
        assert_eq!(told(other)?, None);
        claim(one, 1, Duration::from_secs(100))?;
        let ([own, same], renewed) = ([held(one)?, held(other)?], Duration::from_secs(200));
        assert_eq!((own.is_asked, same.is_asked), (true, false));
        assert_eq!((&own.claimant, own.until), (&same.claimant, same.until));
        one.renew(&ids([waiting(1).id]), renewed)?;
        let later = held(other)?.until.since(own.until);
        assert!(later > Duration::from_secs(50) && later < renewed, "{later:?}");
        one.release(&ids([waiting(1).id]))?;
        assert_eq!(told(other)?, None);
        claim(other, 1, LONG)?;
        let next = held(other)?;
        assert!(next.is_asked && next.claimant != own.claimant);
        other.renew(&ids([waiting(1).id]), Duration::ZERO)?;
        within(patience, "the lease ends", || Ok(told(one)?.is_none().then_some(())))?;
    }

    /// Every kind of end, by every caller, ends the claim.
    [ClaimEnds]
    fn the_end_of_a_job_ends_its_claim(one, other) {
        let [succeeded, failed] = [start(one, 1, LONG)?, start(one, 2, LONG)?];
        one.insert(&[waiting(3)], Durability::Buffered)?;
        claim(one, 1, LONG)?;
        let result = JobResult::default();
        let done = succeeded.apply(Event::Succeed(result.size()), at(7))?;
        one.complete(&[(&done, &result)], Durability::Buffered)?;
        one.replace(&failed.apply(Event::Fail(failure()), at(7))?, Durability::Buffered)?;
        other.replace(&waiting(3).apply(Event::Cancel, at(7))?, Durability::Buffered)?;
        assert_eq!(one.renew(&ids([succeeded.id, failed.id, waiting(3).id]), LONG)?, []);
        assert_eq!(claim(other, 10, LONG)?, []);
        assert!(other.remove(done.id)?);
    }

    /// Other claimants get news when a job is submitted, cancelled, waits again or ends.
    [News]
    fn what_others_do_is_heard(one, other; patience) {
        other.wait(Duration::from_millis(1))?;
        one.insert(&[waiting(1), waiting(2)], Durability::Buffered)?;
        hear(other, patience)?;
        claim(other, 1, LONG)?;
        let running = waiting(1).apply(Event::Start, at(5))?;
        other.replace(&running, Durability::Buffered)?;
        one.wait(Duration::from_millis(1))?;
        let again = running.apply(Event::Requeue(failure(), None), at(6))?;
        other.replace(&again, Durability::Buffered)?;
        hear(one, patience)?;
        let running = again.apply(Event::Start, at(7))?;
        other.replace(&running, Durability::Buffered)?;
        hear_no_more(other, patience)?;
        let cancelling = running.apply(Event::Cancel, at(8))?;
        one.replace(&cancelling, Durability::Buffered)?;
        hear(other, patience)?;
        hear_no_more(one, patience)?;
        other.complete(&[(&cancelling.apply(Event::Succeed(JobResult::default().size()), at(9))?, &JobResult::default())], Durability::Buffered)?;
        hear(one, patience)?;
        one.replace(&waiting(2).apply(Event::Cancel, at(9))?, Durability::Buffered)?;
        hear(other, patience)?;
    }

    /// A wake ends a wait, whether it comes before the wait or during it.
    [Wake]
    fn a_wake_ends_a_wait(one, _other; patience) {
        // The wait is bounded, so that a lost wake fails the law and does not block it.
        let longer = patience * 2;
        for before in [true, false] {
            thread::scope(|scope| {
                if before {
                    one.wake();
                }
                let waits = scope.spawn(|| one.wait(longer));
                within(patience, "a wait that is woken ends", || {
                    if !before {
                        one.wake();
                    }
                    Ok(waits.is_finished().then_some(()))
                })?;
                waits.join().unwrap_or_else(|panic| panic::resume_unwind(panic))?;
                Ok::<_, Broken>(())
            })?;
        }
    }

    /// The answer has the listed jobs whose revision changed, and those that were removed.
    [Changed]
    fn what_has_changed_is_told(one, other) {
        let running = start(one, 1, LONG)?;
        one.insert(&[waiting(2), waiting(3)], Durability::Buffered)?;
        let known = [1, 2, 3, 4].map(|n| KnownRevision { id: waiting(n).id, revision: 0 });
        let mut changed = other.changed(&known)?;
        changed.sort_by_key(|(id, _)| *id);
        assert_eq!(changed, [(running.id, Some(running)), (waiting(4).id, None)]);
        assert_eq!(other.changed(&known[1..3])?, []);
        assert_eq!(other.changed(&[])?, []);
        // The known revision may be greater than the stored one.
        let never = KnownRevision { id: waiting(2).id, revision: 7 };
        assert_eq!(other.changed(&[known[2], never])?, [(never.id, Some(waiting(2)))]);
    }

    /// The next claimant starts the job after the lease of the first one.
    [ClaimRecord, LeaseEnds]
    fn whoever_dies_between_a_claim_and_a_start_delays_the_job_only(one, other; patience) {
        one.insert(&[waiting(1)], Durability::Buffered)?;
        assert_eq!(claim(one, 1, SHORT)?, [waiting(1)]);
        assert_eq!(claim_soon(other, patience)?, [waiting(1)]);
        let running = waiting(1).apply(Event::Start, at(5))?;
        assert_eq!(one.replace(&running, Durability::Buffered).map_err(kind), Err(ErrorKind::Fenced));
        other.replace(&running, Durability::Buffered)?;
        assert_eq!(one.get(running.id)?, Some(running));
    }

    /// Several claimants claim a few jobs at a time, at the same time.
    [ClaimOnce]
    fn two_claimants_never_get_the_same_job(in fixture) {
        let stores = [fixture.open(), fixture.open(), fixture.open(), fixture.open()];
        let jobs: Vec<_> = (1..=200).map(waiting).collect();
        stores[0].insert(&jobs, Durability::Buffered)?;
        let claimed = thread::scope(|scope| {
            let claimants: Vec<_> = stores.iter().map(|store| scope.spawn(|| claim_all(&**store))).collect();
            let joined =
                claimants.into_iter().map(|one| one.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        let ids: Vec<JobId> = claimed.into_iter().flatten().collect();
        assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (200, 200));
    }
}

/// Claims until three claims in a row have found nothing, since a claim may skip jobs that another claim has
/// locked.
fn claim_all(store: &dyn SharedStore) -> Result<Vec<JobId>, StoreError> {
    let (mut ids, mut empty) = (Vec::new(), 0);
    // Ends also if the store gives the same jobs again and again.
    while empty < 3 && ids.len() <= 200 {
        let claimed = claim(store, 7, LONG)?;
        empty = if claimed.is_empty() { empty + 1 } else { 0 };
        ids.extend(claimed.iter().map(|record| record.id));
    }
    Ok(ids)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn kind(error: StoreError) -> ErrorKind {
    error.kind
}

fn in_an_hour() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(now + Duration::from_hours(1))
}

fn failure() -> Failure {
    Failure::new(FailureKind::Handler, "no")
}

fn claim(store: &dyn SharedStore, limit: usize, lease: Duration) -> Result<Vec<JobRecord>, StoreError> {
    records(store.claim(&asked(limit, lease)))
}

fn asked(limit: usize, lease: Duration) -> Claim<'static> {
    static KINDS: LazyLock<[JobKind; 1]> = LazyLock::new(|| [JobKind::Algorithm("pagerank".to_owned())]);
    Claim::new(&*KINDS, limit, lease)
}

/// The ids of the claims that [`claim`] makes on these jobs.
fn ids<const N: usize>(jobs: [JobId; N]) -> [ClaimId; N] {
    jobs.map(|job| ClaimId { job, token: 0 })
}

/// A claim that starts the jobs that a claim may start.
fn starting(limit: usize, token: u64) -> Claim<'static> {
    Claim { start: Some(at(9)), token, ..asked(limit, LONG) }
}

/// The claimed records, each with whether the claim has started the job.
fn given(claimed: Result<Vec<Claimed>, StoreError>) -> Result<Vec<(JobRecord, bool)>, StoreError> {
    Ok(claimed?.into_iter().map(|claimed| (claimed.record, claimed.started)).collect())
}

fn records(claimed: Result<Vec<Claimed>, StoreError>) -> Result<Vec<JobRecord>, StoreError> {
    Ok(claimed?.into_iter().map(|claimed| claimed.record).collect())
}

/// Claims one job as soon as its lease has ended.
fn claim_soon(store: &dyn SharedStore, patience: Duration) -> Result<Vec<JobRecord>, Broken> {
    within(patience, "a job whose lease ends is claimed", || {
        Ok(Some(claim(store, 1, LONG)?).filter(|claimed| !claimed.is_empty()))
    })
}

/// Inserts, claims and starts the `n`-th job.
fn start(store: &dyn SharedStore, n: u64, lease: Duration) -> Result<JobRecord, Broken> {
    store.insert(&[waiting(n)], Durability::Buffered)?;
    assert_eq!(claim(store, 1, lease)?, [waiting(n)]);
    let running = waiting(n).apply(Event::Start, at(n * 1_000 + 1))?;
    store.replace(&running, Durability::Buffered)?;
    Ok(running)
}

/// Waits until the leases of a claimant on all its jobs have ended; `running` is one of the jobs.
fn end_leases(store: &dyn SharedStore, running: &JobRecord, patience: Duration) -> Result<(), Broken> {
    let unfinished = store.unfinished()?;
    // Laws use these tokens for claims.
    let claims = unfinished.iter().flat_map(|record| (0..10).map(|token| ClaimId { job: record.id, token }));
    store.renew(&claims.collect::<Vec<_>>(), SHORT)?;
    within(patience, "a lease ends", || match store.save_checkpoint(running.id, running.attempt, b"still there") {
        Ok(()) => Ok(None),
        Err(error) if error.kind == ErrorKind::Fenced => Ok(Some(())),
        Err(error) => Err(error.into()),
    })
}

/// Waits until a change is announced.
fn hear(store: &dyn SharedStore, patience: Duration) -> Result<(), Broken> {
    within(patience, "something is heard", || Ok(store.wait(Duration::from_millis(100))?.then_some(())))
}

/// Waits until no change is announced any more.
fn hear_no_more(store: &dyn SharedStore, patience: Duration) -> Result<(), Broken> {
    within(patience, "nothing is heard any more", || Ok((!store.wait(Duration::from_millis(20))?).then_some(())))
}

/// Checks that a claimant without the claim can change nothing of a running job, nor can a writer that was opened
/// earlier.
fn assert_all_fenced(
    store: &dyn SharedStore,
    running: &JobRecord,
    writer: Option<Box<dyn SegmentWriter>>,
) -> Result<(), Broken> {
    assert!(matches!(running.state, JobState::Running { .. }));
    let before = store.get(running.id)?;
    let rows = key(running, 2);
    let mut refused = vec![store.segment(rows).map(drop)];
    if let Some(mut writer) = writer {
        let mut block = BlockBuilder::new(key(running, 1));
        block.push(&1)?;
        refused.push(writer.append(block.seal()));
        refused.push(writer.finish().map(drop));
    }
    refused.push(store.save_checkpoint(running.id, running.attempt, b"too late"));
    refused.push(store.save_failures(running.id, running.attempt, &[]));
    let ends = [Event::Fail(failure()), Event::Requeue(failure(), None), Event::Requeue(failure(), Some(at(99)))];
    for event in ends {
        refused.push(store.replace(&running.apply(event, at(50))?, Durability::Buffered));
    }
    let result = JobResult::default();
    let done = running.apply(Event::Succeed(result.size()), at(51))?;
    refused.push(store.complete(&[(&done, &result)], Durability::Buffered));
    refused.push(store.complete(&[(&done, &result)], Durability::Synced));
    for (number, outcome) in refused.into_iter().enumerate() {
        assert_eq!(outcome.map_err(kind), Err(ErrorKind::Fenced), "write {number}");
    }
    assert_eq!(store.get(running.id)?, before);
    assert_eq!(store.result(running.id)?, None);
    Ok(())
}
