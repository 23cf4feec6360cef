//! [`Graphs`]: the graphs of the demo by name, each loaded when it is first asked for.

use std::{path::PathBuf, sync::OnceLock};

use job_runner::job_core::shown;
use thiserror::Error;

use crate::{
    graph::{Graph, GraphBuilder},
    movies, synthetic, wordnet,
};

/// The graphs that jobs can name.
#[derive(Debug)]
pub struct Graphs {
    wordnet_directory: PathBuf,
    served: Vec<&'static str>,
    vertices: u32,
    wordnet: OnceLock<Result<Graph, String>>,
    movies: OnceLock<Result<Graph, String>>,
    synthetic: OnceLock<Result<Graph, String>>,
    cleared: OnceLock<Graph>,
}

impl Graphs {
    /// The names.
    pub const NAMES: [&str; 3] = ["wordnet", "movies", "synthetic"];

    /// Graphs that are not loaded yet; `wordnet` is loaded from this directory.
    #[must_use]
    pub fn new(wordnet_directory: PathBuf) -> Self {
        Self {
            wordnet_directory,
            served: Self::NAMES.to_vec(),
            vertices: synthetic::DEFAULT,
            wordnet: OnceLock::new(),
            movies: OnceLock::new(),
            synthetic: OnceLock::new(),
            cleared: OnceLock::new(),
        }
    }

    /// Sets the number of vertices of `synthetic`.
    #[must_use]
    pub const fn synthetic(mut self, vertices: u32) -> Self {
        self.vertices = vertices;
        self
    }

    /// Serves only these graphs. Jobs of others fail.
    #[must_use]
    pub fn serving(mut self, names: &[&'static str]) -> Self {
        self.served.retain(|name| names.contains(name));
        self
    }

    /// The names of the served graphs.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.served
    }

    /// The version of the graph with this name, which differs between processes with different graphs of that
    /// name.
    #[must_use]
    pub fn version(&self, name: &str) -> String {
        match name {
            "synthetic" => format!("{} vertices", self.vertices),
            Self::SMALL if self.cleared.get().is_some() => "cleared".to_owned(),
            _ => "1".to_owned(),
        }
    }

    /// The graph that can be cleared.
    pub const SMALL: &str = "movies";

    /// Removes every vertex and edge of a graph, until the process ends. It gives the graph as it was.
    ///
    /// ```
    /// use job_demo::graphs::Graphs;
    ///
    /// let graphs = Graphs::new("/usr/share/wordnet".into());
    /// assert_eq!(graphs.clear("movies")?.vertex_count(), 160);
    /// assert_eq!(graphs.get("movies")?.vertex_count(), 0);
    /// assert!(graphs.clear("synthetic").is_err());
    /// # Ok::<(), job_demo::graphs::GraphsError>(())
    /// ```
    ///
    /// # Errors
    /// [`GraphsError`] when there is no such graph, or it is not the [small](Self::SMALL) one.
    pub fn clear(&self, name: &str) -> Result<&Graph, GraphsError> {
        let before = self.get(name)?;
        Self::is_clearable(name)?;
        self.cleared.get_or_init(|| GraphBuilder::default().build());
        Ok(before)
    }

    /// Checks that a graph can be cleared.
    ///
    /// # Errors
    /// [`GraphsError::NotClearable`]
    pub fn is_clearable(name: &str) -> Result<(), GraphsError> {
        if name == Self::SMALL { Ok(()) } else { Err(GraphsError::NotClearable(name.to_owned())) }
    }

    /// The graph with this name. The first call loads it, and others wait meanwhile. A failure to load is kept
    /// too.
    ///
    /// # Errors
    /// [`GraphsError`] when there is no such graph or it cannot be loaded.
    pub fn get(&self, name: &str) -> Result<&Graph, GraphsError> {
        if Self::NAMES.contains(&name) && !self.served.contains(&name) {
            return Err(GraphsError::NotServed { name: name.to_owned(), served: self.served.join(", ") });
        }
        if let (Self::SMALL, Some(empty)) = (name, self.cleared.get()) {
            return Ok(empty);
        }
        let loaded = match name {
            "wordnet" => self
                .wordnet
                .get_or_init(|| wordnet::load(&self.wordnet_directory).map_err(|error| error.to_string())),
            "movies" => self.movies.get_or_init(|| movies::load().map_err(|error| error.to_string())),
            "synthetic" => {
                self.synthetic.get_or_init(|| synthetic::make(self.vertices).map_err(|error| error.to_string()))
            }
            _ => return Err(GraphsError::Unknown(shown(name).to_owned())),
        };
        loaded.as_ref().map_err(|reason| GraphsError::Unloadable { name: name.to_owned(), reason: reason.clone() })
    }
}

/// Why there is no such graph.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GraphsError {
    /// No graph has this name.
    #[error("graph {0:?} is unknown: it must be one of {names}", names = Graphs::NAMES.join(", "))]
    Unknown(String),
    /// This process does not serve the graph.
    #[error("graph {name} is not served here, only {served}: start with --graph {name} and submit the job again")]
    NotServed {
        /// Its name.
        name: String,
        /// The names of the served graphs.
        served: String,
    },
    /// The graph cannot be cleared.
    #[error("graph {0} cannot be cleared: only {small} can be", small = Graphs::SMALL)]
    NotClearable(String),
    /// The graph could not be loaded.
    #[error("graph {name} cannot be loaded: {reason}")]
    Unloadable {
        /// Its name.
        name: String,
        /// The error.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_are_found_by_name_and_failures_are_told() {
        let graphs = Graphs::new("/nowhere".into());
        assert_eq!(graphs.get("movies").unwrap().vertices().len(), 160);
        let one = Graphs::new("/nowhere".into()).serving(&["movies"]);
        assert_eq!((one.names(), one.get("movies").is_ok()), (&["movies"][..], true));
        assert_eq!(
            one.get("wordnet").unwrap_err().to_string(),
            "graph wordnet is not served here, only movies: start with --graph wordnet and submit the job again"
        );
        let small = Graphs::new("/nowhere".into()).synthetic(12);
        assert_eq!(small.get("synthetic").unwrap().vertex_count(), 12);
        assert_ne!(small.version("synthetic"), graphs.version("synthetic"));
        assert_eq!(small.version("movies"), graphs.version("movies"));
        let unknown = graphs.get("films").unwrap_err().to_string();
        assert_eq!(unknown, r#"graph "films" is unknown: it must be one of wordnet, movies, synthetic"#);
        let unloadable = graphs.get("wordnet").unwrap_err().to_string();
        assert!(unloadable.starts_with("graph wordnet cannot be loaded: /nowhere/data.noun: "), "{unloadable}");
    }
}
