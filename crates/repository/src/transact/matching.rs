//! What a condition matches: resources of the snapshot, and writes that the same transaction plans.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use fhir::Outcome;
use search::Rows;
use store::{Filter, Key, Precondition, Row};

use super::draft::{Criteria, Draft};
use super::identity::Aims;
use crate::access::Sight;
use crate::search::{Runner, keys_only};
use crate::{Act, Method, Session};

/// How many matches are told from one another: none, one, and several.
const MATCHES_MAX: usize = 2;

/// The conditions of one try, each asked once.
pub(super) struct Matching<'m, 'a> {
    session: &'a Session<'a>,
    runner: &'m Runner<'a>,
    drafts: &'m [Draft],
    asked: HashMap<(&'static str, String), Asked>,
    planned: HashMap<&'static str, PlannedRows>,
    /// What it rests on that planned writes satisfy conditions about other resources.
    rests_on: Vec<Precondition>,
}

struct Asked {
    filter: Filter,
    /// What the snapshot holds.
    stored: Vec<Key>,
}

/// The rows and words that the documents of one type will have, as far as they are known before references are resolved.
#[derive(Default)]
struct PlannedRows {
    by_change: HashMap<usize, Vec<Row>>,
    by_row: BTreeMap<Row, Vec<usize>>,
}

impl<'m, 'a> Matching<'m, 'a> {
    pub(super) fn new(session: &'a Session<'a>, runner: &'m Runner<'a>, drafts: &'m [Draft]) -> Matching<'m, 'a> {
        Matching {
            session,
            runner,
            drafts,
            asked: HashMap::default(),
            planned: HashMap::default(),
            rests_on: Vec::new(),
        }
    }

    /// The resources that satisfy the criteria after the writes in `aims`: complete when there are fewer than two.
    pub(super) fn matches(&mut self, criteria: &Criteria, aims: &Aims) -> Result<Vec<Key>, Outcome> {
        self.ask(criteria)?;
        self.plan(criteria.resource_type);
        let asked = &self.asked[&(criteria.resource_type, criteria.text.clone())];
        let stays = |key: &&Key| match aims.writer(key).map(|change| self.drafts[change].method) {
            None | Some(Method::Patch) => true,
            Some(Method::Delete | Method::Post | Method::Put) => false,
        };
        let mut keys: Vec<Key> = asked.stored.iter().filter(stays).cloned().collect();
        let planned = &self.planned[criteria.resource_type];
        for change in planned.candidates(&asked.filter) {
            let Some(key) = aims.written(change) else { continue };
            let rows = &planned.by_change[&change];
            if !keys.contains(key) && self.runner.satisfies(&asked.filter, key, rows, &mut self.rests_on)? {
                keys.push(key.clone());
            }
            if keys.len() >= MATCHES_MAX {
                break;
            }
        }
        Ok(keys)
    }

    /// What the caller may see.
    pub(super) fn sight(&self) -> &Sight {
        self.runner.sight()
    }

    /// What the commit must find as it was found here.
    pub(super) fn preconditions(self) -> impl Iterator<Item = Precondition> + use<> {
        let asked = self.asked.into_values();
        let asked = asked.map(|asked| Precondition::Finds { filter: asked.filter, keys: asked.stored });
        asked.chain(self.rests_on)
    }

    fn ask(&mut self, criteria: &Criteria) -> Result<(), Outcome> {
        let name = (criteria.resource_type, criteria.text.clone());
        if self.asked.contains_key(&name) {
            return Ok(());
        }
        let filter =
            self.runner.visible(Act::Search, &[criteria.resource_type], self.runner.filter(&criteria.criterion)?);
        // Each change can take one match away, so this many leave two in any case, and then nothing is committed.
        let limit = MATCHES_MAX + self.drafts.len();
        let found = self.runner.find(keys_only(filter.clone(), limit, Vec::new()))?;
        let stored = found.hits.into_iter().map(|hit| hit.key).collect();
        self.asked.insert(name, Asked { filter, stored });
        Ok(())
    }

    fn plan(&mut self, resource_type: &'static str) {
        let (setup, registry) = (self.session.setup(), self.session.registry());
        self.planned.entry(resource_type).or_insert_with(|| {
            let mut planned = PlannedRows::default();
            let of_type = self.drafts.iter().enumerate().filter(|(_, draft)| draft.resource_type == resource_type);
            for (change, draft) in of_type {
                // What cannot be indexed matches nothing here, and is refused when it is validated.
                let rows = draft.document.as_ref().and_then(|document| registry.rows(document).ok());
                let Some(mut rows) = rows.map(Rows::together) else { continue };
                let time = store::time_value(setup.clock.now()).to_vec();
                rows.push(Row { index: registry.time_index(resource_type), value: time });
                planned.add(change, rows);
            }
            planned
        });
    }
}

impl PlannedRows {
    fn add(&mut self, change: usize, rows: Vec<Row>) {
        for row in &rows {
            self.by_row.entry(row.clone()).or_default().push(change);
        }
        self.by_change.insert(change, rows);
    }

    /// The changes that can satisfy a filter, in order: few where a part of the filter is about few rows.
    fn candidates(&self, filter: &Filter) -> Vec<usize> {
        // What all changes satisfy narrows nothing.
        let fewer = self.by_change.len().saturating_sub(1);
        let mut changes = self.narrowed(filter, fewer).unwrap_or_else(|| self.by_change.keys().copied().collect());
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// The changes with a row that a part of the filter asks for; `None` when it asks for none, or they are more than `most`.
    fn narrowed(&self, filter: &Filter, most: usize) -> Option<Vec<usize>> {
        match filter {
            Filter::All(filters) => {
                let mut best: Option<Vec<usize>> = None;
                for filter in filters {
                    let most = best.as_ref().map_or(most, |best| best.len().saturating_sub(1));
                    best = self.narrowed(filter, most).or(best);
                }
                best
            }
            Filter::Any(filters) => {
                let mut union = Vec::new();
                for filter in filters {
                    union.append(&mut self.narrowed(filter, most - union.len())?);
                }
                Some(union)
            }
            Filter::Not(_) | Filter::OneOf { .. } | Filter::LinksTo { .. } | Filter::LinkedFrom { .. } => None,
            Filter::Word { index, word } => {
                let changes = self.by_row.get(&Row { index: *index, value: word.clone() });
                changes.map_or(Some(Vec::new()), |changes| (changes.len() <= most).then(|| changes.clone()))
            }
            Filter::Match(wanted) => {
                let row = |value| Row { index: wanted.index, value };
                let low = match wanted.range.low.clone().map(row) {
                    Bound::Unbounded => Bound::Included(row(Vec::new())),
                    low => low,
                };
                let rows = self.by_row.range((low, Bound::Unbounded));
                let mut changes = Vec::new();
                for (_, same_row) in rows
                    .take_while(|(row, _)| row.index == wanted.index && wanted.range.contains(&row.value))
                    .filter(|(row, _)| wanted.accepts(&row.value))
                {
                    if changes.len() + same_row.len() > most {
                        return None;
                    }
                    changes.extend_from_slice(same_row);
                }
                Some(changes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::Index;

    use super::*;

    #[test]
    fn looks_only_at_changes_that_a_row_speaks_for() {
        let row = |index, value: &str| Row { index: Index(index), value: value.into() };
        let mut planned = PlannedRows::default();
        for (change, code) in ["a", "ab", "b", "c", "d"].into_iter().enumerate() {
            planned.add(change, vec![row(1, ""), row(2, code), row(3, "x")]);
        }
        let every = || Filter::equal(Index(1), "");
        let code = |code: &str| Filter::equal(Index(2), code);
        let up_to = |high| Filter::range(Index(2), Bound::Unbounded, Bound::Included(high));
        let turned = Filter::range(Index(2), Bound::Included("d".into()), Bound::Excluded("a".into()));
        let any = |codes: &[&str]| Filter::Any(codes.iter().map(|name| code(name)).collect());
        let cases = [
            (every().and(code("b")), &[2][..]),
            (every().and(Filter::prefix(Index(2), "a")), &[0, 1]),
            (every().and(up_to("b".into())), &[0, 1, 2]),
            (every().and(any(&["c", "a", "a"])), &[0, 3]),
            (Filter::prefix(Index(2), "a").and(code("ab")), &[1]),
            (every().and(code("b")).and(code("z")), &[]),
            (every().and(turned), &[]),
            // Nothing narrows these.
            (every().and(code("b").not()), &[0, 1, 2, 3, 4]),
            (Filter::everything(), &[0, 1, 2, 3, 4]),
            (any(&["a", "ab", "b", "c", "d"]), &[0, 1, 2, 3, 4]),
        ];
        for (filter, expected) in cases {
            assert_eq!(planned.candidates(&filter), expected, "{filter:?}");
        }
        assert_eq!(PlannedRows::default().candidates(&every()), &[0; 0]);
    }
}
