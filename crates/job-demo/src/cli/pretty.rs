//! Formats JSON for people: short values stay on one line, and long lists and texts are cut with a note.

use std::io::{self, Write};

use job_runner::job_core::Members;
use serde_json::value::RawValue;

use super::plain::plain;

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Elements of a list.
    rows: usize,
    /// Characters of a text.
    text: usize,
}

impl Cut {
    /// The cut of an answer to a query.
    pub(super) const LONG: Self = Self { rows: 20, text: 400 };
    /// The cut of a sample among others.
    pub(super) const SHORT: Self = Self { rows: 10, text: 72 };
}

/// Columns of a line, one less than a terminal that wraps full lines.
const WIDTH: usize = 79;

/// Parts that are deeper than this are not shown.
const DEEPEST: usize = 64;

/// Writes `json` and a line break. Objects keep the order of their keys, numbers all their digits.
pub(super) fn write(out: &mut impl Write, json: &[u8], cut: Cut) -> io::Result<()> {
    let node = Node::of(serde_json::from_slice(json)?, cut, 0)?;
    let mut text = String::new();
    node.lay_out(&mut text, 0, 0);
    writeln!(out, "{text}")
}

/// The shown part of a JSON value.
enum Node {
    /// A value that is always printed on one line.
    Leaf(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn of(json: &RawValue, cut: Cut, depth: usize) -> io::Result<Self> {
        let text = json.get();
        Ok(match text.as_bytes().first() {
            Some(b'"') => Self::Leaf(quoted(text, cut)),
            Some(b'[' | b'{') if depth == DEEPEST => Self::Leaf("…".to_owned()),
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text)?;
                let shown = elements.iter().take(cut.rows).map(|element| Self::of(element, cut, depth + 1));
                let mut nodes = shown.collect::<io::Result<Vec<_>>>()?;
                nodes.extend(more(elements.len(), cut).map(Self::Leaf));
                Self::List(nodes)
            }
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text)?;
                let nodes = members.into_iter().map(|(name, value)| {
                    Ok((quoted(name.get(), Cut { text: usize::MAX, ..cut }), Self::of(value, cut, depth + 1)?))
                });
                Self::Object(nodes.collect::<io::Result<_>>()?)
            }
            _ => Self::Leaf(text.to_owned()),
        })
    }

    fn lay_out(&self, out: &mut String, indent: usize, before: usize) {
        let flat = self.flat();
        if matches!(self, Self::Leaf(_)) || indent + before + flat.chars().count() <= WIDTH {
            out.push_str(&flat);
            return;
        }
        let (open, close) = if matches!(self, Self::List(_)) { ('[', ']') } else { ('{', '}') };
        let inner = indent + 2;
        let line = |out: &mut String, indent: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        };
        out.push(open);
        match self {
            Self::List(nodes) => {
                for (place, node) in nodes.iter().enumerate() {
                    line(out, inner);
                    node.lay_out(out, inner, 1);
                    if place + 1 < nodes.len() {
                        out.push(',');
                    }
                }
            }
            Self::Object(fields) => {
                for (place, (name, node)) in fields.iter().enumerate() {
                    line(out, inner);
                    out.push_str(name);
                    out.push_str(": ");
                    node.lay_out(out, inner, name.chars().count() + 3);
                    if place + 1 < fields.len() {
                        out.push(',');
                    }
                }
            }
            Self::Leaf(_) => {}
        }
        line(out, indent);
        out.push(close);
    }

    fn flat(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::List(nodes) => format!("[{}]", nodes.iter().map(Self::flat).collect::<Vec<_>>().join(", ")),
            Self::Object(fields) => {
                let shown = fields.iter().map(|(name, node)| format!("{name}: {}", node.flat()));
                format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

fn more(elements: usize, cut: Cut) -> Option<String> {
    let left = elements.checked_sub(cut.rows).filter(|left| *left > 0)?;
    Some(format!("… {} more", super::words::thousands(left as u64)))
}

/// A JSON string for a terminal. A string that is not text, such as half of a surrogate pair, stays as it is
/// written.
fn quoted(json: &str, cut: Cut) -> String {
    let Ok(text) = serde_json::from_str::<String>(json) else { return plain(json).into_owned() };
    let kept = text.char_indices().nth(cut.text).and_then(|(end, _)| text.get(..end));
    let quoted = serde_json::Value::from(kept.unwrap_or(&text)).to_string();
    format!("{}{}", plain(&quoted), if kept.is_some() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(json: &str, cut: Cut) -> String {
        let mut out = Vec::new();
        write(&mut out, json.as_bytes(), cut).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_fits_stays_on_a_line_in_its_own_order() {
        assert_eq!(
            laid_out(r#"{"b":[1.50,null,true],"a":{"莎":"\n"}}"#, Cut::LONG),
            "{\"b\": [1.50, null, true], \"a\": {\"莎\": \"\\n\"}}\n"
        );
    }

    #[test]
    fn long_values_break_and_are_cut() {
        let rows: Vec<String> = (0..1_005).map(|row| format!(r#"{{"id{row}":"{}"}}"#, "x".repeat(60))).collect();
        let cut = Cut { rows: 3, text: 52 };
        let text = laid_out(&format!(r#"{{"rows":[{}],"n":1}}"#, rows.join(",")), cut);
        let x = "x".repeat(52);
        assert_eq!(
            text,
            format!(
                "{{\n  \"rows\": [\n    {{\"id0\": \"{x}\"…}},\n    {{\"id1\": \"{x}\"…}},\n    {{\"id2\": \"{x}\"…}},\n    … 1,002 more\n  ],\n  \"n\": 1\n}}\n"
            )
        );
    }

    #[test]
    fn rows_do_nothing_to_a_terminal_and_keep_their_digits() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        for (json, expected) in [
            ("{\"k\u{9b}\u{202e}\":\"\u{7f}\\u001b[2J\"}", r#"{"k\u009b\u202e": "\u007f\u001b[2J"}"#),
            ("[123456789012345678901234567890,1e-7,-0.0]", "[123456789012345678901234567890, 1e-7, -0.0]"),
            (r#"["\ud800"]"#, r#"["\ud800"]"#),
            (r#"{"b":1,"a":2,"b":3}"#, r#"{"b": 1, "a": 2, "b": 3}"#),
        ] {
            assert_eq!(laid_out(json, Cut::LONG), format!("{expected}\n"));
        }
        assert!(laid_out(&deep, Cut::LONG).contains('…'));
    }
}
