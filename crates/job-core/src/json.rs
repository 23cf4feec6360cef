//! [`append_json`]: JSON into a buffer, up to a limit and not a byte further.

use std::io;

use serde::{Serialize, de::IgnoredAny};
use thiserror::Error;

use crate::{
    finite::{Nulls, Unfit, Walk},
    shown,
};

/// Appends `value` as JSON to `buffer`: at most `most` bytes. Stops at the limit, so that a value that is far too long
/// costs no more memory and time than one that just fits.
///
/// # Errors
/// When the value has more than `most` bytes of JSON, cannot be serialized, or has a number that is NaN or
/// infinite. `None` and [`OrNull`](crate::OrNull) write `null` on purpose. A `serde_json::Value` holds `null` in
/// place of such a number already, so it is taken. After an error or a panic of the value, the buffer is as
/// before.
///
/// ```
/// use job_core::{InvalidJson, append_json};
///
/// let mut buffer = b"[".to_vec();
/// append_json(&mut buffer, "Sarah", 7)?;
/// assert_eq!(append_json(&mut buffer, "Sidney", 7), Err(InvalidJson::TooLong));
/// assert_eq!(buffer, br#"["Sarah""#);
/// # Ok::<(), InvalidJson>(())
/// ```
pub fn append_json<T: Serialize + ?Sized>(
    buffer: &mut Vec<u8>,
    value: &T,
    most: usize,
) -> Result<(), InvalidJson> {
    let (before, end) = (buffer.len(), buffer.len().saturating_add(most));
    let mut place = Place { buffer, before, is_whole: false };
    let mut has_null = false;
    let bounded = Bounded { buffer: &mut *place.buffer, end, is_over: false };
    let mut serializer = serde_json::Serializer::with_formatter(bounded, Nulls(&mut has_null));
    let written = value.serialize(&mut serializer);
    // Only the limit makes the output fail. It is asked here, since a value may hide the error of its serializer.
    if serializer.into_inner().is_over {
        return Err(InvalidJson::TooLong);
    }
    written.map_err(|error| InvalidJson::NotJson(error.to_string()))?;
    if has_null {
        value.serialize(Walk)?;
    }
    place.is_whole = true;
    Ok(())
}

/// The text of one JSON value, without the white space around it. Cost: one pass; nothing is built of it.
///
/// # Errors
/// When `json` is no UTF-8, no JSON, or more than one value.
///
/// ```
/// use job_core::one_value;
///
/// assert_eq!(one_value(b" {\"id\": \"Sarah\"}\n")?, r#"{"id": "Sarah"}"#);
/// assert!(one_value(b"1,2").is_err() && one_value(b"").is_err() && one_value(b"\"\xff\"").is_err());
/// # Ok::<(), job_core::InvalidJson>(())
/// ```
pub fn one_value(json: &[u8]) -> Result<&str, InvalidJson> {
    let text = str::from_utf8(json).map_err(|error| InvalidJson::NotJson(error.to_string()))?;
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| InvalidJson::NotJson(error.to_string()))?;
    Ok(text)
}

/// Why a value was not appended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidJson {
    /// The value has more bytes than the limit.
    #[error("it has too many bytes of JSON")]
    TooLong,
    /// The value cannot be serialized; the text is the reason.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// The value has a number that JSON does not have.
    #[error(
        "{} is {number}, which JSON does not have: give a number, None, or OrNull to write null",
        if place.is_empty() { "it" } else { place }
    )]
    NotFinite {
        /// The place of the number, from the outside in, such as `ranks[3].score`; empty if it is the value
        /// itself.
        place: String,
        /// `NaN`, `inf` or `-inf`.
        number: String,
    },
}

impl From<Unfit> for InvalidJson {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::NotFinite(number, places) => {
                Self::NotFinite { place: shown(&Unfit::place(&places)).to_owned(), number: number.to_string() }
            }
            Unfit::Other(reason) => Self::NotJson(reason),
        }
    }
}

/// One value at the end of a buffer. Dropped before the value is whole, it cuts the buffer back.
struct Place<'b> {
    buffer: &'b mut Vec<u8>,
    before: usize,
    is_whole: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.buffer.truncate(self.before);
        }
    }
}

/// Rare, so it is kept out of the code of values that fit.
#[cold]
fn too_long(is_over: &mut bool) -> io::Result<()> {
    *is_over = true;
    Err(io::ErrorKind::FileTooLarge.into())
}

/// A buffer that refuses bytes after its `end`-th byte.
struct Bounded<'b> {
    buffer: &'b mut Vec<u8>,
    end: usize,
    /// Whether a piece did not fit.
    is_over: bool,
}

impl io::Write for Bounded<'_> {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece).map(|()| piece.len())
    }

    /// JSON comes in many small pieces: one comparison each.
    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.len() > self.end.saturating_sub(self.buffer.len()) {
            return too_long(&mut self.is_over);
        }
        self.buffer.extend_from_slice(piece);
        Ok(())
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::ser::{SerializeSeq, Serializer};

    use super::*;

    /// A value that serializes to an endless list of ones.
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut ones = serializer.serialize_seq(None)?;
            loop {
                ones.serialize_element(&1)?;
            }
        }
    }

    #[test]
    fn a_value_without_end_is_refused_at_the_limit() {
        let mut buffer = b"1,".to_vec();
        assert_eq!(append_json(&mut buffer, &Endless, 1_000), Err(InvalidJson::TooLong));
        assert_eq!(buffer, b"1,");
        assert!(buffer.capacity() <= 4_096, "{}", buffer.capacity());
    }

    #[test]
    fn the_limit_is_exact_and_counts_the_value_only() {
        for (most, fits) in [(0, false), (4, false), (5, true), (usize::MAX, true)] {
            let mut buffer = b"before".to_vec();
            assert_eq!(append_json(&mut buffer, "abc", most).is_ok(), fits, "{most}");
            assert_eq!(buffer, if fits { &b"before\"abc\""[..] } else { b"before" });
        }
    }

    /// A value whose serialization panics after its first field.
    struct Panics;

    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_seq(None)?;
            fields.serialize_element(&1)?;
            panic!("the second field")
        }
    }

    /// A value that ignores the error of its serializer.
    struct Deaf;

    impl Serialize for Deaf {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_seq(None)?;
            let _ = fields.serialize_element("a long one");
            fields.end()
        }
    }

    #[test]
    fn a_value_that_panics_leaves_nothing_behind() {
        let mut buffer = b"before".to_vec();
        let append = std::panic::AssertUnwindSafe(|| append_json(&mut buffer, &Panics, 100));
        assert!(std::panic::catch_unwind(append).is_err());
        assert_eq!(buffer, b"before");
    }

    #[test]
    fn a_value_that_hides_that_it_was_too_long_is_refused() {
        let mut buffer = b"before".to_vec();
        assert_eq!(append_json(&mut buffer, &Deaf, 5), Err(InvalidJson::TooLong));
        assert_eq!(buffer, b"before");
        assert_eq!(append_json(&mut buffer, &Deaf, 100), Ok(()));
    }

    #[derive(Serialize)]
    struct Row {
        id: u32,
        score: f64,
        also: Vec<(f32, Option<f64>)>,
        named: std::collections::BTreeMap<&'static str, f64>,
    }

    /// `serde_json` writes them as `null` without an error.
    #[test]
    fn a_number_that_json_does_not_have_is_refused_and_its_place_named() {
        let row = || Row { id: 7, score: 0.5, also: vec![(1.5, None)], named: [("a b", 1.0)].into() };
        let refused = |row: Row| {
            let mut buffer = b"before".to_vec();
            let error = append_json(&mut buffer, &row, 1_000).unwrap_err();
            assert_eq!(buffer, b"before");
            error.to_string()
        };
        let why = ", which JSON does not have: give a number, None, or OrNull to write null";
        for (number, said) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
            assert_eq!(refused(Row { score: number, ..row() }), format!("score is {said}{why}"));
            let also = vec![(1.5, None), (1.5, Some(number))];
            assert_eq!(refused(Row { also, ..row() }), format!("also[1][1] is {said}{why}"));
        }
        assert_eq!(refused(Row { also: vec![(f32::NAN, None)], ..row() }), format!("also[0][0] is NaN{why}"));
        assert_eq!(refused(Row { named: [("a b", f64::NAN)].into(), ..row() }), format!("named.a b is NaN{why}"));
        let itself = append_json(&mut Vec::new(), &f64::NAN, 100).unwrap_err();
        assert_eq!(itself.to_string(), format!("it is NaN{why}"));
        // `null` stays `null`.
        let mut buffer = Vec::new();
        append_json(&mut buffer, &row(), 1_000).unwrap();
        assert_eq!(buffer, br#"{"id":7,"score":0.5,"also":[[1.5,null]],"named":{"a b":1.0}}"#);
        append_json(&mut buffer, &(crate::OrNull(f32::NAN), crate::OrNull(1.5), ()), 1_000).unwrap();
        assert!(buffer.ends_with(b"[null,1.5,null]"));
    }

    #[test]
    fn a_value_that_does_not_serialize_leaves_nothing_behind() {
        let mut buffer = Vec::new();
        let keys = std::collections::HashMap::from([(vec![1u8], 1)]);
        assert!(matches!(append_json(&mut buffer, &keys, 100), Err(InvalidJson::NotJson(_))));
        assert!(buffer.is_empty());
    }
}
