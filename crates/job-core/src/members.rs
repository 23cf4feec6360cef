//! [`Members`]: an object of JSON as it was written.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The members of a JSON object in their order, names and values as they are spelled. A map would sort the names, and
/// drop one that is there twice.
///
/// ```
/// use job_core::Members;
///
/// let Members(members) = serde_json::from_str(r#"{"b":1.50,"a":2}"#)?;
/// let members: Vec<_> = members.iter().map(|(name, value)| (name.get(), value.get())).collect();
/// assert_eq!(members, [("\"b\"", "1.50"), ("\"a\"", "2")]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Members<'r>(pub Vec<(&'r RawValue, &'r RawValue)>);

impl<'r> Deserialize<'r> for Members<'r> {
    fn deserialize<D: Deserializer<'r>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'r> Visitor<'r> for InOrder {
            type Value = Members<'r>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'r>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
