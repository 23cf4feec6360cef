//! The request body, and how it becomes a [`Filter`].

use std::{ops::Range, sync::Arc};

use job_runner::job_core::{
    shown,
    strict::{self, Raw},
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Codes, Filter, FilterError, condition::Condition, select};
use crate::graph::{Graph, Vocabulary};

/// The elements that a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Vertices; conditions are in `vertexFilters`.
    Vertices,
    /// Edges; conditions are in `edgeFilters`.
    Edges,
}

impl Subject {
    /// The codes of its errors.
    #[must_use]
    pub const fn codes(self) -> Codes {
        match self {
            Self::Vertices => Codes::VERTEX,
            Self::Edges => Codes::EDGE,
        }
    }

    const fn filters(self) -> &'static str {
        match self {
            Self::Vertices => "vertexFilters",
            Self::Edges => "edgeFilters",
        }
    }

    fn vocabulary(self, graph: &Graph) -> &Vocabulary {
        match self {
            Self::Vertices => graph.vertex_vocabulary(),
            Self::Edges => graph.edge_vocabulary(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body<'b> {
    labels: Option<Vec<String>>,
    #[serde(borrow)]
    vertex_filters: Option<Vec<ConditionBody<'b>>>,
    #[serde(borrow)]
    edge_filters: Option<Vec<ConditionBody<'b>>>,
    offset: Option<Json>,
    limit: Option<Json>,
    sorts: Option<Vec<SortBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConditionBody<'b> {
    pub(super) property_name: String,
    pub(super) predicate: String,
    #[serde(borrow)]
    pub(super) values: Option<Vec<Raw<'b>>>,
    pub(super) r#type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SortBody {
    /// `id`, `label` or `property`; as an extension, the name of a property.
    pub(super) key: Option<String>,
    /// The property of the key `property`.
    pub(super) property_name: Option<String>,
    pub(super) order_value: Option<String>,
}

impl Filter {
    /// Reads a request body and checks it against the labels and property names of `graph`.
    ///
    /// # Errors
    /// [`FilterError`] names the field, its value and what is allowed.
    pub fn compile(body: &str, subject: Subject, graph: &Graph) -> Result<Self, FilterError> {
        let codes = subject.codes();
        let body: Body<'_> = strict::read("the filter", body)
            .map_err(|invalid| FilterError::new(codes.condition, invalid.to_string()))?;
        let (given, other) = match subject {
            Subject::Vertices => (body.vertex_filters, body.edge_filters),
            Subject::Edges => (body.edge_filters, body.vertex_filters),
        };
        let field = subject.filters();
        if other.is_some() {
            return Err(FilterError::new(
                codes.condition,
                format!("conditions of this filter belong into {field}"),
            ));
        }
        let (given, given_labels) = (given.unwrap_or_default(), body.labels.unwrap_or_default());
        if given.is_empty() && given_labels.is_empty() {
            let message = format!("Bad Request, parameter labels and {field} cannot all be null");
            return Err(FilterError::new(codes.empty, message));
        }
        if given.len() > Self::MOST_CONDITIONS {
            let most = Self::MOST_CONDITIONS;
            return Err(FilterError::too_many(codes.condition, field, given.len(), "conditions", most));
        }
        let vocabulary = subject.vocabulary(graph);
        Ok(Self {
            labels: labels(&given_labels, vocabulary, codes)?,
            conditions: (0..)
                .zip(given)
                .map(|(place, body)| Condition::compile(&body, &format!("{field}[{place}]"), vocabulary, codes))
                .collect::<Result<_, _>>()?,
            sorts: select::sorts(&body.sorts.unwrap_or_default(), subject, vocabulary, codes)?,
            window: window(body.offset.as_ref(), body.limit.as_ref(), codes)?,
        })
    }
}

fn labels(given: &[String], vocabulary: &Vocabulary, codes: Codes) -> Result<Vec<Arc<str>>, FilterError> {
    let mut labels: Vec<Arc<str>> = Vec::new();
    for (place, given) in given.iter().enumerate() {
        let known = vocabulary.labels.iter().find(|label| ***label == **given).ok_or_else(|| {
            FilterError::unknown(codes.label, &format!("labels[{place}]"), given, &vocabulary.labels)
        })?;
        if !labels.contains(known) {
            labels.push(Arc::clone(known));
        }
    }
    Ok(labels)
}

fn window(offset: Option<&Json>, limit: Option<&Json>, codes: Codes) -> Result<Range<u64>, FilterError> {
    let number = |field: &str, given: Option<&Json>, absent: u64| match given {
        None | Some(Json::Null) => Ok(absent),
        Some(given) => match given {
            Json::Number(number) => number.as_u64(),
            Json::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| {
            let given = given.to_string();
            let message = format!("{field} is {}: it must be a whole number, 0 or more", shown(&given));
            FilterError::new(codes.condition, message)
        }),
    };
    let start = number("offset", offset, 0)?;
    Ok(start..start.saturating_add(number("limit", limit, u64::MAX)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::movies;

    fn error(subject: Subject, body: &str) -> (&'static str, String) {
        let error = Filter::compile(body, subject, &movies::load().unwrap()).unwrap_err();
        (error.code.as_str(), error.message)
    }

    #[test]
    fn each_bad_field_has_its_code_and_sentence() {
        for (body, code, message) in [
            ("{}", "GES.8203", "Bad Request, parameter labels and vertexFilters cannot all be null"),
            (r#"{"labels":["usr"]}"#, "GES.8201", r#"labels[0] is "usr": it must be one of movies, user"#),
            (r#"["user"]"#, "GES.8202", "the filter is a list: it must be a JSON object"),
            (
                r#"{"labels":["user"],"sorts":[["Age","decr"]]}"#,
                "GES.8202",
                "sorts[0] is a list: it must be a JSON object",
            ),
            (
                r#"{"vertexFilters":[["Age","has",[],"and"]]}"#,
                "GES.8202",
                "vertexFilters[0] is a list: it must be a JSON object",
            ),
            (
                r#"{"vertexFilters":[{"propertyName":"Age","propertyName":"Year","predicate":"has"}]}"#,
                "GES.8202",
                "propertyName is given twice: give it once",
            ),
            (r#"{"labels":["user"],"limit":-1}"#, "GES.8202", "limit is -1: it must be a whole number, 0 or more"),
            (
                r#"{"labels":["user"],"offset":"1.5"}"#,
                "GES.8202",
                "offset is \"1.5\": it must be a whole number, 0 or more",
            ),
            (
                r#"{"labels":["user"],"limit":"-0"}"#,
                "GES.8202",
                "limit is \"-0\": it must be a whole number, 0 or more",
            ),
            (r#"{"edgeFilters":[]}"#, "GES.8202", "conditions of this filter belong into vertexFilters"),
            (
                r#"{"labels":["user"],"sorts":[{"key":"Age","orderValue":"up"}]}"#,
                "GES.8205",
                r#"sorts[0].orderValue is "up": it must be one of incr, decr"#,
            ),
            (
                r#"{"vertexFilters":[{"propertyName":"Year","predicate":"~"}]}"#,
                "GES.8211",
                r#"vertexFilters[0].predicate is "~": it must be one of =, <, >, <=, >=, range, has, hasNot"#,
            ),
        ] {
            assert_eq!(error(Subject::Vertices, body), (code, message.to_owned()), "{body}");
        }
        let (code, message) = error(Subject::Vertices, r#"{"lables":["user"]}"#);
        assert_eq!(code, "GES.8202");
        assert!(message.starts_with("lables is unknown: it must be one of labels, "), "{message}");
    }

    #[test]
    fn a_request_of_any_size_is_a_small_filter_or_a_short_sentence() {
        let graph = movies::load().unwrap();
        let condition = r#"{"propertyName":"Age","predicate":"has"}"#;
        let filters = |number: usize| format!(r#"{{"vertexFilters":[{}]}}"#, vec![condition; number].join(","));
        assert!(Filter::compile(&filters(256), Subject::Vertices, &graph).is_ok());
        let (code, message) = error(Subject::Vertices, &filters(257));
        assert_eq!(
            (code, message.as_str()),
            ("GES.8202", "vertexFilters has 257 conditions: at most 256 are allowed")
        );

        let labels = format!(r#"{{"labels":[{}]}}"#, vec![r#""user""#; 50_000].join(","));
        assert_eq!(Filter::compile(&labels, Subject::Vertices, &graph).unwrap().labels.len(), 1);

        let long = "x".repeat(500_000);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for body in [
            format!(r#"{{"{long}":1}}"#),
            format!(r#"{{"labels":["{long}"]}}"#),
            format!(r#"{{"labels":["user"],"limit":"{long}"}}"#),
            format!(r#"{{"labels":["user"],"offset":{deep}}}"#),
            format!(r#"{{"vertexFilters":[{{"propertyName":"Age","predicate":"=","values":[{deep}]}}]}}"#),
            format!(r#"{{"vertexFilters":[{{"propertyName":"Age","predicate":"{long}"}}]}}"#),
            format!(r#"{{"labels":["user"],"sorts":[{{"key":"{long}"}}]}}"#),
            deep.clone(),
        ] {
            let (_, message) = error(Subject::Vertices, &body);
            assert!(message.len() < 1_000, "{} bytes for {}...", message.len(), &body[..40]);
        }
    }

    #[test]
    fn edge_filters_have_their_own_codes() {
        for (body, code) in [
            ("[]", "GES.8101"),
            (r#"{"labels":["user"]}"#, "GES.8102"),
            ("{}", "GES.8103"),
            (r#"{"labels":["rate"],"sorts":[{"propertyName":"Agee"}]}"#, "GES.8104"),
            (r#"{"edgeFilters":[{"propertyName":"Score","predicate":"=="}]}"#, "GES.8109"),
        ] {
            assert_eq!(error(Subject::Edges, body).0, code, "{body}");
        }
    }
}
