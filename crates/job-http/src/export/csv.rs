//! Results as comma-separated values (RFC 4180, lines end in `\n`). Values come first, in lines that begin with
//! `#`, then one record for each row.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use job_runner::job_core::Members;
use serde_json::value::RawValue;

/// Writes the values, the number of rows and the name of the list, a line each.
///
/// A reader without comments reads each of these lines as one record: no text in it opens a quoted field.
pub(crate) fn head<'r>(
    outputs: impl IntoIterator<Item = (&'r str, &'r str)>,
    list: Option<(&str, u64)>,
    guard: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (name, value) in outputs {
        writeln!(out, "# {}: {}", comment_name(name, guard), comment(value, guard))?;
    }
    let Some((list, rows)) = list else { return Ok(()) };
    writeln!(out, "# data_total_size: {rows}\n# {}:", comment_name(list, guard))
}

/// A name, escaped as between the quotes of a JSON string.
fn comment_name(name: &str, guard: bool) -> String {
    let quoted = comment(&serde_json::Value::from(name).to_string(), guard);
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

/// Writes JSON on one line of a CSV comment. A reader of CSV splits this line at its commas. A comma is followed
/// by a blank, or is an escape inside a string, where the next field would begin with a quote. With `guard`, this
/// holds for every comma, so that no field begins with a formula.
fn comment(json: &str, guard: bool) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    let mut characters = json.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\r' => text.push(' '),
            ',' if in_string && (guard || characters.peek() == Some(&'"')) => text.push_str("\\u002c"),
            ',' if !in_string && (guard || characters.peek() == Some(&'"')) => text.push_str(", "),
            other => text.push(other),
        }
        in_string ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
    }
    text
}

/// Writes rows as records.
#[derive(Debug)]
pub(crate) struct Records<W: Write> {
    out: Writer<W>,
    /// Whether texts that a spreadsheet takes for formulas are marked as texts.
    guard: bool,
}

impl<W: Write> Records<W> {
    pub(crate) fn new(out: W, guard: bool) -> Self {
        let mut builder = WriterBuilder::new();
        builder.flexible(true).quote_style(QuoteStyle::Necessary).terminator(Terminator::Any(b'\n'));
        // Otherwise a row could be read as a comment.
        builder.comment(Some(b'#'));
        Self { out: builder.from_writer(out), guard }
    }

    /// Writes one row as a record. An object with one member gives its key and its value; another object gives its
    /// values, a list its elements. An empty object or list is one field. Text is written without quotes and
    /// escapes of JSON, any other value as its JSON, to the last digit.
    pub(crate) fn row(&mut self, json: &[u8]) -> io::Result<()> {
        let row: &RawValue = serde_json::from_slice(json)?;
        let fields = fields(row)?;
        for field in &fields {
            self.field(field)?;
        }
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    fn field(&mut self, json: &RawValue) -> io::Result<()> {
        // A JSON string may hold half of a surrogate pair, which is no text. It is written as JSON.
        let text = Some(json.get()).filter(|json| json.starts_with('"')).and_then(text);
        let field = match text {
            Some(text) if self.guard && is_formula(&text) => Cow::Owned(format!("'{text}")),
            Some(text) => text,
            None => Cow::Borrowed(json.get()),
        };
        Ok(self.out.write_field(&*field)?)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn text(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<&str>(json)
        .map(Cow::Borrowed)
        .or_else(|_| serde_json::from_str::<String>(json).map(Cow::Owned))
        .ok()
}

/// Whether a spreadsheet may read a text as a formula, by its first character. Wide forms of these characters
/// count too.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}

/// The fields of a row.
fn fields(row: &RawValue) -> io::Result<Vec<&RawValue>> {
    let fields: Vec<&RawValue> = match row.get().as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(row.get())?;
            match members.as_slice() {
                [(key, value)] => vec![key, value],
                _ => members.into_iter().map(|(_, value)| value).collect(),
            }
        }
        Some(b'[') => serde_json::from_str(row.get())?,
        _ => vec![row],
    };
    Ok(if fields.is_empty() { vec![row] } else { fields })
}

/// How many records a reader finds; `None` when it cannot read them.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn records(file: &[u8]) -> Option<usize> {
    let reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    reader.into_byte_records().try_fold(0, |records, record| record.ok().map(|_| records + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str, guard: bool) -> String {
        let mut out = Vec::new();
        Records::new(&mut out, guard).row(json.as_bytes()).unwrap();
        assert_eq!(records(&out), Some(1), "{json}");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_shape_of_row_has_its_fields() {
        for (json, expected) in [
            (r#"{"Sarah":0.25}"#, "Sarah,0.25\n"),
            (r#"["a","b, c"]"#, "a,\"b, c\"\n"),
            (r#""say \"hi\"""#, "\"say \"\"hi\"\"\"\n"),
            (
                r#"{"id":"Sarah","label":"user","properties":{"Age":["18-24"]}}"#,
                "Sarah,user,\"{\"\"Age\"\":[\"\"18-24\"\"]}\"\n",
            ),
            (r#"{"source":"b","betweenness":1e-7,"index":"0"}"#, "b,1e-7,0\n"),
            ("0.0012686085005892019", "0.0012686085005892019\n"),
            (r#"{"a":null}"#, "a,null\n"),
            (r#""""#, "\"\"\n"),
            ("[]", "[]\n"),
            ("{ }", "{ }\n"),
            (r#"["",""]"#, ",\n"),
            (r#"{"":""}"#, ",\n"),
            (r##""#1""##, "\"#1\"\n"),
            (r#""a\nb""#, "\"a\nb\"\n"),
            (r#"["\ud800"]"#, "\"\"\"\\ud800\"\"\"\n"),
            (r#"{"\ud800":1}"#, "\"\"\"\\ud800\"\"\",1\n"),
        ] {
            assert_eq!(line(json, false), expected, "{json}");
        }
    }

    #[test]
    fn texts_are_no_formulas_when_that_is_asked_for() {
        for (json, expected) in [
            (r#"["=1+1","+1","-1","@a","\ta","\u2212a"]"#, "'=1+1,'+1,'-1,'@a,'\ta,\u{2212}a\n"),
            (r#"{"=cmd|' /C calc'!A0":-1}"#, "'=cmd|' /C calc'!A0,-1\n"),
            (r#"["a=1",-1,"\uff1d1"]"#, "a=1,-1,'\u{ff1d}1\n"),
        ] {
            assert_eq!(line(json, true), expected);
        }
        assert_eq!(line(r#"["=1+1"]"#, false), "=1+1\n");
    }

    #[test]
    fn a_comment_is_one_record_and_keeps_its_meaning() {
        for (json, guard, expected) in [
            (r#"["a","b"]"#, false, r#"["a", "b"]"#),
            (r#"{"a":1,"b,":"c,"}"#, false, r#"{"a":1, "b\u002c":"c\u002c"}"#),
            (r#""a, \\\",b""#, false, r#""a, \\\",b""#),
            (r#""a,=1""#, false, r#""a,=1""#),
            (r#""a,=1""#, true, r#""a\u002c=1""#),
            ("[1,\n\"a\"]", false, r#"[1, "a"]"#),
            ("[1,-5]", false, "[1,-5]"),
            ("[1,-5]", true, "[1, -5]"),
        ] {
            let text = comment(json, guard);
            assert_eq!(text, expected);
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(read(&text), read(json));
            assert_eq!(records(format!("# a: {text}\n1\n").as_bytes()), Some(2), "{text}");
        }
        assert_eq!(comment_name("modularity", false), "modularity");
        assert_eq!(comment_name("a\nb,\"c", false), r#"a\nb,\"c"#);
    }
}
