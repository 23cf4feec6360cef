//! [`Cursor`]: a place in a text that is known to be JSON.

use std::{borrow::Cow, fmt};

use super::InvalidBody;
use crate::shown;

/// A place in a text that is known to be JSON, so no method checks the syntax.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'j> {
    text: &'j str,
    at: usize,
}

impl<'j> Cursor<'j> {
    /// Stands for the end of the text. JSON has no such byte.
    pub(super) const END: u8 = 0;

    pub(super) const fn new(text: &'j str) -> Self {
        Self { text, at: 0 }
    }

    fn left(&self) -> &'j [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no blank.
    pub(super) fn peek(&mut self) -> u8 {
        let blanks = self.left().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blanks;
        self.left().first().copied().unwrap_or(Self::END)
    }

    /// Moves past one byte.
    pub(super) const fn step(&mut self) {
        self.at += 1;
    }

    /// Moves past the next byte if it is `byte`. Returns whether it was.
    pub(super) fn took(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    /// Takes a number, `true`, `false` or `null`.
    pub(super) fn word(&mut self) -> &'j str {
        let start = self.at;
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b':') || byte.is_ascii_whitespace();
        self.at += self.left().iter().position(ends).unwrap_or_else(|| self.left().len());
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Takes a string.
    pub(super) fn string(&mut self) -> Result<Cow<'j, str>, InvalidBody> {
        let start = self.at;
        let escaped = self.pass_string();
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        if escaped {
            // JSON allows half a surrogate pair, which is no character.
            return serde_json::from_str(quoted).map(Cow::Owned).map_err(|_| InvalidBody::no_text(quoted));
        }
        Ok(Cow::Borrowed(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()))
    }

    /// Passes over a string. Returns whether it has an escape.
    fn pass_string(&mut self) -> bool {
        let mut escapes = false;
        self.step();
        while let Some(at) = self.left().iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            let escape = self.left().get(at) == Some(&b'\\');
            self.at += at + 1 + usize::from(escape);
            escapes |= escape;
            if !escape {
                break;
            }
        }
        escapes
    }

    /// Takes a value of any kind, as it is written.
    pub(super) fn raw(&mut self) -> &'j str {
        self.peek();
        let start = self.at;
        let mut depth = 0usize;
        loop {
            match self.peek() {
                Self::END => break,
                b'"' => drop(self.pass_string()),
                b'{' | b'[' => {
                    depth += 1;
                    self.step();
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    self.step();
                }
                b',' | b':' => self.step(),
                _ => drop(self.word()),
            }
            if depth == 0 {
                break;
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// The error about the value at this place, which must be of another type.
    pub(super) fn misfit(&mut self, must: impl fmt::Display) -> InvalidBody {
        let is = match self.peek() {
            b'{' => "an object",
            b'[' => "a list",
            _ => shown(self.raw()),
        };
        InvalidBody::misfit(is, must)
    }
}
