//! The `curl` lines of docs/http.md are run against a server, and the sample below each is the answer.
//! `JOB_WRITE_DOCS=1` writes the samples anew.

use std::{env, fs, path::Path, process::Command};

use job_runner::job_core::Members;
use serde_json::value::RawValue;

use crate::{
    normal::{Ids, stands_for},
    serve::{Server, command},
};

const LINES: &str = "```sh\n";
const SAMPLE: &str = "```\n\n```json\n";
const END: &str = "```\n";

#[test]
fn the_samples_of_the_document_are_answers_of_a_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http.md");
    let written = fs::read_to_string(&path).unwrap();
    let (run, expected) = from_a_run(&written);
    assert!(run >= 10, "only {run} blocks of docs/http.md are requests with a sample");
    if env::var_os("JOB_WRITE_DOCS").is_some() && written != expected {
        fs::write(&path, expected).unwrap();
        return;
    }
    assert_eq!(written, expected, "run this test with JOB_WRITE_DOCS=1, and commit docs/http.md");
}

/// A sample that no lines stand above would be typed.
#[test]
fn every_sample_of_the_document_stands_below_its_request() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http.md")).unwrap();
    let samples = text.matches("```json\n").count();
    assert_eq!(samples, text.matches(SAMPLE).count(), "a sample of docs/http.md has no request above it");
    assert_eq!(samples, text.matches(LINES).count(), "lines of docs/http.md have no sample below them");
}

/// How many blocks there are, and the document with the answers to each.
fn from_a_run(text: &str) -> (usize, String) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::of(command(directory.path()).args(["serve", "--listen", "127.0.0.1:0"]));
    let mut ids = Ids::default();
    let (mut out, mut rest, mut blocks) = (String::new(), text, 0);
    // A variable of one block is there in the next ones, as in the shell of a reader.
    let mut before = String::new();
    while let Some((head, tail)) = rest.split_once(LINES) {
        let (lines, tail) = tail.split_once(SAMPLE).expect("lines of docs/http.md are followed by a sample");
        let (_, tail) = tail.split_once(END).expect("a sample of docs/http.md ends");
        let own = ids.restored(lines).replace("127.0.0.1:8080", server.address());
        let answer = shell(&before, &own);
        before.push_str(&settings(&own));
        let sample = pretty(&ids.replaced(answer.trim()));
        out.extend([head, LINES, lines, SAMPLE, &sample, END]);
        (rest, blocks) = (tail, blocks + 1);
    }
    (blocks, out + rest)
}

/// The output of the lines, after the settings of earlier ones.
fn shell(before: &str, lines: &str) -> String {
    let script = format!("{before}{lines}");
    let output = Command::new("bash").args(["-eu", "-o", "pipefail", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The lines that set a variable.
fn settings(lines: &str) -> String {
    let is_setting =
        |line: &&str| line.split_once('=').is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_lowercase()));
    lines.lines().filter(is_setting).flat_map(|line| [line, "\n"]).collect()
}

/// The widest line of a sample, in characters.
const WIDEST: usize = 110;

/// JSON with its members in their order, on as few lines as they need. Times and durations are those of every run.
fn pretty(json: &str) -> String {
    let raw: &RawValue = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    written(raw, 0) + "\n"
}

fn written(value: &RawValue, indent: usize) -> String {
    let text = value.get();
    let (ends, parts) = match text.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(text).unwrap();
            let part = |(name, value): &(&RawValue, &RawValue)| {
                let other = stands_for(name.get().trim_matches('"'), value.get());
                let value = other.map_or_else(|| written(value, indent + 2), str::to_owned);
                format!("{name}: {value}")
            };
            (["{", "}"], members.iter().map(part).collect::<Vec<_>>())
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(text).unwrap();
            (["[", "]"], values.into_iter().map(|value| written(value, indent + 2)).collect())
        }
        _ => return text.to_owned(),
    };
    let flat = parts.join(", ");
    if indent + flat.chars().count() <= WIDEST && !flat.contains('\n') {
        return [ends[0], &flat, ends[1]].concat();
    }
    let (inner, outer) = (" ".repeat(indent + 2), " ".repeat(indent));
    format!("{}\n{inner}{}\n{outer}{}", ends[0], parts.join(&format!(",\n{inner}")), ends[1])
}

#[test]
fn a_sample_has_its_members_in_their_order_and_no_line_that_is_too_wide() {
    let long = format!(r#"{{"b":[1,{{"a":"{}"}}],"runtime":1.5,"a":{{}}}}"#, "x".repeat(100));
    let expected = format!(
        "{{\n  \"b\": [1, {{\"a\": \"{}\"}}],\n  \"runtime\": 0.01,\n  \"a\": {{}}\n}}\n",
        "x".repeat(100)
    );
    let long = long.replace(&"x".repeat(100), &"x".repeat(90));
    assert_eq!(pretty(&long), expected.replace(&"x".repeat(100), &"x".repeat(90)));
    assert_eq!(pretty(r#"{"b":1,"a":[]}"#), "{\"b\": 1, \"a\": []}\n");
}
