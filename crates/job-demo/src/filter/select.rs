//! The matching elements of a filter, in its order.

use std::{cmp::Ordering, sync::Arc};

use job_runner::job_core::shown;

use super::{Codes, Filter, FilterError, Subject, body::SortBody};
use crate::{
    graph::{Edge, Properties, Value, Vertex, Vocabulary},
    watch::{Stopped, Watch},
};

/// The elements that a filter can look at.
pub trait Element {
    /// Its id, if it has one.
    fn id(&self) -> Option<&str> {
        None
    }
    /// Its label.
    fn label(&self) -> &str;
    /// Its properties.
    fn properties(&self) -> &Properties;
}

impl Element for Vertex {
    fn id(&self) -> Option<&str> {
        Some(&self.id)
    }

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

/// One sort: by the id, the label, or the first value of a property.
#[derive(Debug)]
pub(super) struct Sort {
    by: By,
    descending: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum By {
    Id,
    Label,
    Property(Arc<str>),
}

/// A value that a sort compares.
#[derive(Debug, Clone, Copy)]
enum Key<'g> {
    Text(&'g str),
    Value(&'g Value),
}

/// The first sort by each key: a second one by the same has no effect.
pub(super) fn sorts(
    given: &[SortBody],
    subject: Subject,
    vocabulary: &Vocabulary,
    codes: Codes,
) -> Result<Vec<Sort>, FilterError> {
    let mut sorts: Vec<Sort> = Vec::new();
    for (place, body) in given.iter().enumerate() {
        let sort = Sort::compile(body, subject, &format!("sorts[{place}]"), vocabulary, codes)?;
        if sorts.iter().all(|known| known.by != sort.by) {
            sorts.push(sort);
        }
        if sorts.len() > Filter::MOST_SORTS {
            return Err(FilterError::too_many(codes.sort, "sorts", given.len(), "properties", Filter::MOST_SORTS));
        }
    }
    Ok(sorts)
}

impl By {
    /// The key of a sort. As an extension, `key` may be the name of a property, and `propertyName` may stand alone.
    fn compile(
        body: &SortBody,
        subject: Subject,
        field: &str,
        vocabulary: &Vocabulary,
        codes: Codes,
    ) -> Result<Self, FilterError> {
        let property = |field: String, name: &str| {
            let known = vocabulary.properties.iter().find(|known| ***known == *name);
            let unknown = || FilterError::unknown(codes.sort, &field, name, &vocabulary.properties);
            known.cloned().map(Self::Property).ok_or_else(unknown)
        };
        match (body.key.as_deref(), body.property_name.as_deref()) {
            (Some("id"), None) if subject == Subject::Vertices => Ok(Self::Id),
            (Some("label"), None) => Ok(Self::Label),
            (Some("property") | None, Some(name)) => property(format!("{field}.propertyName"), name),
            (Some("property"), None) => {
                let message =
                    format!("{field}.propertyName is missing: it must name the property of the key property");
                Err(FilterError::new(codes.sort, message))
            }
            (Some(name), None) => property(format!("{field}.key"), name),
            (Some(key), Some(_)) => {
                let message = format!(
                    "{field}.propertyName is given: it belongs to the key property, not to {}",
                    shown(key)
                );
                Err(FilterError::new(codes.sort, message))
            }
            (None, None) => {
                let message = format!("{field}.key is missing: it must be one of id, label, property");
                Err(FilterError::new(codes.sort, message))
            }
        }
    }
}

impl Sort {
    fn compile(
        body: &SortBody,
        subject: Subject,
        field: &str,
        vocabulary: &Vocabulary,
        codes: Codes,
    ) -> Result<Self, FilterError> {
        let by = By::compile(body, subject, field, vocabulary, codes)?;
        let descending = match body.order_value.as_deref() {
            None | Some("incr") => false,
            Some("decr") => true,
            Some(other) => {
                let field = format!("{field}.orderValue");
                return Err(FilterError::unknown(codes.sort, &field, other, &["incr", "decr"]));
            }
        };
        Ok(Self { by, descending })
    }

    fn key<'g>(&self, element: &'g impl Element) -> Option<Key<'g>> {
        match &self.by {
            By::Id => element.id().map(Key::Text),
            By::Label => Some(Key::Text(element.label())),
            By::Property(name) => element.properties().get(name).first().map(Key::Value),
        }
    }

    fn order(&self, left: Option<Key<'_>>, right: Option<Key<'_>>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if self.descending => right.order(left),
            (Some(left), Some(right)) => left.order(right),
            (left, right) => left.is_none().cmp(&right.is_none()),
        }
    }
}

impl Key<'_> {
    /// Two keys of one sort are of one kind.
    fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Value(left), Self::Value(right)) => left.order(right),
            (Self::Text(_), Self::Value(_)) => Ordering::Less,
            (Self::Value(_), Self::Text(_)) => Ordering::Greater,
        }
    }
}

/// A match, with its sort values, which are looked up once.
struct Found<'g, T> {
    keys: Box<[Option<Key<'g>>]>,
    element: &'g T,
}

impl Filter {
    /// Passes every match, in the filter's order and within its window, to `emit`. Without `sorts`, matches are
    /// passed as they are found, and none is kept. With `sorts`, references are kept, at most twice as many as the
    /// end of the window, and `watch` gets their memory.
    ///
    /// # Errors
    /// The first error of `emit`, or [`Stopped`] if `watch` stops the work.
    pub fn select<'g, T: Element, E: From<Stopped>>(
        &self,
        elements: &'g [T],
        watch: &dyn Watch,
        emit: impl FnMut(&'g T) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.sorts.is_empty() {
            self.select_in_order(elements, watch, emit)?;
        } else {
            self.select_sorted(elements, watch, emit)?;
        }
        watch.progress(elements.len() as u64, elements.len() as u64);
        Ok(())
    }

    fn select_in_order<'g, T: Element, E: From<Stopped>>(
        &self,
        elements: &'g [T],
        watch: &dyn Watch,
        mut emit: impl FnMut(&'g T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut found = 0_u64;
        for chunk in self.chunks(elements, watch) {
            for element in chunk?.iter().filter(|element| self.matches(*element)) {
                if found >= self.window.end {
                    return Ok(());
                }
                if found >= self.window.start {
                    emit(element)?;
                }
                found = found.saturating_add(1);
            }
        }
        Ok(())
    }

    fn select_sorted<'g, T: Element, E: From<Stopped>>(
        &self,
        elements: &'g [T],
        watch: &dyn Watch,
        mut emit: impl FnMut(&'g T) -> Result<(), E>,
    ) -> Result<(), E> {
        let [start, end] =
            [self.window.start, self.window.end].map(|bound| usize::try_from(bound).unwrap_or(usize::MAX));
        let mut found = Vec::new();
        for chunk in self.chunks(elements, watch) {
            let matches = chunk?.iter().filter(|element| self.matches(*element));
            found.extend(matches.map(|element| Found { keys: self.keys(element), element }));
            watch.memory(self.bytes(&found))?;
            if found.len() / 2 >= end.max(Self::CHUNK) {
                self.sort(&mut found, end);
            }
        }
        self.sort(&mut found, end);
        for (number, found) in found.iter().skip(start).enumerate() {
            if number.is_multiple_of(Self::CHUNK) {
                watch.check_stopped()?;
            }
            emit(found.element)?;
        }
        Ok(())
    }

    /// How many elements are tested between two checks: well below a millisecond of work.
    const CHUNK: usize = 1024;

    /// The elements in pieces, with a check before each piece. Pieces are smaller for filters with more
    /// conditions.
    fn chunks<'g, 'w, T>(
        &self,
        elements: &'g [T],
        watch: &'w dyn Watch,
    ) -> impl Iterator<Item = Result<&'g [T], Stopped>> + use<'g, 'w, T> {
        let size = (Self::CHUNK / self.conditions.len().max(1)).max(1);
        elements.chunks(size).enumerate().map(move |(number, chunk)| {
            watch.check_stopped()?;
            watch.progress((number * size) as u64, elements.len() as u64);
            Ok(chunk)
        })
    }

    fn keys<'g>(&self, element: &'g impl Element) -> Box<[Option<Key<'g>>]> {
        self.sorts.iter().map(|sort| sort.key(element)).collect()
    }

    /// The approximate memory of the matches while they are sorted: a sort that keeps the order of equals needs half
    /// of the list again.
    fn bytes<T>(&self, found: &Vec<Found<'_, T>>) -> u64 {
        /// The overhead of an allocation besides its content.
        const ALLOCATION: usize = 16;
        let keys = size_of::<Option<Key<'_>>>() * self.sorts.len() + ALLOCATION;
        let list = (found.capacity() + found.len() / 2) * size_of::<Found<'_, T>>();
        (list + found.len() * keys) as u64
    }

    /// Sorts the matches, with equal ones in their earlier order, and keeps the first `keep`.
    fn sort<T>(&self, found: &mut Vec<Found<'_, T>>, keep: usize) {
        found.sort_by(|left, right| self.order(&left.keys, &right.keys));
        found.truncate(keep);
    }

    fn order(&self, left: &[Option<Key<'_>>], right: &[Option<Key<'_>>]) -> Ordering {
        let mut orders =
            self.sorts.iter().zip(left.iter().zip(right)).map(|(sort, (left, right))| sort.order(*left, *right));
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{
        filter::Subject,
        graph::{Graph, GraphBuilder},
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
            ids(&graph, r#"{"labels":["movies"],"vertexFilters":[{"propertyName":"Age","predicate":"has"}]}"#)
                .is_empty()
        );
    }

    #[test]
    fn sorts_are_stable_and_put_absent_values_last() {
        let graph = movies::load().unwrap();
        let body = |order: &str| {
            format!(
                r#"{{"labels":["movies","user"],"sorts":[{{"key":"Year","orderValue":"{order}"}}],"limit":61}}"#
            )
        };
        let rising = ids(&graph, &body("incr"));
        let falling = ids(&graph, &body("decr"));
        assert_eq!((rising[0].as_str(), falling[0].as_str()), ("The Long Corridor", "Circuit of Swallows"));
        assert_eq!((rising[60].as_str(), falling[60].as_str()), ("Sarah", "Sarah"));
    }

    /// The keys of the pages: `id`, `label`, and `property` with its name.
    #[test]
    fn a_sort_is_by_id_label_or_property() {
        let mut builder = GraphBuilder::default();
        let named = |name: &str| [("Name".to_owned(), vec![Value::from(name)])].into_iter().collect();
        for (id, label, name) in [("2", "user", "b"), ("10", "movie", "c"), ("1", "user", "a")] {
            builder.vertex(id, label, named(name)).unwrap();
        }
        let graph = builder.build();
        for (sorts, expected) in [
            (r#"{"key":"id"}"#, ["1", "10", "2"]),
            (r#"{"key":"id","orderValue":"decr"}"#, ["2", "10", "1"]),
            (r#"{"key":"label"},{"key":"id"}"#, ["10", "1", "2"]),
            (r#"{"key":"property","propertyName":"Name"}"#, ["1", "2", "10"]),
            (r#"{"propertyName":"Name","orderValue":null}"#, ["1", "2", "10"]),
            (r#"{"key":"Name","orderValue":"decr"}"#, ["10", "2", "1"]),
        ] {
            assert_eq!(
                ids(&graph, &format!(r#"{{"labels":["user","movie"],"sorts":[{sorts}]}}"#)),
                expected,
                "{sorts}"
            );
        }
        for (sort, sentence) in [
            (
                r#"{"key":"property"}"#,
                "sorts[0].propertyName is missing: it must name the property of the key property",
            ),
            (r#"{"orderValue":"incr"}"#, "sorts[0].key is missing: it must be one of id, label, property"),
            (
                r#"{"key":"id","propertyName":"Name"}"#,
                "sorts[0].propertyName is given: it belongs to the key property, not to id",
            ),
        ] {
            let body = format!(r#"{{"labels":["user"],"sorts":[{sort}]}}"#);
            assert_eq!(Filter::compile(&body, Subject::Vertices, &graph).unwrap_err().message, sentence);
        }
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let graph = movies::load().unwrap();
        let body = r#"{"labels":null,"sorts":null,"offset":null,"limit":null,
            "vertexFilters":[{"propertyName":"Age","predicate":"has","values":null,"type":null}]}"#;
        let plain = r#"{"vertexFilters":[{"propertyName":"Age","predicate":"has"}]}"#;
        assert_eq!(ids(&graph, body), ids(&graph, plain));
    }

    /// A graph whose vertices have a property `n`, falling and then rising, and some others.
    fn valley(vertices: i64) -> Graph {
        let mut builder = GraphBuilder::default();
        for number in 0..vertices {
            let n = vec![Value::Int((number - vertices / 2).abs() % 1_000)];
            let others = (0..20).map(|other| (format!("p{other}"), vec![Value::Int(other)]));
            let properties = [("n".to_owned(), n)].into_iter().chain(others).collect();
            builder.vertex(number.to_string(), "v", properties).unwrap();
        }
        builder.build()
    }

    /// Keeps the greatest reported memory.
    #[derive(Default)]
    struct Scales(Cell<u64>);

    impl Watch for Scales {
        fn check_stopped(&self) -> Result<(), Stopped> {
            Ok(())
        }

        fn progress(&self, _done: u64, _total: u64) {}

        fn memory(&self, bytes: u64) -> Result<(), Stopped> {
            self.0.set(self.0.get().max(bytes));
            Ok(())
        }
    }

    fn weigh(graph: &Graph, sorts: &str, limit: &str) -> u64 {
        let body = format!(r#"{{"labels":["v"],"sorts":[{sorts}]{limit}}}"#);
        let scales = Scales::default();
        let filter = Filter::compile(&body, Subject::Vertices, graph).unwrap();
        filter.select(graph.vertices(), &scales, |_| Ok::<_, Stopped>(())).unwrap();
        scales.0.get()
    }

    #[test]
    fn a_sort_that_is_repeated_costs_nothing_and_changes_nothing() {
        let graph = valley(5_000);
        let (rising, falling) = (r#"{"key":"n"}"#, r#"{"key":"n","orderValue":"decr"}"#);
        let many = format!("{rising}{}", format!(",{falling}").repeat(6_000));
        assert_eq!(weigh(&graph, &many, ""), weigh(&graph, rising, ""));
        let body = |sorts: &str| format!(r#"{{"labels":["v"],"sorts":[{sorts}]}}"#);
        assert_eq!(ids(&graph, &body(&many)), ids(&graph, &body(rising)));
        assert_ne!(ids(&graph, &body(&many)), ids(&graph, &body(falling)));
        let distinct: Vec<String> = (0..17).map(|n| format!(r#"{{"key":"p{n}"}}"#)).collect();
        let error = Filter::compile(&body(&distinct.join(",")), Subject::Vertices, &graph).unwrap_err();
        assert_eq!(error.to_string(), "sorts has 17 properties: at most 16 are allowed (GES.8205)");
        assert!(Filter::compile(&body(&distinct[..16].join(",")), Subject::Vertices, &graph).is_ok());
    }

    #[test]
    fn the_memory_of_a_sort_is_told_and_bounded_by_its_window() {
        let graph = valley(50_000);
        let whole = weigh(&graph, r#"{"key":"n"}"#, "");
        assert!((50_000 * 40..50_000 * 160).contains(&whole), "{whole} bytes");
        let first = weigh(&graph, r#"{"key":"n"}"#, r#","limit":10"#);
        assert!(first < 1 << 20, "{first} bytes");
        assert_eq!(weigh(&graph, "", ""), 0);
    }

    #[test]
    fn a_window_is_the_same_part_of_the_whole_order() {
        let graph = valley(20_000);
        let body = |window: &str| format!(r#"{{"labels":["v"],"sorts":[{{"key":"n"}}]{window}}}"#);
        let whole = ids(&graph, &body(""));
        assert_eq!(whole.len(), 20_000);
        for (start, limit) in [(0, 0), (0, 1), (0, 10), (5, 700), (1_000, 3_000), (19_990, 100), (20_000, 1)] {
            let end = (start + limit).min(20_000);
            assert_eq!(ids(&graph, &body(&format!(r#","offset":{start},"limit":{limit}"#))), whole[start..end]);
        }
    }

    #[test]
    fn a_filter_that_matches_nothing_can_be_stopped() {
        let graph = movies::load().unwrap();
        let body = r#"{"vertexFilters":[{"propertyName":"Year","predicate":"=","values":["x"]}]}"#;
        let filter = Filter::compile(body, Subject::Vertices, &graph).unwrap();
        assert_eq!(filter.select(graph.vertices(), &StopAt::new(1), |_| Ok(())), Err(Stopped));
    }
}
