//! JSON Pointer, <https://www.rfc-editor.org/rfc/rfc6901>, on a [`Value`].
use std::fmt;

use crate::json::Value;
use crate::outcome::quoted;

/// A path to a place in a [`Value`].
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl Pointer {
    /// Parses a pointer: empty for the whole, otherwise names and indexes that each follow a slash.
    pub(super) fn parse(text: &str) -> Option<Pointer> {
        let tokens = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(unescape).collect::<Option<Vec<_>>>()?,
            None if text.is_empty() => Vec::new(),
            None => return None,
        };
        Some(Pointer { text: text.to_owned(), tokens })
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// How many steps lead to the place.
    pub(super) fn depth(&self) -> usize {
        self.tokens.len()
    }

    /// True when `other` lies inside the place.
    pub(super) fn contains(&self, other: &Pointer) -> bool {
        other.tokens.len() > self.tokens.len() && other.tokens.starts_with(&self.tokens)
    }

    /// The value at the place.
    pub(super) fn get<'v>(&self, root: &'v Value) -> Result<&'v Value, String> {
        self.tokens.iter().try_fold(root, |value, token| child(value, token)).ok_or_else(|| self.nothing())
    }

    /// The value at the place, to change.
    pub(super) fn get_mut<'v>(&self, root: &'v mut Value) -> Result<&'v mut Value, String> {
        walk(root, &self.tokens).ok_or_else(|| self.nothing())
    }

    /// Puts a value at the place: a new or changed member, or an item before the one that is there; `-` is the end of an array.
    pub(super) fn add(&self, root: &mut Value, value: Value) -> Result<(), String> {
        let Some((last, parents)) = self.tokens.split_last() else {
            *root = value;
            return Ok(());
        };
        match walk(root, parents) {
            Some(parent @ Value::Object(_)) => parent.set(last, value),
            Some(Value::Array(items)) => {
                let at = if last == "-" { Some(items.len()) } else { index(last) };
                let at = at.filter(|at| *at <= items.len()).ok_or_else(|| {
                    format!("{} at the end of {self} should be an index from 0 to {} or `-`", quoted(last), items.len())
                })?;
                items.insert(at, value);
            }
            Some(_) => return Err(format!("{self} leads into a value that is neither object nor array")),
            None => return Err(format!("{self} leads through a place that does not exist")),
        }
        Ok(())
    }

    /// [`Pointer::add`] on a resource. FHIR has no empty lists, so one that is not there can be added to; and it has no lists of lists, so a list
    /// that is added to the end of another is all of its items, which is how NHS England's clients send them.
    pub(super) fn add_to_resource(&self, root: &mut Value, value: Value) -> Result<(), String> {
        let Some((_, list)) = self.tokens.split_last().filter(|(last, _)| *last == "-") else {
            return self.add(root, value);
        };
        if walk(root, list).is_none()
            && let Some((name, parents)) = list.split_last()
            && let Some(parent @ Value::Object(_)) = walk(root, parents)
        {
            parent.set(name, Value::Array(Vec::new()));
        }
        match value {
            Value::Array(items) => items.into_iter().try_for_each(|item| self.add(root, item)),
            value => self.add(root, value),
        }
    }

    /// Takes the value away from the place.
    pub(super) fn remove(&self, root: &mut Value) -> Result<Value, String> {
        let Some((last, parents)) = self.tokens.split_last() else {
            return Err("the whole resource cannot be removed".to_owned());
        };
        let removed = match walk(root, parents) {
            Some(Value::Array(items)) => index(last).filter(|at| *at < items.len()).map(|at| items.remove(at)),
            Some(parent) => parent.remove(last),
            None => None,
        };
        removed.ok_or_else(|| self.nothing())
    }

    fn nothing(&self) -> String {
        format!("there is nothing at {self}")
    }
}

/// For messages: in backticks, and cut when long.
impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.text))
    }
}

fn walk<'v>(root: &'v mut Value, tokens: &[String]) -> Option<&'v mut Value> {
    tokens.iter().try_fold(root, |value, token| match value {
        Value::Array(items) => items.get_mut(index(token)?),
        value => value.get_mut(token),
    })
}

fn child<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Array(items) => items.get(index(token)?),
        value => value.get(token),
    }
}

/// An array index: digits without a superfluous zero.
fn index(token: &str) -> Option<usize> {
    let is_index = token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if is_index { token.parse().ok() } else { None }
}

/// Decodes `~1` to a slash and `~0` to a tilde; any other tilde is refused.
fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = match part.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        };
        text.push(rest);
        text.push_str(&part[1..]);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_places_of_the_rfc() {
        // The example of RFC 6901, section 5, without the two names that our parser refuses.
        let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4," ":7,"m~n":8,"~1":9}"#;
        let document = Value::parse(text).expect("valid");
        let cases = [
            ("", Some(text)),
            ("/foo", Some(r#"["bar","baz"]"#)),
            ("/foo/0", Some(r#""bar""#)),
            ("/", Some("0")),
            ("/a~1b", Some("1")),
            ("/c%d", Some("2")),
            ("/e^f", Some("3")),
            ("/g|h", Some("4")),
            ("/ ", Some("7")),
            ("/m~0n", Some("8")),
            ("/~01", Some("9")),
            ("/foo/2", None),
            ("/foo/-", None),
            ("/foo/00", None),
            ("/foo/+1", None),
            ("/foo/", None),
            ("/foo/18446744073709551616", None),
            ("/foo/0/bar", None),
            ("/bar", None),
        ];
        for (pointer, expected) in cases {
            let pointer = Pointer::parse(pointer).expect(pointer);
            assert_eq!(pointer.get(&document).ok().map(ToString::to_string).as_deref(), expected, "{pointer}");
            let mut document = document.clone();
            assert_eq!(pointer.get_mut(&mut document).ok().map(|value| value.to_string()).as_deref(), expected);
        }
        for text in ["foo", "#/foo", "/~", "/~2", "/a~", "/~/b"] {
            assert!(Pointer::parse(text).is_none(), "{text}");
        }
    }
}
