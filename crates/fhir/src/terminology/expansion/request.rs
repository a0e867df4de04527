//! Expansion for people, <https://hl7.org/fhir/R4/valueset-operation-expand.html>: texts, order, pages, a filter on the texts.

use rustc_hash::FxHashMap;

use crate::terminology::code_system::speaks;
use crate::terminology::members::{Item, Wholes};
use crate::terminology::{Canonical, Concept, Designation, Members};
use crate::{IssueType, Outcome};

/// How many codes a value set may have for one of its pages to be given out.
pub const LISTED_MAX: usize = 1_000_000;

/// How many codes one answer may have.
pub const PAGE_MAX: usize = 10_000;

/// How deep codes are nested in one another; deeper ones stand beside each other.
const DEPTH_MAX: usize = 40;

/// What is asked of an expansion.
#[derive(Clone, Debug, Default)]
pub struct ExpansionRequest {
    /// Words that must all occur in the code or in one of its texts.
    pub filter: Option<String>,
    /// How many codes to pass over.
    pub offset: usize,
    /// How many codes to give at most; without it all, or a refusal.
    pub count: Option<usize>,
    /// Leave inactive codes out.
    pub active_only: bool,
    /// Leave out what only groups others.
    pub exclude_not_for_ui: bool,
    /// Give codes inside those that they stand below. Such an expansion has no pages.
    pub nested: bool,
    /// Give the other texts too.
    pub include_designations: bool,
    /// Only those of these languages or uses: `urn:ietf:bcp:47|de`, `system|code` of a use, or the code of either alone.
    pub designations: Vec<String>,
    /// The language of the displays.
    pub display_language: Option<String>,
    /// Code systems to be left out, with or without version.
    pub exclude_systems: Vec<String>,
}

/// The codes that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Expansion<'m> {
    /// How many codes there are on all pages.
    pub total: usize,
    /// Where this page begins.
    pub offset: usize,
    /// Whether a code system is here in part only, so that codes may be missing.
    pub is_unclosed: bool,
    /// What the expansion was made with, besides what was asked for: the versions of the systems.
    pub parameters: Vec<Parameter>,
    pub contains: Vec<Contained<'m>>,
}

/// Name and value of what an expansion was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: &'static str,
    /// A canonical url, to be given as `valueUri`.
    pub uri: String,
}

/// One code of an expansion.
#[derive(Clone, Debug)]
pub struct Contained<'m> {
    /// How many others it stands in; those it stands in come before it.
    pub depth: usize,
    pub system: &'m str,
    pub version: Option<&'m str>,
    pub code: &'m str,
    pub display: Option<&'m str>,
    /// Whether it only groups others.
    pub is_abstract: bool,
    pub is_inactive: bool,
    /// Its other texts, if they were asked for.
    pub designations: Vec<Designation<'m>>,
    /// The concept in its system, where that is known.
    pub concept: Option<Concept<'m>>,
}

impl Members {
    /// Its codes as they are asked for; what is unknown, too large or runs in a circle is refused.
    pub fn expansion(&self, request: &ExpansionRequest) -> Result<Expansion<'_>, Outcome> {
        let mut items = self.items(Wholes::Listed, LISTED_MAX)?;
        let is_unclosed = items.iter().any(Item::is_of_fragment);
        let parameters = versions(&items);
        let words = request.filter.as_deref().unwrap_or_default().to_lowercase();
        let words: Vec<_> = words.split_whitespace().collect();
        let is_out = |item: &Item<'_>| {
            request.active_only && item.is_inactive()
                || request.exclude_not_for_ui && item.is_abstract()
                || request.exclude_systems.iter().any(|system| is_of(item, Canonical::parse(system)))
        };
        items.retain(|item| !is_out(item) && (words.is_empty() || has_words(item, &words)));
        let total = items.len();
        let offset = if request.nested { 0 } else { request.offset.min(total) };
        let count = if request.nested && request.count != Some(0) { None } else { request.count };
        let length = count.unwrap_or(usize::MAX).min(total - offset);
        if length > PAGE_MAX {
            let text = format!(
                "the value set `{}` has {total} codes, and one answer at most {PAGE_MAX}: ask for pages by `count` and `offset`",
                self.name()
            );
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let depths = match request.nested {
            true => nest(&mut items),
            false => Vec::new(),
        };
        let page = items[offset..offset + length].iter().enumerate();
        let contains = page.map(|(at, item)| contained(item, depths.get(at).copied().unwrap_or(0), request)).collect();
        Ok(Expansion { total, offset, is_unclosed, parameters, contains })
    }
}

/// The systems with their versions, each once.
fn versions(items: &[Item<'_>]) -> Vec<Parameter> {
    let mut versions: Vec<(&str, &str)> = Vec::new();
    for item in items {
        if let Some(version) = item.version() {
            let used = (item.system(), version);
            // Codes of one system stand together.
            if versions.last() != Some(&used) && !versions.contains(&used) {
                versions.push(used);
            }
        }
    }
    versions
        .into_iter()
        .map(|(system, version)| Parameter { name: "version", uri: format!("{system}|{version}") })
        .collect()
}

fn is_of(item: &Item<'_>, system: Canonical<'_>) -> bool {
    item.system() == system.url && system.takes(item.version().or(system.version))
}

fn has_words(item: &Item<'_>, words: &[&str]) -> bool {
    let display = item.listed.and_then(|listed| listed.display.as_deref());
    let own = item.concept.and_then(Concept::display);
    let others = item.designations().map(|other| other.value);
    let texts = item.code().into_iter().chain(display).chain(own).chain(others);
    let mut left: Vec<_> = words.to_vec();
    for text in texts {
        let text = text.to_lowercase();
        left.retain(|word| !text.contains(word));
        if left.is_empty() {
            return true;
        }
    }
    false
}

fn contained<'m>(item: &Item<'m>, depth: usize, request: &ExpansionRequest) -> Contained<'m> {
    let designations = match request.include_designations {
        true => item.designations().filter(|other| is_wanted(other, &request.designations)).collect(),
        false => Vec::new(),
    };
    Contained {
        depth,
        system: item.system(),
        version: item.version(),
        code: item.code().unwrap_or_default(),
        display: display(item, request.display_language.as_deref()),
        is_abstract: item.is_abstract(),
        is_inactive: item.is_inactive(),
        designations,
        concept: item.concept,
    }
}

/// The text in the language asked for, that of the value set before that of the system.
fn display<'m>(item: &Item<'m>, language: Option<&str>) -> Option<&'m str> {
    let listed = item.listed.and_then(|listed| listed.display.as_deref());
    let Some(language) = language else { return listed.or(item.concept.and_then(Concept::display)) };
    let translated = item
        .listed
        .into_iter()
        .flat_map(|listed| &listed.designations)
        .find(|other| other.language.as_deref().is_some_and(|spoken| speaks(spoken, language)));
    let translated = translated.map(|other| other.value.as_str());
    let own = item.concept.and_then(|concept| concept.display_in(language));
    let is_own_in_language = own.is_some() && own != item.concept.and_then(Concept::display);
    translated.or(own.filter(|_| is_own_in_language)).or(listed).or(own)
}

/// Whether a designation is of a language or use asked for.
fn is_wanted(designation: &Designation<'_>, wanted: &[String]) -> bool {
    let is = |wanted: &String| {
        let (system, code) =
            wanted.split_once('|').map_or((None, wanted.as_str()), |(system, code)| (Some(system), code));
        let is_language = system.is_none_or(|system| system == "urn:ietf:bcp:47")
            && designation.language.is_some_and(|spoken| speaks(spoken, code));
        let is_use = designation.usage.is_some_and(|usage| {
            usage.code == code && system.is_none_or(|system| usage.system.unwrap_or_default() == system)
        });
        is_language || is_use
    };
    wanted.is_empty() || wanted.iter().any(is)
}

/// Puts codes after the first of those they stand below, as far as these are there too; gives back how deep each stands.
fn nest(items: &mut Vec<Item<'_>>) -> Vec<usize> {
    // By system and position: where the code stands.
    let mut places: FxHashMap<(&str, u32), usize> = FxHashMap::default();
    for (place, item) in items.iter().enumerate() {
        if let (Some(concept), None) = (item.concept, item.listed) {
            places.insert((item.system(), concept.position()), place);
        }
    }
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    let mut tops = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let concept = item.concept.filter(|_| item.listed.is_none());
        let mut parents = concept.into_iter().flat_map(Concept::parents);
        match parents.find_map(|parent| places.get(&(item.system(), parent.position()))) {
            Some(parent) => inside[*parent].push(place),
            None => tops.push(place),
        }
    }
    let mut stack: Vec<_> = tops.into_iter().rev().map(|place| (place, 0)).collect();
    let (mut order, mut depths) = (Vec::with_capacity(items.len()), Vec::with_capacity(items.len()));
    while let Some((place, depth)) = stack.pop() {
        order.push(items[place]);
        depths.push(depth);
        let deeper = (depth + 1).min(DEPTH_MAX);
        stack.extend(inside[place].iter().rev().map(|place| (*place, deeper)));
    }
    *items = order;
    depths
}
