//! Claims and leases in PostgreSQL.

use std::time::{Duration, Instant};

use job_core::{JobId, JobRecord, Timestamp};
use uuid::Uuid;

use super::{
    Call, Connection, Parameters, PostgresStore, Row,
    ahead::{CLAIM_AHEAD, Place},
    column, entry,
    failure::Failed,
    id_column, kind_bytes,
    schema::{self, FOUND, VERSION},
    signed, uuid,
};
use crate::{Claim, ClaimId, Claimed, ErrorKind, Holder, KnownRevision, Listed, Seat, SharedStore, StoreError};

/// Claims jobs. It locks the best jobs of each kind, and those whose lease has ended, in the order of the indexes.
/// It skips jobs that others have locked. It claims the best of these as the claim `$6`. With a time `$5` it also
/// starts those that wait for the first of several attempts. Their records change when they are read. It returns
/// how many jobs it locked: other claimants have skipped these meanwhile. `$7`: whether running jobs are claimed
/// too. `$8`: jobs to leave alone. `$9`: the version of the tables that this library knows; nothing is claimed from
/// tables of a later one. It always returns the version, in a row without a job if no job is claimed.
pub(super) const CLAIM: &str = "
    WITH tables AS (
        SELECT max(version) AS version FROM schema_version
    ), clock AS (
        SELECT (extract(epoch FROM now()) * 1000000)::bigint AS micros,
            (extract(epoch FROM now() + interval '24 hours') * 1000000)::bigint AS far
    ), free AS (
        SELECT best.job, best.priority, best.fresh, false AS lost FROM unnest($1::bytea[]) AS kinds (kind) CROSS JOIN LATERAL (
            SELECT q.job, q.priority, q.attempt = 0 AND NOT q.once AS fresh FROM queue q
            WHERE q.kind = kinds.kind AND q.claimant IS NULL AND q.state = 0
                AND (q.not_before <= (SELECT micros FROM clock) OR q.not_before > (SELECT far FROM clock))
                AND q.job <> ALL ($8::uuid[])
            ORDER BY q.priority DESC, q.job LIMIT $4 FOR UPDATE SKIP LOCKED
        ) best
    ), ended AS (
        SELECT q.job, q.priority, q.attempt = 0 AND NOT q.once AS fresh,
            q.state > 0 AND coalesce(q.claimant <> $2, false) AS lost
        FROM queue q
        WHERE q.until <= now() AND q.kind = ANY ($1) AND q.job <> ALL ($8::uuid[])
            AND ((q.state > 0 AND $7::boolean) OR (q.state = 0 AND q.claimant IS NOT NULL
                AND (q.not_before <= (SELECT micros FROM clock) OR q.not_before > (SELECT far FROM clock))))
        ORDER BY q.priority DESC, q.job LIMIT $4 FOR UPDATE SKIP LOCKED
    ), locked AS (
        SELECT job, priority, fresh, lost FROM free UNION ALL SELECT job, priority, fresh, lost FROM ended
    ), wanted AS (
        SELECT job, fresh AND $5::bigint IS NOT NULL AS fresh, lost FROM locked ORDER BY priority DESC, job
        LIMIT CASE WHEN (SELECT version FROM tables) <= $9::integer THEN $4 ELSE 0 END
    ), claimed AS (
        UPDATE queue q
        SET claimant = $2, until = clock_timestamp() + $3::bigint * interval '1 microsecond',
            revision = q.revision + fresh::integer, attempt = q.attempt + fresh::integer,
            state = CASE WHEN fresh THEN 1 ELSE q.state END, not_before = CASE WHEN fresh THEN 0 ELSE q.not_before END,
            started = CASE WHEN fresh THEN $5 ELSE q.started END,
            claim = $6, claim_started = fresh
        FROM wanted WHERE q.job = ANY (ARRAY[wanted.job])
        RETURNING q.job, q.record, q.started, fresh, lost, q.priority
    )
    SELECT job, record, started, fresh, (SELECT count(*) FROM locked), lost, version
    FROM tables LEFT JOIN claimed ON true ORDER BY priority DESC, job";

/// Undoes a claim on unreadable jobs. `$2` says which of the jobs the claim has started.
const LEAVE: &str = "
    WITH held AS (
        -- A later change of the job has noted the start in the record.
        SELECT q.job, fresh AND q.started IS NOT NULL AS fresh
        FROM unnest($1::uuid[], $2::boolean[]) AS left_alone (job, fresh) JOIN queue q ON q.job = left_alone.job
        WHERE q.claimant = $3 ORDER BY q.job FOR UPDATE OF q
    )
    UPDATE queue q
    SET claimant = NULL, until = '-infinity', revision = q.revision - fresh::integer,
        attempt = q.attempt - fresh::integer, state = CASE WHEN fresh THEN 0 ELSE q.state END,
        started = CASE WHEN fresh THEN NULL ELSE q.started END, claim = NULL
    FROM held WHERE q.job = held.job RETURNING 1";

/// The jobs of the claim `$2` that its claimant still holds, found among the leases that have not ended. The index
/// needs `now()`, which is no later than the clock.
const CLAIMED: &str = "
    UPDATE queue SET until = clock_timestamp() + $3::bigint * interval '1 microsecond'
    WHERE claimant = $1 AND claim = $2 AND until > now() AND until > clock_timestamp()
    RETURNING job, record, started, claim_started, 0::bigint, false";

/// Renews ended leases too. If another engine has claimed the job, the job has another claimant by now. It renews
/// none in tables of a later version than `$5`.
const RENEW: &str = "
    WITH held AS (
        SELECT q.job FROM (SELECT * FROM unnest($1::uuid[], $4::bigint[]) AS known (id, claim) ORDER BY id OFFSET 0) known
        CROSS JOIN LATERAL (
            SELECT job FROM queue WHERE job = known.id AND claimant = $2 AND queue.claim = known.claim FOR UPDATE
        ) q
        WHERE (SELECT max(version) FROM schema_version) <= $5::integer
    )
    UPDATE queue q SET until = clock_timestamp() + $3::bigint * interval '1 microsecond'
    FROM held WHERE q.job = ANY (ARRAY[held.job]) RETURNING q.job, q.revision";

/// Ends the lease at once. The row stays, and refuses writes of the earlier claimant.
const RELEASE: &str = "
    WITH held AS (
        SELECT q.job FROM (SELECT * FROM unnest($1::uuid[], $3::bigint[]) AS known (id, claim) ORDER BY id OFFSET 0) known
        CROSS JOIN LATERAL (
            SELECT job FROM queue WHERE job = known.id AND claimant = $2 AND queue.claim = known.claim FOR UPDATE
        ) q
    )
    UPDATE queue q SET claimant = NULL, until = '-infinity' FROM held WHERE q.job = ANY (ARRAY[held.job]) RETURNING 1";

/// The claimant of the job `$1`, and the end of its lease in microseconds since 1970. `OFFSET 0` keeps the planner from an
/// index of claims, which it may take for empty.
const HOLDER: &str = "
    SELECT claimant, (extract(epoch FROM until) * 1000000)::bigint
    FROM (SELECT claimant, until FROM queue WHERE job = $1 OFFSET 0) held
    WHERE claimant IS NOT NULL AND until > clock_timestamp()";

const CHANGED: &str = "
    SELECT known.id, record, started
    FROM unnest($1::uuid[], $2::bigint[]) AS known (id, revision) LEFT JOIN LATERAL (
        SELECT record, started, revision FROM jobs WHERE jobs.id = known.id OFFSET 0
    ) now ON true
    WHERE now.revision IS DISTINCT FROM known.revision";

impl SharedStore for PostgresStore {
    fn shared_seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.inner.seats.take(engine)
    }

    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<Claimed>, StoreError> {
        let call = Call::new("claim jobs");
        let kinds: Vec<_> = claim.kinds.iter().map(kind_bytes).collect();
        let (limit, lease) = (signed(claim.limit as u64), micros(claim.lease));
        if kinds.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let at = claim.start.map(|start| signed(start.as_micros()));
        let (token, mut again) = (claim.token.cast_signed(), claim.again);
        let left_alone: Vec<_> = self.inner.unreadable.lock().keys().copied().map(uuid).collect();
        let deadline = self.inner.pool.deadline();
        let rows = loop {
            if again {
                let found = self.rows(call, CLAIMED, &[&self.inner.claimant, &token, &lease])?;
                if !found.is_empty() {
                    break found;
                }
            }
            let parameters: Parameters<'_> =
                &[&kinds, &self.inner.claimant, &lease, &limit, &at, &token, &claim.lost, &left_alone, &VERSION];
            match self.look(call, deadline, &kinds, parameters) {
                // The lost statement may have taken effect, so its jobs are looked up.
                Err(failed) if failed.is_lost() && !again && Instant::now() < deadline => again = true,
                outcome => break taken(call, outcome.map_err(|failed| failed.on(call))?)?,
            }
        };
        let claimed = self.readable(call, &rows)?;
        let locked: i64 = rows.first().map_or(Ok(0), |row| column(call, row, 4))?;
        if locked > signed(rows.len() as u64) {
            // Other claimants may have skipped the locked jobs that this one leaves.
            self.inner.notices.changed();
        }
        Ok(claimed)
    }

    fn unreadable(&self) -> Vec<StoreError> {
        self.inner.unreadable.lock().values().cloned().collect()
    }

    fn renew(&self, claims: &[ClaimId], lease: Duration) -> Result<Vec<KnownRevision>, StoreError> {
        let call = Call::new("renew leases");
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, tokens) = columns(claims);
        let rows = self.rows(call, RENEW, &[&ids, &self.inner.claimant, &micros(lease), &tokens, &VERSION])?;
        if rows.is_empty() {
            self.check_version(call)?;
        }
        let held = rows.iter().map(|row| {
            let revision: i64 = column(call, row, 1)?;
            Ok(KnownRevision { id: id_column(call, row, 0)?, revision: revision.unsigned_abs() })
        });
        held.collect()
    }

    fn release(&self, claims: &[ClaimId]) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        let (ids, tokens) = columns(claims);
        let rows = self.rows(Call::new("release jobs"), RELEASE, &[&ids, &self.inner.claimant, &tokens])?;
        self.inner.ahead.lock().forget();
        if !rows.is_empty() {
            self.inner.notices.changed();
        }
        Ok(())
    }

    fn holder(&self, job: JobId) -> Result<Option<Holder>, StoreError> {
        let call = Call::new("read the claim");
        let rows = self.rows(call, HOLDER, &[&uuid(job)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (claimant, until): (Uuid, i64) = (column(call, row, 0)?, column(call, row, 1)?);
        Ok(Some(Holder {
            claimant: claimant.to_string(),
            is_asked: claimant == self.inner.claimant,
            until: Timestamp::from_micros(until.unsigned_abs()),
        }))
    }

    fn changed(&self, known: &[KnownRevision]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError> {
        let call = Call::new("look for changes");
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, revisions): (Vec<_>, Vec<_>) =
            known.iter().map(|held| (uuid(held.id), signed(held.revision))).unzip();
        let rows = self.rows(call, CHANGED, &[&ids, &revisions])?;
        let mut changed = Vec::with_capacity(rows.len());
        for row in &rows {
            let stored: Option<&[u8]> = column(call, row, 1)?;
            let Some(_) = stored else {
                changed.push((id_column(call, row, 0)?, None));
                continue;
            };
            match entry(call, row)? {
                Listed { id, record: Ok(record) } => changed.push((id, Some(record))),
                Listed { record: Err(error), .. } => {
                    tracing::debug!(%error, "a job that is known cannot be read any more");
                }
            }
        }
        Ok(changed)
    }

    fn wait(&self, timeout: Duration) -> Result<bool, StoreError> {
        let told = self.inner.notices.wait(timeout);
        self.check_version_now_and_then()?;
        Ok(told)
    }

    fn wake(&self) {
        self.inner.notices.wake();
    }
}

impl PostgresStore {
    /// Whether the tables are still those that this library knows.
    fn check_version(&self, call: Call) -> Result<(), StoreError> {
        let rows = self.rows(call, FOUND, &[])?;
        let found = rows.first().map_or(Ok(None), |row| column(call, row, 0))?;
        schema::check_unchanged(call, found)
    }

    /// As [`check_version`](Self::check_version), for an engine that claims nothing. A database that does not answer is not
    /// found out here.
    fn check_version_now_and_then(&self) -> Result<(), StoreError> {
        const OFTEN: Duration = Duration::from_secs(5);
        let mut due = self.inner.version_due.lock();
        if due.is_some_and(|due| Instant::now() < due) {
            return Ok(());
        }
        *due = Instant::now().checked_add(OFTEN);
        drop(due);
        match self.check_version(Call::new("look for changes")) {
            Err(error) if error.kind == ErrorKind::Format => {
                // It stays so: each look says it.
                *self.inner.version_due.lock() = None;
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// The readable jobs of a claim. The others are given back at once, and are not claimed again: other engines
    /// may be able to read them.
    fn readable(&self, call: Call, rows: &[Row]) -> Result<Vec<Claimed>, StoreError> {
        let mut claimed = Vec::with_capacity(rows.len());
        let (mut ids, mut fresh, mut errors): (Vec<_>, Vec<bool>, Vec<_>) = Default::default();
        for row in rows {
            let (started, lost) = (column(call, row, 3)?, column(call, row, 5)?);
            match entry(call, row)? {
                Listed { record: Ok(record), .. } => claimed.push(Claimed { record, started, lost }),
                Listed { id, record: Err(error) } => {
                    ids.push(uuid(id));
                    fresh.push(started);
                    errors.push((id, error));
                }
            }
        }
        if !ids.is_empty() {
            self.inner.unreadable.lock().extend(errors);
            // If this statement fails, the claims end with their leases.
            if let Err(error) = self.rows(call, LEAVE, &[&ids, &fresh, &self.inner.claimant]) {
                tracing::warn!(%error, jobs = ids.len(), "claims on jobs that cannot be read could not be undone");
            }
            self.inner.notices.changed();
        }
        Ok(claimed)
    }

    /// Runs a claim. If a claim that reads everything is slow, begins at the place of the last found job.
    fn look(
        &self,
        call: Call,
        deadline: Instant,
        kinds: &[Vec<u8>],
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failed> {
        let Some(places) = self.inner.ahead.lock().places(kinds, Instant::now()) else {
            return self.look_by(call, deadline, CLAIM, parameters);
        };
        let (priorities, jobs): (Vec<i16>, Vec<_>) = places.into_iter().unzip();
        let further: Parameters<'_> = &[&priorities, &jobs];
        self.look_by(call, deadline, &CLAIM_AHEAD, &[parameters, further].concat())
    }

    fn look_by(
        &self,
        call: Call,
        deadline: Instant,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Failed> {
        let (rows, took) = self.on_one(call, deadline, |connection: &mut Connection| {
            let began = Instant::now();
            connection.query(call.durability, sql, parameters, deadline).map(|rows| (rows, began.elapsed()))
        })?;
        let whole = sql == CLAIM;
        let mut ahead = self.inner.ahead.lock();
        if ahead.wants(whole, took) {
            let found: Vec<_> = rows.iter().filter_map(|row| place(call, row)).collect();
            ahead.note(whole, took, Instant::now(), &found);
        }
        drop(ahead);
        Ok(rows)
    }
}

/// The rows of a claim that have jobs.
///
/// # Errors
/// `Format` when the tables have a later version, and nothing was claimed.
fn taken(call: Call, mut rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
    let version = rows.first().map_or(Ok(None), |row| column(call, row, 6))?;
    schema::check_unchanged(call, version)?;
    rows.retain(|row| matches!(row.try_get(0), Ok(Some::<Uuid>(_))));
    Ok(rows)
}

/// The kind of a claimed job and its place in that kind; `None` if its record cannot be read.
fn place(call: Call, row: &Row) -> Option<(Vec<u8>, Place)> {
    let record = entry(call, row).ok()?.record.ok()?;
    let spec = &record.spec;
    Some((kind_bytes(spec.kind()), (i16::from(spec.options().priority), uuid(record.id))))
}

/// Jobs and tokens of claims.
fn columns(claims: &[ClaimId]) -> (Vec<Uuid>, Vec<i64>) {
    claims.iter().map(|claim| (uuid(claim.job), claim.token.cast_signed())).unzip()
}

/// The duration in microseconds, at most 1,000 years, so that a point in time can hold the sum.
fn micros(duration: Duration) -> i64 {
    const LONG: Duration = Duration::from_hours(24 * 365 * 1_000);
    i64::try_from(duration.min(LONG).as_micros()).unwrap_or(i64::MAX)
}
