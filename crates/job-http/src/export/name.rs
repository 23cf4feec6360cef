//! The rules for names of files and directories that a client chooses.

use std::fmt;

/// The longest name of a file or directory, in bytes, which file systems commonly allow.
const LONGEST: usize = 255;

/// The longest path below the directory of the host, in bytes.
const LONGEST_PATH: usize = 1024;

/// A refused name and the reason.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    name: String,
    why: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: choose another name", self.name, self.why)
    }
}

/// Checks a path below the directory of the host, its parts between slashes: directories, and the file at its end.
pub(crate) fn check_path(path: &str) -> Result<(), Refused> {
    if path.len() > LONGEST_PATH {
        return Err(refused(path, "is a path of more than 1024 bytes"));
    }
    path.split('/').try_for_each(check)
}

/// Checks one name. All of its characters are visible, it has the same meaning on every system, and it is not
/// hidden.
pub(crate) fn check(name: &str) -> Result<(), Refused> {
    let why = if name.is_empty() {
        "is an empty name"
    } else if name.len() > LONGEST {
        "has more than 255 bytes"
    } else if name.contains(['/', '\\']) {
        "has a slash"
    } else if name.starts_with('.') {
        "begins with a dot"
    } else if name.ends_with('.') {
        "ends with a dot"
    } else if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) {
        "begins or ends with a blank"
    } else if !name.chars().all(is_seen) {
        "has a character that is not seen"
    } else if is_device(name) {
        "is a device on some systems"
    } else {
        return Ok(());
    };
    Err(refused(name, why))
}

fn refused(name: &str, why: &'static str) -> Refused {
    Refused { name: name.chars().take(64).collect(), why }
}

/// Whether a character is visible: no control character, none that changes the direction of text, no blank but the
/// common one.
fn is_seen(character: char) -> bool {
    // The standard library knows which characters are printable. A combining mark is printable behind a letter.
    let text: String = ['a', character].into_iter().collect();
    matches!(character, '"' | '\'') || text.escape_debug().nth(1) == Some(character)
}

/// Names that Windows takes for a device, with any ending and in any case.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" => true,
        stem => ["COM", "LPT"].iter().any(|port| {
            let number = stem.strip_prefix(port);
            number.is_some_and(|number| number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_in_any_language_are_taken() {
        for name in
            ["a", "a.csv", "my result (1).csv", "2024-05-23T09:54:00", "莎拉.jsonl", "e\u{301}té", "it's", "नमस्ते"]
        {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        assert_eq!(check(&"x".repeat(255)), Ok(()));
    }

    #[test]
    fn names_that_hide_lead_away_or_deceive_are_refused() {
        for (name, why) in [
            ("", "empty"),
            (".", "begins with a dot"),
            ("..", "begins with a dot"),
            (".ssh", "begins with a dot"),
            ("a.", "ends with a dot"),
            (" a", "blank"),
            ("a ", "blank"),
            ("\u{3000}", "blank"),
            ("a/b", "slash"),
            ("a\\b", "slash"),
            ("a\0", "not seen"),
            ("a\nb", "not seen"),
            ("a\u{1b}[2Jb", "not seen"),
            ("a\u{7f}b", "not seen"),
            ("a\u{9b}b", "not seen"),
            ("gpj.\u{202e}vsc", "not seen"),
            ("a\u{2066}b", "not seen"),
            ("a\u{200f}b", "not seen"),
            ("a\u{200b}b", "not seen"),
            ("a\u{2028}b", "not seen"),
            ("a\u{a0}b", "not seen"),
            ("a\u{feff}b", "not seen"),
            ("a\u{e0041}b", "not seen"),
            ("nul", "device"),
            ("Com1.csv", "device"),
            (&"莎".repeat(86), "255 bytes"),
        ] {
            let refused = check(name).unwrap_err().to_string();
            assert!(refused.contains(why), "{name:?}: {refused}");
            assert!(refused.len() < 512 && !refused.contains(char::is_control), "{refused:?}");
        }
    }

    #[test]
    fn every_part_of_a_path_is_checked() {
        assert_eq!(check_path("out/today/a.csv"), Ok(()));
        for path in ["", "/a", "a//b", "a/./b", "a/../b", "a/.ssh/b", "a/b/", "a /b"] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        assert!(check_path(&"a/".repeat(600)).unwrap_err().to_string().contains("1024"));
    }
}
