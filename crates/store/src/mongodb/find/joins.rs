//! Following the rows that name documents.
//!
//! Where the far side is small it is found first, and becomes a condition: rows that name one of it, or keys and names that one of it
//! has in its rows. Otherwise each candidate's own far side is looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// How many candidates for a far side are looked at before anything is known of the near side, where each is checked here.
const CHECKED_MAX: u64 = 1_000;

/// How many documents are read for each candidate that they may name.
const NAMING: usize = 2;

/// [`Filter::LinksTo`] or [`Filter::LinkedFrom`].
pub(super) struct Join<'f> {
    links: &'f [Index],
    names: &'f [Index],
    /// Whether candidates have the rows; otherwise the far side has them.
    is_to: bool,
    filter: &'f Filter,
    /// The far side made ready, once that is needed.
    far: Option<Far<'f>>,
    /// Whether values in rows name a document of the far side, or candidates are named by one, by their links.
    known: HashMap<Vec<u8>, bool>,
}

/// `None` where no document can be on the far side.
type Far<'f> = Option<Box<Sieve<'f>>>;

/// Makes the far side ready, if that was not yet done.
fn far_of<'s, 'f>(
    far: &'s mut Option<Far<'f>>,
    filter: &'f Filter,
    reader: &mut Reader<'_>,
) -> Result<Option<&'s mut Sieve<'f>>, StoreError> {
    let made = match far.take() {
        Some(made) => made,
        None => Sieve::new(reader, filter)?.map(Box::new),
    };
    Ok(far.insert(made).as_deref_mut())
}

impl<'f> Join<'f> {
    /// Of documents whose rows in `links` name documents that satisfy `filter`, if `is_to`; otherwise of those that are so named.
    pub(super) fn new(links: &'f [Index], names: &'f [Index], filter: &'f Filter, is_to: bool) -> Join<'f> {
        Join { links, names, is_to, filter, far: None, known: HashMap::new() }
    }

    /// Those that are joined to the far side, where that is small; `None` where it is large.
    pub(super) fn condition(&mut self, reader: &mut Reader<'_>) -> Result<Option<Condition>, StoreError> {
        let outer = std::mem::replace(&mut reader.index, self.links.first().copied());
        let condition = self.condition_of_few(reader);
        reader.index = outer;
        condition
    }

    fn condition_of_few(&mut self, reader: &mut Reader<'_>) -> Result<Option<Condition>, StoreError> {
        let start = reader.touched();
        let Join { links, names, is_to, far, filter, .. } = self;
        let Some(far) = far_of(far, filter, reader)? else { return Ok(Some(Condition::Nothing)) };
        if far.is_wide && (!far.leads || reader.count(far.query.clone(), CHECKED_MAX + 1)? > CHECKED_MAX) {
            return Ok(None);
        }
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
        Ok(is_small.then(|| match is_to {
            true => Condition::having_one_of(texts(links, &named)),
            false => {
                let keys = named.iter().filter_map(|value| Key::from_link(value));
                let keys = Condition::having_key(keys.map(|key| key.to_string()).collect());
                Condition::any([keys, Condition::having_one_of(texts(names, &named))])
            }
        }))
    }

    /// Which of the candidates are joined to the far side.
    pub(super) fn accepts(&mut self, reader: &mut Reader<'_>, met: &[&Met]) -> Result<Vec<bool>, StoreError> {
        let outer = std::mem::replace(&mut reader.index, self.links.first().copied());
        let looked = if self.is_to { self.look_at_named(reader, met) } else { self.look_for_naming(reader, met) };
        reader.index = outer;
        looked?;
        let is_known = |value: &[u8]| self.known.get(value).copied().unwrap_or(false);
        let is_joined = |met: &&Met| match self.is_to {
            true => self.links.iter().any(|index| values(&met.pairs(), *index).any(is_known)),
            false => is_known(&met.key.to_link()),
        };
        Ok(met.iter().map(is_joined).collect())
    }

    /// Finds out about all values that candidates have in their rows.
    fn look_at_named(&mut self, reader: &mut Reader<'_>, met: &[&Met]) -> Result<(), StoreError> {
        let mut unknown = BTreeSet::new();
        for met in met {
            for index in self.links {
                let values = values(&met.pairs(), *index).filter(|value| !self.known.contains_key(*value));
                unknown.extend(values.map(<[u8]>::to_vec));
            }
        }
        let unknown: Vec<_> = unknown.into_iter().collect();
        let Join { names, far, filter, known, .. } = self;
        let Some(far) = far_of(far, filter, reader)? else { return Ok(()) };
        for chunk in unknown.chunks(CHUNK) {
            let chunk: BTreeSet<_> = chunk.iter().cloned().collect();
            let keys = chunk.iter().filter_map(|value| Key::from_link(value)).map(|key| key.to_string());
            let keys = Condition::having_key(keys.collect());
            let named = Condition::any([keys, Condition::having_one_of(texts(names, &chunk))]);
            let Some(query) = far_query(far, named) else { continue };
            each_of(reader, far, Query::new(query, Met::projection()), |_, met| {
                known.insert(met.key.to_link(), true);
                for index in *names {
                    known.extend(values(&met.pairs(), *index).map(|value| (value.to_vec(), true)));
                }
                Ok(true)
            })?;
            for value in chunk {
                known.entry(value).or_insert(false);
            }
        }
        Ok(())
    }

    /// Finds out about all candidates. Where some are named by very many, the others are asked about again.
    fn look_for_naming(&mut self, reader: &mut Reader<'_>, met: &[&Met]) -> Result<(), StoreError> {
        let Join { links, names, far, filter, known, .. } = self;
        let Some(far) = far_of(far, filter, reader)? else { return Ok(()) };
        loop {
            // The candidates that each value names.
            let mut named: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
            let mut open = BTreeSet::new();
            for met in met.iter().filter(|met| !known.contains_key(&met.key.to_link())) {
                let link = met.key.to_link();
                let pairs = met.pairs();
                for value in names.iter().flat_map(|index| values(&pairs, *index)) {
                    named.entry(value.to_vec()).or_default().push(link.clone());
                }
                named.entry(link.clone()).or_default().push(link.clone());
                open.insert(link);
            }
            let texts = texts(links, &named.keys().cloned().collect());
            let Some(query) = far_query(far, Condition::having_one_of(texts)) else { return Ok(()) };
            let (asked, limit) = (open.len(), far.checks.is_empty().then_some(NAMING * open.len()));
            let mut read = 0;
            each_of(reader, far, Query { limit, ..Query::new(query, Met::projection()) }, |_, met| {
                read += 1;
                let pairs = met.pairs();
                let naming = links.iter().flat_map(|index| values(&pairs, *index));
                for link in naming.filter_map(|value| named.get(value)).flatten() {
                    open.remove(link);
                    known.insert(link.clone(), true);
                }
                Ok(!open.is_empty())
            })?;
            if open.len() == asked || limit != Some(read) {
                known.extend(open.into_iter().map(|link| (link, false)));
                return Ok(());
            }
        }
    }
}

/// Those of the far side that satisfy a condition; `None` where there can be none.
fn far_query(far: &Sieve<'_>, condition: Condition) -> Option<Document> {
    let condition = condition.into_query()?;
    Some(doc! { "$and": [condition, far.query.clone()] })
}

/// The rows with these values in these indexes.
fn texts(indexes: &[Index], values: &BTreeSet<Vec<u8>>) -> BTreeSet<String> {
    indexes.iter().flat_map(|index| values.iter().map(|value| text::of_row(*index, value))).collect()
}
