//! From an entry to a [`Call`] or a [`Change`].

use std::borrow::Cow;

use fhir::json::{Document, Node};
use fhir::{DateTime, Issue, IssueType, Outcome, is_instant};
use hyper::Method;
use repository::{Change, Millis};
use search::{parse_query_string, query_string};

use super::super::write::change;
use super::super::{Call, Conditions, Payload};
use super::envelope::check_entry;
use crate::State;
use crate::interaction::Interaction;
use crate::negotiate::{General, Preferences};
use crate::respond::Refused;

/// The change that an entry asks for; `None` when it asks for a read.
pub(crate) fn entry_change(state: &State, entry: Node<'_>) -> Result<Option<Change>, Outcome> {
    match step(state, entry, Preferences::default()) {
        Ok(Step::Write(change)) => Ok(Some(change)),
        Ok(Step::Read(_)) => Ok(None),
        Err(refused) => Err(refused.outcome),
    }
}

/// What an entry is in a transaction.
pub(super) enum Step {
    Write(Change),
    Read(Call),
}

/// What this entry is.
pub(super) fn step(state: &State, entry: Node<'_>, preferences: Preferences) -> Result<Step, Refused> {
    let (call, full_url) = entry_call(state, entry, preferences)?;
    match call.interaction {
        Interaction::Search { ref scope, .. } => {
            // It runs when all is written: what cannot be understood is refused while nothing is.
            let repository = &state.repository;
            repository.registry().search(scope, &call.parameters, preferences.handling, repository.now())?;
            Ok(Step::Read(call))
        }
        Interaction::Create(_) | Interaction::Update(_) | Interaction::Patch(_) | Interaction::Delete(_) => {
            Ok(Step::Write(change(call.interaction, &call.conditions, call.payload, full_url)?))
        }
        Interaction::Operation { .. } => {
            Err(Outcome::new(IssueType::NotSupported, "operations are not part of a transaction").into())
        }
        _ => Ok(Step::Read(call)),
    }
}

/// The call that an entry states, and its full URL.
pub(super) fn entry_call(
    state: &State,
    entry: Node<'_>,
    preferences: Preferences,
) -> Result<(Call, Option<String>), Refused> {
    check_entry(entry, state.definitions)?;
    let Some(request) = entry.get("request") else {
        return Err(required("request", "an entry needs a request with method and url").into());
    };
    let text = |name: &str| request.get(name).and_then(Node::as_str).map(Cow::into_owned);
    let method = method(text("method").as_deref())?;
    let Some(url) = text("url") else { return Err(required("request.url", "a request needs a url").into()) };
    let (path, query) = split(&url, &state.base_url)?;
    let mut parameters = parse_query_string(query)?;
    let general = General::take(&mut parameters);
    let criteria = query_string(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let interaction = Interaction::parse(&method, path, &criteria, state.definitions)?;
    if matches!(interaction, Interaction::Bundle) {
        let text = "a Bundle inside a batch or transaction is not processed; send its entries themselves";
        return Err(Outcome::new(IssueType::BadRequest, text).into());
    }
    let payload = match entry.get("resource") {
        Some(resource) => Payload::Document(Document::parse(resource.raw().as_bytes()).map_err(Outcome::from)?),
        None => Payload::Nothing,
    };
    let conditions = Conditions {
        if_match: text("ifMatch"),
        if_none_match: text("ifNoneMatch"),
        if_modified_since: text("ifModifiedSince").as_deref().map(instant).transpose()?,
        if_none_exist: text("ifNoneExist"),
    };
    let full_url = entry.get("fullUrl").and_then(Node::as_str).map(Cow::into_owned);
    Ok((Call { interaction, parameters, general, conditions, preferences, payload }, full_url))
}

fn method(name: Option<&str>) -> Result<Method, Outcome> {
    match name {
        Some("GET" | "HEAD") => Ok(Method::GET),
        Some("POST") => Ok(Method::POST),
        Some("PUT") => Ok(Method::PUT),
        Some("PATCH") => Ok(Method::PATCH),
        Some("DELETE") => Ok(Method::DELETE),
        Some(other) => {
            let text = format!("method `{other}` is none of GET, HEAD, POST, PUT, PATCH and DELETE");
            Err(Outcome::new(IssueType::CodeInvalid, text).at("Bundle.entry.request.method"))
        }
        None => Err(required("request.method", "a request needs a method")),
    }
}

/// Where HTTP has a date in words, an entry has an instant.
fn instant(text: &str) -> Result<Millis, Outcome> {
    match DateTime::parse(text).filter(|_| is_instant(text)) {
        // Written to the second, it means all of that second, as in HTTP.
        Some(time) => Ok(time.range().1.as_millis() - 1),
        None => {
            let text = format!("ifModifiedSince `{text}` is no instant such as `2026-03-01T09:00:00Z`");
            Err(Outcome::new(IssueType::Value, text).at("Bundle.entry.request.ifModifiedSince"))
        }
    }
}

fn required(element: &str, text: &str) -> Outcome {
    Outcome::new(IssueType::Required, text).at(format!("Bundle.entry.{element}"))
}

/// Path and query of an entry's URL: relative to the base URL, or below it.
fn split<'a>(url: &'a str, base_url: &str) -> Result<(&'a str, &'a str), Outcome> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let below = path.strip_prefix(base_url).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let relative = below.unwrap_or(path);
    if relative.contains("://") || relative.starts_with("urn:") {
        let text = format!("url `{url}` is on another server; it must be relative or begin with `{base_url}`");
        return Err(Outcome::new(IssueType::BadRequest, text).at("Bundle.entry.request.url"));
    }
    Ok((relative, query))
}

/// Says which entry is to blame: `Patient.name` becomes `Bundle.entry[3].resource.name`.
pub(crate) fn refused_at(at: usize, mut refused: Refused) -> Refused {
    let place = |expression: &str| match (expression.strip_prefix("Bundle.entry"), expression.split_once('.')) {
        // With a number it is an entry of a Bundle that is itself the entry's resource.
        (Some(rest), _) if !rest.starts_with('[') => format!("Bundle.entry[{at}]{rest}"),
        (_, Some((_, rest))) => format!("Bundle.entry[{at}].resource.{rest}"),
        (_, None) => format!("Bundle.entry[{at}].resource"),
    };
    let name = |issue: &mut Issue| {
        for expression in &mut issue.expression {
            *expression = place(expression);
        }
    };
    refused.outcome.issues.iter_mut().for_each(name);
    refused.outcome = refused.outcome.at(format!("Bundle.entry[{at}]"));
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_entry() {
        let cases = [
            (None, "Bundle.entry[3]"),
            (Some("Patient.name[0].family"), "Bundle.entry[3].resource.name[0].family"),
            (Some("Patient"), "Bundle.entry[3].resource"),
            (Some("Bundle.entry"), "Bundle.entry[3]"),
            (Some("Bundle.entry.request.url"), "Bundle.entry[3].request.url"),
            (Some("Bundle.entry[7].resource"), "Bundle.entry[3].resource.entry[7].resource"),
        ];
        for (expression, expected) in cases {
            let outcome = Outcome::new(IssueType::Value, "x");
            let outcome = match expression {
                Some(expression) => outcome.at(expression),
                None => outcome,
            };
            assert_eq!(refused_at(3, outcome.into()).outcome.issues[0].expression, [expected]);
        }
    }

    #[test]
    fn splits_urls() {
        let base_url = "http://here/fhir";
        let cases = [
            ("Patient/1", Some(("Patient/1", ""))),
            ("/Patient?x=1", Some(("/Patient", "x=1"))),
            ("http://here/fhir/Patient?x=http://y", Some(("/Patient", "x=http://y"))),
            ("http://here/fhir", Some(("", ""))),
            ("http://here/fhirs/Patient", None),
            ("http://there/fhir/Patient", None),
            ("urn:uuid:1", None),
        ];
        for (url, expected) in cases {
            assert_eq!(split(url, base_url).ok(), expected, "{url}");
        }
    }
}
