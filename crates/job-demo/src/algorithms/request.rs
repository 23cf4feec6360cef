//! [`Fields`]: reads parameters one by one, with errors that say what is allowed.

use std::{fmt::Display, ops::RangeInclusive};

use job_runner::job_core::{
    shown,
    strict::{self, InvalidBody},
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use super::AlgorithmError;
use crate::graph::{Graph, VertexIndex};

/// A parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("parameter {name} is {value}: it must be {allowed}")]
pub struct InvalidParameter {
    name: String,
    value: String,
    allowed: String,
}

impl InvalidParameter {
    /// The same about a parameter inside the object `outer`.
    pub(super) fn inside(mut self, outer: &str) -> Self {
        self.name = format!("{outer}.{}", self.name);
        self
    }

    pub(super) fn new(name: impl Into<String>, value: impl Display, allowed: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.to_string());
        Self { name: shown(&name).to_owned(), value: shown(&value).to_owned(), allowed: allowed.into() }
    }
}

/// Reads the parameters of an algorithm.
pub(super) fn read<'p, T: Deserialize<'p>>(parameters: &'p str) -> Result<T, InvalidBody> {
    strict::read("parameters", parameters)
}

/// The parameters of a request, by name. Numbers and truth values may come as such or inside strings, as clients
/// of this API send both; `null` is the same as absent.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Fields {
    given: Map<String, Json>,
    #[serde(skip)]
    known: Vec<&'static str>,
}

impl Fields {
    fn take(&mut self, name: &'static str) -> Option<Json> {
        self.known.push(name);
        self.given.remove(name).filter(|value| !value.is_null())
    }

    /// A number above 0 and below 1.
    pub(super) fn fraction(&mut self, name: &'static str, default: f64) -> Result<f64, InvalidParameter> {
        let Some(value) = self.take(name) else {
            return Ok(default);
        };
        let number = match &value {
            Json::String(text) => text.parse().ok(),
            other => other.as_f64(),
        };
        number
            .filter(|number| *number > 0.0 && *number < 1.0)
            .ok_or_else(|| InvalidParameter::new(name, value, "a number above 0 and below 1"))
    }

    /// A whole number; required without a default.
    pub(super) fn whole(
        &mut self,
        name: &'static str,
        default: Option<u32>,
        range: RangeInclusive<u32>,
    ) -> Result<u32, InvalidParameter> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let given = self.optional(name, range)?.or(default);
        given.ok_or_else(|| InvalidParameter::new(name, "missing", allowed))
    }

    /// A whole number that may be absent.
    pub(super) fn optional(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, InvalidParameter> {
        let allowed = || format!("a whole number from {} to {}", range.start(), range.end());
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = match &value {
            Json::String(text) => text.parse().ok(),
            other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        let number = number.filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| InvalidParameter::new(name, value, allowed()))
    }

    /// `convergence`, also in the spelling of the older pages.
    pub(super) fn convergence(&mut self, default: f64) -> Result<f64, InvalidParameter> {
        let newer = self.given.get("convergence").is_some_and(|value| !value.is_null());
        if !newer && let Some(older) = self.given.remove("coveragence") {
            self.given.insert("convergence".to_owned(), older);
        }
        self.fraction("convergence", default)
    }

    /// `max_iterations`.
    pub(super) fn iterations(&mut self, default: u32) -> Result<u32, InvalidParameter> {
        self.whole("max_iterations", Some(default), 1..=2_147_483_647)
    }

    /// `num_thread`. A number out of range becomes the nearest in it, as the API says.
    pub(super) fn threads(&mut self) -> Result<usize, InvalidParameter> {
        let Some(value) = self.take("num_thread") else {
            return Ok(THREADS);
        };
        let number = match &value {
            Json::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        let number = number.and_then(|number: i64| usize::try_from(number.clamp(1, 40)).ok());
        number.ok_or_else(|| InvalidParameter::new("num_thread", value, "a whole number"))
    }

    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> Result<bool, InvalidParameter> {
        let Some(value) = self.take(name) else {
            return Ok(default);
        };
        match &value {
            Json::Bool(flag) => Ok(*flag),
            Json::String(text) if text == "true" => Ok(true),
            Json::String(text) if text == "false" => Ok(false),
            _ => Err(InvalidParameter::new(name, value, "true or false")),
        }
    }

    /// Takes a text parameter. An empty text counts as an absent one.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, InvalidParameter> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(other) => Err(InvalidParameter::new(name, other, "a string")),
        }
    }

    /// The id of a vertex; required.
    pub(super) fn vertex(&mut self, name: &'static str) -> Result<String, InvalidParameter> {
        self.text(name)?.ok_or_else(|| InvalidParameter::new(name, "missing", VERTEX))
    }

    /// The ids of vertices, in a list or, separated by commas, in a text.
    pub(super) fn vertices(&mut self, name: &'static str) -> Result<Option<Vec<String>>, InvalidParameter> {
        let ids = match self.take(name) {
            None => return Ok(None),
            Some(Json::String(text)) if text.is_empty() => return Ok(None),
            Some(Json::String(text)) => text.split(',').map(|id| id.trim().to_owned()).collect(),
            Some(Json::Array(given)) => {
                let text = |id: &Json| id.as_str().map(ToOwned::to_owned);
                let ids: Option<Vec<String>> = given.iter().map(text).collect();
                ids.ok_or_else(|| InvalidParameter::new(name, Json::Array(given), "a list of strings"))?
            }
            Some(other) => return Err(InvalidParameter::new(name, other, "ids of vertices, separated by commas")),
        };
        Ok(Some(ids).filter(|ids| !ids.is_empty()))
    }

    /// An object with parameters of its own.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<Self>, InvalidParameter> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Object(given)) => Ok(Some(Self { given, known: Vec::new() })),
            Some(other) => Err(InvalidParameter::new(name, other, "a JSON object")),
        }
    }

    /// A text, or a number as text.
    pub(super) fn word(&mut self, name: &'static str) -> Result<Option<String>, InvalidParameter> {
        match self.take(name) {
            Some(Json::Number(number)) => Ok(Some(number.to_string())),
            Some(Json::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(other) => Err(InvalidParameter::new(name, other, "a string or a number")),
            None => Ok(None),
        }
    }

    /// Ends the reading. A parameter that is left is an error.
    pub(super) fn finish(self) -> Result<(), InvalidParameter> {
        let Some(name) = self.given.keys().next() else {
            return Ok(());
        };
        let allowed = if self.known.is_empty() {
            "left out, as there are no parameters here".to_owned()
        } else {
            format!("one of {}", self.known.join(", "))
        };
        Err(InvalidParameter::new(name, "unknown", allowed))
    }
}

/// Parameters with valid values, which may still not fit a graph.
pub(super) trait Fits {
    /// Checks that the graph has the vertices and properties that they name. The time does not grow with the
    /// graph.
    fn fits(&self, _graph: &Graph) -> Result<(), InvalidParameter> {
        Ok(())
    }
}

/// Reads parameters and compares them with the graph. A run begins with the same checks.
pub(super) fn check<T>(graph: &Graph, parameters: &str) -> Result<(), AlgorithmError>
where
    T: Fits + for<'p> Deserialize<'p>,
{
    Ok(read::<T>(parameters)?.fits(graph)?)
}

/// The threads of an algorithm by default.
pub(super) const THREADS: usize = 4;

const VERTEX: &str = "the id of a vertex of the graph";

/// The vertex that a parameter names.
pub(super) fn vertex(graph: &Graph, name: &'static str, id: &str) -> Result<VertexIndex, InvalidParameter> {
    graph.find(id).ok_or_else(|| InvalidParameter::new(name, format!("{id:?}"), VERTEX))
}

/// The vertices that the parameters `source` and `target` name.
pub(super) fn ends(graph: &Graph, source: &str, target: &str) -> Result<[VertexIndex; 2], InvalidParameter> {
    Ok([vertex(graph, "source", source)?, vertex(graph, "target", target)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        read(text).unwrap()
    }

    #[test]
    fn numbers_may_come_as_strings() {
        let mut given = fields(r#"{"a":"0.5","b":"7","c":"false","d":null}"#);
        assert_eq!(given.fraction("a", 0.1), Ok(0.5));
        assert_eq!(given.whole("b", None, 1..=10), Ok(7));
        assert_eq!(given.flag("c", true), Ok(false));
        assert_eq!(given.flag("d", true), Ok(true));
        assert_eq!(given.finish(), Ok(()));
    }

    #[test]
    fn errors_name_value_and_range() {
        let mut given = fields(r#"{"a":1.5,"b":0,"c":"yes","x":1}"#);
        for (error, expected) in [
            (given.fraction("a", 0.1).unwrap_err(), "parameter a is 1.5: it must be a number above 0 and below 1"),
            (
                given.whole("b", None, 1..=10).unwrap_err(),
                "parameter b is 0: it must be a whole number from 1 to 10",
            ),
            (given.flag("c", true).unwrap_err(), "parameter c is \"yes\": it must be true or false"),
            (given.vertex("v").unwrap_err(), "parameter v is missing: it must be the id of a vertex of the graph"),
            (given.finish().unwrap_err(), "parameter x is unknown: it must be one of a, b, c, v"),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn threads_out_of_range_are_clamped_and_convergence_has_two_spellings() {
        for (text, threads) in [("{}", 4), (r#"{"num_thread":-3}"#, 1), (r#"{"num_thread":"41"}"#, 40)] {
            assert_eq!(fields(text).threads(), Ok(threads), "{text}");
        }
        let error = fields(r#"{"num_thread":1.5}"#).threads().unwrap_err();
        assert_eq!(error.to_string(), "parameter num_thread is 1.5: it must be a whole number");
        for (text, convergence) in
            [("{}", 0.1), (r#"{"coveragence":0.2}"#, 0.2), (r#"{"coveragence":0.2,"convergence":null}"#, 0.2)]
        {
            assert_eq!(fields(text).convergence(0.1), Ok(convergence), "{text}");
        }
        let mut both = fields(r#"{"coveragence":0.2,"convergence":0.3}"#);
        assert_eq!(both.convergence(0.1), Ok(0.3));
        let error = both.finish().unwrap_err().to_string();
        assert_eq!(error, "parameter coveragence is unknown: it must be one of convergence");
        assert_eq!(fields(r#"{"max_iterations":2147483647}"#).iterations(1), Ok(2_147_483_647));
    }

    #[test]
    fn ids_come_in_a_list_or_between_commas() {
        let two = Some(vec!["Lee".to_owned(), "Alice".to_owned()]);
        for (text, ids) in [
            (r#"{"seeds":"Lee, Alice"}"#, two.clone()),
            (r#"{"seeds":["Lee","Alice"]}"#, two),
            (r#"{"seeds":""}"#, None),
            (r#"{"seeds":[]}"#, None),
        ] {
            assert_eq!(fields(text).vertices("seeds"), Ok(ids), "{text}");
        }
        for text in [r#"{"seeds":[1]}"#, r#"{"seeds":1}"#] {
            assert!(fields(text).vertices("seeds").is_err(), "{text}");
        }
    }

    #[test]
    fn parameters_that_are_no_object_or_name_one_twice_are_refused_in_plain_words() {
        for (text, sentence) in [
            (r#"["0.9"]"#, "parameters is a list: it must be a JSON object"),
            (r#"{"alpha":0.9,"alpha":0.8}"#, "alpha is given twice: give it once"),
            (r#"{"a":{"b":1,"b":2}}"#, "b is given twice: give it once"),
        ] {
            assert_eq!(read::<Fields>(text).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn an_error_shows_64_characters_of_a_value_and_of_a_name() {
        let long = "x".repeat(1 << 20);
        let mut given = fields(&format!(r#"{{"{long}":1,"a":"{long}"}}"#));
        let unfit = given.fraction("a", 0.1).unwrap_err().to_string();
        let unknown = given.finish().unwrap_err().to_string();
        assert!(unfit.len() < 150 && unknown.len() < 150, "{unfit} {unknown}");
    }
}
