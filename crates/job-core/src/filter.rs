//! [`JobFilter`]: which jobs a list shows.

use std::collections::BTreeSet;

use crate::{JobKind, JobRecord, JobSpec, JobState};

/// Which jobs a list shows. A job is shown if it fits every field that is set; by default all jobs are.
///
/// ```
/// use job_core::{Outcome, JobFilter, JobId, JobRecord, JobSpec, JobState, Timestamp};
///
/// let failed = JobFilter::default().graph("movies").state(JobState::Complete(Outcome::Failed));
/// let now = Timestamp::from_micros(1);
/// let waiting = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("movies"), now);
/// assert!(!failed.takes(&waiting));
/// assert!(failed.state(JobState::Waiting).takes(&waiting)); // one state or the other
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobFilter {
    /// Jobs on this graph.
    pub graph: Option<String>,
    /// Jobs of this kind.
    pub kind: Option<JobKind>,
    /// Jobs of this owner.
    pub owner: Option<String>,
    /// Jobs that have all of these labels.
    pub labels: BTreeSet<String>,
    /// Jobs in one of these states; jobs in any state if this is empty.
    pub states: Vec<JobState>,
}

impl JobFilter {
    /// Takes jobs on this graph only.
    #[must_use]
    pub fn graph(mut self, name: impl Into<String>) -> Self {
        self.graph = Some(name.into());
        self
    }

    /// Takes jobs of this kind only.
    #[must_use]
    pub fn kind(mut self, kind: JobKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Takes jobs of this owner only.
    #[must_use]
    pub fn owner(mut self, name: impl Into<String>) -> Self {
        self.owner = Some(name.into());
        self
    }

    /// Takes only jobs with this label. Called again, it takes only jobs with all the given labels.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.labels.insert(label.into());
        self
    }

    /// Takes jobs in this state. Called again, it takes jobs in any of the given states.
    #[must_use]
    pub fn state(mut self, state: JobState) -> Self {
        if !self.states.contains(&state) {
            self.states.push(state);
        }
        self
    }

    /// Whether the filter takes this job.
    #[must_use]
    pub fn takes(&self, record: &JobRecord) -> bool {
        self.takes_state(record.state) && self.takes_spec(&record.spec)
    }

    /// Whether the filter takes jobs in this state.
    #[must_use]
    pub fn takes_state(&self, state: JobState) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// Whether the filter takes jobs of this request, if their state fits.
    #[must_use]
    pub fn takes_spec(&self, spec: &JobSpec) -> bool {
        let options = spec.options();
        self.graph.as_ref().is_none_or(|graph| graph == spec.graph())
            && self.kind.as_ref().is_none_or(|kind| kind == spec.kind())
            && (self.owner.is_none() || self.owner == options.owner)
            && self.labels.is_subset(&options.labels)
    }

    /// Whether the filter takes every job.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.states.is_empty() && self.takes_any_spec()
    }

    /// Whether the filter names no field but states.
    #[must_use]
    pub fn takes_any_spec(&self) -> bool {
        self.graph.is_none() && self.kind.is_none() && self.owner.is_none() && self.labels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, JobId, Timestamp};

    #[test]
    fn a_job_is_taken_that_has_all_that_is_named() {
        let spec =
            JobSpec::algorithm("kcore").with_graph("movies").owner("Sarah").label("nightly").label("team=search");
        let record = JobRecord::waiting(JobId::MIN, spec, Timestamp::default());
        let any = JobFilter::default();
        let kind = |name: &str| JobKind::Algorithm(name.to_owned());
        for (filter, expected) in [
            (any.clone(), true),
            (any.clone().graph("movies"), true),
            (any.clone().graph("Movies"), false),
            (any.clone().kind(kind("kcore")), true),
            (any.clone().kind(kind("vertex_filter")), false),
            (any.clone().kind(JobKind::VertexFilter), false),
            (any.clone().owner("Sarah"), true),
            (any.clone().owner(""), false),
            (any.clone().label("nightly"), true),
            (any.clone().label("nightly").label("team=search"), true),
            (any.clone().label("nightly").label("team"), false),
            (any.clone().state(JobState::Waiting), true),
            (any.clone().state(JobState::Running { cancelling: false }), false),
            (any.clone().state(JobState::Running { cancelling: false }).state(JobState::Waiting), true),
            (any.clone().graph("movies").owner("Sidney"), false),
        ] {
            assert_eq!(filter.takes(&record), expected, "{filter:?}");
        }
        let running = record.apply(Event::Start, Timestamp::default()).unwrap();
        assert!(!any.clone().state(JobState::Waiting).takes(&running));
        assert!(any.takes_all() && !any.clone().state(JobState::Waiting).takes_all());
        assert!(any.clone().state(JobState::Waiting).takes_any_spec() && !any.owner("Sarah").takes_any_spec());
    }
}
