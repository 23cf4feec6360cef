//! Records in redb, and what is found by them.

use job_core::{JobId, JobRecord, JobSpec, Timestamp};

use super::{JOBS, RedbStore, Tables, decode, failure};
use crate::{Durability, ErrorKind, JobStore, Listed, Pin, Seat, StoreError, codec, contract, keys};

impl JobStore for RedbStore {
    fn seat(&self, engine: &str) -> Result<Seat, StoreError> {
        self.seats.take(engine)
    }

    fn insert(&self, records: &[JobRecord], _: Durability) -> Result<(), StoreError> {
        const OPERATION: &str = "insert";
        self.write(OPERATION, None, |tables| {
            for record in records {
                if let Some(key) = &record.spec.options().idempotency_key {
                    let name = keys::idempotency(record.spec.graph_name(), key);
                    if let Some(job) = tables.id_at(&name)?
                        && tables.record(job)?.as_ref().is_none_or(contract::holds_key)
                    {
                        return Err(contract::key_taken(job, key));
                    }
                    tables.put(&name, record.id.as_bytes())?;
                }
                let key = keys::key(keys::RECORD, record.id);
                if tables.get(&key)?.is_some() {
                    return Err(
                        StoreError::new(ErrorKind::AlreadyExists, OPERATION, "the id is taken").on(record.id)
                    );
                }
                tables.put(&key, &codec::encode_record(record))?;
                if !record.state.is_complete() {
                    tables.put(&keys::key(keys::UNFINISHED, record.id), &[])?;
                }
            }
            Ok(())
        })
    }

    fn get(&self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.record(id, "read the record")
    }

    fn replace(&self, next: &JobRecord, _: Durability) -> Result<(), StoreError> {
        self.write("replace the record", Some(next.id), |tables| {
            tables.replace(next)?;
            if next.state.is_complete() { tables.drop_rows(next.id, u32::MAX) } else { Ok(()) }
        })
    }

    fn entries(&self, before: Option<JobId>, skip: u64, limit: usize) -> Result<Vec<Listed>, StoreError> {
        const OPERATION: &str = "list";
        let jobs = self.read_table(JOBS, OPERATION, None)?;
        let range = keys::records(before);
        let failed = |e| self.failure(OPERATION, None, e);
        let newest_first = jobs.range(range.start.as_slice()..range.end.as_slice()).map_err(failed)?.rev();
        newest_first
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .take(limit)
            .map(|entry| {
                let (key, value) = entry.map_err(failed)?;
                let id = id_in(key.value(), OPERATION)?;
                Listed::of(id, decode(id, value.value(), OPERATION))
            })
            .collect()
    }

    fn unfinished_entries(&self) -> Result<Vec<Listed>, StoreError> {
        const OPERATION: &str = "list the unfinished jobs";
        let jobs = self.read_table(JOBS, OPERATION, None)?;
        let group = keys::group(keys::UNFINISHED);
        let failed = |e| self.failure(OPERATION, None, e);
        let mut entries = Vec::new();
        for entry in jobs.range(group.start.as_slice()..group.end.as_slice()).map_err(failed)? {
            let id = id_in(entry.map_err(failed)?.0.value(), OPERATION)?;
            // In the same table, which is as it was when the call began.
            let found = jobs.get(keys::key(keys::RECORD, id).as_slice()).map_err(failed)?;
            let record = found.map(|bytes| decode(id, bytes.value(), OPERATION));
            entries.extend(record.map(|record| Listed::of(id, record)).transpose()?);
        }
        Ok(entries)
    }

    fn remove(&self, id: JobId) -> Result<bool, StoreError> {
        self.write("remove the record", Some(id), |tables| {
            let pinned = tables.get(&keys::key(keys::PINNED, id))?.is_some();
            let record = match tables.record(id) {
                Err(error) if error.kind == ErrorKind::Corrupt => return tables.remove_unreadable(id, pinned),
                found => found?,
            };
            let Some(record) = record else { return Ok(false) };
            contract::check_removable(&record, pinned)?;
            for group in [keys::RECORD, keys::RESULT, keys::LAST_READ] {
                tables.delete(&keys::key(group, id))?;
            }
            if let Some(key) = &record.spec.options().idempotency_key {
                let name = keys::idempotency(record.spec.graph_name(), key);
                // Another may have it, since this one has failed.
                if tables.id_at(&name)? == Some(id) {
                    tables.delete(&name)?;
                }
            }
            if let Some(work) = contract::work_hash(&record.spec).map(keys::work)
                && tables.id_at(&work)? == Some(id)
            {
                tables.delete(&work)?;
            }
            tables.drop_rows(id, u32::MAX)?;
            Ok(true)
        })
    }

    fn find_key(&self, graph: &str, key: &str) -> Result<Option<JobId>, StoreError> {
        const OPERATION: &str = "find the idempotency key";
        let found = self.value(JOBS, &keys::idempotency(graph, key), OPERATION, None)?;
        found.map(|bytes| id_of(&bytes, OPERATION)).transpose()
    }

    fn find_finished(&self, spec: &JobSpec) -> Result<Option<JobId>, StoreError> {
        const OPERATION: &str = "find a finished job";
        let Some(hash) = contract::work_hash(spec) else { return Ok(None) };
        let Some(bytes) = self.value(JOBS, &keys::work(hash), OPERATION, None)? else { return Ok(None) };
        let record = self.record(id_of(&bytes, OPERATION)?, OPERATION)?;
        Ok(record.filter(|record| record.spec.is_same_work(spec)).map(|record| record.id))
    }

    fn touch(&self, reads: &[(JobId, Timestamp)]) -> Result<(), StoreError> {
        self.write("note when results were read", None, |tables| {
            for (id, at) in reads {
                if tables.get(&keys::key(keys::RECORD, *id))?.is_some() {
                    tables.put(&keys::key(keys::LAST_READ, *id), &at.as_micros().to_be_bytes())?;
                }
            }
            Ok(())
        })
    }

    fn last_read(&self, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        const OPERATION: &str = "read when the result was read";
        let Some(bytes) = self.value(JOBS, &keys::key(keys::LAST_READ, id), OPERATION, Some(id))? else {
            return Ok(None);
        };
        let micros = <[u8; 8]>::try_from(bytes.as_slice()).map_err(|_| {
            StoreError::new(ErrorKind::Corrupt, OPERATION, format!("the time has {} bytes", bytes.len())).on(id)
        })?;
        Ok(Some(Timestamp::from_micros(u64::from_be_bytes(micros))))
    }

    fn pin(&self, id: JobId, pin: Pin) -> Result<(), StoreError> {
        const OPERATION: &str = "pin";
        self.write(OPERATION, Some(id), |tables| {
            if tables.get(&keys::key(keys::RECORD, id))?.is_none() {
                return Err(contract::no_such_job(id, OPERATION));
            }
            let key = keys::key(keys::PINNED, id);
            match pin {
                Pin::Keep => tables.put(&key, &[]),
                Pin::Release => tables.delete(&key),
            }
        })
    }

    fn is_pinned(&self, id: JobId) -> Result<bool, StoreError> {
        Ok(self.value(JOBS, &keys::key(keys::PINNED, id), "read the pin", Some(id))?.is_some())
    }
}

impl Tables<'_> {
    fn id_at(&self, key: &[u8]) -> Result<Option<JobId>, StoreError> {
        self.get(key)?.map(|bytes| id_of(&bytes, self.operation)).transpose()
    }

    /// Removes a job that nobody can read. Its record does not say what finds it, so every such entry is looked at.
    fn remove_unreadable(&mut self, id: JobId, pinned: bool) -> Result<bool, StoreError> {
        contract::check_unreadable_removable(id, pinned)?;
        for group in [keys::RECORD, keys::RESULT, keys::LAST_READ, keys::UNFINISHED] {
            self.delete(&keys::key(group, id))?;
        }
        for group in [keys::IDEMPOTENCY, keys::WORK].map(keys::group) {
            let range = group.start.as_slice()..group.end.as_slice();
            let kept = self.jobs.retain_in(range, |_, value| value != id.as_bytes().as_slice());
            kept.map_err(|e| failure(self.operation, Some(id), e))?;
        }
        self.drop_checkpoint(id)?;
        self.drop_rows(id, u32::MAX)?;
        Ok(true)
    }

    /// The compare-and-set of a record; the end of a job takes its checkpoint with it.
    pub(super) fn replace(&mut self, next: &JobRecord) -> Result<(), StoreError> {
        let found = self.record(next.id)?.map(|record| record.revision);
        contract::check_revision(found, next, self.operation)?;
        self.put(&keys::key(keys::RECORD, next.id), &codec::encode_record(next))?;
        if next.state.is_complete() {
            self.delete(&keys::key(keys::UNFINISHED, next.id))?;
            self.drop_checkpoint(next.id)?;
        }
        Ok(())
    }
}

fn id_in(key: &[u8], operation: &'static str) -> Result<JobId, StoreError> {
    keys::id(key).ok_or_else(|| StoreError::new(ErrorKind::Corrupt, operation, "a key is damaged"))
}

fn id_of(bytes: &[u8], operation: &'static str) -> Result<JobId, StoreError> {
    let id = <[u8; 16]>::try_from(bytes);
    id.map(JobId::from_bytes).map_err(|_| StoreError::new(ErrorKind::Corrupt, operation, "an id is damaged"))
}
