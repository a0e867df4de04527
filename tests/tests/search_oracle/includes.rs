//! What `_include` and `_revinclude` add to a page, <https://hl7.org/fhir/R4/search.html#include>.

use std::collections::BTreeSet;

use fhir::Definitions;
use fhir::definitions::{SearchKind, SearchParameter};

use super::query::{Search, Target};
use super::world::{World, parameter};

/// One `_include` or `_revinclude`.
pub(super) struct Include {
    pub(super) reverse: bool,
    pub(super) iterate: bool,
    pub(super) source_type: &'static str,
    /// A parameter, or `*` for all references.
    pub(super) code: String,
    pub(super) target_type: Option<&'static str>,
}

impl Include {
    /// The name and the value in a query.
    pub(super) fn pair(&self) -> (String, String) {
        let name = if self.reverse { "_revinclude" } else { "_include" };
        let name = format!("{name}{}", if self.iterate { ":iterate" } else { "" });
        let target = self.target_type.map(|target| format!(":{target}")).unwrap_or_default();
        (name, format!("{}:{}{target}", self.source_type, self.code))
    }

    fn parameters(&self) -> Vec<&'static SearchParameter> {
        let all = Definitions::r4().search_parameters(self.source_type).iter().copied();
        match self.code.as_str() {
            "*" => all.filter(|parameter| parameter.kind == SearchKind::Reference).collect(),
            code => parameter(self.source_type, code).into_iter().collect(),
        }
    }

    /// What this adds to one resource.
    fn step(&self, world: &World, search: &Search<'_>, from: usize) -> Vec<usize> {
        let is_type = |place: usize, wanted: &str| world.resources[place].resource_type == wanted;
        let is_target = |place: usize| self.target_type.is_none_or(|wanted| is_type(place, wanted));
        match self.reverse {
            false if !is_type(from, self.source_type) => Vec::new(),
            false => targets(world, search, from, &self.parameters()).into_iter().filter(|to| is_target(*to)).collect(),
            true if !is_target(from) => Vec::new(),
            true => {
                let parameters = self.parameters();
                let sources = world.of_type(self.source_type).iter().copied();
                sources.filter(|source| targets(world, search, *source, &parameters).contains(&from)).collect()
            }
        }
    }
}

/// Where references of a resource lead.
fn targets(world: &World, search: &Search<'_>, from: usize, parameters: &[&'static SearchParameter]) -> Vec<usize> {
    let mut found = Vec::new();
    for parameter in parameters {
        for item in world.values(from, parameter).iter() {
            match search.target(item) {
                Some(Target::Resource(place)) => found.push(place),
                Some(Target::Canonical(name) | Target::Url(name)) => {
                    let named = world.named(&name).iter().copied();
                    let may_lead = |place: &usize| {
                        parameter.targets.is_empty()
                            || parameter.targets.contains(&world.resources[*place].resource_type)
                    };
                    found.extend(named.filter(may_lead));
                }
                Some(Target::Inside(_)) | None => {}
            }
        }
    }
    found
}

/// All that belongs with the matches of a page, none of them again.
pub(super) fn included(world: &World, search: &Search<'_>, includes: &[Include], matches: &[usize]) -> BTreeSet<usize> {
    let mut seen: BTreeSet<usize> = matches.iter().copied().collect();
    let mut level = matches.to_vec();
    let mut is_first = true;
    while !level.is_empty() {
        let asked: Vec<_> = includes.iter().filter(|include| is_first || include.iterate).collect();
        let added: Vec<_> = level
            .iter()
            .flat_map(|place| asked.iter().flat_map(|include| include.step(world, search, *place)))
            .collect();
        level = added.into_iter().filter(|place| seen.insert(*place)).collect();
        is_first = false;
    }
    matches.iter().for_each(|place| _ = seen.remove(place));
    seen
}
