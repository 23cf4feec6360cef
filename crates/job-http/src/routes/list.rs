//! `GET .../jobs/status`: the jobs of a graph, the newest first.

use std::sync::Arc;

use axum::{extract::OriginalUri, http::StatusCode, response::Response};
use job_runner::{
    Engine, JobFilter, JobId, JobKind, JobReader, JobRecord, JobState, PageRequest, StoreError, Unreadable,
    job_core::shown, wire::Dialect,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    body,
    context::Context,
    entry::{Place, listed},
    extract::{Here, List, Params, Scope},
    failure::ApiFailure,
    openapi::{Failures, JobListBody},
    search::Search,
};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many of the newest jobs to skip.
    #[param(value_type = Option<u64>, format = "uint64", minimum = 0, default = 0)]
    pub(crate) offset: Option<String>,
    /// The most jobs to list.
    #[param(value_type = Option<u32>, format = "uint32", minimum = 1, maximum = 100_000, default = 100_000)]
    pub(crate) limit: Option<String>,
    /// Extension: only jobs older than this one. The id of the last job of a page gives the next page, which repeats
    /// no job however many new ones come meanwhile.
    pub(crate) before: Option<String>,
}

/// Extension: which jobs are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilterQuery {
    /// Extension: only jobs in this state, or in one of several with commas: `waiting`, `running`, `cancelling`, `succeeded`,
    /// `failed`, `cancelled`.
    #[param(value_type = Option<String>, pattern = "^(waiting|running|cancelling|succeeded|failed|cancelled)(,(waiting|running|cancelling|succeeded|failed|cancelled))*$")]
    state: Option<String>,
    /// Extension: only jobs of this kind: `vertex_filter`, `edge_filter`, the name of an algorithm, or `action:`
    /// and the name of an action.
    kind: Option<String>,
    /// Extension: only jobs of this owner.
    owner: Option<String>,
    /// Extension: only jobs with this label.
    label: Option<String>,
}

/// Extension: a text to look for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchQuery {
    /// Only jobs whose id ends so, or whose work or graph has this in its name; case does not count. A page then looks at
    /// 10,000 jobs at most. So it may be short, or have no job, and still have a `next`.
    pub(crate) q: Option<String>,
}

impl FilterQuery {
    /// The filter for jobs on this graph, or on any.
    pub(crate) fn on(self, graph: Option<String>) -> Result<JobFilter, ApiFailure> {
        let mut filter = JobFilter::default();
        filter.graph = graph;
        filter.kind = self.kind.as_deref().map(JobKind::named);
        filter.owner = self.owner;
        filter.labels.extend(self.label);
        for word in self.state.iter().flat_map(|words| words.split(',')) {
            let state = JobState::ALL.into_iter().find(|state| state.to_string() == word);
            filter = filter.state(state.ok_or_else(|| no_state(word))?);
        }
        Ok(filter)
    }
}

fn no_state(word: &str) -> ApiFailure {
    let states = JobState::ALL.map(|state| state.to_string()).join(", ");
    ApiFailure::parameter(format!("parameter state is {}: it must be one or some of {states}", shown(word)))
}

/// The id behind `before`.
pub(crate) fn before(text: Option<&str>) -> Result<JobId, ApiFailure> {
    let parsed = text.map_or(Ok(JobId::MAX), str::parse);
    parsed.map_err(|error| ApiFailure::parameter(format!("parameter before is {error}")))
}

/// The jobs of a graph.
#[utoipa::path(
    get,
    path = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/status",
    operation_id = "listJobs",
    params(
        ("projectId" = String, Path, description = "Project that the graph belongs to."),
        ("graphName" = String, Path, description = "Name of the graph."),
        ListQuery,
        FilterQuery
    ),
    responses((status = 200, description = "Jobs, the newest first.", body = JobListBody), Failures)
)]
pub(crate) async fn list(
    Here(api): Here,
    OriginalUri(uri): OriginalUri,
    scope: Scope<List>,
    Params(query): Params<ListQuery>,
    Params(filter): Params<FilterQuery>,
) -> Result<Response, ApiFailure> {
    let page = PageRequest::parse(query.offset.as_deref(), query.limit.as_deref())?;
    let before = before(query.before.as_deref())?;
    let filter = filter.on(Some(scope.graph.key))?;
    let graph = uri.path().strip_suffix("/jobs/status").unwrap_or_default().to_owned();
    let start = move |api: &Context| {
        let entries = Entries {
            // A dialect with the number of all jobs needs a count of the newer ones.
            jobs: Jobs::new(api.reader.clone(), filter, page, before, api.dialect.counts_jobs()),
            engine: api.engine.clone(),
            dialect: api.dialect,
            place: Place { graph: graph.clone(), actions: api.actions.clone() },
            at: At::Start,
        };
        body::start(body::Read(entries), api.calls())
    };
    Ok(body::json(StatusCode::OK, api.call(start).await?))
}

/// A listed job, or the reason why it cannot be read.
pub(crate) type Listed = Result<JobRecord, Unreadable>;

pub(crate) fn id(listed: &Listed) -> JobId {
    listed.as_ref().map_or_else(|unreadable| unreadable.job, |record| record.id)
}

/// A page of a filtered list, read in steps. Cost: the newer jobs, and the page.
pub(crate) struct Jobs {
    reader: JobReader,
    filter: JobFilter,
    /// The next step reads jobs that are older than this one.
    before: JobId,
    /// The page has jobs that are older than this one.
    from: JobId,
    skip: u64,
    left: u32,
    step: u32,
    search: Option<Search>,
    /// How many jobs the filter has taken so far.
    pub(crate) seen: u64,
}

impl Jobs {
    /// The least and the most records of a step. Steps are short at first, and where records are long. So a list
    /// of jobs with a megabyte of parameters each does not take gigabytes of memory.
    const STEPS: (u32, u32) = (16, 256);
    /// Bytes of parameters from which the next step is short.
    const LONG: usize = 256 << 10;

    /// The jobs older than `from`. `seen` counts all jobs if `counts_all` is set.
    pub(crate) const fn new(
        reader: JobReader,
        filter: JobFilter,
        page: PageRequest,
        from: JobId,
        counts_all: bool,
    ) -> Self {
        Self {
            reader,
            filter,
            before: if counts_all { JobId::MAX } else { from },
            from,
            skip: page.offset(),
            left: page.limit(),
            step: Self::STEPS.0,
            search: None,
            seen: 0,
        }
    }

    /// Only the jobs that a search finds.
    pub(crate) fn found_by(mut self, search: Option<Search>) -> Self {
        self.search = search;
        self
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.left == 0
    }

    /// The next jobs of the page, possibly none; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<Listed>>, job_runner::EngineError> {
        let mut records = self.reader.filtered(&self.filter, Some(self.before), self.step)?;
        let Some(last) = records.last() else { return Ok(None) };
        self.before = id(last);
        let bytes: usize = records.iter().flatten().map(|record| record.spec.text_bytes()).sum();
        let (fewest, most) = Self::STEPS;
        self.step = if bytes > Self::LONG { fewest } else { most.min(self.step * 2) };
        records.retain(|record| {
            self.seen += 1;
            let older = id(record) < self.from && self.search.as_ref().is_none_or(|search| search.finds(record));
            let wanted = older && self.skip == 0 && self.left > 0;
            self.skip -= u64::from(older && self.skip > 0);
            self.left -= u32::from(wanted);
            wanted
        });
        Ok(Some(records))
    }
}

impl Jobs {
    /// The most jobs that a page of a search looks at.
    pub(crate) const LOOKS: u64 = 10_000;

    /// The whole page, with each job as `show` gives it, and the cursor of the next page. A search ends early after many
    /// looks, and the cursor goes on behind them.
    pub(crate) fn all<T>(
        mut self,
        show: impl Fn(&Listed) -> T,
    ) -> Result<(Vec<T>, Option<String>), job_runner::EngineError> {
        let (mut shown, mut last) = (Vec::new(), None);
        while !self.is_full() {
            if self.search.is_some() && self.seen >= Self::LOOKS {
                return Ok((shown, Some(self.before.to_string())));
            }
            let Some(records) = self.next()? else { return Ok((shown, None)) };
            last = records.last().map(id).or(last);
            shown.extend(records.iter().map(&show));
        }
        Ok((shown, last.map(|id| id.to_string())))
    }
}

/// The list as JSON, in pieces.
struct Entries {
    jobs: Jobs,
    engine: Arc<Engine>,
    dialect: Dialect,
    place: Place,
    at: At,
}

enum At {
    Start,
    Jobs { first: bool },
    End,
}

impl Iterator for Entries {
    type Item = Result<Vec<u8>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = match self.at {
            At::Start => {
                self.at = At::Jobs { first: true };
                return Some(Ok(self.dialect.list_head().to_vec()));
            }
            At::Jobs { first } => first,
            At::End => return None,
        };
        let done = self.jobs.is_full() && !self.dialect.counts_jobs();
        match if done { Ok(None) } else { self.jobs.next() } {
            Ok(Some(records)) => Some(Ok(self.write(&records, first))),
            Ok(None) => {
                self.at = At::End;
                Some(Ok(self.dialect.list_tail(self.jobs.seen)))
            }
            Err(error) => {
                self.at = At::End;
                Some(Err(store_error(error)))
            }
        }
    }
}

impl Entries {
    fn write(&mut self, records: &[Listed], mut first: bool) -> Vec<u8> {
        let mut out = Vec::new();
        for record in records {
            if !first {
                out.push(b',');
            }
            first = false;
            // Strings and numbers always serialize, and a Vec never refuses bytes.
            let _ = serde_json::to_writer(&mut out, &listed(record, &self.engine, self.dialect, &self.place));
        }
        self.at = At::Jobs { first };
        out
    }
}

fn store_error(error: job_runner::EngineError) -> StoreError {
    match error {
        job_runner::EngineError::Store(error) => error,
        other => StoreError::new(job_runner::store::ErrorKind::Unavailable, "list jobs", other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use job_runner::{JobSpec, store::MemoryStore};

    use super::*;

    /// The number of records that each step reads of a list, by the number of jobs and the length of their parameters.
    fn steps(jobs: u32, parameters: usize) -> Vec<usize> {
        let engine = Engine::builder(Arc::new(MemoryStore::default())).front_end().open().unwrap();
        for _ in 0..jobs {
            let spec = JobSpec::vertex_filter().with_graph("g").with_parameters(&"x".repeat(parameters)).unwrap();
            drop(engine.submit(spec).unwrap());
        }
        let filter = JobFilter::default().graph("g");
        let mut jobs = Jobs::new(engine.reader(), filter, PageRequest::default(), JobId::MAX, false);
        std::iter::from_fn(|| jobs.next().unwrap().map(|records| records.len())).collect()
    }

    /// Without short steps, 256 jobs with a megabyte each are read at once.
    #[test]
    fn jobs_with_long_parameters_are_listed_in_short_steps() {
        assert_eq!(steps(40, 100_000), [16, 16, 8]);
        assert_eq!(steps(600, 10), [16, 32, 64, 128, 256, 104]);
    }
}
