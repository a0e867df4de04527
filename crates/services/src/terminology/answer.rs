//! Parameters resources as answers, written as JSON.

use bytes::Bytes;
use fhir::json::quote;

/// Parameters, or the parts of one.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<String>);

impl Answer {
    pub(super) fn boolean(&mut self, name: &str, value: bool) {
        self.0.push(format!(r#"{{"name":"{name}","valueBoolean":{value}}}"#));
    }

    /// A value that is written as a JSON string; `kind` is the name of its type: `Code`.
    pub(super) fn text(&mut self, name: &str, kind: &str, value: &str) {
        self.0.push(format!(r#"{{"name":"{name}","value{kind}":{}}}"#, quote(value)));
    }

    /// The same where there is a value.
    pub(super) fn maybe(&mut self, name: &str, kind: &str, value: Option<&str>) {
        value.into_iter().for_each(|value| self.text(name, kind, value));
    }

    /// A value that is JSON already.
    pub(super) fn json(&mut self, name: &str, kind: &str, json: &str) {
        self.0.push(format!(r#"{{"name":"{name}","value{kind}":{json}}}"#));
    }

    pub(super) fn parts(&mut self, name: &str, parts: Answer) {
        self.0.push(format!(r#"{{"name":"{name}","part":[{}]}}"#, parts.0.join(",")));
    }

    /// The resource.
    pub(super) fn bytes(self) -> Bytes {
        format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, self.0.join(",")).into()
    }
}

/// A Coding.
pub(super) fn coding(system: Option<&str>, version: Option<&str>, code: &str, display: Option<&str>) -> String {
    let members = [("system", system), ("version", version), ("code", Some(code)), ("display", display)];
    let members = members.into_iter().filter_map(|(name, value)| Some(format!(r#""{name}":{}"#, quote(value?))));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}
