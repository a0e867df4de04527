//! An owned JSON value for the few places that build or change structure (patches, rules). Numbers keep their digits.
use std::fmt::{self, Write};

use super::string::write_quoted;
use super::{Document, Kind, Node, SyntaxError};

/// A JSON value that can be changed. Members keep their order.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the kinds of JSON speak for themselves")]
pub enum Value {
    Null,
    Boolean(bool),
    /// The digits as sent.
    Number(String),
    String(String),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// Parses a text by the same rules as [`super::Document::parse`].
    pub fn parse(text: &str) -> Result<Value, SyntaxError> {
        Ok(Document::parse(text.as_bytes())?.root().into())
    }

    /// An empty object.
    pub fn object() -> Value {
        Value::Object(Vec::new())
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(members) => members.iter().find(|(member, _)| member == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The member of an object, to change.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        match self {
            Value::Object(members) => members.iter_mut().find(|(member, _)| member == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Sets a member in place, or appends it. Does nothing when this is no object.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let Value::Object(members) = self else { return };
        match members.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = value.into(),
            None => members.push((name.to_owned(), value.into())),
        }
    }

    /// Removes a member.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let Value::Object(members) = self else { return None };
        let at = members.iter().position(|(member, _)| member == name)?;
        Some(members.remove(at).1)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The items of an array; empty for anything else.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(items) => items,
            _ => &[],
        }
    }
}

/// Recurses no deeper than [`DEPTH_MAX`](super::DEPTH_MAX).
impl From<Node<'_>> for Value {
    fn from(node: Node<'_>) -> Value {
        match node.kind() {
            Kind::Object => {
                Value::Object(node.members().map(|(name, value)| (name.to_owned(), value.into())).collect())
            }
            Kind::Array => Value::Array(node.items().map(Value::from).collect()),
            Kind::String => Value::String(node.as_str().unwrap_or_default().into_owned()),
            Kind::Number => Value::Number(node.raw().to_owned()),
            Kind::Boolean => Value::Boolean(node.as_bool() == Some(true)),
            Kind::Null => Value::Null,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Boolean(value)
    }
}

/// Minified JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Number(digits) => f.write_str(digits),
            Value::String(text) => write_quoted(f, text),
            Value::Array(items) => {
                let mut separator = '[';
                for item in items {
                    f.write_char(separator)?;
                    write!(f, "{item}")?;
                    separator = ',';
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Value::Object(members) => {
                let mut separator = '{';
                for (name, value) in members {
                    f.write_char(separator)?;
                    write_quoted(f, name)?;
                    write!(f, ":{value}")?;
                    separator = ',';
                }
                f.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_everything() {
        let text = r#"{"z":1.50,"a":[],"b":{},"c":[null,true,false,"x\n\"é",-0.0e+10,[{"d":""}]]}"#;
        assert_eq!(Value::parse(text).expect("valid").to_string(), text);
    }

    #[test]
    fn changes_members() {
        let mut value = Value::object();
        value.set("a", "x");
        value.set("b", true);
        value.set("a", Value::Array(vec![Value::Null]));
        assert_eq!(value.to_string(), r#"{"a":[null],"b":true}"#);
        assert_eq!(value.get("a").map(|a| a.items().len()), Some(1));
        *value.get_mut("b").expect("there") = "y".into();
        assert_eq!(value.get("b").and_then(Value::as_str), Some("y"));
        assert_eq!(value.remove("a"), Some(Value::Array(vec![Value::Null])));
        assert_eq!(value.remove("a"), None);
        assert_eq!(value.to_string(), r#"{"b":"y"}"#);
        let mut text = Value::from("text");
        text.set("a", true);
        assert_eq!(text.remove("a"), None);
        assert_eq!((text.get("a"), text.items().len()), (None, 0));
    }
}
