//! [`Value`] and [`Properties`]: what vertices and edges carry.

use std::{cmp::Ordering, sync::Arc};

use serde::{Serialize, Serializer};

/// One value of a property.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A finite number.
    Double(f64),
    /// A text.
    Text(Arc<str>),
}

impl Value {
    /// The value as a number; `None` for a text. Whole numbers beyond 2^53 lose their last digits.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "documented")]
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            Self::Text(_) => None,
        }
    }

    /// Orders numbers as numbers, texts by code point, and every number before every text.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Text(_), _) => Ordering::Greater,
            (_, Self::Text(_)) => Ordering::Less,
            (left, right) => {
                let number = |value: &Self| value.number().unwrap_or_default();
                number(left).total_cmp(&number(right))
            }
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Double(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

/// Property names, each with its list of values, in the order in which they were given.
///
/// A list rather than a map: elements have a handful of properties, and a result shows them in their own order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Properties(Box<[Property]>);

type Property = (Arc<str>, Box<[Value]>);

impl Properties {
    /// The values of a property; empty when there is no such property.
    #[must_use]
    pub fn get(&self, name: &str) -> &[Value] {
        self.0.iter().find(|(own, _)| **own == *name).map_or(&[], |(_, values)| values)
    }

    /// The property names.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter().map(|(name, _)| name)
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Vec<Value>)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, Vec<Value>)>>(properties: I) -> Self {
        Self(properties.into_iter().map(|(name, values)| (name.into(), values.into())).collect())
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, values)| (&**name, &**values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_before_texts_and_compare_by_size() {
        let ordered = [Value::from(-1), Value::from(2.5), Value::from(3), Value::from("10"), Value::from("9")];
        for pair in ordered.windows(2) {
            assert_eq!(pair[0].order(&pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(pair[1].order(&pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(Value::from(3).order(&Value::from(3.0)), Ordering::Equal);
    }
}
