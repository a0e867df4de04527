//! The codes of a value set, one after another.

use rustc_hash::FxHashSet;

use super::{Members, Part, Selection, Truth, Which, any};
use crate::terminology::{Concept, Content, Designation, Listed};
use crate::{IssueType, Outcome};

/// One code of a value set, or a system of which every code belongs to it.
#[derive(Clone, Copy)]
pub(in crate::terminology) struct Item<'m> {
    selection: &'m Selection,
    /// The concept, where the system is known.
    pub(in crate::terminology) concept: Option<Concept<'m>>,
    /// The code as it is listed, if it is.
    pub(in crate::terminology) listed: Option<&'m Listed>,
}

/// What becomes of a system of which every code belongs to the value set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::terminology) enum Wholes {
    /// It is one item.
    Kept,
    /// Each of its codes is one.
    Listed,
}

/// How items are made.
#[derive(Clone, Copy)]
struct Mode {
    wholes: Wholes,
    /// How many codes there may be.
    limit: usize,
    /// Whether the known codes of a system that is here in part will do.
    takes_fragments: bool,
}

impl<'m> Item<'m> {
    pub(in crate::terminology) fn system(&self) -> &'m str {
        &self.selection.system
    }

    /// The version of its system: of the one that is known, else the one asked for.
    pub(in crate::terminology) fn version(&self) -> Option<&'m str> {
        let known = self.selection.known.as_ref().and_then(|known| known.version());
        known.or(self.selection.version.as_deref())
    }

    /// Its code; `None` for a whole system.
    pub(in crate::terminology) fn code(&self) -> Option<&'m str> {
        self.listed.map(|listed| listed.code.as_str()).or(self.concept.map(Concept::code))
    }

    pub(in crate::terminology) fn is_inactive(&self) -> bool {
        self.concept.is_some_and(Concept::is_inactive) || self.listed.is_some_and(|listed| listed.is_inactive)
    }

    pub(in crate::terminology) fn is_abstract(&self) -> bool {
        self.concept.is_some_and(Concept::is_abstract) || self.listed.is_some_and(|listed| listed.is_abstract)
    }

    /// Whether the system is here in part only.
    pub(in crate::terminology) fn is_of_fragment(&self) -> bool {
        self.listed.is_none() && self.selection.known.as_ref().is_some_and(|known| !known.is_complete())
    }

    /// Its other texts: those that the value set gives, then those of the system.
    pub(in crate::terminology) fn designations(&self) -> impl Iterator<Item = Designation<'m>> {
        let listed = self.listed.into_iter().flat_map(|listed| listed.designations.iter().map(|other| other.view()));
        listed.chain(self.concept.into_iter().flat_map(Concept::designations))
    }
}

impl Members {
    /// Its codes in the order of the definition, each once; refused when there are more than `limit`, or when it cannot be said of a
    /// code whether it is one of them.
    pub(in crate::terminology) fn items(&self, wholes: Wholes, limit: usize) -> Result<Vec<Item<'_>>, Outcome> {
        self.listing(Mode { wholes, limit, takes_fragments: wholes == Wholes::Listed })
    }

    fn listing(&self, mode: Mode) -> Result<Vec<Item<'_>>, Outcome> {
        let items = match (self.composed(mode), &self.given) {
            (Err(outcome), Some(given)) if outcome.issues.iter().any(|issue| issue.code == IssueType::NotFound) => {
                self.all(given, mode)?
            }
            (composed, _) => composed?,
        };
        Ok(match self.is_active_only {
            true => items.into_iter().filter(|item| !item.is_inactive()).collect(),
            false => items,
        })
    }

    fn composed(&self, mode: Mode) -> Result<Vec<Item<'_>>, Outcome> {
        let items = self.all(&self.includes, mode)?;
        if self.excludes.is_empty() {
            return Ok(items);
        }
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let system = item.system();
            match item.code() {
                Some(code) => kept.extend(self.is_left(system, code)?.then_some(item)),
                None if self.excludes.iter().any(|part| part.covers(system)) => {}
                None if !self.excludes.iter().any(|part| part.touches(system)) => kept.push(item),
                None => {
                    for item in item.selection.items(Mode { wholes: Wholes::Listed, ..mode }, &self.name)? {
                        kept.extend(self.is_left(system, item.code().unwrap_or_default())?.then_some(item));
                    }
                }
            }
        }
        Ok(kept)
    }

    /// Whether a code is not excluded.
    fn is_left(&self, system: &str, code: &str) -> Result<bool, Outcome> {
        match any(&self.excludes, system, code) {
            Truth::No => Ok(true),
            Truth::Yes => Ok(false),
            Truth::Unknown(reason) => Err(Outcome::new(IssueType::NotFound, reason)),
        }
    }

    /// What any of the parts has.
    fn all<'m>(&self, parts: &'m [Part], mode: Mode) -> Result<Vec<Item<'m>>, Outcome> {
        let mut all: Vec<Item<'m>> = Vec::new();
        // Of a single system each code comes once by itself.
        let is_single = matches!(parts, [Part { selection: Some(selection), value_sets }]
            if value_sets.is_empty() && !matches!(selection.which, Which::Listed(..)));
        let mut seen: FxHashSet<(&str, Option<&str>)> = FxHashSet::default();
        for part in parts {
            let items = part.items(mode, &self.name)?;
            match is_single {
                true => all = items,
                false => all.extend(items.into_iter().filter(|item| seen.insert((item.system(), item.code())))),
            }
            if all.len() > mode.limit {
                return Err(too_many(&self.name, mode.limit));
            }
        }
        if mode.wholes == Wholes::Kept {
            let wholes: FxHashSet<_> = all.iter().filter(|item| item.code().is_none()).map(Item::system).collect();
            all.retain(|item| item.code().is_none() || !wholes.contains(item.system()));
        }
        Ok(all)
    }

    /// Whether it has every code of a system: then the system is one of its items.
    fn covers(&self, system: &str) -> bool {
        self.includes.iter().any(|part| part.covers(system))
            && !self.excludes.iter().any(|part| part.touches(system))
            && !self.is_active_only
    }

    fn touches(&self, system: &str) -> bool {
        self.includes.iter().chain(self.given.iter().flatten()).any(|part| part.touches(system))
    }
}

impl Part {
    /// Whether it has every code of a system.
    fn covers(&self, system: &str) -> bool {
        let selects = |selection: &Selection| selection.system == system && matches!(selection.which, Which::All);
        (self.selection.is_some() || !self.value_sets.is_empty())
            && self.selection.as_ref().is_none_or(selects)
            && self.value_sets.iter().all(|members| members.as_ref().is_ok_and(|members| members.covers(system)))
    }

    /// Whether it may have a code of a system.
    fn touches(&self, system: &str) -> bool {
        self.selection.as_ref().is_none_or(|selection| selection.system == system)
            && self.value_sets.iter().all(|members| members.as_ref().map_or(true, |members| members.touches(system)))
    }

    fn items(&self, mode: Mode, name: &str) -> Result<Vec<Item<'_>>, Outcome> {
        if self.value_sets.is_empty() {
            return self.selection.as_ref().map_or(Ok(Vec::new()), |selection| selection.items(mode, name));
        }
        if let (None, [Ok(members)]) = (&self.selection, self.value_sets.as_slice()) {
            return members.listing(mode);
        }
        // What all have is among what any one has, but a whole system that not all have is not told by its codes: then the next
        // one is asked too.
        let mut kept = Vec::new();
        let enumerable = self.selection.as_ref().filter(|selection| !matches!(selection.which, Which::All));
        let mut lists = enumerable
            .map(|selection| selection.items(mode, name))
            .into_iter()
            .chain(self.value_sets.iter().map(|members| members.as_ref().map_err(Clone::clone)?.listing(mode)));
        loop {
            let Some(items) = lists.next() else { return Ok(kept) };
            let mut is_told = true;
            for item in items? {
                match item.code() {
                    Some(code) => match self.has(item.system(), code) {
                        Truth::Yes => kept.push(item),
                        Truth::No => {}
                        Truth::Unknown(reason) => return Err(Outcome::new(IssueType::NotFound, reason)),
                    },
                    None if self.covers(item.system()) => kept.push(item),
                    None => is_told &= !self.touches(item.system()),
                }
            }
            if is_told {
                return Ok(kept);
            }
        }
    }
}

impl Selection {
    fn items(&self, mode: Mode, name: &str) -> Result<Vec<Item<'_>>, Outcome> {
        let item = Item { selection: self, concept: None, listed: None };
        let known = self.known.as_deref();
        let check = |count: usize| if count > mode.limit { Err(too_many(name, mode.limit)) } else { Ok(()) };
        match &self.which {
            Which::Listed(listed, _) => {
                check(listed.len())?;
                let find = |listed: &Listed| known.and_then(|known| known.find(&listed.code));
                Ok(listed.iter().map(|listed| Item { concept: find(listed), listed: Some(listed), ..item }).collect())
            }
            Which::All if mode.wholes == Wholes::Kept => Ok(vec![item]),
            Which::All | Which::Filtered(_) => {
                let known = known.filter(|_| self.is_listable(mode)).ok_or_else(|| self.refusal())?;
                let kept = |concept: &Concept<'_>| match &self.which {
                    Which::Filtered(positions) => positions.has(concept.position()),
                    _ => true,
                };
                let items: Vec<_> =
                    known.concepts().filter(kept).map(|concept| Item { concept: Some(concept), ..item }).collect();
                check(items.len())?;
                Ok(items)
            }
            Which::Unknown => Err(self.refusal()),
        }
    }

    /// Whether its codes may be listed: all are known, or a listing that says that it is not whole will do.
    fn is_listable(&self, mode: Mode) -> bool {
        self.gap.is_none()
            || mode.takes_fragments
                && self.known.as_ref().is_some_and(|known| known.header().content != Content::NotPresent)
    }

    fn refusal(&self) -> Outcome {
        self.gap.clone().unwrap_or_else(|| {
            let text = format!("the codes of `{}` follow a rule and cannot be listed", self.system);
            Outcome::new(IssueType::TooCostly, text)
        })
    }
}

fn too_many(name: &str, limit: usize) -> Outcome {
    Outcome::new(IssueType::TooCostly, format!("the value set `{name}` has more than {limit} codes"))
}
