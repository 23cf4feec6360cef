//! JSON laid out for reading: what fits on a line stays on it, long lists and texts are cut and say so.

use std::{
    fmt,
    io::{self, Write},
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Elements of a list.
    rows: usize,
    /// Characters of a text.
    text: usize,
}

impl Cut {
    /// For an answer that was asked for.
    pub(super) const LONG: Self = Self { rows: 20, text: 400 };
    /// For a sample among others.
    pub(super) const SHORT: Self = Self { rows: 10, text: 72 };
}

const WIDTH: usize = 100;

/// Writes `json` and a line break. Objects keep the order of their keys.
pub(super) fn write(out: &mut impl Write, json: &[u8], cut: Cut) -> io::Result<()> {
    let node: Node = serde_json::from_slice(json)?;
    let mut text = String::new();
    node.lay_out(&mut text, 0, 0, cut);
    writeln!(out, "{text}")
}

/// A JSON value whose objects are lists, since a map would sort the keys.
enum Node {
    /// A number, a truth value or null, as it is written.
    Bare(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn lay_out(&self, out: &mut String, indent: usize, before: usize, cut: Cut) {
        let flat = self.flat(cut);
        if self.is_leaf() || indent + before + flat.chars().count() <= WIDTH {
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
                for (place, node) in nodes.iter().take(cut.rows).enumerate() {
                    line(out, inner);
                    node.lay_out(out, inner, 1, cut);
                    if place + 1 < nodes.len() {
                        out.push(',');
                    }
                }
                if let Some(more) = more(nodes, cut) {
                    line(out, inner);
                    out.push_str(&more);
                }
            }
            Self::Object(fields) => {
                for (place, (name, node)) in fields.iter().enumerate() {
                    line(out, inner);
                    let name = quoted(name);
                    out.push_str(&name);
                    out.push_str(": ");
                    node.lay_out(out, inner, name.chars().count() + 3, cut);
                    if place + 1 < fields.len() {
                        out.push(',');
                    }
                }
            }
            Self::Bare(_) | Self::Text(_) => {}
        }
        line(out, indent);
        out.push(close);
    }

    const fn is_leaf(&self) -> bool {
        matches!(self, Self::Bare(_) | Self::Text(_))
    }

    fn flat(&self, cut: Cut) -> String {
        match self {
            Self::Bare(text) => text.clone(),
            Self::Text(text) if text.chars().count() > cut.text => {
                let kept: String = text.chars().take(cut.text).collect();
                format!("{}…", quoted(&kept))
            }
            Self::Text(text) => quoted(text),
            Self::List(nodes) => {
                let shown = nodes.iter().take(cut.rows).map(|node| node.flat(cut)).chain(more(nodes, cut));
                format!("[{}]", shown.collect::<Vec<_>>().join(", "))
            }
            Self::Object(fields) => {
                let shown = fields.iter().map(|(name, node)| format!("{}: {}", quoted(name), node.flat(cut)));
                format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

fn more(nodes: &[Node], cut: Cut) -> Option<String> {
    let left = nodes.len().checked_sub(cut.rows).filter(|left| *left > 0)?;
    Some(format!("… {} more", super::table::thousands(left as u64)))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Bare("null".to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Bare(flag.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Bare(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Bare(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Bare(serde_json::Value::from(number).to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Object(fields))
    }
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
            "{\"b\": [1.5, null, true], \"a\": {\"莎\": \"\\n\"}}\n"
        );
    }

    #[test]
    fn long_values_break_and_are_cut() {
        let rows: Vec<String> = (0..1_005).map(|row| format!(r#"{{"id{row}":"{}"}}"#, "x".repeat(80))).collect();
        let cut = Cut { rows: 3, text: 72 };
        let text = laid_out(&format!(r#"{{"rows":[{}],"n":1}}"#, rows.join(",")), cut);
        let x = "x".repeat(72);
        assert_eq!(
            text,
            format!(
                "{{\n  \"rows\": [\n    {{\"id0\": \"{x}\"…}},\n    {{\"id1\": \"{x}\"…}},\n    {{\"id2\": \"{x}\"…}},\n    … 1,002 more\n  ],\n  \"n\": 1\n}}\n"
            )
        );
    }
}
