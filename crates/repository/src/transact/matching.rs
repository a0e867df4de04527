//! What a condition matches: resources of the snapshot, and writes that the same transaction plans.

use fhir::Outcome;
use rustc_hash::FxHashMap;
use std::ops::Bound;
use store::{Filter, Key, Precondition, Row};

use super::draft::{Criteria, Draft};
use super::identity::Aims;
use crate::search::{Runner, keys_only};
use crate::{Method, Session};

/// How many matches are told from one another: none, one, and several.
const MATCHES_MAX: usize = 2;

/// The conditions of one try, each asked once.
pub(super) struct Matching<'a> {
    session: &'a Session<'a>,
    runner: &'a Runner<'a>,
    drafts: &'a [Draft],
    asked: FxHashMap<(&'static str, String), Asked>,
    planned: FxHashMap<&'static str, PlannedRows>,
}

struct Asked {
    filter: Filter,
    /// What the snapshot holds.
    stored: Vec<Key>,
}

/// The rows that the documents of one type will have, as far as they are known before references are resolved.
#[derive(Default)]
struct PlannedRows {
    by_change: FxHashMap<usize, Vec<Row>>,
    by_row: FxHashMap<Row, Vec<usize>>,
}

impl<'a> Matching<'a> {
    pub(super) fn new(session: &'a Session<'a>, runner: &'a Runner<'a>, drafts: &'a [Draft]) -> Matching<'a> {
        Matching { session, runner, drafts, asked: FxHashMap::default(), planned: FxHashMap::default() }
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
            if asked.filter.accepts(&planned.by_change[&change]) && !keys.contains(key) {
                keys.push(key.clone());
            }
            if keys.len() >= MATCHES_MAX {
                break;
            }
        }
        Ok(keys)
    }

    /// What the commit must find as it was found here.
    pub(super) fn preconditions(self) -> impl Iterator<Item = Precondition> {
        self.asked.into_values().map(|asked| Precondition::Finds { filter: asked.filter, keys: asked.stored })
    }

    fn ask(&mut self, criteria: &Criteria) -> Result<(), Outcome> {
        let name = (criteria.resource_type, criteria.text.clone());
        if self.asked.contains_key(&name) {
            return Ok(());
        }
        let filter = self.runner.visible(&[criteria.resource_type], self.runner.filter(&criteria.criterion)?);
        // Each change can take one match away, so this many leave two in any case, and then nothing is committed.
        let limit = MATCHES_MAX + self.drafts.len();
        let found = self.runner.find(keys_only(filter.clone(), limit, Vec::new()))?;
        let stored = found.hits.into_iter().map(|hit| hit.key).collect();
        self.asked.insert(name, Asked { filter, stored });
        Ok(())
    }

    fn plan(&mut self, resource_type: &'static str) {
        let setup = self.session.setup();
        self.planned.entry(resource_type).or_insert_with(|| {
            let mut planned = PlannedRows::default();
            let of_type = self.drafts.iter().enumerate().filter(|(_, draft)| draft.resource_type == resource_type);
            for (change, draft) in of_type {
                // What cannot be indexed matches nothing here, and is refused when it is validated.
                let rows = draft.document.as_ref().and_then(|document| setup.registry.rows(document).ok());
                let Some(mut rows) = rows else { continue };
                let time = store::time_value(setup.clock.now()).to_vec();
                rows.push(Row { index: setup.registry.time_index(resource_type), value: time });
                for row in &rows {
                    planned.by_row.entry(row.clone()).or_default().push(change);
                }
                planned.by_change.insert(change, rows);
            }
            planned
        });
    }
}

impl PlannedRows {
    /// The changes that can satisfy a filter, in order: few where the filter asks for equality.
    fn candidates(&self, filter: &Filter) -> Vec<usize> {
        let mut changes = self.narrowed(filter).unwrap_or_else(|| self.by_change.keys().copied().collect());
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// The changes with a row that an equality in the filter asks for; `None` when it asks for none.
    fn narrowed(&self, filter: &Filter) -> Option<Vec<usize>> {
        match filter {
            Filter::All(filters) => filters.iter().filter_map(|filter| self.narrowed(filter)).min_by_key(Vec::len),
            Filter::Any(filters) => {
                let each: Option<Vec<_>> = filters.iter().map(|filter| self.narrowed(filter)).collect();
                Some(each?.concat())
            }
            Filter::Not(_) => None,
            Filter::Match(wanted) => match (&wanted.range.low, &wanted.range.high) {
                (Bound::Included(low), Bound::Included(high)) if low == high => {
                    let row = Row { index: wanted.index, value: low.clone() };
                    Some(self.by_row.get(&row).cloned().unwrap_or_default())
                }
                _ => None,
            },
        }
    }
}
