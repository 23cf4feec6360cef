//! Records in PostgreSQL, and the calls that find jobs.

use std::{
    collections::{BTreeMap, HashSet},
    slice,
    time::Instant,
};

use job_core::{JobFilter, JobId, JobRecord, JobSpec, JobState, Outcome, Timestamp};

use super::{
    Call, PostgresStore, column, entries,
    failure::Failed,
    filtered::Ends,
    id_column,
    insert::{Columns, name_of, not_before},
    name, record, records, signed, state_number, uuid,
};
use crate::{
    Durability, ErrorKind, JobStore, Kept, LeastUsed, Listed, Pin, Seat, StoreError, Usage, codec, contract, guard,
};

/// `$6`: whether every caller may make the change, also of a claimed job.
const REPLACE: &str = "
    UPDATE queue SET revision = $2, attempt = $3, state = $4, not_before = $5, started = NULL, record = $8
    WHERE job = $1 AND revision = $2::bigint - 1
        AND ($6 OR until IS NULL OR (claimant = $7 AND until > clock_timestamp()))
    RETURNING 1";

/// `$3`: whether every caller may make the change if the job waits. `$6` to `$12`: the columns by which lists are
/// filtered. Returns whether objects are to be deleted now.
const END: &str = "
    WITH gone AS (
        DELETE FROM queue
        WHERE job = $1 AND revision = $2::bigint - 1
            AND (($3 AND state = 0) OR until IS NULL OR (claimant = $4 AND until > clock_timestamp()))
        RETURNING job, last_read, pinned
    ), rows AS (
        DELETE FROM blocks WHERE job = (SELECT job FROM gone)
    ), objects AS (
        DELETE FROM objects WHERE job = (SELECT job FROM gone)
    ), due AS (
        UPDATE uploads SET due = true, revision = revision + 1 WHERE job = (SELECT job FROM gone) RETURNING 1
    ), checkpoint AS (
        DELETE FROM checkpoints WHERE job = (SELECT job FROM gone)
    ), labelled AS (
        INSERT INTO labels (label, outcome, job) SELECT label, $7::smallint, job FROM unnest($12::bytea[]) AS l (label), gone
    ), counted AS (
        INSERT INTO kept (jobs, bytes) SELECT 1, $10::bigint FROM gone WHERE NOT pinned
    )
    INSERT INTO finished (id, revision, record, last_read, pinned, graph, outcome, owner, kind, bytes, ended)
    SELECT job, $2, $5, last_read, pinned, $6, $7::smallint, $8, $9, $10::bigint, $11::bigint FROM gone
    RETURNING EXISTS (SELECT FROM due)";

/// Skipped jobs are read from the index only.
const LIST: &str = "
    SELECT id, record, started FROM jobs
    WHERE id <= (SELECT id FROM jobs ORDER BY id DESC OFFSET $1 LIMIT 1)
    ORDER BY id DESC LIMIT $2";
const LIST_BEFORE: &str = "
    SELECT id, record, started FROM jobs
    WHERE id <= (SELECT id FROM jobs WHERE id < $3 ORDER BY id DESC OFFSET $1 LIMIT 1)
    ORDER BY id DESC LIMIT $2";

/// Returns whether objects are to be deleted now.
const REMOVE: &str = "
    WITH gone AS (
        DELETE FROM finished WHERE id = $1 AND NOT pinned RETURNING id, graph, bytes
    ), rows AS (
        DELETE FROM blocks WHERE job = (SELECT id FROM gone)
    ), objects AS (
        DELETE FROM objects WHERE job = (SELECT id FROM gone)
    ), due AS (
        UPDATE uploads SET due = true, revision = revision + 1 WHERE job = (SELECT id FROM gone) RETURNING 1
    ), failed AS (
        DELETE FROM failures WHERE job = (SELECT id FROM gone)
    ), work AS (
        DELETE FROM works WHERE hash = $2 AND job = (SELECT id FROM gone)
    ), name AS (
        DELETE FROM names WHERE name = $3 AND job = (SELECT id FROM gone)
    ), labelled AS (
        DELETE FROM labels WHERE label = ANY ($4::bytea[]) AND outcome = $5::smallint AND job = (SELECT id FROM gone)
    ), counted AS (
        INSERT INTO kept (jobs, bytes) SELECT -1, -bytes FROM gone WHERE graph IS NOT NULL
    )
    SELECT EXISTS (SELECT FROM due) FROM gone";

/// As `REMOVE`, for a job whose record cannot be read here, in any state, unless an engine that can read it has
/// claimed it.
const REMOVE_UNREADABLE: &str = "
    WITH complete AS (
        DELETE FROM finished WHERE id = $1 AND NOT pinned RETURNING id, graph, bytes
    ), unfinished AS (
        DELETE FROM queue WHERE job = $1 AND NOT pinned AND (until IS NULL OR until <= clock_timestamp()) RETURNING job
    ), gone AS (
        SELECT id FROM complete UNION ALL SELECT job FROM unfinished
    ), rows AS (
        DELETE FROM blocks USING gone WHERE job = id
    ), checkpoint AS (
        DELETE FROM checkpoints USING gone WHERE job = id
    ), failed AS (
        DELETE FROM failures USING gone WHERE job = id
    ), objects AS (
        DELETE FROM objects USING gone WHERE objects.job = gone.id
    ), due AS (
        UPDATE uploads SET due = true, revision = uploads.revision + 1 FROM gone WHERE uploads.job = gone.id RETURNING 1
    ), work AS (
        DELETE FROM works USING gone WHERE job = id
    ), name AS (
        DELETE FROM names USING gone WHERE job = id
    ), labelled AS (
        DELETE FROM labels USING gone WHERE job = id
    ), counted AS (
        INSERT INTO kept (jobs, bytes) SELECT -1, -bytes FROM complete WHERE graph IS NOT NULL
    )
    SELECT EXISTS (SELECT FROM due) FROM gone";

/// Every job is in exactly one of the two tables.
const TOUCH: &str = "
    WITH latest AS (
        SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS latest (job, at)
    ), unfinished AS (
        UPDATE queue q SET last_read = at FROM latest WHERE q.job = ANY (ARRAY[latest.job])
    )
    UPDATE finished SET last_read = at FROM latest WHERE id = ANY (ARRAY[latest.job])";

const PIN: &str = "
    WITH unfinished AS (
        UPDATE queue SET pinned = $2 WHERE job = $1 RETURNING 1
    ), before AS (
        SELECT id, graph, bytes, pinned FROM finished WHERE id = $1 FOR UPDATE
    ), complete AS (
        UPDATE finished SET pinned = $2 WHERE id = (SELECT id FROM before) RETURNING 1
    ), counted AS (
        INSERT INTO kept (jobs, bytes)
        SELECT CASE WHEN $2 THEN -1 ELSE 1 END, CASE WHEN $2 THEN -bytes ELSE bytes END FROM before
        WHERE pinned <> $2 AND graph IS NOT NULL
    )
    SELECT FROM unfinished UNION ALL SELECT FROM complete";

impl JobStore for PostgresStore {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        Err(guard::only_shared(engine))
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        // Bounds the rounds: the job that has the key or the id may be removed before it is looked up.
        const MOST: usize = 5;
        let call = Call::new("insert").durable(durability);
        if let Some(refused) = twice(records) {
            return Err(refused);
        }
        let columns = Columns::of(records);
        let deadline = self.inner.pool.deadline();
        let mut uncertain = false;
        for _ in 0..MOST {
            let outcome = if uncertain {
                self.insert_again(call, &columns, deadline)
            } else {
                columns.insert(self, call, deadline)
            };
            match outcome {
                Ok(true) => {
                    self.inner.ahead.lock().back(records);
                    self.inner.notices.changed();
                    return self.fill_ended(records);
                }
                Ok(false) => {}
                Err(failed) if failed.is_refused() => {}
                Err(failed) if failed.is_lost() && !uncertain && Instant::now() < deadline => {
                    uncertain = true;
                    continue;
                }
                Err(failed) => return Err(failed.on(call)),
            }
            if uncertain && self.holds_all(call, records)? {
                self.inner.notices.changed();
                return self.fill_ended(records);
            }
            if let Some(refused) = self.taken(call, records)? {
                return Err(refused);
            }
            tracing::debug!("an id or key that was taken is free again");
        }
        Err(call.failed(ErrorKind::Unavailable, "an id or idempotency key is being taken and freed by others"))
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.record(Call::new("read the record").on(id), id)
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        let call = Call::new("replace the record").on(next.id).durable(durability);
        let record = codec::encode_record(next);
        let (id, revision, me) = (uuid(next.id), signed(next.revision), self.inner.claimant);
        let ran = if let Some(state) = state_number(next.state) {
            let anybody = next.state == JobState::Running { cancelling: true };
            let (attempt, not_before) = (i64::from(next.attempt), not_before(next));
            self.run(call, REPLACE, &[&id, &revision, &attempt, &state, &not_before, &anybody, &me, &record])
        } else {
            let cancelled = next.state == JobState::Complete(Outcome::Cancelled);
            let Ends { graphs, outcomes, owners, kinds, bytes, ended, labels, .. } =
                Ends::of(std::iter::once(next));
            let (Some(graph), Some(outcome), Some(owner), Some(kind), Some(bytes), Some(ended)) =
                (graphs.first(), outcomes.first(), owners.first(), kinds.first(), bytes.first(), ended.first())
            else {
                return Err(call.failed(ErrorKind::Invalid, "the record does not say how the job ended"));
            };
            self.run(
                call,
                END,
                &[&id, &revision, &cancelled, &me, &record, graph, outcome, owner, kind, bytes, ended, &labels],
            )
        };
        let ran = ran.map_err(|failed| failed.on(call))?;
        if ran.rows.is_empty() && !(ran.uncertain && self.record(call, next.id)?.as_ref() == Some(next)) {
            return Err(self.refusal(call, next)?);
        }
        #[cfg(feature = "objects")]
        self.collect_if_due(call, next.state.is_complete().then_some(&ran.rows), 0)?;
        self.inner.ahead.lock().back(slice::from_ref(next));
        self.moved(&[next]);
        self.gather(usize::from(next.state.is_complete()));
        Ok(())
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        let call = Call::new("list");
        let (skip, limit) = (signed(skip), signed(limit as u64));
        let rows = match before {
            None => self.rows(call, LIST, &[&skip, &limit]),
            Some(id) => self.rows(call, LIST_BEFORE, &[&skip, &limit, &uuid(id)]),
        };
        entries(call, &rows?)
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        let call = Call::new("list the unfinished jobs");
        let rows = self.rows(call, "SELECT job, record, started FROM queue ORDER BY job", &[])?;
        entries(call, &rows)
    }

    fn filtered_entries(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        if filter.takes_all() { self.entries(before, 0, limit) } else { self.filtered(filter, before, limit) }
    }

    fn kept(&self) -> Result<Kept, StoreError> {
        self.kept_sum()
    }

    fn least_used(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        self.least(with_rows, after, limit)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        let call = Call::new("remove the record").on(id);
        loop {
            let rows =
                self.rows(call, "SELECT id, record, started, pinned FROM jobs WHERE id = $1", &[&uuid(id)])?;
            let Some(row) = rows.first() else { return Ok(false) };
            let record = match record(call, row) {
                Err(error) if error.kind == ErrorKind::Corrupt => return self.remove_unreadable(call, id),
                found => found?,
            };
            contract::check_removable(&record, column(call, row, 3)?)?;
            let (hash, name) = (contract::work_hash(&record.spec).map(Vec::from), name_of(&record));
            let Ends { labels, outcomes, .. } = Ends::of(std::iter::once(&record));
            let outcome = outcomes.first().copied();
            let ran = self
                .run(call, REMOVE, &[&uuid(id), &hash, &name, &labels, &outcome])
                .map_err(|failed| failed.on(call))?;
            if !ran.rows.is_empty() || ran.uncertain && self.record(call, id)?.is_none() {
                #[cfg(feature = "objects")]
                self.collect_if_due(call, Some(&ran.rows), 0)?;
                return Ok(true);
            }
            // The job was removed or pinned meanwhile, which the next round sees.
        }
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        let call = Call::new("find the idempotency key");
        let rows = self.rows(call, "SELECT job FROM names WHERE name = $1", &[&name(graph, key)])?;
        rows.first().map(|row| id_column(call, row, 0)).transpose()
    }

    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        const FIND: &str = "
            SELECT id, record, NULL::bigint FROM finished WHERE id = (SELECT job FROM works WHERE hash = $1)";
        let call = Call::new("find a finished job");
        let Some(hash) = contract::work_hash(spec) else { return Ok(None) };
        let found = records(call, &self.rows(call, FIND, &[&hash.as_slice()])?)?;
        Ok(found.iter().find(|record| record.spec.is_same_work(spec)).map(|record| record.id))
    }

    fn record_reads(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        let latest: BTreeMap<_, _> = reads.iter().map(|(id, at)| (uuid(*id), signed(at.as_micros()))).collect();
        let (ids, times): (Vec<_>, Vec<_>) = latest.into_iter().unzip();
        self.rows(Call::new("note when results were read"), TOUCH, &[&ids, &times]).map(drop)
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        let call = Call::new("pin").on(id).durable(Durability::Synced);
        let keep = pin == Pin::Keep;
        // A job that ends at this moment is in neither table for this statement. The next statement finds it.
        while self.rows(call, PIN, &[&uuid(id), &keep])?.is_empty() {
            if self.record(call, id)?.is_none() {
                return Err(contract::no_such_job(id, call.operation));
            }
        }
        Ok(())
    }

    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
        const USAGE: &str = "
            SELECT last_read, coalesce(pinned, false)
            FROM unnest($1::uuid[]) WITH ORDINALITY AS known (id, place) LEFT JOIN LATERAL (
                SELECT last_read, pinned FROM jobs WHERE jobs.id = known.id OFFSET 0
            ) job ON true
            ORDER BY place";
        let call = Call::new("read what keeps jobs");
        let ids: Vec<_> = jobs.iter().copied().map(uuid).collect();
        let usage =
            |row| Ok(Usage { last_read: column(call, row, 0).map(timestamp)?, pinned: column(call, row, 1)? });
        self.rows(call, USAGE, &[&ids])?.iter().map(usage).collect()
    }
}

impl PostgresStore {
    /// Fills the columns by which lists are filtered, for jobs that are inserted as complete. Until then lists
    /// find them as jobs of an earlier version.
    fn fill_ended(&self, records: &[JobRecord]) -> Result<(), StoreError> {
        if records.iter().any(|record| record.state.is_complete()) { self.fill() } else { Ok(()) }
    }

    /// Notifies other engines of changes that concern them.
    pub(super) fn moved(&self, records: &[&JobRecord]) {
        // A start concerns no other engine.
        if records.iter().any(|record| record.state != JobState::Running { cancelling: false }) {
            self.inner.notices.changed();
        }
    }

    /// Removes a job that cannot be read here.
    fn remove_unreadable(&self, call: Call, id: JobId) -> Result<bool, StoreError> {
        let ran = self.run(call, REMOVE_UNREADABLE, &[&uuid(id)]).map_err(|failed| failed.on(call))?;
        if !ran.rows.is_empty() {
            #[cfg(feature = "objects")]
            self.collect_if_due(call, Some(&ran.rows), 0)?;
            self.inner.unreadable.lock().remove(&id);
            return Ok(true);
        }
        let pinned = self.usage(&[id])?.iter().any(|usage| usage.pinned);
        contract::check_unreadable_removable(id, pinned)?;
        if self.rows(call, "SELECT 1 FROM jobs WHERE id = $1", &[&uuid(id)])?.is_empty() {
            return Ok(false);
        }
        Err(call.failed(
            ErrorKind::Invalid,
            "it cannot be read here, and another engine has claimed it: cancel it there",
        ))
    }

    /// The error for a compare-and-set of `next` that changed nothing.
    pub(super) fn refusal(&self, call: Call, next: &JobRecord) -> Result<StoreError, StoreError> {
        let call = call.on(next.id);
        let found = self.record(call, next.id)?;
        if let Err(refused) =
            contract::check_revision(found.as_ref().map(|found| found.revision), next, call.operation)
        {
            return Ok(refused);
        }
        Ok(match found {
            Some(found) if found.state.is_complete() => call.failed(ErrorKind::Conflict, "the job is complete"),
            _ => self.no_lease(call),
        })
    }

    pub(super) fn no_lease(&self, call: Call) -> StoreError {
        call.failed(
            ErrorKind::Fenced,
            format!("its lease is not, or no longer, that of claimant {}", self.inner.claimant),
        )
    }

    /// The error about the first record of a refused batch whose key or id is taken. Frees keys that their jobs no
    /// longer hold.
    fn taken(&self, call: Call, records: &[JobRecord]) -> Result<Option<StoreError>, StoreError> {
        for record in records {
            if let Some(key) = &record.spec.options().idempotency_key
                && let Some(job) = self.find_key(record.spec.graph(), key)?
            {
                if self.get(job)?.is_some_and(|holder| contract::holds_key(&holder)) {
                    return Ok(Some(contract::key_taken(job, key)));
                }
                // The holder has ended for good. The deletion does nothing if another job has taken the key
                // meanwhile.
                self.rows(
                    call,
                    "DELETE FROM names WHERE name = $1 AND job = $2",
                    &[&name_of(record), &uuid(job)],
                )?;
            }
            if !self.rows(call, "SELECT 1 FROM jobs WHERE id = $1", &[&uuid(record.id)])?.is_empty() {
                return Ok(Some(id_taken(record.id)));
            }
        }
        Ok(None)
    }

    /// As [`Columns::insert`], when these jobs may be stored already. An earlier insertion that is still running
    /// comes first, and one of its jobs may end before this statement looks for its id. So a second statement
    /// looks for the ids again.
    fn insert_again(&self, call: Call, columns: &Columns, deadline: Instant) -> Result<bool, Failed> {
        const ENDED: &str = "SELECT 1 FROM finished WHERE id = ANY ($1) LIMIT 1";
        self.inner.pool.with(call, deadline, |connection| {
            connection.transact(
                call.durability,
                deadline,
                |inserted| *inserted,
                |connection| {
                    let inserted = columns.insert_on(connection, call, deadline)?;
                    let found = connection.query(call.durability, ENDED, &[&columns.ids], deadline)?;
                    Ok(inserted && found.is_empty())
                },
            )
        })
    }

    /// Whether all jobs of a batch are stored, in any state. Then only the answer was lost.
    fn holds_all(&self, call: Call, new: &[JobRecord]) -> Result<bool, StoreError> {
        for new in new {
            let same = |found: JobRecord| found.spec == new.spec && found.submitted_at == new.submitted_at;
            if !self.record(call, new.id)?.is_some_and(same) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn id_taken(id: JobId) -> StoreError {
    StoreError::new(ErrorKind::AlreadyExists, "insert", "the id is taken").on(id)
}

/// The error about a batch that holds an id or a key twice.
fn twice(records: &[JobRecord]) -> Option<StoreError> {
    let mut ids = HashSet::new();
    let mut names = BTreeMap::new();
    for record in records {
        if let Some(key) = &record.spec.options().idempotency_key
            && let Some(job) = names.insert((record.spec.graph(), key), record.id)
        {
            return Some(contract::key_taken(job, key));
        }
        if !ids.insert(record.id) {
            return Some(id_taken(record.id));
        }
    }
    None
}

fn timestamp(micros: Option<i64>) -> Option<Timestamp> {
    Some(Timestamp::from_micros(micros?.unsigned_abs()))
}
