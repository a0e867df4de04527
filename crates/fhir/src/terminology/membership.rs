//! Whether a code is in a value set or a code system, <https://hl7.org/fhir/R4/valueset-operation-validate-code.html>.

use super::{Canonical, Concept, Listed, Members, Source, special};

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

/// Whether `coded` is in a value set.
pub fn member(source: &dyn Source, value_set: Canonical<'_>, coded: &Coded<'_>) -> Membership {
    match source.members(value_set) {
        Ok(members) => members.check(coded),
        Err(outcome) => Membership::Unknown(outcome.to_string()),
    }
}

/// Whether any coding of a CodeableConcept is in a value set: the first that is, else what cannot be said, else why none is.
pub fn check_any<'a>(members: &Members, codings: impl IntoIterator<Item = Coded<'a>>) -> Membership {
    let (mut reasons, mut unknown) = (Vec::new(), None);
    for coding in codings {
        match members.check(&coding) {
            Membership::NotIn(reason) => reasons.push(reason),
            Membership::Unknown(reason) => unknown = unknown.or(Some(reason)),
            found => return found,
        }
    }
    match unknown {
        Some(reason) => Membership::Unknown(reason),
        None if reasons.is_empty() => Membership::NotIn(format!("there is no code, so none of `{}`", members.name())),
        None => Membership::NotIn(reasons.join("; ")),
    }
}

/// Whether `coded` is in the code system that it names.
pub fn code_in_system(source: &dyn Source, coded: &Coded<'_>) -> Membership {
    let Some(system) = coded.system else { return Membership::Unknown("the code has no system".into()) };
    let canonical = Canonical { url: system, version: coded.version };
    let known = match source.code_system(canonical) {
        Ok(known) => known.filter(|known| known.count() > 0).or_else(|| special::code_system(canonical)),
        Err(outcome) => return Membership::Unknown(outcome.to_string()),
    };
    if let Some(concept) = known.as_ref().and_then(|known| known.find(coded.code)) {
        return Membership::In {
            display: concept.display().map(str::to_owned),
            wrong_display: coded.display.and_then(|given| wrong_display(Some(concept), None, given)),
        };
    }
    let is_there =
        special::holds(system, coded.code).or(known.as_ref().filter(|known| known.is_complete()).map(|_| false));
    match (is_there, known) {
        (Some(true), _) => Membership::In { display: None, wrong_display: None },
        (Some(false), _) => Membership::NotIn(format!("the code system `{canonical}` has no code `{}`", coded.code)),
        (None, Some(_)) => Membership::Unknown(format!("the code system `{canonical}` is not known here as a whole")),
        (None, None) => Membership::Unknown(format!("the code system `{canonical}` is not known here")),
    }
}

/// Why a text is none of a code's texts, in whatever language and case; nothing when its system is not known.
pub(super) fn wrong_display(concept: Option<Concept<'_>>, listed: Option<&Listed>, given: &str) -> Option<String> {
    let concept = concept?;
    let own = concept.display().into_iter().chain(concept.designations().map(|other| other.value));
    let listed_texts = listed.into_iter().flat_map(|listed| {
        listed.display.as_deref().into_iter().chain(listed.designations.iter().map(|other| other.value.as_str()))
    });
    let mut texts = listed_texts.chain(own).peekable();
    let expected = *texts.peek()?;
    let is_right = texts.any(|text| is_same(text, given));
    (!is_right).then(|| {
        format!("the display `{given}` of code `{}` is not one of its texts, expected `{expected}`", concept.code())
    })
}

/// Whether two texts differ in case and white space only.
fn is_same(left: &str, right: &str) -> bool {
    let mut right = right.split_whitespace();
    left.split_whitespace().all(|word| {
        right.next().is_some_and(|other| {
            word == other || word.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
        })
    }) && right.next().is_none()
}
