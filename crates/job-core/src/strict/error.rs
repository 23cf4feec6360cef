//! [`InvalidBody`]: what is wrong with the JSON of a request, as a sentence.

use std::fmt;

use serde::de::{self, Expected, Unexpected};
use thiserror::Error;

use crate::{JobSpec, shown};

/// JSON of a request that cannot be used. Its `Display` is a sentence that names the field and what it must be, and
/// repeats at most 64 characters of what was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct InvalidBody {
    /// The name of the whole.
    name: &'static str,
    /// The place in the whole, such as `sorts[0].key`; empty for the whole.
    place: String,
    says: Says,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Says {
    /// The text after the place.
    OfPlace(String),
    /// A sentence of its own.
    Whole(String),
}

impl InvalidBody {
    fn of_place(says: String) -> Self {
        Self { name: "the JSON", place: String::new(), says: Says::OfPlace(says) }
    }

    pub(super) fn misfit(is: &str, must: impl fmt::Display) -> Self {
        Self::of_place(format!("is {is}: it must be {must}"))
    }

    pub(super) fn syntax(is_blank: bool, error: &serde_json::Error) -> Self {
        Self::of_place(if is_blank {
            "is empty: it must be JSON".to_owned()
        } else if error.is_eof() {
            "is not JSON: it ends before it is complete".to_owned()
        } else {
            format!("is not JSON from line {}, column {} on", error.line(), error.column())
        })
    }

    pub(super) fn twice(key: &str) -> Self {
        Self::of_place("is given twice: give it once".to_owned()).inside(key)
    }

    pub(super) fn too_deep() -> Self {
        let most = JobSpec::MAX_DEPTH;
        Self::of_place(format!("is nested deeper than {most} lists and objects, which is the most"))
    }

    pub(super) fn no_text(quoted: &str) -> Self {
        Self::of_place(format!("has the text {}: an escape in it must be a whole character", shown(quoted)))
    }

    /// The same error, with the name of the whole value.
    pub(super) fn of(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// The same error, with its place counted from the object that has the value under `key`.
    pub(super) fn inside(mut self, key: &str) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{}{dot}{}", shown(key), self.place);
        self
    }

    /// The same error, with its place counted from the list that has the value at `index`.
    pub(super) fn at(mut self, index: usize) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("[{index}]{dot}{}", self.place);
        self
    }
}

impl fmt::Display for InvalidBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.says {
            Says::OfPlace(says) if self.place.is_empty() => write!(f, "{} {says}", self.name),
            Says::OfPlace(says) if self.place.starts_with('[') => write!(f, "{}{} {says}", self.name, self.place),
            Says::OfPlace(says) => write!(f, "{} {says}", self.place),
            Says::Whole(says) if self.place.is_empty() => f.write_str(says),
            Says::Whole(says) => write!(f, "{}: {says}", self.place),
        }
    }
}

/// Errors of types that check themselves. `serde`'s words for Rust types are put into plain words.
impl de::Error for InvalidBody {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { says: Says::Whole(message.to_string()), ..Self::of_place(String::new()) }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_value(found, expected)
    }

    fn invalid_value(found: Unexpected<'_>, _: &dyn Expected) -> Self {
        let is = match found {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Unsigned(value) => value.to_string(),
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Float(value) => value.to_string(),
            Unexpected::Str(text) => format!("{:?}", shown(text)),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "an object".to_owned(),
            Unexpected::Unit | Unexpected::Option => "null".to_owned(),
            _ => "of another kind".to_owned(),
        };
        Self::of_place(format!("is {is}, which does not fit"))
    }

    fn invalid_length(length: usize, _: &dyn Expected) -> Self {
        Self::of_place(format!("has {length} values, which is not the number it must have"))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::misfit(&format!("{:?}", shown(variant)), one_of(known))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::misfit("unknown", one_of(known)).inside(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of_place("is missing: give it".to_owned()).inside(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::twice(field)
    }
}

fn one_of(known: &[&str]) -> String {
    if known.is_empty() { "left out".to_owned() } else { format!("one of {}", known.join(", ")) }
}
