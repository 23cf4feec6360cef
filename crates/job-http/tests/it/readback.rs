//! Exported files, read back by Python: one row is one record with the same content.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use job_http::{Api, Exporter};
use job_runner::{
    JobContext, JobSpec,
    store::{MemoryStore, Store},
    strategies::{texts, values},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json, value::RawValue};

use crate::host::{Service, builder, over};

/// Reads a directory with `rows.json` (the pushed rows), `a.csv` and `a.jsonl`.
const READER: &str = r#"
import csv, json, sys
directory, heads = sys.argv[1], int(sys.argv[2])

class Pairs(list):
    "An object with its members in order, not to be taken for a list"

def read(text):
    return json.loads(text, object_pairs_hook=lambda pairs: Pairs([Pairs(pair) for pair in pairs]))

def same(one, other):
    return type(one) is type(other) and repr(one) == repr(other)

def is_text(value):
    return isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)

def fields(row):
    if isinstance(row, Pairs):
        fields = [row[0][0], row[0][1]] if len(row) == 1 else [value for _, value in row]
    elif isinstance(row, list):
        fields = list(row)
    else:
        fields = [row]
    return fields or [row]

def check_csv(record, row):
    wanted = fields(row)
    assert len(record) == len(wanted), (record, row)
    for field, value in zip(record, wanted):
        if is_text(value):
            assert field == value, (field, value)
        else:
            assert same(read(field), value), (field, value)

rows = read(open(f"{directory}/rows.json", encoding="utf-8", newline="").read())
lines = open(f"{directory}/a.jsonl", encoding="utf-8", newline="").read()
for lines in (lines.splitlines(), lines[:-1].split("\n") if lines else []):
    assert len(lines) == len(rows), (len(lines), len(rows))
    for line, row in zip(lines, rows):
        assert same(read(line), row), (line, row)

records = list(csv.reader(open(f"{directory}/a.csv", encoding="utf-8", newline="")))
assert len(records) == heads + len(rows), (len(records), heads, len(rows))
for record in records[:heads]:
    assert record[0][:1] == chr(35), record
for record, row in zip(records[heads:], rows):
    check_csv(record, row)
"#;

/// The result of the next job: values, the name of the list, rows as they are written.
#[derive(Debug, Clone, Default)]
struct Content {
    outputs: Vec<(String, Value)>,
    list: String,
    rows: Vec<String>,
}

fn exporting(directory: &Path, content: Arc<Mutex<Content>>) -> Service {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let engine = builder(Arc::clone(&store))
        .algorithm(Exporter::KIND, Exporter::new(store, directory))
        .algorithm("anything", move |ctx: &mut JobContext| {
            let content = content.lock().unwrap().clone();
            for (name, value) in &content.outputs {
                ctx.set_output(name, value)?;
            }
            let mut rows = ctx.rows(&content.list)?;
            content.rows.into_iter().try_for_each(|row| rows.push(&RawValue::from_string(row).unwrap()))
        })
        .open()
        .unwrap();
    over(Arc::new(engine), Api::exports)
}

/// Exports the content in both formats, and compares it with the content that Python reads from the files.
fn check(content: &Content) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let service = exporting(directory.path(), Arc::new(Mutex::new(content.clone())));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = service.run(JobSpec::algorithm("anything"));
    for format in ["csv", "jsonl"] {
        let body = json!({"fileName": format!("a.{format}"), "format": format}).to_string();
        let path = format!("/jobs/{id}/action?action_id=export-result");
        let answer = runtime.block_on(service.post(&path, body));
        service.engine.driver().run_until_idle();
        let export = answer.json()["jobId"].as_str().unwrap().parse().unwrap();
        let done = runtime.block_on(service.status(export, ""));
        if done.status != 200 {
            return Err(done.body);
        }
    }
    fs::write(directory.path().join("rows.json"), format!("[{}]", content.rows.join(","))).unwrap();
    let heads = (content.outputs.len() + 2).to_string();
    let read = Command::new("python3").args(["-c", READER]).arg(directory.path()).arg(heads).output().unwrap();
    if read.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&read.stderr).into_owned()) }
}

/// A row as a host may have written it: on one line or on several, or in a form that this library never writes.
fn row() -> impl Strategy<Value = String> {
    let odd = [
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{\r\n}",
        "[\"\"]",
        "{\"\":\"\"}",
        "\"\\ud800\"",
        "{\"\\udc00,\":\"\\n\"}",
        "-0.0",
        "[1.50,\n\n1E+2]",
        "123456789012345678901234567890",
        "{\"a\":1,\"a\":2}",
        "\"\\u000a\"",
        "[[[[\"\\\"\"]]]]",
    ];
    prop_oneof![
        3 => values().prop_map(|value| value.to_string()),
        2 => values().prop_map(|value| serde_json::to_string_pretty(&value).unwrap()),
        1 => values().prop_map(|value| serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n")),
        1 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    (vec((texts(), values()), 0..4), texts(), vec(row(), 0..60)).prop_map(|(outputs, list, rows)| {
        // Each name is there once, and none is a name of the document.
        let outputs = outputs.into_iter().enumerate().map(|(n, (name, value))| (format!("{n}{name}"), value));
        Content { outputs: outputs.collect(), list: format!("list{list}"), rows }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn one_row_is_one_record_to_python(content in content()) {
        let read = check(&content);
        prop_assert!(read.is_ok(), "{}", read.unwrap_err());
    }
}

#[test]
fn empty_rows_and_rows_of_several_lines_are_records_to_python() {
    let rows = ["\"\"", "[]", "{}", "{\n  \"a\": 1,\n  \"b\": \"x\\ny\"\n}", "\"\u{2028}\"", "[\"=1\"]"];
    let outputs = vec![("na\nme,\"x".to_owned(), json!(["a,", "b\"c,"])), ("k".to_owned(), json!({"k,\"": 2}))];
    let rows = rows.map(str::to_owned).to_vec();
    assert_eq!(check(&Content { outputs, list: "li\nst,\"".to_owned(), rows }), Ok(()));
}
