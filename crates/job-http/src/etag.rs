//! Entity tags: the page of a job that succeeded never changes.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use job_runner::{JobRecord, JobState, Outcome, PageRequest};

/// The tag of this page in these words; `None` if the page may still change. The tag is weak, because a proxy may send the same
/// page compressed.
pub(crate) fn of(record: &JobRecord, page: PageRequest, words: &str) -> Option<HeaderValue> {
    if record.state != JobState::Complete(Outcome::Succeeded) {
        return None;
    }
    let tag = format!("W/\"{}.{}.{}.{}\"", record.id, page.offset(), page.limit(), words);
    HeaderValue::from_str(&tag).ok()
}

/// The tag of the whole result as a file of this form; `None` if it may still change.
pub(crate) fn of_file(record: &JobRecord, form: &str) -> Option<HeaderValue> {
    let tag = format!("W/\"{}.{form}\"", record.id);
    HeaderValue::from_str(&tag).ok().filter(|_| record.state == JobState::Complete(Outcome::Succeeded))
}

/// Adds the tag to an answer. A cache asks each time: the job may be removed, or the client may lose the right to see
/// it.
pub(crate) fn put(response: &mut Response, tag: Option<HeaderValue>) {
    let Some(tag) = tag else { return };
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// Whether the client has the page with this tag already (`If-None-Match`).
pub(crate) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let own = opaque(tag.to_str().unwrap_or_default());
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag.trim()) == own)
}

fn opaque(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}
