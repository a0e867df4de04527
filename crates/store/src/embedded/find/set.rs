//! Turning a filter into the set of documents that satisfy it, at a cost near that of its most selective part.

use roaring::RoaringTreemap;

use super::node::Node;
use super::scan::{Reader, Way};
use crate::StoreError;

/// Checking one candidate costs about as much as reading this many rows in a row.
pub(super) const PROBE_ROWS: u64 = 8;

/// The budget of the first round in which the parts of a conjunction race to be its driver.
const ROUND_FIRST: u64 = 256;

/// By how much the budget grows from round to round. Work that a round throws away stays a fraction of the next.
const ROUND_GROWTH: u64 = 8;

impl Reader<'_> {
    /// The documents that satisfy `node`; `None` when reading its driving part takes more than `budget` rows.
    pub(super) fn set(&self, node: &Node<'_>, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        match node {
            Node::Nothing => Ok(Some(RoaringTreemap::new())),
            Node::Everything => self.everything(budget),
            Node::Equal(index, value) => self.having(*index, value, budget),
            Node::Match(wanted) => self.matching(wanted, budget),
            Node::Word(_, set) => Ok((set.len() <= budget).then(|| RoaringTreemap::clone(set))),
            Node::OneOf(index, values) => {
                self.union(values, budget, |value, budget| self.having(*index, value, budget))
            }
            Node::LinksTo(links, to) => self.linking(links, to, budget),
            Node::LinkedFrom(links, from) => self.linked(links, from, budget),
            Node::Any(nodes) => self.union(nodes, budget, |node, budget| self.set(node, budget)),
            Node::All(nodes) => self.intersection(nodes, budget),
            Node::Not(node) => match self.everything(budget)? {
                Some(mut base) => {
                    self.remove(&mut base, node)?;
                    Ok(Some(base))
                }
                None => Ok(None),
            },
        }
    }

    /// [`Reader::set`] at any cost.
    pub(super) fn whole_set(&self, node: &Node<'_>) -> Result<RoaringTreemap, StoreError> {
        Ok(self.set(node, u64::MAX)?.expect("no set takes more rows than there can be"))
    }

    fn everything(&self, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        if self.view.tables.current.len(self.view.txn)? > budget {
            return Ok(None);
        }
        let numbers = self.documents(0, u64::MAX, Way::Up)?.map(|document| document.map(|(number, _)| number));
        numbers.collect::<Result<_, _>>().map(Some)
    }

    fn union<P>(
        &self,
        parts: &[P],
        budget: u64,
        set: impl Fn(&P, u64) -> Result<Option<RoaringTreemap>, StoreError>,
    ) -> Result<Option<RoaringTreemap>, StoreError> {
        let start = self.touched();
        let mut union = RoaringTreemap::new();
        for part in parts {
            let spent = self.touched() - start;
            match set(part, budget.saturating_sub(spent))? {
                Some(set) => union |= set,
                None => return Ok(None),
            }
        }
        Ok(Some(union))
    }

    /// The parts race under a growing budget. Those that finish first are intersected; each of the rest is then read as a set too, if
    /// that costs less than checking every candidate, and otherwise the candidates are checked.
    fn intersection(&self, nodes: &[Node<'_>], budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let (negative, mut positive): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| matches!(node, Node::Not(_)));
        let base = match positive.is_empty() {
            true => self.everything(budget)?,
            false => self.race(&mut positive, budget)?,
        };
        let Some(mut base) = base else { return Ok(None) };
        for node in positive {
            self.keep(&mut base, node)?;
        }
        for node in negative {
            if let Node::Not(node) = node {
                self.remove(&mut base, node)?;
            }
        }
        Ok(Some(base))
    }

    /// The intersection of those nodes that finish in the first round in which any does; they are taken out of `nodes`.
    fn race(&self, nodes: &mut Vec<&Node<'_>>, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let mut round = ROUND_FIRST.min(budget);
        loop {
            let mut base: Option<RoaringTreemap> = None;
            let mut rest = Vec::new();
            for node in nodes.iter() {
                match self.set(node, round)? {
                    Some(set) => match &mut base {
                        Some(base) => *base &= set,
                        None => base = Some(set),
                    },
                    None => rest.push(*node),
                }
                if base.as_ref().is_some_and(RoaringTreemap::is_empty) {
                    break;
                }
            }
            if base.is_some() {
                *nodes = rest;
                return Ok(base);
            }
            if round == budget {
                return Ok(None);
            }
            round = round.saturating_mul(ROUND_GROWTH).min(budget);
        }
    }

    /// Keeps the documents of `node` in `base`.
    fn keep(&self, base: &mut RoaringTreemap, node: &Node<'_>) -> Result<(), StoreError> {
        match self.set(node, base.len() * PROBE_ROWS)? {
            Some(set) => *base &= set,
            None => *base = self.probed(base, |accepted| accepted, node)?,
        }
        Ok(())
    }

    /// Takes the documents of `node` out of `base`.
    pub(super) fn remove(&self, base: &mut RoaringTreemap, node: &Node<'_>) -> Result<(), StoreError> {
        match self.set(node, base.len() * PROBE_ROWS)? {
            Some(set) => *base -= set,
            None => *base = self.probed(base, |accepted| !accepted, node)?,
        }
        Ok(())
    }

    fn probed(
        &self,
        base: &RoaringTreemap,
        keeps: impl Fn(bool) -> bool,
        node: &Node<'_>,
    ) -> Result<RoaringTreemap, StoreError> {
        let mut kept = RoaringTreemap::new();
        for number in base {
            if keeps(self.accepts(node, number, self.probe(number)?)?) {
                kept.insert(number);
            }
        }
        Ok(kept)
    }
}
