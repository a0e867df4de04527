//! Gathering a stretch of the order of creation: by number.

use roaring::RoaringTreemap;

use super::node::Node;
use super::order::Direction;
use super::page::Stretch;
use super::scan::Reader;
use super::simplify::FrequentRow;
use crate::StoreError;

impl Reader<'_> {
    /// The numbers of documents that satisfy `node`, found by going through those that may. `None` when `budget` rows did not suffice.
    pub(super) fn by_number(
        &self,
        node: &Node<'_>,
        driver: Option<FrequentRow<'_>>,
        stretch: Stretch<'_>,
        budget: u64,
    ) -> Result<Option<Vec<u64>>, StoreError> {
        let start = self.touched();
        let limit = self.touched().saturating_add(budget);
        let (from, to) = stretch.numbers();
        let mut found = Vec::new();
        if let Some((index, value)) = driver {
            let alone = node.is_one_row();
            for row in self.equal(index, value, from, to, stretch.way())? {
                let (_, number) = row?;
                if alone || self.accepts(node, number, self.probe(number)?)? {
                    found.push(number);
                }
                if found.len() == stretch.wanted {
                    break;
                }
                if self.touched() > limit {
                    return Ok(None);
                }
            }
            self.note("walk in order of creation", Some(index), start, found.len() as u64);
            return Ok(Some(found));
        }
        for document in self.documents(from, to, stretch.way())? {
            let (number, current) = document?;
            if self.accepts(node, number, current.rows)? {
                found.push(number);
            }
            if found.len() == stretch.wanted {
                break;
            }
            if self.touched() > limit {
                return Ok(None);
            }
        }
        self.note("walk in order of creation", None, start, found.len() as u64);
        Ok(Some(found))
    }

    /// The rarest single value that every hit must have; of several the last, as the first is mostly that of the collection.
    pub(super) fn driver<'f>(
        &self,
        node: &Node<'f>,
        implied: Option<FrequentRow<'f>>,
    ) -> Result<Option<FrequentRow<'f>>, StoreError> {
        let mut best = None;
        for part in node.conjunction() {
            if let Node::Equal(index, value) = part {
                let count = self.view.kept_count(*index, value)?.unwrap_or(0);
                if best.is_none_or(|(least, _)| count <= least) {
                    best = Some((count, (*index, *value)));
                }
            }
        }
        Ok(best.map(|(_, driver)| driver).or(implied))
    }
}

/// The numbers in a set.
pub(super) fn numbers_of(set: &RoaringTreemap, stretch: Stretch<'_>) -> Vec<u64> {
    let (from, to) = stretch.numbers();
    let mut numbers = set.iter();
    match stretch.direction {
        Direction::Forward => {
            numbers.advance_to(from);
            numbers.take_while(|number| *number < to).take(stretch.wanted).collect()
        }
        Direction::Backward => match to.checked_sub(1) {
            Some(last) => {
                numbers.advance_back_to(last);
                numbers.rev().take_while(|number| *number >= from).take(stretch.wanted).collect()
            }
            None => Vec::new(),
        },
    }
}
