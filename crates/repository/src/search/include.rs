//! `_include` and `_revinclude`, <https://hl7.org/fhir/R4/search.html#revinclude>: what belongs with the matches of a page.

use std::collections::BTreeSet;

use fhir::Outcome;
use search::Include;
use store::{Filter, Find, Hit, Index, Key, PAGE_BYTES_MAX, Version};

use super::{Runner, keys_only};
use crate::Act;

/// How many resources one page may include; fewer where they come to more than [`PAGE_BYTES_MAX`].
pub const INCLUDES_MAX: usize = 1_000;

/// How many values of references one `find` compares.
const COMPARED_MAX: usize = 20_000;

/// How many steps `:iterate` may take from a match.
const STEPS_MAX: usize = 16;

/// The indexes whose rows hits must carry for these includes.
pub(super) fn values(includes: &[Include]) -> Vec<Index> {
    let mut values = Vec::new();
    for include in includes {
        match include.reverse {
            true => values.extend(include.names.iter().map(|(_, index)| *index)),
            false => values.extend(&include.references),
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

/// What the includes of one page may still add.
struct Room {
    resources: usize,
    bytes: usize,
    /// Something was left out.
    cut: bool,
}

impl Room {
    fn takes(&mut self, hit: &Hit) -> bool {
        let body = hit.version.as_ref().and_then(|version| version.body.as_ref());
        let bytes = body.map_or(0, |body| body.len());
        self.cut |= self.resources == 0 || bytes > self.bytes;
        if !self.cut {
            self.resources -= 1;
            self.bytes -= bytes;
        }
        !self.cut
    }
}

impl Runner<'_> {
    /// What the includes add to these matches: each resource once, none of the matches again; and whether it was cut.
    pub(super) fn includes(&self, includes: &[Include], matches: &[Hit]) -> Result<(Vec<Version>, bool), Outcome> {
        let mut included = Vec::new();
        if includes.is_empty() || matches.is_empty() {
            return Ok((included, false));
        }
        let iterated: Vec<_> = includes.iter().filter(|include| include.iterate).cloned().collect();
        let mut seen: BTreeSet<Key> = matches.iter().map(|hit| hit.key.clone()).collect();
        let mut room = Room { resources: INCLUDES_MAX, bytes: PAGE_BYTES_MAX, cut: false };
        let mut level = self.step(includes, matches, &seen, &mut room)?;
        for _ in 0..STEPS_MAX {
            seen.extend(level.iter().map(|hit| hit.key.clone()));
            included.extend(level.iter().filter_map(|hit| hit.version.clone()));
            if room.cut || level.is_empty() || iterated.is_empty() {
                return Ok((included, room.cut));
            }
            level = self.step(&iterated, &level, &seen, &mut room)?;
        }
        Ok((included, !level.is_empty()))
    }

    /// What the includes add to `hits` in one step, what was `seen` left out, as far as there is room.
    fn step(
        &self,
        includes: &[Include],
        hits: &[Hit],
        seen: &BTreeSet<Key>,
        room: &mut Room,
    ) -> Result<Vec<Hit>, Outcome> {
        let filters: Vec<_> = includes.iter().flat_map(|include| self.one(include, hits, seen)).collect();
        let mut fresh = Vec::new();
        let mut known = seen.clone();
        for filter in filters {
            let shown = self.with_patients(values(includes), self.session.setup().definitions.resource_types());
            let find = keys_only(filter, seen.len() + room.resources + 1, shown);
            let found = self.find(Find { bodies: true, ..find })?;
            for hit in found.hits {
                if known.insert(hit.key.clone()) && room.takes(&hit) {
                    fresh.push(hit);
                }
            }
            room.cut |= found.next.is_some();
            if room.cut {
                break;
            }
        }
        self.show(&fresh);
        Ok(fresh)
    }

    /// Filters of what one include adds to these hits, as far as the caller may see it.
    fn one(&self, include: &Include, hits: &[Hit], seen: &BTreeSet<Key>) -> Vec<Filter> {
        match include.reverse {
            true => self.one_reverse(include, hits),
            false => self.one_forward(include, hits, seen).into_iter().collect(),
        }
    }

    fn one_forward(&self, include: &Include, hits: &[Hit], seen: &BTreeSet<Key>) -> Option<Filter> {
        let mut keys = BTreeSet::new();
        let mut urls = BTreeSet::new();
        let is_source = |hit: &&Hit| include.source_type.is_none_or(|wanted| hit.key.collection() == wanted);
        for hit in hits.iter().filter(is_source) {
            for row in hit.rows.iter().filter(|row| include.references.contains(&row.index)) {
                match self.session.registry().target(&row.value) {
                    Some(key) if include.leads_to(key.collection()) && !seen.contains(&key) => drop(keys.insert(key)),
                    Some(_) => {}
                    None => drop(urls.insert(row.value.as_slice())),
                }
            }
        }
        // Keys are in order, so those of one type stand together.
        let mut types: Vec<_> = keys.iter().map(Key::collection).collect();
        types.dedup();
        let mut filters = Vec::new();
        if !keys.is_empty() {
            filters.push(self.visible(Act::Read, &types, self.identities(&keys)));
        }
        if !urls.is_empty() {
            for (resource_type, index) in &include.names {
                let named = Filter::Any(urls.iter().map(|url| Filter::equal(*index, *url)).collect());
                filters.push(self.visible(Act::Read, &[resource_type], named));
            }
        }
        (!filters.is_empty()).then_some(Filter::Any(filters))
    }

    fn one_reverse(&self, include: &Include, hits: &[Hit]) -> Vec<Filter> {
        let mut values = BTreeSet::new();
        for hit in hits.iter().filter(|hit| include.leads_to(hit.key.collection())) {
            let names = hit.rows.iter().filter(|row| include.names.iter().any(|(_, index)| *index == row.index));
            values.extend(names.map(|row| row.value.clone()));
            values.insert(hit.key.to_link());
        }
        let values: Vec<_> = values.into_iter().collect();
        let filters = values.chunks((COMPARED_MAX / include.references.len().max(1)).max(1)).map(|values| {
            let references = include.references.iter();
            let equal = references.flat_map(|index| values.iter().map(|value| Filter::equal(*index, value.clone())));
            let equal = Filter::Any(equal.collect());
            match include.source_type {
                Some(source_type) => self.visible(Act::Search, &[source_type], equal),
                None => self.visible_of_any_type(equal),
            }
        });
        filters.collect()
    }
}
