//! One condition on a property.

use std::{cmp::Ordering, sync::Arc};

use job_runner::core::shown;
use serde_json::Value as Json;

use super::{Codes, FilterError, body::ConditionBody};
use crate::graph::{Properties, Value, Vocabulary};

/// A condition and how it joins the ones before it.
#[derive(Debug)]
pub(super) struct Condition {
    property: Arc<str>,
    test: Test,
    join: Join,
}

#[derive(Debug)]
enum Test {
    AnyOf(Vec<Operand>),
    Less(Operand),
    Greater(Operand),
    AtMost(Operand),
    AtLeast(Operand),
    Range(Operand, Operand),
    Has,
    HasNot,
}

#[derive(Debug, Clone, Copy)]
enum Join {
    And,
    Or,
}

impl Condition {
    pub(super) fn compile(
        body: &ConditionBody,
        field: &str,
        vocabulary: &Vocabulary,
        codes: &Codes,
    ) -> Result<Self, FilterError> {
        let known = vocabulary.properties.iter().find(|name| ***name == *body.property_name);
        let property = known.cloned().ok_or_else(|| {
            let field = format!("{field}.propertyName");
            FilterError::unknown(codes.condition, &field, &body.property_name, &vocabulary.properties)
        })?;
        let join = match body.r#type.as_deref() {
            None | Some("and") => Join::And,
            Some("or") => Join::Or,
            Some(other) => {
                let field = format!("{field}.type");
                return Err(FilterError::unknown(codes.condition, &field, other, &["and", "or"]));
            }
        };
        let operands = (0..)
            .zip(&body.values)
            .map(|(place, value)| {
                Operand::read(value).ok_or_else(|| {
                    let value = value.to_string();
                    let message =
                        format!("{field}.values[{place}] is {}: it must be a string or a number", shown(&value));
                    FilterError::new(codes.condition, message)
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let test = Test::compile(&body.predicate, operands, field, codes)?;
        Ok(Self { property, test, join })
    }

    pub(super) fn matches(&self, properties: &Properties) -> bool {
        let values = properties.get(&self.property);
        match &self.test {
            Test::Has => !values.is_empty(),
            Test::HasNot => values.is_empty(),
            test => values.iter().any(|value| test.holds(value)),
        }
    }

    /// What was found so far, joined with this condition; `own` is asked only when it matters.
    pub(super) fn join(&self, so_far: bool, own: impl FnOnce() -> bool) -> bool {
        match self.join {
            Join::And => so_far && own(),
            Join::Or => so_far || own(),
        }
    }
}

impl Test {
    const NAMES: [&str; 8] = ["=", "<", ">", "<=", ">=", "range", "has", "hasNot"];

    fn compile(predicate: &str, operands: Vec<Operand>, field: &str, codes: &Codes) -> Result<Self, FilterError> {
        let count = operands.len();
        let wrong = |allowed: &str| {
            let message = format!("{field}.values has {count} values: predicate {predicate} takes {allowed}");
            FilterError::new(codes.condition, message)
        };
        let one = |operands: Vec<Operand>| <[Operand; 1]>::try_from(operands).map_err(|_| wrong("exactly one"));
        let none = |test| {
            if count == 0 { Ok(test) } else { Err(wrong("none")) }
        };
        match predicate {
            "=" if count == 0 => Err(wrong("one or more")),
            "=" => Ok(Self::AnyOf(operands)),
            "<" => one(operands).map(|[value]| Self::Less(value)),
            ">" => one(operands).map(|[value]| Self::Greater(value)),
            "<=" => one(operands).map(|[value]| Self::AtMost(value)),
            ">=" => one(operands).map(|[value]| Self::AtLeast(value)),
            "range" => <[Operand; 2]>::try_from(operands)
                .map(|[low, high]| Self::Range(low, high))
                .map_err(|_| wrong("exactly two, the low and the high end")),
            "has" => none(Self::Has),
            "hasNot" => none(Self::HasNot),
            other => {
                let field = format!("{field}.predicate");
                Err(FilterError::unknown(codes.predicate, &field, other, &Self::NAMES))
            }
        }
    }

    fn holds(&self, value: &Value) -> bool {
        let compares =
            |operand: &Operand, wanted: fn(Ordering) -> bool| operand.order_of(value).is_some_and(wanted);
        match self {
            Self::AnyOf(operands) => operands.iter().any(|operand| compares(operand, Ordering::is_eq)),
            Self::Less(operand) => compares(operand, Ordering::is_lt),
            Self::Greater(operand) => compares(operand, Ordering::is_gt),
            Self::AtMost(operand) => compares(operand, Ordering::is_le),
            Self::AtLeast(operand) => compares(operand, Ordering::is_ge),
            Self::Range(low, high) => compares(low, Ordering::is_ge) && compares(high, Ordering::is_le),
            Self::Has => true,
            Self::HasNot => false,
        }
    }
}

/// A value of the request, readable as a text and perhaps as a number.
#[derive(Debug)]
struct Operand {
    text: String,
    number: Option<Value>,
}

impl Operand {
    fn read(json: &Json) -> Option<Self> {
        let text = match json {
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            _ => return None,
        };
        let whole = || text.parse().ok().map(Value::Int);
        let double = || text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Double);
        Some(Self { number: whole().or_else(double), text })
    }

    /// How `value` lies to this operand; `None` when the two do not compare.
    fn order_of(&self, value: &Value) -> Option<Ordering> {
        match value {
            Value::Text(text) => Some((**text).cmp(self.text.as_str())),
            number => self.number.as_ref().map(|own| number.order(own)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "callers write the JSON in place")]
    fn condition(predicate: &str, values: Json) -> Result<Condition, FilterError> {
        let body = json!({"propertyName": "p", "predicate": predicate, "values": values});
        let vocabulary = Vocabulary { labels: Vec::new(), properties: vec!["p".into()] };
        Condition::compile(
            &serde_json::from_value::<ConditionBody>(body).unwrap(),
            "vertexFilters[0]",
            &vocabulary,
            &Codes::VERTEX,
        )
    }

    fn matches(predicate: &str, values: Json, property: &[Value]) -> bool {
        let properties = if property.is_empty() {
            Properties::default()
        } else {
            Properties::from_iter([("p", property.to_vec())])
        };
        condition(predicate, values).unwrap().matches(&properties)
    }

    #[test]
    fn numbers_compare_as_numbers_whichever_way_they_are_sent() {
        let nine = [Value::Int(9)];
        for ten in [json!([10]), json!(["10"]), json!([10.0]), json!(["1e1"])] {
            assert!(matches("<", ten.clone(), &nine), "{ten}");
            assert!(matches("=", ten.clone(), &[Value::Double(10.0)]), "{ten}");
        }
        assert!(matches("range", json!(["9", 10]), &nine));
        assert!(!matches("range", json!([10, 9]), &nine));
        assert!(!matches("=", json!([9_007_199_254_740_993_i64]), &[Value::Int(9_007_199_254_740_992)]));
    }

    #[test]
    fn texts_compare_by_code_point() {
        let age = [Value::from("18-24")];
        assert!(matches("=", json!(["x", "18-24"]), &age));
        assert!(matches("<", json!(["9"]), &age));
        assert!(matches("=", json!([55105]), &[Value::from("55105")]));
        assert!(matches(">=", json!(["莎"]), &[Value::from("莎拉")]));
    }

    #[test]
    fn what_does_not_compare_does_not_match() {
        for predicate in ["=", "<", ">", "<=", ">="] {
            assert!(!matches(predicate, json!(["old"]), &[Value::Int(9)]), "{predicate}");
            assert!(!matches(predicate, json!(["9"]), &[]), "{predicate}");
        }
        assert!(!matches("=", json!(["NaN"]), &[Value::Double(1.0)]));
    }

    #[test]
    fn any_value_of_a_property_is_enough() {
        let genres = [Value::from("Drama"), Value::from("War")];
        assert!(matches("=", json!(["War"]), &genres));
        assert!(matches("has", json!([]), &genres) && !matches("hasNot", json!([]), &genres));
        assert!(matches("hasNot", json!([]), &[]));
    }

    #[test]
    fn the_number_of_values_is_checked() {
        for (predicate, values, expected) in [
            ("=", json!([]), "has 0 values: predicate = takes one or more"),
            ("<", json!([1, 2]), "has 2 values: predicate < takes exactly one"),
            ("range", json!([1]), "has 1 values: predicate range takes exactly two"),
            ("has", json!([1]), "has 1 values: predicate has takes none"),
            ("=", json!([true]), "values[0] is true: it must be a string or a number"),
        ] {
            let error = condition(predicate, values).unwrap_err();
            assert!(error.message.contains(expected), "{error}");
            assert_eq!(error.code, "GES.8202");
        }
    }
}
