//! Translation, <https://hl7.org/fhir/R4/conceptmap-operation-translate.html>.

use std::sync::Arc;

use super::{ConceptMap, Dependency, Element, Equivalence, Group, Target, Unmapped};
use crate::terminology::{Canonical, Coded, Source};
use crate::{IssueType, Outcome};

/// How many maps one may refer to one after another for what it does not map.
const MAPS_MAX: usize = 8;

/// How many times a map may be gone into for one code: each group of a map may refer to another map.
const VISITS_MAX: usize = 256;

/// How many codes one code may be translated to.
const MATCHES_MAX: usize = 1000;

/// What is asked of concept maps.
#[derive(Clone, Copy, Debug, Default)]
pub struct TranslationRequest<'a> {
    /// The code.
    pub coded: Coded<'a>,
    /// The value set that it was chosen from.
    pub source: Option<&'a str>,
    /// The value set in which a code is sought.
    pub target: Option<&'a str>,
    /// The code system in which a code is sought.
    pub target_system: Option<&'a str>,
    /// The values of other elements that mappings may depend on.
    pub dependencies: &'a [Dependency],
    /// Seek the codes that are mapped to this one; `source` and `target` change places.
    pub is_reverse: bool,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// Whether there is a code that means something like it.
    pub result: bool,
    /// Why there is none, or what to mind.
    pub message: Option<String>,
    pub matches: Vec<Match>,
}

/// A code that was found, or the statement that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    pub equivalence: Equivalence,
    pub system: Option<String>,
    pub version: Option<String>,
    /// `None` when the map says that there is none.
    pub code: Option<String>,
    pub display: Option<String>,
    pub comment: Option<String>,
    pub products: Vec<Dependency>,
    /// The canonical url of the map that says so.
    pub map: String,
}

/// Translates a code by the maps. Codes without a text in the map get that of their code system, where it is known.
pub fn translate(
    source: &dyn Source,
    maps: &[Arc<ConceptMap>],
    request: &TranslationRequest<'_>,
) -> Result<Translation, Outcome> {
    let mut translator =
        Translator { source, request, matches: Vec::new(), needed: Vec::new(), open: Vec::new(), visits: 0 };
    for map in maps {
        translator.by_map(map)?;
    }
    let Translator { matches, needed, .. } = translator;
    let result = matches.iter().any(|found| found.equivalence.is_match());
    let code = request.coded.code;
    let message = if !needed.is_empty() {
        Some(format!("further mappings of `{code}` depend on {}", needed.join(", ")))
    } else if matches.is_empty() {
        Some(format!("no concept map that fits has a mapping for `{code}`"))
    } else if !result {
        Some(format!("the concept map has nothing that matches `{code}`"))
    } else {
        None
    };
    Ok(Translation { result, message, matches })
}

struct Translator<'a> {
    source: &'a dyn Source,
    request: &'a TranslationRequest<'a>,
    matches: Vec<Match>,
    /// What mappings depend on that was not given, or given otherwise.
    needed: Vec<String>,
    /// The maps that refer to one another, the first first.
    open: Vec<String>,
    visits: usize,
}

impl ConceptMap {
    /// Whether it is between the value sets that are asked for; what either leaves open fits.
    pub fn fits(&self, request: &TranslationRequest<'_>) -> bool {
        let (from, to) = match request.is_reverse {
            false => (&self.source, &self.target),
            true => (&self.target, &self.source),
        };
        let is = |own: &Option<String>, wanted: Option<&str>| {
            own.as_deref().zip(wanted).is_none_or(|(own, wanted)| {
                let (own, wanted) = (Canonical::parse(own), Canonical::parse(wanted));
                own.url == wanted.url && own.version.zip(wanted.version).is_none_or(|(own, wanted)| own == wanted)
            })
        };
        is(from, request.source) && is(to, request.target)
    }
}

impl Translator<'_> {
    fn by_map(&mut self, map: &ConceptMap) -> Result<(), Outcome> {
        if !map.fits(self.request) {
            return Ok(());
        }
        let name = Canonical { url: &map.url, version: map.version.as_deref() }.to_string();
        if self.open.len() == MAPS_MAX || self.open.contains(&name) {
            let text = format!(
                "the concept map `{}` refers to itself or to more than {MAPS_MAX} others for what it does not map",
                self.open.first().unwrap_or(&name)
            );
            return Err(Outcome::new(IssueType::Processing, text));
        }
        self.visits += 1;
        if self.visits > VISITS_MAX {
            let text = format!("the concept map `{name}` is one of more than {VISITS_MAX} that a code leads to");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        self.open.push(name);
        for group in map.groups.iter().filter(|group| group.fits(self.request)) {
            self.by_group(map, group)?;
        }
        self.open.pop();
        Ok(())
    }

    fn by_group(&mut self, map: &ConceptMap, group: &Group) -> Result<(), Outcome> {
        let code = self.request.coded.code;
        let by_code = if self.request.is_reverse { &group.by_target } else { &group.by_source };
        let Some(elements) = by_code.get(code) else {
            return if self.request.is_reverse { Ok(()) } else { self.unmapped(map, group) };
        };
        for element in elements.iter().map(|at| &group.elements[*at as usize]) {
            for target in &element.targets {
                if self.request.is_reverse && target.code.as_deref() != Some(code) {
                    continue;
                }
                match target.depends_on.iter().find(|needed| !self.is_given(needed)) {
                    Some(needed) => {
                        if !self.needed.contains(&needed.property) {
                            self.needed.push(needed.property.clone());
                        }
                    }
                    None => self.add(map, group, element, target)?,
                }
            }
        }
        Ok(())
    }

    fn is_given(&self, needed: &Dependency) -> bool {
        self.request.dependencies.iter().any(|given| {
            given.property == needed.property
                && given.value == needed.value
                && given.system.as_ref().zip(needed.system.as_ref()).is_none_or(|(given, needed)| given == needed)
        })
    }

    fn add(&mut self, map: &ConceptMap, group: &Group, element: &Element, target: &Target) -> Result<(), Outcome> {
        let (equivalence, system, version, code, display) = match self.request.is_reverse {
            true => (
                target.equivalence.reversed(),
                &group.source,
                &group.source_version,
                Some(&element.code),
                &element.display,
            ),
            false => (target.equivalence, &group.target, &group.target_version, target.code.as_ref(), &target.display),
        };
        self.push(Match {
            equivalence,
            system: system.clone(),
            version: version.clone(),
            code: code.cloned(),
            display: display.clone(),
            comment: target.comment.clone(),
            products: if self.request.is_reverse { Vec::new() } else { target.products.clone() },
            map: map.url.clone(),
        })
    }

    fn unmapped(&mut self, map: &ConceptMap, group: &Group) -> Result<(), Outcome> {
        let (equivalence, code, display) = match &group.unmapped {
            None => return Ok(()),
            Some(Unmapped::Provided) => {
                (Equivalence::Equal, self.request.coded.code.to_owned(), self.request.coded.display.map(str::to_owned))
            }
            Some(Unmapped::Fixed { code, display }) => (Equivalence::RelatedTo, code.clone(), display.clone()),
            Some(Unmapped::OtherMap(url)) => {
                let other = self.source.concept_map(Canonical::parse(url))?.ok_or_else(|| {
                    let text = format!("the concept map `{}` refers to `{url}`, which is not known here", map.url);
                    Outcome::new(IssueType::NotFound, text)
                })?;
                return self.by_map(&other);
            }
        };
        self.push(Match {
            equivalence,
            system: group.target.clone(),
            version: group.target_version.clone(),
            code: Some(code),
            display,
            comment: None,
            products: Vec::new(),
            map: map.url.clone(),
        })
    }

    /// Adds a match with the text of its code.
    fn push(&mut self, mut found: Match) -> Result<(), Outcome> {
        if let (None, Some(system), Some(code)) = (&found.display, &found.system, &found.code) {
            let canonical = Canonical { url: system, version: found.version.as_deref() };
            let known = self.source.code_system(canonical).ok().flatten();
            found.display = known.and_then(|known| Some(known.find(code)?.display()?.to_owned()));
        }
        if self.matches.contains(&found) {
            return Ok(());
        }
        if self.matches.len() == MATCHES_MAX {
            let text = format!("the code `{}` is mapped to more than {MATCHES_MAX} others", self.request.coded.code);
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        self.matches.push(found);
        Ok(())
    }
}

impl Group {
    /// Whether it is between the systems that are asked for.
    fn fits(&self, request: &TranslationRequest<'_>) -> bool {
        let (from, version, to) = match request.is_reverse {
            false => (&self.source, &self.source_version, &self.target),
            true => (&self.target, &self.target_version, &self.source),
        };
        let is = |own: &Option<String>, wanted: Option<&str>| {
            own.as_deref().zip(wanted).is_none_or(|(own, wanted)| own == wanted)
        };
        is(from, request.coded.system) && is(version, request.coded.version) && is(to, request.target_system)
    }
}
