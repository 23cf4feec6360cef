//! [`Value`] and [`Properties`]: the properties of vertices and edges.

use std::{cmp::Ordering, sync::Arc};

use serde::{Serialize, Serializer};

/// A number of any size, which is compared by its value, without loss of digits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Whole(i128),
    Double(f64),
}

impl Number {
    /// Reads a number as JSON and people write it; `None` for anything else, and for what is not finite.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // `10.0` is a whole number, and may have more digits than a double keeps.
        let whole = text.split_once('.').filter(|(whole, rest)| {
            whole.ends_with(|digit: char| digit.is_ascii_digit())
                && !rest.is_empty()
                && rest.bytes().all(|digit| digit == b'0')
        });
        let double = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Double);
        whole.map_or(text, |(whole, _)| whole).parse().ok().map(Self::Whole).or_else(double)
    }

    /// The order by value: `1` equals `1.0`, and `-0` equals `0`. Values that are not numbers come last.
    pub(crate) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => left.cmp(&right),
            (Self::Double(left), Self::Double(right)) => {
                left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
            }
            (Self::Whole(left), Self::Double(right)) => order(left, right),
            (Self::Double(left), Self::Whole(right)) => order(right, left).reverse(),
        }
    }
}

/// Compares without rounding the whole number.
fn order(whole: i128, double: f64) -> Ordering {
    /// 2^127, which no whole number reaches.
    #[expect(clippy::cast_precision_loss, reason = "a power of two is a double")]
    const END: f64 = (1_u128 << 127) as f64;
    if double.is_nan() || double >= END {
        return Ordering::Less;
    }
    if double < -END {
        return Ordering::Greater;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is between the ends, and the fraction is compared below"
    )]
    let floor = double.floor() as i128;
    let fraction = double.fract() != 0.0;
    whole.cmp(&floor).then(if fraction { Ordering::Less } else { Ordering::Equal })
}

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

    /// The number, with all its digits; `None` for a text.
    pub(crate) fn exact(&self) -> Option<Number> {
        match self {
            Self::Int(number) => Some(Number::Whole((*number).into())),
            Self::Double(number) => Some(Number::Double(*number)),
            Self::Text(_) => None,
        }
    }

    /// Orders numbers by their value, so that `1` is `1.0` and `-0` is `0`; texts by code point; and every number
    /// before every text.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (left, right) => match (left.exact(), right.exact()) {
                (Some(left), Some(right)) => left.order(right),
                (left, right) => left.is_none().cmp(&right.is_none()),
            },
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
/// A list and not a map, because elements have a handful of properties, and a result shows them in their order.
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

    #[test]
    fn numbers_compare_by_value_to_the_last_digit() {
        let ascending = [
            "-1e300",
            "-170141183460469231731687303715884105728",
            "-9223372036854775809",
            "-9223372036854775808",
            "-1.5",
            "-1",
            "-0.5",
            "0",
            "5e-324",
            "1",
            "1.5",
            "9007199254740992",
            "9007199254740993.0",
            "9007199254740994",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "170141183460469231731687303715884105727",
            "170141183460469231731687303715884105728",
            "1e300",
        ];
        let numbers = ascending.map(|text| Number::parse(text).unwrap());
        for (left, one) in numbers.iter().enumerate() {
            for (right, other) in numbers.iter().enumerate() {
                assert_eq!(one.order(*other), left.cmp(&right), "{} {}", ascending[left], ascending[right]);
            }
        }
        for equal in [["1", "1.0"], ["1", "1.000"], ["-0", "0"], ["-0.0", "0"], ["1e3", "1000"], ["-1.0", "-1e0"]]
        {
            let [left, right] = equal.map(|text| Number::parse(text).unwrap());
            assert_eq!(left.order(right), Ordering::Equal, "{equal:?}");
        }
        for text in ["", "x", "NaN", "inf", "-inf", "1e999", ".", "-", "0x10", "1,0"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        for number in [Value::from(i64::MAX), Value::from(f64::MAX), Value::from(-0.0)] {
            assert_eq!(number.order(&Value::from(f64::NAN)), Ordering::Less);
        }
        assert_eq!(Value::from(-0.0).order(&Value::from(0)), Ordering::Equal);
    }
}
