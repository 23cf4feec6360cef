//! [`Actions`]: the actions that an API has.

use job_runner::{JobKind, job_core::shown};

use super::HostAction;
use crate::failure::ApiFailure;

/// The path of actions on a graph.
pub(crate) const GRAPH: &str = "action";
/// The path of actions on vertices.
pub(crate) const VERTICES: &str = "vertices/action";
/// The path of actions on edges.
pub(crate) const EDGES: &str = "edges/action";

/// The registered actions, in the order of their registration.
#[derive(Debug, Clone)]
pub(crate) struct Actions(Vec<HostAction>);

impl Default for Actions {
    fn default() -> Self {
        Self(vec![HostAction::vertex_filter(), HostAction::edge_filter(), HostAction::execute_algorithm()])
    }
}

impl Actions {
    /// Registers an action, in place of the one with its path and id.
    pub(crate) fn add(&mut self, action: HostAction) {
        match self.0.iter_mut().find(|known| known.is_at_the_place_of(&action)) {
            Some(known) => *known = action,
            None => self.0.push(action),
        }
    }

    /// The action of this id at a path.
    ///
    /// # Errors
    /// The answer to the client, with the ids that the path has.
    pub(crate) fn find(&self, path: &str, id: Option<&str>) -> Result<&HostAction, ApiFailure> {
        if let Some(action) = self.at(path).find(|action| action.id().is_none() || action.id() == id) {
            return Ok(action);
        }
        let given = id.map_or("missing", shown);
        let known: Vec<&str> = self.at(path).filter_map(HostAction::id).collect();
        let one_of = if known.len() > 1 { "one of " } else { "" };
        Err(ApiFailure::parameter(format!(
            "parameter action_id is {given}: it must be {one_of}{}",
            known.join(", ")
        )))
    }

    /// The action whose jobs are of the kind `action:NAME`, if there is one.
    pub(crate) fn of_kind(&self, name: &str) -> Option<&HostAction> {
        self.0.iter().find(|action| action.kind_name() == Some(name))
    }

    /// The address below a graph at which work of this kind is asked for.
    pub(crate) fn address(&self, kind: &JobKind) -> String {
        let action = match kind {
            JobKind::VertexFilter => self.at(VERTICES).next(),
            JobKind::EdgeFilter => self.at(EDGES).next(),
            JobKind::Algorithm(_) => self.at(GRAPH).next(),
            JobKind::Action(name) => self.of_kind(name),
        };
        let (path, id) = action.map_or((GRAPH, None), |action| (action.path(), action.id()));
        id.map_or_else(|| path.to_owned(), |id| format!("{path}?action_id={id}"))
    }

    /// The names of the kinds that actions of the host have.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.0.iter().filter_map(HostAction::kind_name).collect()
    }

    /// The actions at a path.
    pub(crate) fn at(&self, path: &str) -> impl Iterator<Item = &HostAction> {
        self.0.iter().filter(move |action| action.path() == path)
    }

    /// The paths other than those that every API has, each once.
    pub(crate) fn own_paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = self.0.iter().map(HostAction::path).collect();
        paths.retain(|path| ![GRAPH, VERTICES, EDGES].contains(path));
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}
