//! From the definition of a value set to its members.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::filter::fitting;
use super::{Members, Part, Positions, Selection, Which};
use crate::outcome::quoted;
use crate::terminology::{
    Canonical, CodeSystem, Content, Include, NESTING_MAX, PARTS_MAX, Source, VALUE_SETS_MAX, ValueSet, special,
};
use crate::{IssueType, Outcome};

/// Which versions and supplements of code systems are used, where a value set leaves it open or is overruled; canonical urls with
/// version.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    /// For systems of which the value set names no version.
    pub system: Vec<String>,
    /// The same, and a value set that names another is refused.
    pub check: Vec<String>,
    /// Instead of whatever the value set names.
    pub force: Vec<String>,
    /// Supplements to be used besides those that the value set asks for.
    pub supplements: Vec<String>,
}

impl Members {
    /// The members of a value set; one that is not known, or not well made, is refused. What is missing or wrong inside it shows when
    /// its codes are asked for.
    pub fn compile<S: Source + ?Sized>(source: &S, canonical: Canonical<'_>) -> Result<Members, Outcome> {
        Compiler::new(source, &Versions::default()).named(canonical)
    }

    /// The members of a definition at hand.
    pub fn of<S: Source + ?Sized>(source: &S, value_set: &ValueSet, versions: &Versions) -> Result<Members, Outcome> {
        let canonical = Canonical { url: &value_set.url, version: value_set.version.as_deref() };
        let mut compiler = Compiler::new(source, versions);
        compiler.open.push(canonical.to_string());
        compiler.members(value_set)
    }
}

struct Compiler<'a, S: ?Sized> {
    source: &'a S,
    versions: &'a Versions,
    /// The value sets that are being compiled, the outermost first.
    open: Vec<String>,
    /// How many were opened.
    count: usize,
    /// The supplements in use, of the value sets that are being compiled.
    supplements: Vec<String>,
    /// Code systems with what supplements say, by their url, version and supplements: each is made once.
    supplemented: FxHashMap<String, Arc<CodeSystem>>,
}

impl<'a, S: Source + ?Sized> Compiler<'a, S> {
    fn new(source: &'a S, versions: &'a Versions) -> Compiler<'a, S> {
        Compiler {
            source,
            versions,
            open: Vec::new(),
            count: 0,
            supplements: versions.supplements.clone(),
            supplemented: FxHashMap::default(),
        }
    }

    fn named(&mut self, canonical: Canonical<'_>) -> Result<Members, Outcome> {
        let name = canonical.to_string();
        if self.open.contains(&name) {
            let text = format!("the value set `{name}` is built of itself, by way of {}", self.open.join(", "));
            return Err(Outcome::new(IssueType::Processing, text));
        }
        self.count += 1;
        if self.open.len() == NESTING_MAX || self.count > VALUE_SETS_MAX {
            let text = format!(
                "the value set `{}` is built of more than {VALUE_SETS_MAX} others, or deeper than {NESTING_MAX}",
                self.open.first().map_or(name.as_str(), String::as_str)
            );
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let found = self.source.value_set(canonical)?.ok_or_else(|| {
            Outcome::new(IssueType::NotFound, format!("the value set {} is not known here", quoted(&name)))
        })?;
        self.open.push(name);
        let members = self.members(&found);
        self.open.pop();
        members
    }

    fn members(&mut self, value_set: &ValueSet) -> Result<Members, Outcome> {
        let outer = self.supplements.len();
        self.supplements.extend(value_set.supplements.iter().cloned());
        let name = self.open.last().cloned().unwrap_or_default();
        let count =
            value_set.includes.len() + value_set.excludes.len() + value_set.expansion.as_ref().map_or(0, Vec::len);
        if count > PARTS_MAX {
            let text =
                format!("the value set `{name}` has `{count}` includes and excludes, at most {PARTS_MAX} are allowed");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let mut parts = |parts: &[Include]| parts.iter().map(|part| self.part(part)).collect::<Result<Vec<_>, _>>();
        let mut members = Members {
            name,
            includes: parts(&value_set.includes)?,
            excludes: parts(&value_set.excludes)?,
            is_active_only: value_set.has_inactive == Some(false),
            given: value_set.expansion.as_deref().map(parts).transpose()?,
        };
        if members.includes.is_empty() {
            members.includes = members.given.take().unwrap_or_default();
        }
        self.supplements.truncate(outer);
        Ok(members)
    }

    fn part(&mut self, include: &Include) -> Result<Part, Outcome> {
        let selection = include.system.as_deref().map(|system| self.selection(include, system)).transpose()?;
        let mut value_sets = Vec::new();
        for value_set in &include.value_sets {
            let members = self.named(Canonical::parse(value_set));
            // A bound that is passed is passed for all.
            if let Err(outcome) = &members
                && outcome.issues.iter().any(|issue| issue.code == IssueType::TooCostly)
            {
                return Err(outcome.clone());
            }
            value_sets.push(members);
        }
        Ok(Part { selection, value_sets })
    }

    fn selection(&mut self, include: &Include, system: &str) -> Result<Selection, Outcome> {
        let version = self.version(include, system)?;
        let known = self.known(Canonical { url: system, version: version.as_deref() })?;
        let mut gap = self.gap(system, known.as_deref());
        let which = if !include.concepts.is_empty() {
            let places = include.concepts.iter().zip(0..).map(|(listed, place)| (listed.code.as_str().into(), place));
            // The first of several is the one that counts.
            Which::Listed(include.concepts.clone(), places.collect::<Vec<_>>().into_iter().rev().collect())
        } else if include.filters.is_empty() {
            Which::All
        } else {
            match known.as_deref().filter(|known| known.header().content != Content::NotPresent) {
                None => Which::Unknown,
                Some(known) => match self.filtered(known, include) {
                    Ok(positions) => Which::Filtered(positions),
                    Err(outcome) => {
                        gap = gap.or(Some(outcome));
                        Which::Unknown
                    }
                },
            }
        };
        Ok(Selection { system: system.to_owned(), version, known, which, gap })
    }

    /// The version of a system that is to be used.
    fn version(&self, include: &Include, system: &str) -> Result<Option<String>, Outcome> {
        let of = |canonicals: &[String]| {
            let mut canonicals = canonicals.iter().map(|canonical| Canonical::parse(canonical));
            canonicals
                .find(|canonical| canonical.url == system)
                .and_then(|canonical| canonical.version.map(str::to_owned))
        };
        if let Some(forced) = of(&self.versions.force) {
            return Ok(Some(forced));
        }
        let own = include.version.as_deref();
        if let Some(wanted) = of(&self.versions.check) {
            if own.is_some_and(|own| own != wanted) {
                let text = format!(
                    "the value set `{}` uses version `{}` of `{system}`, not `{wanted}`",
                    self.open.last().map_or("", String::as_str),
                    own.unwrap_or_default()
                );
                return Err(Outcome::new(IssueType::Processing, text));
            }
            return Ok(Some(wanted));
        }
        Ok(own.map(str::to_owned).or_else(|| of(&self.versions.system)))
    }

    fn known(&mut self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let found = match self.source.code_system(canonical)? {
            Some(found) if found.header().content != Content::NotPresent => Some(found),
            found => special::code_system(canonical).or(found),
        };
        let Some(found) = found else { return Ok(None) };
        let mut supplements = Vec::new();
        for supplement in &self.supplements {
            let supplement = self.source.code_system(Canonical::parse(supplement))?;
            supplements.extend(supplement.filter(|supplement| {
                let of = supplement.header().supplements.as_deref().map(Canonical::parse);
                of.is_some_and(|of| of.url == canonical.url && of.takes(found.version()))
            }));
        }
        if supplements.is_empty() {
            return Ok(Some(found));
        }
        let name = format!("{canonical} {}", self.supplements.join(" "));
        if let Some(made) = self.supplemented.get(&name) {
            return Ok(Some(made.clone()));
        }
        let made = Arc::new(found.supplemented(supplements.iter().map(Arc::as_ref))?);
        self.supplemented.insert(name, made.clone());
        Ok(Some(made))
    }

    /// Why not all can be said of a system.
    fn gap(&self, system: &str, known: Option<&CodeSystem>) -> Option<Outcome> {
        let what = match known {
            Some(known) if known.is_complete() => return None,
            Some(_) => "whose concepts are not all known here",
            None => "which is not known here; load it as a CodeSystem",
        };
        let name = self.open.last().map_or("", String::as_str);
        let text = format!("the value set `{name}` needs the code system `{system}`, {what}");
        Some(Outcome::new(IssueType::NotFound, text))
    }

    fn filtered(&self, known: &CodeSystem, include: &Include) -> Result<Positions, Outcome> {
        let name = self.open.last().map_or("", String::as_str);
        let mut kept: Option<Positions> = None;
        for filter in &include.filters {
            let fits = fitting(known, filter, name)?;
            match &mut kept {
                Some(kept) => kept.keep(&fits),
                None => kept = Some(fits),
            }
        }
        Ok(kept.unwrap_or_default())
    }
}
