//! Batch and transaction, <https://hl7.org/fhir/R4/http.html#transaction>: each entry is a [`Call`] like any other.

use std::borrow::Cow;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fhir::json::{Document, JsonPatch, Node, quote};
use fhir::{Instant, Issue, IssueType, Outcome};
use hyper::Method;
use repository::{CHANGES_MAX, Change, Patch, Refusal};
use search::{parse_query_string, query_string};

use super::pages::{push_bytes, write_entries};
use super::write::{answer, change};
use super::{Call, Caller, Conditions, Payload, perform};
use crate::State;
use crate::interaction::{Expected, Interaction};
use crate::negotiate::{General, Preferences, Returns, check_media_type};
use crate::respond::{Answer, Content, Refused};

/// How many entries a batch or transaction has at most.
pub(crate) const ENTRIES_MAX: usize = CHANGES_MAX;

/// When the answer has grown to this many bytes, the reads that are left are refused.
const ANSWER_BYTES_MAX: usize = 256 << 20;

pub(super) fn bundle(caller: &Caller<'_>, call: Call) -> Result<Answer, Refused> {
    let mut preferences = call.preferences;
    preferences.returns.get_or_insert(Returns::Minimal);
    let document = call.payload.document()?;
    let root = document.root();
    if root.resource_type() != Some("Bundle") {
        let found = root.resource_type().unwrap_or("none");
        let text = format!("POST to the base URL takes a Bundle, found resourceType `{found}`");
        return Err(Outcome::new(IssueType::BadRequest, text).into());
    }
    let entries: Vec<_> = root.get("entry").into_iter().flat_map(Node::items).collect();
    if entries.len() > ENTRIES_MAX {
        let text = format!("the Bundle has {} entries, at most {ENTRIES_MAX} are taken", entries.len());
        return Err(Outcome::new(IssueType::TooCostly, text).at("Bundle.entry").into());
    }
    let kind = root.get("type").and_then(Node::as_str).unwrap_or_default();
    let (kind, answers) = match &*kind {
        "batch" => ("batch-response", batch(caller, &entries, preferences)),
        "transaction" => ("transaction-response", transaction(caller, &entries, preferences)?),
        other => {
            let text = format!("Bundle type `{other}` cannot be processed, only `batch` and `transaction`");
            return Err(Outcome::new(IssueType::BadRequest, text).at("Bundle.type").into());
        }
    };
    let mut out = format!(r#"{{"resourceType":"Bundle","type":"{kind}""#);
    write_entries(&mut out, answers, |out, answer| write_entry(out, caller, answer));
    out.push('}');
    Ok(Answer::resource(out))
}

/// Every entry on its own.
fn batch(caller: &Caller<'_>, entries: &[Node<'_>], preferences: Preferences) -> Vec<Answer> {
    let mut bytes = 0;
    let perform_entry = |(at, node): (usize, &Node<'_>)| {
        let done =
            entry_call(caller.state, *node, preferences).and_then(|(call, _)| read_within(caller, call, &mut bytes));
        done.unwrap_or_else(|refused| Answer::refusal(refused_at(at, refused), caller.request_id))
    };
    entries.iter().enumerate().map(perform_entry).collect()
}

/// All writes or none, then the reads.
fn transaction(caller: &Caller<'_>, entries: &[Node<'_>], preferences: Preferences) -> Result<Vec<Answer>, Refused> {
    let mut changes = Vec::new();
    let mut writers = Vec::new();
    let mut reads = Vec::new();
    for (at, node) in entries.iter().enumerate() {
        match step(caller.state, *node, preferences).map_err(|refused| refused_at(at, refused))? {
            Step::Write(change) => {
                changes.push(change);
                writers.push(at);
            }
            Step::Read(call) => reads.push((at, call)),
        }
    }
    let refuse = |Refusal { change, outcome }: Refusal| match change.and_then(|change| writers.get(change)) {
        Some(&at) => refused_at(at, outcome.into()),
        None => outcome.into(),
    };
    let changed = caller.session.transact(changes).map_err(refuse)?;
    let returns = preferences.returns.unwrap_or(Returns::Minimal);
    let mut answers: Vec<Option<Answer>> = entries.iter().map(|_| None).collect();
    for (at, changed) in writers.iter().zip(changed) {
        answers[*at] = Some(answer(changed, returns));
    }
    let mut bytes = 0;
    for (at, call) in reads {
        let done = read_within(caller, call, &mut bytes);
        answers[at] = Some(done.unwrap_or_else(|refused| Answer::refusal(refused_at(at, refused), caller.request_id)));
    }
    Ok(answers.into_iter().flatten().collect())
}

/// The change that entry number `at` asks for; `None` when it asks for a read.
pub(crate) fn entry_change(state: &State, at: usize, entry: Node<'_>) -> Result<Option<Change>, Outcome> {
    match step(state, entry, Preferences::default()) {
        Ok(Step::Write(change)) => Ok(Some(change)),
        Ok(Step::Read(_)) => Ok(None),
        Err(refused) => Err(refused_at(at, refused).outcome),
    }
}

/// What an entry is in a transaction.
enum Step {
    Write(Change),
    Read(Call),
}

fn step(state: &State, entry: Node<'_>, preferences: Preferences) -> Result<Step, Refused> {
    let (call, full_url) = entry_call(state, entry, preferences)?;
    match call.interaction {
        Interaction::Create(_) | Interaction::Update(_) | Interaction::Patch(_) | Interaction::Delete(_) => {
            Ok(Step::Write(change(call.interaction, &call.conditions, call.payload, full_url)?))
        }
        Interaction::Operation { .. } => {
            Err(Outcome::new(IssueType::NotSupported, "operations are not part of a transaction").into())
        }
        _ => Ok(Step::Read(call)),
    }
}

/// Performs a call, but no read once the answer is as large as it may be.
fn read_within(caller: &Caller<'_>, call: Call, bytes: &mut usize) -> Result<Answer, Refused> {
    if *bytes > ANSWER_BYTES_MAX && !call.interaction.may_write() {
        let text = format!("the answers to the entries before are over {ANSWER_BYTES_MAX} bytes");
        return Err(Outcome::new(IssueType::TooCostly, text).into());
    }
    let answer = perform(caller, call)?;
    if let Content::Resource(body) = &answer.content {
        *bytes += body.len();
    }
    Ok(answer)
}

/// The call that an entry states, and its full URL.
fn entry_call(state: &State, entry: Node<'_>, preferences: Preferences) -> Result<(Call, Option<String>), Refused> {
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
        if_modified_since: text("ifModifiedSince"),
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

fn required(element: &str, text: &str) -> Outcome {
    Outcome::new(IssueType::Required, text).at(format!("Bundle.entry.{element}"))
}

/// Path and query of an entry's URL: relative to the base URL, or below it.
fn split<'a>(url: &'a str, base_url: &str) -> Result<(&'a str, &'a str), Outcome> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let relative = path.strip_prefix(base_url).unwrap_or(path);
    if relative.contains("://") || relative.starts_with("urn:") {
        let text = format!("url `{url}` is on another server; it must be relative or begin with `{base_url}`");
        return Err(Outcome::new(IssueType::BadRequest, text).at("Bundle.entry.request.url"));
    }
    Ok((relative, query))
}

/// Says which entry is to blame: `Patient.name` becomes `Bundle.entry[3].resource.name`.
fn refused_at(at: usize, mut refused: Refused) -> Refused {
    let place = |expression: &str| match (expression.strip_prefix("Bundle.entry."), expression.split_once('.')) {
        (Some(rest), _) => format!("Bundle.entry[{at}].{rest}"),
        (None, Some((_, rest))) => format!("Bundle.entry[{at}].resource.{rest}"),
        (None, None) => format!("Bundle.entry[{at}].resource"),
    };
    let name = |issue: &mut Issue| {
        for expression in issue.expression.iter_mut().filter(|expression| !expression.starts_with("Bundle.entry[")) {
            *expression = place(expression);
        }
    };
    refused.outcome.issues.iter_mut().for_each(name);
    refused.outcome = refused.outcome.at(format!("Bundle.entry[{at}]"));
    refused
}

fn write_entry(out: &mut String, caller: &Caller<'_>, answer: Answer) {
    let Answer { status, content, etag, modified, location, .. } = answer;
    out.push('{');
    if let Content::Resource(body) = &content {
        write_resource(out, caller, body, location.as_deref());
    }
    let _ = write!(out, r#""response":{{"status":"{status}""#);
    if let Some(location) = location {
        let _ = write!(out, r#","location":{}"#, quote(&location));
    }
    if let Some(etag) = etag.as_ref().and_then(|etag| etag.to_str().ok()) {
        let _ = write!(out, r#","etag":{}"#, quote(etag));
    }
    if let Some(modified) = modified {
        let _ = write!(out, r#","lastModified":"{}""#, Instant(modified * 1000).to_rfc3339());
    }
    if let Content::Outcome(outcome) = &content {
        let _ = write!(out, r#","outcome":{}"#, outcome.to_json());
    }
    out.push_str("}}");
}

fn write_resource(out: &mut String, caller: &Caller<'_>, body: &Bytes, location: Option<&str>) {
    if let Some((key, _)) = location.and_then(|location| location.split_once("/_history/")) {
        let _ = write!(out, r#""fullUrl":"{}/{key}","#, caller.state.base_url);
    }
    out.push_str(r#""resource":"#);
    push_bytes(out, body);
    out.push(',');
}

/// The JSON Patch that a Binary carries: how a patch stands in a Bundle, <https://hl7.org/fhir/R4/http.html#patch>.
pub(super) fn patch_of_binary(binary: &Document) -> Result<Patch, Outcome> {
    let root = binary.root();
    let text = |name: &str| root.get(name).and_then(Node::as_str).unwrap_or_default();
    if root.resource_type() != Some("Binary") {
        let text = "PATCH in a Bundle takes a Binary with a JSON Patch";
        return Err(Outcome::new(IssueType::NotSupported, text).at("Binary"));
    }
    check_media_type(&text("contentType"), Expected::Patch).map_err(|outcome| outcome.at("Binary.contentType"))?;
    let data = STANDARD
        .decode(&*text("data"))
        .map_err(|_| Outcome::new(IssueType::Value, "the data is not base64").at("Binary.data"))?;
    Ok(Patch::Json(JsonPatch::parse(&data)?))
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
            (Some("Bundle.entry.request.url"), "Bundle.entry[3].request.url"),
            (Some("Bundle.entry[7].resource"), "Bundle.entry[7].resource"),
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
            ("http://there/fhir/Patient", None),
            ("urn:uuid:1", None),
        ];
        for (url, expected) in cases {
            assert_eq!(split(url, base_url).ok(), expected, "{url}");
        }
    }
}
