//! What a server answered, and facts about it.

use serde_json::Value;
use ureq::Body;
use ureq::http::Response;

/// The answer to one request.
#[derive(Debug)]
pub struct Reply {
    line: String,
    /// The HTTP status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// The body.
    pub text: String,
}

/// Answers are read up to this many bytes.
const REPLY_BYTES_MAX: u64 = 1 << 30;

impl Reply {
    /// Reads an answer to its end; an error when the server broke off.
    pub(crate) fn read(line: String, mut response: Response<Body>) -> Result<Reply, ureq::Error> {
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let (status, headers) = (response.status().as_u16(), headers.collect());
        let body = response.body_mut().with_config().limit(REPLY_BYTES_MAX).read_to_vec()?;
        let text = String::from_utf8_lossy(&body).into_owned();
        Ok(Reply { line, status, headers, text })
    }

    /// A header field; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    /// All header fields, in order.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}: {}", self.line, self.text))
    }

    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Reply {
        assert_eq!(self.status, status, "{}: {}", self.line, self.text);
        self
    }

    /// Fails the test unless these facts hold: a JSON pointer (`/name/0/family`) or a header's name, and the value.
    /// In the value a `*` stands for anything; the value `-` means that there is none.
    #[track_caller]
    pub fn facts(self, facts: &[(&str, &str)]) -> Reply {
        for (name, expected) in facts {
            let found = if name.starts_with('/') { self.pointer(name) } else { self.header(name).to_owned() };
            let expected = if *expected == "-" { "" } else { expected };
            assert!(fits(expected, &found), "{}: {name} is `{found}`, not `{expected}`: {}", self.line, self.text);
        }
        self
    }

    /// The value at a JSON pointer as text; empty when there is none.
    pub fn pointer(&self, pointer: &str) -> String {
        match self.json().pointer(pointer) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        }
    }

    /// The ids of a searchset's resources with this search mode, in order, `Type/id` each.
    pub fn keys(&self, mode: &str) -> Vec<String> {
        let bundle = self.json();
        let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = entries.iter().filter(|entry| entry["search"]["mode"] == mode).map(|entry| &entry["resource"]);
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        found.map(|resource| format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]))).collect()
    }

    /// The resources in a file of NDJSON, all of one type, in order, `Type/id` each.
    pub fn lines_of(&self, resource_type: &Value) -> Vec<String> {
        let key = |line: &str| {
            let resource: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(resource["resourceType"], *resource_type, "{line}");
            let text = |name: &str| resource[name].as_str().expect("text").to_owned();
            format!("{}/{}", text("resourceType"), text("id"))
        };
        self.text.lines().map(key).collect()
    }

    /// The URL of one of a Bundle's links.
    pub fn link(&self, relation: &str) -> Option<String> {
        let bundle = self.json();
        let links = bundle["link"].as_array()?;
        let link = links.iter().find(|link| link["relation"] == relation)?;
        Some(link["url"].as_str()?.to_owned())
    }
}

/// Whether text fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}
