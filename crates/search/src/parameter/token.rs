//! Token parameters: codes, identifiers, booleans, <https://hl7.org/fhir/R4/search.html#token>.
//!
//! A row is `code 0 system 0`, the system empty where there is none, so that `code` is a prefix, and `system|code` and `|code` are
//! equalities; `system|` looks for `0 system 0` anywhere, which reads the whole index. The system of a `code` element is that of
//! its required binding when that names only one; a ContactPoint's is its kind, such as `phone`. Codes, identifiers and systems
//! are compared as they are. R4 would rather have a server find too much where the case rules of a system are in doubt; here a
//! conditional write must not take one identifier for another.
//!
//! `:of-type` has an index of its own with rows `value 0 type-system 0 type-code 0`.

use std::borrow::Cow;

use fhir::fhirpath::Item;
use fhir::json::Node;
use store::{Filter, Index, Match, Range, Test};

use super::BadValue;
use super::item::{member, node, text, type_name};
use crate::escape::{split, split_once, unescape};
use crate::row::{self, Rows, push_part};

pub(super) const MODIFIERS: &[&str] = &["missing", "not", "of-type"];

const FORM: &str = "`code`, `system|code`, `|code` or `system|`";
const OF_TYPE: &str = "of-type";
const CODE_MAX: usize = 180;
const SYSTEM_MAX: usize = 200;

/// A code and the system it comes from; one of them may be missing.
pub(super) struct Token<'a> {
    pub(super) system: Option<Cow<'a, str>>,
    pub(super) code: Option<Cow<'a, str>>,
}

pub(super) fn rows(item: &Item<'_>, index: Index, rows: &mut Rows) {
    for_each(item, &mut |token| push(&token, index, rows));
    if let ("Identifier", Some(identifier)) = (type_name(item), node(item)) {
        of_type_rows(identifier, index, rows);
    }
}

/// The tokens of an item: one, or one for each coding of a concept.
pub(super) fn for_each<'a>(item: &'a Item<'_>, visit: &mut dyn FnMut(Token<'a>)) {
    match (type_name(item), node(item)) {
        ("Coding", Some(coding)) => visit(token(coding, "code")),
        ("Identifier" | "ContactPoint", Some(object)) => visit(token(object, "value")),
        ("CodeableConcept", Some(concept)) => {
            concept.get("coding").into_iter().flat_map(Node::each).for_each(|coding| visit(token(coding, "code")));
        }
        ("code", _) => visit(Token { system: bound_system(item).map(Cow::Borrowed), code: text(item) }),
        _ => visit(Token { system: None, code: text(item) }),
    }
}

/// The rows of an Identifier that is no item of its own.
pub(super) fn identifier_rows(identifier: Node<'_>, index: Index, rows: &mut Rows) {
    push(&token(identifier, "value"), index, rows);
}

fn push(token: &Token<'_>, index: Index, rows: &mut Rows) {
    if token.system.is_some() || token.code.is_some() {
        rows.push(index, row_value(token.system.as_deref(), token.code.as_deref().unwrap_or_default()));
    }
}

fn token<'a>(node: Node<'a>, code: &str) -> Token<'a> {
    Token { system: member(node, "system"), code: member(node, code) }
}

/// The only code system of the element's required binding.
fn bound_system(item: &Item<'_>) -> Option<&'static str> {
    let Item::Element(element) = item else { return None };
    match element.element?.binding?.systems.as_slice() {
        [(system, _)] => Some(system),
        _ => None,
    }
}

fn of_type_rows(identifier: Node<'_>, index: Index, rows: &mut Rows) {
    let Some(value) = member(identifier, "value") else { return };
    let codings = identifier.get("type").and_then(|concept| concept.get("coding"));
    for coding in codings.into_iter().flat_map(Node::each) {
        if let (Some(system), Some(code)) = (member(coding, "system"), member(coding, "code")) {
            rows.push(row::secondary(index, OF_TYPE), of_type_value(&system, &code, &value));
        }
    }
}

fn row_value(system: Option<&str>, code: &str) -> Vec<u8> {
    let mut value = code_prefix(code);
    push_part(&mut value, system.unwrap_or_default(), SYSTEM_MAX);
    value.push(0);
    value
}

fn code_prefix(code: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(code.len() + 48);
    push_part(&mut value, code, CODE_MAX);
    value.push(0);
    value
}

fn of_type_value(system: &str, code: &str, value: &str) -> Vec<u8> {
    const PART_MAX: usize = 120;
    let mut row = Vec::with_capacity(value.len() + system.len() + code.len() + 3);
    for part in [value, system, code] {
        push_part(&mut row, part, PART_MAX);
        row.push(0);
    }
    row
}

/// `system` is the one that all values of the parameter have, where that is known.
pub(super) fn filter(
    index: Index,
    modifier: Option<&str>,
    system: Option<&str>,
    value: &str,
) -> Result<Filter, BadValue> {
    match modifier {
        Some(OF_TYPE) => of_type_filter(index, value),
        _ => Ok(match Wanted::parse(value)? {
            Wanted::Code(code) if system.is_some() => Filter::equal(index, row_value(system, &code)),
            Wanted::Code(code) => Filter::prefix(index, code_prefix(&code)),
            Wanted::Exactly { system, code } => Filter::equal(index, row_value(system.as_deref(), &code)),
            Wanted::System(system) => {
                let needle = row_value(Some(&system), "");
                Filter::Match(Match { index, range: Range::full(), test: Some(Test::Contains { skip: 0, needle }) })
            }
        }),
    }
}

fn of_type_filter(index: Index, value: &str) -> Result<Filter, BadValue> {
    let parts: Vec<_> = split(value, b'|').map(unescape).collect();
    match parts.as_slice() {
        [system, code, value] if parts.iter().all(|part| !part.is_empty()) => {
            Ok(Filter::equal(row::secondary(index, OF_TYPE), of_type_value(system, code, value)))
        }
        _ => Err(BadValue("`system|code|value`, all three given")),
    }
}

/// The resource with this id, where `index` is that of its type's `_id`.
pub(crate) fn identity(index: Index, id: &str) -> Filter {
    Filter::equal(index, row_value(None, id))
}

/// A token as a query gives it.
pub(super) enum Wanted<'a> {
    /// `code`: whatever the system.
    Code(Cow<'a, str>),
    /// `system|code`, or `|code` for one without system.
    Exactly { system: Option<Cow<'a, str>>, code: Cow<'a, str> },
    /// `system|`: any code of it.
    System(Cow<'a, str>),
}

impl Wanted<'_> {
    pub(super) fn parse(value: &str) -> Result<Wanted<'_>, BadValue> {
        let Some((system, code)) = split_once(value, b'|') else {
            return match value.is_empty() {
                true => Err(BadValue(FORM)),
                false => Ok(Wanted::Code(unescape(value))),
            };
        };
        if split_once(code, b'|').is_some() {
            return Err(BadValue(FORM));
        }
        match (system.is_empty(), code.is_empty()) {
            (true, true) => Err(BadValue(FORM)),
            (true, false) => Ok(Wanted::Exactly { system: None, code: unescape(code) }),
            (false, true) => Ok(Wanted::System(unescape(system))),
            (false, false) => Ok(Wanted::Exactly { system: Some(unescape(system)), code: unescape(code) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_refused};

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"ann","active":true,"gender":"female",
        "identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9000000009"},
            {"value":"local,1|x$\\y","type":{"coding":[{"system":"urn:types","code":"MR"},{"code":"no-system"}]},"system":"urn:mr"},
            {"value":"bare"},{"system":"urn:empty"}],
        "telecom":[{"system":"phone","value":"01632 960000"},{"system":"email","value":"Ann@example.org"}],
        "communication":[{"language":{"coding":[{"system":"urn:ietf:bcp:47","code":"en"},{"code":"cy"}]}},{"language":{"text":"Latin"}}]}"#;

    #[test]
    fn finds_identifiers() {
        check(
            PATIENT,
            &[
                ("identifier=9000000009", true),
                ("identifier=900000000", false),
                ("identifier=90000000090", false),
                ("identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009", true),
                ("identifier=https://fhir.nhs.uk/Id/nhs-number|bare", false),
                ("identifier=https://fhir.nhs.uk/Id/nhs|9000000009", false),
                ("identifier=urn:other|9000000009", false),
                ("identifier=|9000000009", false),
                ("identifier=|bare", true),
                ("identifier=BARE", false),
                ("identifier=https://fhir.nhs.uk/Id/nhs-number|", true),
                ("identifier=https://fhir.nhs.uk/Id/nhs|", false),
                ("identifier=urn:empty|", true),
                ("identifier=fhir.nhs.uk/Id/nhs-number|", false),
                (r"identifier=local\,1\|x\$\\y", true),
                (r"identifier=urn:mr|local\,1\|x\$\\y", true),
                (r"identifier=local\,1", false),
                ("identifier=none,9000000009", true),
                ("identifier=none,neither", false),
                ("identifier=9000000009&identifier=bare", true),
                ("identifier=9000000009&identifier=none", false),
                (r"identifier:of-type=urn:types|MR|local\,1\|x\$\\y", true),
                (r"identifier:of-type=urn:types|SB|local\,1\|x\$\\y", false),
                ("identifier:of-type=urn:types|MR|bare", false),
            ],
        );
    }

    #[test]
    fn finds_codes_booleans_and_contacts() {
        check(
            PATIENT,
            &[
                ("active=true", true),
                ("active=false", false),
                ("gender=female", true),
                ("gender=Female", false),
                ("gender=http://hl7.org/fhir/administrative-gender|female", true),
                ("gender=http://hl7.org/fhir/administrative-gender|", true),
                ("gender=urn:other|female", false),
                ("gender=male,female", true),
                ("deceased=false", true),
                ("deceased=true", false),
                ("phone=01632 960000", true),
                ("phone=phone|01632 960000", true),
                ("phone=Ann@example.org", false),
                ("email=Ann@example.org", true),
                ("telecom=email|Ann@example.org", true),
                ("telecom=phone|Ann@example.org", false),
                ("language=en", true),
                ("language=urn:ietf:bcp:47|en", true),
                ("language=|cy", true),
                ("language=Latin", false),
                ("_id=ann", true),
                ("_id=bob,ann", true),
                ("_id=an", false),
            ],
        );
        check(
            r#"{"resourceType":"Patient","id":"x","deceasedDateTime":"2020"}"#,
            &[("deceased=true", true), ("deceased=false", false)],
        );
    }

    #[test]
    fn negates_and_asks_for_presence() {
        check(
            PATIENT,
            &[
                ("gender:not=male", true),
                ("gender:not=female", false),
                ("gender:not=male,female", false),
                ("identifier:not=bare", false),
                ("identifier:not=none", true),
                ("gender:missing=false", true),
                ("gender:missing=true", false),
                ("general-practitioner:missing=true", true),
                ("general-practitioner:missing=false", false),
            ],
        );
        // A concept of text alone is a value, and so is an empty one of a code that matches nothing.
        let text_only = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"Weight"}}"#;
        check(text_only, &[("code:missing=false", true), ("code:missing=true", false), ("code:not=weight", true)]);
    }

    #[test]
    fn tells_long_codes_apart() {
        let long = "x".repeat(500);
        let patient = format!(
            r#"{{"resourceType":"Patient","id":"l","identifier":[{{"system":"urn:{long}","value":"{long}"}}]}}"#
        );
        let cases = [
            (format!("identifier={long}"), true),
            (format!("identifier={long}x"), false),
            (format!("identifier=urn:{long}|{long}"), true),
            (format!("identifier=urn:{long}y|{long}"), false),
            (format!("identifier=urn:{long}|"), true),
        ];
        check(&patient, &cases.each_ref().map(|(query, expected)| (query.as_str(), *expected)));
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Patient",
            &[
                ("identifier=", "parameter `identifier` has the value ``, expected `code`, `system|code`"),
                ("identifier=|", "expected `code`"),
                ("identifier=a|b|c", "expected `code`"),
                ("identifier=a,", "has the value ``"),
                (r"identifier=a\b", r"expected `\` only before"),
                (r"identifier=a\", r"expected `\` only before"),
                ("identifier:of-type=a|b", "expected `system|code|value`"),
                ("identifier:of-type=a||b", "expected `system|code|value`"),
                (
                    "identifier:exact=a",
                    "modifier `:exact` of `identifier` is unknown, allowed are :missing, :not, :of-type",
                ),
                ("gender:missing=yes", "expected `true` or `false`"),
            ],
        );
    }
}
