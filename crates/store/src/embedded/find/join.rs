//! Checking candidates, and following the rows that name documents.
//!
//! A join has no set of its own on the far side: a candidate is checked by looking at just the documents that it is joined to, and only
//! where few documents satisfy the far side are those found first.

use std::borrow::Cow;

use roaring::RoaringTreemap;

use super::node::{Links, Node};
use super::scan::{Reader, Way};
use crate::embedded::layout::Packed;
use crate::embedded::tables::damaged;
use crate::{Index, Key, StoreError};

impl<'t> Reader<'t> {
    /// Whether a current document with these rows satisfies `node`.
    pub(super) fn accepts(&self, node: &Node<'_>, number: u64, rows: Packed<'_>) -> Result<bool, StoreError> {
        Ok(match node {
            Node::Everything => true,
            Node::Nothing => false,
            Node::All(nodes) => {
                for node in nodes {
                    if !self.accepts(node, number, rows)? {
                        return Ok(false);
                    }
                }
                true
            }
            Node::Any(nodes) => {
                for node in nodes {
                    if self.accepts(node, number, rows)? {
                        return Ok(true);
                    }
                }
                false
            }
            Node::Not(node) => !self.accepts(node, number, rows)?,
            Node::Equal(index, wanted) => rows.values(*index).any(|value| value == *wanted),
            Node::OneOf(index, wanted) => rows.values(*index).any(|value| wanted.binary_search(&value).is_ok()),
            Node::Match(wanted) => rows.values(wanted.index).any(|value| wanted.accepts(value)),
            Node::Word(_, set) => set.contains(number),
            Node::LinksTo(by, to) => self.links_to(by, to, rows)?,
            Node::LinkedFrom(by, from) => self.linked_from(by, from, number)?,
        })
    }

    fn links_to(&self, by: &Links<'_>, to: &Node<'_>, rows: Packed<'_>) -> Result<bool, StoreError> {
        for value in by.links.iter().flat_map(|index| rows.values(*index)) {
            let found = self.named(value, by, |number| self.accepts_far(by, to, number))?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn linked_from(&self, by: &Links<'_>, from: &Node<'_>, number: u64) -> Result<bool, StoreError> {
        self.naming(number, by, |number| self.accepts_far(by, from, number))
    }

    /// Whether a document on the far side satisfies `node`.
    fn accepts_far(&self, by: &Links<'_>, node: &Node<'_>, number: u64) -> Result<bool, StoreError> {
        let known = by.known.borrow();
        if known.accepted.contains(number) || known.refused.contains(number) {
            return Ok(known.accepted.contains(number));
        }
        drop(known);
        let accepts = self.accepts(node, number, self.probe(number)?)?;
        let mut known = by.known.borrow_mut();
        if accepts {
            known.accepted.insert(number)
        } else {
            known.refused.insert(number)
        };
        Ok(accepts)
    }

    /// The documents that name one which satisfies `to`; `None` when finding them takes more than `budget` rows.
    pub(super) fn linking(
        &self,
        by: &Links<'_>,
        to: &Node<'_>,
        budget: u64,
    ) -> Result<Option<RoaringTreemap>, StoreError> {
        let limit = self.touched().saturating_add(budget);
        let Some(far) = self.set(to, budget)? else { return Ok(None) };
        let mut near = RoaringTreemap::new();
        for number in far {
            let is_spent = self.naming(number, by, |number| {
                near.insert(number);
                Ok(self.touched() > limit)
            })?;
            if is_spent || self.touched() > limit {
                return Ok(None);
            }
        }
        Ok(Some(near))
    }

    /// The documents that one which satisfies `from` names; `None` when finding them takes more than `budget` rows.
    pub(super) fn linked(
        &self,
        by: &Links<'_>,
        from: &Node<'_>,
        budget: u64,
    ) -> Result<Option<RoaringTreemap>, StoreError> {
        let limit = self.touched().saturating_add(budget);
        let Some(far) = self.set(from, budget)? else { return Ok(None) };
        let mut near = RoaringTreemap::new();
        for number in far {
            let rows = self.probe(number)?;
            for value in by.links.iter().flat_map(|index| rows.values(*index)) {
                let is_spent = self.named(value, by, |number| {
                    near.insert(number);
                    Ok(self.touched() > limit)
                })?;
                if is_spent {
                    return Ok(None);
                }
            }
            if self.touched() > limit {
                return Ok(None);
            }
        }
        Ok(Some(near))
    }

    /// Visits the current documents that a row names, until one is enough; says whether one was.
    fn named(
        &self,
        value: &[u8],
        by: &Links<'_>,
        mut enough: impl FnMut(u64) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        if let Some(key) = Key::from_link(value) {
            self.touch_document()?;
            let document = self.view.document(key.as_str())?;
            if let Some(document) = document.filter(|document| document.deletion.is_none())
                && enough(document.number)?
            {
                return Ok(true);
            }
        }
        self.with_value(by.names, value, &mut enough)
    }

    /// Visits the documents with a row that names this one, until one is enough; says whether one was.
    fn naming(
        &self,
        number: u64,
        by: &Links<'_>,
        mut enough: impl FnMut(u64) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        for name in self.names_of(number, by)? {
            if self.with_value(by.links, &name, &mut enough)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The values of rows that name a current document.
    pub(super) fn names_of<'n>(
        &self,
        number: u64,
        by: &'n Links<'_>,
    ) -> Result<impl Iterator<Item = Cow<'t, [u8]>> + use<'n, 't>, StoreError> {
        self.touch_document()?;
        let current = self.view.current(number)?.ok_or_else(|| damaged("current"))?;
        let link = Key::parse(current.key).ok_or_else(|| damaged("current"))?.to_link();
        let names = by.names.iter().flat_map(move |index| current.rows.values(*index));
        Ok(std::iter::once(Cow::Owned(link)).chain(names.map(Cow::Borrowed)))
    }

    fn with_value(
        &self,
        indexes: &[Index],
        value: &[u8],
        enough: &mut impl FnMut(u64) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        for index in indexes {
            for row in self.equal(*index, value, 0, u64::MAX, Way::Up)? {
                if enough(row?.1)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}
