//! What the server says it does: derived from the definitions, the search registry, the operations and the routes,
//! <https://hl7.org/fhir/R4/capabilitystatement.html>.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::quote;
use fhir::{Instant, IssueType, Outcome};
use hyper::StatusCode;
use hyper::header::HeaderValue;
use repository::{DIRECTORY, INCLUDES_MAX, Millis, ONCE_DURATION};
use search::{CHAINS_MAX, VALUES_MAX};
use services::{OPERATIONS, Operation};

use crate::State;
use crate::config::Directory;
use crate::interaction::{ON_SYSTEM, ON_TYPES};
use crate::media::{JSON_PATCH, XML_PATCH};
use crate::once::KEY_LENGTH_MAX;
use crate::perform::{COUNT_MAX, Call, Caller, ENTRIES_MAX};
use crate::respond::{Answer, Content, Refused};
use crate::terminology::capabilities;

/// The extension that names the endpoints of the authorization server.
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";

/// When what is served last changed.
const DATE: &str = "2026-12-01";

/// The statement as it goes out.
#[derive(Debug)]
pub(crate) struct Statement {
    bytes: Bytes,
    etag: HeaderValue,
    /// Of the search parameters in it.
    generation: u64,
}

/// Answers `/metadata`.
pub(crate) fn answer(caller: &Caller<'_>, call: &Call) -> Result<Answer, Refused> {
    let state = caller.state;
    match call.parameters.iter().find(|(name, _)| name == "mode").map(|(_, mode)| mode.as_str()) {
        None | Some("full" | "normative") => {}
        Some("terminology") => return Ok(Answer::resource(capabilities(state)?)),
        Some(mode) => {
            let text = format!("mode `{mode}` is not served, only `full`, `normative` and `terminology`");
            return Err(Outcome::new(IssueType::NotSupported, text).into());
        }
    }
    let statement = current(state);
    let known = call.conditions.if_none_match.as_deref().unwrap_or_default();
    let is_known = known.split(',').any(|tag| tag.trim() == "*" || tag.trim().as_bytes() == statement.etag.as_bytes());
    let answer = if is_known {
        Answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        Answer { content: Content::Resource(statement.bytes.clone()), ..Answer::empty(StatusCode::OK) }
    };
    Ok(Answer { etag: Some(statement.etag.clone()), ..answer })
}

/// The statement of the search parameters as they are now.
fn current(state: &State) -> Arc<Statement> {
    let (generation, changed) = state.repository.generation();
    match state.statement.load_full() {
        Some(statement) if statement.generation == generation => statement,
        _ => {
            let statement = Arc::new(Statement::new(state, generation, changed));
            state.statement.store(Some(statement.clone()));
            statement
        }
    }
}

impl Statement {
    fn new(state: &State, generation: u64, changed: Millis) -> Statement {
        // What was changed before this program was made is not the last change; dates in this form compare as texts.
        let changed = (generation > 0).then(|| Instant::from_millis(changed).to_string());
        let date = changed.filter(|changed| changed.as_str() > DATE).unwrap_or_else(|| DATE.to_owned());
        let text = statement(state, &date);
        let hash = blake3::hash(text.as_bytes()).to_hex();
        let etag =
            HeaderValue::try_from(format!("W/\"{}\"", &hash[..16])).expect("digits and quotes are visible ASCII");
        Statement { bytes: text.into(), etag, generation }
    }
}

fn statement(state: &State, date: &str) -> String {
    let mut out = String::from(r#"{"resourceType":"CapabilityStatement","status":"active","kind":"instance""#);
    let _ = write!(
        out,
        r#","date":"{date}","software":{{"name":"Flint","version":"{}"}},"implementation":{{"description":"Flint","url":{}}}"#,
        env!("CARGO_PKG_VERSION"),
        quote(&state.base_url),
    );
    let _ = write!(
        out,
        r#","fhirVersion":"4.0.1","format":["application/fhir+json","application/fhir+xml","json","xml"],"patchFormat":["{JSON_PATCH}","{XML_PATCH}","application/fhir+json","application/fhir+xml"],"rest":[{{"mode":"server""#,
    );
    let _ = write!(out, r#","documentation":{},"security":{},"resource":["#, quote(&limits(state)), security(state));
    let reverse = reverse_includes(state);
    for (at, &name) in state.definitions.resource_types().iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        resource(&mut out, state, name, reverse.get(name).map_or(&[], Vec::as_slice));
    }
    let _ = write!(out, r#"],"interaction":[{}]"#, codes(&ON_SYSTEM));
    operations(&mut out, |operation| operation.at_system());
    let compartments = state.definitions.compartments().iter();
    let urls =
        compartments.map(|within| format!(r#""http://hl7.org/fhir/CompartmentDefinition/{}""#, uncapital(within.code)));
    let _ = write!(out, r#","compartment":[{}]}}]}}"#, urls.collect::<Vec<_>>().join(","));
    out
}

/// How callers show who they are, <https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html#declare-support-for-oauth20-endpoints>.
fn security(state: &State) -> String {
    let endpoints = state.authority.endpoints();
    if endpoints.is_empty() {
        return r#"{"cors":true}"#.to_owned();
    }
    let uris = endpoints.iter().map(|(name, url)| format!(r#"{{"url":"{name}","valueUri":{}}}"#, quote(url)));
    let uris = uris.collect::<Vec<_>>().join(",");
    let description = match state.directory {
        Directory::Open => format!(
            "Without a token {} may be read and searched, of Observation those about a Location alone, and nothing else.",
            DIRECTORY.join(", ")
        ),
        Directory::Closed => "Nothing is answered without a token but this statement.".to_owned(),
    };
    let description = quote(&description);
    format!(
        r#"{{"extension":[{{"url":"{OAUTH_URIS}","extension":[{uris}]}}],"cors":true,"service":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/restful-security-service","code":"SMART-on-FHIR","display":"SMART-on-FHIR"}}],"text":"OAuth2 as SMART App Launch profiles it"}}],"description":{description}}}"#
    )
}

/// The limits for which FHIR has no element of their own.
fn limits(state: &State) -> String {
    let limits = &state.limits;
    format!(
        "Request bodies up to {} bytes; up to {ENTRIES_MAX} entries in a batch or transaction; up to {COUNT_MAX} matches on a page, \
         a larger _count is lowered; up to {} requests at a time; searches end after {} seconds, \
         chain {CHAINS_MAX} times, list {VALUES_MAX} values in one parameter and include {INCLUDES_MAX} resources on a page. \
         Writes with an Idempotency-Key, up to {KEY_LENGTH_MAX} characters, are done once within {} hours.",
        limits.body_bytes,
        limits.requests,
        limits.search_timeout.as_secs(),
        ONCE_DURATION / 3_600_000,
    )
}

fn resource(out: &mut String, state: &State, name: &'static str, reverse: &[String]) {
    let registry = state.repository.registry();
    let _ = write!(
        out,
        r#"{{"type":"{name}","profile":"http://hl7.org/fhir/StructureDefinition/{name}","interaction":[{}]"#,
        codes(&ON_TYPES)
    );
    out.push_str(r#","versioning":"versioned-update","readHistory":true,"updateCreate":true,"conditionalCreate":true"#);
    out.push_str(r#","conditionalRead":"full-support","conditionalUpdate":true,"conditionalDelete":"single""#);
    let policy = match state.references {
        repository::References::Check => r#""literal","logical","enforced""#,
        repository::References::Accept => r#""literal","logical""#,
    };
    let _ = write!(out, r#","referencePolicy":[{policy}]"#);
    let includes: Vec<_> = std::iter::once("*".to_owned()).chain(registry.includes(name)).collect();
    strings(out, "searchInclude", &includes);
    strings(out, "searchRevInclude", reverse);
    let mut separator = r#","searchParam":["#;
    for parameter in registry.parameters(name) {
        let (code, kind) = (quote(&parameter.code), parameter.kind.code());
        let definition = match parameter.url.as_str() {
            "" => String::new(),
            url => format!(r#","definition":{}"#, quote(url)),
        };
        let _ = write!(out, r#"{separator}{{"name":{code}{definition},"type":"{kind}"}}"#);
        separator = ",";
    }
    if separator == "," {
        out.push(']');
    }
    operations(out, |operation| operation.at_types().contains(&name) || operation.at_instances().contains(&name));
    out.push('}');
}

fn codes(codes: &[&str]) -> String {
    codes.iter().map(|code| format!(r#"{{"code":"{code}"}}"#)).collect::<Vec<_>>().join(",")
}

fn strings(out: &mut String, name: &str, values: &[String]) {
    if !values.is_empty() {
        let values: Vec<_> = values.iter().map(|value| quote(value)).collect();
        let _ = write!(out, r#","{name}":[{}]"#, values.join(","));
    }
}

fn operations(out: &mut String, serves: impl Fn(&dyn Operation) -> bool) {
    let served = OPERATIONS.iter().filter(|&&operation| serves(operation));
    let served = served.map(|operation| {
        format!(r#"{{"name":{},"definition":{}}}"#, quote(operation.code()), quote(operation.definition()))
    });
    let served: Vec<_> = served.collect();
    if !served.is_empty() {
        let _ = write!(out, r#","operation":[{}]"#, served.join(","));
    }
}

/// For each type the references of others that may lead to it: `Observation:subject`.
fn reverse_includes(state: &State) -> BTreeMap<&'static str, Vec<String>> {
    let (definitions, registry) = (state.definitions, state.repository.registry());
    let types = definitions.resource_types();
    let mut reverse: BTreeMap<_, _> = types.iter().map(|name| (*name, vec!["*".to_owned()])).collect();
    for &source in definitions.resource_types() {
        for parameter in registry.parameters(source) {
            for target in parameter.targets {
                reverse.entry(target).or_default().push(format!("{source}:{}", parameter.code));
            }
        }
    }
    reverse
}

fn uncapital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}
