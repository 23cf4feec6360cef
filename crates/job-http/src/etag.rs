//! Entity tags: the page of a job that succeeded never changes.

use axum::http::{HeaderMap, HeaderValue, header};
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
