//! Makes texts of jobs safe for a terminal. A name, a failure or a row must not move the cursor, change the
//! direction of later text, or begin a new line.

use std::{borrow::Cow, fmt::Write};

/// The text, with a JSON escape for every character that a terminal would act on.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    replace(text, escape)
}

/// The JSON on one line, with the same meaning: between tokens a blank, inside strings an escape.
pub(super) fn one_line(json: &str) -> Cow<'_, str> {
    // JSON has control characters only between tokens, except DEL; the other characters are only in strings.
    replace(json, |character, out| match character {
        '\n' | '\r' | '\t' => out.push(' '),
        other => escape(other, out),
    })
}

fn replace(text: &str, mut instead: impl FnMut(char, &mut String)) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_plain(character) { out.push(character) } else { instead(character, &mut out) }
    }
    Cow::Owned(out)
}

fn escape(character: char, out: &mut String) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            for unit in other.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}

/// Whether a character is only shown: no control character, no change of direction, none without a form.
fn is_plain(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    let is_line = matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}');
    // The standard library knows the rest. A combining mark is shown behind a letter.
    let is_printable = || {
        let text: String = ['a', character].into_iter().collect();
        text.escape_debug().nth(1) == Some(character)
    };
    character.is_alphanumeric() || (character.is_whitespace() && !is_line) || is_printable()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str =
        "a\u{1b}[2J\u{7f}\u{9b}31m\n\r\t\u{0}\u{85}\u{2028}\u{202e}\u{2066}\u{200f}\u{feff}\u{e0041}b";

    #[test]
    fn what_a_terminal_acts_on_is_shown_as_an_escape() {
        assert_eq!(
            plain(HOSTILE),
            "a\\u001b[2J\\u007f\\u009b31m\\n\\r\\t\\u0000\\u0085\\u2028\\u202e\\u2066\\u200f\\ufeff\\udb40\\udc41b"
        );
        for text in ["", "Sarah (18-24): \"a\\b\"", "莎拉　é नमस्ते 😀", "e\u{301}"] {
            assert!(matches!(plain(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn json_stays_what_it_is_and_takes_one_line() {
        let value = serde_json::json!({"k\u{7f}": HOSTILE, "list": [1, "莎", {"\u{202e}": null}]});
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap().replace('\n', "\r\n\t")] {
            let line = one_line(&json);
            assert!(line.chars().all(is_plain), "{line}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
        }
    }
}
