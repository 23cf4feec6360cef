//! [`Ahead`]: where a claim begins in the queue, when many entries of jobs that are gone lie at its front.
//!
//! A claimed job leaves an entry in the index of waiting jobs until a vacuum removes it. An open snapshot
//! (`pg_dump`) keeps all these entries in front of the waiting jobs, and each claim reads every one. Then claims
//! begin at the first job that the last claim found. Such a claim misses a job that another engine puts back with
//! a lower id. So a claim reads everything again at least every 5 s.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::LazyLock,
    time::{Duration, Instant},
};

use job_core::{JobRecord, JobState};
use uuid::Uuid;

use super::{kind_bytes, sharing::CLAIM, uuid};

/// A claim that takes longer is slow. Two slow ones in a row show that dead entries are in the way.
const SLOW: Duration = Duration::from_millis(20);
/// The time between two claims that read everything. The maximum also bounds it after a claim that was slow
/// because of a network or a paused process.
const PATIENCE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5);

/// `CLAIM` that reads, for each kind, the jobs above a priority, then those of that priority from an id on, then
/// those below. It reads on only while it has too few. It does not take jobs whose lease has ended, because their
/// index has dead entries too.
pub(super) static CLAIM_AHEAD: LazyLock<String> = LazyLock::new(|| ahead(CLAIM));

fn ahead(claim: &str) -> String {
    const KINDS: &str = "unnest($1::bytea[]) AS kinds (kind) CROSS JOIN LATERAL (";
    const ENDED: &str = "WHERE q.until <= now() AND";
    let Some((head, rest)) = claim.split_once(KINDS) else { return claim.to_owned() };
    let Some((look, tail)) = rest.split_once(") best") else { return claim.to_owned() };
    let part = |condition: &str| {
        format!("SELECT * FROM ({}) part", look.replacen("ORDER BY", &format!("AND {condition} ORDER BY"), 1))
    };
    let parts = [
        part("q.priority > kinds.priority"),
        part("q.priority = kinds.priority AND q.job >= kinds.job"),
        part("q.priority < kinds.priority"),
    ];
    format!(
        "{head}unnest($1::bytea[], $10::smallint[], $11::uuid[]) AS kinds (kind, priority, job) \
            CROSS JOIN LATERAL (SELECT * FROM ({}) parts LIMIT $4) best{}",
        parts.join(" UNION ALL "),
        tail.replacen(ENDED, "WHERE false AND", 1)
    )
}

/// A place in the order of a kind's jobs: its priority and its id.
pub(super) type Place = (i16, Uuid);

/// Decides where the next claim begins. Pure.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// How many claims in a row that read everything were slow.
    slow: u32,
    /// Until when claims begin at the noted places.
    until: Option<Instant>,
    places: HashMap<Vec<u8>, Place>,
}

impl Ahead {
    /// The place of each kind. `None` if the claim has to read the whole queue.
    pub(super) fn places(&self, kinds: &[Vec<u8>], now: Instant) -> Option<Vec<Place>> {
        if self.until.is_none_or(|until| now >= until) {
            return None;
        }
        // A kind without a place is read from its beginning.
        let place = |kind| self.places.get(kind).copied().unwrap_or((i16::MIN, Uuid::nil()));
        Some(kinds.iter().map(place).collect())
    }

    /// Whether [`Ahead::note`] has to be called for a claim.
    pub(super) fn wants(&self, whole: bool, took: Duration) -> bool {
        !whole || took >= SLOW || self.slow > 0
    }

    /// Notes the jobs that a claim found, and how long it took.
    pub(super) fn note(&mut self, whole: bool, took: Duration, now: Instant, found: &[(Vec<u8>, Place)]) {
        match (whole, took >= SLOW) {
            (true, true) => {
                self.slow += 1;
                let pause = took.saturating_mul(10).clamp(*PATIENCE.start(), *PATIENCE.end());
                self.until = (self.slow > 1).then(|| now + pause);
            }
            (false, false) => {}
            // Either the dead entries are gone, or something else is slow.
            (true, false) | (false, true) => return self.forget(),
        }
        for (kind, place) in first_of_the_lowest(found) {
            self.places.insert(kind, place);
        }
    }

    /// Notes jobs that wait. If one of them is before the place of its kind, the next claim reads everything.
    pub(super) fn back(&mut self, records: &[JobRecord]) {
        let is_before = |record: &JobRecord| {
            let place = self.places.get(&kind_bytes(record.spec.kind()));
            record.state == JobState::Waiting && place.is_some_and(|(_, job)| uuid(record.id) < *job)
        };
        if self.until.is_some() && records.iter().any(is_before) {
            self.forget();
        }
    }

    /// Forgets all places, so that the next claim reads everything.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// The first job of the lowest found priority, for each kind. All jobs before it were found.
fn first_of_the_lowest(found: &[(Vec<u8>, Place)]) -> HashMap<Vec<u8>, Place> {
    let mut first: HashMap<Vec<u8>, Place> = HashMap::new();
    for (kind, (priority, job)) in found {
        let place = first.entry(kind.clone()).or_insert((*priority, *job));
        if *priority < place.0 || (*priority == place.0 && *job < place.1) {
            *place = (*priority, *job);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use job_core::{JobId, JobSpec, Timestamp};

    use super::*;

    const FAST: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_millis(500);
    const EVERYTHING: Place = (i16::MIN, Uuid::nil());

    fn job(n: u64) -> JobRecord {
        let now = Timestamp::from_micros(n * 1_000);
        JobRecord::waiting(JobId::from_parts(now, [0; 10]), JobSpec::vertex_filter().with_graph("movies"), now)
    }

    fn id(n: u64) -> Uuid {
        uuid(job(n).id)
    }

    fn kinds() -> [Vec<u8>; 2] {
        [b"v".to_vec(), b"e".to_vec()]
    }

    /// The state after two slow claims. They found vertex filters of two priorities.
    fn further_on(now: Instant) -> Ahead {
        let mut ahead = Ahead::default();
        let [v, _] = kinds();
        let found = [(v.clone(), (5, id(9))), (v.clone(), (0, id(3))), (v, (0, id(4)))];
        ahead.note(true, LONG, now, &found);
        assert_eq!(ahead.places(&kinds(), now), None);
        ahead.note(true, LONG, now, &found);
        assert_eq!(ahead.places(&kinds(), now), Some(vec![(0, id(3)), EVERYTHING]));
        ahead
    }

    #[test]
    fn the_claim_that_begins_further_on_is_made_of_the_other() {
        let sql = CLAIM_AHEAD.as_str();
        assert_eq!(
            sql.matches("FOR UPDATE SKIP LOCKED").count(),
            CLAIM.matches("FOR UPDATE SKIP LOCKED").count() + 2
        );
        assert!(sql.contains("q.priority = kinds.priority AND q.job >= kinds.job"), "{sql}");
        assert!(sql.contains("WHERE false AND q.kind"), "{sql}");
        assert!(!CLAIM.contains("$10"), "{CLAIM}");
    }

    #[test]
    fn claims_begin_further_on_only_while_it_is_slow_to_look_at_everything() {
        let now = Instant::now();
        let [v, _] = kinds();
        let mut ahead = further_on(now);
        ahead.note(false, FAST, now, &[(v, (0, id(7)))]);
        assert_eq!(ahead.places(&kinds(), now), Some(vec![(0, id(7)), EVERYTHING]));
        // The pause is ten times the duration of the claim, so reading everything takes a tenth of the time.
        assert!(ahead.places(&kinds(), now + LONG * 9).is_some());
        assert_eq!(ahead.places(&kinds(), now + LONG * 10), None);
        // After a claim that was held up for long, the pause is at most the maximum.
        let mut held = further_on(now);
        held.note(true, LONG * 60, now, &[]);
        assert_eq!(held.places(&kinds(), now + LONG * 10), None);
        // The claim is slow although it began further on, so dead entries are not the cause.
        ahead.note(false, LONG, now, &[]);
        assert_eq!(ahead.places(&kinds(), now), None);
        let mut ahead = further_on(now);
        ahead.note(true, FAST, now, &[]);
        assert_eq!(ahead.places(&kinds(), now), None);
    }

    #[test]
    fn a_job_that_comes_before_the_place_is_looked_for_at_once() {
        let now = Instant::now();
        let mut ahead = further_on(now);
        ahead.back(&[job(3), job(9)]);
        assert!(ahead.places(&kinds(), now).is_some());
        ahead.back(&[job(9), job(2)]);
        assert_eq!(ahead.places(&kinds(), now), None);
    }
}
