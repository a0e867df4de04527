//! `_include` and `_revinclude`, <https://hl7.org/fhir/R4/search.html#revinclude>: what belongs with the matches of a page.

use std::collections::BTreeSet;

use fhir::Outcome;
use search::Include;
use store::{Filter, Find, Hit, Index, Key, Version};

use super::{Runner, keys_only};

/// How many resources one page may include.
pub(super) const INCLUDES_MAX: usize = 1_000;

/// How many steps `:iterate` may take from a match.
const STEPS_MAX: usize = 16;

/// The indexes whose rows hits must carry for these includes.
pub(super) fn values(includes: &[Include]) -> Vec<Index> {
    let mut values: Vec<_> =
        includes.iter().filter(|include| !include.reverse).flat_map(|include| &include.references).copied().collect();
    values.sort_unstable();
    values.dedup();
    values
}

impl Runner<'_> {
    /// What the includes add to these matches: each resource once, none of the matches again; and whether it was cut at [`INCLUDES_MAX`].
    pub(super) fn includes(&self, includes: &[Include], matches: &[Hit]) -> Result<(Vec<Version>, bool), Outcome> {
        let mut included = Vec::new();
        if includes.is_empty() || matches.is_empty() {
            return Ok((included, false));
        }
        let iterated: Vec<_> = includes.iter().filter(|include| include.iterate).cloned().collect();
        let mut seen: BTreeSet<Key> = matches.iter().map(|hit| hit.key.clone()).collect();
        let mut level = self.step(includes, matches, &seen, INCLUDES_MAX)?;
        for _ in 0..STEPS_MAX {
            let room = INCLUDES_MAX - included.len();
            let cut = level.len() > room;
            level.truncate(room);
            seen.extend(level.iter().map(|hit| hit.key.clone()));
            included.extend(level.iter().filter_map(|hit| hit.version.clone()));
            if cut || level.is_empty() || iterated.is_empty() {
                return Ok((included, cut));
            }
            level = self.step(&iterated, &level, &seen, INCLUDES_MAX - included.len())?;
        }
        Ok((included, !level.is_empty()))
    }

    /// What the includes add to `hits` in one step, what was `seen` left out; one more than `room` tells that there is more.
    fn step(&self, includes: &[Include], hits: &[Hit], seen: &BTreeSet<Key>, room: usize) -> Result<Vec<Hit>, Outcome> {
        let filters: Vec<_> = includes.iter().filter_map(|include| self.one(include, hits, seen)).collect();
        let mut fresh = Vec::new();
        let mut known = seen.clone();
        for filter in filters {
            let find = keys_only(filter, seen.len() + room + 1, values(includes));
            for hit in self.find(Find { bodies: true, ..find })?.hits {
                if fresh.len() <= room && known.insert(hit.key.clone()) {
                    fresh.push(hit);
                }
            }
        }
        Ok(fresh)
    }

    /// The filter of what one include adds to these hits, as far as the caller may see it; `None` when that is nothing.
    fn one(&self, include: &Include, hits: &[Hit], seen: &BTreeSet<Key>) -> Option<Filter> {
        let of_type = |key: &Key| include.target_type.is_none_or(|wanted| key.collection() == wanted);
        let mut keys = BTreeSet::new();
        if include.reverse {
            keys.extend(hits.iter().map(|hit| hit.key.clone()).filter(of_type));
            let referring = (!keys.is_empty()).then(|| self.referring(&include.references, &keys));
            return referring.map(|filter| self.visible(&[include.source_type], filter));
        }
        for hit in hits.iter().filter(|hit| hit.key.collection() == include.source_type) {
            let rows = hit.rows.iter().filter(|row| include.references.contains(&row.index));
            keys.extend(rows.filter_map(|row| self.session.setup().registry.target(&row.value)).filter(of_type));
        }
        keys.retain(|key| !seen.contains(key));
        // Keys are in order, so those of one type stand together.
        let mut types: Vec<_> = keys.iter().map(Key::collection).collect();
        types.dedup();
        (!keys.is_empty()).then(|| self.visible(&types, self.identities(&keys)))
    }
}
