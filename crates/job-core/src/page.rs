//! [`PageRequest`]: which rows a caller asks for. All offset arithmetic lives here.

use std::{num::NonZeroU32, ops::Range};

use thiserror::Error;

use crate::shown;

/// The first row and the most rows of a page. Every value of this type is in its range.
///
/// ```
/// use job_core::PageRequest;
///
/// let page = PageRequest::new(15, 10)?;
/// assert_eq!(page.window(19), 15..19);
/// assert_eq!(page.window(7), 7..7); // past the end: empty, not an error
///
/// let error = PageRequest::parse(None, Some("100001")).unwrap_err();
/// assert_eq!(error.to_string(), "parameter limit is 100001: it must be a whole number from 1 to 100000");
/// # Ok::<(), job_core::InvalidParameter>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageRequest {
    offset: u64,
    limit: NonZeroU32,
}

impl PageRequest {
    /// The most rows of a page, and the default of `limit` (the API document, table 1).
    pub const MAX_LIMIT: u32 = 100_000;

    /// Asks for at most `limit` rows from row `offset` on, the first row being 0.
    ///
    /// # Errors
    /// When `limit` is 0 or above [`MAX_LIMIT`](Self::MAX_LIMIT).
    pub fn new(offset: u64, limit: u32) -> Result<Self, InvalidParameter> {
        match NonZeroU32::new(limit) {
            Some(limit) if limit.get() <= Self::MAX_LIMIT => Ok(Self { offset, limit }),
            _ => Err(InvalidParameter::limit(&limit.to_string(), Self::MAX_LIMIT)),
        }
    }

    /// Reads the two query parameters as text; an absent one has its default.
    ///
    /// # Errors
    /// When a parameter is negative, no whole number, too large for the machine or out of range. The error names
    /// the parameter, its value and the range. A value out of range is refused, not clamped. A caller who asks for
    /// 200,000 rows and silently gets 100,000 would lose rows.
    pub fn parse(offset: Option<&str>, limit: Option<&str>) -> Result<Self, InvalidParameter> {
        Self::parse_at_most(offset, limit, Self::MAX_LIMIT)
    }

    /// As [`parse`](Self::parse), for pages of at most `most` rows, which is also the default of `limit`.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    ///
    /// ```
    /// use job_core::PageRequest;
    ///
    /// assert_eq!(PageRequest::parse_at_most(None, None, 1_000)?.limit(), 1_000);
    /// let error = PageRequest::parse_at_most(None, Some("1001"), 1_000).unwrap_err();
    /// assert_eq!(error.to_string(), "parameter limit is 1001: it must be a whole number from 1 to 1000");
    /// # Ok::<(), job_core::InvalidParameter>(())
    /// ```
    pub fn parse_at_most(offset: Option<&str>, limit: Option<&str>, most: u32) -> Result<Self, InvalidParameter> {
        let most = most.min(Self::MAX_LIMIT);
        let offset = match offset {
            None => 0,
            Some(text) => digits(text).ok_or_else(|| InvalidParameter::offset(text))?,
        };
        let limit = match limit {
            None => most,
            Some(text) => digits(text)
                .and_then(|limit| u32::try_from(limit).ok())
                .filter(|limit| (1..=most).contains(limit))
                .ok_or_else(|| InvalidParameter::limit(text, most))?,
        };
        Self::new(offset, limit)
    }

    /// The first row asked for.
    #[must_use]
    pub const fn offset(self) -> u64 {
        self.offset
    }

    /// The most rows asked for.
    #[must_use]
    pub const fn limit(self) -> u32 {
        self.limit.get()
    }

    /// The rows to return out of `total`: half-open, clamped, never outside `0..=total`.
    #[must_use]
    pub fn window(self, total: u64) -> Range<u64> {
        let start = self.offset.min(total);
        let end = self.offset.saturating_add(u64::from(self.limit.get())).min(total);
        start..end
    }
}

/// The document's defaults: from row 0, at most 100,000 rows.
impl Default for PageRequest {
    fn default() -> Self {
        Self { offset: 0, limit: NonZeroU32::MIN.saturating_add(Self::MAX_LIMIT - 1) }
    }
}

/// Plain decimal digits only: `u64::from_str` alone would also take a leading `+`.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A request parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("parameter {parameter} is {value}: it must be a whole number from {min} to {max}")]
pub struct InvalidParameter {
    /// Its name.
    pub parameter: &'static str,
    /// The given value, at most its first 64 characters.
    pub value: String,
    /// The least that is allowed.
    pub min: u64,
    /// The most that is allowed.
    pub max: u64,
}

impl InvalidParameter {
    fn offset(value: &str) -> Self {
        Self { parameter: "offset", value: given(value), min: 0, max: u64::MAX }
    }

    fn limit(value: &str, most: u32) -> Self {
        Self { parameter: "limit", value: given(value), min: 1, max: u64::from(most) }
    }
}

fn given(value: &str) -> String {
    if value.is_empty() { "empty".to_owned() } else { shown(value).to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn absent_parameters_have_the_documents_defaults() {
        let page = PageRequest::parse(None, None).unwrap();
        assert_eq!((page.offset(), page.limit()), (0, 100_000));
        assert_eq!(page, PageRequest::default());
    }

    #[test]
    fn bad_parameters_are_named_with_value_and_range() {
        for (offset, limit, parameter, value) in [
            (Some("-1"), None, "offset", "-1"),
            (Some("two"), None, "offset", "two"),
            (Some("+2"), None, "offset", "+2"),
            (Some(""), None, "offset", "empty"),
            (Some("18446744073709551616"), None, "offset", "18446744073709551616"),
            (None, Some("0"), "limit", "0"),
            (None, Some("100001"), "limit", "100001"),
            (None, Some("4294967297"), "limit", "4294967297"),
            (None, Some("1e3"), "limit", "1e3"),
            (None, Some("-5"), "limit", "-5"),
        ] {
            let error = PageRequest::parse(offset, limit).unwrap_err();
            assert_eq!((error.parameter, error.value.as_str()), (parameter, value));
            assert!(error.to_string().contains(&error.max.to_string()), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_window_holds_min_of_limit_and_what_is_left(offset: u64, limit in 1..=100_000u32, total: u64) {
            let window = PageRequest::new(offset, limit).unwrap().window(total);
            let expected = u64::from(limit).min(total.saturating_sub(offset));
            prop_assert_eq!(window.end - window.start, expected);
            prop_assert!(window.end <= total);
        }

        #[test]
        fn text_and_numbers_agree(offset: u64, limit in 1..=100_000u32) {
            let parsed = PageRequest::parse(Some(&offset.to_string()), Some(&limit.to_string()));
            prop_assert_eq!(parsed, PageRequest::new(offset, limit));
        }
    }
}
