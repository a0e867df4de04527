//! Why part of a query does not take effect.

use fhir::{Issue, IssueType, Outcome};

use crate::parameter::Indexed;

/// How many known names a message lists.
const NAMES_MAX: usize = 60;

/// What is wrong with one parameter of a query, and what that means for the rest.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Not for this server; always left out with a note.
    Ignored(Issue),
    /// Not known here: refused, or left out when the client asked for leniency.
    Unknown(Outcome),
    /// Wrong in any case.
    Bad(Outcome),
}

impl Refusal {
    pub(crate) fn bad(diagnostics: String) -> Refusal {
        Refusal::Bad(Outcome::new(IssueType::BadRequest, diagnostics))
    }

    pub(crate) fn too_costly(diagnostics: String) -> Refusal {
        Refusal::Bad(Outcome::new(IssueType::TooCostly, diagnostics))
    }

    pub(crate) fn is_too_costly(&self) -> bool {
        matches!(self, Refusal::Bad(outcome) if outcome.issues.iter().any(|issue| issue.code == IssueType::TooCostly))
    }

    /// A limit that a parameter reached somewhere within, with the parameter's name before it.
    pub(crate) fn naming(self, name: &str) -> Refusal {
        match self {
            Refusal::Bad(mut outcome) => {
                for issue in outcome.issues.iter_mut().filter(|issue| issue.code == IssueType::TooCostly) {
                    if !issue.diagnostics.starts_with("parameter `") {
                        issue.diagnostics = format!("parameter `{}`: {}", shortened(name), issue.diagnostics);
                    }
                }
                Refusal::Bad(outcome)
            }
            refusal => refusal,
        }
    }

    /// What the client is told.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Refusal::Ignored(issue) => Outcome { issues: vec![issue] },
            Refusal::Unknown(outcome) | Refusal::Bad(outcome) => outcome,
        }
    }

    pub(crate) fn unknown(diagnostics: String) -> Refusal {
        Refusal::Unknown(Outcome::new(IssueType::BadRequest, diagnostics))
    }

    pub(crate) fn bad_value(name: &str, value: &str, form: &str) -> Refusal {
        Refusal::bad(format!("parameter `{name}` has the value `{}`, expected {form}", shortened(value)))
    }

    /// A parameter that the type does not have; names those it has, the nearest first.
    pub(crate) fn parameter(resource_type: &str, code: &str, known: &[Indexed]) -> Refusal {
        let served = known.iter().filter(|parameter| !parameter.is_special());
        let mut names: Vec<_> = served.map(|parameter| parameter.definition.code.as_ref()).collect();
        let is_slip = code.len() <= SLIP_LENGTH_MAX;
        names.sort_by_cached_key(|name| (if is_slip { distance(code, name) } else { 0 }, *name));
        names.truncate(NAMES_MAX);
        let code = shortened(code);
        Refusal::unknown(format!("parameter `{code}` of {resource_type} is unknown, known are {}", names.join(", ")))
    }

    /// A modifier that the parameter does not have; names those it has.
    pub(crate) fn modifier(parameter: &Indexed, modifier: &str) -> Refusal {
        let mut allowed: Vec<_> = parameter.modifiers().iter().map(|name| format!(":{name}")).collect();
        if parameter.is_reference() {
            allowed.extend(parameter.definition.targets.iter().map(|target| format!(":{target}")));
        }
        allowed.truncate(NAMES_MAX);
        let code = &parameter.definition.code;
        let modifier = shortened(modifier);
        if allowed.is_empty() {
            return Refusal::unknown(format!("modifier `:{modifier}` of `{code}` is unknown, it has none"));
        }
        Refusal::unknown(format!("modifier `:{modifier}` of `{code}` is unknown, allowed are {}", allowed.join(", ")))
    }
}

/// A value of the client as a message repeats it.
pub(crate) fn shortened(value: &str) -> &str {
    const LENGTH_MAX: usize = 100;
    &value[..value.floor_char_boundary(LENGTH_MAX)]
}

/// Names longer than this are no slip of the pen, and are not compared: a query may hold hundreds.
const SLIP_LENGTH_MAX: usize = 64;

/// How many letters differ (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, to) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}
