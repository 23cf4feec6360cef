//! The call of a store, for the errors of its engine.

use std::ops::ControlFlow;

use job_core::{JobId, JobRecord, Timestamp};

use super::{Scan, Table, View, keys};
use crate::{ErrorKind, StoreError, codec};

/// A call of a store: its operation and its job, for errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) operation: &'static str,
    job: Option<JobId>,
}

impl Call {
    pub(super) const fn of(operation: &'static str) -> Self {
        Self { operation, job: None }
    }

    pub(super) const fn on(operation: &'static str, job: JobId) -> Self {
        Self { operation, job: Some(job) }
    }

    /// The same call, with this job for its errors.
    pub(super) const fn about(self, job: JobId) -> Self {
        Self { job: Some(job), ..self }
    }

    /// An error of the engine, with the operation and the job of this call.
    pub(super) fn failed(self, error: StoreError) -> StoreError {
        error.during(self.operation, self.job)
    }

    pub(super) fn corrupt(self, detail: impl Into<String>) -> StoreError {
        self.failed(StoreError::new(ErrorKind::Corrupt, "", detail))
    }

    /// The record of a job, out of the bytes that are stored under its id.
    pub(super) fn decode(self, id: JobId, bytes: &[u8]) -> Result<JobRecord, StoreError> {
        codec::decode_record(id, bytes).map_err(|error| self.about(id).corrupt(error.to_string()))
    }

    pub(super) fn value<'v, V: View>(
        self,
        view: &'v V,
        table: Table,
        key: &[u8],
    ) -> Result<Option<V::Value<'v>>, StoreError> {
        view.get(table, key).map_err(|error| self.failed(error))
    }

    pub(super) fn has(self, view: &impl View, key: &[u8]) -> Result<bool, StoreError> {
        self.value(view, Table::Jobs, key).map(|found| found.is_some())
    }

    pub(super) fn record(self, view: &impl View, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        let found = self.about(id).value(view, Table::Jobs, &keys::key(keys::RECORD, id))?;
        found.map(|bytes| self.decode(id, bytes.as_ref())).transpose()
    }

    /// When the result of a job was last read.
    pub(super) fn last_read(self, view: &impl View, id: JobId) -> Result<Option<Timestamp>, StoreError> {
        let Some(bytes) = self.value(view, Table::Jobs, &keys::key(keys::LAST_READ, id))? else { return Ok(None) };
        let bytes = bytes.as_ref();
        let micros =
            <[u8; 8]>::try_from(bytes).map_err(|_| self.corrupt(format!("the time has {} bytes", bytes.len())))?;
        Ok(Some(Timestamp::from_micros(u64::from_be_bytes(micros))))
    }

    /// The id that is stored under a key.
    pub(super) fn id_at(self, view: &impl View, key: &[u8]) -> Result<Option<JobId>, StoreError> {
        let Some(bytes) = self.value(view, Table::Jobs, key)? else { return Ok(None) };
        let id = <[u8; 16]>::try_from(bytes.as_ref()).map_err(|_| self.bad_key(bytes.as_ref()))?;
        Ok(Some(JobId::from_bytes(id)))
    }

    /// The id in a key.
    pub(super) fn id_in(self, key: &[u8]) -> Result<JobId, StoreError> {
        keys::id(key).ok_or_else(|| self.bad_key(key))
    }

    fn bad_key(self, key: &[u8]) -> StoreError {
        self.corrupt(format!("a key or an id has {} bytes", key.len()))
    }

    /// Runs `each` over a scan until it breaks or fails.
    pub(super) fn scan(
        self,
        view: &impl View,
        scan: &Scan<'_>,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        entries(view, scan, &mut each).map_err(|error| self.failed(error))?
    }
}

/// Runs `each` over a scan until it breaks or fails: the error of the engine, or that of `each`.
pub(super) fn entries(
    view: &impl View,
    scan: &Scan<'_>,
    each: &mut impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
) -> Result<Result<(), StoreError>, StoreError> {
    let mut outcome = Ok(());
    view.scan(scan, &mut |key, value| {
        each(key, value).unwrap_or_else(|error| {
            outcome = Err(error);
            ControlFlow::Break(())
        })
    })?;
    Ok(outcome)
}
