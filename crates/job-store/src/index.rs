//! The terms of the index of finished jobs, which every backend of this library has.

use job_core::{JobFilter, JobKind, JobRecord, JobSpec, JobState, Outcome, Timestamp};

/// A property that jobs share, and under which an index finds the finished ones.
///
/// ```
/// use job_core::{JobFilter, JobSpec};
/// use job_store::contract::Term;
///
/// let spec = JobSpec::vertex_filter().with_graph("movies").label("nightly");
/// let terms: Vec<_> = Term::of(&spec).map(|term| term.key()).collect();
/// let filter = JobFilter::default().graph("movies").label("nightly");
/// assert_eq!(Term::leading(&filter), Some(Term::Label("nightly"))); // fewer jobs than the graph, most likely
/// assert!(terms.contains(&Term::Label("nightly").key()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term<'t> {
    /// The graph.
    Graph(&'t str),
    /// The kind of work.
    Kind(&'t JobKind),
    /// The owner.
    Owner(&'t str),
    /// A label.
    Label(&'t str),
}

impl<'t> Term<'t> {
    /// The byte that each [key](Self::key) of a kind begins with.
    pub const KIND: u8 = b'k';

    /// All terms of a job.
    pub fn of(spec: &'t JobSpec) -> impl Iterator<Item = Self> {
        let options = spec.options();
        [Self::Graph(spec.graph()), Self::Kind(spec.kind())]
            .into_iter()
            .chain(options.owner.as_deref().map(Self::Owner))
            .chain(options.labels.iter().map(|label| Self::Label(label)))
    }

    /// The term of a filter that probably has the fewest jobs; `None` if the filter names states alone.
    #[must_use]
    pub fn leading(filter: &'t JobFilter) -> Option<Self> {
        let label = filter.labels.first().map(|label| Self::Label(label));
        let owner = || filter.owner.as_deref().map(Self::Owner);
        let graph = || filter.graph.as_deref().map(Self::Graph);
        label.or_else(owner).or_else(graph).or_else(|| filter.kind.as_ref().map(Self::Kind))
    }

    /// The term as bytes, none of which is the beginning of another: its class, the length of its text, its text.
    #[must_use]
    pub fn key(self) -> Vec<u8> {
        let mut key = Vec::new();
        self.append_to(&mut key);
        key
    }

    /// Appends the [key](Self::key).
    pub fn append_to(self, key: &mut Vec<u8>) {
        let (class, first, text) = match self {
            Self::Graph(name) => (b'g', "", name),
            Self::Kind(JobKind::VertexFilter) => (Self::KIND, "v", ""),
            Self::Kind(JobKind::EdgeFilter) => (Self::KIND, "e", ""),
            Self::Kind(JobKind::Algorithm(name)) => (Self::KIND, "a", name.as_str()),
            Self::Kind(JobKind::Action(name)) => (Self::KIND, "h", name.as_str()),
            Self::Owner(name) => (b'o', "", name),
            Self::Label(label) => (b'l', "", label),
        };
        let length = u32::try_from(first.len() + text.len()).unwrap_or(u32::MAX);
        key.push(class);
        key.extend_from_slice(&length.to_be_bytes());
        key.extend_from_slice(first.as_bytes());
        key.extend_from_slice(text.as_bytes());
    }
}

/// The number of an outcome in an index.
#[must_use]
pub const fn outcome_number(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Succeeded => 0,
        Outcome::Failed => 1,
        Outcome::Cancelled => 2,
    }
}

/// The outcomes that a filter takes, as numbers.
pub fn outcomes(filter: &JobFilter) -> impl Iterator<Item = u8> {
    let all = [Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled];
    all.into_iter().filter(|outcome| filter.takes_state(JobState::Complete(*outcome))).map(outcome_number)
}

/// The outcome of a complete job.
#[must_use]
pub const fn outcome(record: &JobRecord) -> Option<Outcome> {
    match record.state {
        JobState::Complete(outcome) => Some(outcome),
        _ => None,
    }
}

/// When a finished job was last used: at its end, or when it was read after that. `None` of one that is not complete.
#[must_use]
pub fn last_used(record: &JobRecord, last_read: Option<Timestamp>) -> Option<Timestamp> {
    let finished = record.finished_at.unwrap_or(record.submitted_at);
    record.state.is_complete().then(|| last_read.map_or(finished, |read| finished.max(read)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_term_is_the_beginning_of_another() {
        let algorithm = |name: &str| JobKind::Algorithm(name.to_owned());
        let action = |name: &str| JobKind::Action(name.to_owned());
        let kinds = [
            JobKind::VertexFilter,
            JobKind::EdgeFilter,
            algorithm(""),
            algorithm("v"),
            algorithm("vv"),
            action(""),
            action("v"),
            action("vv"),
        ];
        let mut keys: Vec<_> = kinds.iter().map(|kind| Term::Kind(kind).key()).collect();
        for text in ["", "a", "ab", "v", "g", "\u{0}"] {
            keys.extend([Term::Graph(text), Term::Owner(text), Term::Label(text)].map(Term::key));
        }
        for (at, one) in keys.iter().enumerate() {
            assert!(keys.iter().enumerate().all(|(other, key)| other == at || !key.starts_with(one)), "{one:?}");
        }
    }

    #[test]
    fn the_rarest_term_leads() {
        let kind = JobKind::VertexFilter;
        let mut filter = JobFilter::default().state(JobState::Waiting);
        assert_eq!(Term::leading(&filter), None);
        filter.kind = Some(kind.clone());
        assert_eq!(Term::leading(&filter), Some(Term::Kind(&kind)));
        let filter = filter.graph("g");
        assert_eq!(Term::leading(&filter), Some(Term::Graph("g")));
        let filter = filter.owner("o");
        assert_eq!(Term::leading(&filter), Some(Term::Owner("o")));
        assert_eq!(Term::leading(&filter.label("z").label("l")), Some(Term::Label("l")));
    }
}
