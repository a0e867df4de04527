//! String functions, <http://hl7.org/fhirpath/N1/#string-manipulation>. Positions count characters.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{Call, Function, boolean, function, integer, optional, string, text};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::expression::Expr;
use crate::fhirpath::pattern::Pattern;
use crate::fhirpath::{Collection, EvaluationError, Item};
use crate::json;

pub(super) const FUNCTIONS: &[Function] = &[
    function("indexOf", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, part| {
            Ok(Item::Integer(text.find(part).map_or(-1, |at| text[..at].chars().count() as i64)))
        })
    }),
    function("lastIndexOf", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, part| {
            Ok(Item::Integer(text.rfind(part).map_or(-1, |at| text[..at].chars().count() as i64)))
        })
    }),
    function("substring", 1..=2, substring),
    function("startsWith", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, part| Ok(Item::Boolean(text.starts_with(part))))
    }),
    function("endsWith", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, part| Ok(Item::Boolean(text.ends_with(part))))
    }),
    function("contains", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, part| Ok(Item::Boolean(text.contains(part))))
    }),
    function("upper", 0..=0, |evaluation, call| with_text(evaluation, &call, |text| Ok(string(text.to_uppercase())))),
    function("lower", 0..=0, |evaluation, call| with_text(evaluation, &call, |text| Ok(string(text.to_lowercase())))),
    function("trim", 0..=0, |evaluation, call| with_text(evaluation, &call, |text| Ok(string(text.trim().to_owned())))),
    function("replace", 2..=2, replace),
    function("matches", 1..=1, |evaluation, call| {
        matches(evaluation, &call, |pattern, text| pattern.regex.is_match(text))
    }),
    function("matchesFull", 1..=1, |evaluation, call| {
        matches(evaluation, &call, |pattern, text| pattern.whole.is_match(text))
    }),
    function("replaceMatches", 2..=2, replace_matches),
    function("length", 0..=0, |evaluation, call| {
        Ok(call.input_text(evaluation)?.map(|text| integer(text.chars().count())).unwrap_or_default())
    }),
    function("toChars", 0..=0, |evaluation, call| {
        let mut characters = Collection::new();
        for character in call.input_text(evaluation)?.unwrap_or_default().chars() {
            evaluation.push(&mut characters, string(character.to_string()))?;
        }
        Ok(characters)
    }),
    function("split", 1..=1, split),
    function("join", 0..=1, join),
    function("encode", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, form| match form {
            "base64" => Ok(string(STANDARD.encode(text))),
            "urlbase64" => Ok(string(URL_SAFE.encode(text))),
            "hex" => Ok(string(text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())),
            other => Err(unknown_form(other, "base64, urlbase64, hex")),
        })
    }),
    function("decode", 1..=1, decode),
    function("escape", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, form| match form {
            "html" => {
                Ok(string(HTML.iter().fold(text.to_owned(), |text, (plain, entity)| text.replace(plain, entity))))
            }
            "json" => {
                let quoted = json::quote(text);
                Ok(string(quoted[1..quoted.len() - 1].to_owned()))
            }
            other => Err(unknown_form(other, "html, json")),
        })
    }),
    function("unescape", 1..=1, |evaluation, call| {
        with_argument(evaluation, &call, |text, form| match form {
            "html" => {
                let entities = HTML.iter().rev();
                Ok(string(entities.fold(text.to_owned(), |text, (plain, entity)| text.replace(entity, plain))))
            }
            "json" => Ok(string(text.replace("\\\"", "\"").replace("\\\\", "\\"))),
            other => Err(unknown_form(other, "html, json")),
        })
    }),
];

/// The ampersand first, so that it is not escaped twice; unescaping goes backwards.
const HTML: [(&str, &str); 5] = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];

fn unknown_form(form: &str, known: &str) -> EvaluationError {
    EvaluationError::new(format!("form `{form}` is none of {known}"))
}

/// Applies a function to the input's text; empty when there is none.
fn with_text<'a>(
    evaluation: &Evaluation<'a>,
    call: &Call<'a, '_>,
    apply: impl FnOnce(&str) -> Evaluated<Item<'a>>,
) -> Evaluated<Collection<'a>> {
    let text = call.input_text(evaluation)?;
    Ok(optional(text.map(|text| apply(&text)).transpose()?))
}

/// Applies a function to the input's text and the first argument's; empty when either is.
fn with_argument<'a>(
    evaluation: &Evaluation<'a>,
    call: &Call<'a, '_>,
    apply: impl FnOnce(&str, &str) -> Evaluated<Item<'a>>,
) -> Evaluated<Collection<'a>> {
    let texts = call.input_text(evaluation)?.zip(call.text(evaluation, 0)?);
    Ok(optional(texts.map(|(text, argument)| apply(&text, &argument)).transpose()?))
}

fn substring<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let (Some(text), Some(start)) = (call.input_text(evaluation)?, call.integer(evaluation, 0)?) else {
        return Ok(Collection::new());
    };
    let length = call.integer(evaluation, 1)?.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(0));
    let Some(from) = usize::try_from(start).ok().and_then(|start| text.char_indices().nth(start)) else {
        return Ok(Collection::new());
    };
    let rest = &text[from.0..];
    let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
    Ok(optional(Some(string(rest[..end].to_owned()))))
}

fn replace<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let (Some(text), Some(part), Some(by)) =
        (call.input_text(evaluation)?, call.text(evaluation, 0)?, call.text(evaluation, 1)?)
    else {
        return Ok(Collection::new());
    };
    evaluation.spend_string(text.len() + text.matches(&*part).count().saturating_mul(by.len()))?;
    Ok(optional(Some(string(text.replace(&*part, &by)))))
}

/// The pattern of the first argument: compiled by the parser when it is a literal.
fn pattern<'a>(evaluation: &Evaluation<'a>, call: &Call<'a, '_>) -> Evaluated<Option<Cow<'a, Pattern>>> {
    if let Some(Expr::Pattern(pattern)) = call.arguments.first() {
        return Ok(Some(Cow::Borrowed(pattern)));
    }
    let Some(text) = call.text(evaluation, 0)? else { return Ok(None) };
    evaluation.pattern(&text).map(|pattern| Some(Cow::Owned(pattern)))
}

fn matches<'a>(
    evaluation: &Evaluation<'a>,
    call: &Call<'a, '_>,
    is_match: impl FnOnce(&Pattern, &str) -> bool,
) -> Evaluated<Collection<'a>> {
    let (Some(text), Some(pattern)) = (call.input_text(evaluation)?, pattern(evaluation, call)?) else {
        return Ok(Collection::new());
    };
    evaluation.spend(pattern.steps(text.len()))?;
    Ok(boolean(is_match(&pattern, &text)))
}

/// An empty pattern matches nothing that could be replaced.
fn replace_matches<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let (Some(text), Some(pattern), Some(by)) =
        (call.input_text(evaluation)?, pattern(evaluation, &call)?, call.text(evaluation, 1)?)
    else {
        return Ok(Collection::new());
    };
    if pattern.text.is_empty() {
        return Ok(optional(Some(Item::String(text))));
    }
    evaluation.spend(pattern.steps(text.len()))?;
    let growth = by.len().saturating_add(if by.contains('$') { text.len() } else { 0 });
    evaluation
        .spend_string(text.len().saturating_add(pattern.regex.find_iter(&text).count().saturating_mul(growth)))?;
    Ok(optional(Some(string(pattern.regex.replace_all(&text, &*by).into_owned()))))
}

fn split<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut parts = Collection::new();
    let (Some(text), Some(separator)) = (call.input_text(evaluation)?, call.text(evaluation, 0)?) else {
        return Ok(parts);
    };
    for part in text.split(&*separator) {
        evaluation.push(&mut parts, string(part.to_owned()))?;
    }
    Ok(parts)
}

fn join<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let separator = call.text(evaluation, 0)?.unwrap_or_default();
    if call.input.is_empty() {
        return Ok(Collection::new());
    }
    let mut joined = String::new();
    for (at, item) in call.input.iter().enumerate() {
        if at > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&text(item.system(evaluation.context.definitions))?);
        evaluation.spend_string(joined.len())?;
    }
    Ok(optional(Some(string(joined))))
}

/// Empty when the text is not in the named form.
fn decode<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let texts = call.input_text(evaluation)?.zip(call.text(evaluation, 0)?);
    let Some((text, form)) = texts else { return Ok(Collection::new()) };
    let bytes = match &*form {
        "base64" => STANDARD.decode(&*text).ok(),
        "urlbase64" => URL_SAFE.decode(&*text).ok(),
        "hex" => decode_hex(&text),
        other => return Err(unknown_form(other, "base64, urlbase64, hex")),
    };
    Ok(optional(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(string)))
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
