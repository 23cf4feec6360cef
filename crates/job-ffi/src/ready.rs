//! [`Ready`]: text that the host guarantees to be JSON.

use serde::{Serialize, Serializer, ser::SerializeStruct};

/// JSON that is written unchanged and unchecked.
pub(crate) struct Ready<'a>(pub(crate) &'a str);

/// The name by which `serde_json` recognizes text that it writes unchanged. It is the name of its `RawValue`,
/// which can be made only by parsing.
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
