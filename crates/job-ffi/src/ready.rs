//! [`Ready`]: text that is JSON by the word of the host.

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// JSON that is written as it is.
pub(crate) struct Ready<'a>(pub(crate) &'a str);

/// The name by which `serde_json` knows text that it writes as it is: that of its `RawValue`, whose only safe maker
/// parses.
const AS_IT_IS: &str = "$serde_json::private::RawValue";

impl Serialize for Ready<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = serializer.serialize_struct(AS_IT_IS, 1)?;
        raw.serialize_field(AS_IT_IS, self.0)?;
        raw.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A later `serde_json` may know such text by another name.
    #[test]
    fn ready_text_is_written_as_it_is() {
        for text in [r#"{"b":  1.50}"#, "no JSON", "1"] {
            assert_eq!(serde_json::to_string(&Ready(text)).unwrap(), text);
        }
    }
}
