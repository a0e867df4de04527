//! Following the rows that name documents.
//!
//! Where the far side is small it is found first, and becomes a condition: rows that name one of it, or keys and names that one of it
//! has in its rows. Otherwise each candidate's own far side is looked at.

use std::collections::{BTreeSet, HashMap};

use mongodb::bson::{Document, doc};

use super::condition::Condition;
use super::reader::{Met, Query, Reader};
use super::sieve::{Sieve, each, each_of};
use crate::find::values;
use crate::mongodb::text;
use crate::{Filter, Index, Key, StoreError};

/// How many documents of a far side are read at most to make a condition of it.
const FAR_MAX: usize = 10_000;

/// How many bytes of texts and keys such a condition may name.
const NAMES_BYTES: usize = 3 << 20;

/// How many values are looked for in one query.
const CHUNK: usize = 1_000;

/// [`Filter::LinksTo`] or [`Filter::LinkedFrom`] whose far side is large.
pub(super) struct Join<'f> {
    links: &'f [Index],
    names: &'f [Index],
    /// Whether candidates have the rows; otherwise the far side has them.
    is_to: bool,
    far: Sieve<'f>,
    /// Whether values in rows name a document of the far side, or candidates are named by one, by their links.
    known: HashMap<Vec<u8>, bool>,
}

/// A join made ready.
pub(super) enum Joined<'f> {
    Condition(Condition),
    Join(Box<Join<'f>>),
}

impl<'f> Joined<'f> {
    /// `None` for a filter that is no join.
    pub(super) fn new(reader: &mut Reader<'_>, filter: &'f Filter) -> Result<Option<Joined<'f>>, StoreError> {
        let (links, names, far, is_to) = match filter {
            Filter::LinksTo { links, names, to } => (links, names, to, true),
            Filter::LinkedFrom { links, names, from } => (links, names, from, false),
            _ => return Ok(None),
        };
        let Some(far) = Sieve::new(reader, far)? else { return Ok(Some(Joined::Condition(Condition::Nothing))) };
        let mut join = Join { links, names, is_to, far, known: HashMap::new() };
        Ok(Some(match join.condition(reader)? {
            Some(condition) => Joined::Condition(condition),
            None => Joined::Join(Box::new(join)),
        }))
    }
}

impl Join<'_> {
    /// `None` where the far side is large.
    fn condition(&mut self, reader: &mut Reader<'_>) -> Result<Option<Condition>, StoreError> {
        let start = reader.touched();
        let outer = std::mem::replace(&mut reader.index, self.links.first().copied());
        let Join { links, names, is_to, far, .. } = self;
        let (asked, per_value) = if *is_to { (*names, links.len()) } else { (*links, 1 + names.len()) };
        let mut named = BTreeSet::new();
        let mut bytes = 0;
        let mut seen = 0;
        let mut is_small = true;
        let mut add = |value: Vec<u8>| {
            // What each byte takes at most, as text, and what each value takes besides.
            let length = 2 * value.len() + 24;
            bytes += if named.insert(value) { length * per_value } else { 0 };
            bytes <= NAMES_BYTES
        };
        each(reader, far, |_, met| {
            seen += 1;
            is_small = seen <= FAR_MAX;
            if *is_to {
                is_small &= add(met.key.to_link());
            }
            for index in asked {
                for value in values(&met.pairs(), *index) {
                    is_small &= add(value.to_vec());
                }
            }
            Ok(is_small)
        })?;
        reader.note("follow links of", reader.index, start, seen as u64);
        reader.index = outer;
        Ok(is_small.then(|| match is_to {
            true => Condition::having_one_of(texts(links, &named)),
            false => {
                let keys = named.iter().filter_map(|value| Key::from_link(value));
                let keys = Condition::having_key(keys.map(|key| key.to_string()).collect());
                Condition::any([keys, Condition::having_one_of(texts(names, &named))])
            }
        }))
    }

    /// Leaves the candidates that are joined to the far side, or those that are not.
    pub(super) fn sift(
        &mut self,
        reader: &mut Reader<'_>,
        negated: bool,
        met: &mut Vec<Met>,
    ) -> Result<(), StoreError> {
        let outer = std::mem::replace(&mut reader.index, self.links.first().copied());
        if self.is_to {
            self.look_at_named(reader, met)?;
        } else {
            self.look_for_naming(reader, met)?;
        }
        reader.index = outer;
        let is_known = |value: &[u8]| self.known.get(value).copied().unwrap_or(false);
        met.retain(|met| {
            let is_joined = match self.is_to {
                true => self.links.iter().any(|index| values(&met.pairs(), *index).any(is_known)),
                false => is_known(&met.key.to_link()),
            };
            is_joined != negated
        });
        Ok(())
    }

    /// Finds out about all values that candidates have in their rows.
    fn look_at_named(&mut self, reader: &mut Reader<'_>, met: &[Met]) -> Result<(), StoreError> {
        let mut unknown = BTreeSet::new();
        for met in met {
            for index in self.links {
                let values = values(&met.pairs(), *index).filter(|value| !self.known.contains_key(*value));
                unknown.extend(values.map(<[u8]>::to_vec));
            }
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        for chunk in unknown.chunks(CHUNK) {
            let chunk: BTreeSet<_> = chunk.iter().cloned().collect();
            let keys = chunk.iter().filter_map(|value| Key::from_link(value)).map(|key| key.to_string());
            let keys = Condition::having_key(keys.collect());
            let named = Condition::any([keys, Condition::having_one_of(texts(self.names, &chunk))]);
            let Some(query) = self.far_query(named) else { continue };
            let (known, names) = (&mut self.known, self.names);
            each_of(reader, &mut self.far, Query::new(query, Met::projection()), |_, met| {
                known.insert(met.key.to_link(), true);
                for index in names {
                    known.extend(values(&met.pairs(), *index).map(|value| (value.to_vec(), true)));
                }
                Ok(true)
            })?;
            for value in chunk {
                self.known.entry(value).or_insert(false);
            }
        }
        Ok(())
    }

    /// Finds out about all candidates, each for itself: some may be named by very many.
    fn look_for_naming(&mut self, reader: &mut Reader<'_>, met: &[Met]) -> Result<(), StoreError> {
        for met in met {
            let link = met.key.to_link();
            if self.known.contains_key(&link) {
                continue;
            }
            let mut named = BTreeSet::from([link.clone()]);
            for index in self.names {
                named.extend(values(&met.pairs(), *index).map(<[u8]>::to_vec));
            }
            let mut is_named = false;
            if let Some(query) = self.far_query(Condition::having_one_of(texts(self.links, &named))) {
                let limit = self.far.checks.is_empty().then_some(1);
                let query = Query { limit, ..Query::new(query, Met::projection()) };
                each_of(reader, &mut self.far, query, |_, _| {
                    is_named = true;
                    Ok(false)
                })?;
            }
            self.known.insert(link, is_named);
        }
        Ok(())
    }

    /// Those of the far side that satisfy a condition; `None` where there can be none.
    fn far_query(&self, condition: Condition) -> Option<Document> {
        let condition = condition.into_query()?;
        Some(doc! { "$and": [condition, self.far.query.clone()] })
    }
}

/// The rows with these values in these indexes.
fn texts(indexes: &[Index], values: &BTreeSet<Vec<u8>>) -> BTreeSet<String> {
    indexes.iter().flat_map(|index| values.iter().map(|value| text::of_row(*index, value))).collect()
}
