//! From the definition of a value set to its codes, <https://hl7.org/fhir/R4/valueset.html#expansion>.

use std::collections::{BTreeMap, BTreeSet};

use regex::{Regex, RegexBuilder};

use super::{Canonical, CodeSystem, Concept, Filter, Include, Operator, Source, ValueSet, unknown_code};
use crate::outcome::quoted;
use crate::{IssueType, Outcome};

/// How many codes an expansion may have, whole systems not counted.
pub const CODES_MAX: usize = 10_000;

/// How deep value sets may be built of one another.
pub const NESTING_MAX: usize = 16;

/// How many value sets may take part in one expansion.
pub const VALUE_SETS_MAX: usize = 200;

/// The size of a compiled regular expression in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// The codes of a value set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    /// Systems of which every code belongs to it.
    pub systems: BTreeSet<String>,
    /// Codes of other systems, by system.
    pub codes: BTreeMap<String, BTreeSet<String>>,
}

impl Codes {
    /// Whether a code is in the value set.
    pub fn contains(&self, system: &str, code: &str) -> bool {
        self.systems.contains(system) || self.codes.get(system).is_some_and(|codes| codes.contains(code))
    }

    /// How many codes there are, whole systems not counted.
    pub fn count(&self) -> usize {
        self.codes.values().map(BTreeSet::len).sum()
    }

    fn add(&mut self, other: Codes) {
        self.systems.extend(other.systems);
        for (system, codes) in other.codes {
            self.codes.entry(system).or_default().extend(codes);
        }
        let Codes { systems, codes } = self;
        codes.retain(|system, _| !systems.contains(system));
    }

    /// What both have.
    fn and(self, other: &Codes) -> Codes {
        let mut both =
            Codes { systems: self.systems.intersection(&other.systems).cloned().collect(), ..Codes::default() };
        let common = |from: &Codes, to: &Codes, both: &mut Codes| {
            for (system, codes) in &from.codes {
                let kept: BTreeSet<_> = codes.iter().filter(|code| to.contains(system, code)).cloned().collect();
                if !kept.is_empty() {
                    both.codes.entry(system.clone()).or_default().extend(kept);
                }
            }
        };
        common(&self, other, &mut both);
        common(other, &self, &mut both);
        both
    }
}

/// The codes of a value set; what is unknown, too large or runs in a circle is refused.
pub fn expand(source: &dyn Source, value_set: Canonical<'_>) -> Result<Codes, Outcome> {
    Expander { source, open: Vec::new(), count: 0 }.named(value_set)
}

struct Expander<'a> {
    source: &'a dyn Source,
    /// The value sets that are being expanded, the outermost first.
    open: Vec<String>,
    /// How many were opened.
    count: usize,
}

impl Expander<'_> {
    fn named(&mut self, canonical: Canonical<'_>) -> Result<Codes, Outcome> {
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
        let value_set = self.source.value_set(canonical)?.ok_or_else(|| {
            Outcome::new(IssueType::NotFound, format!("the value set {} is not known here", quoted(&name)))
        })?;
        self.open.push(name);
        let codes = self.defined(&value_set)?;
        self.open.pop();
        Ok(codes)
    }

    /// By definition, or where that needs what is not known here, by the expansion that came with it.
    fn defined(&mut self, value_set: &ValueSet) -> Result<Codes, Outcome> {
        let given = || value_set.expansion.as_ref().map(|codes| given(codes));
        if value_set.includes.is_empty() {
            return Ok(given().unwrap_or_default());
        }
        match self.composed(value_set) {
            Err(outcome) if outcome.issues.iter().any(|issue| issue.code == IssueType::NotFound) => {
                given().ok_or(outcome)
            }
            composed => composed,
        }
    }

    fn composed(&mut self, value_set: &ValueSet) -> Result<Codes, Outcome> {
        let mut all = Codes::default();
        for include in &value_set.includes {
            let codes = self.part(include)?;
            all.add(codes);
            self.check_count(&all)?;
        }
        for exclude in &value_set.excludes {
            let codes = self.part(exclude)?;
            self.remove(&mut all, &codes)?;
        }
        Ok(all)
    }

    /// The codes of one include or exclude.
    fn part(&mut self, include: &Include) -> Result<Codes, Outcome> {
        let mut part = include.system.as_deref().map(|system| self.of_system(include, system)).transpose()?;
        for value_set in &include.value_sets {
            let codes = self.named(Canonical::parse(value_set))?;
            part = Some(match part {
                Some(part) => part.and(&codes),
                None => codes,
            });
        }
        Ok(part.unwrap_or_default())
    }

    fn of_system(&self, include: &Include, system: &str) -> Result<Codes, Outcome> {
        let mut codes = Codes::default();
        if !include.concepts.is_empty() {
            codes.codes.insert(system.to_owned(), include.concepts.iter().cloned().collect());
        } else if include.filters.is_empty() {
            codes.systems.insert(system.to_owned());
        } else {
            let known = self.known(system, include.version.as_deref())?;
            let mut kept = vec![true; known.count() as usize];
            for filter in &include.filters {
                let fits = self.fitting(&known, system, filter)?;
                kept.iter_mut().zip(fits).for_each(|(kept, fits)| *kept &= fits);
            }
            let concepts = known.concepts().zip(kept).filter(|(_, kept)| *kept);
            codes.codes.insert(system.to_owned(), concepts.map(|(concept, _)| concept.code().to_owned()).collect());
        }
        self.check_count(&codes)?;
        Ok(codes)
    }

    fn known(&self, system: &str, version: Option<&str>) -> Result<std::sync::Arc<CodeSystem>, Outcome> {
        let found = self.source.code_system(Canonical { url: system, version })?;
        let name = self.open.last().map_or("", String::as_str);
        let text = |what: &str| format!("the value set `{name}` needs the code system `{system}`, {what}");
        match found {
            Some(found) if found.is_complete() => Ok(found),
            Some(_) => Err(Outcome::new(IssueType::NotFound, text("whose concepts are not all known here"))),
            None => Err(Outcome::new(IssueType::NotFound, text("which is not known here; load it as a CodeSystem"))),
        }
    }

    /// Takes codes away; what is taken from a whole system needs all codes of that system.
    fn remove(&self, from: &mut Codes, codes: &Codes) -> Result<(), Outcome> {
        from.systems.retain(|system| !codes.systems.contains(system));
        for system in codes.codes.keys().filter(|system| from.systems.contains(*system)).cloned().collect::<Vec<_>>() {
            let known = self.known(&system, None)?;
            from.systems.remove(&system);
            from.codes.insert(system, known.concepts().map(|concept| concept.code().to_owned()).collect());
            self.check_count(from)?;
        }
        for (system, kept) in &mut from.codes {
            kept.retain(|code| !codes.contains(system, code));
        }
        from.codes.retain(|_, kept| !kept.is_empty());
        Ok(())
    }

    fn check_count(&self, codes: &Codes) -> Result<(), Outcome> {
        if codes.count() <= CODES_MAX {
            return Ok(());
        }
        let name = self.open.last().map_or("", String::as_str);
        Err(Outcome::new(IssueType::TooCostly, format!("the value set `{name}` has more than {CODES_MAX} codes")))
    }

    /// Which concepts satisfy a filter.
    fn fitting(&self, known: &CodeSystem, system: &str, filter: &Filter) -> Result<Vec<bool>, Outcome> {
        let Filter { property, operator, value } = filter;
        let refuse = |what: &str| {
            let name = self.open.last().map_or("", String::as_str);
            let text = format!("the value set `{name}` has a filter on {} {what}", quoted(property));
            Err(Outcome::new(IssueType::NotSupported, text))
        };
        let Some(operator) = operator else { return refuse("with an operator that R4 does not have") };
        let is_code = matches!(property.as_str(), "concept" | "code");

        let each = |fits: &dyn Fn(Concept<'_>) -> bool| known.concepts().map(fits).collect::<Vec<_>>();
        let related = |others: Vec<u32>, itself: Option<u32>| {
            let mut fits = vec![false; known.count() as usize];
            others.into_iter().chain(itself).for_each(|at| fits[at as usize] = true);
            fits
        };
        let named = || known.position(value).ok_or_else(|| unknown_code(system, value));
        Ok(match operator {
            Operator::IsA | Operator::DescendentOf | Operator::IsNotA | Operator::Generalizes if !is_code => {
                return refuse("that asks for a hierarchy, which only `concept` has");
            }
            Operator::IsA => related(known.descendants(named()?), Some(named()?)),
            Operator::DescendentOf => related(known.descendants(named()?), None),
            Operator::Generalizes => related(known.ancestors(named()?), Some(named()?)),
            Operator::IsNotA => {
                related(known.descendants(named()?), Some(named()?)).into_iter().map(|fits| !fits).collect()
            }
            Operator::Equal => each(&|at| values(at, property).any(|found| found == value)),
            Operator::In => {
                let list: BTreeSet<_> = value.split(',').map(str::trim).collect();
                each(&|at| values(at, property).any(|found| list.contains(found)))
            }
            Operator::NotIn => {
                let list: BTreeSet<_> = value.split(',').map(str::trim).collect();
                each(&|at| !values(at, property).any(|found| list.contains(found)))
            }
            Operator::Exists => each(&|at| values(at, property).next().is_some() == (value == "true")),
            Operator::Regex => match whole(value) {
                Some(regex) => each(&|at| values(at, property).any(|found| regex.is_match(found))),
                None => return refuse("whose regular expression cannot be used"),
            },
        })
    }
}

/// The values that a concept has for a property of a filter.
fn values<'a>(concept: Concept<'a>, property: &'a str) -> impl Iterator<Item = &'a str> {
    let own = match property {
        "concept" | "code" => Some(concept.code()),
        "display" => concept.display(),
        _ => None,
    };
    let parents = (property == "parent").then(|| concept.parents()).into_iter().flatten();
    let children = (property == "child").then(|| concept.children()).into_iter().flatten();
    let named = concept.properties().filter(move |(name, _)| *name == property);
    own.into_iter().chain(parents.chain(children).map(Concept::code)).chain(named.map(|(_, value)| value.text()))
}

/// A regular expression that takes the whole text.
fn whole(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(REGEX_BYTES_MAX).build().ok()
}

fn given(codes: &[(String, String)]) -> Codes {
    let mut given = Codes::default();
    for (system, code) in codes {
        given.codes.entry(system.clone()).or_default().insert(code.clone());
    }
    given
}
