//! Token parameters: codes, identifiers, booleans, <https://hl7.org/fhir/R4/search.html#token>.
//!
//! A row is `code 0 system 0`, the system empty where there is none, so that `code` is a prefix, and `system|code` and `|code` are
//! equalities; for `system|` each system has a row in the index `system`. Where the definitions say which system all tokens of a parameter
//! have, no row repeats it. The system of a `code` element is the one of its required binding that has the code; a ContactPoint's is its kind,
//! such as `phone`.
//!
//! Codes compare without regard to case unless their system is known to tell cases apart ([`code`](super::code)): R4 would rather
//! have a server find too much than too little. A query without system is tried as written and without case. A conditional write
//! must not take one identifier for another, so identifiers have a row as written in the index `exact` too, where case can matter.
//!
//! `:text` goes by words in the index `text`. `:of-type` has an index of its own with rows `value 0 type-system 0 type-code 0`, and one as written.

use std::borrow::Cow;

use fhir::fhirpath::Item;
use fhir::json::Node;
use fhir::terminology::Codes;
use store::{Filter, Index};

use super::code::{canonical_system, compared, fold, has_case};
use super::item::{member, node, text, type_name};
use super::{BadValue, Site};
use crate::escape::{split, split_once, unescape};
use crate::row::{self, Rows, push_part};
use crate::shape::{Shape, Values};
use crate::text::{Words, every_word};

const FORM: &str = "`code`, `system|code`, `|code` or `system|`";
const OF_TYPE: &str = "of-type";
const OF_TYPE_EXACT: &str = "of-type-exact";
const SYSTEM: &str = "system";
const EXACT: &str = "exact";
const TEXT: &str = "text";
const CODE_MAX: usize = 180;
const SYSTEM_MAX: usize = 200;

/// The modifiers for values of a kind.
pub(super) fn modifiers(values: Values) -> &'static [&'static str] {
    match values {
        Values::Mixed => &["missing", "not", "text", "of-type", "in", "not-in", "below", "above"],
        Values::Coded => &["missing", "not", "text", "in", "not-in", "below", "above"],
        Values::Code => &["missing", "not", "in", "not-in", "below", "above"],
        Values::Identifier => &["missing", "not", "text", "of-type"],
        Values::Cased | Values::Plain => &["missing", "not"],
    }
}

/// A code and the system it comes from; one of them may be missing.
pub(super) struct Token<'a> {
    /// In its canonical form.
    pub(super) system: Option<Cow<'a, str>>,
    /// As written.
    pub(super) code: Option<Cow<'a, str>>,
    /// True for ids and uris, which are different when they differ in case.
    is_cased: bool,
}

impl Token<'_> {
    fn system(&self) -> &str {
        self.system.as_deref().unwrap_or_default()
    }

    /// The code as it compares.
    pub(super) fn compared(&self) -> Cow<'_, str> {
        let code = self.code.as_deref().unwrap_or_default();
        if self.is_cased { Cow::Borrowed(code) } else { compared(self.system(), code) }
    }
}

/// `system` is the one that all values of the parameter have, where that is known.
pub(super) fn rows(item: &Item<'_>, system: Option<&str>, index: Index, rows: &mut Rows) {
    match (type_name(item), node(item)) {
        ("Identifier", Some(identifier)) => {
            identifier_rows(identifier, index, rows);
            of_type_rows(identifier, index, rows);
        }
        _ => for_each(item, &mut |token| push(&token, system, index, rows)),
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
        ("code", _) => {
            let code = text(item);
            let system = code.as_deref().and_then(|code| bound_system(item, code)).map(Cow::Borrowed);
            visit(Token { system, code, is_cased: false });
        }
        (name, _) => visit(Token { system: None, code: text(item), is_cased: Values::of_type(name) == Values::Cased }),
    }
}

/// The rows of an Identifier, also of one that is no item of its own.
pub(super) fn identifier_rows(identifier: Node<'_>, index: Index, rows: &mut Rows) {
    let token = token(identifier, "value");
    push(&token, None, index, rows);
    if let Some(value) = token.code.as_deref().filter(|value| has_case(value)) {
        rows.push(row::secondary(index, EXACT), row_value(token.system(), value));
    }
}

/// The words of what people read instead of the code, for `:text`.
pub(super) fn words(item: &Item<'_>, index: Index, words: &mut Words) {
    let Some(node) = node(item) else { return };
    let index = [row::secondary(index, TEXT)];
    let mut add = |text: Option<Cow<'_, str>>| text.into_iter().for_each(|text| words.add(&index, &text));
    match type_name(item) {
        "Coding" => add(member(node, "display")),
        "CodeableConcept" => {
            add(member(node, "text"));
            let codings = node.get("coding").into_iter().flat_map(Node::each);
            codings.for_each(|coding| add(member(coding, "display")));
        }
        "Identifier" => add(node.get("type").and_then(|concept| member(concept, "text"))),
        _ => {}
    }
}

fn push(token: &Token<'_>, system: Option<&str>, index: Index, rows: &mut Rows) {
    if token.system.is_some() || token.code.is_some() {
        rows.push(index, row_value(if system.is_some() { "" } else { token.system() }, &token.compared()));
    }
    if let (None, Some(system)) = (system, &token.system) {
        rows.push(row::secondary(index, SYSTEM), system_value(system));
    }
}

fn token<'a>(node: Node<'a>, code: &str) -> Token<'a> {
    Token { system: member(node, "system").map(canonical_system), code: member(node, code), is_cased: false }
}

/// The code system of the element's required binding that a code is from.
fn bound_system(item: &Item<'_>, code: &str) -> Option<&'static str> {
    let Item::Element(element) = item else { return None };
    let systems = element.element?.binding?.systems.as_slice();
    let (system, _) = match systems {
        [only] => only,
        several => several.iter().find(|(_, codes)| codes.contains(&code))?,
    };
    Some(system)
}

fn of_type_rows(identifier: Node<'_>, index: Index, rows: &mut Rows) {
    let Some(value) = member(identifier, "value") else { return };
    let codings = identifier.get("type").and_then(|concept| concept.get("coding"));
    for coding in codings.into_iter().flat_map(Node::each) {
        let coding = token(coding, "code");
        if let (Some(system), Some(_)) = (&coding.system, &coding.code) {
            let code = coding.compared();
            rows.push(row::secondary(index, OF_TYPE), of_type_value(system, &code, &fold(&value)));
            if has_case(&value) {
                rows.push(row::secondary(index, OF_TYPE_EXACT), of_type_value(system, &code, &value));
            }
        }
    }
}

fn row_value(system: &str, code: &str) -> Vec<u8> {
    let mut value = code_prefix(code);
    push_part(&mut value, system, SYSTEM_MAX);
    value.push(0);
    value
}

fn code_prefix(code: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(code.len() + 48);
    push_part(&mut value, code, CODE_MAX);
    value.push(0);
    value
}

fn system_value(system: &str) -> Vec<u8> {
    let mut value = Vec::with_capacity(system.len());
    push_part(&mut value, system, SYSTEM_MAX);
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

pub(super) fn filter(
    site: Site<'_>,
    index: Index,
    modifier: Option<&str>,
    shape: Shape,
    value: &str,
) -> Result<Filter, BadValue> {
    if modifier == Some(OF_TYPE) {
        return of_type_filter(site, index, value);
    }
    if modifier == Some(TEXT) {
        let (filter, _) = every_word(row::secondary(index, TEXT), &unescape(value))?;
        return filter.ok_or(BadValue("at least one word"));
    }
    let wanted = Wanted::parse(value)?;
    match &wanted {
        Wanted::Code(code) | Wanted::Exactly { code, .. }
            if site.as_written && shape.values == Values::Identifier && has_case(code) =>
        {
            let index = row::secondary(index, EXACT);
            Ok(match &wanted {
                Wanted::Exactly { system, .. } => Filter::equal(index, row_value(system, code)),
                _ => Filter::prefix(index, code_prefix(code)),
            })
        }
        _ => Ok(wanted.filter(index, shape)),
    }
}

impl Wanted<'_> {
    pub(crate) fn filter(&self, index: Index, shape: Shape) -> Filter {
        let equal = |system: &str, code: &str| Filter::equal(index, row_value(system, code));
        match (self, shape.system) {
            (Wanted::Code(code), Some(_)) if shape.values == Values::Cased => equal("", code),
            (Wanted::Code(code), Some(system)) => equal("", &compared(system, code)),
            (Wanted::Code(code), None) => either(code, shape.values, |code| Filter::prefix(index, code_prefix(code))),
            (Wanted::Exactly { system, .. }, Some(only)) if system != only => Filter::nothing(),
            (Wanted::Exactly { system, code }, _) if system.is_empty() => {
                either(code, shape.values, |code| equal("", code))
            }
            (Wanted::Exactly { system, code }, Some(_)) => equal("", &compared(system, code)),
            (Wanted::Exactly { system, code }, None) => equal(system, &compared(system, code)),
            (Wanted::System(system), None) => Filter::equal(row::secondary(index, SYSTEM), system_value(system)),
            (Wanted::System(system), Some(only)) if system == only => Filter::present(index),
            (Wanted::System(_), Some(_)) => Filter::nothing(),
        }
    }
}

/// Any of these codes.
pub(crate) fn codes_filter(index: Index, shape: Shape, codes: &Codes) -> Vec<Filter> {
    let systems = codes.systems.iter().map(|system| Wanted::System(canonical_system(system.into())));
    let systems = systems.map(|wanted| wanted.filter(index, shape));
    let codes = codes.codes.iter().flat_map(|(system, codes)| codes.iter().map(move |code| (system, code)));
    let codes = codes.filter_map(|(system, code)| {
        let (system, code) = (canonical_system(system.into()), Cow::Borrowed(code.as_str()));
        match (shape.values, shape.system) {
            (_, Some(only)) if only != system => None,
            // Codes such as languages and MIME types stand alone: no enumerated system has them.
            (Values::Code, None) => Some(Wanted::Code(code).filter(index, shape)),
            _ => Some(Wanted::Exactly { system, code }.filter(index, shape)),
        }
    });
    systems.chain(codes).collect()
}

/// A code whose system is not known: as written, without case, or either.
fn either(code: &str, values: Values, filter: impl Fn(&str) -> Filter) -> Filter {
    let folded = fold(code);
    match values {
        Values::Cased => filter(code),
        Values::Identifier | Values::Plain => filter(&folded),
        Values::Mixed | Values::Coded | Values::Code if folded == code => filter(code),
        Values::Mixed | Values::Coded | Values::Code => Filter::Any(vec![filter(code), filter(&folded)]),
    }
}

fn of_type_filter(site: Site<'_>, index: Index, value: &str) -> Result<Filter, BadValue> {
    let parts: Vec<_> = split(value, b'|').map(unescape).collect();
    let [system, code, value] = parts.as_slice() else { return Err(BadValue(OF_TYPE_FORM)) };
    if parts.iter().any(|part| part.is_empty()) {
        return Err(BadValue(OF_TYPE_FORM));
    }
    let system = canonical_system(system.clone());
    let code = compared(&system, code);
    Ok(match site.as_written && has_case(value) {
        true => Filter::equal(row::secondary(index, OF_TYPE_EXACT), of_type_value(&system, &code, value)),
        false => Filter::equal(row::secondary(index, OF_TYPE), of_type_value(&system, &code, &fold(value))),
    })
}

const OF_TYPE_FORM: &str = "`system|code|value`, all three given";

/// The resource with this id, where `index` is that of its type's `_id`.
pub(crate) fn identity(index: Index, id: &str) -> Filter {
    Filter::equal(index, identity_value(id))
}

/// The row of an id.
pub(crate) fn identity_value(id: &str) -> Vec<u8> {
    row_value("", id)
}

/// A token as a query gives it, its system in the canonical form.
pub(crate) enum Wanted<'a> {
    /// `code`: whatever the system.
    Code(Cow<'a, str>),
    /// `system|code`, or `|code` for one without system, which is empty then.
    Exactly { system: Cow<'a, str>, code: Cow<'a, str> },
    /// `system|`: any code of it.
    System(Cow<'a, str>),
}

impl Wanted<'_> {
    /// A code in a system, which is empty for one without; `None` is any system.
    pub(crate) fn of<'a>(system: Option<&'a str>, code: &'a str) -> Wanted<'a> {
        match system {
            Some(system) => Wanted::Exactly { system: canonical_system(system.into()), code: code.into() },
            None => Wanted::Code(code.into()),
        }
    }

    pub(crate) fn parse(value: &str) -> Result<Wanted<'_>, BadValue> {
        let Some((system, code)) = split_once(value, b'|') else {
            return match value.is_empty() {
                true => Err(BadValue(FORM)),
                false => Ok(Wanted::Code(unescape(value))),
            };
        };
        if split_once(code, b'|').is_some() {
            return Err(BadValue(FORM));
        }
        let named = || canonical_system(unescape(system));
        match (system.is_empty(), code.is_empty()) {
            (true, true) => Err(BadValue(FORM)),
            (false, true) => Ok(Wanted::System(named())),
            (_, false) => Ok(Wanted::Exactly { system: named(), code: unescape(code) }),
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
                ("identifier=BARE", true),
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
                ("gender=|female", false),
                ("active=|true", true),
                ("active=urn:other|true", false),
                ("gender=male,female", true),
                ("deceased=false", true),
                ("deceased=true", false),
                ("phone=01632 960000", true),
                ("phone=phone|01632 960000", true),
                ("phone=Ann@example.org", false),
                ("email=ann@EXAMPLE.org", true),
                ("telecom=email|ann@example.org", true),
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
    fn compares_without_case_unless_the_system_has_it() {
        let observation = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[
            {"system":"https://snomed.info/sct","code":"AbC"},{"system":"http://unitsofmeasure.org","code":"Mg"},
            {"system":"https://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"},{"code":"Own"}]}}"#;
        check(
            observation,
            &[
                ("code=abc", true),
                ("code=ABC", true),
                ("code=http://snomed.info/sct|ABC", true),
                ("code=https://snomed.info/sct|ABC", true),
                ("code=http://snomed.info/sct|", true),
                ("code=https://snomed.info/sct|", true),
                ("code=http://snomed.info/|", false),
                ("code=http://unitsofmeasure.org|Mg", true),
                ("code=http://unitsofmeasure.org|mg", false),
                ("code=Mg", true),
                ("code=mg", false),
                ("code=http://terminology.hl7.org/CodeSystem/v2-0203|mr", true),
                ("code=|own", true),
                ("code=|OWN", true),
                ("code=|abc", false),
            ],
        );
    }

    #[test]
    fn conditions_compare_identifiers_as_written() {
        let rows = crate::testing::rows(PATIENT);
        for (name, value, expected) in [
            ("identifier", "bare", true),
            ("identifier", "Bare", false),
            ("identifier", "|bare", true),
            ("identifier", "|BARE", false),
            ("identifier", "9000000009", true),
            ("identifier", "https://fhir.nhs.uk/Id/nhs-number|9000000009", true),
            ("identifier:of-type", r"urn:types|mr|local\,1\|x\$\\y", true),
            ("identifier:of-type", r"urn:types|mr|LOCAL\,1\|x\$\\y", false),
            ("identifier:not", "BARE", true),
            ("email", "ann@example.org", true),
        ] {
            let parameters = [(name.to_owned(), value.to_owned())];
            let query =
                crate::testing::registry().condition("Patient", &parameters, crate::testing::NOW).expect("valid");
            let crate::Criterion::Filter(filter) = query.criterion else { panic!("{name} needs a join") };
            assert_eq!(filter.accepts(&rows), expected, "{name}={value}");
        }
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
                    "modifier `:exact` of `identifier` is unknown, allowed are :missing, :not, :text, :of-type",
                ),
                ("gender:missing=yes", "expected `true` or `false`"),
            ],
        );
    }
}
