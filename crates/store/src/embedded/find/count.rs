//! How many documents satisfy a filter: from kept numbers where they tell, else counted, or estimated from samples.

use std::ops::Bound;

use super::node::Node;
use super::page::Search;
use super::scan::Reader;
use super::simplify::{covered, home};
use crate::embedded::homes;
use crate::embedded::layout::{SAMPLE_SHARES, share};
use crate::{Counted, Index, Match, StoreError};

/// How many documents of a sample tell enough.
const ENOUGH: u64 = 256;

/// How many rows an estimate touches, about: a finer sample that would take more is left alone.
pub(super) const ESTIMATE_ROWS: u64 = 2048;

/// How many rows of one sample are touched at most: a few of its documents may be joined to very many others.
const SAMPLE_ROWS_MAX: u64 = 64 * ESTIMATE_ROWS;

/// What a sample says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    pub(super) hits: u64,
    /// How many rows it would take to count them.
    pub(super) rows: u64,
}

impl Search<'_, '_> {
    /// The number of all hits, each counted unless that is known.
    pub(super) fn count(&mut self) -> Result<Counted, StoreError> {
        if let Some(known) = self.known_count()? {
            return Ok(known);
        }
        let start = self.reader.touched();
        if let Some(ranges) = disjoint_ranges(self.node)
            && self.reader.is_single(ranges[0].index)?
        {
            let mut count = 0;
            for range in &ranges {
                count += self.reader.count_matching(range)?;
            }
            self.reader.note("count a range of", Some(ranges[0].index), start, count);
            return Ok(Counted::exactly(count));
        }
        Ok(Counted::exactly(self.whole()?.len()))
    }

    /// The number of all hits, exact where that takes at most so many rows. `shown` are already found, and `more` says whether there
    /// are others.
    pub(super) fn count_within(&mut self, rows: u64, shown: u64, more: bool) -> Result<Counted, StoreError> {
        if !more {
            return Ok(Counted::exactly(shown));
        }
        if let Some(known) = self.known_count()? {
            return Ok(known);
        }
        let is_cheap = self.guess()?.rows <= rows || self.estimate()?.rows <= rows;
        let start = self.reader.touched();
        if is_cheap && let Some(set) = self.reader.attempt(None, rows, |reader| reader.whole_set(self.node))? {
            self.reader.note("count", None, start, set.len());
            return Ok(Counted::exactly(self.set.insert(set).len()));
        }
        Ok(Counted { count: self.estimate()?.hits.max(shown + 1), exact: false })
    }

    /// The number of all hits where it is known already or kept.
    fn known_count(&mut self) -> Result<Option<Counted>, StoreError> {
        if let Some(set) = &self.set {
            return Ok(Some(Counted::exactly(set.len())));
        }
        let start = self.reader.touched();
        let count = self.reader.kept(self.node)?;
        if let Some(count) = count {
            self.reader.note("count from kept numbers", None, start, count);
        }
        Ok(count.map(Counted::exactly))
    }

    /// What the coarsest sample says that has enough hits or is the last that costs little, and where none costs little, the guess;
    /// taken once.
    pub(super) fn estimate(&mut self) -> Result<Estimate, StoreError> {
        if let Some(estimate) = self.estimate {
            return Ok(estimate);
        }
        let start = self.reader.touched();
        let mut estimate = Estimate { hits: self.guess()?.hits, rows: u64::MAX };
        for level in 0..SAMPLE_SHARES.len() as u8 {
            let before = self.reader.touched();
            let set = self.reader.attempt(Some(level), SAMPLE_ROWS_MAX, |sample| sample.whole_set(self.node))?;
            let Some(hits) = set.map(|set| set.len()) else { break };
            let touched = self.reader.touched() - before;
            estimate = Estimate { hits: hits * share(level), rows: touched.saturating_mul(share(level)) };
            let next = SAMPLE_SHARES.get(usize::from(level) + 1).map_or(1, |next| share(level) / next);
            if hits >= ENOUGH || touched.saturating_mul(next) > ESTIMATE_ROWS {
                break;
            }
        }
        self.reader.note("estimate from samples", None, start, estimate.hits);
        self.estimate = Some(estimate);
        Ok(estimate)
    }
}

impl Reader<'_> {
    /// How many documents satisfy the node, where kept numbers tell or a few rows.
    fn kept(&self, node: &Node<'_>) -> Result<Option<u64>, StoreError> {
        Ok(match node {
            Node::Nothing => Some(0),
            Node::Everything => Some(self.documents_in_all()?),
            Node::Equal(index, value) => Some(self.count(*index, value)?),
            Node::Word(_, set) => Some(set.len()),
            Node::Any(nodes) if self.are_apart(nodes)? => {
                let mut sum = 0;
                for node in nodes {
                    match self.kept(node)? {
                        Some(count) => sum += count,
                        None => return Ok(None),
                    }
                }
                Some(sum)
            }
            Node::All(nodes) => match nodes.as_slice() {
                [all, Node::Not(without)] | [Node::Not(without), all] => self.kept_difference(all, without)?,
                _ => None,
            },
            _ => None,
        })
    }

    /// Of a whole collection, those that do not satisfy what only its documents can.
    fn kept_difference(&self, all: &Node<'_>, without: &Node<'_>) -> Result<Option<u64>, StoreError> {
        let Some(collection) = covered(self.view, all)? else { return Ok(None) };
        if home(self.view, without)? != Some(collection) {
            return Ok(None);
        }
        let (Some(all), Some(without)) = (self.kept(all)?, self.kept(without)?) else { return Ok(None) };
        Ok(all.checked_sub(without))
    }

    /// Whether no document can satisfy two of the nodes, as each is at home in another collection.
    fn are_apart(&self, nodes: &[Node<'_>]) -> Result<bool, StoreError> {
        let mut homes = Vec::with_capacity(nodes.len());
        for node in nodes {
            match home(self.view, node)? {
                Some(home) => homes.push(home),
                None => return Ok(false),
            }
        }
        homes.sort_unstable();
        Ok(homes.windows(2).all(|pair| pair[0] != pair[1]))
    }

    /// Whether no document has more than one row in the index.
    pub(super) fn is_single(&self, index: Index) -> Result<bool, StoreError> {
        Ok(homes::read(self.view.txn, self.view.tables, index)?.is_some_and(|home| !home.repeats))
    }
}

/// The ranges of one index, none of which shares a value with another, that a node amounts to.
fn disjoint_ranges<'f>(node: &Node<'f>) -> Option<Vec<&'f Match>> {
    let nodes = match node {
        Node::Any(nodes) => nodes.as_slice(),
        node => std::slice::from_ref(node),
    };
    let range = |node: &Node<'f>| match node {
        Node::Match(wanted) => Some(*wanted),
        _ => None,
    };
    let mut ranges: Vec<_> = nodes.iter().map(range).collect::<Option<_>>()?;
    let low = |range: &Match| match &range.range.low {
        Bound::Unbounded => Vec::new(),
        Bound::Included(low) | Bound::Excluded(low) => low.clone(),
    };
    ranges.sort_by_cached_key(|range| low(range));
    let are_disjoint = ranges.windows(2).all(|pair| match (&pair[0].range.high, &pair[1].range.low) {
        (Bound::Excluded(high), Bound::Included(low) | Bound::Excluded(low)) => high <= low,
        (Bound::Included(high), Bound::Excluded(low)) => high <= low,
        (Bound::Included(high), Bound::Included(low)) => high < low,
        _ => false,
    });
    let is_one_index = ranges.iter().all(|range| range.index == ranges[0].index);
    (are_disjoint && is_one_index).then_some(ranges)
}
