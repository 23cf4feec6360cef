//! Exit codes: one for each kind of mistake, so that a script need not read a sentence.

use std::{error::Error, fmt, io, process::ExitCode};

use super::client::Unreached;
use job_demo::{check::Refused, graphs::GraphsError};
use job_http::InvalidOrigin;
use job_runner::{
    EngineError, InvalidJobId, InvalidParameter, StoreError, job_core::strict::InvalidBody, store::ErrorKind,
};

/// The exit code of a command without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Another error, such as an address in use.
    Other = 1,
    /// The command line is wrong. clap ends with the same code.
    Usage = 2,
    /// There is no such job, store or graph.
    NotFound = 3,
    /// The request cannot be run, or not now.
    Refused = 4,
    /// A job that was run or asked for failed or was cancelled.
    JobFailed = 5,
    /// The store cannot be used: it is open elsewhere, does not answer or is damaged.
    Store = 6,
}

/// The table at the end of `--help`.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  another error, such as an address that is in use
  2  wrong option, argument, id or JSON
  3  no such job, store or graph
  4  refused: the request cannot be run, or the job has ended already
  5  a job failed or was cancelled
  6  the store cannot be used: open elsewhere, unreachable or damaged";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A sentence and its exit code, for mistakes that are no error of the libraries.
#[derive(Debug)]
pub(super) struct Mistake {
    exit: Exit,
    message: String,
}

impl Mistake {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Mistake {}

/// The code of the first error in the chain that has one.
pub(super) fn exit(error: &(dyn Error + 'static)) -> Exit {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(exit) = known(error) {
            return exit;
        }
        next = beneath(error);
    }
    Exit::Other
}

/// The source of an error. An I/O error that holds another one gives as its source only the source of that.
fn beneath<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    held.map_or_else(|| error.source(), |held| Some(held as _))
}

fn known(error: &(dyn Error + 'static)) -> Option<Exit> {
    if let Some(mistake) = error.downcast_ref::<Mistake>() {
        return Some(mistake.exit);
    }
    if let Some(error) = error.downcast_ref::<EngineError>() {
        return of_engine(error);
    }
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return Some(of_store(error.kind));
    }
    let is_usage = error.is::<InvalidParameter>()
        || error.is::<InvalidJobId>()
        || error.is::<InvalidBody>()
        || error.is::<InvalidOrigin>();
    if is_usage {
        Some(Exit::Usage)
    } else if error.is::<Unreached>() {
        Some(Exit::Store)
    } else if error.is::<Refused>() {
        Some(Exit::Refused)
    } else if error.is::<GraphsError>() {
        Some(Exit::NotFound)
    } else {
        None
    }
}

fn of_engine(error: &EngineError) -> Option<Exit> {
    Some(match error {
        EngineError::UnknownJob(_) => Exit::NotFound,
        EngineError::InvalidPage(_) | EngineError::InvalidOption(_) => Exit::Usage,
        EngineError::QueueFull { .. }
        | EngineError::AlreadyComplete(_)
        | EngineError::InvalidSpec(_)
        | EngineError::UnknownKind { .. }
        | EngineError::Refused { .. }
        | EngineError::KeyTaken { .. } => Exit::Refused,
        EngineError::Store(error) | EngineError::Unhealthy(error) => of_store(error.kind),
        _ => return None,
    })
}

const fn of_store(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::NotFound => Exit::NotFound,
        _ => Exit::Store,
    }
}

#[cfg(test)]
mod tests {
    use job_runner::{JobClass, JobId};

    use super::*;

    #[test]
    fn each_kind_of_mistake_has_its_code_however_deep_it_lies() {
        let id: JobId = "018bcfe5-6800-7000-8000-000000000000".parse().unwrap();
        let store = |kind| StoreError::new(kind, "open the store", "x");
        let cases: [(Box<dyn Error>, Exit); 11] = [
            ("x".into(), Exit::Other),
            (Box::new("zz".parse::<JobId>().unwrap_err()), Exit::Usage),
            (Box::new(Mistake::new(Exit::JobFailed, "x")), Exit::JobFailed),
            (Box::new(EngineError::UnknownJob(id)), Exit::NotFound),
            (Box::new(EngineError::AlreadyComplete(id)), Exit::Refused),
            (Box::new(EngineError::QueueFull { class: JobClass::Read, bound: 1 }), Exit::Refused),
            (Box::new(EngineError::ShuttingDown), Exit::Other),
            (Box::new(EngineError::Store(store(ErrorKind::NotFound))), Exit::NotFound),
            (Box::new(store(ErrorKind::AlreadyOpen)), Exit::Store),
            (Box::new(io::Error::other(store(ErrorKind::Corrupt))), Exit::Store),
            (Box::new(GraphsError::Unknown("x".to_owned())), Exit::NotFound),
        ];
        for (error, expected) in cases {
            assert_eq!(exit(&*error), expected, "{error}");
        }
    }

    #[test]
    fn the_help_names_every_code() {
        for exit in [Exit::Other, Exit::Usage, Exit::NotFound, Exit::Refused, Exit::JobFailed, Exit::Store] {
            assert!(HELP.contains(&format!("\n  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
