//! Chains and `_has` become filters: the store follows the references.
//!
//! Each side of a join is narrowed by what the caller may see before the two are joined.

use std::collections::BTreeSet;

use fhir::Outcome;
use search::Criterion;
use store::{Filter, Key, Precondition, Row};

use super::{Runner, keys_only};
use crate::Act;

impl Runner<'_> {
    /// The filter that a criterion amounts to on this snapshot.
    pub(crate) fn filter(&self, criterion: &Criterion) -> Result<Filter, Outcome> {
        Ok(match criterion {
            Criterion::Filter(filter) => filter.clone(),
            Criterion::Named(named) => self.naming(named)?,
            Criterion::All(parts) => {
                let mut all = Filter::everything();
                for part in parts {
                    all = all.and(self.filter(part)?);
                }
                all
            }
            Criterion::Any(parts) => Filter::Any(parts.iter().map(|part| self.filter(part)).collect::<Result<_, _>>()?),
            Criterion::Not(part) => self.filter(part)?.not(),
            Criterion::Terms(terms) => self.terms(terms)?,
            Criterion::Chain { references, names, target_types, target } => {
                let to = Box::new(self.visible(Act::Search, target_types, self.filter(target)?));
                Filter::LinksTo { links: references.clone(), names: names.clone(), to }
            }
            Criterion::Has { references, names, target_type, source_type, source } => {
                let from = Box::new(self.visible(Act::Search, &[source_type], self.filter(source)?));
                let named = Filter::LinkedFrom { links: references.clone(), names: names.clone(), from };
                self.session.registry().of_type(target_type).and(named)
            }
        })
    }

    /// Whether a resource that is to have this key and these rows satisfies the filter, all others being as they are. Adds to `rests_on`
    /// what of the others that rests on.
    pub(crate) fn satisfies(
        &self,
        filter: &Filter,
        key: &Key,
        rows: &[Row],
        rests_on: &mut Vec<Precondition>,
    ) -> Result<bool, Outcome> {
        match filter {
            Filter::All(filters) => {
                for filter in filters {
                    if !self.satisfies(filter, key, rows, rests_on)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Filter::Any(filters) => {
                for filter in filters {
                    if self.satisfies(filter, key, rows, rests_on)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Filter::Not(filter) => Ok(!self.satisfies(filter, key, rows, rests_on)?),
            Filter::Match(_) | Filter::OneOf { .. } | Filter::Word { .. } => Ok(filter.accepts(rows)),
            Filter::LinksTo { links, names, to } => {
                let values = rows.iter().filter(|row| links.contains(&row.index)).map(|row| row.value.as_slice());
                let named = values.map(|value| self.named(value, names)).collect();
                self.holds(Filter::Any(named).and(to.as_ref().clone()), rests_on)
            }
            Filter::LinkedFrom { links, names, from } => {
                let names = rows.iter().filter(|row| names.contains(&row.index)).map(|row| row.value.clone());
                let values: Vec<_> = names.chain([key.to_link()]).collect();
                let equal =
                    links.iter().flat_map(|link| values.iter().map(|value| Filter::equal(*link, value.clone())));
                self.holds(Filter::Any(equal.collect()).and(from.as_ref().clone()), rests_on)
            }
        }
    }

    /// Whether anything satisfies the filter.
    fn holds(&self, filter: Filter, rests_on: &mut Vec<Precondition>) -> Result<bool, Outcome> {
        let found = self.find(keys_only(filter.clone(), 1, Vec::new()))?;
        let first = found.hits.into_iter().next().map(|hit| hit.key);
        rests_on.push(match &first {
            // That there is one does not rest on the others.
            Some(first) => Precondition::Finds {
                filter: self.session.registry().identity(first).and(filter),
                keys: vec![first.clone()],
            },
            None => Precondition::Finds { filter, keys: Vec::new() },
        });
        Ok(first.is_some())
    }

    /// The resources that a row of a reference names.
    pub(super) fn named(&self, value: &[u8], names: &[store::Index]) -> Filter {
        let by_key = self.session.registry().target(value).map(|key| self.session.registry().identity(&key));
        let by_name = names.iter().map(|index| Filter::equal(*index, value));
        Filter::Any(by_key.into_iter().chain(by_name).collect())
    }

    /// Exactly these resources.
    pub(super) fn identities(&self, keys: &BTreeSet<Key>) -> Filter {
        Filter::Any(keys.iter().map(|key| self.session.registry().identity(key)).collect())
    }
}
