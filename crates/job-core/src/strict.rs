//! JSON of requests, read strictly. An object is an object, a key stands in it once, and an error is a sentence that
//! names the field and its type.
//!
//! `serde` alone reads a list as a struct, and takes the last of two values under one key. Its errors name Rust
//! types. [`read`] takes any type that derives `Deserialize`, and reads only objects as structs.

mod cursor;
mod error;
mod reader;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::cursor::Cursor;
pub use self::{error::InvalidBody, reader::Raw};
use crate::{JobSpec, Parameters};

/// Reads `text` as a `T`; errors call the whole of it `name`.
///
/// A field that is `null` counts as absent.
///
/// # Errors
/// [`InvalidBody`], as [`check`], or when a value does not fit.
///
/// ```
/// use job_core::strict;
/// use serde::Deserialize;
///
/// #[derive(Debug, Deserialize)]
/// struct Search {
///     k: u32,
/// }
///
/// assert_eq!(strict::read::<Search>("the body", r#"{"k": 3}"#)?.k, 3);
/// for (text, why) in [
///     ("[3]", "the body is a list: it must be a JSON object"),
///     (r#"{"k": "3"}"#, r#"k is "3": it must be a whole number from 0 to 4294967295"#),
///     (r#"{"k": 3, "k": 4}"#, "k is given twice: give it once"),
///     ("{}", "k is missing: give it"),
/// ] {
///     assert_eq!(strict::read::<Search>("the body", text).unwrap_err().to_string(), why);
/// }
/// # Ok::<(), strict::InvalidBody>(())
/// ```
pub fn read<'b, T: Deserialize<'b>>(name: &'static str, text: &'b str) -> Result<T, InvalidBody> {
    check(name, text)?;
    T::deserialize(&mut Cursor::new(text)).map_err(|error| error.of(name))
}

/// Takes `text` as parameters, byte for byte, if it is one JSON object by the rules of [`check`].
///
/// # Errors
/// Those of [`check`], and an error if the text is no JSON object.
///
/// ```
/// use job_core::strict;
///
/// assert_eq!(strict::object("the body", r#"{"k":  1.50}"#.to_owned())?.as_str(), r#"{"k":  1.50}"#);
/// let list = strict::object("the body", "[1.50]".to_owned()).unwrap_err();
/// assert_eq!(list.to_string(), "the body is a list: it must be a JSON object");
/// # Ok::<(), strict::InvalidBody>(())
/// ```
pub fn object(name: &'static str, text: String) -> Result<Parameters, InvalidBody> {
    let is_blank = text.trim().is_empty();
    let parameters =
        Parameters::from_text(text).map_err(|error| InvalidBody::syntax(is_blank, &error).of(name))?;
    let mut cursor = Cursor::new(parameters.as_str());
    if cursor.peek() != b'{' {
        return Err(cursor.misfit("a JSON object").of(name));
    }
    check_keys(parameters.as_str()).map_err(|error| error.of(name))?;
    Ok(parameters)
}

/// Checks that `text` is one JSON value, that no object in it has a key twice, and that it is not nested deeper
/// than [`JobSpec::MAX_DEPTH`]. Cost: two passes over the text, and memory for the keys of open objects.
///
/// # Errors
/// [`InvalidBody`] says which rule the text breaks.
pub fn check(name: &'static str, text: &str) -> Result<(), InvalidBody> {
    let valid = serde_json::from_str::<&RawValue>(text);
    valid.map_err(|error| InvalidBody::syntax(text.trim().is_empty(), &error).of(name))?;
    check_keys(text).map_err(|error| error.of(name))
}

/// The second pass, over text that is known to be JSON.
fn check_keys(text: &str) -> Result<(), InvalidBody> {
    let mut cursor = Cursor::new(text);
    let mut keys = Vec::new();
    // For each open object the place of its first key in `keys`; `None` for a list.
    let mut open: Vec<Option<usize>> = Vec::new();
    loop {
        match cursor.peek() {
            Cursor::END => return Ok(()),
            b'"' => {
                let text = cursor.string()?;
                if cursor.peek() == b':' {
                    keys.push(text);
                }
            }
            bracket @ (b'{' | b'[') => {
                open.push((bracket == b'{').then_some(keys.len()));
                if open.len() > JobSpec::MAX_DEPTH {
                    return Err(InvalidBody::too_deep());
                }
                cursor.step();
            }
            b'}' | b']' => {
                if let Some(Some(first)) = open.pop() {
                    let own = keys.get_mut(first..).unwrap_or_default();
                    own.sort_unstable();
                    if let Some(twice) =
                        own.windows(2).find_map(|two| (two.first() == two.last()).then(|| two.first()))
                    {
                        return Err(InvalidBody::twice(twice.map_or("", |key| key)));
                    }
                    keys.truncate(first);
                }
                cursor.step();
            }
            b',' | b':' => cursor.step(),
            _ => drop(cursor.word()),
        }
    }
}

#[cfg(test)]
mod tests;
