//! Deletes the objects without a row in the database.
//!
//! An attempt that is over adds no rows, so each of its objects without a row is garbage. The table `uploads` says
//! which attempts to look at; nothing else of the object store is listed.

use std::{
    collections::{BTreeSet, HashSet},
    fs,
    path::{Path as Directory, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use job_core::JobId;
use object_store::{Error, ObjectStoreExt, path::Path};
use tokio_postgres::Row;

use super::{
    super::{Call, PostgresStore, column, id_column, uuid},
    Objects, failure,
};
use crate::{Durability, StoreError};

/// The due attempts that are over, a few at a time.
const DUE: &str = "
    SELECT job, attempt, revision FROM uploads u
    WHERE due AND (job, attempt) > ($1, $2)
        AND NOT EXISTS (SELECT FROM queue q WHERE q.job = u.job AND q.attempt = u.attempt AND q.state > 0 OFFSET 0)
    ORDER BY job, attempt LIMIT 64";

/// The objects that count, and how many times rows of the attempt became due.
const NAMED: &str = "
    SELECT (SELECT revision FROM uploads WHERE job = $1 AND attempt = $2),
        ARRAY(SELECT name FROM objects WHERE job = $1 AND attempt = $2)";

/// A write without a change. Its synced commit flushes the writes before it.
const FLUSH: &str = "UPDATE uploads SET due = due WHERE job = $1 AND attempt = $2";

/// Marks an attempt as collected, unless more became due meanwhile. `$4`: whether objects are left, which belong
/// to a result.
const DONE: &str = "
    WITH kept AS (
        UPDATE uploads SET due = false WHERE job = $1 AND attempt = $2 AND revision = $3 AND $4
    )
    DELETE FROM uploads WHERE job = $1 AND attempt = $2 AND revision = $3 AND NOT $4";

impl PostgresStore {
    /// Deletes objects that no result will ever name. They are those of removed jobs, of jobs that ended without a
    /// result, and of attempts that died while they wrote. Returns how many there were.
    ///
    /// The store does this by itself when it is opened, and after it has removed a job, ended one without a result
    /// or discarded rows. Several stores may do it at once. Cost: one statement, and for each attempt whose
    /// objects are deleted one listing, one or two statements and the deletions.
    ///
    /// # Errors
    /// `Unavailable` when the database or the object store does not answer; what is left is deleted the next time.
    pub fn collect_objects(&self) -> Result<u64, StoreError> {
        let call = Call::new("delete objects");
        let Some(objects) = &self.inner.objects else { return Ok(0) };
        let _alone = objects.collecting.lock();
        objects.is_due.store(false, Ordering::Release);
        let (mut after, mut deleted) = ((JobId::from_bytes([0; 16]), -1), 0);
        loop {
            let rows = self.rows(call, DUE, &[&uuid(after.0), &after.1])?;
            if let Some(first) = rows.first() {
                // A buffered removal may be undone by the death of the server. So a synced write flushes it before
                // the objects are deleted.
                let (job, attempt): (_, i64) = (id_column(call, first, 0)?, column(call, first, 1)?);
                self.rows(call.durable(Durability::Synced), FLUSH, &[&uuid(job), &attempt])?;
            }
            for row in &rows {
                let (job, attempt, revision) =
                    (id_column(call, row, 0)?, column(call, row, 1)?, column(call, row, 2)?);
                deleted += self.collect_attempt(call.on(job), objects, (job, attempt), Some(revision))?;
                after = (job, attempt);
            }
            if rows.is_empty() {
                return Ok(deleted);
            }
        }
    }

    /// Deletes objects of which this database has never known, or knows no more: those that are newer than a backup from which
    /// it was restored. Returns how many there were.
    ///
    /// Call it once after a restore, when no other database uses the place of the objects: it deletes what another one
    /// needs. Engines may work on this database meanwhile. Cost: a list of all objects, and for each attempt that has
    /// some a statement, and a list if it is not known.
    ///
    /// # Errors
    /// `Unavailable` when the database or the object store does not answer; another call deletes what is left.
    pub fn collect_unknown_objects(&self) -> Result<u64, StoreError> {
        const PAGE: usize = 1_000;
        let call = Call::new("delete objects");
        let Some(objects) = &self.inner.objects else { return Ok(0) };
        let _alone = objects.collecting.lock();
        let (mut names, mut deleted) = (objects.place.store.list(None), 0);
        loop {
            let page = async move {
                let page: Vec<_> = names.by_ref().take(PAGE).try_collect().await?;
                Ok((page, names))
            };
            let (page, rest) =
                objects.answer(call, objects.start(page))?.map_err(|error| failure(call, &error))?;
            let attempts: BTreeSet<_> = page.iter().filter_map(|found| attempt_of(&found.location)).collect();
            for (job, attempt) in attempts {
                deleted += self.collect_attempt(call.on(job), objects, (job, attempt), None)?;
            }
            if page.len() < PAGE {
                return Ok(deleted);
            }
            names = rest;
        }
    }

    /// Deletes the objects of an attempt that have no row. `revision` is that of its row in `uploads`, which an attempt has
    /// before it puts its first object. `None` of an attempt that should have none.
    fn collect_attempt(
        &self,
        call: Call,
        objects: &Objects,
        (job, attempt): (JobId, i64),
        revision: Option<i64>,
    ) -> Result<u64, StoreError> {
        let found = objects.list(call, job, attempt)?;
        let unfinished = objects.unfinished(job, attempt);
        // Asked after the list was made: what is in both was named all the time.
        let rows = self.rows(call, NAMED, &[&uuid(job), &attempt])?;
        let Some(row) = rows.first() else { return Ok(0) };
        if column::<Option<i64>>(call, row, 0)? != revision {
            // More is due, or a job that was removed has come back, and what was listed may be on its way to be named.
            return Ok(0);
        }
        let named: HashSet<&str> = column::<Vec<&str>>(call, row, 1)?.into_iter().collect();
        let garbage: Vec<_> = found.into_iter().filter(|path| !named.contains(path.as_ref())).collect();
        objects.delete(call, &garbage)?;
        if let Some(revision) = revision {
            if named.is_empty() {
                objects.remove_directories(job, attempt, &unfinished);
            }
            self.rows(call, DONE, &[&uuid(job), &attempt, &revision, &!named.is_empty()])?;
        }
        Ok(garbage.len() as u64)
    }

    /// Starts a collection soon if this column of a statement's result says that attempts became due.
    pub(in super::super) fn collect_if_due(
        &self,
        call: Call,
        rows: Option<&Vec<Row>>,
        at: usize,
    ) -> Result<(), StoreError> {
        let row = rows.and_then(|rows| rows.first());
        if row.map_or(Ok(false), |row| column(call, row, at))? {
            self.collect_soon();
        }
        Ok(())
    }

    pub(super) fn collect_soon(&self) {
        let Some(objects) = &self.inner.objects else { return };
        if objects.is_due.swap(true, Ordering::AcqRel) {
            return;
        }
        let inner = Arc::downgrade(&self.inner);
        // A plain thread: the runtime panics if the system starts none.
        let started = thread::Builder::new().name("job-store-objects".to_owned()).spawn(move || {
            // If this store is closed, the next one collects.
            let Some(inner) = inner.upgrade() else { return };
            if let Err(error) = (Self { inner }).collect_objects() {
                tracing::warn!(%error, "objects that nobody needs were not deleted: trying again after the next removal");
            }
        });
        if let Err(error) = started {
            objects.is_due.store(false, Ordering::Release);
            tracing::warn!(%error, "objects that nobody needs were not deleted: trying again after the next removal");
        }
    }
}

/// The attempt that an object is of, by its name. Files of others have other names.
fn attempt_of(name: &Path) -> Option<(JobId, i64)> {
    let mut parts = name.parts();
    let job = parts.next()?.as_ref().parse().ok()?;
    let attempt: u32 = parts.next()?.as_ref().parse().ok()?;
    Some((job, attempt.into()))
}

impl Objects {
    fn list(&self, call: Call, job: JobId, attempt: i64) -> Result<Vec<Path>, StoreError> {
        let (store, prefix) = (self.place.store.clone(), Path::from(format!("{job}/{attempt}")));
        let list = async move { store.list(Some(&prefix)).map_ok(|found| found.location).try_collect().await };
        self.answer(call, self.start(list))?.map_err(|error| failure(call, &error))
    }

    fn delete(&self, call: Call, garbage: &[Path]) -> Result<(), StoreError> {
        /// The most objects that S3 deletes in one request.
        const BATCH: usize = 1000;
        for batch in garbage.chunks(BATCH) {
            let (store, batch) = (self.place.store.clone(), batch.to_vec());
            let delete = async move {
                let paths = stream::iter(batch).map(Ok).boxed();
                let gone = store.delete_stream(paths).filter_map(|deleted| async move {
                    // Another store has deleted the object.
                    (!matches!(deleted, Err(Error::NotFound { .. }))).then_some(deleted)
                });
                gone.try_for_each(|_| async { Ok(()) }).await
            };
            self.answer(call, self.start(delete))?.map_err(|error| failure(call, &error))?;
        }
        Ok(())
    }

    /// Deletes an object in the background.
    pub(super) fn forget(&self, name: String) {
        let store = self.place.store.clone();
        self.runtime.spawn(async move {
            let _ = store.delete(&Path::from(name)).await;
        });
    }

    /// In a file system: the files of an attempt that a dead process did not finish.
    fn unfinished(&self, job: JobId, attempt: i64) -> Vec<PathBuf> {
        let Some(place) = &self.place.directory else { return Vec::new() };
        let segments = entries(&place.join(job.to_string()).join(attempt.to_string()));
        let is_unfinished =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains('#'));
        segments.iter().flat_map(|segment| entries(segment)).filter(is_unfinished).collect()
    }

    /// In a file system: removes what is left of an attempt without objects. A job that comes back meanwhile keeps its files:
    /// directories that are not empty stay.
    fn remove_directories(&self, job: JobId, attempt: i64, unfinished: &[PathBuf]) {
        let Some(place) = &self.place.directory else { return };
        for file in unfinished {
            let _ = fs::remove_file(file);
        }
        let of_job = place.join(job.to_string());
        let of_attempt = of_job.join(attempt.to_string());
        for directory in entries(&of_attempt).into_iter().chain([of_attempt, of_job]) {
            let _ = fs::remove_dir(directory);
        }
    }
}

fn entries(directory: &Directory) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
