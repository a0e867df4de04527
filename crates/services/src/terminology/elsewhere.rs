//! Passing an operation on to the terminology server elsewhere, where what it is about is not known here. Only codes and names of
//! definitions are passed on, and definitions of value sets: no texts of a record.

use bytes::Bytes;
use fhir::json::quote;
use fhir::{IssueType, Outcome};

use super::code::Code;
use super::terms::{Asked, Terms};
use crate::inputs::Inputs;

/// Whether a refusal is for something that is not known here.
pub(super) fn is_unknown(outcome: &Outcome) -> bool {
    outcome.issues.iter().any(|issue| matches!(issue.code, IssueType::NotFound | IssueType::UnresolvedReference))
}

/// The other server's answer; `refusal` where there is none. What it does not know either is refused as it would be without it.
pub(super) fn ask(terms: &Terms<'_>, operation: &str, inputs: &str, refusal: Outcome) -> Result<Bytes, Outcome> {
    let Some(server) = terms.elsewhere() else { return Err(refusal) };
    match server.ask(operation, inputs) {
        Ok(answer) => Ok(Bytes::copy_from_slice(answer.text().as_bytes())),
        Err(mut outcome) => {
            // Both reasons are told, the other server's first: its kind decides the status.
            outcome.issues.extend(refusal.issues);
            Err(outcome)
        }
    }
}

/// The inputs of these names, which are texts, the codes, and the value set: by its definition where that is known here, since the other
/// server need not know it.
pub(super) fn inputs(inputs: &Inputs<'_>, names: &[&str], codes: &[Code<'_>], asked: Option<&Asked>) -> String {
    let mut parts = Vec::new();
    if let Some(asked) = asked {
        parts.push(match &asked.definition {
            Some(definition) => format!(r#"{{"name":"valueSet","resource":{}}}"#, definition.text()),
            None => input("url", &asked.canonical),
        });
    }
    for name in names {
        parts.extend(inputs.texts(name).iter().map(|text| input(name, text)));
    }
    match codes {
        [] => {}
        [code] => parts.push(format!(r#"{{"name":"coding","valueCoding":{}}}"#, code.json())),
        codes => {
            let codings: Vec<_> = codes.iter().map(Code::json).collect();
            let concept = format!(r#"{{"coding":[{}]}}"#, codings.join(","));
            parts.push(format!(r#"{{"name":"codeableConcept","valueCodeableConcept":{concept}}}"#));
        }
    }
    parameters(&parts)
}

/// An input that is a text, in the type that R4 gives it.
pub(super) fn input(name: &str, text: &str) -> String {
    format!(r#"{{"name":"{name}","{}":{}}}"#, kind(name), value(name, text))
}

/// The inputs of `$subsumes`.
pub(super) fn pair([a, b]: &[Code<'_>; 2]) -> String {
    let part = |name: &str, code: &Code<'_>| format!(r#"{{"name":"{name}","valueCoding":{}}}"#, code.json());
    parameters(&[part("codingA", a), part("codingB", b)])
}

fn parameters(parts: &[String]) -> String {
    format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, parts.join(","))
}

/// The type of an input, as R4 defines it.
fn kind(name: &str) -> &'static str {
    match name {
        "url" | "context" | "source" | "target" | "targetsystem" => "valueUri",
        "property" | "displayLanguage" | "contextDirection" => "valueCode",
        "exclude-system" | "system-version" | "check-system-version" | "force-system-version" => "valueCanonical",
        "offset" | "count" => "valueInteger",
        "includeDesignations"
        | "includeDefinition"
        | "activeOnly"
        | "excludeNested"
        | "excludeNotForUI"
        | "excludePostCoordinated"
        | "abstract"
        | "reverse" => "valueBoolean",
        _ => "valueString",
    }
}

fn value(name: &str, text: &str) -> String {
    let is_number = !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    match kind(name) {
        "valueInteger" if is_number => text.to_owned(),
        "valueBoolean" if matches!(text, "true" | "false") => text.to_owned(),
        _ => quote(text),
    }
}
