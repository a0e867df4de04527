//! How codes and code systems compare, <https://hl7.org/fhir/R4/search.html#token>: without regard to case, unless the system is
//! known to tell cases apart.

use std::borrow::Cow;

/// Where the code systems of R4's own definitions are named. All of them are case-sensitive, but for what [`UNCASED`] excepts.
const CASED: &[&str] = &["http://hl7.org/fhir/", "http://terminology.hl7.org/", "http://unitsofmeasure.org"];

/// Namespaces of others, and the tables of HL7 version 2, which do not say.
const UNCASED: &[&str] = &["http://hl7.org/fhir/sid/", "http://terminology.hl7.org/CodeSystem/v2-"];

/// Systems that are often written with `https`, although their canonical form has `http`.
const OFTEN_SECURE: &[&str] = &["https://terminology.hl7.org/", "https://snomed.info/sct", "https://loinc.org"];

/// Whether codes of the system that differ in case alone are known to be different.
pub(super) fn is_cased(system: &str) -> bool {
    let is_in = |list: &[&str]| list.iter().any(|prefix| system.starts_with(prefix));
    is_in(CASED) && !is_in(UNCASED)
}

/// A code as it compares in a system.
pub(super) fn compared<'a>(system: &str, code: &'a str) -> Cow<'a, str> {
    match is_cased(system) {
        true => Cow::Borrowed(code),
        false => fold(code),
    }
}

/// The code without case.
pub(super) fn fold(code: &str) -> Cow<'_, str> {
    match code.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) {
        true => Cow::Owned(code.to_lowercase()),
        false => Cow::Borrowed(code),
    }
}

/// Whether folding may take this for another code.
pub(super) fn has_case(code: &str) -> bool {
    code.bytes().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii())
}

/// The canonical form of a system.
pub(crate) fn canonical_system(system: Cow<'_, str>) -> Cow<'_, str> {
    match OFTEN_SECURE.iter().any(|prefix| system.starts_with(prefix)) {
        true => Cow::Owned(system.replacen("https", "http", 1)),
        false => system,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_systems_tell_cases_apart() {
        for (system, expected) in [
            ("http://hl7.org/fhir/administrative-gender", true),
            ("http://terminology.hl7.org/CodeSystem/v3-ActCode", true),
            ("http://unitsofmeasure.org", true),
            ("http://terminology.hl7.org/CodeSystem/v2-0203", false),
            ("http://hl7.org/fhir/sid/icd-10", false),
            ("http://snomed.info/sct", false),
            ("http://loinc.org", false),
            ("urn:local", false),
            ("", false),
        ] {
            assert_eq!(is_cased(system), expected, "{system}");
        }
    }

    #[test]
    fn folds_codes_and_canonicalizes_systems() {
        for (code, folded, cased) in
            [("aB-1", "ab-1", true), ("ÉCOLE", "école", true), ("943 476", "943 476", false), ("", "", false)]
        {
            assert_eq!((fold(code).as_ref(), has_case(code)), (folded, cased));
        }
        for (system, expected) in [
            ("https://terminology.hl7.org/CodeSystem/v3-ActCode", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
            ("https://snomed.info/sct", "http://snomed.info/sct"),
            ("https://fhir.nhs.uk/Id/nhs-number", "https://fhir.nhs.uk/Id/nhs-number"),
        ] {
            assert_eq!(canonical_system(Cow::Borrowed(system)), expected);
        }
    }
}
