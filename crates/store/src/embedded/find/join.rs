//! Checking candidates, and following the rows that name documents.
//!
//! A join has no set of its own on the far side: a candidate is checked by looking at just the documents that it is joined to, and only
//! where few documents satisfy the far side are those found first.

use roaring::RoaringTreemap;

use super::node::Node;
use super::scan::{Reader, Way};
use crate::embedded::layout::Packed;
use crate::embedded::tables::damaged;
use crate::{Index, Key, StoreError};

impl Reader<'_> {
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
            Node::LinksTo(links, to) => self.links_to(links, to, rows)?,
            Node::LinkedFrom(links, from) => self.linked_from(links, from, number)?,
        })
    }

    fn links_to(&self, links: &[Index], to: &Node<'_>, rows: Packed<'_>) -> Result<bool, StoreError> {
        for value in links.iter().flat_map(|index| rows.values(*index)) {
            if let Some(number) = self.named(value)?
                && self.accepts(to, number, self.probe(number)?)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn linked_from(&self, links: &[Index], from: &Node<'_>, number: u64) -> Result<bool, StoreError> {
        let value = self.link_of(number)?;
        for index in links {
            for row in self.equal(*index, &value, 0, u64::MAX, Way::Up)? {
                let (_, number) = row?;
                if self.accepts(from, number, self.probe(number)?)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The documents with a row in one of `links` that names one which satisfies `to`; `None` when finding them takes more than
    /// `budget` rows.
    pub(super) fn linking(
        &self,
        links: &[Index],
        to: &Node<'_>,
        budget: u64,
    ) -> Result<Option<RoaringTreemap>, StoreError> {
        let limit = self.touched().saturating_add(budget);
        let Some(far) = self.set(to, budget)? else { return Ok(None) };
        let mut near = RoaringTreemap::new();
        for number in far {
            let value = self.link_of(number)?;
            for index in links {
                for row in self.equal(*index, &value, 0, u64::MAX, Way::Up)? {
                    near.insert(row?.1);
                    if self.touched() > limit {
                        return Ok(None);
                    }
                }
            }
            if self.touched() > limit {
                return Ok(None);
            }
        }
        Ok(Some(near))
    }

    /// The documents that one which satisfies `from` names in a row in one of `links`; `None` when finding them takes more than
    /// `budget` rows.
    pub(super) fn linked(
        &self,
        links: &[Index],
        from: &Node<'_>,
        budget: u64,
    ) -> Result<Option<RoaringTreemap>, StoreError> {
        let limit = self.touched().saturating_add(budget);
        let Some(far) = self.set(from, budget)? else { return Ok(None) };
        let mut near = RoaringTreemap::new();
        for number in far {
            let rows = self.probe(number)?;
            for value in links.iter().flat_map(|index| rows.values(*index)) {
                near.extend(self.named(value)?);
            }
            if self.touched() > limit {
                return Ok(None);
            }
        }
        Ok(Some(near))
    }

    /// The number of the current document that a row names.
    fn named(&self, value: &[u8]) -> Result<Option<u64>, StoreError> {
        let Some(key) = Key::from_link(value) else { return Ok(None) };
        self.touch_document()?;
        let document = self.view.document(key.as_str())?;
        Ok(document.filter(|document| !document.deleted).map(|document| document.number))
    }

    /// How rows name a current document.
    fn link_of(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        self.touch_document()?;
        let current = self.view.current(number)?.ok_or_else(|| damaged("current"))?;
        Key::parse(current.key).map(|key| key.to_link()).ok_or_else(|| damaged("current"))
    }
}
