//! The forms a literal reference may take, <https://hl7.org/fhir/R4/references.html#literal>.

/// `Reference.reference`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    pub fn parse(_text: &'a str) -> Option<Reference<'a>> {
        todo!()
    }
}

/// True for a logical id: 1 to 64 of `A-Z a-z 0-9 - .`, <https://hl7.org/fhir/R4/datatypes.html#id>.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}
