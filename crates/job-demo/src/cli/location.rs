//! [`Location`]: where the job store is, as `--store` names it.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

/// Where the job store is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// A directory of this machine, for one process.
    Directory(PathBuf),
    /// A database, by its URL, for any number of processes.
    Postgres(String),
}

impl FromStr for Location {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        Ok(match (text.strip_prefix("rocksdb:"), text.strip_prefix("postgres:")) {
            _ if is_url => Self::Postgres(text.to_owned()),
            (Some(directory), _) => Self::Directory(directory.into()),
            (_, Some(url)) => Self::Postgres(url.to_owned()),
            _ => Self::Directory(text.into()),
        })
    }
}

/// As `--store` takes it, but for what may hold a password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.display().fmt(f),
            Self::Postgres(_) => f.write_str("postgres:URL"),
        }
    }
}

/// The URL may hold a password.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => f.debug_tuple("Directory").field(directory).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str) -> Location {
        let Ok(location) = text.parse();
        location
    }

    #[test]
    fn a_store_is_a_directory_or_a_database() {
        let directory = |text: &str| Location::Directory(text.into());
        let postgres = |text: &str| Location::Postgres(text.to_owned());
        assert_eq!(location("jobs"), directory("jobs"));
        assert_eq!(location("rocksdb:jobs"), directory("jobs"));
        assert_eq!(location("postgres://u@h/d"), postgres("postgres://u@h/d"));
        assert_eq!(location("postgresql://u@h/d"), postgres("postgresql://u@h/d"));
        assert_eq!(location("postgres:postgres://u@h/d"), postgres("postgres://u@h/d"));
        assert_eq!(location("postgres:host=h user=u"), postgres("host=h user=u"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let location = location("postgres://u:secret@h/d");
        assert!(!format!("{location:?} {location}").contains("secret"));
    }
}
