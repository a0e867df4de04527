//! A MedicationRequest as the rules read it: the plan that authorizes repeats.

use std::borrow::Cow;

use fhir::json::{Document, Node, Value};
use fhir::{DateTime, Outcome};

use crate::london;
use crate::settings::{RepeatCount, Settings};

/// How many repeats were issued, and until when they are authorized.
const REPEAT_INFORMATION: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation";

/// Repeats issued so far. The first issue is not one of them: so says UK Core.
const ISSUED: &str = "numberOfPrescriptionsIssued";

const EXPIRY: &str = "authorisationExpiryDate";

/// The type in which [`ISSUED`] is written.
const ISSUED_VALUE: &str = "valueUnsignedInt";

/// A MedicationRequest.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a>(Node<'a>);

impl<'a> Plan<'a> {
    pub(super) fn new(document: &'a Document) -> Plan<'a> {
        Plan(document.root())
    }

    pub(super) fn get(self, name: &str) -> Option<Node<'a>> {
        self.0.get(name)
    }

    fn text(self, name: &str) -> Cow<'a, str> {
        self.0.get(name).and_then(Node::as_str).unwrap_or_default()
    }

    pub(super) fn status(self) -> Cow<'a, str> {
        self.text("status")
    }

    pub(super) fn intent(self) -> Cow<'a, str> {
        self.text("intent")
    }

    /// Whether it is what a patient says to take, which nobody here has prescribed.
    pub(super) fn is_reported(self) -> bool {
        self.0.get("reportedBoolean").and_then(Node::as_bool) == Some(true)
    }

    /// Whether its course is acute. The code is the same in all three systems that are sent.
    pub(super) fn is_acute(self) -> bool {
        let mut codings = self.0.path(&["courseOfTherapyType", "coding"]).into_iter().flat_map(Node::each);
        codings.any(|coding| coding.get("code").is_some_and(|code| code.is_str("acute")))
    }

    /// The date until which it was authorized, where that has passed, `today` being days since 1970-01-01 in London. A plan without a date of
    /// its own ends with what its dispensing is valid for.
    pub(super) fn expired(self, today: i64) -> Option<Cow<'a, str>> {
        let review = self.repeat_information(EXPIRY).and_then(|(_, value)| value.as_str());
        let end = self.0.path(&["dispenseRequest", "validityPeriod", "end"]).and_then(Node::as_str);
        let has_passed =
            |date: &Cow<'_, str>| DateTime::parse(date).is_some_and(|date| london::last_day(&date) < today);
        review.or(end).filter(has_passed)
    }

    /// How many repeats were issued. A number that cannot be read is the largest: it leaves nothing to issue.
    pub(super) fn issued(self) -> u64 {
        self.repeat_information(ISSUED).map_or(0, |(_, value)| value.raw().parse().unwrap_or(u64::MAX))
    }

    /// How many repeats it authorizes; `None` for as many as are wanted.
    pub(super) fn authorized(self, settings: &Settings) -> Option<u64> {
        let allowed = self.0.path(&["dispenseRequest", "numberOfRepeatsAllowed"])?;
        let allowed: u64 = allowed.raw().parse().unwrap_or(0);
        Some(match self.repeat_count(settings) {
            RepeatCount::Fhir => allowed,
            RepeatCount::Total => allowed.saturating_sub(1),
        })
    }

    /// What its source counts: the setting for `meta.source`, else for the first identifier that has one, else that for all.
    fn repeat_count(self, settings: &Settings) -> RepeatCount {
        let source = self.0.path(&["meta", "source"]).and_then(Node::as_str);
        let source = source.map(|source| source.split('#').next().unwrap_or_default().to_owned());
        let identifiers = self.0.get("identifier").into_iter().flat_map(Node::each);
        let systems = identifiers.filter_map(|identifier| Some(identifier.get("system")?.as_str()?.into_owned()));
        let of_source = source.into_iter().chain(systems).find_map(|name| settings.repeat_count_of.get(&name).copied());
        of_source.unwrap_or(settings.repeat_count)
    }

    /// The same with another number of repeats issued.
    pub(super) fn with_issued(self, issued: u64) -> Result<Document, Outcome> {
        let name = self.repeat_information(ISSUED).map_or(ISSUED_VALUE, |(name, _)| name);
        let mut plan = Value::from(self.0);
        change_extension(&mut plan, REPEAT_INFORMATION, |information| {
            change_extension(information, ISSUED, |count| count.set(name, Value::Number(issued.to_string())));
        });
        Ok(Document::parse(plan.to_string().as_bytes())?)
    }

    /// The value of a part of the repeat information, with the member's name.
    fn repeat_information(self, part: &str) -> Option<(&'a str, Node<'a>)> {
        let part = extension(extension(self.0, REPEAT_INFORMATION)?, part)?;
        part.members().find(|(name, _)| name.starts_with("value"))
    }
}

/// The extension with this url.
pub(super) fn extension<'a>(of: Node<'a>, url: &str) -> Option<Node<'a>> {
    let mut extensions = of.get("extension").into_iter().flat_map(Node::each);
    extensions.find(|extension| extension.get("url").is_some_and(|it| it.is_str(url)))
}

/// Changes the extension with this url, which is added where there is none.
fn change_extension(of: &mut Value, url: &str, change: impl FnOnce(&mut Value)) {
    if of.get("extension").is_none() {
        of.set("extension", Value::Array(Vec::new()));
    }
    let Some(Value::Array(extensions)) = of.get_mut("extension") else { return };
    let is_it = |extension: &&mut Value| extension.get("url").and_then(Value::as_str) == Some(url);
    match extensions.iter_mut().find(is_it) {
        Some(extension) => change(extension),
        None => {
            let mut extension = Value::object();
            extension.set("url", url);
            change(&mut extension);
            extensions.push(extension);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn document(rest: &str) -> Document {
        Document::parse(format!(r#"{{"resourceType":"MedicationRequest"{rest}}}"#).as_bytes()).expect("JSON")
    }

    fn information(parts: &str) -> String {
        format!(r#","extension":[{{"url":"{REPEAT_INFORMATION}","extension":[{parts}]}}]"#)
    }

    #[test]
    fn a_source_counts_as_it_is_set() {
        let of = [("https://total.example", RepeatCount::Total), ("urn:fhir", RepeatCount::Fhir)];
        let repeat_count_of: BTreeMap<_, _> = of.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let settings =
            |repeat_count| Settings { repeat_count, repeat_count_of: repeat_count_of.clone(), ..Settings::default() };
        let repeats = r#","dispenseRequest":{"numberOfRepeatsAllowed":6}"#;
        for (repeat_count, rest, expected) in [
            (RepeatCount::Fhir, "", None),
            (RepeatCount::Fhir, repeats, Some(6)),
            (RepeatCount::Total, repeats, Some(5)),
            (RepeatCount::Total, r#","dispenseRequest":{"numberOfRepeatsAllowed":0}"#, Some(0)),
            (RepeatCount::Fhir, &format!(r#","meta":{{"source":"https://total.example#7"}}{repeats}"#), Some(5)),
            (RepeatCount::Fhir, &format!(r#","meta":{{"source":"https://total.example/7"}}{repeats}"#), Some(6)),
            (
                RepeatCount::Total,
                &format!(r#","identifier":[{{"value":"1"}},{{"system":"urn:fhir"}}]{repeats}"#),
                Some(6),
            ),
        ] {
            let plan = document(rest);
            assert_eq!(Plan::new(&plan).authorized(&settings(repeat_count)), expected, "{repeat_count:?} {rest}");
        }
    }

    #[test]
    fn counts_what_is_issued() {
        let other = r#"{"url":"authorisationExpiryDate","valueDateTime":"2027-09-01"}"#;
        for (rest, issued) in [
            (String::new(), 0),
            (information(other), 0),
            (information(r#"{"url":"numberOfPrescriptionsIssued","valueUnsignedInt":2}"#), 2),
            (information(&format!(r#"{other},{{"url":"numberOfPrescriptionsIssued","valueInteger":41}}"#)), 41),
            (r#","extension":[{"url":"urn:x","valueString":"1.50"}],"quantity":1.50"#.to_owned(), 0),
        ] {
            let before = document(&rest);
            assert_eq!(Plan::new(&before).issued(), issued, "{rest}");
            let after = Plan::new(&before).with_issued(issued + 1).expect("JSON");
            assert_eq!(Plan::new(&after).issued(), issued + 1, "{rest}");
            let back = Plan::new(&after).with_issued(issued).expect("JSON");
            assert!(rest.is_empty() || back.text().len() >= before.text().len(), "nothing is lost: {}", back.text());
        }
    }

    #[test]
    fn expires_when_its_last_day_is_over() {
        let expiry =
            |date: &str| information(&format!(r#"{{"url":"authorisationExpiryDate","valueDateTime":"{date}"}}"#));
        let end = |date: &str| format!(r#","dispenseRequest":{{"validityPeriod":{{"end":"{date}"}}}}"#);
        let today = DateTime::parse("2027-03-01").map(|date| london::last_day(&date)).expect("a date");
        for (rest, expected) in [
            (String::new(), None),
            (expiry("2027-03-01"), None),
            (expiry("2027-02-28"), Some("2027-02-28")),
            (expiry("2027"), None),
            (end("2027-03-01"), None),
            (end("2027-02-28T23:59:00Z"), Some("2027-02-28T23:59:00Z")),
            (expiry("2027-02-01"), Some("2027-02-01")),
        ] {
            let plan = document(&rest);
            assert_eq!(Plan::new(&plan).expired(today).as_deref(), expected, "{rest}");
        }
    }
}
