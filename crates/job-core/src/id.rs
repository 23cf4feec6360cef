//! [`JobId`], the name of a job, and [`Timestamp`], a point in time.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::{Builder, Uuid};

use crate::shown;

/// Names one job for ever: a `UUIDv7` of 16 bytes.
///
/// Its bytes sort by creation time, so a range of keys that start with the id is a range of time. As text it has one
/// spelling, lower case with hyphens, so a thing that is named by an id has one name.
///
/// ```
/// use job_core::{JobId, Timestamp};
///
/// let id = JobId::from_parts(Timestamp::from_micros(1_700_000_000_000_000), [7; 10]);
/// assert_eq!(id.to_string().parse::<JobId>()?, id);
/// assert!("not-a-job".parse::<JobId>().is_err());
/// # Ok::<(), job_core::InvalidJobId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct JobId([u8; 16]);

impl JobId {
    /// The smallest id. No job has this id.
    pub const MIN: Self = Self([0; 16]);
    /// The greatest id. No job has this id.
    pub const MAX: Self = Self([0xff; 16]);

    /// Builds the id of a job created at `now` (kept to the millisecond) with 74 bits of `entropy`.
    #[must_use]
    pub fn from_parts(now: Timestamp, entropy: [u8; 10]) -> Self {
        let id = Builder::from_unix_timestamp_millis(now.as_micros() / 1000, &entropy).into_uuid();
        Self(id.into_bytes())
    }

    /// Takes the 16 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, big-endian, in the order that sorts by time.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobId({self})")
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(text).ok().filter(|id| *id.hyphenated().encode_lower(&mut [0; 36]) == *text);
        let id = id.ok_or_else(|| InvalidJobId { text: shown(text).to_owned() })?;
        Ok(Self(id.into_bytes()))
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for JobId {
    type Error = InvalidJobId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A text that is no job id; holds at most its first 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a job id: it must be a UUID such as 018bcfe5-6800-7000-8000-000000000000")]
pub struct InvalidJobId {
    /// The given text.
    pub text: String,
}

/// Microseconds since the Unix epoch, UTC.
///
/// ```
/// use job_core::Timestamp;
///
/// let start = Timestamp::from_micros(5_000_000);
/// assert_eq!(Timestamp::from_micros(5_250_000).since(start).as_millis(), 250);
/// assert!(start.since(Timestamp::from_micros(9_000_000)).is_zero()); // a clock that went back
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Takes microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if the clock went back between them.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The time later by `by`; the greatest [`Timestamp`] if that is past it.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_of_creation() {
        let early = JobId::from_parts(Timestamp::from_micros(1_000_000), [0xff; 10]);
        let late = JobId::from_parts(Timestamp::from_micros(2_000_000), [0; 10]);
        assert!(early < late && JobId::MIN < early && late < JobId::MAX);
    }

    #[test]
    fn an_id_survives_text_and_json() {
        let id = JobId::from_parts(Timestamp::from_micros(1_700_000_000_000_000), [3; 10]);
        assert_eq!(id.to_string().len(), 36);
        assert_eq!(id.to_string().parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<JobId>(&json).unwrap(), id);
    }

    #[test]
    fn no_time_is_past_the_end_of_time() {
        let time = Timestamp::from_micros(7);
        assert_eq!(time.after(Duration::from_micros(3)), Timestamp::from_micros(10));
        assert_eq!(time.after(Duration::MAX), Timestamp::from_micros(u64::MAX));
        assert_eq!(Timestamp::from_micros(u64::MAX).after(Duration::from_micros(1)).as_micros(), u64::MAX);
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = JobId::from_parts(Timestamp::from_micros(1_700_000_000_000_000), [0xab; 10]);
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        for other in [
            text.to_uppercase(),
            text.replace('-', ""),
            format!("urn:uuid:{text}"),
            format!("{{{text}}}"),
            format!(" {text}"),
            format!("{text} "),
            text.replacen("ab", "AB", 1),
        ] {
            assert!(other.parse::<JobId>().is_err(), "{other:?}");
            assert!(serde_json::from_value::<JobId>(other.as_str().into()).is_err(), "{other:?}");
        }
    }

    #[test]
    fn a_bad_id_is_named_but_not_repeated_at_length() {
        let error = "x".repeat(10_000).parse::<JobId>().unwrap_err();
        assert_eq!(error.text.len(), 64);
    }
}
