//! Lists by a filter in PostgreSQL, and the order of last use.

use std::cmp::Reverse;

use job_core::{JobFilter, JobId, JobRecord, JobState, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{Call, PostgresStore, column, entry, id_column, kind_bytes, signed, state_number, uuid};
use crate::{
    Kept, LeastUsed, Listed, StoreError, codec,
    contract::{self, Term},
};

/// Jobs no newer than `$3`, at most `$4` of each source. One source is the complete jobs that have the term `$1` and
/// one of the outcomes `$2`. The others are the unfinished ones in one of the states `$5`, and the complete ones whose
/// terms are unknown.
macro_rules! page {
    ($finished:literal) => {
        concat!(
            "
    (SELECT f.id, f.record, NULL::bigint, 0 FROM unnest($2::smallint[]) AS e (outcome) CROSS JOIN LATERAL (",
            $finished,
            "
    ) f ORDER BY f.id DESC LIMIT $4)
    UNION ALL
    (SELECT job, record, started, 1 FROM queue
    WHERE job <= $3 AND state = ANY ($5::smallint[]) ORDER BY job DESC LIMIT $4)
    UNION ALL
    (SELECT id, record, NULL::bigint, 2 FROM finished
    WHERE graph IS NULL AND greatest(id) <= $3 ORDER BY greatest(id) DESC LIMIT $4)"
        )
    };
}

const BY_GRAPH: &str = page!(
    "
        SELECT id, record FROM finished WHERE graph = $1 AND outcome = e.outcome AND greatest(id) <= $3
        ORDER BY greatest(id) DESC LIMIT $4"
);
const BY_KIND: &str = page!(
    "
        SELECT id, record FROM finished WHERE kind = $1 AND outcome = e.outcome AND greatest(id) <= $3
        ORDER BY greatest(id) DESC LIMIT $4"
);
const BY_OWNER: &str = page!(
    "
        SELECT id, record FROM finished WHERE owner = $1 AND outcome = e.outcome AND greatest(id) <= $3
        ORDER BY greatest(id) DESC LIMIT $4"
);
const BY_LABEL: &str = page!(
    "
        SELECT job.id, job.record FROM (
            SELECT job FROM labels WHERE label = $1 AND outcome = e.outcome AND job <= $3 ORDER BY job DESC LIMIT $4
        ) labelled CROSS JOIN LATERAL (SELECT id, record FROM finished WHERE id = labelled.job OFFSET 0) job"
);
/// Every job has a kind, and there are few kinds. The statement looks the kinds up one after the other.
const BY_STATE: &str = page!(
    "
        WITH RECURSIVE kinds AS (
            (SELECT kind FROM finished WHERE kind >= $1 ORDER BY kind LIMIT 1)
            UNION ALL
            SELECT next.kind FROM kinds CROSS JOIN LATERAL (
                SELECT kind FROM finished WHERE kind > kinds.kind ORDER BY kind LIMIT 1
            ) next
        )
        SELECT found.id, found.record FROM kinds CROSS JOIN LATERAL (
            SELECT id, record FROM finished WHERE kind = kinds.kind AND outcome = e.outcome AND greatest(id) <= $3
            ORDER BY greatest(id) DESC LIMIT $4
        ) found"
);

const LEAST_USED: &str = "
    SELECT id, greatest(ended, last_read), bytes FROM finished
    WHERE (bytes > 0) = $1 AND NOT pinned AND (greatest(ended, last_read), id) > ($2::bigint, $3::uuid)
    ORDER BY greatest(ended, last_read), id LIMIT $4";

const KEPT: &str =
    "SELECT sum(jobs)::bigint, least(coalesce(sum(bytes), 0), 9223372036854775807)::bigint FROM kept";

/// Replaces many rows by one. Connections that run this at the same time replace different rows.
const GATHER: &str = "
    WITH gone AS (
        DELETE FROM kept WHERE id = ANY (ARRAY(SELECT id FROM kept ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED))
        RETURNING jobs, bytes
    )
    INSERT INTO kept (jobs, bytes) SELECT sum(jobs), sum(bytes) FROM gone HAVING count(*) > 0";

const UNREAD: &str = "
    SELECT id, record FROM finished WHERE graph IS NULL AND greatest(id) <= $1 ORDER BY greatest(id) DESC LIMIT 500";

/// Fills the columns that an earlier version of the tables did not have.
const FILL: &str = "
    WITH told AS (
        SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::smallint[], $5::bytea[], $6::bigint[], $7::bigint[])
            AS told (id, graph, kind, outcome, owner, bytes, ended)
    ), filled AS (
        UPDATE finished f
        SET graph = told.graph, kind = told.kind, outcome = told.outcome, owner = told.owner, bytes = told.bytes,
            ended = told.ended
        FROM told
        WHERE f.id = ANY (ARRAY[told.id]) AND CASE WHEN f.graph IS NULL THEN true ELSE f.outcome IS NULL END
        RETURNING f.id, f.bytes, f.pinned
    ), counted AS (
        INSERT INTO kept (jobs, bytes) SELECT count(*), coalesce(sum(bytes), 0) FROM filled WHERE NOT pinned
    )
    INSERT INTO labels (label, outcome, job)
    SELECT label, outcome, job FROM unnest($8::bytea[], $9::smallint[], $10::uuid[]) AS labelled (label, outcome, job)
    WHERE EXISTS (SELECT FROM filled WHERE filled.id = job) ON CONFLICT DO NOTHING";

/// The stored columns of complete jobs beside their records.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) ids: Vec<Uuid>,
    pub(super) graphs: Vec<Vec<u8>>,
    pub(super) kinds: Vec<Vec<u8>>,
    pub(super) outcomes: Vec<i16>,
    pub(super) owners: Vec<Option<Vec<u8>>>,
    pub(super) bytes: Vec<i64>,
    pub(super) ended: Vec<i64>,
    /// Each label, with the outcome of its job and the job in the next two columns.
    pub(super) labels: Vec<Vec<u8>>,
    pub(super) label_outcomes: Vec<i16>,
    pub(super) labelled: Vec<Uuid>,
}

impl Ends {
    pub(super) fn of<'r>(records: impl Iterator<Item = &'r JobRecord>) -> Self {
        let mut ends = Self::default();
        for record in records {
            let Some(outcome) = contract::outcome(record).map(contract::outcome_number).map(i16::from) else {
                continue;
            };
            let options = record.spec.options();
            ends.ids.push(uuid(record.id));
            ends.graphs.push(record.spec.graph().into());
            ends.kinds.push(kind_bytes(record.spec.kind()));
            ends.outcomes.push(outcome);
            ends.owners.push(options.owner.as_deref().map(Into::into));
            ends.bytes.push(signed(record.size.bytes));
            ends.ended.push(contract::last_used(record, None).map_or(0, |time| signed(time.as_micros())));
            for label in &options.labels {
                ends.labels.push(label.as_bytes().into());
                ends.label_outcomes.push(outcome);
                ends.labelled.push(uuid(record.id));
            }
        }
        ends
    }
}

impl PostgresStore {
    /// A page of a filtered list. The result of a statement is of one moment, and the jobs left for the next
    /// statement are older than all in it. So a job that ends meanwhile is on the page once.
    pub(super) fn filtered(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        /// A statement costs more than reading some jobs that the filter does not take.
        const LEAST: usize = 64;
        const MOST: usize = 1_000;
        let mut found = Vec::new();
        let mut newest = match before {
            None => Some(JobId::MAX),
            Some(before) => one_less(before),
        };
        while let Some(from) = newest.filter(|_| found.len() < limit) {
            let wanted = (limit - found.len()).clamp(LEAST, MOST);
            let (entries, next) = self.piece(filter, from, wanted)?;
            found.extend(
                entries
                    .into_iter()
                    .filter(|listed| listed.record.as_ref().map_or(true, |record| filter.takes(record))),
            );
            newest = next;
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Jobs that may be on the page, newest first, and where the next piece begins.
    fn piece(
        &self,
        filter: &JobFilter,
        from: JobId,
        limit: usize,
    ) -> Result<(Vec<Listed>, Option<JobId>), StoreError> {
        let call = Call::new("list");
        let (sql, term) = match Term::leading(filter) {
            Some(Term::Graph(name)) => (BY_GRAPH, name.into()),
            Some(Term::Kind(kind)) => (BY_KIND, kind_bytes(kind)),
            Some(Term::Owner(name)) => (BY_OWNER, name.into()),
            Some(Term::Label(label)) => (BY_LABEL, label.into()),
            None => (BY_STATE, Vec::new()),
        };
        let outcomes: Vec<i16> = contract::outcomes(filter).map(i16::from).collect();
        let states: Vec<i16> = JobState::ALL
            .into_iter()
            .filter(|state| filter.takes_state(*state))
            .filter_map(state_number)
            .collect();
        let rows = self.rows(call, sql, &[&term, &outcomes, &uuid(from), &signed(limit as u64), &states])?;
        let mut entries = rows.iter().map(|row| entry(call, row)).collect::<Result<Vec<_>, _>>()?;
        // A source that returned the most jobs it may return has more jobs, which are all older than the last
        // returned one.
        let mut end = None;
        for source in 0..=2 {
            let of_it = rows
                .iter()
                .zip(&entries)
                .filter_map(|(row, listed)| (column::<i32>(call, row, 3).ok()? == source).then_some(listed.id));
            let ids: Vec<JobId> = of_it.collect();
            if ids.len() >= limit {
                end = end.max(ids.into_iter().min());
            }
        }
        entries.sort_by_key(|listed| Reverse(listed.id));
        entries.retain(|listed| end.is_none_or(|end| listed.id >= end));
        Ok((entries, end.and_then(one_less)))
    }

    pub(super) fn kept_sum(&self) -> Result<Kept, StoreError> {
        let call = Call::new("count the finished jobs");
        let rows = self.rows(call, KEPT, &[])?;
        let sum = |at| -> Result<u64, StoreError> {
            let sum: Option<i64> = rows.first().map_or(Ok(None), |row| column(call, row, at))?;
            Ok(u64::try_from(sum.unwrap_or(0)).unwrap_or(0))
        };
        let kept = Kept { jobs: sum(0)?, bytes: sum(1)? };
        self.rows(call, GATHER, &[])?;
        Ok(kept)
    }

    pub(super) fn least(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        let call = Call::new("list the jobs that were used longest ago");
        let (used, id) =
            after.map_or((-1, uuid(JobId::MIN)), |after| (signed(after.used.as_micros()), uuid(after.id)));
        let mut found = Vec::new();
        for class in [false, true].into_iter().skip(usize::from(with_rows)) {
            let rows = self.rows(call, LEAST_USED, &[&class, &used, &id, &signed(limit as u64)])?;
            for row in &rows {
                let (used, bytes): (i64, i64) = (column(call, row, 1)?, column(call, row, 2)?);
                let used = Timestamp::from_micros(used.unsigned_abs());
                found.push(LeastUsed { id: id_column(call, row, 0)?, used, bytes: bytes.unsigned_abs() });
            }
        }
        found.sort_unstable_by_key(|job| (job.used, job.id));
        found.truncate(limit);
        Ok(found)
    }

    /// Now and then replaces the many rows of `kept` that ends of jobs have added by one.
    pub(super) fn gather(&self, ended: usize) {
        const OFTEN: u64 = 10_000;
        let before = self.inner.ended.fetch_add(ended as u64, std::sync::atomic::Ordering::Relaxed);
        if before / OFTEN != (before + ended as u64) / OFTEN
            && let Err(error) = self.rows(Call::new("count the finished jobs"), GATHER, &[])
        {
            tracing::debug!(%error, "the counts of finished jobs were not gathered");
        }
    }

    /// Reads the complete jobs of an earlier version, and fills the columns by which lists are filtered.
    pub(super) fn fill(&self) -> Result<(), StoreError> {
        let call = Call::opening("open the store");
        let mut from = Some(JobId::MAX);
        while let Some(newest) = from {
            let rows = self.rows(call, UNREAD, &[&uuid(newest)])?;
            let Some(last) = rows.last() else { break };
            from = one_less(id_column(call, last, 0)?);
            let read = |row: &Row| -> Result<Option<JobRecord>, StoreError> {
                let id = id_column(call, row, 0)?;
                // A record that cannot be read stays as it is.
                Ok(codec::decode_record(id, column(call, row, 1)?).ok())
            };
            let records = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
            let ends = Ends::of(records.iter().flatten());
            if !ends.ids.is_empty() {
                let Ends { ids, graphs, kinds, outcomes, owners, bytes, ended, labels, label_outcomes, labelled } =
                    ends;
                self.rows(
                    call,
                    FILL,
                    &[
                        &ids,
                        &graphs,
                        &kinds,
                        &outcomes,
                        &owners,
                        &bytes,
                        &ended,
                        &labels,
                        &label_outcomes,
                        &labelled,
                    ],
                )?;
            }
        }
        Ok(())
    }
}

/// The greatest id below `id`; `None` for the least id.
fn one_less(id: JobId) -> Option<JobId> {
    let number = u128::from_be_bytes(*id.as_bytes()).checked_sub(1)?;
    Some(JobId::from_bytes(number.to_be_bytes()))
}
