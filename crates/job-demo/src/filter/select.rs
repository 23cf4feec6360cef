//! Which elements a filter gives, in which order.

use std::{cmp::Ordering, sync::Arc};

use super::{Codes, Filter, FilterError, body::SortBody};
use crate::{
    graph::{Edge, Properties, Value, Vertex, Vocabulary},
    watch::{Stopped, Watch},
};

/// What a filter can look at.
pub trait Element {
    /// Its label.
    fn label(&self) -> &str;
    /// Its properties.
    fn properties(&self) -> &Properties;
}

impl Element for Vertex {
    fn label(&self) -> &str {
        &self.label
    }

    fn properties(&self) -> &Properties {
        &self.properties
    }
}

impl Element for Edge {
    fn label(&self) -> &str {
        &self.label
    }

    fn properties(&self) -> &Properties {
        &self.properties
    }
}

/// One sort: by the first value of a property.
#[derive(Debug)]
pub(super) struct Sort {
    property: Arc<str>,
    descending: bool,
}

impl Sort {
    pub(super) fn compile(
        body: &SortBody,
        field: &str,
        vocabulary: &Vocabulary,
        codes: &Codes,
    ) -> Result<Self, FilterError> {
        let known = vocabulary.properties.iter().find(|name| ***name == *body.key);
        let property = known.cloned().ok_or_else(|| {
            FilterError::unknown(codes.sort, &format!("{field}.key"), &body.key, &vocabulary.properties)
        })?;
        let descending = match body.order_value.as_deref() {
            None | Some("incr") => false,
            Some("decr") => true,
            Some(other) => {
                let field = format!("{field}.orderValue");
                return Err(FilterError::unknown(codes.sort, &field, other, &["incr", "decr"]));
            }
        };
        Ok(Self { property, descending })
    }

    fn key<'g>(&self, element: &'g impl Element) -> Option<&'g Value> {
        element.properties().get(&self.property).first()
    }

    fn order(&self, left: Option<&Value>, right: Option<&Value>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if self.descending => right.order(left),
            (Some(left), Some(right)) => left.order(right),
            (left, right) => left.is_none().cmp(&right.is_none()),
        }
    }
}

impl Filter {
    /// Hands every match, in the filter's order and within its window, to `emit`. Without `sorts` matches are
    /// handed over as they are found and nothing is collected; with them references are.
    ///
    /// # Errors
    /// The first error of `emit`, or [`Stopped`] when `watch` says so.
    pub fn select<'g, T: Element, E: From<Stopped>>(
        &self,
        elements: &'g [T],
        watch: &dyn Watch,
        mut emit: impl FnMut(&'g T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut found = 0_u64;
        let mut collected = Vec::new();
        let mut done = 0_u64;
        for chunk in elements.chunks(Self::CHUNK) {
            watch.checkpoint()?;
            watch.progress(done, elements.len() as u64);
            for element in chunk.iter().filter(|element| self.matches(*element)) {
                if !self.sorts.is_empty() {
                    collected.push((self.keys(element), element));
                } else if found >= self.window.end {
                    return Ok(());
                } else {
                    if found >= self.window.start {
                        emit(element)?;
                    }
                    found = found.saturating_add(1);
                }
            }
            done = done.saturating_add(chunk.len() as u64);
        }
        collected.sort_by(|(left, _), (right, _)| self.order(left, right));
        let place = |bound: u64| usize::try_from(bound).unwrap_or(usize::MAX).min(collected.len());
        let window = place(self.window.start)..place(self.window.end);
        for (number, (_, element)) in collected.get(window).unwrap_or_default().iter().enumerate() {
            if number.is_multiple_of(Self::CHUNK) {
                watch.checkpoint()?;
            }
            emit(element)?;
        }
        Ok(())
    }

    /// How many elements are looked at between two checkpoints: well below a millisecond of work.
    const CHUNK: usize = 1024;

    /// Looked up once, not at each comparison.
    fn keys<'g>(&self, element: &'g impl Element) -> Box<[Option<&'g Value>]> {
        self.sorts.iter().map(|sort| sort.key(element)).collect()
    }

    fn order(&self, left: &[Option<&Value>], right: &[Option<&Value>]) -> Ordering {
        let mut orders =
            self.sorts.iter().zip(left.iter().zip(right)).map(|(sort, (left, right))| sort.order(*left, *right));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        filter::Subject,
        graph::Graph,
        movies,
        watch::{Unwatched, tests::StopAt},
    };

    fn ids(graph: &Graph, body: &str) -> Vec<String> {
        let filter = Filter::compile(body, Subject::Vertices, graph).unwrap();
        let mut ids = Vec::new();
        filter
            .select(graph.vertices(), &Unwatched, |vertex| {
                ids.push(vertex.id.to_string());
                Ok::<_, Stopped>(())
            })
            .unwrap();
        ids
    }

    const YOUNG: &str = r#"{"propertyName":"Age","predicate":"=","values":["18-24"]}"#;

    #[test]
    fn the_documents_filter_gives_nineteen_users() {
        let graph = movies::load().unwrap();
        let all = ids(&graph, &format!(r#"{{"vertexFilters":[{YOUNG}]}}"#));
        assert_eq!((all.len(), all[0].as_str(), all[1].as_str()), (19, "Sarah", "Sidney"));
        let cut = ids(&graph, &format!(r#"{{"vertexFilters":[{YOUNG}],"offset":"1","limit":2}}"#));
        assert_eq!(cut, all[1..3]);
        assert!(ids(&graph, &format!(r#"{{"vertexFilters":[{YOUNG}],"limit":0}}"#)).is_empty());
        assert!(ids(&graph, &format!(r#"{{"vertexFilters":[{YOUNG}],"offset":19}}"#)).is_empty());
    }

    #[test]
    fn conditions_join_from_left_to_right() {
        let graph = movies::load().unwrap();
        let or = r#"{"propertyName":"Age","predicate":"=","values":["56+"],"type":"or"}"#;
        let and = r#"{"propertyName":"Gender","predicate":"=","values":["M"]}"#;
        let body = |filters: &str| format!(r#"{{"labels":["user"],"vertexFilters":[{filters}]}}"#);
        let left = ids(&graph, &body(&format!("{YOUNG},{or},{and}")));
        let both = ids(
            &graph,
            &body(
                r#"{"propertyName":"Age","predicate":"=","values":["18-24","56+"]},{"propertyName":"Gender","predicate":"=","values":["M"]}"#,
            ),
        );
        assert_eq!(left, both);
        assert!(left.len() > 5);
        assert!(
            ids(&graph, r#"{"labels":["movie"],"vertexFilters":[{"propertyName":"Age","predicate":"has"}]}"#)
                .is_empty()
        );
    }

    #[test]
    fn sorts_are_stable_and_put_absent_values_last() {
        let graph = movies::load().unwrap();
        let body = |order: &str| {
            format!(
                r#"{{"labels":["movie","user"],"sorts":[{{"key":"Year","orderValue":"{order}"}}],"limit":61}}"#
            )
        };
        let rising = ids(&graph, &body("incr"));
        let falling = ids(&graph, &body("decr"));
        assert_eq!((rising[0].as_str(), falling[0].as_str()), ("The Long Corridor", "Circuit of Swallows"));
        assert_eq!((rising[60].as_str(), falling[60].as_str()), ("Sarah", "Sarah"));
    }

    #[test]
    fn a_filter_that_matches_nothing_can_be_stopped() {
        let graph = movies::load().unwrap();
        let body = r#"{"vertexFilters":[{"propertyName":"Year","predicate":"=","values":["x"]}]}"#;
        let filter = Filter::compile(body, Subject::Vertices, &graph).unwrap();
        assert_eq!(filter.select(graph.vertices(), &StopAt::new(1), |_| Ok(())), Err(Stopped));
    }
}
