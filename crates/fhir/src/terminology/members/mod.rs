//! Value sets compiled: every system looked up, every filter applied, every value set inside it compiled. Whether a code belongs to
//! it is then a matter of a few look-ups, and its codes can be enumerated.

mod compile;
mod filter;
mod items;

use std::collections::HashMap;
use std::sync::Arc;

pub use compile::Versions;
pub(super) use items::{Item, Wholes};

use super::special;
use super::{CodeSystem, Coded, Concept, Listed, Membership};
use crate::Outcome;

/// The members of a value set, by definition. Made once for a value set and kept: it answers without looking anything up.
#[derive(Debug)]
pub struct Members {
    /// The canonical of the value set, for messages.
    name: String,
    includes: Vec<Part>,
    excludes: Vec<Part>,
    /// Inactive codes do not belong to it.
    is_active_only: bool,
    /// The expansion that came with it, for where the definition needs what is not known here.
    given: Option<Vec<Part>>,
}

/// Codes that all of these have.
#[derive(Debug)]
struct Part {
    selection: Option<Selection>,
    value_sets: Vec<Result<Members, Outcome>>,
}

/// Codes of one system.
#[derive(Debug)]
struct Selection {
    system: String,
    /// The version that the value set asks for.
    version: Option<String>,
    known: Option<Arc<CodeSystem>>,
    which: Which,
    /// Why it cannot be said of every code whether it is one of them.
    gap: Option<Outcome>,
}

#[derive(Debug)]
enum Which {
    All,
    /// The codes, and the place of each among them.
    Listed(Vec<Listed>, HashMap<Box<str>, u32>),
    /// The positions that the filters let through.
    Filtered(Positions),
    /// What cannot be found out; the gap says why.
    Unknown,
}

/// A set of positions.
#[derive(Clone, Debug, Default)]
struct Positions(Vec<u64>);

/// Whether something is so.
#[derive(Clone, Copy, Debug)]
enum Truth<'m> {
    Yes,
    No,
    /// It cannot be said, and why.
    Unknown(&'m str),
}

impl Positions {
    fn empty(count: u32) -> Positions {
        Positions(vec![0; count.div_ceil(64) as usize])
    }

    fn add(&mut self, at: u32) {
        if let Some(word) = self.0.get_mut(at as usize / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn has(&self, at: u32) -> bool {
        self.0.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Keeps what `other` has too.
    fn keep(&mut self, other: &Positions) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }
}

impl<'m> Truth<'m> {
    fn of(is: bool) -> Truth<'m> {
        if is { Truth::Yes } else { Truth::No }
    }

    fn any(truths: impl Iterator<Item = Truth<'m>>) -> Truth<'m> {
        let mut any = Truth::No;
        for truth in truths {
            match truth {
                Truth::Yes => return Truth::Yes,
                Truth::Unknown(_) => any = truth,
                Truth::No => {}
            }
        }
        any
    }

    fn all(truths: impl Iterator<Item = Truth<'m>>) -> Truth<'m> {
        let mut all = Truth::Yes;
        for truth in truths {
            match truth {
                Truth::No => return Truth::No,
                Truth::Unknown(_) => all = truth,
                Truth::Yes => {}
            }
        }
        all
    }
}

impl Selection {
    fn gap(&self) -> Truth<'_> {
        self.gap.as_ref().map_or(Truth::No, |gap| Truth::Unknown(reason(gap)))
    }

    fn has(&self, code: &str) -> Truth<'_> {
        let position = self.known.as_ref().and_then(|known| known.position(code));
        match &self.which {
            Which::All => match position {
                Some(_) => Truth::Yes,
                None => special::holds(&self.system, code).map_or(self.gap(), Truth::of),
            },
            Which::Listed(_, places) => Truth::of(places.contains_key(code) || self.listed(code).is_some()),
            Which::Filtered(positions) => match position.is_some_and(|at| positions.has(at)) {
                true => Truth::Yes,
                false => self.gap(),
            },
            Which::Unknown => self.gap(),
        }
    }

    fn bytes(&self) -> usize {
        let which = match &self.which {
            Which::Listed(listed, _) => listed.iter().map(Listed::bytes).sum(),
            Which::Filtered(positions) => size_of_val(positions.0.as_slice()),
            Which::All | Which::Unknown => 0,
        };
        size_of::<Selection>() + self.system.len() + which
    }

    /// The listed code, in whatever case the system allows.
    fn listed(&self, code: &str) -> Option<&Listed> {
        let Which::Listed(listed, places) = &self.which else { return None };
        let place = places.get(code).or_else(|| {
            let known = self.known.as_ref().filter(|known| !known.header().is_case_sensitive)?;
            places.get(known.find(code)?.code())
        });
        listed.get(*place? as usize)
    }
}

impl Part {
    fn has(&self, system: &str, code: &str) -> Truth<'_> {
        let selected = self.selection.iter().map(|selection| match selection.system == system {
            true => selection.has(code),
            false => Truth::No,
        });
        let others = self.value_sets.iter().map(|members| match members {
            Ok(members) => members.has(system, code),
            Err(outcome) => Truth::Unknown(reason(outcome)),
        });
        match self.selection.is_none() && self.value_sets.is_empty() {
            true => Truth::No,
            false => Truth::all(selected.chain(others)),
        }
    }

    fn value_sets(&self) -> impl Iterator<Item = &Members> {
        self.value_sets.iter().flatten()
    }
}

impl Members {
    fn has(&self, system: &str, code: &str) -> Truth<'_> {
        let composed = match any(&self.includes, system, code) {
            Truth::No => Truth::No,
            included => match any(&self.excludes, system, code) {
                Truth::Yes => Truth::No,
                Truth::No => included,
                unknown => unknown,
            },
        };
        let truth = match (composed, &self.given) {
            (Truth::Unknown(_), Some(given)) => any(given, system, code),
            _ => composed,
        };
        match truth {
            Truth::Yes if self.is_active_only => {
                Truth::of(!self.concept(system, code).is_some_and(Concept::is_inactive))
            }
            truth => truth,
        }
    }

    /// The memory it takes, in bytes, give or take; the code systems that it shares with others are not counted.
    pub fn bytes(&self) -> usize {
        let own: usize = self.selections().map(Selection::bytes).sum();
        let excludes = self.excludes.iter().flat_map(|part| part.selection.iter().map(Selection::bytes));
        let inside = self.excludes.iter().flat_map(Part::value_sets).map(Members::bytes);
        size_of::<Members>() + self.name.len() + own + excludes.chain(inside).sum::<usize>()
    }

    /// Its canonical.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The concept of a code as its system has it, where the system is known.
    pub fn concept(&self, system: &str, code: &str) -> Option<Concept<'_>> {
        self.selections().find_map(|selection| {
            let known = selection.known.as_ref().filter(|_| selection.system == system)?;
            known.find(code)
        })
    }

    /// The code as this value set lists it.
    pub fn listed(&self, system: &str, code: &str) -> Option<&Listed> {
        self.selections().filter(|selection| selection.system == system).find_map(|selection| selection.listed(code))
    }

    /// The systems that its codes may come from, each once.
    pub fn systems(&self) -> Vec<&str> {
        let mut systems: Vec<&str> = Vec::new();
        for selection in self.selections() {
            if !systems.contains(&selection.system.as_str()) {
                systems.push(&selection.system);
            }
        }
        systems
    }

    /// All selections of what is included, those of value sets inside too.
    fn selections(&self) -> Box<dyn Iterator<Item = &Selection> + '_> {
        let parts = self.includes.iter().chain(self.given.iter().flatten());
        Box::new(parts.flat_map(|part| part.selection.iter().chain(part.value_sets().flat_map(Members::selections))))
    }

    /// Whether a code is in the value set. Without a system, each of its systems is asked.
    pub fn check(&self, coded: &Coded<'_>) -> Membership {
        match coded.system {
            Some(system) => self.check_in(system, coded),
            None => self.check_bare(coded),
        }
    }

    fn check_bare(&self, coded: &Coded<'_>) -> Membership {
        let mut unknown = None;
        for system in self.systems() {
            match self.check_in(system, coded) {
                Membership::NotIn(_) => {}
                Membership::Unknown(reason) => unknown = Some(reason),
                found => return found,
            }
        }
        // Value sets inside it that are not known may have further systems.
        unknown = unknown.or_else(|| self.missing().map(|outcome| reason(outcome).to_owned()));
        match unknown {
            Some(reason) => Membership::Unknown(reason),
            None => Membership::NotIn(format!("the value set `{}` has no code `{}`", self.name, coded.code)),
        }
    }

    fn missing(&self) -> Option<&Outcome> {
        self.includes.iter().flat_map(|part| &part.value_sets).find_map(|members| match members {
            Ok(members) => members.missing(),
            Err(outcome) => Some(outcome),
        })
    }

    fn check_in(&self, system: &str, coded: &Coded<'_>) -> Membership {
        let code = coded.code;
        match self.has(system, code) {
            Truth::Unknown(reason) => Membership::Unknown(reason.to_owned()),
            Truth::No => Membership::NotIn(self.why_not(system, code)),
            Truth::Yes => {
                if let Some(asked) = self.other_version(system, coded.version) {
                    let text = format!(
                        "the value set `{}` has codes of version `{asked}` of `{system}`, the code `{code}` is of another",
                        self.name
                    );
                    return Membership::Unknown(text);
                }
                let (concept, listed) = (self.concept(system, code), self.listed(system, code));
                let display = listed.and_then(|listed| listed.display.as_deref());
                let wrong_display = coded.display.and_then(|given| super::wrong_display(concept, listed, given));
                let display = display.or(concept.and_then(Concept::display)).map(str::to_owned);
                Membership::In { display, wrong_display }
            }
        }
    }

    /// The version that the value set asks for, where it is not that of the code.
    fn other_version(&self, system: &str, version: Option<&str>) -> Option<&str> {
        let version = version?;
        let asked = self.selections().filter(|selection| selection.system == system);
        let mut other = None;
        for selection in asked {
            match selection.version.as_deref() {
                Some(asked) if asked != version => other = Some(asked),
                _ => return None,
            }
        }
        other
    }

    fn why_not(&self, system: &str, code: &str) -> String {
        let name = &self.name;
        if !self.selections().any(|selection| selection.system == system) {
            return format!("the value set `{name}` has no codes of `{system}`, so not `{code}`");
        }
        let mut known = self
            .selections()
            .filter(|selection| selection.system == system)
            .filter_map(|selection| selection.known.as_ref());
        match known.any(|known| known.is_complete() && known.position(code).is_none()) {
            true => format!("the code system `{system}` has no code `{code}`, so neither has the value set `{name}`"),
            false => format!("the value set `{name}` does not have `{code}` of `{system}`"),
        }
    }
}

fn any<'m>(parts: &'m [Part], system: &str, code: &str) -> Truth<'m> {
    Truth::any(parts.iter().map(|part| part.has(system, code)))
}

/// What an outcome says first.
fn reason(outcome: &Outcome) -> &str {
    outcome.issues.first().map_or("", |issue| &issue.diagnostics)
}
