//! Results as lines of JSON.

use std::io::{self, Write};

/// Writes one row as one line, unchanged except for line breaks. A row may be laid out over several lines, and
/// readers take several characters for the end of a line.
pub(crate) fn row(json: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut rest = json;
    while let Some((at, length, instead)) = next_break(rest) {
        let (before, after) = rest.split_at(at);
        out.write_all(before)?;
        out.write_all(instead)?;
        rest = after.get(length..).unwrap_or_default();
    }
    out.write_all(rest)?;
    out.write_all(b"\n")
}

/// The place and length of the next line break, and a replacement of the same meaning. Between two tokens that is
/// a blank, inside a string an escape. JSON has line feeds only between tokens, and the other breaks only in
/// strings.
fn next_break(json: &[u8]) -> Option<(usize, usize, &'static [u8])> {
    json.iter().enumerate().find_map(|(at, byte)| match byte {
        b'\n' | b'\r' => Some((at, 1, b" ".as_slice())),
        0xc2 if json.get(at + 1) == Some(&0x85) => Some((at, 2, br"\u0085")),
        0xe2 => match json.get(at + 1..at + 3)? {
            [0x80, 0xa8] => Some((at, 3, br"\u2028")),
            [0x80, 0xa9] => Some((at, 3, br"\u2029")),
            _ => None,
        },
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_that_means_the_same() {
        for (json, line) in [
            (r#"{"a":1.50,"b":[1e7]}"#, r#"{"a":1.50,"b":[1e7]}"#),
            ("{\n  \"a\": 1\r\n}", r#"{   "a": 1  }"#),
            ("\"a\u{2028}b\u{2029}c\u{85}d\u{85}\"", r#""a\u2028b\u2029c\u0085d\u0085""#),
            ("\"莎\u{2026}\u{c5}拉\"", "\"莎\u{2026}\u{c5}拉\""),
        ] {
            let mut out = Vec::new();
            row(json.as_bytes(), &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), format!("{line}\n"));
        }
    }
}
