//! [`Location`]: the place of the job store, as `--store` names it.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

/// The place of the job store.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// A directory of this machine, for one process.
    Directory(PathBuf),
    /// A database, for any number of processes.
    Postgres {
        /// Its URL.
        database: String,
        /// The URL of the object store for blocks of large results, if there is one.
        blocks: Option<String>,
    },
}

/// The separator of the two URLs: a comma alone may be part of the first, which may name several hosts.
const BLOCKS: &str = ",blocks=";

impl FromStr for Location {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        Ok(match (text.strip_prefix("rocksdb:"), text.strip_prefix("postgres:")) {
            _ if is_url => Self::postgres(text),
            (Some(directory), _) => Self::Directory(directory.into()),
            (_, Some(place)) => Self::postgres(place),
            _ => Self::Directory(text.into()),
        })
    }
}

impl Location {
    fn postgres(place: &str) -> Self {
        let (database, blocks) = match place.split_once(BLOCKS) {
            Some((database, blocks)) => (database, Some(blocks.to_owned())),
            None => (place, None),
        };
        Self::Postgres { database: database.to_owned(), blocks }
    }
}

/// The text that `--store` takes, without parts that may hold a password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.display().fmt(f),
            Self::Postgres { blocks: None, .. } => f.write_str("postgres:URL"),
            Self::Postgres { blocks: Some(_), .. } => f.write_str("postgres:URL,blocks=URL"),
        }
    }
}

/// The URLs may hold passwords.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => f.debug_tuple("Directory").field(directory).finish(),
            Self::Postgres { .. } => f.write_str("Postgres { .. }"),
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
        let postgres = |text: &str| Location::Postgres { database: text.to_owned(), blocks: None };
        assert_eq!(location("jobs"), directory("jobs"));
        assert_eq!(location("rocksdb:jobs"), directory("jobs"));
        assert_eq!(location("postgres://u@h/d"), postgres("postgres://u@h/d"));
        assert_eq!(location("postgresql://u@h/d"), postgres("postgresql://u@h/d"));
        assert_eq!(location("postgres:postgres://u@h/d"), postgres("postgres://u@h/d"));
        assert_eq!(location("postgres:host=h user=u"), postgres("host=h user=u"));
    }

    #[test]
    fn large_results_of_a_database_may_go_elsewhere() {
        for (text, database, blocks) in [
            ("postgres://u@h,i/d,blocks=s3://b/p", "postgres://u@h,i/d", "s3://b/p"),
            ("postgres:host=h,i user=u,blocks=file:///d", "host=h,i user=u", "file:///d"),
        ] {
            let (database, blocks) = (database.to_owned(), Some(blocks.to_owned()));
            assert_eq!(location(text), Location::Postgres { database, blocks });
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for text in ["postgres://u:secret@h/d", "postgres://u:secret@h/d,blocks=s3://secret@b"] {
            let location = location(text);
            assert!(!format!("{location:?} {location}").contains("secret"));
        }
    }
}
