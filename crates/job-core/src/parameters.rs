//! [`Parameters`]: JSON text that a job is given.

use serde::{Deserialize, Serialize, de::DeserializeOwned, ser::Error as _};
use serde_json::value::RawValue;

use crate::{
    Members, append_json,
    strict::{self, InvalidBody},
};

/// Parameters of a job: JSON text, checked once and kept unchanged.
///
/// Kept as text, because an engine moves parameters far more often than it reads them, and a job list shows the text
/// again.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(Box<RawValue>);

impl Parameters {
    /// Serializes `value`.
    ///
    /// # Errors
    /// When the value does not serialize to JSON, or has a number that is NaN or infinite.
    /// [`OrNull`](crate::OrNull) writes `null` for such a number.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        let mut json = Vec::new();
        append_json(&mut json, value, usize::MAX).map_err(serde_json::Error::custom)?;
        let text = String::from_utf8(json).map_err(serde_json::Error::custom)?;
        RawValue::from_string(text).map(Self)
    }

    /// Takes JSON text.
    ///
    /// # Errors
    /// When `text` is not one JSON value; the error names line and column.
    ///
    /// ```
    /// use job_core::Parameters;
    ///
    /// assert!(Parameters::from_text(r#"{"k": 3}"#.to_owned()).is_ok());
    /// assert!(Parameters::from_text("{".to_owned()).is_err());
    /// ```
    pub fn from_text(text: String) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text).map(Self)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The same without the members whose names are not known, and those names. Of what is no object, all is kept.
    ///
    /// ```
    /// use job_core::Parameters;
    ///
    /// let given = Parameters::from_text(r#"{"k": 3, "alhpa":0.1,"a":1.50}"#.to_owned())?;
    /// let (known, unknown) = given.only(|name| ["a", "k"].contains(&name));
    /// assert_eq!((known.as_str(), unknown), (r#"{"k":3,"a":1.50}"#, vec!["alhpa".to_owned()]));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn only(self, known: impl Fn(&str) -> bool) -> (Self, Vec<String>) {
        let Ok(Members(members)) = serde_json::from_str(self.as_str()) else { return (self, Vec::new()) };
        let (mut kept, mut unknown) = (Vec::new(), Vec::new());
        for (name, value) in members {
            match serde_json::from_str::<String>(name.get()) {
                Ok(spelled) if !known(&spelled) => unknown.push(spelled),
                _ => kept.push(format!("{name}:{value}")),
            }
        }
        if unknown.is_empty() {
            return (self, unknown);
        }
        // Members that were read stand side by side again, so this is an object.
        match Self::from_text(format!("{{{}}}", kept.join(","))) {
            Ok(parameters) => (parameters, unknown),
            Err(_) => (self, Vec::new()),
        }
    }

    /// Whether more than `most` arrays and objects are inside one another. Text that was only checked may be as deep
    /// as it is long, and breaks a recursive reader.
    pub(crate) fn is_deeper_than(&self, most: usize) -> bool {
        let text = self.as_str();
        // Every level has two brackets.
        if text.len() < 2 * most {
            return false;
        }
        let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
        text.bytes().any(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'[' | b'{' if !in_string => depth += 1,
                b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth > most
        })
    }

    /// Reads the parameters [strictly](crate::strict) as a type of the caller's.
    ///
    /// # Errors
    /// When the parameters do not fit the type. It names the field and the expected type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, InvalidBody> {
        strict::read("parameters", self.0.get())
    }
}

/// No parameters: `{}`.
impl Default for Parameters {
    fn default() -> Self {
        // `to_raw_value` of an empty map cannot fail; `null` stands in so that nothing here can panic.
        serde_json::value::to_raw_value(&serde_json::Map::new())
            .map_or_else(|_| Self(RawValue::NULL.to_owned()), Self)
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// The first part of a JSON text that no reader can turn into a value, though it is JSON. It is a number greater than
/// any floating-point number, or half of a character.
pub(crate) fn unreadable(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let part = bytes.get(at..).unwrap_or_default();
        let length = match byte {
            b'"' => {
                let string = text.get(at..at + string_length(part)).unwrap_or_default();
                if let Some(half) = half_character(string) {
                    return Some(half);
                }
                string.len()
            }
            b'-' | b'0'..=b'9' => {
                let length =
                    part.iter().take_while(|byte| matches!(byte, b'+' | b'-' | b'.' | b'0'..=b'9' | b'e' | b'E'));
                let number = text.get(at..at + length.count()).unwrap_or_default();
                // A short number without an exponent is never too great.
                let may_be_great = number.len() > 300 || number.contains(['e', 'E']);
                if may_be_great && number.parse::<f64>().is_ok_and(f64::is_infinite) {
                    return Some(number);
                }
                number.len()
            }
            _ => 1,
        };
        at += length.max(1);
    }
    None
}

/// The bytes of the string that begins here, its quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().skip(1).position(|byte| {
        let ends = !escaped && *byte == b'"';
        escaped = !escaped && *byte == b'\\';
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// The first escape in a string that stands for half of a character alone.
fn half_character(string: &str) -> Option<&str> {
    let mut rest = string;
    while let Some(at) = rest.find('\\') {
        rest = rest.get(at..).unwrap_or_default();
        let code = |at: usize| {
            let escape = rest.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(escape, 16).ok()
        };
        let length = match (code(0), code(6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => return rest.get(..6),
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    None
}
