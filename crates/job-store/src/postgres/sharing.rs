//! Claims and leases in PostgreSQL.

use std::{collections::HashSet, time::Duration};

use job_core::{JobId, JobRecord};
use tokio_postgres::Row;

use super::{Call, PostgresStore, column, decode, id_column, kind_bytes, signed, uuid};
use crate::{Claim, Held, JobStore, SharedStore, StoreError};

/// The best of each kind and those whose lease has ended are looked up in the indexes; then as many as are wanted are
/// locked, without waiting for those that others are about to take. One row comes back even when there is no job: it
/// says how many seemed to be free.
const CLAIM: &str = "
    WITH found AS (
        SELECT best.job FROM unnest($1::bytea[]) AS kinds (kind) CROSS JOIN LATERAL (
            SELECT q.job FROM queue q
            WHERE q.kind = kinds.kind AND q.claimant IS NULL AND q.state = 0
                AND q.not_before <= extract(epoch FROM now()) * 1000000
            ORDER BY q.priority DESC, q.job LIMIT $5
        ) best
        UNION
        SELECT ended.job FROM (
            SELECT q.job FROM queue q
            WHERE q.until <= now() AND q.kind = ANY ($1)
                AND (q.state > 0 OR q.not_before <= extract(epoch FROM now()) * 1000000)
            ORDER BY q.priority DESC, q.job LIMIT $5
        ) ended
    ), locked AS (
        SELECT q.job FROM queue q
        WHERE q.job IN (SELECT job FROM found)
            AND ((q.claimant IS NULL AND q.state = 0) OR q.until <= now())
        ORDER BY q.priority DESC, q.job LIMIT $4
        FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE queue q SET claimant = $2, until = clock_timestamp() + $3::bigint * interval '1 microsecond'
        FROM locked WHERE q.job = locked.job
        RETURNING q.job, q.revision, q.priority
    )
    SELECT (SELECT count(*) FROM found), c.job, j.record
    FROM (SELECT 1) one
    LEFT JOIN claimed c ON true
    LEFT JOIN jobs j ON j.id = c.job AND j.revision = c.revision
    ORDER BY c.priority DESC, c.job";

const RENEW: &str = "
    WITH held AS (
        SELECT job FROM queue
        WHERE job = ANY ($1) AND claimant = $2 AND until > clock_timestamp()
        ORDER BY job FOR UPDATE
    )
    UPDATE queue q SET until = clock_timestamp() + $3::bigint * interval '1 microsecond'
    FROM held WHERE q.job = held.job RETURNING q.job, q.revision";

/// A lease that ended at once: its row still fences off whoever had it.
const RELEASE: &str = "
    WITH held AS (
        SELECT job FROM queue WHERE job = ANY ($1) AND claimant = $2 ORDER BY job FOR UPDATE
    )
    UPDATE queue q SET claimant = NULL, until = '-infinity' FROM held WHERE q.job = held.job RETURNING 1";

const CHANGED: &str = "
    SELECT known.id, record
    FROM unnest($1::uuid[], $2::bigint[]) AS known (id, revision) LEFT JOIN jobs ON jobs.id = known.id
    WHERE jobs.revision IS DISTINCT FROM known.revision";

impl SharedStore for PostgresStore {
    fn claim(&self, claim: &Claim<'_>) -> Result<Vec<JobRecord>, StoreError> {
        // Claimants that look at the same moment see the same jobs; whoever comes too late for all of them looks again.
        const ROUNDS: usize = 5;
        let call = Call::new("claim jobs");
        let kinds: HashSet<_> = claim.kinds.iter().map(kind_bytes).collect();
        let kinds: Vec<_> = kinds.into_iter().collect();
        let (limit, lease) = (signed(claim.limit as u64), micros(claim.lease));
        if kinds.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let seen = limit.saturating_mul(4).saturating_add(16);
        for _ in 0..ROUNDS {
            let rows = self.rows(call, CLAIM, &[&kinds, &self.inner.claimant, &lease, &limit, &seen])?;
            let claimed = self.claimed(call, &rows)?;
            let free: i64 = rows.first().map_or(Ok(0), |row| column(call, row, 0))?;
            if !claimed.is_empty() || free == 0 {
                return Ok(claimed);
            }
        }
        Ok(Vec::new())
    }

    fn renew(&self, lease: Duration) -> Result<Vec<Held>, StoreError> {
        let call = Call::new("renew the leases");
        let known: Vec<_> = self.inner.claimed.lock().iter().copied().collect();
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = known.iter().copied().map(uuid).collect();
        let rows = self.rows(call, RENEW, &[&ids, &self.inner.claimant, &micros(lease)])?;
        let held = rows.iter().map(|row| {
            let revision: i64 = column(call, row, 1)?;
            Ok(Held { id: id_column(call, row, 0)?, revision: revision.unsigned_abs() })
        });
        let held: Vec<_> = held.collect::<Result<_, StoreError>>()?;
        // Those that were asked for and are gone; a claim that was made meanwhile stays.
        let kept: HashSet<_> = held.iter().map(|held| held.id).collect();
        let mut claimed = self.inner.claimed.lock();
        known.iter().filter(|id| !kept.contains(id)).for_each(|id| {
            claimed.remove(id);
        });
        Ok(held)
    }

    fn release(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        let ids: Vec<_> = jobs.iter().copied().map(uuid).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self.rows(Call::new("release jobs"), RELEASE, &[&ids, &self.inner.claimant])?;
        let mut claimed = self.inner.claimed.lock();
        for id in jobs {
            claimed.remove(id);
        }
        drop(claimed);
        if !rows.is_empty() {
            self.inner.notices.changed();
        }
        Ok(())
    }

    fn changed(&self, known: &[Held]) -> Result<Vec<(JobId, Option<JobRecord>)>, StoreError> {
        let call = Call::new("look for changes");
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, revisions): (Vec<_>, Vec<_>) =
            known.iter().map(|held| (uuid(held.id), signed(held.revision))).unzip();
        let rows = self.rows(call, CHANGED, &[&ids, &revisions])?;
        let changed = rows.iter().map(|row| {
            let id = id_column(call, row, 0)?;
            let record: Option<&[u8]> = column(call, row, 1)?;
            Ok((id, record.map(|bytes| decode(call, id, bytes)).transpose()?))
        });
        changed.collect()
    }

    fn wait(&self, timeout: Duration) -> Result<bool, StoreError> {
        Ok(self.inner.notices.wait(timeout))
    }

    fn wake(&self) {
        self.inner.notices.wake();
    }
}

impl PostgresStore {
    /// The jobs of the rows that [`CLAIM`] gave, from now on held.
    fn claimed(&self, call: Call, rows: &[Row]) -> Result<Vec<JobRecord>, StoreError> {
        let mut claimed = Vec::new();
        for row in rows {
            let Some(id) = column::<Option<uuid::Uuid>>(call, row, 1)? else { continue };
            let id = JobId::from_bytes(id.into_bytes());
            let record = match column::<Option<&[u8]>>(call, row, 2)? {
                Some(bytes) => decode(call, id, bytes)?,
                // Changed while it was being claimed.
                None => match self.get(id)? {
                    Some(record) => record,
                    None => continue,
                },
            };
            claimed.push(record);
        }
        self.inner.claimed.lock().extend(claimed.iter().map(|record| record.id));
        Ok(claimed)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
