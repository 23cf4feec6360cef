//! The records of jobs, and the calls that find jobs.

use job_core::{JobId, JobRecord, JobSpec, Timestamp};
use job_store::{Durability, ErrorKind, JobStore, Listed, Pin, Seat, StoreError, Usage, codec, contract};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Refused, SqliteStore, decoded, record, rows, signed, stored};

impl JobStore for SqliteStore {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.inner.seats.take(engine)
    }

    fn insert(&self, records: &[JobRecord], durability: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "insert";
        self.write(OPERATION, durability, |tx| {
            for record in records {
                if let Some(key) = &record.spec.options().idempotency_key {
                    take_key(tx, record, key)?;
                }
                if stored(tx, record.id)?.is_some() {
                    return Err(StoreError::new(ErrorKind::AlreadyExists, OPERATION, "the id is taken")
                        .on(record.id)
                        .into());
                }
                let mut statement = tx.prepare_cached(
                    "INSERT INTO jobs (id, revision, unfinished, record) VALUES (?1, ?2, ?3, ?4)",
                )?;
                let (revision, bytes) = (signed(record.revision), codec::encode_record(record));
                statement.execute(params![record.id.as_bytes(), revision, !record.state.is_complete(), bytes])?;
            }
            Ok(())
        })
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        const OPERATION: &str = "read the record";
        let found = self.read(OPERATION, |connection| stored(connection, id))?;
        found.map(|found| decoded(id, &found.record, OPERATION)).transpose()
    }

    fn replace(&self, next: &JobRecord, durability: Durability) -> Result<(), StoreError> {
        self.write("replace the record", durability, |tx| {
            put_next(tx, next, "replace the record")?;
            if next.state.is_complete() && !stored(tx, next.id)?.is_some_and(|found| found.has_result) {
                rows::drop_rows(tx, next.id, u32::MAX)?;
                rows::drop_checkpoint(tx, next.id)?;
            }
            Ok(())
        })
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        // `OFFSET` skips entries of the index, and reads no record.
        const PAGE: &str = "
            SELECT id, record FROM jobs
            WHERE id IN (SELECT id FROM jobs WHERE id < ?1 ORDER BY id DESC LIMIT ?3 OFFSET ?2)
            ORDER BY id DESC";
        // Without `before`, the bound is greater than every id, since `?1 IS NULL OR id < ?1` would scan the whole
        // table.
        let before = before.map_or_else(|| vec![u8::MAX; 17], |id| id.as_bytes().to_vec());
        let [skip, limit] = [skip, limit as u64].map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        self.listed("list", |connection| {
            let mut statement = connection.prepare_cached(PAGE)?;
            let rows = statement.query_map(params![before, skip, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        self.listed("list the unfinished jobs", |connection| {
            let mut statement =
                connection.prepare_cached("SELECT id, record FROM jobs WHERE unfinished = 1 ORDER BY id")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        // The removal is buffered: the caller waits neither for the space nor for the disk.
        self.write("remove the record", Durability::Buffered, |tx| {
            let Some(found) = stored(tx, id)? else { return Ok(false) };
            match decoded(id, &found.record, "remove the record") {
                Ok(record) => contract::check_removable(&record, found.pinned)?,
                Err(_) => contract::check_unreadable_removable(id, found.pinned)?,
            }
            for table in [
                "DELETE FROM keys WHERE job = ?1",
                "DELETE FROM works WHERE job = ?1",
                "DELETE FROM failures WHERE job = ?1",
                "DELETE FROM jobs WHERE id = ?1",
            ] {
                tx.prepare_cached(table)?.execute(params![id.as_bytes()])?;
            }
            rows::drop_rows(tx, id, u32::MAX)?;
            rows::drop_checkpoint(tx, id)?;
            Ok(true)
        })
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        self.read("find the idempotency key", |connection| holder(connection, graph, key))
    }

    fn find_reusable(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        const OPERATION: &str = "find a finished job";
        const FIND: &str = "SELECT id, record FROM jobs WHERE id = (SELECT job FROM works WHERE hash = ?1)";
        let Some(hash) = contract::work_hash(spec) else { return Ok(None) };
        let found = self.read(OPERATION, |connection| {
            let mut statement = connection.prepare_cached(FIND)?;
            statement.query_row(params![hash], |row| Ok((id(row.get(0)?), row.get::<_, Vec<u8>>(1)?))).optional()
        })?;
        let Some((id, bytes)) = found else { return Ok(None) };
        // Two specs may have the same hash, so the specs are compared too.
        Ok(decoded(id, &bytes, OPERATION)?.spec.is_same_work(spec).then_some(id))
    }

    fn record_reads(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        self.write("note when results were read", Durability::Buffered, |tx| {
            let mut statement = tx.prepare_cached("UPDATE jobs SET last_read = ?2 WHERE id = ?1")?;
            for (id, at) in reads {
                statement.execute(params![id.as_bytes(), signed(at.as_micros())])?;
            }
            Ok(())
        })
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        self.write("pin", Durability::Synced, |tx| {
            let mut statement = tx.prepare_cached("UPDATE jobs SET pinned = ?2 WHERE id = ?1")?;
            match statement.execute(params![id.as_bytes(), pin == Pin::Keep])? {
                0 => Err(contract::no_such_job(id, "pin").into()),
                _ => Ok(()),
            }
        })
    }

    fn usage(&self, jobs: &[JobId]) -> Result<Vec<Usage>, StoreError> {
        self.read("read what keeps jobs", |connection| {
            let mut statement = connection.prepare_cached("SELECT last_read, pinned FROM jobs WHERE id = ?1")?;
            let usage = |id: &JobId| {
                let found = statement.query_row(params![id.as_bytes()], |row| {
                    let micros: Option<i64> = row.get(0)?;
                    let last_read = micros.map(|micros| Timestamp::from_micros(micros.cast_unsigned()));
                    Ok(Usage { last_read, pinned: row.get(1)? })
                });
                found.optional().map(Option::unwrap_or_default)
            };
            jobs.iter().map(usage).collect()
        })
    }
}

impl SqliteStore {
    fn listed(
        &self,
        operation: &'static str,
        rows: impl FnOnce(&Connection) -> rusqlite::Result<Vec<([u8; 16], Vec<u8>)>>,
    ) -> Result<Vec<Listed>, StoreError> {
        let rows = self.read(operation, rows)?;
        let listed = rows.into_iter().map(|(bytes, record)| {
            let id = id(bytes);
            Listed { id, record: decoded(id, &record, operation) }
        });
        Ok(listed.collect())
    }
}

fn id(bytes: [u8; 16]) -> JobId {
    JobId::from_bytes(bytes)
}

/// The job that has an idempotency key.
fn holder(connection: &Connection, graph: &str, key: &str) -> rusqlite::Result<Option<JobId>> {
    let mut statement = connection.prepare_cached("SELECT job FROM keys WHERE graph = ?1 AND key = ?2")?;
    statement.query_row(params![graph, key], |row| row.get(0).map(id)).optional()
}

/// Gives a new job its idempotency key, or refuses if a job has the key and keeps it.
fn take_key(connection: &Connection, new: &JobRecord, key: &str) -> Result<(), Refused> {
    let graph = new.spec.graph();
    if let Some(job) = holder(connection, graph, key)?
        && record(connection, job, "insert")?.as_ref().is_none_or(contract::holds_key)
    {
        return Err(contract::key_taken(job, key).into());
    }
    let mut statement =
        connection.prepare_cached("INSERT OR REPLACE INTO keys (graph, key, job) VALUES (?1, ?2, ?3)")?;
    statement.execute(params![graph, key, new.id.as_bytes()])?;
    Ok(())
}

/// Replaces the stored record by the next one.
pub(crate) fn put_next(connection: &Connection, next: &JobRecord, operation: &'static str) -> Result<(), Refused> {
    let mut statement = connection.prepare_cached("SELECT revision FROM jobs WHERE id = ?1")?;
    let found = statement.query_row(params![next.id.as_bytes()], |row| row.get::<_, i64>(0)).optional()?;
    contract::check_revision(found.map(i64::cast_unsigned), next, operation)?;
    let mut statement =
        connection.prepare_cached("UPDATE jobs SET revision = ?2, unfinished = ?3, record = ?4 WHERE id = ?1")?;
    let (revision, bytes) = (signed(next.revision), codec::encode_record(next));
    statement.execute(params![next.id.as_bytes(), revision, !next.state.is_complete(), bytes])?;
    Ok(())
}
