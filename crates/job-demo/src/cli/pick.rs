//! [`Pick`]: which jobs a list shows.

use clap::Args;

use super::job::{Job, State};

/// Which jobs a list shows.
#[derive(Debug, Default, Args)]
pub(super) struct Pick {
    /// Only jobs in this state; may be repeated, or several with commas
    #[arg(long, value_enum, value_name = "STATE", value_delimiter = ',')]
    state: Vec<State>,
    /// Only jobs of this work: `vertex_filter`, `edge_filter` or the name of an algorithm
    #[arg(long, value_name = "WORK")]
    work: Option<String>,
}

impl Pick {
    /// Whether the job is one of those, and of the graph if one is named.
    pub(super) fn takes(&self, job: &Job, graph: Option<&str>) -> bool {
        (self.state.is_empty() || self.state.contains(&job.state))
            && self.work.as_deref().is_none_or(|work| work == job.work)
            && graph.is_none_or(|graph| graph == job.graph)
    }
}

#[cfg(test)]
mod tests {
    use job_runner::{Event, JobId, JobRecord, JobSpec, Timestamp};

    use super::*;

    #[test]
    fn a_job_is_picked_by_state_work_and_graph() {
        let now = Timestamp::from_micros(1_000_000);
        let spec = JobSpec::algorithm("kcore").with_graph("movies");
        let record = JobRecord::waiting(JobId::from_parts(now, [0; 10]), spec, now);
        let waiting = Job::from(&record);
        let cancelled = Job::from(&record.apply(Event::Cancel, now).unwrap());
        let pick =
            |state: &[State], work: Option<&str>| Pick { state: state.to_vec(), work: work.map(str::to_owned) };
        for (pick, graph, expected) in [
            (pick(&[], None), None, (true, true)),
            (pick(&[State::Waiting], None), None, (true, false)),
            (pick(&[State::Failed, State::Cancelled], None), Some("movies"), (false, true)),
            (pick(&[], Some("kcore")), None, (true, true)),
            (pick(&[], Some("k_hop")), None, (false, false)),
            (pick(&[], None), Some("wordnet"), (false, false)),
        ] {
            assert_eq!(
                (pick.takes(&waiting, graph), pick.takes(&cancelled, graph)),
                expected,
                "{pick:?} {graph:?}"
            );
        }
    }
}
