//! `_include` and `_revinclude`, <https://hl7.org/fhir/R4/search.html#revinclude>: what belongs with the matches of a page.

use std::collections::BTreeSet;

use fhir::Outcome;
use search::Include;
use store::{Filter, Find, Hit, Index, Key, PAGE_BYTES_MAX, Version};

use super::{Runner, keys_only};

/// How many resources one page may include; fewer where they come to more than [`PAGE_BYTES_MAX`].
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
        let filters: Vec<_> = includes.iter().filter_map(|include| self.one(include, hits, seen)).collect();
        let mut fresh = Vec::new();
        let mut known = seen.clone();
        for filter in filters {
            let find = keys_only(filter, seen.len() + room.resources + 1, values(includes));
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
            keys.extend(rows.filter_map(|row| self.session.registry().target(&row.value)).filter(of_type));
        }
        keys.retain(|key| !seen.contains(key));
        // Keys are in order, so those of one type stand together.
        let mut types: Vec<_> = keys.iter().map(Key::collection).collect();
        types.dedup();
        (!keys.is_empty()).then(|| self.visible(&types, self.identities(&keys)))
    }
}
