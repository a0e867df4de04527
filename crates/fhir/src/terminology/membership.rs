//! Whether a code is in a value set, <https://hl7.org/fhir/R4/valueset-operation-validate-code.html>.

use super::{Canonical, Source};

/// A code as an instance has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coded<'a> {
    /// Its system; `None` for an element of type code, whose value set says the system.
    pub system: Option<&'a str>,
    /// The version of the system that the instance names.
    pub version: Option<&'a str>,
    /// The code.
    pub code: &'a str,
    /// Its text, if it is to be checked.
    pub display: Option<&'a str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It is; with the code system's own text for it, and why the given one is not right if it is not.
    In { display: Option<String>, wrong_display: Option<String> },
    /// It is not, and why.
    NotIn(String),
    /// It cannot be said here, and why: an unknown value set, or a code system that is not known as a whole.
    Unknown(String),
}

/// Whether `coded` is in a value set. Nothing is expanded where the definition can be asked.
pub fn member(source: &dyn Source, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
    match super::expand(source, value_set) {
        Ok(codes) => match coded.system {
            Some(system) if codes.contains(system, coded.code) => Membership::In { display: None, wrong_display: None },
            _ => Membership::NotIn(format!("`{}` is not in `{value_set}`", coded.code)),
        },
        Err(outcome) => Membership::Unknown(outcome.to_string()),
    }
}
