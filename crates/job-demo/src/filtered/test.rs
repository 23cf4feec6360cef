//! [`Test`]: the filter of a layer.

use std::sync::Arc;

use job_runner::job_core::{
    shown,
    strict::{self, Raw},
};

use super::body::{FilteredError, PropertyFilter, Side};
use crate::{
    filter::{Condition, Element},
    graph::{Value, Vocabulary},
};

/// A test of one vertex or edge.
#[derive(Debug)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    /// The label is this one, or is not.
    Label {
        name: String,
        is: bool,
    },
    /// A property meets a condition. If `is` is not set, there is the property and it does not.
    Property {
        name: Arc<str>,
        condition: Condition,
        is: bool,
    },
    /// A property has this part in one of its values.
    Text {
        name: Arc<str>,
        part: String,
        place: Place,
    },
}

/// Where the part of a text is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Beginning,
    Anywhere,
}

const PREDICATES: &str = "=, !=, <, <=, >, >=, &, |, HAS, HASNOT, IN, NOTIN, PREFIX, SUBSTRING";

impl Test {
    pub(super) fn compile(
        body: &PropertyFilter<'_>,
        field: &str,
        vocabulary: &Vocabulary,
    ) -> Result<Self, FilteredError> {
        let sides = || -> Result<Vec<Self>, FilteredError> {
            let left = Self::side(&body.leftvalue, &format!("{field}.leftvalue"), vocabulary)?;
            Ok(vec![left, Self::side(&body.rightvalue, &format!("{field}.rightvalue"), vocabulary)?])
        };
        match (&*body.predicate, &body.leftvalue) {
            ("&", _) => Ok(Self::All(sides()?)),
            ("|", _) => Ok(Self::Any(sides()?)),
            (_, Side { label_name: Some(_), .. }) => Self::label(body, field),
            (_, Side { property_name: Some(name), .. }) => Self::property(body, name, field, vocabulary),
            _ => Err(FilteredError(format!("{field}.leftvalue names neither label_name nor property_name"))),
        }
    }

    fn side(side: &Side<'_>, field: &str, vocabulary: &Vocabulary) -> Result<Self, FilteredError> {
        let missing = || FilteredError(format!("{field}.property_filter is missing: & and | join two filters"));
        let body = side.property_filter.as_ref().ok_or_else(missing)?;
        Self::compile(body, &format!("{field}.property_filter"), vocabulary)
    }

    fn label(body: &PropertyFilter<'_>, field: &str) -> Result<Self, FilteredError> {
        let is = match &*body.predicate {
            "=" => true,
            "!=" => false,
            other => return Err(unknown(field, other, "= or != for a label")),
        };
        Ok(Self::Label { name: text(&body.rightvalue, field)?, is })
    }

    fn property(
        body: &PropertyFilter<'_>,
        name: &str,
        field: &str,
        vocabulary: &Vocabulary,
    ) -> Result<Self, FilteredError> {
        let given = body.rightvalue.value;
        let known = vocabulary.properties.iter().find(|known| ***known == *name).cloned();
        let name = known.ok_or_else(|| {
            let name = shown(name);
            FilteredError(format!("{field}.leftvalue.property_name is {name:?}: no element of the graph has it"))
        })?;
        let condition = |predicate: &str, values: Vec<Raw<'_>>, is: bool| {
            let condition = Condition::of(&name, predicate, values, field, vocabulary);
            let condition = condition.map_err(|error| FilteredError(error.message))?;
            Ok(Self::Property { name: Arc::clone(&name), condition, is })
        };
        let one = || given.map(|value| vec![value]).unwrap_or_default();
        let part = |place| Ok(Self::Text { name: Arc::clone(&name), part: text(&body.rightvalue, field)?, place });
        match &*body.predicate {
            "=" | "<" | ">" | "<=" | ">=" => condition(&body.predicate, one(), true),
            "!=" => condition("=", one(), false),
            "IN" => condition("=", list(given, field)?, true),
            "NOTIN" => condition("=", list(given, field)?, false),
            "HAS" => condition("has", Vec::new(), true),
            "HASNOT" => condition("hasNot", Vec::new(), true),
            "PREFIX" => part(Place::Beginning),
            "SUBSTRING" => part(Place::Anywhere),
            other => Err(unknown(field, other, &format!("one of {PREDICATES}"))),
        }
    }

    /// Whether an element passes.
    pub(super) fn passes(&self, element: &impl Element) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.passes(element)),
            Self::Any(tests) => tests.iter().any(|test| test.passes(element)),
            Self::Label { name, is } => (element.label() == name) == *is,
            Self::Property { condition, is: true, .. } => condition.matches(element.properties()),
            Self::Property { name, condition, is: false } => {
                !element.properties().get(name).is_empty() && !condition.matches(element.properties())
            }
            Self::Text { name, part, place } => {
                element.properties().get(name).iter().any(|value| place.has(value, part))
            }
        }
    }
}

impl Place {
    fn has(self, value: &Value, part: &str) -> bool {
        let json = serde_json::to_value(value).unwrap_or_default();
        let text = json.as_str().map_or_else(|| json.to_string(), str::to_owned);
        match self {
            Self::Beginning => text.starts_with(part),
            Self::Anywhere => text.contains(part),
        }
    }
}

fn unknown(field: &str, given: &str, allowed: &str) -> FilteredError {
    FilteredError(format!("{field}.predicate is {:?}: it must be {allowed}", shown(given)))
}

fn text(side: &Side<'_>, field: &str) -> Result<String, FilteredError> {
    let given = side.value.map_or("missing", |value| value.as_str());
    let wrong = |_| FilteredError(format!("{field}.rightvalue.value is {}: it must be a string", shown(given)));
    serde_json::from_str(given).map_err(wrong)
}

/// The values of a list, each as its text.
fn list<'b>(given: Option<Raw<'b>>, field: &str) -> Result<Vec<Raw<'b>>, FilteredError> {
    let given = given.map_or("missing", |value| value.as_str());
    let values = strict::read("the list", given);
    values.map_err(|_| FilteredError(format!("{field}.rightvalue.value is {}: it must be a list", shown(given))))
}
