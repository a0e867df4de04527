//! What one provision says: about whom, and about which data.

use fhir::Instant;
use search::Span;
use store::Key;

use crate::Name;

/// What a provision does with what it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: only its exceptions count.
    #[default]
    Silent,
    Permit,
    Deny,
}

impl Effect {
    /// A deny wins.
    pub(super) fn stricter(self, other: Effect) -> Effect {
        match (self, other) {
            (Effect::Deny, _) | (_, Effect::Deny) => Effect::Deny,
            (Effect::Permit, _) | (_, Effect::Permit) => Effect::Permit,
            _ => Effect::Silent,
        }
    }
}

/// All of time.
pub(crate) const ALWAYS: Span = (Instant(i64::MIN), Instant(i64::MAX));

/// A provision with what it took from those above.
#[derive(Clone, Debug)]
pub(crate) struct Provision {
    pub(crate) effect: Effect,
    /// When it holds.
    pub(crate) period: Span,
    /// Whom it is about; `None` for everybody.
    pub(crate) actors: Option<Listed<Name>>,
    /// Codes of v3-ActReason, and `system|code` of others; `None` for any.
    pub(crate) purposes: Option<Listed<String>>,
    /// Codes of consentaction; `None` for any.
    pub(crate) actions: Option<Listed<String>>,
    pub(crate) what: What,
    /// A deny that no emergency lifts, as it is not understood.
    pub(crate) is_absolute: bool,
    pub(crate) exceptions: Vec<Provision>,
}

/// Alternatives, and whether there were others that are not understood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Listed<T> {
    pub(crate) known: Vec<T>,
    pub(crate) has_others: bool,
}

impl<T> FromIterator<T> for Listed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(known: I) -> Listed<T> {
        Listed { known: known.into_iter().collect(), has_others: false }
    }
}

/// Which data; `None` for any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct What {
    /// Resource types.
    pub(crate) classes: Option<Listed<String>>,
    pub(crate) codes: Option<Listed<Code>>,
    pub(crate) labels: Option<Listed<Code>>,
    pub(crate) period: Option<Option<Moments>>,
    pub(crate) data: Option<Listed<Datum>>,
}

/// A span of the data's own time, in microseconds.
pub(crate) type Moments = (i64, i64);

/// A code; without a system it is one of any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Code {
    pub(crate) system: Option<String>,
    pub(crate) code: String,
}

/// Data named one by one, <https://hl7.org/fhir/R4/valueset-consent-data-meaning.html>.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Datum {
    pub(crate) meaning: Meaning,
    pub(crate) key: Key,
}

/// How data stand to the resource that is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Meaning {
    Instance,
    Related,
    Dependents,
    AuthoredBy,
}

impl Default for Provision {
    fn default() -> Provision {
        Provision {
            effect: Effect::Silent,
            period: ALWAYS,
            actors: None,
            purposes: None,
            actions: None,
            what: What::default(),
            is_absolute: false,
            exceptions: Vec::new(),
        }
    }
}

impl Provision {
    /// The whole, denied to everybody for all time.
    pub(crate) fn absolute() -> Provision {
        Provision { effect: Effect::Deny, is_absolute: true, ..Provision::default() }
    }

    /// Adds the moments at which it or an exception begins or ceases to hold.
    pub(crate) fn turns(&self, turns: &mut Vec<Instant>) {
        turns.extend([self.period.0, self.period.1].into_iter().filter(|at| *at != ALWAYS.0 && *at != ALWAYS.1));
        self.exceptions.iter().for_each(|exception| exception.turns(turns));
    }
}
