//! [`check`]: the check of a request before its job is stored, for HTTP and for the command line.

use job_runner::{JobKind, JobSpec, job_core::shown, wire::ErrorCode};
use thiserror::Error;

use crate::{
    actions::Action,
    algorithms::Algorithm,
    filter::{Filter, FilterError, Subject},
    graph::Graph,
    graphs::Graphs,
};

/// Checks that a job can be run on its graph. Loads the graph if it is not loaded yet.
///
/// ```
/// use job_demo::{check, graphs::Graphs};
/// use job_runner::JobSpec;
///
/// let graphs = Graphs::new("/usr/share/wordnet".into());
/// let refused = check::check(&graphs, &JobSpec::algorithm("k_hop").with_graph("movies")).unwrap_err();
/// assert_eq!(refused.message, "parameter source is missing: it must be the id of a vertex of the graph");
/// ```
///
/// # Errors
/// [`Refused`] names the field, its value and what is allowed.
pub fn check(graphs: &Graphs, spec: &JobSpec) -> Result<(), Refused> {
    let graph = graphs.get(spec.graph()).map_err(|error| Refused::algorithm(error.to_string()))?;
    let parameters = spec.parameters().as_str();
    match spec.kind() {
        JobKind::VertexFilter => filter(graph, parameters, Subject::Vertices),
        JobKind::EdgeFilter => filter(graph, parameters, Subject::Edges),
        JobKind::Algorithm(name) => {
            let algorithm = Algorithm::find(name).ok_or_else(|| unknown(name))?;
            algorithm.check(graph, parameters).map_err(|error| Refused::algorithm(error.to_string()))
        }
        JobKind::Action(name) => {
            let action = Action::find(name).ok_or_else(|| unknown_action(name))?;
            let checked = action.check(spec.graph(), graph, parameters);
            checked.map_err(|message| Refused { code: ErrorCode::Parameter, message })
        }
    }
}

fn filter(graph: &Graph, body: &str, subject: Subject) -> Result<(), Refused> {
    let checked = Filter::compile(body, subject, graph);
    checked.map(drop).map_err(|FilterError { code, message }| Refused { code, message })
}

fn unknown_action(name: &str) -> Refused {
    let names = Action::ALL.map(Action::name).join(", ");
    let message = format!("action {:?} is unknown: it must be one of {names}", shown(name));
    Refused { code: ErrorCode::Parameter, message }
}

fn unknown(name: &str) -> Refused {
    let names = Algorithm::ALL.map(|algorithm| algorithm.name()).join(", ");
    Refused::algorithm(format!("algorithm {:?} is unknown: it must be one of {names}", shown(name)))
}

/// A request that cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} ({code})")]
pub struct Refused {
    /// The service's code.
    pub code: ErrorCode,
    /// The given value, its place, and the allowed values.
    pub message: String,
}

impl Refused {
    fn algorithm(message: String) -> Self {
        Self { code: ErrorCode::Algorithm, message }
    }
}
