//! [`append_json`]: JSON into a buffer, up to a limit and not a byte further.

use std::io;

use serde::Serialize;
use thiserror::Error;

/// Appends `value` as JSON to `buffer`: at most `most` bytes. Stops at the limit, so that a value that is far too long
/// costs no more memory and time than one that just fits.
///
/// # Errors
/// When it has more bytes or does not serialize; the buffer is as before.
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
    let written = serde_json::to_writer(Bounded { buffer, end }, value);
    written.map_err(|error| {
        buffer.truncate(before);
        // Nothing but the limit fails as output.
        if error.is_io() { InvalidJson::TooLong } else { InvalidJson::NotJson(error.to_string()) }
    })
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

/// A buffer that takes no byte behind `end`.
struct Bounded<'b> {
    buffer: &'b mut Vec<u8>,
    end: usize,
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

    #[test]
    fn a_value_that_does_not_serialize_leaves_nothing_behind() {
        let mut buffer = Vec::new();
        let keys = std::collections::HashMap::from([(vec![1u8], 1)]);
        assert!(matches!(append_json(&mut buffer, &keys, 100), Err(InvalidJson::NotJson(_))));
        assert!(buffer.is_empty());
    }
}
