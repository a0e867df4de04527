//! Chains and `_has` become filters: one side of the join is searched first, and its keys are what the other side must name.
//!
//! The far side goes first. Where it alone is too large ([`KEYS_MAX`]) and the join stands beside other criteria, the near side goes
//! first: what satisfies the others is found, and only the resources joined to that are looked at on the far side. A search in
//! which both sides are too large is refused as too costly.

use std::collections::BTreeSet;

use fhir::{IssueType, Outcome};
use search::Criterion;
use store::{Filter, Hit, Index, Key, Page, Precondition};

use super::{Runner, keys_only};
use crate::fault;

/// How many keys may join two sides.
pub(super) const KEYS_MAX: usize = 10_000;

/// How many resources of one side may be looked at to collect those keys.
const HITS_MAX: usize = 100_000;

/// How many resources are looked at in one step.
const HITS_STEP: usize = 10_000;

/// A side of a join has more keys than [`KEYS_MAX`], or more resources than [`HITS_MAX`].
struct TooMany;

impl Runner<'_> {
    /// The filter that a criterion amounts to on this snapshot.
    pub(crate) fn filter(&self, criterion: &Criterion) -> Result<Filter, Outcome> {
        match criterion {
            Criterion::Filter(filter) => Ok(filter.clone()),
            Criterion::All(parts) => self.all(parts),
            Criterion::Any(parts) => {
                Ok(Filter::Any(parts.iter().map(|part| self.filter(part)).collect::<Result<_, _>>()?))
            }
            Criterion::Not(part) => Ok(self.filter(part)?.not()),
            Criterion::Terms(terms) => terms.filter(self),
            Criterion::Chain { .. } | Criterion::Has { .. } => self.join(criterion)?.map_err(|TooMany| too_costly()),
        }
    }

    /// All of `parts`: joins last, so that one that is too large can be run from this side.
    fn all(&self, parts: &[Criterion]) -> Result<Filter, Outcome> {
        let is_join = |part: &&Criterion| matches!(part, Criterion::Chain { .. } | Criterion::Has { .. });
        let mut all = Filter::everything();
        for part in parts.iter().filter(|part| !is_join(part)) {
            all = all.and(self.filter(part)?);
        }
        let mut large = Vec::new();
        for part in parts.iter().filter(is_join) {
            match self.join(part)? {
                Ok(filter) => all = all.and(filter),
                Err(TooMany) => large.push(part),
            }
        }
        for part in large {
            let near = self.join_from_near(&all, part)?.map_err(|TooMany| too_costly())?;
            all = all.and(near);
        }
        Ok(all)
    }

    /// A join from its far side.
    fn join(&self, criterion: &Criterion) -> Result<Result<Filter, TooMany>, Outcome> {
        match criterion {
            Criterion::Chain { references, target_types, target } => {
                let far = self.visible(target_types, self.filter(target)?);
                let keys = self.keys(far, &[], |hit, keys| {
                    keys.insert(hit.key.clone());
                })?;
                Ok(keys.map(|keys| self.referring(references, &keys)))
            }
            Criterion::Has { references, target_type, source_type, source } => {
                let far = self.visible(&[source_type], self.filter(source)?);
                let keys = self.keys(far, references, |hit, keys| self.targets(hit, Some(target_type), keys))?;
                Ok(keys.map(|keys| self.identities(&keys)))
            }
            other => Ok(Ok(self.filter(other)?)),
        }
    }

    /// A join from its near side: of what satisfies `near`, those whose joined resources satisfy the far side.
    fn join_from_near(&self, near: &Filter, criterion: &Criterion) -> Result<Result<Filter, TooMany>, Outcome> {
        match criterion {
            Criterion::Chain { references, target_types, target } => {
                let referring =
                    near.clone().and(Filter::Any(references.iter().copied().map(Filter::present).collect()));
                let candidates = self.keys(referring, references, |hit, keys| self.targets(hit, None, keys))?;
                let Ok(candidates) = candidates else { return Ok(Err(TooMany)) };
                let far = self.visible(target_types, self.identities(&candidates).and(self.filter(target)?));
                let keys = self.keys(far, &[], |hit, keys| {
                    keys.insert(hit.key.clone());
                })?;
                Ok(keys.map(|keys| self.referring(references, &keys)))
            }
            Criterion::Has { references, target_type, source_type, source } => {
                let candidates = self.keys(near.clone(), &[], |hit, keys| {
                    if hit.key.collection() == *target_type {
                        keys.insert(hit.key.clone());
                    }
                })?;
                let Ok(candidates) = candidates else { return Ok(Err(TooMany)) };
                let far = self.referring(references, &candidates).and(self.filter(source)?);
                let far = self.visible(&[source_type], far);
                let keys = self.keys(far, references, |hit, keys| self.targets(hit, Some(target_type), keys))?;
                Ok(keys.map(|keys| self.identities(&keys.intersection(&candidates).cloned().collect())))
            }
            other => Ok(Ok(self.filter(other)?)),
        }
    }

    /// Collects keys from everything that satisfies a filter.
    fn keys(
        &self,
        filter: Filter,
        values: &[Index],
        mut collect: impl FnMut(&Hit, &mut BTreeSet<Key>),
    ) -> Result<Result<BTreeSet<Key>, TooMany>, Outcome> {
        let mut keys = BTreeSet::new();
        let mut hits = Vec::new();
        let mut find = keys_only(filter, HITS_STEP, values.to_vec());
        for _ in 0..HITS_MAX / HITS_STEP {
            let found = self.find(find.clone())?;
            for hit in &found.hits {
                collect(hit, &mut keys);
            }
            if self.joined.is_some() {
                hits.extend(found.hits.into_iter().map(|hit| hit.key));
            }
            if keys.len() > KEYS_MAX {
                return Ok(Err(TooMany));
            }
            let Some(next) = found.next else {
                self.note(find.filter, hits, !values.is_empty())?;
                return Ok(Ok(keys));
            };
            find.page = Page::After(next);
        }
        Ok(Err(TooMany))
    }

    /// Notes that a join rests on these being all that satisfy the filter, and on their content where references were read from it.
    fn note(&self, filter: Filter, hits: Vec<Key>, on_content: bool) -> Result<(), Outcome> {
        let Some(joined) = &self.joined else { return Ok(()) };
        let mut joined = joined.borrow_mut();
        for key in hits.iter().filter(|_| on_content) {
            let version = self.snapshot.head(key).map_err(fault::outcome)?.map_or(0, |head| head.version);
            joined.push(Precondition::Version { key: key.clone(), version });
        }
        joined.push(Precondition::Finds { filter, keys: hits });
        Ok(())
    }

    /// The local resources, only those of one type if given, that a hit's reference rows name.
    pub(super) fn targets(&self, hit: &Hit, target_type: Option<&str>, keys: &mut BTreeSet<Key>) {
        let targets = hit.rows.iter().filter_map(|row| self.session.registry().target(&row.value));
        keys.extend(targets.filter(|key| target_type.is_none_or(|wanted| key.collection() == wanted)));
    }

    /// Resources with a reference in one of `references` to one of `keys`.
    pub(super) fn referring(&self, references: &[Index], keys: &BTreeSet<Key>) -> Filter {
        let values = keys.iter().map(|key| self.session.registry().reference_value(key));
        let filters = values.flat_map(|value| references.iter().map(move |index| Filter::equal(*index, value.clone())));
        Filter::Any(filters.collect())
    }

    /// Exactly these resources.
    pub(super) fn identities(&self, keys: &BTreeSet<Key>) -> Filter {
        Filter::Any(keys.iter().map(|key| self.session.registry().identity(key)).collect())
    }
}

fn too_costly() -> Outcome {
    Outcome::new(
        IssueType::TooCostly,
        format!(
            "a chain or `_has` leads over more than {KEYS_MAX} resources on both sides; add criteria that narrow it"
        ),
    )
}
