//! The forms a literal reference may take, <https://hl7.org/fhir/R4/references.html#literal>.
use crate::Definitions;

/// `Reference.reference`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the parts are named in each form's example")]
pub enum Reference<'a> {
    /// `Patient/ann` or `Patient/ann/_history/2`.
    Relative { resource_type: &'a str, id: &'a str, version: Option<&'a str> },
    /// `https://other.example/fhir/Patient/ann/_history/2`: a base URL (without the last `/`) and the rest as above.
    Absolute { base: &'a str, resource_type: &'a str, id: &'a str, version: Option<&'a str> },
    /// `#med1`; `#` alone is the container.
    Contained(&'a str),
    /// `urn:uuid:..` or `urn:oid:..`.
    Urn(&'a str),
    /// `Patient?identifier=..`: allowed only inside a transaction, <https://hl7.org/fhir/R4/http.html#trules>.
    Conditional { resource_type: &'a str, query: &'a str },
    /// Any other URL or canonical.
    Other(&'a str),
}

impl<'a> Reference<'a> {
    /// Takes a reference apart. A relative reference needs the name of an R4 resource type and a valid id; what fits no form is
    /// [`Reference::Other`] when it is an absolute URI, and `None` otherwise.
    pub fn parse(text: &'a str) -> Option<Reference<'a>> {
        if text.contains(char::is_whitespace) {
            return None;
        }
        if let Some(id) = text.strip_prefix('#') {
            return (id.is_empty() || is_id(id)).then_some(Reference::Contained(id));
        }
        if text.starts_with("urn:uuid:") || text.starts_with("urn:oid:") {
            return Some(Reference::Urn(text));
        }
        if has_scheme(text) {
            return Some(absolute(text).unwrap_or(Reference::Other(text)));
        }
        if let Some((resource_type, query)) = text.split_once('?') {
            let is_search = is_resource_type(resource_type) && !query.is_empty();
            return is_search.then_some(Reference::Conditional { resource_type, query });
        }
        match tail(text)? {
            ("", resource_type, id, version) => Some(Reference::Relative { resource_type, id, version }),
            _ => None,
        }
    }
}

/// A reference by URL to a resource of a REST server.
fn absolute(text: &str) -> Option<Reference<'_>> {
    let (before, resource_type, id, version) = tail(text)?;
    let base = before.strip_suffix('/')?;
    let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"))?;
    let is_base = !host.is_empty() && !host.starts_with('/') && !host.contains(['?', '#']);
    is_base.then_some(Reference::Absolute { base, resource_type, id, version })
}

/// Splits `[before]Type/id` or `[before]Type/id/_history/version`; what is before is empty or ends with a slash.
fn tail(text: &str) -> Option<(&str, &str, &str, Option<&str>)> {
    let (text, version) = match text.rsplit_once("/_history/") {
        Some((text, version)) => (text, Some(version)),
        None => (text, None),
    };
    let (typed, id) = text.rsplit_once('/')?;
    let start = typed.rfind('/').map_or(0, |slash| slash + 1);
    let (before, resource_type) = typed.split_at(start);
    let fits = is_resource_type(resource_type) && is_id(id) && version.is_none_or(is_id);
    fits.then_some((before, resource_type, id, version))
}

fn is_resource_type(name: &str) -> bool {
    Definitions::r4().is_resource_type(name)
}

/// True for an absolute URI, <https://www.rfc-editor.org/rfc/rfc3986#section-3.1>.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        !rest.is_empty() && scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_part)
    })
}

/// True for a logical id: 1 to 64 of `A-Z a-z 0-9 - .`, <https://hl7.org/fhir/R4/datatypes.html#id>.
pub fn is_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len()) && id_bytes(text.as_bytes()) == text.len()
}

/// How many bytes a logical id has at most.
pub const ID_MAX: usize = 64;

/// With how many of the bytes that ids have text begins; not more than one above [`ID_MAX`] are counted.
pub fn id_bytes(text: &[u8]) -> usize {
    text.iter().take(ID_MAX + 1).take_while(|byte| IS_OF_ID[usize::from(**byte)]).count()
}

/// Which bytes ids have. A table, for every name in every resource that is masked for somebody is measured by it.
const IS_OF_ID: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'-' | b'.');
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_references_apart() {
        let relative = |resource_type, id, version| Reference::Relative { resource_type, id, version };
        let absolute = |base, resource_type, id, version| Reference::Absolute { base, resource_type, id, version };
        let longest = format!("Patient/{}", "a".repeat(64));
        let cases = [
            ("Patient/ann", relative("Patient", "ann", None)),
            ("Patient/ann/_history/2", relative("Patient", "ann", Some("2"))),
            ("Observation/a-1.B", relative("Observation", "a-1.B", None)),
            (&longest, relative("Patient", &longest[8..], None)),
            ("https://x.example/fhir/Patient/ann", absolute("https://x.example/fhir", "Patient", "ann", None)),
            ("http://x.example:80/Patient/a/_history/b", absolute("http://x.example:80", "Patient", "a", Some("b"))),
            (
                "http://hl7.org/fhir/StructureDefinition/Patient",
                absolute("http://hl7.org/fhir", "StructureDefinition", "Patient", None),
            ),
            ("http://x/Patient/Patient/Patient", absolute("http://x/Patient", "Patient", "Patient", None)),
            ("#med1", Reference::Contained("med1")),
            ("#", Reference::Contained("")),
            (
                "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                Reference::Urn("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"),
            ),
            ("urn:oid:1.2.3", Reference::Urn("urn:oid:1.2.3")),
            ("Patient?identifier=a|b", Reference::Conditional { resource_type: "Patient", query: "identifier=a|b" }),
            (
                "Patient?identifier=http://x/y|b",
                Reference::Conditional { resource_type: "Patient", query: "identifier=http://x/y|b" },
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Reference::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn knows_other_uris() {
        for text in [
            "http://hl7.org/fhir/ValueSet/x|4.0.1",
            "https://x.example/Unknown/1",
            "https://x.example/Patient",
            "https://x.example/Patient/a/extra",
            "https://x.example/Patient/a/_history/",
            "https://x.example/Patient/a?b=c",
            "https://x.example/?to=/Patient/a",
            "https://Patient/a",
            "https:///Patient/a",
            "https://x.example/Patient/a_b",
            "ftp://x.example/Patient/a",
            "urn:iso:std",
            "mailto:ann@example.org",
        ] {
            assert_eq!(Reference::parse(text), Some(Reference::Other(text)));
        }
    }

    #[test]
    fn refuses_what_is_no_reference() {
        for text in [
            "",
            " ",
            "ann",
            "Patient",
            "Patient/",
            "/Patient/ann",
            "Patient/ann/",
            "Patients/ann",
            "patient/ann",
            "Resource/ann",
            "Patient/a_b",
            "Patient/ann/_history",
            "Patient/ann/_history/",
            "Patient/ann/2",
            "x/Patient/ann",
            "Patient/ann#x",
            "Patient /ann",
            "#a b",
            "#a/b",
            "Patient?",
            "Patients?a=b",
            "?a=b",
            "//x/Patient/ann",
            ":",
            "1x:y",
            "http:",
        ] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
        assert_eq!(Reference::parse(&format!("Patient/{}", "a".repeat(65))), None);
    }
}
