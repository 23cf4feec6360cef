//! [`JobKind`]: the kinds of work.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The work that a job does; a handler is registered under the same name.
///
/// As text, the kinds are `vertex_filter`, `edge_filter`, `action:NAME`, and the bare name of an algorithm. The C
/// interface, the filters of lists and the command line read them so.
///
/// ```
/// use job_core::JobKind;
///
/// let cypher = JobKind::Action("cypher".to_owned());
/// assert_eq!(cypher.to_string(), "action:cypher");
/// assert_eq!(JobKind::named("action:cypher"), cypher);
/// assert_eq!(JobKind::named("pagerank"), JobKind::Algorithm("pagerank".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// A vertex filter query.
    VertexFilter,
    /// An edge filter query.
    EdgeFilter,
    /// An algorithm, by its name, such as `pagerank`.
    Algorithm(String),
    /// Work of the host's own, by its name, such as `cypher` or `clear_graph`.
    Action(String),
}

impl JobKind {
    /// The beginning of the name of an action.
    const ACTION: &str = "action:";

    /// The kind of this name, as [`Display`](fmt::Display) shows it. An algorithm whose name is that of another kind is
    /// not found by its name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match (name, name.strip_prefix(Self::ACTION)) {
            ("vertex_filter", _) => Self::VertexFilter,
            ("edge_filter", _) => Self::EdgeFilter,
            (_, Some(action)) => Self::Action(action.to_owned()),
            (algorithm, None) => Self::Algorithm(algorithm.to_owned()),
        }
    }
}

impl fmt::Display for JobKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VertexFilter => f.pad("vertex_filter"),
            Self::EdgeFilter => f.pad("edge_filter"),
            Self::Algorithm(name) => f.pad(name),
            Self::Action(name) => f.pad(&format!("{}{name}", Self::ACTION)),
        }
    }
}
