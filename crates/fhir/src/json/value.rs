//! An owned JSON value for the few places that build or change structure (patches, rules). Numbers keep their digits.
use super::{Node, SyntaxError};

/// A JSON value that can be changed. Members keep their order.
#[derive(Clone, Debug, PartialEq)]
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
    pub fn parse(_text: &str) -> Result<Value, SyntaxError> {
        todo!()
    }
    /// An empty object.
    pub fn object() -> Value {
        Value::Object(Vec::new())
    }
    /// The member of an object.
    pub fn get(&self, _name: &str) -> Option<&Value> {
        todo!()
    }
    /// The member of an object, to change.
    pub fn get_mut(&mut self, _name: &str) -> Option<&mut Value> {
        todo!()
    }
    /// Sets a member in place, or appends it. Does nothing when this is no object.
    pub fn set(&mut self, _name: &str, _value: impl Into<Value>) {
        todo!()
    }
    /// Removes a member.
    pub fn remove(&mut self, _name: &str) -> Option<Value> {
        todo!()
    }
    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        todo!()
    }
    /// The items of an array; empty for anything else.
    pub fn items(&self) -> &[Value] {
        todo!()
    }
}

impl From<Node<'_>> for Value {
    fn from(_node: Node<'_>) -> Value {
        todo!()
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
impl std::fmt::Display for Value {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
}
