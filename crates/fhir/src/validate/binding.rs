//! Required bindings: codes from the value set that R4 demands, <https://hl7.org/fhir/R4/terminologies.html#required>.

use super::path::Path;
use super::resource::Walk;
use crate::definitions::{Structure, ValueSet};
use crate::json::Node;
use crate::outcome::{IssueType, quoted};

impl<'a> Walk<'a> {
    /// Checks an element's value against its value set.
    pub(super) fn binding(
        &mut self,
        value_set: &'static ValueSet,
        structure: &'static Structure,
        node: Node<'a>,
        path: &Path<'_>,
    ) {
        match structure.name {
            "CodeableConcept" => self.concept(value_set, node, path),
            "Coding" | "Quantity" => self.coding(value_set, node, path),
            _ => self.code(value_set, node, path),
        }
    }

    fn code(&mut self, value_set: &'static ValueSet, node: Node<'a>, path: &Path<'_>) {
        let Some(code) = node.as_str() else { return };
        if value_set.is_enumerated {
            if !value_set.systems.iter().any(|(_, codes)| codes.contains(&code.as_ref())) {
                let message = || format!("{} is not in the value set {}", quoted(&code), described(value_set));
                self.issues.error(path, IssueType::CodeInvalid, message);
            }
        } else if let Some(form) = form(value_set.url, code.as_bytes()) {
            self.issues.error(path, IssueType::CodeInvalid, || format!("{} is not {form}", quoted(&code)));
        }
    }

    fn coding(&mut self, value_set: &'static ValueSet, node: Node<'a>, path: &Path<'_>) {
        if value_set.is_enumerated && !is_extended(node) && !contains(value_set, node) {
            let message = || format!("{} is not in the value set {}", shown(node), described(value_set));
            self.issues.error(path, IssueType::CodeInvalid, message);
        }
    }

    /// At least one coding must be from the value set; text alone is not.
    fn concept(&mut self, value_set: &'static ValueSet, node: Node<'a>, path: &Path<'_>) {
        if !value_set.is_enumerated || is_extended(node) {
            return;
        }
        let codings = || node.get("coding").into_iter().flat_map(Node::items);
        if codings().any(|coding| contains(value_set, coding)) {
            return;
        }
        self.issues.error(path, IssueType::CodeInvalid, || match codings().next() {
            Some(first) => format!("{} is not in the value set {}", shown(first), described(value_set)),
            None => format!("a coding is missing: it must be from the value set {}", described(value_set)),
        });
    }
}

/// True when only extensions stand in for the content, such as a reason for its absence.
fn is_extended(node: Node<'_>) -> bool {
    node.get("extension").is_some() && node.members().all(|(name, _)| matches!(name, "id" | "extension"))
}

fn contains(value_set: &ValueSet, coding: Node<'_>) -> bool {
    let text = |name| coding.get(name).and_then(Node::as_str);
    let (Some(system), Some(code)) = (text("system"), text("code")) else { return false };
    value_set.systems.iter().any(|(own, codes)| *own == system && codes.contains(&code.as_ref()))
}

fn shown(coding: Node<'_>) -> String {
    let text = |name| coding.get(name).and_then(Node::as_str).unwrap_or_default();
    match (text("system"), text("code")) {
        (_, code) if code.is_empty() => "a coding without code".to_owned(),
        (system, code) => quoted(&format!("{system}|{code}")),
    }
}

/// Codes shown in a message.
const CODES_SHOWN_MAX: usize = 20;

/// A value set's URL and, when they are few, its codes.
fn described(value_set: &ValueSet) -> String {
    let codes: Vec<_> = value_set.systems.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
    if codes.len() > CODES_SHOWN_MAX {
        return value_set.url.to_owned();
    }
    let systems: Vec<_> = value_set.systems.iter().map(|(system, _)| *system).collect();
    format!("{} ({} of {})", value_set.url, codes.join(", "), systems.join(", "))
}

/// The form that codes of a value set without a list of codes have, when `code` does not have it.
fn form(value_set: &str, code: &[u8]) -> Option<&'static str> {
    let (is_well_formed, form) = match value_set {
        "http://hl7.org/fhir/ValueSet/currencies" => (
            code.len() == 3 && code.iter().all(u8::is_ascii_uppercase),
            "a currency: three capital letters, such as `EUR`",
        ),
        "http://hl7.org/fhir/ValueSet/mimetypes" => (is_mime(code), "a MIME type, such as `text/plain; charset=utf-8`"),
        "http://hl7.org/fhir/ValueSet/all-languages" => (is_language(code), "a language tag, such as `en` or `de-CH`"),
        _ => return None,
    };
    (!is_well_formed).then_some(form)
}

/// `type/subtype` with parameters after a `;`, or a short name such as `json`, <https://www.rfc-editor.org/rfc/rfc6838#section-4.2>.
fn is_mime(code: &[u8]) -> bool {
    let essence = code.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    let mut names = essence.split(|byte| *byte == b'/');
    let is_name = |name: &[u8]| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(byte))
    };
    names.by_ref().take(2).all(is_name) && names.next().is_none()
}

/// Subtags of letters and digits with hyphens between, <https://www.rfc-editor.org/rfc/rfc5646#section-2.1>.
fn is_language(code: &[u8]) -> bool {
    let mut subtags = code.split(|byte| *byte == b'-');
    let is_first = |tag: &[u8]| (1..=8).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphabetic);
    let is_other = |tag: &[u8]| (1..=8).contains(&tag.len()) && tag.iter().all(u8::is_ascii_alphanumeric);
    subtags.next().is_some_and(is_first) && subtags.all(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_forms() {
        let cases = [
            ("currencies", &["EUR", "GBP"][..], &["eur", "EU", "EURO", "E R"][..]),
            (
                "mimetypes",
                &["text/plain", "application/fhir+json; fhirVersion=4.0", "json", "*/*"],
                &["text/", "/plain", "a/b/c", "te xt/plain", ";"],
            ),
            (
                "all-languages",
                &["en", "de-CH", "zh-Hant-TW", "x-klingon"],
                &["e n", "en_GB", "english-", "1n", "abcdefghi"],
            ),
            ("ucum-units", &["anything"], &[]),
        ];
        for (name, taken, refused) in cases {
            let url = format!("http://hl7.org/fhir/ValueSet/{name}");
            for (codes, expected) in [(taken, true), (refused, false)] {
                for code in codes {
                    assert_eq!(form(&url, code.as_bytes()).is_none(), expected, "{name} {code}");
                }
            }
        }
    }
}
