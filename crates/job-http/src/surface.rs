//! [`Surface`]: the paths, the words and the codes of the answers.

mod prefix;

use std::{borrow::Cow, collections::BTreeMap};

use job_runner::{
    JobRecord,
    job_core::wire::StatusPayload,
    wire::{Dialect, ErrorCode},
};

pub use self::prefix::InvalidPrefix;
use self::prefix::Prefix;

/// Where the API is, and in which words it answers. A surface is ready-made or built.
///
/// | | [`service`](Self::service) | [`neutral`](Self::neutral) |
/// | --- | --- | --- |
/// | paths | `/ges/v1.0/{projectId}/graphs/{graphName}/jobs/...` | `/graphs/{graphName}/jobs/...` |
/// | a job and its result | one answer, `.../jobs/{jobId}/status` | `.../jobs/{jobId}` and `.../jobs/{jobId}/result` |
/// | submission | `.../action?action_id=` | `POST .../jobs` |
/// | errors | codes of the service, in the words of a dialect | problem details (RFC 9457) |
///
/// ```
/// use job_http::{Dialect, Surface};
///
/// let neutral = Surface::neutral();
/// let own = Surface::builder().prefix("/v1/{projectId}").neutral().build()?;
/// let one_graph = Surface::builder().prefix("/v1").neutral().graph("movies").build()?; // `/v1/jobs`
/// let service = Surface::builder()
///     .prefix("/graph-service")
///     .dialect(Dialect::Database)
///     .code("GES.8301", "JOBS-17")
///     .build()?;
/// assert!(Surface::builder().prefix("v1/").build().is_err());
/// # drop((neutral, own, one_graph, service));
/// # Ok::<(), job_http::InvalidPrefix>(())
/// ```
#[derive(Debug, Clone)]
pub struct Surface {
    prefix: Prefix,
    style: Style,
    dialect: Option<Dialect>,
    by_header: bool,
    codes: BTreeMap<Cow<'static, str>, Cow<'static, str>>,
    project: String,
    graph: Option<String>,
    managed: bool,
}

/// The kind of a surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Service,
    Neutral,
}

/// The path of a project, as the routes are written.
const PROJECT: &str = "/ges/v1.0/{projectId}";
/// The path of a graph below it.
const GRAPH: &str = "/graphs/{graphName}";

impl Surface {
    /// The paths, words and codes of the service.
    #[must_use]
    pub fn service() -> Self {
        Self {
            prefix: Prefix::service(),
            style: Style::Service,
            dialect: None,
            by_header: false,
            codes: BTreeMap::new(),
            project: String::new(),
            graph: None,
            managed: false,
        }
    }

    /// `/graphs/{graphName}/jobs` with problem details. The project of its graphs is the empty text.
    #[must_use]
    pub fn neutral() -> Self {
        Self { prefix: Prefix::default(), style: Style::Neutral, ..Self::service() }
    }

    /// Builds a surface. It begins with that of the service.
    pub fn builder() -> SurfaceBuilder {
        SurfaceBuilder { surface: Self::service(), prefix: None }
    }

    pub(crate) const fn style(&self) -> Style {
        self.style
    }

    /// The dialect of its answers, if it has one of its own.
    pub(crate) const fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// Whether a client may choose the dialect.
    pub(crate) const fn is_by_header(&self) -> bool {
        self.by_header
    }

    pub(crate) const fn is_managed(&self) -> bool {
        self.managed
    }

    /// The project of requests whose path names none.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// The graph of requests, where their path names none.
    pub(crate) fn graph(&self) -> Option<&str> {
        self.graph.as_deref()
    }

    /// A path of the routes, where this surface has it.
    pub(crate) fn place(&self, path: &str) -> String {
        let Some(below) = path.strip_prefix(PROJECT) else { return path.to_owned() };
        let of_graph = below.strip_prefix(GRAPH).filter(|_| self.graph.is_some());
        format!("{}{}", self.prefix, of_graph.unwrap_or(below))
    }

    /// The code that is sent for this one of the service.
    pub(crate) fn code<'c>(&'c self, code: &'c str) -> &'c str {
        self.codes.get(code).map_or(code, |own| own)
    }

    /// The answer about a job that failed, if it has a code of the host's own.
    pub(crate) fn failure(&self, dialect: Dialect, record: &JobRecord) -> Option<StatusPayload> {
        let own = self.codes.get(ErrorCode::JobQuery.as_str())?;
        dialect.failure(record, own)
    }
}

/// Builds a [`Surface`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SurfaceBuilder {
    surface: Surface,
    prefix: Option<String>,
}

impl SurfaceBuilder {
    /// Sets the path before `/graphs`, such as `/v1`. It may name the project: `/v1/{projectId}`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Answers as [`Surface::neutral`] does.
    pub fn neutral(mut self) -> Self {
        self.surface.style = Style::Neutral;
        if self.prefix.is_none() {
            self.surface.prefix = Prefix::default();
        }
        self
    }

    /// Sets the project of the graphs, where the prefix names none; the empty text by default.
    pub fn project(mut self, name: impl Into<String>) -> Self {
        self.surface.project = name.into();
        self
    }

    /// Serves this graph alone, without a graph in the path: `/v1/jobs` in place of `/v1/graphs/{graphName}/jobs`.
    pub fn graph(mut self, name: impl Into<String>) -> Self {
        self.surface.graph = Some(name.into());
        self
    }

    /// Answers in this dialect; by default in that of the [`Api`](crate::Api).
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.surface.dialect = Some(dialect);
        self
    }

    /// Lets a client choose the dialect with the header `X-Job-Dialect` and the name of one, such as `database`.
    pub const fn dialect_by_header(mut self) -> Self {
        self.surface.by_header = true;
        self
    }

    /// Sends the code `own` in place of a code of the service, such as `GES.8301`, or of one of the host's actions.
    pub fn code(mut self, code: impl Into<Cow<'static, str>>, own: impl Into<Cow<'static, str>>) -> Self {
        self.surface.codes.insert(code.into(), own.into());
        self
    }

    /// Also answers where the management plane of the service does: `/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/status`
    /// and the same below `/v2`. Its published client reads the state of a job there.
    pub const fn management_alias(mut self) -> Self {
        self.surface.managed = true;
        self
    }

    /// The surface.
    ///
    /// # Errors
    /// When the prefix is no path.
    pub fn build(mut self) -> Result<Surface, InvalidPrefix> {
        if let Some(prefix) = self.prefix {
            self.surface.prefix = Prefix::new(prefix)?;
        }
        Ok(self.surface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_where_its_surface_has_it() {
        let status = "/ges/v1.0/{projectId}/graphs/{graphName}/jobs/{jobId}/status";
        let (graphs, health) = ("/ges/v1.0/{projectId}/graphs", "/health");
        let built = |builder: SurfaceBuilder| builder.build().unwrap();
        for (surface, places) in [
            (Surface::service(), [status, graphs, health]),
            (Surface::neutral(), ["/graphs/{graphName}/jobs/{jobId}/status", "/graphs", health]),
            (
                built(Surface::builder().prefix("/a/b")),
                ["/a/b/graphs/{graphName}/jobs/{jobId}/status", "/a/b/graphs", health],
            ),
            (
                built(Surface::builder().neutral().prefix("/v1/{projectId}").graph("movies")),
                ["/v1/{projectId}/jobs/{jobId}/status", "/v1/{projectId}/graphs", health],
            ),
        ] {
            assert_eq!([status, graphs, health].map(|path| surface.place(path)), places);
        }
    }
}
