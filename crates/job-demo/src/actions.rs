//! [`Action`]: work of the demo that is neither a filter nor an algorithm.

use job_runner::JobClass;

use crate::{filtered::Filtered, graph::Graph, graphs::Graphs};

/// An action, as the service names it.
///
/// ```
/// use job_demo::actions::Action;
///
/// assert_eq!(Action::find("clear-graph"), Some(Action::ClearGraph));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A walk over the graph with a filter at each step.
    FilteredQuery,
    /// Removes every vertex and edge of the small graph, until the process ends.
    ClearGraph,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 2] = [Self::FilteredQuery, Self::ClearGraph];

    /// The name of the action, of its jobs and in its address.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FilteredQuery => "filtered-query",
            Self::ClearGraph => "clear-graph",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The queue that its jobs wait in.
    #[must_use]
    pub const fn class(self) -> JobClass {
        match self {
            Self::FilteredQuery => JobClass::Read,
            Self::ClearGraph => JobClass::Write,
        }
    }

    /// Checks that it can be run on a graph of this name.
    pub(crate) fn check(self, name: &str, graph: &Graph, parameters: &str) -> Result<(), String> {
        match self {
            Self::FilteredQuery => {
                Filtered::compile(parameters, graph).map(drop).map_err(|error| error.to_string())
            }
            Self::ClearGraph => Graphs::is_clearable(name).map_err(|error| error.to_string()),
        }
    }
}
