//! docs/http.md has every route and every code of the source. `JOB_WRITE_DOCS=1` writes its list of routes anew.

use std::{collections::BTreeSet, env, fmt::Write, fs, path::Path};

use axum::{body::Body, http::Request};
use job_http::Surface;
use serde_json::Value;

use crate::host::with;

const BEGIN: &str = "<!-- routes: written by the test the_routes_in_the_document_are_those_of_the_code -->\n";
const END: &str = "<!-- end of routes -->\n";

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http.md")
}

/// The text before, between and behind the marks.
fn parts(text: &str) -> (&str, &str, &str) {
    let (head, rest) = text.split_once(BEGIN).expect("docs/http.md has the mark where its routes begin");
    let (routes, tail) = rest.split_once(END).expect("docs/http.md has the mark where its routes end");
    (head, routes, tail)
}

#[tokio::test]
async fn the_routes_in_the_document_are_those_of_the_code() {
    let named = Surface::builder().management_alias().build().unwrap();
    let service = with(|api| api.exports().operator().metrics(String::new).surfaces([named, Surface::neutral()]));
    let document = service.send(Request::get("/openapi.json").body(Body::empty()).unwrap()).await.json();
    let expected = routes(&document);
    let text = fs::read_to_string(path()).unwrap();
    let (head, written, tail) = parts(&text);
    if env::var_os("JOB_WRITE_DOCS").is_some() && written != expected {
        fs::write(path(), [head, BEGIN, &expected, END, tail].concat()).unwrap();
        return;
    }
    assert_eq!(written, expected, "run this test with JOB_WRITE_DOCS=1, and commit docs/http.md");
}

/// Every operation of an `OpenAPI` document, as Markdown.
fn routes(document: &Value) -> String {
    let mut text = String::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            write!(text, "\n### `{} {path}`\n\n", method.to_uppercase()).unwrap();
            text.push_str(&paragraphs(operation));
            text.push_str(&parameters(operation));
            text.push_str(&body(document, operation));
            text.push_str(&answers(operation));
        }
    }
    text + "\n"
}

fn paragraphs(operation: &Value) -> String {
    let told = ["summary", "description"].map(|key| operation[key].as_str().unwrap_or("").trim());
    told.iter().filter(|part| !part.is_empty()).flat_map(|part| [*part, "\n\n"]).collect()
}

/// A table of the parameters, except those in the path.
fn parameters(operation: &Value) -> String {
    let all = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let own: Vec<&Value> = all.iter().filter(|parameter| parameter["in"] != "path").collect();
    if own.is_empty() {
        return String::new();
    }
    let mut text = "| parameter | in | value | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for parameter in own {
        let name = parameter["name"].as_str().unwrap();
        let place = parameter["in"].as_str().unwrap();
        writeln!(text, "| `{name}` | {place} | {} | {} |", value(parameter), line(&parameter["description"]))
            .unwrap();
    }
    text + "\n"
}

/// The type, the range and the default of a parameter or a field.
fn value(parameter: &Value) -> String {
    let schema = &parameter["schema"];
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").unwrap_or(&Value::Null),
        kind => kind,
    };
    let mut text = kind.as_str().unwrap_or("any").to_owned();
    for (key, word) in [("minimum", "from"), ("maximum", "to"), ("default", "default")] {
        if !schema[key].is_null() {
            write!(text, ", {word} {}", schema[key]).unwrap();
        }
    }
    if parameter["required"] == true { text + ", required" } else { text }
}

/// A table of the fields of the body.
fn body(document: &Value, operation: &Value) -> String {
    let content = &operation["requestBody"]["content"];
    let Some(schema) = content.as_object().and_then(|kinds| kinds.values().next()).map(|kind| &kind["schema"])
    else {
        return String::new();
    };
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or("");
    let Some(fields) = document["components"]["schemas"][name]["properties"].as_object() else {
        return "The body is JSON.\n\n".to_owned();
    };
    let required: BTreeSet<&str> = document["components"]["schemas"][name]["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut text = "| field of the body | value | meaning |\n| --- | --- | --- |\n".to_owned();
    for (field, schema) in fields {
        let parameter = serde_json::json!({"schema": schema, "required": required.contains(field.as_str())});
        writeln!(text, "| `{field}` | {} | {} |", value(&parameter), line(&schema["description"])).unwrap();
    }
    text + "\n"
}

/// The statuses of the operation itself. The common ones are in a table of the document.
fn answers(operation: &Value) -> String {
    let own = operation["responses"].as_object().unwrap().iter().filter(|(status, _)| status.as_str() < "400");
    let list: Vec<String> =
        own.map(|(status, answer)| format!("- {status}: {}\n", line(&answer["description"]))).collect();
    list.concat()
}

fn line(text: &Value) -> String {
    text.as_str().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[test]
fn every_code_of_the_source_is_in_the_document() {
    let text = fs::read_to_string(path()).unwrap();
    let mut codes = BTreeSet::new();
    for package in ["job-core", "job-http", "job-demo"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("src"), &mut codes);
    }
    assert!(codes.len() > 20, "{codes:?}");
    let missing: Vec<&String> = codes.iter().filter(|code| !text.contains(&format!("| `{code}` |"))).collect();
    assert!(missing.is_empty(), "docs/http.md does not tell of {missing:?}");
}

/// The codes in the sources below a directory.
fn collect(directory: &Path, codes: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let found = text.match_indices("GES.").filter_map(|(at, _)| text.get(at..at + 8));
            codes.extend(
                found.filter(|code| code[4..].bytes().all(|byte| byte.is_ascii_digit())).map(str::to_owned),
            );
        }
    }
}
