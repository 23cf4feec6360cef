//! The prose of a file: a document as it is, the comments of a source.

use std::path::Path;

/// How a file marks its prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Markdown,
    /// Comments after `//`: Rust and JavaScript.
    Slashes,
    /// Comments after `#`: TOML, Python and shell.
    Hash,
    /// Comments after `--`: SQL.
    Dashes,
}

/// Comment lines without a line between them, as Markdown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// The line of the file with the first line of the text, counted from 1.
    pub(super) line: usize,
    pub(super) text: String,
}

impl Language {
    pub(super) fn of(name: &str) -> Option<Self> {
        match Path::new(name).extension().and_then(|extension| extension.to_str()) {
            Some("md") => Some(Self::Markdown),
            Some("rs" | "js") => Some(Self::Slashes),
            Some("toml" | "py" | "sh") => Some(Self::Hash),
            Some("sql") => Some(Self::Dashes),
            _ if name == ".ci/run" => Some(Self::Hash),
            _ => None,
        }
    }

    /// The prose of a text in this language, block by block.
    pub(super) fn prose(self, text: &str) -> Vec<Block> {
        let marks: &[&str] = match self {
            Self::Markdown => return vec![Block { line: 1, text: text.to_owned() }],
            Self::Slashes => &["///", "//!", "//"],
            Self::Hash => &["#"],
            Self::Dashes => &["--"],
        };
        blocks(text, marks)
    }
}

/// Comments of adjacent lines with the same mark and indentation are one block.
fn blocks(text: &str, marks: &[&str]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut last = None;
    for (line, content) in (1..).zip(text.lines()) {
        let Some((code, mark, comment)) = comment(content, marks) else {
            last = None;
            continue;
        };
        let place = code.trim().is_empty().then_some((code, mark));
        match blocks.last_mut() {
            Some(Block { text, .. }) if place.is_some() && place == last => {
                text.push('\n');
                text.push_str(comment);
            }
            _ => blocks.push(Block { line, text: comment.to_owned() }),
        }
        last = place;
    }
    blocks
}

/// A line with a comment, as the code before it, the mark, and the text after it.
fn comment<'a>(line: &'a str, marks: &[&'a str]) -> Option<(&'a str, &'a str, &'a str)> {
    let (place, mark) = code_places(line).find_map(|place| {
        let mark = marks.iter().find(|mark| line.get(place..).is_some_and(|rest| rest.starts_with(**mark)))?;
        Some((place, *mark))
    })?;
    let text = line.get(place + mark.len()..)?;
    Some((line.get(..place)?, mark, text.strip_prefix(' ').unwrap_or(text)))
}

/// The places of a line that are in no string.
fn code_places(line: &str) -> impl Iterator<Item = usize> {
    let mut inside = false;
    let mut escaped = false;
    let mut quote = false;
    line.char_indices().filter_map(move |(place, character)| {
        let was_inside = inside;
        match character {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            // The character `'"'` begins no string.
            '"' if !quote || inside => inside = !inside,
            _ => {}
        }
        quote = character == '\'';
        (!was_inside && !inside).then_some(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prose(language: Language, text: &str) -> Vec<(usize, String)> {
        language.prose(text).into_iter().map(|block| (block.line, block.text)).collect()
    }

    #[test]
    fn comments_of_adjacent_lines_are_one_block() {
        let text = "//! One.\n//! Two.\n\nfn a() {\n    // Three.\n    x(); // Four.\n    // Five.\n}\n/// Six.\n";
        let blocks = [(1, "One.\nTwo."), (5, "Three."), (6, "Four."), (7, "Five."), (9, "Six.")];
        assert_eq!(prose(Language::Slashes, text), blocks.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_mark_in_a_string_begins_no_comment() {
        assert_eq!(prose(Language::Slashes, "get(\"http://a\\\"//b\", '\"'); // One."), [(1, "One.".to_owned())]);
        assert_eq!(prose(Language::Slashes, "get(\"http://a\");"), []);
        assert_eq!(prose(Language::Hash, "color = \"#fff\" # One."), [(1, "One.".to_owned())]);
        assert_eq!(prose(Language::Dashes, "select 1 -- One."), [(1, "One.".to_owned())]);
    }

    #[test]
    fn files_without_prose_are_left_out() {
        assert_eq!(Language::of("Cargo.lock"), None);
        assert_eq!(Language::of("docs/page.png"), None);
        assert_eq!(Language::of(".ci/run"), Some(Language::Hash));
        assert_eq!(Language::of("crates/a/src/lib.rs"), Some(Language::Slashes));
    }
}
