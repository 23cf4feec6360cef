//! Vertex and edge filters. A request body becomes a [`Filter`], which is checked against a graph and gives the
//! matching rows.
//!
//! The body has `labels` (a list; an element matches with any of them), or `vertexFilters` / `edgeFilters`, or both:
//!
//! ```json
//! {"labels": ["user"],
//!  "vertexFilters": [{"propertyName": "Age", "predicate": "=", "values": ["18-24"], "type": "and"}],
//!  "sorts": [{"key": "Zip-code", "orderValue": "incr"}], "offset": 0, "limit": "10"}
//! ```
//!
//! * `predicate` is `=` (equal to any of `values`), `<`, `>`, `<=`, `>=` (one value), `range` (two values, both
//!   inclusive), `has` or `hasNot` (no values). A property is a list; it matches when one of its values does.
//! * `type` is `and` (the default) or `or`. Conditions are joined from left to right, each to all before it; the
//!   type of the first has no effect. Labels are then required as well.
//! * The value in the graph decides how it is compared. A number compares as a number, and never matches a text
//!   that is not one. A text compares by code point with the value as it is written. Numbers compare by their
//!   value, to the last digit: `1` equals `1.0`, and `-0` equals `0`.
//! * `sorts` order by the first value of each property: numbers before texts. Elements without the property come
//!   last in either order, and equal ones stay in graph order. A second sort by the same property has no effect.
//! * `offset` and `limit` (numbers, or numbers in strings) cut the stored result. Without them **every** row is
//!   stored. A status query pages through the stored rows, with its own offset and limit.

mod body;
mod condition;
mod error;
mod select;

use std::{ops::Range, sync::Arc};

pub(crate) use self::condition::Condition;
use self::select::Sort;
pub use self::{
    body::Subject,
    error::{Codes, FilterError},
    select::Element,
};

/// A filter that can be run on the graph it was checked against.
#[derive(Debug)]
pub struct Filter {
    /// The labels; empty for any label.
    labels: Vec<Arc<str>>,
    conditions: Vec<Condition>,
    sorts: Vec<Sort>,
    /// The matches to keep.
    window: Range<u64>,
}

impl Filter {
    /// The most conditions of one filter.
    pub const MOST_CONDITIONS: usize = 256;
    /// The most properties that one filter sorts by.
    pub const MOST_SORTS: usize = 16;

    fn matches(&self, element: &impl Element) -> bool {
        let label = element.label();
        if !self.labels.is_empty() && !self.labels.iter().any(|wanted| **wanted == *label) {
            return false;
        }
        let mut conditions = self.conditions.iter();
        let Some(first) = conditions.next() else {
            return true;
        };
        conditions.fold(first.matches(element.properties()), |so_far, condition| {
            condition.join(so_far, || condition.matches(element.properties()))
        })
    }
}
