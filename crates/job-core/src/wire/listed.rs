//! [`ListedJob`]: a job in a list.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{ApiError, EXPORT_RESULT};
use crate::{JobId, JobKind, JobRecord, JobSpec, JobState, Outcome, Timestamp};

/// A job in a list. A [`Dialect`](super::Dialect) makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ListedJob(Row);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum Row {
    Memory(Box<MemoryRow>),
    Database(DatabaseRow),
}

/// A row of the memory edition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct MemoryRow {
    job_id: JobId,
    raw_request: String,
    task_type: Cow<'static, str>,
    can_stop: bool,
    progress: String,
    start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fail_reason: Option<String>,
    end_time: String,
    status: &'static str,
}

/// A row of the database edition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct DatabaseRow {
    job_id: JobId,
    status: &'static str,
    request: Sent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    command: String,
    url: String,
    raw_request: String,
}

impl ListedJob {
    pub(super) fn of(record: &JobRecord, percent: u8, status: &'static str) -> Self {
        Self(Row::Memory(Box::new(MemoryRow {
            job_id: record.id,
            raw_request: raw_request(&record.spec).into_owned(),
            task_type: task_type(record.spec.kind()),
            can_stop: matches!(record.state, JobState::Waiting | JobState::Running { cancelling: false }),
            progress: progress(record, percent).to_string(),
            start_time: record.started_at.map(time).unwrap_or_default(),
            fail_reason: ApiError::of_job(record).map(|error| error.message),
            end_time: record.finished_at.map(time).unwrap_or_default(),
            status,
        })))
    }

    /// The row of a job whose request was sent to `url`.
    pub(super) fn asked(record: &JobRecord, url: &str, status: &'static str) -> Self {
        let command = match record.spec.kind() {
            JobKind::VertexFilter => "vertex_query".to_owned(),
            JobKind::EdgeFilter => "edge_query".to_owned(),
            JobKind::Algorithm(name) if name == EXPORT_RESULT => "export_result".to_owned(),
            JobKind::Algorithm(_) => "execute_algorithm".to_owned(),
            // The samples write `import-graph` as `import_graph`.
            JobKind::Action(name) => name.replace('-', "_"),
        };
        let request = Sent { command, url: url.to_owned(), raw_request: raw_request(&record.spec).into_owned() };
        Self(Row::Database(DatabaseRow { job_id: record.id, status, request }))
    }

    /// A record that cannot be read is shown with the reason.
    pub(super) fn unreadable(id: JobId, reason: &str) -> Self {
        Self(Row::Memory(Box::new(MemoryRow {
            job_id: id,
            raw_request: String::new(),
            task_type: Cow::Borrowed("Unknown"),
            can_stop: false,
            progress: "0".to_owned(),
            start_time: String::new(),
            fail_reason: Some(reason.to_owned()),
            end_time: String::new(),
            status: "failed",
        })))
    }
}

/// The word for the kind of work. The samples write `import-graph` as `ImportGraph`, so the name of an action is written
/// in that way too.
pub(super) fn task_type(kind: &JobKind) -> Cow<'static, str> {
    match kind {
        JobKind::VertexFilter => Cow::Borrowed("VertexQuery"),
        JobKind::EdgeFilter => Cow::Borrowed("EdgeQuery"),
        JobKind::Algorithm(name) if name == EXPORT_RESULT => Cow::Borrowed("ExportResult"),
        JobKind::Algorithm(_) => Cow::Borrowed("Algorithm"),
        JobKind::Action(name) => Cow::Owned(name.split(['-', '_', ' ']).map(capitalized).collect()),
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The body with which a client asked for the work, as lists show it. Without a body that was kept with the job, one is made
/// of kind and parameters.
///
/// ```
/// use job_core::{JobSpec, wire};
/// use serde_json::json;
///
/// let filter = JobSpec::vertex_filter().with_parameters(&json!({"labels": ["user"]}))?;
/// assert_eq!(wire::raw_request(&filter), r#"{"labels":["user"]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn raw_request(spec: &JobSpec) -> Cow<'_, str> {
    spec.options().raw_request.as_deref().map_or_else(|| made_request(spec), Cow::Borrowed)
}

/// The body that is made of kind and parameters.
fn made_request(spec: &JobSpec) -> Cow<'_, str> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Request<'r> {
        algorithm_name: &'r str,
        parameters: &'r RawValue,
    }
    let parameters = spec.parameters().as_str();
    match spec.kind() {
        JobKind::Algorithm(name) if name != EXPORT_RESULT => serde_json::from_str(parameters)
            .and_then(|parameters| serde_json::to_string(&Request { algorithm_name: name, parameters }))
            .unwrap_or_default()
            .into(),
        _ => Cow::Borrowed(parameters),
    }
}

/// Keeps the body that a client sent with the job, if lists would show another one without it, and it is not too long.
/// A body that the spec has already stays: a host that leaves secrets out has set it.
///
/// ```
/// use job_core::{JobSpec, wire};
/// use serde_json::json;
///
/// let spec = JobSpec::vertex_filter().with_parameters(&json!({"labels": ["user"]}))?;
/// assert_eq!(wire::sent_as(spec.clone(), r#"{"labels":["user"]}"#).options().raw_request, None);
/// assert!(wire::sent_as(spec, r#"{"labels":["user"],"executionMode":"async"}"#).options().raw_request.is_some());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn sent_as(spec: JobSpec, body: &str) -> JobSpec {
    let is_kept = spec.options().raw_request.is_some() || raw_request(&spec) == body;
    if is_kept || body.len() > JobSpec::MAX_RAW_REQUEST { spec } else { spec.raw_request(body) }
}

/// A failed job has 100 percent, as in the document's sample.
pub(super) fn progress(record: &JobRecord, percent: u8) -> u8 {
    match record.state {
        JobState::Waiting => 0,
        JobState::Running { .. } => percent,
        JobState::Complete(Outcome::Cancelled) => record.progress.unwrap_or(0),
        JobState::Complete(_) => 100,
    }
}

/// The time in UTC, such as `2024-05-23 09:54:00`.
pub(super) fn time(time: Timestamp) -> String {
    let seconds = time.as_micros() / 1_000_000;
    let (year, month, day) = date(seconds / 86_400);
    let second = seconds % 86_400;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// The year, month and day that many days after the beginning of 1970, by Hinnant's `civil_from_days`. It counts
/// years from March on, so that a leap day is the last of its year, and eras of 400 years.
const fn date(days: u64) -> (u64, u64, u64) {
    let since = days + 719_468;
    let (era, day) = (since / 146_097, since % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let year = 400 * era + year;
    if month < 10 { (year, month + 3, date) } else { (year + 1, month - 9, date) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_name_of_an_action_is_written_as_the_samples_write_names() {
        for (name, word) in
            [("import-graph", "ImportGraph"), ("clear_graph", "ClearGraph"), ("-éa--b", "ÉaB"), ("图", "图")]
        {
            assert_eq!(task_type(&JobKind::Action(name.to_owned())), word);
        }
    }

    #[test]
    fn leap_days_are_where_they_are() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_799, "2000-02-29 23:59:59"),
            (1_716_458_040, "2024-05-23 09:54:00"),
            (1_709_164_800, "2024-02-29 00:00:00"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(time(Timestamp::from_micros(seconds * 1_000_000)), expected);
        }
        // A clock may be set to any year.
        assert_eq!(time(Timestamp::from_micros(u64::MAX)), "586524-01-19 08:01:49");
    }

    proptest! {
        /// The shown times agree with those of the library `jiff`.
        #[test]
        fn times_are_those_of_the_calendar(seconds in 0..253_402_207_200_u64) {
            let shown = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
            prop_assert_eq!(
                time(Timestamp::from_micros(seconds * 1_000_000)),
                shown.strftime("%Y-%m-%d %H:%M:%S").to_string()
            );
        }
    }
}
