//! The checks of this crate's fuzz targets. Not part of the API: the feature is for `fuzz/` and for the test that runs
//! the same functions without a fuzzer.

use std::path::{Component, Path};

use axum::{extract::Query, http::Uri};
use job_runner::{
    JobId, JobKind, JobSpec, PageRequest, Parameters,
    job_core::strict,
    wire::{self, Dialect, ErrorCode, RowForm},
};

use crate::{
    action::{self, Asked, HostAction, Mode, Modes},
    catalog::JobRequest,
    export::{csv, jsonl},
    limits::Limits,
    routes::{
        export,
        neutral::submit,
        status::{self, StatusQuery},
    },
};

/// The check of an input.
pub type Body = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: [(&str, Body); 8] = [
    ("page_request", page_request),
    ("cursor", cursor),
    ("submission", submission),
    ("neutral_request", neutral_request),
    ("action_request", action_request),
    ("sync_request", sync_request),
    ("export_request", export_request),
    ("csv_row", csv_row),
];

/// The text behind the `?` of a status query, and offset and limit alone, each on a line.
pub fn page_request(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (offset, limit) = text.split_once('\n').map_or((&*text, None), |(offset, limit)| (offset, Some(limit)));
    if let Ok(page) = PageRequest::parse(Some(offset), limit) {
        assert_eq!(offset.trim_start_matches('0'), page.offset().to_string().trim_start_matches('0'));
        check_window(page);
    }
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else { return };
    let Ok(Query(query)) = Query::<StatusQuery>::try_from_uri(&uri) else { return };
    if let Ok(page) = PageRequest::parse(query.offset.as_deref(), query.limit.as_deref()) {
        check_window(page);
    }
    let longest = Limits::default().longest_wait;
    if let Ok(Some(wait)) = status::wait(query.wait.as_deref(), longest) {
        assert!(wait <= longest && !wait.is_zero());
    }
}

fn check_window(page: PageRequest) {
    assert!((1..=PageRequest::MAX_LIMIT).contains(&page.limit()));
    for total in [0, 1, page.offset(), page.offset().saturating_add(1), u64::MAX] {
        let window = page.window(total);
        assert!(window.start <= window.end && window.end <= total);
        assert_eq!(window.end - window.start, u64::from(page.limit()).min(total.saturating_sub(page.offset())));
    }
}

/// Ids as text: they are the cursors of lists.
pub fn cursor(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(id) = text.parse::<JobId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

/// The bodies of submissions. An accepted one is a JSON object, and its size is in proportion to the body.
pub fn submission(data: &[u8]) {
    let Ok(text) = String::from_utf8(data.to_vec()) else { return };
    let check = |parameters: &Parameters| {
        assert!(parameters.as_str().starts_with('{') && parameters.as_str().len() <= data.len().max(2));
        let _ = parameters.read::<serde_json::Value>();
    };
    if let Ok((JobRequest::Algorithm { name, parameters }, _)) = action::algorithm(&text) {
        assert!(!name.is_empty());
        check(&parameters);
    }
    if let Ok(parameters) = action::object(text, ErrorCode::VertexCondition.as_str()) {
        check(&parameters);
    }
}

/// A spec whose record has the body, which lists show as it came.
fn check_kept(spec: JobSpec, body: &str) {
    let spec = wire::sent_as(spec.with_graph("g"), body);
    if body.len() <= JobSpec::MAX_RAW_REQUEST {
        assert_eq!(wire::raw_request(&spec), body);
    }
    let _ = spec.check();
}

/// The body of a submission to the neutral surface. An accepted one names its work, and its parameters are an object.
pub fn neutral_request(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(asked) = submit::Asked::read(text) else { return };
    assert!(asked.kind != JobKind::Algorithm(String::new()));
    let parameters = asked.parameters.as_str();
    assert!(parameters.starts_with('{') && (parameters == "{}" || text.contains(parameters)));
    let spec = JobSpec::new(asked.kind.clone()).with_raw_parameters(asked.parameters.clone());
    check_kept(asked.put_on(spec), text);
}

/// The body of an action: it is an object, kept as it is, and its mode is one of two words.
pub fn action_request(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let code = ErrorCode::Parameter.as_str();
    let (Ok(asked), Ok(parameters)) = (Asked::mode_of(text, code), action::object(text.to_owned(), code)) else {
        return;
    };
    assert_eq!(parameters.as_str().trim(), text.trim());
    check_modes(&asked, text);
    check_kept(JobSpec::action("a").with_raw_parameters(parameters), text);
}

/// The body of an algorithm with the mode and the page of its answer.
pub fn sync_request(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok((JobRequest::Algorithm { name, parameters }, asked)) = action::algorithm(text) else { return };
    check_window(asked.page);
    check_modes(&asked, text);
    check_kept(JobSpec::algorithm(name).with_raw_parameters(parameters), text);
}

/// The mode of a body is the word in it, or that of the action and the dialect. Any other word is refused.
fn check_modes(asked: &Asked, body: &str) {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "executionMode")]
        mode: Option<String>,
    }
    let Ok(Named { mode: word }) = serde_json::from_str(body) else { return };
    for modes in [Modes::AsyncOnly, Modes::AsyncFirst, Modes::SyncFirst, Modes::OfDialect] {
        for dialect in Dialect::ALL {
            let mode = HostAction::new("a").modes(modes).mode(asked, dialect).ok();
            let is_sync = match word.as_deref() {
                Some("sync") => (modes != Modes::AsyncOnly).then_some(true),
                Some("async") => Some(false),
                Some(_) => None,
                None => Some(modes == Modes::SyncFirst || modes == Modes::OfDialect && dialect.is_sync_first()),
            };
            assert_eq!(mode.map(|mode| mode == Mode::Sync), is_sync, "{modes:?} {dialect:?}");
        }
    }
}

/// The body of an export: the file is always below the directory of the host.
pub fn export_request(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(body) = strict::read("the body", text) else { return };
    if let Ok(path) = export::path(&body, "018bcfe5-6800-7000-8000-000000000000") {
        assert!(Path::new(&path).components().all(|part| matches!(part, Component::Normal(_))), "{path:?}");
        assert!(!path.contains('\0'));
    }
}

/// A row of one value, written as an object with its id.
fn named_row(value: &serde_json::Value) {
    let Ok(row) = serde_json::to_vec(value) else { return };
    // Read again: the reader does not give every number of many digits exactly, so the two must read the same text.
    let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(&row) else { return };
    let mut members = members.into_iter();
    let (Some((id, rank)), None) = (members.next(), members.next()) else { return };
    let mut named = Vec::new();
    RowForm::Named("rank".into()).write(&row, &mut named);
    let shown: Option<serde_json::Value> = serde_json::from_slice(&named).ok();
    assert_eq!(shown, Some(serde_json::json!({"id": id, "rank": rank})));
}

/// A row as a record of CSV, and as a line of JSON. Each must be one record or line, with any text in it.
pub fn csv_row(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let mut out = Vec::new();
    if csv::Records::new(&mut out, false).row(data.trim_ascii()).is_ok() {
        assert_eq!(csv::records(&out), Some(1), "{:?}", String::from_utf8_lossy(&out));
        assert_eq!(out.last(), Some(&b'\n'));
    }
    named_row(&value);
    out.clear();
    if jsonl::row(data.trim_ascii(), &mut out).is_ok() {
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).ok(), Some(value));
        assert_eq!(String::from_utf8_lossy(&out).lines().count(), 1);
    }
}
