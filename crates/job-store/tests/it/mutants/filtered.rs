//! Lists by a filter, and the order of last use, of mutants.

use std::{cmp::Reverse, collections::BTreeSet};

use job_core::{JobFilter, JobId, JobRecord, JobState, Outcome};
use job_store::{JobStore, Kept, LeastUsed, Listed, Store, StoreError, contract};

use super::{Mutant as M, store::Wrong};

impl Wrong {
    fn all(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.inner.list(None, 0, usize::MAX)
    }

    fn taken(&self, filter: &JobFilter, record: &JobRecord) -> bool {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        let mut filter = filter.clone();
        let labels = &record.spec.options().labels;
        match self.mutant {
            M::FilterIgnoresGraph => filter.graph = None,
            M::GraphOfFilterFolded if lower(&filter.graph) == Some(record.spec.graph().to_lowercase()) => {
                filter.graph = None;
            }
            M::FilterIgnoresKind => filter.kind = None,
            M::FilterIgnoresOwner => filter.owner = None,
            M::OwnerOfFilterFolded if lower(&filter.owner) == lower(&record.spec.options().owner) => {
                filter.owner = None;
            }
            M::FilterIgnoresLabels => filter.labels.clear(),
            M::OneLabelIsEnough if !filter.labels.is_disjoint(labels) => filter.labels.clear(),
            M::LabelIsABeginning => {
                filter.labels.retain(|label| !labels.iter().any(|theirs| theirs.starts_with(label.as_str())));
            }
            M::FilterIgnoresStates => filter.states.clear(),
            M::OneStateAlone => filter.states.truncate(1),
            M::FilteredWithoutUnfinished if !record.state.is_complete() => return false,
            M::FilteredWithoutComplete if record.state.is_complete() => return false,
            M::FilteredWithoutCancelled if record.state == JobState::Complete(Outcome::Cancelled) => return false,
            _ => {}
        }
        filter.takes(record)
    }

    pub(super) fn filtered(
        &self,
        filter: &JobFilter,
        before: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut all = self.all()?;
        match self.mutant {
            M::FilteredKnowsRemoved => all.extend(self.notes.lock().removed.values().cloned()),
            M::FilteredForgetsWhenClosed if self.notes.lock().opened > 1 => {
                all.retain(|record| !record.state.is_complete());
            }
            // On later pages of a walk the mutant reads its lists one after the other, and not at one moment.
            M::EndsAreSeenTwice | M::EndsAreMissed if before.is_some() => {
                let complete = |record: &JobRecord| record.state.is_complete();
                let seen_twice = self.mutant == M::EndsAreSeenTwice;
                let one = all;
                std::thread::sleep(std::time::Duration::from_millis(1));
                let other = self.all()?;
                let of = |all: Vec<JobRecord>, ended: bool| all.into_iter().filter(move |r| complete(r) == ended);
                all = of(one, !seen_twice).chain(of(other, seen_twice)).collect();
            }
            // The mutant remembers the unfinished jobs from a moment before.
            M::BeginsAreMissed => {
                let known: BTreeSet<_> = all.into_iter().map(|record| record.id).collect();
                std::thread::sleep(std::time::Duration::from_millis(1));
                all = self.all()?;
                all.retain(|record| record.state.is_complete() || known.contains(&record.id));
            }
            _ => {}
        }
        let requeued = |record: &JobRecord| record.state == JobState::Waiting && record.attempt > 0;
        all.retain(|record| !(self.mutant == M::FilteredWithoutRequeued && requeued(record)));
        all.retain(|record| !self.notes.lock().unlisted.contains(&record.id));
        all.sort_by_key(|record| Reverse(record.id));
        all.retain(|record| self.taken(filter, record));
        let from = before.map_or(0, |before| all.iter().filter(|record| record.id >= before).count());
        let from = match self.mutant {
            M::FilteredBeforeIncluded => before.map_or(0, |before| all.iter().filter(|r| r.id > before).count()),
            M::FilteredBeforeIgnored => 0,
            _ => from,
        };
        let limit = match self.mutant {
            M::FilteredOneMore => limit.saturating_add(1),
            M::FilteredOneLess => limit.saturating_sub(1),
            M::FilteredCapped => limit.min(20),
            M::FilteredNoLimitOfZero if limit == 0 => usize::MAX,
            _ => limit,
        };
        let all = if self.mutant == M::FilteredAfterThePage {
            // The mutant cuts the page before it filters it.
            let page = self.inner.list(before, 0, limit)?;
            page.into_iter().filter(|record| filter.takes(record)).collect()
        } else {
            all.split_off(from)
        };
        let mut page: Vec<_> = all.into_iter().take(limit).collect();
        match self.mutant {
            M::FilteredOldestFirst => page.reverse(),
            M::FilteredUnfinishedFirst => page.sort_by_key(|record| record.state.is_complete()),
            _ => {}
        }
        Ok(page.into_iter().map(|record| Listed { id: record.id, record: Ok(record) }).collect())
    }

    pub(super) fn counted(&self, filter: &JobFilter, most: u64) -> Result<u64, StoreError> {
        let taken = self.inner.count(filter, u64::MAX)?;
        Ok(match self.mutant {
            M::CountIgnoresMost => taken,
            M::CountIgnoresFilter => (self.all()?.len() as u64).min(most),
            M::CountCapped => taken.min(most).min(10),
            M::CountOneMore => taken.min(most.saturating_add(1)),
            _ => taken.min(most),
        })
    }

    /// Complete jobs that are not pinned, in the order of their last use.
    fn used(&self) -> Result<Vec<LeastUsed>, StoreError> {
        let mut jobs = Vec::new();
        for record in self.all()? {
            let usage = self.inner.usage(&[record.id])?;
            let (pinned, read) = (usage[0].pinned, usage[0].last_read);
            let complete = record.state.is_complete();
            let used = match self.mutant {
                M::NotesOfRunningDoNotCount if self.notes.lock().noted_early.contains(&record.id) => {
                    record.finished_at
                }
                M::LeastUsedByEnd => record.finished_at,
                M::LeastUsedByReading => read.or(record.finished_at),
                M::LeastUsedWithUnfinished | M::KeptWithUnfinished => {
                    Some(contract::last_used(&record, read).unwrap_or(record.submitted_at))
                }
                _ => contract::last_used(&record, read),
            };
            let counts = (complete || matches!(self.mutant, M::LeastUsedWithUnfinished | M::KeptWithUnfinished))
                && (!pinned || matches!(self.mutant, M::LeastUsedWithPinned | M::KeptWithPinned));
            if let Some(used) = used.filter(|_| counts) {
                let bytes = if self.mutant == M::LeastUsedBytesLost { 0 } else { record.size.bytes };
                jobs.push(LeastUsed { id: record.id, used, bytes });
            }
        }
        jobs.sort_by_key(|job| (job.used, job.id));
        Ok(jobs)
    }

    pub(super) fn kept_jobs(&self) -> Result<Kept, StoreError> {
        let mut jobs = self.used()?;
        if self.mutant == M::KeptWithRowsOnly {
            jobs.retain(|job| job.bytes > 0);
        }
        let mut kept = Kept { jobs: jobs.len() as u64, bytes: jobs.iter().map(|job| job.bytes).sum() };
        let mut notes = self.notes.lock();
        match self.mutant {
            M::KeptForgetsWhenClosed if notes.opened > 1 => kept = Kept::default(),
            M::KeptBytesLost => kept.bytes = 0,
            M::KeptNeverLess => {
                kept.jobs = kept.jobs.max(notes.most_kept);
                notes.most_kept = kept.jobs;
            }
            _ => {}
        }
        Ok(kept)
    }

    pub(super) fn least_used_jobs(
        &self,
        with_rows: bool,
        after: Option<LeastUsed>,
        limit: usize,
    ) -> Result<Vec<LeastUsed>, StoreError> {
        let mut jobs = self.used()?;
        let place = |job: &LeastUsed| (job.used, job.id);
        match self.mutant {
            M::LeastUsedById => jobs.sort_by_key(|job| job.id),
            M::MostUsedFirst => jobs.reverse(),
            M::LeastUsedTiesNewestFirst => jobs.sort_by_key(|job| (job.used, Reverse(job.id))),
            _ => {}
        }
        jobs.retain(|job| match self.mutant {
            M::LeastUsedAfterIncluded => after.is_none_or(|after| place(job) >= place(&after)),
            M::LeastUsedAfterIgnored => true,
            _ => after.is_none_or(|after| place(job) > place(&after)),
        });
        jobs.retain(|job| !with_rows || job.bytes > 0 || self.mutant == M::LeastUsedRowsIgnored);
        if self.mutant != M::LeastUsedNoLimit {
            jobs.truncate(limit);
        }
        Ok(jobs)
    }
}
