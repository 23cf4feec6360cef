//! [`Prefix`]: the path before `/graphs`.

use std::fmt;

use job_runner::job_core::shown;
use thiserror::Error;

/// The path before `/graphs`: empty, or segments with a slash before each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Prefix(String);

/// A text that is no prefix of paths.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the prefix {prefix:?} is no path: give letters, digits, -, ., _ and ~, with a slash before each part, and \
     {{projectId}} once at most"
)]
pub struct InvalidPrefix {
    prefix: String,
}

/// The part that stands for the project.
const PROJECT: &str = "{projectId}";

impl Prefix {
    pub(super) fn service() -> Self {
        Self(super::PROJECT.to_owned())
    }

    pub(super) fn new(text: String) -> Result<Self, InvalidPrefix> {
        let plain = |part: &str| {
            !part.is_empty()
                && ![".", ".."].contains(&part)
                && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._~".contains(letter))
        };
        let mut parts = text.split('/');
        let begins = parts.next() == Some("");
        let projects = text.matches(PROJECT).count();
        if begins && projects <= 1 && parts.all(|part| plain(part) || part == PROJECT) {
            return Ok(Self(text));
        }
        Err(InvalidPrefix { prefix: shown(&text).to_owned() })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_path_that_a_router_takes() {
        for text in ["", "/v1", "/a-b/c.d/_~", "/v1/{projectId}", "/{projectId}/x"] {
            assert_eq!(Prefix::new(text.to_owned()).unwrap().to_string(), text);
        }
        for text in
            ["v1", "/", "/v1/", "//", "/a b", "/{graph}", "/{projectId}/{projectId}", "/{*all}", "/..", "/a%20"]
        {
            assert!(Prefix::new(text.to_owned()).is_err(), "{text}");
        }
    }
}
