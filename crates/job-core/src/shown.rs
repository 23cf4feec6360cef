//! [`shown`]: the part of an input that an error repeats.

/// The most characters of an input that an error shows.
pub const MOST_SHOWN: usize = 64;

/// The first [`MOST_SHOWN`] characters of `text`. Every error that names an input shows no more of it, so that the
/// answer to a long request is short.
///
/// ```
/// assert_eq!(job_core::shown("Sarah"), "Sarah");
/// assert_eq!(job_core::shown(&"莎".repeat(1_000)).chars().count(), 64);
/// ```
#[must_use]
pub fn shown(text: &str) -> &str {
    let end = text.char_indices().nth(MOST_SHOWN).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}
