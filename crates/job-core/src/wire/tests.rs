//! Every answer of every dialect, byte for byte.

use super::*;
use crate::{
    Event, Failure, FailureKind, JobId, JobKind, JobRecord, JobResult, JobSpec, PageRequest, RowList, Segment,
    Timestamp,
};

const ID: &str = "018bcfe5-6800-7000-8000-000000000000";

fn waiting() -> JobRecord {
    let now = Timestamp::default();
    JobRecord::waiting(ID.parse().unwrap(), JobSpec::algorithm("path").with_graph("movies"), now)
}

fn after(events: &[Event]) -> JobRecord {
    events.iter().fold(waiting(), |record, event| record.apply(event.clone(), Timestamp::default()).unwrap())
}

fn failure() -> Event {
    Event::Fail(Failure::new(FailureKind::Handler, "parameter [source] is invalid"))
}

/// A result with seven rows and one value.
fn result() -> JobResult {
    let mut result = JobResult::default();
    result.outputs.insert("runtime", &0.5).unwrap();
    result.list = Some(RowList::new("score", vec![Segment { attempt: 1, number: 0, rows: 7, bytes: 70 }]));
    result
}

/// The record of a job that failed and kept its rows.
fn kept() -> JobRecord {
    let mut record = after(&[Event::Start, failure()]);
    record.size = result().size();
    record
}

/// The status and the whole body, with the number of each row as its JSON.
fn body(payload: &StatusPayload) -> (u16, String) {
    let mut out = Vec::new();
    let written = payload.write(&mut out, |out, rows| {
        let rows: Vec<String> = rows.map(|row| row.to_string()).collect();
        out.extend_from_slice(rows.join(",").as_bytes());
        Ok::<_, std::io::Error>(())
    });
    written.unwrap();
    (payload.http_status(), String::from_utf8(out).unwrap())
}

const ROWS: &str = r#"{"data":{"outputs":{"runtime":0.5,"data_return_size":2,"data_offset":5,"data_total_size":7,"score":[5,6]}},"status":"#;
const VALUES: &str = r#"{"data":{"outputs":{"runtime":0.5}},"status":"#;
const SO_FAR: &str =
    r#"{"data":{"outputs":{"data_return_size":1,"data_offset":5,"data_total_size":6,"score":[5]}},"status":"#;
const FAILED: &str =
    r#"{"errorMessage":"Running algorithm [path] error: parameter [source] is invalid!","errorCode":"GES.8301""#;
const STOPPED: &str =
    r#"{"errorMessage":"Running algorithm [path] error: the job was cancelled!","errorCode":"GES.8301""#;
const MISSING: &str = r#"{"errorMessage":"the result of job 018bcfe5-6800-7000-8000-000000000000 is missing","errorCode":"GES.8302""#;

/// Answers to a status query, in the order of [`each_dialect_answers_a_status_query_in_its_own_bytes`].
type Answers = [(u16, [&'static str; 2]); 9];

const DOCUMENT: Answers = [
    (200, [r#"{"status":"waiting"}"#, ""]),
    (200, [r#"{"status":"running"}"#, ""]),
    (200, [SO_FAR, r#""running"}"#]),
    (200, [ROWS, r#""complete"}"#]),
    (200, [VALUES, r#""complete"}"#]),
    (500, [MISSING, "}"]),
    (400, [FAILED, "}"]),
    (400, [FAILED, "}"]),
    (400, [STOPPED, "}"]),
];

const MEMORY_2025: Answers = [
    (200, [r#"{"status":"pending"}"#, ""]),
    (200, [r#"{"status":"running"}"#, ""]),
    (200, [SO_FAR, r#""running"}"#]),
    (200, [ROWS, r#""success"}"#]),
    (200, [VALUES, r#""success"}"#]),
    (500, [MISSING, "}"]),
    (200, [FAILED, r#","status":"failed"}"#]),
    (200, [ROWS, r#""partiallyFailed"}"#]),
    (200, [STOPPED, r#","status":"failed"}"#]),
];

const DATABASE: Answers = [
    (200, [r#"{"status":"pending","result":"success"}"#, ""]),
    (200, [r#"{"status":"running","result":"success"}"#, ""]),
    (200, [SO_FAR, r#""running","result":"success"}"#]),
    (200, [ROWS, r#""complete","result":"success"}"#]),
    (200, [VALUES, r#""complete","result":"success"}"#]),
    (500, [MISSING, r#","result":"failed"}"#]),
    (200, [FAILED, r#","status":"failed","result":"failed"}"#]),
    (200, [FAILED, r#","status":"failed","result":"failed"}"#]),
    (200, [STOPPED, r#","status":"failed","result":"failed"}"#]),
];

/// The answers of every dialect. A dialect without answers does not compile.
const ANSWERS: [Answers; Dialect::ALL.len()] = [DOCUMENT, MEMORY_2025, MEMORY_2025, DATABASE];

#[test]
fn each_dialect_answers_a_status_query_in_its_own_bytes() {
    let page = PageRequest::new(5, 3).unwrap();
    let result = result();
    let values = JobResult { list: None, ..result.clone() };
    let done = after(&[Event::Start, Event::Succeed(result.size())]);
    let cancelling = after(&[Event::Start, Event::Cancel]);
    for (dialect, expected) in Dialect::ALL.into_iter().zip(ANSWERS) {
        let found = [
            // A result is not read where the answer does not show it.
            dialect.status(&waiting(), Some(&result), page),
            dialect.status(&cancelling, Some(&result), page),
            dialect.so_far("score", 6, page),
            dialect.status(&done, Some(&result), page),
            dialect.status(&done, Some(&values), page),
            dialect.status(&done, None, page),
            dialect.status(&after(&[Event::Start, failure()]), Some(&values), page),
            dialect.status(&kept(), Some(&result), page),
            dialect.status(&after(&[Event::Cancel]), None, page),
        ];
        for (found, (code, parts)) in found.iter().zip(expected) {
            assert_eq!(body(found), (code, parts.concat()), "{}", dialect.name());
        }
    }
}

#[test]
fn each_dialect_answers_other_requests_in_its_own_bytes() {
    let id: JobId = ID.parse().unwrap();
    let kinds = [
        JobKind::VertexFilter,
        JobKind::EdgeFilter,
        JobKind::Algorithm("path".to_owned()),
        JobKind::Action("cypher".to_owned()),
    ];
    let done = after(&[Event::Start, Event::Succeed(result().size())]);
    let failed = after(&[Event::Start, failure()]);
    let running = after(&[Event::Start]);
    for (dialect, types, cancelled, tail, words) in [
        (
            Dialect::Document,
            [",\"jobType\":0", ",\"jobType\":0", ",\"jobType\":1", ",\"jobType\":1"],
            "{}",
            "]}",
            ["waiting", "running", "complete", "failed", "failed"],
        ),
        (
            Dialect::Memory2025,
            [",\"jobType\":1", ",\"jobType\":0", ",\"jobType\":1", ",\"jobType\":1"],
            "{}",
            "]}",
            ["pending", "running", "success", "failed", "partiallyFailed"],
        ),
        (
            Dialect::Memory2025Rows,
            [",\"jobType\":1", ",\"jobType\":0", ",\"jobType\":1", ",\"jobType\":1"],
            "{}",
            r#"],"jobCount":3}"#,
            ["pending", "running", "success", "failed", "partiallyFailed"],
        ),
        (
            Dialect::Database,
            [""; 4],
            r#"{"result":"success"}"#,
            r#"],"totalCount":3,"result":"success"}"#,
            ["pending", "running", "success", "failed", "failed"],
        ),
    ] {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        for (kind, job_type) in kinds.iter().zip(types) {
            assert_eq!(text(dialect.acknowledged(id, Some(kind))), format!(r#"{{"jobId":"{ID}"{job_type}}}"#));
        }
        assert_eq!(text(dialect.acknowledged(id, None)), format!(r#"{{"jobId":"{ID}"}}"#));
        assert_eq!(dialect.cancelled(), cancelled.as_bytes());
        assert_eq!((dialect.list_head(), text(dialect.list_tail(3)).as_str()), (&br#"{"jobs":["#[..], tail));
        let listed = [&waiting(), &running, &done, &failed, &kept()].map(|record| {
            let listed = serde_json::to_value(dialect.listed_job(record, 30, "/u")).unwrap();
            let text = |name: &str| listed[name].as_str().map(str::to_owned);
            if dialect == Dialect::Database {
                let raw = r#"{"algorithmName":"path","parameters":{}}"#;
                let expected = serde_json::json!({"command": "execute_algorithm", "url": "/u", "rawRequest": raw});
                assert_eq!(listed["request"], expected);
            }
            (text("status").unwrap(), text("progress"))
        });
        let expected = words.iter().zip(["0", "30", "100", "100", "100"]);
        assert!(
            listed.iter().zip(expected).all(|((word, percent), (a, b))| {
                word == a && percent.as_deref().is_none_or(|percent| percent == b)
            }),
            "{listed:?}"
        );
    }
}

#[test]
fn each_form_of_a_submission_has_its_own_bytes_in_each_dialect() {
    let kind = JobKind::Action("cypher".to_owned());
    let page = PageRequest::new(5, 3).unwrap();
    let table = r#"{"results":[{"runtime":0.5,"score":[5,6]}],"errors":[]}"#;
    let plain = ROWS.trim_end_matches(r#","status":"#);
    let values = JobResult { list: None, ..result() };
    for (dialect, columns, number, row, sync_end, waiting_word) in [
        (
            Dialect::Document,
            r#"["jobId","jobType"]"#,
            r#","jobType":1"#,
            r#",1],"meta":[null,null]}"#,
            "}",
            "waiting",
        ),
        (
            Dialect::Memory2025,
            r#"["jobId","jobType"]"#,
            r#","jobType":1"#,
            r#",1],"meta":[null,null]}"#,
            "}",
            "pending",
        ),
        (Dialect::Database, r#"["jobId"]"#, "", r#"],"meta":[null]}"#, r#","result":"success"}"#, "pending"),
    ] {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let rows = |said: &str| {
            format!(
                r#"{{"results":[{{"columns":{columns},"jobId":"{ID}"{number}{said},"data":[{{"row":["{ID}"{row}]}}],"errors":[]}}"#
            )
        };
        assert_eq!(text(dialect.submitted(Form::Rows, waiting().id, &kind)), rows(""));
        assert_eq!(
            text(dialect.submitted(Form::Plain, waiting().id, &kind)),
            format!(r#"{{"jobId":"{ID}"{number}}}"#)
        );
        let said = format!(r#","executionMode":"async","status":"{waiting_word}""#);
        assert_eq!(text(dialect.not_yet(Form::Rows, &waiting())), rows(&said));
        assert_eq!(text(dialect.not_yet(Form::Plain, &waiting())), format!(r#"{{"jobId":"{ID}"{number}{said}}}"#));
        assert_eq!(
            body(&dialect.result(Form::Plain, &waiting(), &result(), page)),
            (200, format!("{plain}{sync_end}"))
        );
        let expected = format!(r#"{{"data":{{"outputs":{{"runtime":0.5}}}}{sync_end}"#);
        assert_eq!(body(&dialect.result(Form::Plain, &waiting(), &values, page)), (200, expected));
        assert_eq!(body(&dialect.result(Form::Rows, &waiting(), &result(), page)), (200, table.to_owned()));
        let expected = format!(r#"{{"data":{{"runtime":0.5,"score":[5,6]}}{sync_end}"#);
        assert_eq!(body(&dialect.result(Form::Flat, &waiting(), &result(), page)), (200, expected));
        let expected = r#"{"results":[{"runtime":0.5}],"errors":[]}"#;
        assert_eq!(body(&dialect.result(Form::Rows, &waiting(), &values, page)), (200, expected.to_owned()));
        assert_eq!(dialect.error_in(Form::Plain, "c", "m"), dialect.error_body("c", "m"));
        let managed = r#"{"errorMessage":"m","errorCode":"c","errorMsg":"m"}"#;
        assert_eq!(text(dialect.error_in(Form::Managed, "c", "m")), managed);
        assert_eq!(dialect.is_sync_first(), dialect == Dialect::Database);
    }
}

/// The newest pages show the rows of ranks as objects, for every kind of id.
#[test]
fn rows_of_ranks_are_objects_in_one_dialect() {
    let ranked = |algorithm: &str| {
        let spec = JobSpec::algorithm(algorithm).with_graph("movies");
        let waiting = JobRecord::waiting(ID.parse().unwrap(), spec, Timestamp::default());
        let running = waiting.apply(Event::Start, Timestamp::default()).unwrap();
        running.apply(Event::Succeed(result().size()), Timestamp::default()).unwrap()
    };
    let page = PageRequest::new(5, 3).unwrap();
    for (dialect, algorithm, list, form) in [
        (Dialect::Memory2025Rows, "pagerank", "results", RowForm::Named("score".into())),
        (Dialect::Memory2025Rows, "kcore", "results", RowForm::Named("score".into())),
        (Dialect::Memory2025Rows, "sssp", "score", RowForm::Stored),
        (Dialect::Memory2025, "pagerank", "score", RowForm::Stored),
        (Dialect::Database, "pagerank", "score", RowForm::Stored),
    ] {
        let payload = dialect.status(&ranked(algorithm), Some(&result()), page);
        let head = String::from_utf8_lossy(payload.head()).into_owned();
        assert!(head.ends_with(&format!(r#""data_total_size":7,"{list}":["#)), "{head}");
        assert_eq!(payload.row_form(), &form, "{algorithm}");
        let at_once = dialect.result(Form::Plain, &ranked(algorithm), &result(), page);
        assert_eq!(at_once.row_form(), &form, "{algorithm}");
    }
    for (row, expected) in [
        (r#"{"a":1}"#, r#"{"id":"a","x":1}"#),
        (r#"{"a\"b\\":{"c":[1]}}"#, r#"{"id":"a\"b\\","x":{"c":[1]}}"#),
        (r#"{"":null}"#, r#"{"id":"","x":null}"#),
        (r#"{"图:":"1"}"#, r#"{"id":"图:","x":"1"}"#),
        ("7", "7"),
        ("{}", "{}"),
        (r#""{a}""#, r#""{a}""#),
    ] {
        let mut out = Vec::new();
        RowForm::Named("x".into()).write(row.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn each_dialect_has_its_own_sentences() {
    for (dialect, unknown, ended) in [
        (Dialect::Document, "can not find job, jobId is  1", "can not find job to cancel, id is 1"),
        (Dialect::Memory2025, "can not find job, jobId is  1", "Can not find job to cancel, jobId is 1"),
        (Dialect::Memory2025Rows, "can not find job, jobId is  1", "Can not find job to cancel, jobId is 1"),
        (Dialect::Database, "can not find job, jobId is 1", "can not find job to cancel, id is 1"),
    ] {
        assert_eq!(dialect.unknown_job("1"), ApiError::new(ErrorCode::JobQuery, unknown));
        assert_eq!(dialect.not_cancellable("1"), ApiError::new(ErrorCode::JobCancel, ended));
    }
}

#[test]
fn dialects_are_told_apart_by_their_names() {
    let mut names = Dialect::ALL.map(Dialect::name).to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Dialect::ALL.len());
}
