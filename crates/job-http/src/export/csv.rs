//! Results as text: values in comment lines, then rows of comma-separated fields (RFC 4180, lines end in `\n`).

use std::io::{self, Write};

use job_runner::JobResult;
use serde_json::Value;

/// Writes the values, the number of rows and the name of the list.
pub(super) fn head(result: &JobResult, out: &mut dyn Write) -> io::Result<()> {
    for (name, value) in result.outputs.iter() {
        writeln!(out, "# {name}: {}", value.replace(['\n', '\r'], " "))?;
    }
    match &result.list {
        Some(list) => writeln!(out, "# data_total_size: {}\n# {}:", list.rows(), list.name()),
        None => Ok(()),
    }
}

/// Writes one row: the key and the value of an object with one member, the values of another object, the elements
/// of a list; values that are neither text nor number as JSON.
pub(super) fn row(json: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let fields = match serde_json::from_slice(json)? {
        Value::Object(members) if members.len() == 1 => {
            members.into_iter().flat_map(|(key, value)| [Value::String(key), value]).collect()
        }
        Value::Object(members) => members.into_iter().map(|(_, value)| value).collect(),
        Value::Array(elements) => elements,
        value => vec![value],
    };
    for (place, value) in fields.iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        match value {
            Value::String(text) => field(text, out)?,
            other => field(&other.to_string(), out)?,
        }
    }
    out.write_all(b"\n")
}

fn field(text: &str, out: &mut dyn Write) -> io::Result<()> {
    if text.contains(['"', ',', '\n', '\r']) || text.starts_with('#') {
        write!(out, "\"{}\"", text.replace('"', "\"\""))
    } else {
        out.write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> String {
        let mut out = Vec::new();
        row(json.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_shape_of_row_has_its_fields() {
        assert_eq!(line(r#"{"Sarah":0.25}"#), "Sarah,0.25\n");
        assert_eq!(line(r#"["a","b, c"]"#), "a,\"b, c\"\n");
        assert_eq!(line(r#""say \"hi\"""#), "\"say \"\"hi\"\"\"\n");
        assert_eq!(
            line(r#"{"id":"Sarah","label":"user","properties":{"Age":["18-24"]}}"#),
            "Sarah,user,\"{\"\"Age\"\":[\"\"18-24\"\"]}\"\n"
        );
        assert_eq!(line("7"), "7\n");
    }
}
