//! Links of documents to files and headings of this repository.

use pulldown_cmark::{Event, Options, Parser, Tag};

/// A line for people for each broken link. `exists` takes a path from the root of the clone.
pub(super) fn broken(name: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let headings = anchors(text);
    let mut broken = Vec::new();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else { continue };
        let line = 1 + text.get(..range.start).unwrap_or("").matches('\n').count();
        let found = match dest_url.split_once('#') {
            _ if dest_url.contains("://") || dest_url.starts_with("mailto:") => true,
            Some(("", anchor)) => headings.iter().any(|heading| heading == anchor),
            Some((path, _)) => exists(&target(name, path)),
            None => exists(&target(name, &dest_url)),
        };
        if !found {
            broken.push(format!("{name}:{line}: the link to `{dest_url}` leads nowhere"));
        }
    }
    broken
}

/// The path from the root of the clone of a link in the file `name`.
fn target(name: &str, link: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The names that GitHub gives to the headings of a document.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.flat_map(char::to_lowercase).map(|character| if character == ' ' { '-' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        broken("docs/a.md", text, &|path| path == "README.md" || path == "docs/b.md")
    }

    #[test]
    fn a_link_to_a_file_that_is_not_there_is_told_with_its_line() {
        assert_eq!(found("one\n\n[c](c.md)\n"), ["docs/a.md:3: the link to `c.md` leads nowhere"]);
        assert_eq!(found("![c](../c.png)").len(), 1);
        assert_eq!(found("[a](../../README.md)").len(), 1);
    }

    #[test]
    fn links_to_files_headings_and_other_sites_are_right() {
        let text =
            "# The first one\n\n[a](../README.md) [b](b.md#part) [c](#the-first-one) [d](https://example.com)\n";
        assert_eq!(found(text), [""; 0]);
        assert_eq!(found("# One\n\n[c](#two)\n").len(), 1);
    }
}
