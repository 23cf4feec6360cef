//! One condition on a property.

use std::{cmp::Ordering, sync::Arc};

use job_runner::job_core::{shown, strict::Raw};

use super::{Codes, FilterError, body::ConditionBody};
use crate::graph::{Number, Properties, Value, Vocabulary};

/// A condition and how it joins the ones before it.
#[derive(Debug)]
pub(crate) struct Condition {
    property: Arc<str>,
    test: Test,
    join: Join,
}

#[derive(Debug)]
enum Test {
    AnyOf(AnyOf),
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
    /// A condition alone, with the codes of a vertex filter.
    pub(crate) fn of(
        property: &str,
        predicate: &str,
        values: Vec<Raw<'_>>,
        field: &str,
        vocabulary: &Vocabulary,
    ) -> Result<Self, FilterError> {
        let (property_name, predicate) = (property.to_owned(), predicate.to_owned());
        let body = ConditionBody { property_name, predicate, values: Some(values), r#type: None };
        Self::compile(&body, field, vocabulary, Codes::VERTEX)
    }

    pub(super) fn compile(
        body: &ConditionBody<'_>,
        field: &str,
        vocabulary: &Vocabulary,
        codes: Codes,
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
            .zip(body.values.iter().flatten())
            .map(|(place, value)| {
                Operand::read(value).ok_or_else(|| {
                    let value = shown(value.as_str());
                    let message = format!("{field}.values[{place}] is {value}: it must be a string or a number");
                    FilterError::new(codes.condition, message)
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let test = Test::compile(&body.predicate, operands, field, codes)?;
        Ok(Self { property, test, join })
    }

    pub(crate) fn matches(&self, properties: &Properties) -> bool {
        let values = properties.get(&self.property);
        match &self.test {
            Test::Has => !values.is_empty(),
            Test::HasNot => values.is_empty(),
            test => values.iter().any(|value| test.holds(value)),
        }
    }

    /// The result so far, joined with this condition. `own` is called only if its value matters.
    pub(super) fn join(&self, so_far: bool, own: impl FnOnce() -> bool) -> bool {
        match self.join {
            Join::And => so_far && own(),
            Join::Or => so_far || own(),
        }
    }
}

impl Test {
    const NAMES: [&str; 8] = ["=", "<", ">", "<=", ">=", "range", "has", "hasNot"];

    fn compile(predicate: &str, operands: Vec<Operand>, field: &str, codes: Codes) -> Result<Self, FilterError> {
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
            "=" => Ok(Self::AnyOf(AnyOf::new(operands))),
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
            Self::AnyOf(operands) => operands.have(value),
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
    number: Option<Number>,
}

impl Operand {
    fn read(json: &Raw<'_>) -> Option<Self> {
        let json = json.as_str();
        let text = match json.as_bytes().first()? {
            b'"' => serde_json::from_str(json).ok()?,
            b'-' | b'0'..=b'9' => json.to_owned(),
            _ => return None,
        };
        Some(Self { number: Number::parse(&text), text })
    }

    /// The order of `value` and this operand; `None` if they do not compare.
    fn order_of(&self, value: &Value) -> Option<Ordering> {
        match value {
            Value::Text(text) => Some((**text).cmp(self.text.as_str())),
            number => Some(finite(number)?.order(self.number?)),
        }
    }
}

/// The number of a value. A value that is not a number compares with nothing.
fn finite(value: &Value) -> Option<Number> {
    value.exact().filter(|number| !matches!(number, Number::Double(double) if double.is_nan()))
}

/// The operands of `=`, sorted, since a request may have a hundred thousand.
#[derive(Debug)]
struct AnyOf {
    texts: Vec<String>,
    numbers: Vec<Number>,
}

impl AnyOf {
    fn new(operands: Vec<Operand>) -> Self {
        let mut numbers: Vec<Number> = operands.iter().filter_map(|operand| operand.number).collect();
        let mut texts: Vec<String> = operands.into_iter().map(|operand| operand.text).collect();
        texts.sort_unstable();
        numbers.sort_unstable_by(|left, right| left.order(*right));
        Self { texts, numbers }
    }

    fn have(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.texts.binary_search_by(|own| own.as_str().cmp(text)).is_ok(),
            number => {
                finite(number).is_some_and(|number| self.numbers.binary_search_by(|own| own.order(number)).is_ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use job_runner::job_core::strict;
    use serde_json::{Value as Json, json};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "callers write the JSON in place")]
    fn condition(predicate: &str, values: Json) -> Result<Condition, FilterError> {
        let body = json!({"propertyName": "p", "predicate": predicate, "values": values}).to_string();
        let vocabulary = Vocabulary { labels: Vec::new(), properties: vec!["p".into()] };
        Condition::compile(
            &strict::read::<ConditionBody<'_>>("the condition", &body).unwrap(),
            "vertexFilters[0]",
            &vocabulary,
            Codes::VERTEX,
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
    fn zero_has_no_sign_and_one_no_point_in_every_predicate() {
        for (sent, own) in [
            (json!([-0.0]), Value::Int(0)),
            (json!(["-0"]), Value::Int(0)),
            (json!([0]), Value::Double(-0.0)),
            (json!([1.0]), Value::Int(1)),
            (json!(["1"]), Value::Double(1.0)),
        ] {
            for (predicate, holds) in [("=", true), ("<=", true), (">=", true), ("<", false), (">", false)] {
                assert_eq!(
                    matches(predicate, sent.clone(), slice::from_ref(&own)),
                    holds,
                    "{own:?} {predicate} {sent}"
                );
            }
            let twice = json!([sent[0], sent[0]]);
            assert!(matches("range", twice, slice::from_ref(&own)), "{own:?} {sent}");
        }
    }

    #[test]
    fn digits_that_a_double_has_not_decide_in_every_predicate() {
        // 2^53 and 2^53 + 1, which is no double.
        let (even, odd) = (9_007_199_254_740_992_i64, 9_007_199_254_740_993_i64);
        for (sent, own, predicates) in [
            (json!([odd]), Value::Double(9_007_199_254_740_992.0), ["<", "<="]),
            (json!([9_007_199_254_740_992.0]), Value::Int(odd), [">", ">="]),
            (json!([odd.to_string()]), Value::Int(even), ["<", "<="]),
            (json!(["9007199254740993.0"]), Value::Int(even), ["<", "<="]),
            (json!([u64::MAX]), Value::Int(i64::MAX), ["<", "<="]),
            (json!(["-9223372036854775809"]), Value::Int(i64::MIN), [">", ">="]),
        ] {
            for predicate in ["=", "<", ">", "<=", ">="] {
                let holds = predicates.contains(&predicate);
                assert_eq!(
                    matches(predicate, sent.clone(), slice::from_ref(&own)),
                    holds,
                    "{own:?} {predicate} {sent}"
                );
            }
        }
        assert!(matches("=", json!([odd]), &[Value::Int(odd)]));
    }

    #[test]
    fn many_values_are_found_as_few_are() {
        let many: Vec<Json> =
            (0..20_000).map(|n| if n % 2 == 0 { json!(n) } else { json!(n.to_string()) }).collect();
        let many = condition("=", many.into()).unwrap();
        let has = |value: Value| many.matches(&Properties::from_iter([("p", vec![value])]));
        assert!(has(Value::Int(0)) && has(Value::Double(19_999.0)) && has(Value::from("777")));
        assert!(!has(Value::Int(20_000)) && !has(Value::Double(0.5)) && !has(Value::from("")));
        assert!(!has(Value::Double(f64::NAN)));
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
            assert_eq!(error.code.as_str(), "GES.8202");
        }
    }
}
