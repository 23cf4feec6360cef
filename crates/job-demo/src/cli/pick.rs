//! [`Pick`]: which jobs a list shows.

use clap::Args;
use job_runner::{JobFilter, JobKind};

use super::job::{Job, State};

/// Which jobs a list shows.
#[derive(Debug, Default, Args)]
pub(super) struct Pick {
    /// Only jobs in this state; may be repeated, or several with commas
    #[arg(long, value_enum, value_name = "STATE", value_delimiter = ',')]
    state: Vec<State>,
    /// Only jobs of this work: `vertex_filter`, `edge_filter`, the name of an algorithm, or `action:` and that of an action
    #[arg(long, value_name = "WORK")]
    work: Option<String>,
    /// Only jobs of this owner
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Only jobs with this label
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
}

impl Pick {
    /// The filter for the jobs, on this graph if one is named.
    pub(super) fn filter(&self, graph: Option<&str>) -> JobFilter {
        let mut filter = JobFilter::default();
        filter.graph = graph.map(str::to_owned);
        filter.kind = self.work.as_deref().map(JobKind::named);
        filter.owner.clone_from(&self.owner);
        filter.labels.extend(self.label.clone());
        // Unreadable jobs have no state, so they are picked from all jobs.
        let states: Option<Vec<_>> = self.state.iter().map(|state| state.stored()).collect();
        filter.states = states.unwrap_or_default();
        filter
    }

    /// Whether a job of the filter is listed. The other fields of an unreadable job are unknown.
    pub(super) fn takes(&self, job: &Job) -> bool {
        let asks = self.work.is_some() || self.owner.is_some() || self.label.is_some();
        match job.state {
            State::Unreadable => self.state.contains(&State::Unreadable) || (self.state.is_empty() && !asks),
            state => self.state.is_empty() || self.state.contains(&state),
        }
    }
}

#[cfg(test)]
mod tests {
    use job_runner::{Event, JobId, JobRecord, JobSpec, Timestamp};

    use super::*;

    #[test]
    fn a_job_is_picked_by_state_work_owner_label_and_graph() {
        let now = Timestamp::from_micros(1_000_000);
        let spec = JobSpec::algorithm("kcore").with_graph("movies").owner("Sarah").label("nightly");
        let waiting = JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec, now);
        let cancelled = waiting.apply(Event::Cancel, now).unwrap();
        let state = |state: &[State]| Pick { state: state.to_vec(), ..Pick::default() };
        let text = |text: &str| Some(text.to_owned());
        for (pick, graph, expected) in [
            (Pick::default(), None, (true, true)),
            (state(&[State::Waiting]), None, (true, false)),
            (state(&[State::Waiting, State::Unreadable]), None, (true, false)),
            (state(&[State::Failed, State::Cancelled]), Some("movies"), (false, true)),
            (Pick { work: text("kcore"), ..Pick::default() }, None, (true, true)),
            (Pick { work: text("vertex_filter"), ..Pick::default() }, None, (false, false)),
            (Pick { owner: text("Sarah"), ..state(&[State::Waiting]) }, None, (true, false)),
            (Pick { owner: text("Sidney"), ..Pick::default() }, None, (false, false)),
            (Pick { label: text("nightly"), ..Pick::default() }, None, (true, true)),
            (Pick { label: text("night"), ..Pick::default() }, None, (false, false)),
            (Pick::default(), Some("wordnet"), (false, false)),
        ] {
            let takes = |record: &JobRecord| pick.filter(graph).takes(record) && pick.takes(&Job::from(record));
            assert_eq!((takes(&waiting), takes(&cancelled)), expected, "{pick:?} {graph:?}");
        }
        let unreadable = Job { state: State::Unreadable, ..Job::from(&waiting) };
        assert!(Pick::default().takes(&unreadable) && state(&[State::Unreadable]).takes(&unreadable));
        assert!(!state(&[State::Waiting]).takes(&unreadable));
    }
}
