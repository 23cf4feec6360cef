//! [`copy`]: brings the jobs of one store into another, of any two kinds.

mod expected;
mod rows;

use job_core::{FailedAttempt, JobFilter, JobId, JobRecord, JobResult, JobState, Outcome, RowList};

use self::expected::{Standing, expected, first, standing};
use crate::{Durability, ErrorKind, Listed, Pin, Store, StoreError, contract, verify::goes_in_circles};

/// Jobs that are read, and written, at once.
const PIECE: usize = 256;
/// Bytes of named values that the results of a piece may have in memory.
const OUTPUTS: usize = 8 << 20;

/// The jobs that a [`copy`] takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// Only jobs that this filter takes; by default all.
    pub filter: JobFilter,
}

impl CopyOptions {
    /// Copies only the jobs that `filter` takes.
    #[must_use]
    pub fn filter(mut self, filter: JobFilter) -> Self {
        self.filter = filter;
        self
    }
}

/// How far a [`copy`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Copied {
    /// Jobs to look at: those that were in the source when the call began.
    pub jobs_in_all: u64,
    /// Rows of their results.
    pub rows_in_all: u64,
    /// Bytes of those rows, as JSON.
    pub bytes_in_all: u64,
    /// Jobs that this call has copied.
    pub jobs: u64,
    /// Rows that this call has copied.
    pub rows: u64,
    /// Bytes of those rows, as JSON.
    pub bytes: u64,
    /// Jobs that were whole in the target already.
    pub present: u64,
    /// Jobs that are not, or not whole, in the target, each of which was [told of](CopyNews::LeftOut).
    pub left_out: u64,
}

/// The news of a [`copy`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyNews {
    /// A job or a block of rows was written.
    Progress(Copied),
    /// A job stays out of the copy.
    LeftOut {
        /// Which.
        job: JobId,
        /// The reason, as a sentence.
        why: String,
    },
}

/// Copies jobs with all that belongs to them: records, results, rows, checkpoints, failed attempts, pins and times of
/// reading. Ids, revisions, attempts and all times stay as they are, so the order of jobs does, and each page reads the
/// same.
/// Blocks of rows are copied as they lie, after a look at their checksums.
///
/// A job that runs in the source is copied as one that waits again, without a blame. One that is being cancelled is
/// copied as cancelled. A checkpoint comes along, and the next attempt goes on from it.
///
/// The next call makes a copy whole that was ended in the middle. It passes over jobs that are whole, and writes half
/// ones anew. It also brings jobs up to date that have gone on in the source since. So a first copy may be made while an
/// engine works on the source, and a second one after that engine has ended.
///
/// Open an engine on the target after the last call; the target is refused while an engine has it for itself. A job that is
/// half copied is one that is being cancelled, so that no engine runs it. An engine that finds one ends it as cancelled.
///
/// A job stays out, and is told of, when the target has another job under its id or its idempotency key. So does one whose
/// record or rows are damaged.
///
/// Of jobs whose newer job of the same key or the same work was removed from the source, the target may find the older one.
///
/// Cost: two reads of each record, one read and one write of each row. Memory: 256 records, their results, one block of rows,
/// and 16 bytes for each 256 jobs.
///
/// ```
/// use job_core::{JobId, JobRecord, JobSpec, Timestamp};
/// use job_store::{CopyNews, CopyOptions, Durability, JobStore, MemoryStore, copy};
///
/// let (from, to) = (MemoryStore::default(), MemoryStore::default());
/// let job = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("movies"), Timestamp::default());
/// from.insert(&[job.clone()], Durability::Synced)?;
///
/// let copied = copy(&from, &to, &CopyOptions::default(), &mut |news| match news {
///     CopyNews::LeftOut { job, why } => eprintln!("job {job} is left out: {why}"),
///     _ => {}
/// })?;
/// assert_eq!((copied.jobs, copied.left_out), (1, 0));
/// assert_eq!(to.get(job.id)?, Some(job));
/// # Ok::<(), job_store::StoreError>(())
/// ```
///
/// # Errors
/// When one of the stores fails, or `AlreadyOpen` when an engine works on the target. The jobs that were copied before stay.
pub fn copy(
    from: &dyn Store,
    to: &dyn Store,
    options: &CopyOptions,
    news: &mut dyn FnMut(CopyNews),
) -> Result<Copied, StoreError> {
    let _seat = match to.seat("a copy into it") {
        // Engines share it: the rows of its claims are fenced.
        Err(error) if error.kind == ErrorKind::Invalid => None,
        seat => Some(seat?),
    };
    let mut copier = Copier { from, to, options, news, copied: Copied::default() };
    // Oldest first, because a later job may have the key or the work of an earlier one.
    for piece in copier.pieces()?.into_iter().rev() {
        copier.piece(piece)?;
    }
    Ok(copier.copied)
}

struct Copier<'a> {
    from: &'a dyn Store,
    to: &'a dyn Store,
    options: &'a CopyOptions,
    news: &'a mut dyn FnMut(CopyNews),
    copied: Copied,
}

/// A part of the list: the jobs older than one and no older than another.
#[derive(Debug, Clone, Copy)]
struct Piece {
    before: Option<JobId>,
    last: JobId,
}

/// A job on its way.
struct Part {
    /// As it is to be.
    record: JobRecord,
    /// As it is put first.
    first: JobRecord,
    result: Option<JobResult>,
    failures: Vec<FailedAttempt>,
}

impl Part {
    fn outputs(&self) -> usize {
        let outputs = self.result.iter().flat_map(|result| result.outputs.iter());
        outputs.map(|(name, json)| name.len() + json.len()).sum()
    }

    fn key(&self) -> Option<(&str, &str)> {
        let spec = &self.record.spec;
        Some((spec.graph(), spec.options().idempotency_key.as_deref()?))
    }
}

impl Copier<'_> {
    fn list(&self, before: Option<JobId>) -> Result<Vec<Listed>, StoreError> {
        self.from.filtered_entries(&self.options.filter, before, PIECE)
    }

    /// All jobs, the newest first, and how much they are.
    fn pieces(&mut self) -> Result<Vec<Piece>, StoreError> {
        let (mut pieces, mut before) = (Vec::new(), None);
        loop {
            let listed = self.list(before)?;
            let Some(last) = listed.last().map(|last| last.id) else { return Ok(pieces) };
            if before.is_some_and(|before| before <= last) {
                return Err(goes_in_circles(last));
            }
            pieces.push(Piece { before, last });
            before = Some(last);
            self.copied.jobs_in_all += listed.len() as u64;
            for record in listed.iter().filter_map(|listed| listed.record.as_ref().ok()) {
                self.copied.rows_in_all = self.copied.rows_in_all.saturating_add(record.size.rows);
                self.copied.bytes_in_all = self.copied.bytes_in_all.saturating_add(record.size.bytes);
            }
        }
    }

    fn piece(&mut self, piece: Piece) -> Result<(), StoreError> {
        let listed = self.list(piece.before)?;
        let mut whole = Vec::new();
        let mut batch: Vec<Part> = Vec::new();
        let mut outputs = 0;
        for Listed { id, record } in listed.into_iter().rev().filter(|listed| listed.id >= piece.last) {
            let record = match record {
                Ok(record) => expected(&record),
                Err(error) => {
                    self.leave_out(id, error.to_string());
                    continue;
                }
            };
            let stored = match self.to.get(id) {
                Err(error) if error.kind == ErrorKind::Corrupt => {
                    self.leave_out(id, format!("the one in the target cannot be read: remove it there ({error})"));
                    continue;
                }
                stored => stored?,
            };
            match standing(stored.as_ref(), &record) {
                Standing::Whole => {
                    self.copied.present += 1;
                    whole.push(record);
                    continue;
                }
                Standing::Other(why) => {
                    self.leave_out(id, why.to_owned());
                    continue;
                }
                Standing::Missing => {}
                Standing::Behind => {
                    if !self.take_away(id)? {
                        continue;
                    }
                }
            }
            let Some(part) = self.part(record)? else { continue };
            outputs += part.outputs();
            let is_taken = part.key().is_some_and(|key| batch.iter().any(|other| other.key() == Some(key)));
            if is_taken || outputs > OUTPUTS {
                outputs = part.outputs();
                whole.extend(self.write(std::mem::take(&mut batch))?);
            }
            batch.push(part);
        }
        whole.extend(self.write(batch)?);
        self.note(&whole)?;
        for record in &whole {
            self.put_in_order(record)?;
        }
        (self.news)(CopyNews::Progress(self.copied));
        Ok(())
    }

    /// A job with its result; `None` when that cannot be read, or the job was removed meanwhile.
    fn part(&mut self, record: JobRecord) -> Result<Option<Part>, StoreError> {
        let result = match self.from.result(record.id) {
            Err(error) if error.kind == ErrorKind::Corrupt => {
                self.leave_out(record.id, error.to_string());
                return Ok(None);
            }
            result => result?.filter(|_| record.state.is_complete()),
        };
        if result.is_none() && record.state.is_complete() && self.is_gone(record.id)? {
            self.copied.jobs_in_all = self.copied.jobs_in_all.saturating_sub(1);
            return Ok(None);
        }
        let failures = if record.attempt > 0 { self.failures(record.id)? } else { Vec::new() };
        let list = result.as_ref().and_then(|result| result.list.as_ref());
        let attempts = rows::attempts(list.map_or(&[], RowList::segments), &record);
        // Only a running attempt may keep failed ones.
        let has_run = record.state.is_complete() && !failures.is_empty();
        let attempts = result.as_ref().map(|_| attempts.as_slice()).or(has_run.then_some(&[]));
        let Some(first) = first(&record, attempts) else {
            self.leave_out(record.id, "its revision is too low for a job that has run".to_owned());
            return Ok(None);
        };
        Ok(Some(Part { record, first, result, failures }))
    }

    /// The failed attempts of a job; none if they are damaged, since the job is whole without them.
    fn failures(&self, job: JobId) -> Result<Vec<FailedAttempt>, StoreError> {
        Ok(readable(self.from.failures(job).map(Some))?.unwrap_or_default())
    }

    fn is_gone(&self, job: JobId) -> Result<bool, StoreError> {
        match self.from.get(job) {
            Err(error) if error.kind == ErrorKind::Corrupt => Ok(false),
            found => Ok(found?.is_none()),
        }
    }

    /// Writes jobs that are not in the target, and says which are whole now.
    fn write(&mut self, batch: Vec<Part>) -> Result<Vec<JobRecord>, StoreError> {
        let firsts: Vec<JobRecord> = batch.iter().map(|part| part.first.clone()).collect();
        match self.to.insert(&firsts, Durability::Synced) {
            Err(error) if error.kind == ErrorKind::AlreadyExists => return self.write_each(batch, &error),
            inserted => inserted?,
        }
        let (mut whole, mut ends) = (Vec::new(), Vec::new());
        for part in batch {
            if !part.failures.is_empty() {
                self.to.save_failures(part.record.id, part.first.attempt, &part.failures)?;
            }
            if let Some(result) = part.result {
                if let Some(why) = self.rows(&part.record, &result)? {
                    self.take_away(part.record.id)?;
                    self.leave_out(part.record.id, why);
                } else {
                    ends.push((part.record, result));
                }
            } else if part.first == part.record || self.checkpoint(&part)? {
                whole.push(part.record);
            }
        }
        let pairs: Vec<_> = ends.iter().map(|(record, result)| (record, result)).collect();
        if !pairs.is_empty() {
            self.to.complete(&pairs, Durability::Synced)?;
        }
        whole.extend(ends.into_iter().map(|(record, _)| record));
        self.copied.jobs += whole.len() as u64;
        (self.news)(CopyNews::Progress(self.copied));
        Ok(whole)
    }

    /// Writes the jobs of a batch that was refused, one by one.
    fn write_each(&mut self, mut batch: Vec<Part>, refused: &StoreError) -> Result<Vec<JobRecord>, StoreError> {
        if batch.len() > 1 {
            let written = batch.into_iter().map(|part| self.write(vec![part])).collect::<Result<Vec<_>, _>>()?;
            return Ok(written.into_iter().flatten().collect());
        }
        let Some(part) = batch.pop() else { return Ok(Vec::new()) };
        let holder = refused.job.filter(|holder| *holder != part.record.id);
        let is_ours = match (part.key(), holder) {
            (Some((graph, key)), Some(holder)) => readable(self.from.find_key(graph, key))? == Some(holder),
            _ => false,
        };
        match holder {
            // It was given the key after this job, although its id is less.
            Some(holder) if is_ours && !contract::holds_key(&part.record) && self.take_away(holder)? => {
                let mut whole = self.write(vec![part])?;
                whole.extend(self.write_again(holder)?);
                Ok(whole)
            }
            Some(holder) => {
                let why = format!("job {holder} of the target has its idempotency key: remove one of the two");
                self.leave_out(part.record.id, why);
                Ok(Vec::new())
            }
            None => {
                self.leave_out(part.record.id, "a job of its id came into the target meanwhile".to_owned());
                Ok(Vec::new())
            }
        }
    }

    /// Writes a job once more that was taken away.
    fn write_again(&mut self, job: JobId) -> Result<Vec<JobRecord>, StoreError> {
        let Some(record) = readable(self.from.get(job))? else { return Ok(Vec::new()) };
        let part = self.part(expected(&record))?;
        let Some(part) = part else { return Ok(Vec::new()) };
        // It was counted before.
        let before = self.copied;
        let whole = self.write(vec![part])?;
        self.copied = Copied { left_out: self.copied.left_out, ..before };
        Ok(whole)
    }

    /// Sees to it that the key and the work of this job lead to the same jobs as in the source.
    fn put_in_order(&mut self, record: &JobRecord) -> Result<(), StoreError> {
        let spec = &record.spec;
        if let Some(key) = &spec.options().idempotency_key {
            let wanted = readable(self.from.find_key(spec.graph(), key))?;
            let found = self.to.find_key(spec.graph(), key)?;
            self.put_last(record, wanted.filter(|_| wanted != found))?;
        }
        if record.state == JobState::Complete(Outcome::Succeeded) {
            let wanted = readable(self.from.find_reusable(spec))?;
            let found = readable(self.to.find_reusable(spec))?;
            self.put_last(record, wanted.filter(|_| wanted != found))?;
        }
        Ok(())
    }

    /// Writes an earlier job once more behind this one, which has taken its place. A later one is still to come.
    fn put_last(&mut self, record: &JobRecord, earlier: Option<JobId>) -> Result<(), StoreError> {
        let Some(earlier) = earlier.filter(|earlier| *earlier < record.id) else { return Ok(()) };
        let Some(wanted) = readable(self.from.get(earlier))?.map(|wanted| expected(&wanted)) else {
            return Ok(());
        };
        let is_there = standing(readable(self.to.get(earlier))?.as_ref(), &wanted) == Standing::Whole;
        if is_there && self.take_away(earlier)? {
            let whole = self.write_again(earlier)?;
            self.note(&whole)?;
        }
        Ok(())
    }

    /// Brings the checkpoint of an unfinished job, and lets it wait; `false` if that one is left out.
    fn checkpoint(&mut self, part: &Part) -> Result<bool, StoreError> {
        let id = part.record.id;
        match self.from.checkpoint(id) {
            Err(error) if error.kind == ErrorKind::Corrupt => {
                self.take_away(id)?;
                self.leave_out(id, error.to_string());
                return Ok(false);
            }
            Err(error) => return Err(error),
            Ok(Some(bytes)) => self.to.save_checkpoint(id, part.first.attempt, &bytes)?,
            Ok(None) => {}
        }
        self.to.replace(&part.record, Durability::Synced)?;
        Ok(true)
    }

    /// Brings pins and times of reading up to date.
    fn note(&self, whole: &[JobRecord]) -> Result<(), StoreError> {
        let ids: Vec<JobId> = whole.iter().map(|record| record.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let wanted = match self.from.usage(&ids) {
            // One by one past the damaged ones.
            Err(error) if error.kind == ErrorKind::Corrupt => {
                let usage = |id| readable(self.from.usage(&[id]).map(|usage| usage.first().copied()));
                ids.iter().map(|id| Ok(usage(*id)?.unwrap_or_default())).collect::<Result<_, StoreError>>()?
            }
            wanted => wanted?,
        };
        let found = self.to.usage(&ids)?;
        let mut reads = Vec::new();
        for ((id, wanted), found) in ids.iter().zip(wanted).zip(found) {
            reads.extend(wanted.last_read.filter(|read| Some(*read) > found.last_read).map(|read| (*id, read)));
            if wanted.pinned && !found.pinned {
                self.to.pin(*id, Pin::Keep)?;
            }
        }
        if reads.is_empty() { Ok(()) } else { self.to.record_reads(&reads) }
    }

    /// Removes a job from the target that is to be written anew; `false` if that one is in use there.
    fn take_away(&mut self, id: JobId) -> Result<bool, StoreError> {
        let Some(stored) = self.to.get(id)? else { return Ok(true) };
        if self.to.usage(&[id])?.iter().any(|usage| usage.pinned) {
            self.to.pin(id, Pin::Release)?;
        }
        if !stored.state.is_complete() {
            match self.to.replace(&expected::cancelled(&stored), Durability::Buffered) {
                Err(error) if matches!(error.kind, ErrorKind::Fenced | ErrorKind::Conflict) => {
                    self.leave_out(id, format!("an engine works on it in the target ({error})"));
                    return Ok(false);
                }
                replaced => replaced?,
            }
        }
        self.to.remove(id)?;
        Ok(true)
    }

    fn leave_out(&mut self, job: JobId, why: String) {
        self.copied.left_out += 1;
        (self.news)(CopyNews::LeftOut { job, why });
    }
}

/// Nothing in place of something that is damaged.
fn readable<T>(found: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Err(error) if error.kind == ErrorKind::Corrupt => Ok(None),
        found => found,
    }
}
