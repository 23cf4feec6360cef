//! [`Declaration`]: the parameters of a kind of work, for people and for programs that make requests.

use serde::Serialize;
use serde_json::Value;

/// The parameters of a kind of work, as its handler declares them. It says what requests look like, for a form or a
/// document. It checks nothing: [`EngineBuilder::check`](crate::EngineBuilder::check) does.
///
/// ```
/// use job_runner::{Declaration, Parameter};
/// use serde_json::json;
///
/// let declared = Declaration::new("How often a random walk visits each vertex")
///     .parameter(Parameter::number("alpha").above(0).below(1).default(0.85).about("The chance to follow an edge"))
///     .parameter(Parameter::text("source").format("vertex").required())
///     .parameter(Parameter::text("mode").one_of(["OUT", "IN", "ALL"]).default("OUT"));
/// assert_eq!(serde_json::to_value(&declared.parameters[0])?, json!({
///     "name": "alpha", "type": "number", "description": "The chance to follow an edge", "required": false,
///     "default": 0.85, "minimum": 0, "exclusiveMinimum": true, "maximum": 1, "exclusiveMaximum": true
/// }));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Declaration {
    /// The work, in a sentence.
    pub description: String,
    /// The parameters, in the order of a form.
    pub parameters: Vec<Parameter>,
}

impl Declaration {
    /// Work without parameters.
    #[must_use]
    pub fn new(description: impl Into<String>) -> Self {
        Self { description: description.into(), parameters: Vec::new() }
    }

    /// Whether requests may have a parameter of this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        let is =
            |parameter: &Parameter| parameter.name == name || parameter.aliases.iter().any(|also| also == name);
        self.parameters.iter().any(is)
    }

    /// Adds a parameter.
    #[must_use]
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }
}

/// One parameter of a kind of work. The words are those of JSON Schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Parameter {
    /// The name of the member.
    pub name: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// The meaning, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether a request without it is refused.
    pub required: bool,
    /// The value of a request without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The least value, or the greatest that is too small.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Value>,
    /// Whether `minimum` itself is too small.
    #[serde(skip_serializing_if = "is_false")]
    pub exclusive_minimum: bool,
    /// The greatest value, or the least that is too great.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Value>,
    /// Whether `maximum` itself is too great.
    #[serde(skip_serializing_if = "is_false")]
    pub exclusive_maximum: bool,
    /// The values, if there are only these.
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Value>,
    /// A word for the meaning of a text, such as `vertex` for the id of a vertex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The type of the elements of an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ParameterType>,
    /// Other names that requests may have in place of `name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The type of the value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ParameterType {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A text.
    String,
    /// A list.
    Array,
    /// An object.
    Object,
}

impl Parameter {
    fn new(name: impl Into<String>, kind: ParameterType) -> Self {
        Self {
            name: name.into(),
            kind,
            description: String::new(),
            required: false,
            default: None,
            minimum: None,
            exclusive_minimum: false,
            maximum: None,
            exclusive_maximum: false,
            allowed: Vec::new(),
            format: None,
            items: None,
            aliases: Vec::new(),
        }
    }

    /// A truth value.
    #[must_use]
    pub fn boolean(name: impl Into<String>) -> Self {
        Self::new(name, ParameterType::Boolean)
    }

    /// A whole number.
    #[must_use]
    pub fn integer(name: impl Into<String>) -> Self {
        Self::new(name, ParameterType::Integer)
    }

    /// A number.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self::new(name, ParameterType::Number)
    }

    /// A text.
    #[must_use]
    pub fn text(name: impl Into<String>) -> Self {
        Self::new(name, ParameterType::String)
    }

    /// A list of values of this type.
    #[must_use]
    pub fn list(name: impl Into<String>, items: ParameterType) -> Self {
        Self { items: Some(items), ..Self::new(name, ParameterType::Array) }
    }

    /// An object.
    #[must_use]
    pub fn object(name: impl Into<String>) -> Self {
        Self::new(name, ParameterType::Object)
    }

    /// Tells the meaning, in a sentence.
    #[must_use]
    pub fn about(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Names another spelling that requests may have in place of its name; none by default.
    #[must_use]
    pub fn also(mut self, name: impl Into<String>) -> Self {
        self.aliases.push(name.into());
        self
    }

    /// A request without it is refused; by default it may be left out.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The value of a request without it; by default none is told.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }

    /// The least value; no bound by default.
    #[must_use]
    pub fn from(mut self, least: impl Into<Value>) -> Self {
        self.minimum = Some(least.into());
        self
    }

    /// The greatest value; no bound by default.
    #[must_use]
    pub fn to(mut self, greatest: impl Into<Value>) -> Self {
        self.maximum = Some(greatest.into());
        self
    }

    /// The greatest value that is too small; no bound by default.
    #[must_use]
    pub fn above(mut self, bound: impl Into<Value>) -> Self {
        self.exclusive_minimum = true;
        self.from(bound)
    }

    /// The least value that is too great; no bound by default.
    #[must_use]
    pub fn below(mut self, bound: impl Into<Value>) -> Self {
        self.exclusive_maximum = true;
        self.to(bound)
    }

    /// The only values; by default any of the type.
    #[must_use]
    pub fn one_of<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.allowed = values.into_iter().map(Into::into).collect();
        self
    }

    /// A word for the meaning of a text: `vertex` for the id of a vertex, `label` and `property` for their names; none
    /// by default.
    #[must_use]
    pub fn format(mut self, word: impl Into<String>) -> Self {
        self.format = Some(word.into());
        self
    }
}
