//! Lists of jobs by a filter.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    ops::{ControlFlow, Range},
};

use job_core::{JobFilter, JobId};

use super::{KeyValue, KeyValueStore, Order, Scan, Table, View, call::Call, keys, unfinished::Listing};
use crate::{
    Listed, StoreError,
    contract::{self, Term},
};

/// A page of a list, newest first.
#[derive(Clone, Copy)]
pub(super) struct Search<'f> {
    pub(super) filter: &'f JobFilter,
    /// The page has jobs that are older than this one.
    pub(super) before: Option<JobId>,
    /// The most jobs on the page.
    pub(super) limit: usize,
}

const CALL: Call = Call::of("list");

impl Search<'_> {
    /// The page, from one view of the store. A job that ends at this moment is on it once.
    pub(super) fn run<K: KeyValue>(self, store: &KeyValueStore<K>) -> Result<Vec<Listed>, StoreError> {
        if self.limit == 0 {
            return Ok(Vec::new());
        }
        let listing = listing(store)?;
        let view = store.inner.kv.view().map_err(|error| CALL.failed(error))?;
        let mut found = self.finished(&view)?;
        // A full page has no room for older jobs.
        let after = found.last().map(|last| last.id).filter(|_| found.len() == self.limit);
        let unfinished = match &listing {
            Some(listing) => self.unfinished(store, listing, &view, after)?,
            None => None,
        };
        found.extend(match unfinished {
            Some(unfinished) => unfinished,
            None => self.scanned(store, &view, after)?,
        });
        found.sort_by_key(|listed| Reverse(listed.id));
        found.truncate(self.limit);
        Ok(found)
    }

    /// The complete jobs that are found by the index.
    fn finished(self, view: &impl View) -> Result<Vec<Listed>, StoreError> {
        let leads = self.leads(view)?;
        let (mut found, mut before) = (Vec::new(), self.before);
        while found.len() < self.limit {
            let ids = newest(view, &leads, before, self.limit - found.len())?;
            let Some(last) = ids.last().copied() else { break };
            for id in ids {
                found.extend(self.job(view, id)?);
            }
            before = Some(last);
        }
        Ok(found)
    }

    /// The prefixes of the entries of the index that lead to the jobs, each sorted by id.
    fn leads(self, view: &impl View) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut leads = vec![keys::unreadable()];
        let kinds = match Term::leading(self.filter) {
            Some(term) => {
                leads.extend(contract::outcomes(self.filter).map(|outcome| keys::term(term, outcome)));
                return Ok(leads);
            }
            // Every job has a kind, and there are few kinds.
            None => kinds(view)?,
        };
        for kind in kinds {
            leads.extend(contract::outcomes(self.filter).map(|outcome| [kind.as_slice(), &[outcome]].concat()));
        }
        Ok(leads)
    }

    /// The newest unfinished jobs that are newer than `after`; `None` if their ids were forgotten meanwhile.
    fn unfinished<K: KeyValue>(
        self,
        store: &KeyValueStore<K>,
        listing: &Listing<'_>,
        view: &K::View<'_>,
        after: Option<JobId>,
    ) -> Result<Option<Vec<Listed>>, StoreError> {
        let (mut found, mut before) = (Vec::new(), self.before);
        while found.len() < self.limit {
            let Some(ids) = listing.next(after, before) else { return Ok(None) };
            let Some(last) = ids.last().copied() else { break };
            for id in ids.into_iter().filter(|id| self.may_take(store, *id)) {
                if CALL.about(id).has(view, &keys::key(keys::UNFINISHED, id))? {
                    found.extend(self.job(view, id)?);
                }
                if found.len() == self.limit {
                    break;
                }
            }
            before = Some(last);
        }
        Ok(Some(found))
    }

    /// The same, by a scan of the entries of the unfinished jobs.
    fn scanned<K: KeyValue>(
        self,
        store: &KeyValueStore<K>,
        view: &K::View<'_>,
        after: Option<JobId>,
    ) -> Result<Vec<Listed>, StoreError> {
        let mut found = Vec::new();
        each_unfinished(view, keys::unfinished(after, self.before), &mut |id| {
            if self.may_take(store, id) {
                found.extend(self.job(view, id)?);
            }
            Ok(if found.len() < self.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// Whether the filter may take this unfinished job. A request never changes, so the records of most jobs that do
    /// not match need not be read.
    fn may_take<K: KeyValue>(self, store: &KeyValueStore<K>, id: JobId) -> bool {
        store.inner.locks.spec(id).is_none_or(|spec| self.filter.takes_spec(&spec))
    }

    /// The job of an entry, unless the filter does not take it.
    fn job(self, view: &impl View, id: JobId) -> Result<Option<Listed>, StoreError> {
        let found = CALL.about(id).value(view, Table::Jobs, &keys::key(keys::RECORD, id))?;
        let Some(record) = found.map(|bytes| CALL.decode(id, bytes.as_ref())) else { return Ok(None) };
        if record.as_ref().is_ok_and(|record| !self.filter.takes(record)) {
            return Ok(None);
        }
        Listed::of(id, record).map(Some)
    }
}

/// The unfinished jobs by memory; `None` where another process may write to the store.
fn listing<K: KeyValue>(store: &KeyValueStore<K>) -> Result<Option<Listing<'_>>, StoreError> {
    if store.inner.facts.read_only {
        return Ok(None);
    }
    let load = |loaded: &dyn Fn(BTreeSet<JobId>)| {
        // All locks are held, so that no job begins or ends between the read and the use of what was read.
        let held = store.inner.locks.everything();
        let view = store.inner.kv.view().map_err(|error| CALL.failed(error))?;
        let mut ids = BTreeSet::new();
        each_unfinished(&view, keys::unfinished(None, None), &mut |id| {
            ids.insert(id);
            Ok(ControlFlow::Continue(()))
        })?;
        loaded(ids);
        drop(held);
        Ok(())
    };
    store.inner.unfinished.list(load).map(Some)
}

/// The ids of the entries of the unfinished jobs, newest first.
fn each_unfinished(
    view: &impl View,
    range: Range<Vec<u8>>,
    each: &mut dyn FnMut(JobId) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let keys = range.start.as_slice()..range.end.as_slice();
    let newest_first = Scan { table: Table::Jobs, keys, order: Order::Descending, again: true };
    CALL.scan(view, &newest_first, |key, _| each(CALL.id_in(key)?))
}

/// The newest of the jobs under these prefixes.
fn newest(
    view: &impl View,
    leads: &[Vec<u8>],
    before: Option<JobId>,
    limit: usize,
) -> Result<Vec<JobId>, StoreError> {
    let mut ids = Vec::new();
    for lead in leads {
        let range = keys::led_by(lead, before);
        let keys = range.start.as_slice()..range.end.as_slice();
        let newest_first = Scan { table: Table::Jobs, keys, order: Order::Descending, again: true };
        let mut left = limit;
        CALL.scan(view, &newest_first, |key, _| {
            ids.push(keys::last_id(key).ok_or_else(|| CALL.corrupt("an entry of the index is damaged"))?);
            left -= 1;
            Ok(if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
    }
    ids.sort_unstable_by_key(|id| Reverse(*id));
    ids.truncate(limit);
    Ok(ids)
}

/// The kinds of the complete jobs. Cost: one look-up for each kind.
fn kinds(view: &impl View) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut kinds: Vec<Vec<u8>> = Vec::new();
    loop {
        let range = keys::kinds_after(kinds.last().map(Vec::as_slice));
        let keys = range.start.as_slice()..range.end.as_slice();
        let first = Scan { table: Table::Jobs, keys, order: Order::Ascending, again: true };
        let mut next = None;
        CALL.scan(view, &first, |key, _| {
            next =
                Some(keys::kind_of(key).ok_or_else(|| CALL.corrupt("an entry of the index is damaged"))?.to_vec());
            Ok(ControlFlow::Break(()))
        })?;
        match next {
            Some(kind) => kinds.push(kind),
            None => return Ok(kinds),
        }
    }
}
