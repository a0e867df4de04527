//! Gathering a stretch of the order of creation: by number.

use roaring::RoaringTreemap;

use super::meet::{Meeting, Met};
use super::node::Node;
use super::scan::{Reader, Way};
use super::simplify::FrequentRow;
use crate::StoreError;
use crate::find::{Direction, Stretch};

impl Reader<'_> {
    /// The numbers of documents that satisfy `node`, found by going through those that may: the documents in all of `lists`, or all there
    /// are. `None` when `budget` rows did not suffice.
    pub(super) fn by_number(
        &self,
        node: &Node<'_>,
        lists: &[FrequentRow<'_>],
        stretch: Stretch<'_>,
        budget: u64,
    ) -> Result<Option<Vec<u64>>, StoreError> {
        let start = self.touched();
        let limit = self.touched().saturating_add(budget);
        let (from, to) = stretch.numbers();
        let mut found = Vec::new();
        if let Some((index, _)) = lists.first() {
            let is_met = node.is_of_rows();
            let mut meeting = Meeting::new(self, lists, (from, to), Way::from(stretch.direction));
            while found.len() < stretch.wanted {
                match meeting.next(limit)? {
                    Met::At(number) if is_met || self.accepts(node, number, self.probe(number)?)? => found.push(number),
                    Met::At(_) => {}
                    Met::End => break,
                    Met::Spent => return Ok(None),
                }
            }
            self.note("walk in order of creation", Some(*index), start, found.len() as u64);
            return Ok(Some(found));
        }
        for document in self.documents(from, to, Way::from(stretch.direction))? {
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

    /// The lists by which those that satisfy the node are found in order of creation, the shortest first: all that it names where these say
    /// all, otherwise one, as the candidates are looked at in any case.
    pub(super) fn lists<'f>(
        &self,
        node: &Node<'f>,
        implied: Option<FrequentRow<'f>>,
    ) -> Result<Vec<FrequentRow<'f>>, StoreError> {
        let mut lists = Vec::new();
        // Of those that look alike the last: the first is mostly that of the collection.
        for (index, value) in node.rows().into_iter().rev() {
            lists.push((self.view.kept_count(index, value)?.unwrap_or(0), (index, value)));
        }
        lists.sort_by_key(|(count, _)| *count);
        let mut lists: Vec<_> = lists.into_iter().map(|(_, list)| list).collect();
        if !node.is_of_rows() {
            lists.truncate(1);
        }
        if lists.is_empty() {
            lists.extend(implied);
        }
        Ok(lists)
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
