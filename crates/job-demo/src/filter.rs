//! Vertex and edge filters: a request body becomes a [`Filter`] that has been checked against a graph, and the
//! filter gives the rows that match.
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
//! * `type` is `and` (the default) or `or`. Filters are joined from left to right, each to all of those before it;
//!   the first one's type says nothing. Labels are then required as well.
//! * The property decides how values compare. A number in the graph compares as a number, and never matches a value
//!   that does not read as one. A text in the graph compares by code point with the value as it is written. Numbers
//!   compare by their value, to the last digit: `1` is `1.0`, and `-0` is `0`.
//! * `sorts` order by the first value of each property: numbers before texts. Elements without the property come last
//!   in either order, and equal ones stay in graph order. A property that was named before decides nothing any more,
//!   and is passed over.
//! * `offset` and `limit` (numbers, or numbers in strings) cut the result that is stored. Without them **every** row
//!   is stored: a status query pages the stored rows with an offset and limit of its own, and the two stack.

mod body;
mod condition;
mod error;
mod select;

use std::{ops::Range, sync::Arc};

pub use self::{
    body::Subject,
    error::{Codes, FilterError},
    select::Element,
};
use self::{condition::Condition, select::Sort};

/// A filter that can be run on the graph it was checked against.
#[derive(Debug)]
pub struct Filter {
    /// Empty: any label.
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
