//! [`Columns`]: new records, and the statements that insert them.

use std::time::Instant;

use job_core::{JobRecord, JobState};

use super::{
    Call, Parameters, PostgresStore, connection::Connection, failure::Failed, kind_bytes, name, signed,
    state_number, uuid,
};
use crate::codec;

/// Inserts all records or none. A division by zero rolls the statement back if one of the ids is taken by a
/// complete job.
const INSERT: &str = "
    WITH new AS (
        SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::smallint[], $4::bigint[], $5::boolean[], $6::bytea[],
                $7::bigint[], $8::bigint[], $9::smallint[], $10::bytea[])
            AS new (id, kind, priority, not_before, once, record, revision, attempt, state, name)
    ), named AS (
        INSERT INTO names (name, job) SELECT name, id FROM new WHERE name IS NOT NULL
    ), queued AS (
        INSERT INTO queue (job, kind, priority, not_before, once, record, revision, attempt, state)
        SELECT id, kind, priority, not_before, once, record, revision, attempt, state FROM new
        WHERE state IS NOT NULL AND NOT EXISTS (SELECT FROM finished WHERE finished.id = new.id OFFSET 0)
        RETURNING 1
    ), ended AS (
        INSERT INTO finished (id, revision, record) SELECT id, revision, record FROM new
        WHERE state IS NULL AND NOT EXISTS (SELECT FROM queue WHERE queue.job = new.id OFFSET 0)
        RETURNING 1
    )
    SELECT 1 / ((SELECT count(*) FROM queued) + (SELECT count(*) FROM ended) = (SELECT count(*) FROM new))::integer";

/// As `INSERT`, for new jobs without a key. `$7` is their number.
const INSERT_NEW: &str = "
    WITH queued AS (
        INSERT INTO queue (job, kind, priority, not_before, once, record, revision, attempt, state)
        SELECT id, kind, priority, not_before, once, record, 0, 0, 0
        FROM unnest($1::uuid[], $2::bytea[], $3::smallint[], $4::bigint[], $5::boolean[], $6::bytea[])
            AS new (id, kind, priority, not_before, once, record)
        WHERE NOT EXISTS (SELECT FROM finished WHERE finished.id = new.id OFFSET 0)
        RETURNING 1
    )
    SELECT 1 / (count(*) = $7)::integer FROM queued";

/// As `INSERT_NEW`, for one job. It returns no row if the id is taken. Without arrays it costs the server a third
/// less.
const INSERT_ONE: &str = "
    INSERT INTO queue (job, kind, priority, not_before, once, record, revision, attempt, state)
    SELECT $1::uuid, $2::bytea, $3::smallint, $4::bigint, $5::boolean, $6::bytea, 0, 0, 0
    WHERE NOT EXISTS (SELECT FROM finished WHERE id = $1) RETURNING 1";

/// A batch of records, column by column.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) ids: Vec<uuid::Uuid>,
    kinds: Vec<Vec<u8>>,
    priorities: Vec<i16>,
    not_befores: Vec<i64>,
    onces: Vec<bool>,
    records: Vec<Vec<u8>>,
    /// Set for jobs that are not all new, or that have keys.
    rest: Option<Rest>,
}

#[derive(Default)]
struct Rest {
    revisions: Vec<i64>,
    attempts: Vec<i64>,
    states: Vec<Option<i16>>,
    names: Vec<Option<Vec<u8>>>,
}

impl Columns {
    pub(super) fn of(records: &[JobRecord]) -> Self {
        let mut columns = Self::default();
        for record in records {
            let options = record.spec.options();
            columns.ids.push(uuid(record.id));
            columns.kinds.push(kind_bytes(record.spec.kind()));
            columns.priorities.push(i16::from(options.priority));
            columns.not_befores.push(not_before(record));
            columns.onces.push(options.max_attempts == 1);
            columns.records.push(codec::encode_record(record));
        }
        let is_new = |record: &JobRecord| {
            (record.revision, record.attempt, record.state) == (0, 0, JobState::Waiting)
                && record.spec.options().idempotency_key.is_none()
        };
        if !records.iter().all(is_new) {
            columns.rest = Some(Rest::of(records));
        }
        columns
    }

    /// Inserts all jobs or none. `false` or a refusal if an id or a key is taken. It is sent once: after a lost
    /// connection the caller finds out whether it took effect.
    pub(super) fn insert(&self, store: &PostgresStore, call: Call, deadline: Instant) -> Result<bool, Failed> {
        store.on_one(call, deadline, |connection| self.insert_on(connection, call, deadline))
    }

    pub(super) fn insert_on(
        &self,
        connection: &mut Connection,
        call: Call,
        deadline: Instant,
    ) -> Result<bool, Failed> {
        let Self { ids, kinds, priorities, not_befores, onces, records, rest } = self;
        let mut run =
            |sql, parameters: Parameters<'_>| connection.query(call.durability, sql, parameters, deadline);
        let inserted = match (rest, &**ids, &**kinds, &**priorities, &**not_befores, &**onces, &**records) {
            (Some(Rest { revisions, attempts, states, names }), ..) => run(
                INSERT,
                &[ids, kinds, priorities, not_befores, onces, records, revisions, attempts, states, names],
            ),
            (None, [id], [kind], [priority], [not_before], [once], [record]) => {
                run(INSERT_ONE, &[id, kind, priority, not_before, once, record])
            }
            (None, ..) => {
                let count = signed(ids.len() as u64);
                run(INSERT_NEW, &[ids, kinds, priorities, not_befores, onces, records, &count])
            }
        };
        Ok(!inserted?.is_empty())
    }
}

impl Rest {
    fn of(records: &[JobRecord]) -> Self {
        let mut rest = Self::default();
        for record in records {
            rest.revisions.push(signed(record.revision));
            rest.attempts.push(i64::from(record.attempt));
            rest.states.push(state_number(record.state));
            rest.names.push(name_of(record));
        }
        rest
    }
}

/// The key of a job as `names` stores it; `None` for a job without one.
pub(super) fn name_of(record: &JobRecord) -> Option<Vec<u8>> {
    let key = record.spec.options().idempotency_key.as_ref()?;
    Some(name(record.spec.graph(), key))
}

pub(super) fn not_before(record: &JobRecord) -> i64 {
    record.not_before.map_or(0, |time| signed(time.as_micros()))
}
