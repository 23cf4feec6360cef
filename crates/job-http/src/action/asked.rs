//! [`Asked`]: the request in a body, and the mode that it asks for.

use job_runner::{JobSpec, PageRequest, job_core::strict, wire::Dialect};
use serde::Deserialize;

use crate::failure::ApiFailure;

/// The modes in which a client may run an action: `async` answers an id at once, `sync` answers the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Modes {
    /// Only `async`.
    #[default]
    AsyncOnly,
    /// Both; `async` if the request names none.
    AsyncFirst,
    /// Both; `sync` if the request names none.
    SyncFirst,
    /// Both; the dialect decides if the request names none. That is `sync` in the database edition, and `async` elsewhere.
    OfDialect,
}

/// How one request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Async,
    Sync,
}

/// A request that was read from a body.
///
/// ```
/// use job_http::Asked;
/// use job_runner::{JobSpec, PageRequest};
///
/// let spec = JobSpec::action("cypher").max_rows(1_000);
/// let asked = Asked::new(spec).mode(Some("sync")).page(PageRequest::new(0, 100)?);
/// # drop(asked);
/// # Ok::<(), job_runner::InvalidParameter>(())
/// ```
#[derive(Debug, Clone)]
pub struct Asked {
    pub(crate) spec: JobSpec,
    mode: Option<String>,
    pub(crate) page: PageRequest,
}

impl Asked {
    /// Asks for this work, in the mode that the action runs in by default.
    #[must_use]
    pub fn new(spec: JobSpec) -> Self {
        Self { spec, mode: None, page: PageRequest::default() }
    }

    /// Sets the word of the body for the mode, if it has one; any other word than `sync` or `async` is refused.
    #[must_use]
    pub fn mode(mut self, word: Option<&str>) -> Self {
        self.mode = word.map(str::to_owned);
        self
    }

    /// Sets the page of the result that a synchronous answer has; the first 100,000 rows by default.
    #[must_use]
    pub const fn page(mut self, page: PageRequest) -> Self {
        self.page = page;
        self
    }

    /// The same mode and page, with this work.
    pub(super) fn with(self, spec: JobSpec) -> Self {
        Self { spec, ..self }
    }

    /// The member `executionMode` of a body.
    pub(crate) fn mode_of(body: &str, code: &str) -> Result<Self, ApiFailure> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            execution_mode: Option<String>,
        }
        let read = strict::read("the body", body);
        let body: Body = read.map_err(|invalid| ApiFailure::new(code.to_owned(), invalid.to_string()))?;
        Ok(Self::new(JobSpec::edge_filter()).mode(body.execution_mode.as_deref()))
    }

    /// The mode of the request.
    pub(super) fn mode_in(&self, modes: Modes, dialect: Dialect) -> Result<Mode, &'static str> {
        let first = match modes {
            Modes::SyncFirst => Mode::Sync,
            Modes::OfDialect if dialect.is_sync_first() => Mode::Sync,
            Modes::AsyncOnly | Modes::AsyncFirst | Modes::OfDialect => Mode::Async,
        };
        match self.mode.as_deref() {
            None => Ok(first),
            Some("async") => Ok(Mode::Async),
            Some("sync") if modes == Modes::AsyncOnly => {
                Err("executionMode is sync: only async is served here, with ?wait= on the status of the job")
            }
            Some("sync") => Ok(Mode::Sync),
            Some(_) => Err("executionMode is not correct, it should be sync or async"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_mode_by_this_table() {
        let asked = |word: Option<&str>| Asked::new(JobSpec::vertex_filter()).mode(word);
        let (run, wait) = (Ok(Mode::Async), Ok(Mode::Sync));
        for (modes, words) in [
            (Modes::AsyncOnly, [run, run, Err(()), run]),
            (Modes::AsyncFirst, [run, run, wait, run]),
            (Modes::SyncFirst, [wait, run, wait, wait]),
            (Modes::OfDialect, [run, run, wait, wait]),
        ] {
            let [none, named, sync, database] = words;
            let mode = |word, dialect| asked(word).mode_in(modes, dialect).map_err(|_| ());
            assert_eq!(mode(None, Dialect::Document), none, "{modes:?}");
            assert_eq!(mode(Some("async"), Dialect::Database), named, "{modes:?}");
            assert_eq!(mode(Some("sync"), Dialect::Document), sync, "{modes:?}");
            assert_eq!(mode(None, Dialect::Database), database, "{modes:?}");
            assert_eq!(mode(Some("now"), Dialect::Document), Err(()), "{modes:?}");
        }
    }
}
