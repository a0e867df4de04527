//! From text to scopes.

use std::error::Error;
use std::fmt;

use fhir::Definitions;

use super::{Letters, Level, READING, Scope, Scopes, Syntax, WRITING, Word};
use crate::uri::percent_decoded;

/// Bytes of all scopes of one request, spaces counted.
pub const TEXT_MAX: usize = 8_192;
/// Scopes of one request, client or account.
pub const SCOPES_MAX: usize = 128;
/// Search parameters of one scope.
pub const PARAMETERS_MAX: usize = 8;

/// Parameters of every type that a scope may name; others that begin with `_` shape a result, or look into other resources.
const COMMON_PARAMETERS: [&str; 6] = ["_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"];

/// Why a text is no list of scopes: OAuth's `invalid_scope`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidScope(String);

impl fmt::Display for InvalidScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidScope {}

impl Scopes {
    /// Reads scopes that are separated by spaces. What is no scope of SMART is kept apart as unknown; what looks like one and is wrong is an error.
    pub fn parse(text: &str) -> Result<Scopes, InvalidScope> {
        if text.len() > TEXT_MAX {
            return Err(InvalidScope(format!("scopes are longer than {TEXT_MAX} bytes")));
        }
        let mut scopes = Scopes::default();
        for (position, token) in text.split(' ').filter(|token| !token.is_empty()).enumerate() {
            if position == SCOPES_MAX {
                return Err(InvalidScope(format!("more than {SCOPES_MAX} scopes are asked for")));
            }
            if !token.bytes().all(is_scope_character) {
                return Err(InvalidScope("a scope has a character that scopes cannot have".to_owned()));
            }
            scopes.add(token)?;
        }
        scopes.tidy();
        Ok(scopes)
    }

    fn add(&mut self, token: &str) -> Result<(), InvalidScope> {
        if let Some(word) = Word::parse(token) {
            self.words.insert(word);
            return Ok(());
        }
        match scope(token)? {
            Some(scope) => self.data.push(scope),
            None => self.unknown.push(token.to_owned()),
        }
        Ok(())
    }
}

impl Word {
    fn parse(token: &str) -> Option<Word> {
        Word::ALL.into_iter().find(|word| word.as_str() == token)
    }
}

/// RFC 6749, appendix A.4.
fn is_scope_character(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

/// `None` where it has not the form of a scope for resources, or is of a type that R4 does not have.
fn scope(token: &str) -> Result<Option<Scope>, InvalidScope> {
    let Some((level, rest)) = token.split_once('/') else { return Ok(None) };
    let Some(level) = Level::parse(level) else { return Ok(None) };
    let (plain, query) = match rest.split_once('?') {
        Some((plain, query)) => (plain, Some(query)),
        None => (rest, None),
    };
    let invalid = |why: &str| InvalidScope(format!("scope `{token}` {why}"));
    let (name, actions) = plain.split_once('.').ok_or_else(|| invalid("names no interaction"))?;
    let (letters, syntax) =
        actions_of(actions).ok_or_else(|| invalid("must end in letters of `cruds`, in that order"))?;
    let parameters = match query {
        Some(_) if syntax == Syntax::V1 => return Err(invalid("mixes the first and second version of SMART")),
        Some(query) => parameters(query).ok_or_else(|| invalid("has a search parameter that scopes cannot have"))?,
        None => Vec::new(),
    };
    let resource_type = match name {
        "*" => None,
        name => match Definitions::r4().resource_type(name) {
            Some(resource_type) => Some(resource_type),
            None => return Ok(None),
        },
    };
    Ok(Some(Scope { level, resource_type, parameters, letters, syntax }))
}

impl Level {
    fn parse(text: &str) -> Option<Level> {
        [Level::Patient, Level::User, Level::System].into_iter().find(|level| level.as_str() == text)
    }
}

fn actions_of(text: &str) -> Option<(Letters, Syntax)> {
    match text {
        "read" => return Some((READING, Syntax::V1)),
        "write" => return Some((WRITING, Syntax::V1)),
        "*" => return Some((READING.with(WRITING), Syntax::V1)),
        _ => {}
    }
    let mut order = Letters::ORDER.into_iter();
    let mut letters = Letters::default();
    for character in text.chars() {
        let (_, letter) = order.by_ref().find(|(known, _)| *known == character)?;
        letters = letters.with(letter);
    }
    (!letters.is_empty()).then_some((letters, Syntax::V2))
}

fn parameters(query: &str) -> Option<Vec<(String, String)>> {
    let mut parameters = Vec::new();
    for part in query.split('&') {
        let (name, value) = part.split_once('=')?;
        let (name, value) = (percent_decoded(name)?, percent_decoded(value)?);
        let is_value = !value.is_empty() && !value.contains(char::is_control);
        if parameters.len() == PARAMETERS_MAX || !is_value || !is_parameter(&name) {
            return None;
        }
        parameters.push((name, value));
    }
    parameters.sort();
    parameters.dedup();
    Some(parameters)
}

/// No chains and no `_has`: what a scope grants depends on the resource alone.
fn is_parameter(name: &str) -> bool {
    let base = name.split(':').next().unwrap_or(name);
    let is_common = !base.starts_with('_') || COMMON_PARAMETERS.contains(&base);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    !base.is_empty() && is_common && name.bytes().all(is_name)
}
