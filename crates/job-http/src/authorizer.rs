//! [`Authorizer`]: decides which client may do which action.

use std::{future::Future, pin::Pin};

use axum::http::request::Parts;

/// The action of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Read the state, the rows or the progress of a job.
    Read,
    /// List jobs or graphs.
    List,
    /// Submit a job.
    Submit,
    /// Cancel a job.
    Cancel,
    /// Write a result to a file, and erase the job if asked to.
    Export,
    /// List and cancel jobs of every graph, in every project; the project is empty here. See
    /// [`Api::operator`](crate::Api::operator).
    Operate,
    /// Read the figures of the process: `/figures` and `/metrics`. They name no job and no graph; the project is empty
    /// here.
    Observe,
}

/// Why a request is refused. The sentence goes to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// The client is not known: 401.
    Unauthenticated(String),
    /// The client may not do this: 403.
    Forbidden(String),
}

/// The answer of an [`Authorizer`], which may have to ask another service first.
pub type Decision<'a> = Pin<Box<dyn Future<Output = Result<(), Denied>> + Send + 'a>>;

/// Decides which client may do which action. It is asked first, before a graph or a job is looked up.
///
/// A closure `Fn(&Parts, &str, Action) -> Result<(), Denied>` is one. It must not wait:
///
/// ```
/// use axum::http::request::Parts;
/// use job_http::{Authorizer, Action, Denied};
///
/// fn check(request: &Parts, project: &str, action: Action) -> Result<(), Denied> {
///     match request.headers.get("X-Auth-Token").and_then(|token| token.to_str().ok()) {
///         None => Err(Denied::Unauthenticated("header X-Auth-Token is missing".to_owned())),
///         Some("reader") if action == Action::Read => Ok(()),
///         Some(_) => Err(Denied::Forbidden(format!("this token may not do that in project {project}"))),
///     }
/// }
///
/// fn takes(_: impl Authorizer) {}
/// takes(check);
/// ```
pub trait Authorizer: Send + Sync + 'static {
    /// Decides whether one request is allowed.
    fn check<'a>(&'a self, request: &'a Parts, project: &'a str, action: Action) -> Decision<'a>;
}

impl<F> Authorizer for F
where
    F: Fn(&Parts, &str, Action) -> Result<(), Denied> + Send + Sync + 'static,
{
    fn check<'a>(&'a self, request: &'a Parts, project: &'a str, action: Action) -> Decision<'a> {
        Box::pin(std::future::ready(self(request, project, action)))
    }
}
