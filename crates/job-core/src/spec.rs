//! [`JobSpec`]: a request for work, in a form that survives a restart.

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::{JobClass, JobId, JobKind, JobOptions, Parameters, Timestamp, parameters::unreadable, shown};

/// One request for work: its kind, the graph it reads, its parameters.
///
/// ```
/// use job_core::JobSpec;
/// use serde_json::json;
///
/// let spec = JobSpec::algorithm("pagerank").with_graph("movies").with_parameters(&json!({"alpha": 0.85}))?;
/// assert_eq!(spec.kind().to_string(), "pagerank");
/// assert_eq!(serde_json::to_string(&spec)?,
///     r#"{"kind":{"algorithm":"pagerank"},"graph":"movies","parameters":{"alpha":0.85}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobSpec {
    kind: JobKind,
    graph: String,
    #[serde(default, deserialize_with = "given")]
    parameters: Parameters,
    /// `None` stands for the defaults, which most jobs have: a queue may hold very many jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<Box<JobOptions>>,
}

impl JobSpec {
    /// The longest name of a graph, an algorithm, an action, a key, a version, an owner or a label, in bytes.
    pub const MAX_NAME: usize = 256;
    /// The longest parameters, in bytes of JSON.
    pub const MAX_PARAMETERS: usize = 1 << 20;
    /// The longest body of a request that is kept with its job, in bytes.
    pub const MAX_RAW_REQUEST: usize = 16 << 10;
    /// The most labels of a job.
    pub const MAX_LABELS: usize = 16;
    /// The deepest nesting of arrays and objects in parameters. Parsers commonly refuse 128 levels, and a job list
    /// puts some levels around the parameters.
    pub const MAX_DEPTH: usize = 100;

    /// Asks for work of `kind`, on a graph still to be named.
    #[must_use]
    pub fn new(kind: JobKind) -> Self {
        Self { kind, graph: String::new(), parameters: Parameters::default(), options: None }
    }

    /// Asks for the algorithm `name`.
    #[must_use]
    pub fn algorithm(name: impl Into<String>) -> Self {
        Self::new(JobKind::Algorithm(name.into()))
    }

    /// Asks for a vertex filter.
    #[must_use]
    pub fn vertex_filter() -> Self {
        Self::new(JobKind::VertexFilter)
    }

    /// Asks for an edge filter.
    #[must_use]
    pub fn edge_filter() -> Self {
        Self::new(JobKind::EdgeFilter)
    }

    /// Asks for the host's action `name`.
    ///
    /// ```
    /// use job_core::JobSpec;
    /// use serde_json::json;
    ///
    /// let spec = JobSpec::action("cypher").with_graph("movies").with_parameters(&json!({"query": "MATCH (n) RETURN n"}))?;
    /// assert_eq!(serde_json::to_string(spec.kind())?, r#"{"action":"cypher"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn action(name: impl Into<String>) -> Self {
        Self::new(JobKind::Action(name.into()))
    }

    /// Names the graph to read: 1 to 256 bytes.
    #[must_use]
    pub fn with_graph(mut self, name: impl Into<String>) -> Self {
        self.graph = name.into();
        self
    }

    /// Gives the parameters, as anything that serializes to JSON of at most 1 MiB; `{}` by default.
    ///
    /// # Errors
    /// When `parameters` do not serialize, for example a map whose keys are not strings.
    pub fn with_parameters<T: Serialize + ?Sized>(mut self, parameters: &T) -> Result<Self, serde_json::Error> {
        self.parameters = Parameters::new(parameters)?;
        Ok(self)
    }

    /// Gives the parameters as JSON that is already written.
    #[must_use]
    pub fn with_raw_parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// The priority, -128 to 127; 0 by default. A job with a greater one runs earlier.
    #[must_use]
    pub fn priority(mut self, priority: i8) -> Self {
        self.options_mut().priority = priority;
        self
    }

    /// The class of the job; [`JobClass::Read`] by default. Each class has a queue bound and limits of its own.
    #[must_use]
    pub fn class(mut self, class: JobClass) -> Self {
        self.options_mut().class = class;
        self
    }

    /// Names the request with at most 256 bytes, so that a second submission gives the same job back; no name by default.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.options_mut().idempotency_key = Some(key.into());
        self
    }

    /// Names the version of the graph that is read, with at most 256 bytes; none by default.
    #[must_use]
    pub fn graph_version(mut self, version: impl Into<String>) -> Self {
        self.options_mut().graph_version = Some(version.into());
        self
    }

    /// Lets the engine give back a finished job of the same request on the same graph version; off by default. It needs
    /// a graph version.
    #[must_use]
    pub fn reuse_result(mut self) -> Self {
        self.options_mut().reuse = true;
        self
    }

    /// Fails the job when it is not complete at this time, by the engine's clock; no deadline by default. A running body
    /// is told to stop.
    #[must_use]
    pub fn deadline(mut self, deadline: Timestamp) -> Self {
        self.options_mut().deadline = Some(deadline);
        self
    }

    /// Fails the job when its list would have more rows; no limit by default.
    #[must_use]
    pub fn max_rows(mut self, rows: u64) -> Self {
        self.options_mut().budget.rows = Some(rows);
        self
    }

    /// Fails the job when the rows of its list would have more bytes of JSON; no limit by default.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.options_mut().budget.bytes = Some(bytes);
        self
    }

    /// Fails the job when its handler reports more bytes of memory; no limit by default.
    #[must_use]
    pub fn max_memory(mut self, bytes: u64) -> Self {
        self.options_mut().budget.memory = Some(bytes);
        self
    }

    /// Keeps the rows so far when a cancel, a budget or the deadline ends the job; by default they are dropped.
    #[must_use]
    pub fn keep_rows(mut self) -> Self {
        self.options_mut().keep_rows = true;
        self
    }

    /// The most attempts of the job, at least 1 ([`check`](Self::check)); 3 by default.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options_mut().max_attempts = attempts;
        self
    }

    /// Sets for whom the job runs, in at most 256 bytes; none by default.
    #[must_use]
    pub fn owner(mut self, name: impl Into<String>) -> Self {
        self.options_mut().owner = Some(name.into());
        self
    }

    /// Adds a label of at most 256 bytes; at most [`MAX_LABELS`](Self::MAX_LABELS), none by default.
    ///
    /// ```
    /// use job_core::JobSpec;
    ///
    /// let spec = JobSpec::edge_filter().with_graph("movies").owner("sarah").label("nightly").label("team=search");
    /// assert!(spec.options().labels.contains("nightly"));
    /// assert!(spec.check().is_ok());
    /// ```
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options_mut().labels.insert(label.into());
        self
    }

    /// Sets the place in a trace from which the job is submitted: a `traceparent` of W3C Trace Context; none by default.
    ///
    /// ```
    /// use job_core::JobSpec;
    ///
    /// let spec = |trace| JobSpec::edge_filter().with_graph("movies").trace_parent(trace);
    /// assert!(spec("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").check().is_ok());
    /// assert_eq!(spec("4bf92f35").check().unwrap_err().to_string(),
    ///     "the trace parent is 4bf92f35: it must be a traceparent of W3C Trace Context");
    /// ```
    #[must_use]
    pub fn trace_parent(mut self, traceparent: impl Into<String>) -> Self {
        self.options_mut().trace_parent = Some(traceparent.into());
        self
    }

    /// Whether a text is a `traceparent` of W3C Trace Context: version, trace, span and flags in small hexadecimal
    /// digits, neither trace nor span all zeros. Later versions may have more behind it.
    #[must_use]
    pub fn is_trace_parent(text: &str) -> bool {
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        let parts: Vec<&str> = text.splitn(5, '-').collect();
        let ([version, trace, span, flags] | [version, trace, span, flags, _]) = *parts.as_slice() else {
            return false;
        };
        let known = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
        known.iter().all(|(part, length)| part.len() == *length && is_hex(part))
            && version != "ff"
            && (version != "00" || parts.len() == 4)
            && [trace, span].iter().all(|part| part.bytes().any(|byte| byte != b'0'))
            && text.len() <= Self::MAX_NAME
    }

    /// Keeps the body with which a client asked for the job, so that lists show it byte for byte; none by default. It has at
    /// most 16 KiB ([`MAX_RAW_REQUEST`](Self::MAX_RAW_REQUEST)).
    ///
    /// ```
    /// use job_core::{JobSpec, wire};
    ///
    /// let spec = JobSpec::algorithm("pagerank").with_graph("movies");
    /// assert_eq!(wire::raw_request(&spec), r#"{"algorithmName":"pagerank","parameters":{}}"#);
    /// let spec = spec.raw_request(r#"{ "algorithmName": "pagerank" }"#);
    /// assert_eq!(wire::raw_request(&spec), r#"{ "algorithmName": "pagerank" }"#);
    /// assert_eq!(spec.raw_request("x".repeat(20_000)).check().unwrap_err().to_string(),
    ///     "raw request has 20000 bytes: at most 16384 are allowed");
    /// ```
    #[must_use]
    pub fn raw_request(mut self, body: impl Into<String>) -> Self {
        self.options_mut().raw_request = Some(body.into());
        self
    }

    /// Notes the names of parameters that were left out of the request: of 16 of them, the first 64 characters.
    ///
    /// ```
    /// use job_core::JobSpec;
    ///
    /// let spec = JobSpec::algorithm("pagerank").with_graph("movies").ignoring(["alhpa".to_owned()]);
    /// assert!(spec.options().ignored.contains("alhpa"));
    /// ```
    #[must_use]
    pub fn ignoring(mut self, names: impl IntoIterator<Item = String>) -> Self {
        for name in names {
            if self.options().ignored.len() < Self::MAX_LABELS {
                self.options_mut().ignored.insert(shown(&name).to_owned());
            }
        }
        self
    }

    /// Says that the job runs the request of this earlier job again. That job may be removed by now.
    ///
    /// ```
    /// use job_core::{JobId, JobRecord, JobSpec, Timestamp};
    ///
    /// let first = JobRecord::waiting(JobId::MIN, JobSpec::vertex_filter().with_graph("movies"), Timestamp::default());
    /// let again = JobSpec::clone(&first.spec).again_of(first.id);
    /// assert_eq!(again.options().again_of, Some(first.id));
    /// assert_eq!(again.parameters(), first.spec.parameters());
    /// ```
    #[must_use]
    pub fn again_of(mut self, job: JobId) -> Self {
        self.options_mut().again_of = Some(job);
        self
    }

    /// Sets all options at once.
    #[must_use]
    pub fn with_options(mut self, options: JobOptions) -> Self {
        self.options = (options != JobOptions::DEFAULT).then(|| Box::new(options));
        self
    }

    fn options_mut(&mut self) -> &mut JobOptions {
        self.options.get_or_insert_default()
    }

    /// The options of the job.
    #[must_use]
    pub fn options(&self) -> &JobOptions {
        static DEFAULT: JobOptions = JobOptions::DEFAULT;
        self.options.as_deref().unwrap_or(&DEFAULT)
    }

    /// Whether `other` asks for the same work on the same version of the same graph. Without a version two
    /// requests are never the same: the graph may have changed between them.
    #[must_use]
    pub fn is_same_work(&self, other: &Self) -> bool {
        self.options().graph_version.is_some()
            && self.options().graph_version == other.options().graph_version
            && (&self.kind, &self.graph, &self.parameters) == (&other.kind, &other.graph, &other.parameters)
    }

    /// Whether `other` is the same request: the same kind of work on the same graph with parameters of the same
    /// value. Neither the spelling of parameters nor the version of the graph counts.
    #[must_use]
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let value = |spec: &Self| serde_json::from_str::<serde_json::Value>(spec.parameters.as_str()).ok();
        (&self.kind, &self.graph) == (&other.kind, &other.graph)
            && (self.parameters == other.parameters
                || value(self).is_some_and(|value_of| Some(value_of) == value(other)))
    }

    /// The kind of work.
    #[must_use]
    pub const fn kind(&self) -> &JobKind {
        &self.kind
    }

    /// The name of the graph.
    #[must_use]
    pub fn graph(&self) -> &str {
        &self.graph
    }

    /// The parameters as given.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The bytes of the parameters and of the body that is kept with the job. They are nearly all of a long record.
    ///
    /// ```
    /// use job_core::JobSpec;
    ///
    /// assert_eq!(JobSpec::vertex_filter().raw_request("{ }").text_bytes(), 5);
    /// ```
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.parameters.as_str().len() + self.options().raw_request.as_ref().map_or(0, String::len)
    }

    /// Checks names and sizes; an engine does so before it acknowledges.
    ///
    /// # Errors
    /// [`InvalidSpec`] names the field, its value and the allowed values.
    pub fn check(&self) -> Result<(), InvalidSpec> {
        match &self.kind {
            JobKind::VertexFilter | JobKind::EdgeFilter => {}
            JobKind::Algorithm(name) => check_name("algorithm name", name)?,
            JobKind::Action(name) => check_name("action name", name)?,
        }
        check_name("graph name", &self.graph)?;
        for (field, name) in [
            ("idempotency key", &self.options().idempotency_key),
            ("graph version", &self.options().graph_version),
            ("owner", &self.options().owner),
        ] {
            name.as_ref().map_or(Ok(()), |name| check_name(field, name))?;
        }
        if self.options().max_attempts == 0 {
            return Err(InvalidSpec::NoAttempt);
        }
        let labels = &self.options().labels;
        if labels.len() > Self::MAX_LABELS {
            return Err(InvalidSpec::TooMany { field: "labels", count: labels.len(), max: Self::MAX_LABELS });
        }
        labels.iter().try_for_each(|label| check_name("label", label))?;
        self.check_notes()?;
        if let Some(trace) = self.options().trace_parent.as_deref().filter(|trace| !Self::is_trace_parent(trace)) {
            return Err(InvalidSpec::TraceParent { given: shown(trace).to_owned() });
        }
        let length = self.parameters.as_str().len();
        if length > Self::MAX_PARAMETERS {
            return Err(InvalidSpec::TooLong { field: "parameters", length, max: Self::MAX_PARAMETERS });
        }
        if self.parameters.is_deeper_than(Self::MAX_DEPTH) {
            return Err(InvalidSpec::TooDeep { field: "parameters", max: Self::MAX_DEPTH });
        }
        match unreadable(self.parameters.as_str()) {
            Some(part) => Err(InvalidSpec::Unreadable { field: "parameters", part: shown(part).to_owned() }),
            None => Ok(()),
        }
    }
}

/// The parts of the check.
impl JobSpec {
    /// Checks what is kept with the job to be shown.
    fn check_notes(&self) -> Result<(), InvalidSpec> {
        let JobOptions { raw_request, ignored, .. } = self.options();
        let length = raw_request.as_ref().map_or(0, String::len);
        if length > Self::MAX_RAW_REQUEST {
            return Err(InvalidSpec::TooLong { field: "raw request", length, max: Self::MAX_RAW_REQUEST });
        }
        if ignored.len() > Self::MAX_LABELS {
            let (count, max) = (ignored.len(), Self::MAX_LABELS);
            return Err(InvalidSpec::TooMany { field: "ignored parameters", count, max });
        }
        let longest = ignored.iter().map(String::len).max().unwrap_or(0);
        if longest > Self::MAX_NAME {
            let max = Self::MAX_NAME;
            return Err(InvalidSpec::TooLong { field: "ignored parameter", length: longest, max });
        }
        Ok(())
    }
}

impl PartialEq for JobSpec {
    fn eq(&self, other: &Self) -> bool {
        (&self.kind, &self.graph, &self.parameters, self.options())
            == (&other.kind, &other.graph, &other.parameters, other.options())
    }
}

/// A `null` counts as no parameters.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Parameters, D::Error> {
    let parameters = Parameters::deserialize(deserializer)?;
    Ok(if parameters.as_str() == "null" { Parameters::default() } else { parameters })
}

fn check_name(field: &'static str, name: &str) -> Result<(), InvalidSpec> {
    match name.len() {
        0 => Err(InvalidSpec::Empty { field }),
        length if length > JobSpec::MAX_NAME => {
            Err(InvalidSpec::TooLong { field, length, max: JobSpec::MAX_NAME })
        }
        _ => Ok(()),
    }
}

/// A request that no engine takes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSpec {
    /// A name is missing.
    #[error("the {field} is empty: name it")]
    Empty {
        /// The name of the field.
        field: &'static str,
    },
    /// A field is too long.
    #[error("{field} has {length} bytes: at most {max} are allowed")]
    TooLong {
        /// The name of the field.
        field: &'static str,
        /// The length of the field in bytes.
        length: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// The most attempts of the job are 0.
    #[error("max_attempts is 0: it must be at least 1")]
    NoAttempt,
    /// The trace parent is none.
    #[error("the trace parent is {given}: it must be a traceparent of W3C Trace Context")]
    TraceParent {
        /// The text, or its beginning.
        given: String,
    },
    /// A field has too many parts.
    #[error("there are {count} {field}: at most {max} are allowed")]
    TooMany {
        /// The name of the field.
        field: &'static str,
        /// The number of its parts.
        count: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// A field has JSON that no parser can turn into a value.
    #[error("{field} cannot be read back: {part} is no number that fits, or half of a character")]
    Unreadable {
        /// The name of the field.
        field: &'static str,
        /// The part, or its beginning.
        part: String,
    },
    /// A field has too many arrays and objects inside one another.
    #[error("{field} are nested deeper than {max} arrays and objects, which is the most")]
    TooDeep {
        /// The name of the field.
        field: &'static str,
        /// The most that is allowed.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_survives_json() {
        let spec = JobSpec::vertex_filter()
            .with_graph("g")
            .with_parameters(&serde_json::json!({"labels": ["用户"]}))
            .unwrap();
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<JobSpec>(&text).unwrap(), spec);
    }

    #[test]
    fn names_and_sizes_are_checked() {
        assert_eq!(
            JobSpec::algorithm("").with_graph("g").check(),
            Err(InvalidSpec::Empty { field: "algorithm name" })
        );
        assert_eq!(JobSpec::edge_filter().check(), Err(InvalidSpec::Empty { field: "graph name" }));
        let long = JobSpec::edge_filter().with_graph("g".repeat(257)).check().unwrap_err();
        assert_eq!(long.to_string(), "graph name has 257 bytes: at most 256 are allowed");
        let huge = JobSpec::edge_filter().with_graph("g").with_parameters(&"x".repeat(1 << 20)).unwrap();
        assert!(matches!(huge.check(), Err(InvalidSpec::TooLong { field: "parameters", .. })));
        let fits = JobSpec::edge_filter().with_graph("g").with_parameters(&"x".repeat((1 << 20) - 2)).unwrap();
        assert_eq!(fits.check(), Ok(()));
        let spec = || JobSpec::algorithm("a".repeat(256)).with_graph("g".repeat(256));
        assert_eq!(spec().idempotency_key("k".repeat(256)).graph_version("v".repeat(256)).check(), Ok(()));
        let field = |spec: JobSpec| match spec.check() {
            Err(InvalidSpec::TooLong { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field(JobSpec::algorithm("a".repeat(257)).with_graph("g")), "algorithm name");
        assert_eq!(field(spec().idempotency_key("k".repeat(257))), "idempotency key");
        assert_eq!(field(spec().graph_version("v".repeat(257))), "graph version");
        assert_eq!(field(spec().owner("o".repeat(257))), "owner");
        assert_eq!(field(spec().label("fits").label("l".repeat(257))), "label");
        assert_eq!(spec().label("").check(), Err(InvalidSpec::Empty { field: "label" }));
        assert_eq!(spec().owner("").check(), Err(InvalidSpec::Empty { field: "owner" }));
        let labelled = |count: usize| (0..count).fold(spec(), |spec, n| spec.label(format!("label {n}")));
        assert_eq!(labelled(16).label("label 0").check(), Ok(()));
        assert_eq!(labelled(17).check(), Err(InvalidSpec::TooMany { field: "labels", count: 17, max: 16 }));
    }

    /// Without the check, a job with such parameters is acknowledged and fails when they are read.
    #[test]
    fn parameters_that_nobody_can_read_back_are_refused() {
        let check = |text: &str| {
            let parameters = Parameters::from_text(text.to_owned()).unwrap();
            JobSpec::edge_filter().with_graph("g").with_raw_parameters(parameters).check()
        };
        let long = format!("1{}", "0".repeat(400));
        for (text, part) in [
            (r#"{"a":"\ud800"}"#, r"\ud800"),
            (r#"["\udc00\ud800"]"#, r"\udc00"),
            (r#"["\ud83d\ude00\ud83dx"]"#, r"\ud83d"),
            (r#"{"\uDFFF":1}"#, r"\uDFFF"),
            (r"[1e400]", "1e400"),
            (r#"{"a":-1.5E+999}"#, "-1.5E+999"),
            (long.as_str(), shown(&long)),
        ] {
            let refused = InvalidSpec::Unreadable { field: "parameters", part: part.to_owned() };
            assert_eq!(check(text), Err(refused), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text}");
        }
        for text in [
            r#"["\ud83d\ude00", "\\ud800", "1e400", "\"1e400", "\u00e9", "\\"]"#,
            r"[1e308, -1e-400, 1E5, 0, -0.0, 12345678901234567890123]",
            r#"{"a":"","\\":[{}]}"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn parameters_with_a_number_that_json_does_not_have_are_refused() {
        let error = JobSpec::algorithm("a").with_parameters(&[("alpha", f64::NAN)]).unwrap_err();
        assert!(error.to_string().starts_with("[0][1] is NaN, which JSON does not have"), "{error}");
    }

    /// The check of the text has no recursion, so it passes half a million brackets. A reader of values then
    /// fails.
    #[test]
    fn parameters_are_not_nested_deeper_than_others_can_read() {
        let spec = |text: String| {
            JobSpec::edge_filter().with_graph("g").with_raw_parameters(Parameters::from_text(text).unwrap())
        };
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(spec(nested(100)).check(), Ok(()));
        let deep = Err(InvalidSpec::TooDeep { field: "parameters", max: 100 });
        assert_eq!(spec(nested(101)).check(), deep);
        assert_eq!(spec(nested(500_000)).check(), deep);
        let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert_eq!((spec(objects(100)).check(), spec(objects(101)).check()), (Ok(()), deep));
        // Brackets inside a string, also behind an escaped quote, and brackets side by side are not nested.
        assert_eq!(spec(format!(r#"["\"{}"]"#, "[".repeat(1_000))).check(), Ok(()));
        assert_eq!(spec(format!(r#"["\\",{}1]"#, "[[]],".repeat(1_000))).check(), Ok(()));
    }
}
