//! The sentences of a text in Markdown, without its code.

use std::mem;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::comments::Block;

/// Stands for a piece of code in a sentence, and counts as one word.
const CODE: &str = "code";

/// Points after these do not end a sentence.
const SHORT: [&str; 5] = ["e.g.", "i.e.", "etc.", "cf.", "vs."];

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sentence {
    /// The line of the file on which it begins.
    pub(super) line: usize,
    pub(super) text: String,
}

/// Every sentence of a block. Headings, items and cells of tables are texts of their own.
pub(super) fn of(block: &Block) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let mut text = Text::default();
    let mut listing = false;
    for (event, range) in Parser::new_ext(&block.text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = block.line + block.text.get(..range.start).unwrap_or("").matches('\n').count();
        match event {
            Event::Start(Tag::CodeBlock(_)) => listing = true,
            Event::End(TagEnd::CodeBlock) => listing = false,
            _ if listing => {}
            Event::Text(words) => text.push(&words, line),
            Event::Code(_) => text.push(CODE, line),
            Event::SoftBreak | Event::HardBreak => text.push(" ", line),
            Event::Start(Tag::Paragraph | Tag::Heading { .. } | Tag::Item | Tag::TableCell)
            | Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::TableCell) => {
                sentences.extend(mem::take(&mut text).sentences());
            }
            _ => {}
        }
    }
    sentences.extend(text.sentences());
    sentences
}

/// A text that grows, with the line on which each of its pieces begins.
#[derive(Default)]
struct Text {
    text: String,
    pieces: Vec<(usize, usize)>,
}

impl Text {
    fn push(&mut self, piece: &str, line: usize) {
        self.pieces.push((self.text.len(), line));
        self.text.push_str(piece);
    }

    fn sentences(&self) -> impl Iterator<Item = Sentence> {
        let line = |place: usize| {
            self.pieces.iter().rev().find(|(start, _)| *start <= place).map_or(1, |(_, line)| *line)
        };
        let sentences: Vec<Sentence> = split(&self.text)
            .into_iter()
            .map(|(start, text)| Sentence { line: line(start), text: text.to_owned() })
            .collect();
        sentences.into_iter()
    }
}

/// The sentences of a text, each with the place where it begins.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut sentences = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        end += word.len();
        if ends_sentence(word.trim_end()) || end == text.len() {
            let sentence = text.get(start..end).unwrap_or("");
            let lead = sentence.len() - sentence.trim_start().len();
            if !sentence.trim().is_empty() {
                sentences.push((start + lead, sentence.trim()));
            }
            start = end;
        }
    }
    sentences
}

fn ends_sentence(word: &str) -> bool {
    let bare = word.trim_end_matches(['"', '\'', ')']);
    bare.ends_with(['.', '!', '?']) && !SHORT.contains(&bare.trim_start_matches('(')) && bare.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<(usize, String)> {
        let block = Block { line: 1, text: text.to_owned() };
        of(&block).into_iter().map(|sentence| (sentence.line, sentence.text)).collect()
    }

    fn expected<const N: usize>(sentences: [(usize, &str); N]) -> Vec<(usize, String)> {
        sentences.into_iter().map(|(line, text)| (line, text.to_owned())).collect()
    }

    #[test]
    fn a_sentence_ends_at_a_point_and_begins_on_its_line() {
        let text = "One has `a.b. c`, e.g. 1.5\nof them. Two is\n[here](a.md). (Three.) Four";
        let found = [(1, "One has code, e.g. 1.5 of them."), (2, "Two is here."), (3, "(Three.)"), (3, "Four")];
        assert_eq!(sentences(text), expected(found));
    }

    #[test]
    fn headings_items_and_cells_are_texts_of_their_own() {
        let text = "# Title\n\n- one\n- two\n  goes on\n\n| a | b |\n| --- | --- |\n| c d | e |\n";
        let found = [(1, "Title"), (3, "one"), (4, "two goes on"), (7, "a"), (7, "b"), (9, "c d"), (9, "e")];
        assert_eq!(sentences(text), expected(found));
    }

    #[test]
    fn code_is_left_out() {
        assert_eq!(sentences("One:\n\n```sh\nWhat is this\n```\n\nTwo.\n"), expected([(1, "One:"), (7, "Two.")]));
    }
}
