//! Results as text: values in comment lines, then rows of comma-separated fields (RFC 4180, lines end in `\n`).

use std::{
    fmt,
    io::{self, Write},
};

use job_runner::JobResult;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Writes the values, the number of rows and the name of the list.
pub(crate) fn head(result: &JobResult, out: &mut dyn Write) -> io::Result<()> {
    for (name, value) in result.outputs.iter() {
        writeln!(out, "# {name}: {}", value.replace(['\n', '\r'], " "))?;
    }
    match &result.list {
        Some(list) => writeln!(out, "# data_total_size: {}\n# {}:", list.rows(), list.name()),
        None => Ok(()),
    }
}

/// Writes one row: the key and the value of an object with one member, the values of another object, the elements
/// of a list. Text is written as it reads; anything else as the JSON that it is, to the last digit.
pub(crate) fn row(json: &[u8], out: &mut dyn Write) -> io::Result<()> {
    match json.first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_slice(json)?;
            if let [(key, value)] = members.as_slice() {
                field(key, out)?;
                out.write_all(b",")?;
                values(&[*value], out)?;
            } else {
                values(&members.into_iter().map(|(_, value)| value).collect::<Vec<_>>(), out)?;
            }
        }
        Some(b'[') => values(&serde_json::from_slice::<Vec<&RawValue>>(json)?, out)?,
        _ => values(&[serde_json::from_slice(json)?], out)?,
    }
    out.write_all(b"\n")
}

fn values(values: &[&RawValue], out: &mut dyn Write) -> io::Result<()> {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            out.write_all(b",")?;
        }
        let json = value.get();
        if json.starts_with('"') { field(&serde_json::from_str::<String>(json)?, out)? } else { field(json, out)? }
    }
    Ok(())
}

/// The members of an object in their order.
struct Members<'r>(Vec<(String, &'r RawValue)>);

impl<'r> Deserialize<'r> for Members<'r> {
    fn deserialize<D: Deserializer<'r>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'r> Visitor<'r> for InOrder {
            type Value = Members<'r>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
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
        assert_eq!(line(r#"{"source":"b","betweenness":1e-7,"index":"0"}"#), "b,1e-7,0\n");
        assert_eq!(line("0.0012686085005892019"), "0.0012686085005892019\n");
        assert_eq!(line(r#"{"a":null}"#), "a,null\n");
    }
}
