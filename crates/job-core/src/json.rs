//! [`append_json`]: JSON into a buffer, up to a limit and not a byte further.

use std::io;

use serde::Serialize;
use thiserror::Error;

/// Appends `value` as JSON to `buffer`: at most `most` bytes. Stops at the limit, so that a value that is far too long
/// costs no more memory and time than one that just fits.
///
/// # Errors
/// When it has more bytes or does not serialize; the buffer is as before. So it is when the value panics.
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
    let before = buffer.len();
    let end = before.saturating_add(most);
    let mut place = Place { buffer, before, end, is_over: false, is_whole: false };
    let written = serde_json::to_writer(&mut place, value);
    // Nothing but the limit fails as output. A value may hide that it was told of it.
    if place.is_over {
        return Err(InvalidJson::TooLong);
    }
    written.map_err(|error| InvalidJson::NotJson(error.to_string()))?;
    place.is_whole = true;
    Ok(())
}

/// Why a value was not appended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidJson {
    /// It has more bytes than it may.
    #[error("it has too many bytes of JSON")]
    TooLong,
    /// It does not serialize, for this reason.
    #[error("it is not JSON: {0}")]
    NotJson(String),
}

/// The place of one value at the end of a buffer: takes no byte behind `end`, and is empty again when it is dropped
/// before the value is whole.
struct Place<'b> {
    buffer: &'b mut Vec<u8>,
    before: usize,
    end: usize,
    /// Whether a piece did not fit.
    is_over: bool,
    is_whole: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.is_whole {
            self.buffer.truncate(self.before);
        }
    }
}

impl io::Write for Place<'_> {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece).map(|()| piece.len())
    }

    /// JSON comes in many small pieces: one comparison each.
    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.len() > self.end.saturating_sub(self.buffer.len()) {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
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

    /// Serializes to ones without end.
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

    /// Panics after its first field.
    struct Panics;

    impl Serialize for Panics {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut fields = serializer.serialize_seq(None)?;
            fields.serialize_element(&1)?;
            panic!("the second field")
        }
    }

    /// Goes on after an error of the serializer, as if there had been none.
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

    #[test]
    fn a_value_that_does_not_serialize_leaves_nothing_behind() {
        let mut buffer = Vec::new();
        let keys = std::collections::HashMap::from([(vec![1u8], 1)]);
        assert!(matches!(append_json(&mut buffer, &keys, 100), Err(InvalidJson::NotJson(_))));
        assert!(buffer.is_empty());
    }
}
