//! Turning a filter into the set of documents that satisfy it, at a cost near that of its most selective part.

use std::cmp::Ordering;

use roaring::RoaringTreemap;

use super::gather::Gathering;
use super::lists::{Lists, Name};
use super::meet::SEEK_ROWS;
use super::node::Node;
use super::scan::{Reader, Way};
use super::simplify::of_index;
use crate::find::{sample_member, share};
use crate::{Index, StoreError};

/// Checking one candidate costs about as much as reading this many rows in a row.
pub(super) const PROBE_ROWS: u64 = 16;

/// Candidates that cost no more rows than this are checked without a thought about other ways.
const PROBES_ALWAYS: u64 = 256;

impl Reader<'_> {
    /// The documents that satisfy `node`; `None` when reading its driving part takes more than `budget` rows.
    pub(super) fn set(&self, node: &Node<'_>, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let start = self.touched();
        let set = self.find_set(node, budget)?;
        if let (Some(set), Some((verb, index))) = (&set, way_to_find(node)) {
            self.note(verb, index, start, set.len());
        }
        Ok(set)
    }

    fn find_set(&self, node: &Node<'_>, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        match node {
            Node::Nothing => Ok(Some(RoaringTreemap::new())),
            Node::Everything => self.everything(budget),
            Node::Equal(index, value) => self.having(*index, &[value], budget),
            Node::Match(wanted) => self.matching(wanted, budget),
            Node::Word(_, set) => Ok(Some(self.in_population(set)?)),
            Node::OneOf(index, values) => self.listed(*index, values, budget),
            Node::LinksTo(..) | Node::LinkedFrom(..) if self.level().is_some() => self.checked_all(node, budget),
            Node::LinksTo(by, to) => self.linking(by, to, budget),
            Node::LinkedFrom(by, from) => self.linked(by, from, budget),
            Node::Any(nodes) => self.union(nodes, budget),
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

    /// Those with one of these values, as they were found before if no document of their collection has changed since.
    fn listed(&self, index: Index, values: &[&[u8]], budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let kept = if self.level().is_none() { self.kept_list(index, values)? } else { None };
        let Some((commit, name)) = kept else { return self.having(index, values, budget) };
        let lists = &self.view.tables.lists;
        if let Some(known) = lists.set(commit, &name) {
            return Ok(Some(RoaringTreemap::clone(&known)));
        }
        let set = self.having(index, values, budget)?;
        if let Some(set) = &set {
            lists.keep_set(commit, name, set);
        }
        Ok(set)
    }

    /// Since which commit, and by which name, the set of those with one of these values may be kept.
    pub(super) fn kept_list(&self, index: Index, values: &[&[u8]]) -> Result<Option<(usize, Name)>, StoreError> {
        let home = if self.is_committed { of_index(self.view, index)? } else { None };
        Ok(home.map(|home| (self.view.commit_of(home), Lists::name(index, values))))
    }

    fn everything(&self, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        if let Some(level) = self.level() {
            return self.members(level).map(Some);
        }
        if self.documents_in_all()? > budget {
            return Ok(None);
        }
        let numbers = self.documents(0, u64::MAX, Way::Up)?.map(|document| document.map(|(number, _)| number));
        numbers.collect::<Result<_, _>>().map(Some)
    }

    /// The current documents in a sample.
    fn members(&self, level: u8) -> Result<RoaringTreemap, StoreError> {
        let mut members = RoaringTreemap::new();
        for run in 0..self.view.state()?.next_number.div_ceil(share(level)) {
            let number = sample_member(level, run);
            self.touch_document()?;
            if self.view.current(number)?.is_some() {
                members.insert(number);
            }
        }
        Ok(members)
    }

    /// Those of a set of documents that this population has.
    fn in_population(&self, set: &RoaringTreemap) -> Result<RoaringTreemap, StoreError> {
        let Some(level) = self.level() else { return Ok(set.clone()) };
        let runs = self.view.state()?.next_number.div_ceil(share(level));
        Ok((0..runs).map(|run| sample_member(level, run)).filter(|number| set.contains(*number)).collect())
    }

    fn checked_all(&self, node: &Node<'_>, budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let Some(base) = self.everything(budget)? else { return Ok(None) };
        self.checked(&base, &[node]).map(Some)
    }

    /// Those of `base` that have this row: its rows are read only where they are near to candidates.
    pub(super) fn having_among(
        &self,
        base: &RoaringTreemap,
        index: Index,
        value: &[u8],
    ) -> Result<RoaringTreemap, StoreError> {
        let start = self.touched();
        let mut kept = Gathering::default();
        let mut candidates = base.iter();
        let mut candidate = candidates.next();
        let mut rows = self.having_between((index, value), candidate.unwrap_or(0), u64::MAX, Way::Up)?;
        let mut row = rows.next().transpose()?;
        let mut passed = 0;
        while let (Some(wanted), Some((_, number))) = (candidate, row) {
            match wanted.cmp(&number) {
                Ordering::Equal => {
                    kept.push(number);
                    candidate = candidates.next();
                    row = rows.next().transpose()?;
                    passed = 0;
                }
                Ordering::Less => {
                    candidates.advance_to(number);
                    candidate = candidates.next();
                }
                Ordering::Greater => {
                    passed += 1;
                    if passed == SEEK_ROWS {
                        rows = self.having_between((index, value), wanted, u64::MAX, Way::Up)?;
                        passed = 0;
                    }
                    row = rows.next().transpose()?;
                }
            }
        }
        let kept = kept.into_set();
        self.note("find among them by a value of", Some(index), start, kept.len());
        Ok(kept)
    }

    fn union(&self, nodes: &[Node<'_>], budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let start = self.touched();
        let mut union = RoaringTreemap::new();
        for node in nodes {
            let spent = self.touched() - start;
            match self.set(node, budget.saturating_sub(spent))? {
                Some(set) => union |= set,
                None => return Ok(None),
            }
        }
        Ok(Some(union))
    }

    /// The part that is cheapest to find drives, if it is a list then as far as it meets the others. Each of the rest is read as a set too,
    /// if that costs less than checking every candidate, and otherwise the candidates are checked.
    fn intersection(&self, nodes: &[Node<'_>], budget: u64) -> Result<Option<RoaringTreemap>, StoreError> {
        let (sources, mut checks): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| self.is_source(node));
        let mut sources = self.by_cost(sources)?;
        let driving: Vec<_> = match sources.first() {
            None => Vec::new(),
            Some(first) if first.is_of_rows() => sources.extract_if(.., |source| source.is_of_rows()).collect(),
            Some(_) => vec![sources.remove(0)],
        };
        checks.splice(0..0, sources);
        let base = match driving.as_slice() {
            [] => self.everything(budget)?,
            [one] => self.set(one, budget)?,
            lists => self.met(&lists.iter().flat_map(|list| list.rows()).collect::<Vec<_>>(), budget)?,
        };
        let Some(mut base) = base else { return Ok(None) };
        if checks.is_empty() {
            return Ok(Some(base));
        }
        let start = self.touched();
        let mut unread = Vec::new();
        for node in checks {
            let most = base.len().saturating_mul(PROBE_ROWS);
            let (wanted, negated) = match node {
                Node::Not(node) => (&**node, true),
                node => (node, false),
            };
            if let Node::Equal(index, value) = wanted {
                let having = self.having_among(&base, *index, value)?;
                if negated {
                    base -= having
                } else {
                    base = having
                };
                continue;
            }
            let is_read = most > PROBES_ALWAYS && self.is_source(wanted) && self.guess(wanted)?.rows <= most;
            match if is_read { self.set(wanted, most.saturating_mul(2))? } else { None } {
                Some(set) if negated => base -= set,
                Some(set) => base &= set,
                None => unread.push(node),
            }
        }
        if !unread.is_empty() && !base.is_empty() {
            base = self.checked(&base, &unread)?;
            unread.iter().for_each(|node| self.note("check each for", node.index(), self.touched(), None));
        }
        self.note("intersect", None, start, base.len());
        Ok(Some(base))
    }

    /// Whether the node's set can be read without looking at each document. Joins lead out of a sample.
    pub(super) fn is_source(&self, node: &Node<'_>) -> bool {
        match node {
            Node::Not(_) => false,
            Node::LinksTo(..) | Node::LinkedFrom(..) => self.level().is_none(),
            Node::Any(nodes) => nodes.iter().all(|node| self.is_source(node)),
            Node::All(nodes) => nodes.iter().any(|node| self.is_source(node)),
            _ => true,
        }
    }

    /// Takes the documents of `node` out of `base`.
    pub(super) fn remove(&self, base: &mut RoaringTreemap, node: &Node<'_>) -> Result<(), StoreError> {
        let most = base.len().saturating_mul(PROBE_ROWS);
        let is_read = most > PROBES_ALWAYS && self.is_source(node) && self.guess(node)?.rows <= most;
        match if is_read { self.set(node, most.saturating_mul(2))? } else { None } {
            Some(set) => *base -= set,
            None => *base = self.checked(base, &[&node.clone().not()])?,
        }
        Ok(())
    }

    /// Those of `base` that satisfy all `nodes`, each looked at.
    fn checked(&self, base: &RoaringTreemap, nodes: &[&Node<'_>]) -> Result<RoaringTreemap, StoreError> {
        let mut kept = Gathering::default();
        'candidates: for number in base {
            let rows = self.probe(number)?;
            for node in nodes {
                if !self.accepts(node, number, rows)? {
                    continue 'candidates;
                }
            }
            kept.push(number);
        }
        Ok(kept.into_set())
    }
}

/// How the set of a node is found, for the plan; those of an intersection tell of themselves.
fn way_to_find(node: &Node<'_>) -> Option<(&'static str, Option<Index>)> {
    let verb = match node {
        // Words were found before.
        Node::Everything | Node::Nothing | Node::All(_) | Node::Word(..) => return None,
        Node::Any(_) => return Some(("unite", None)),
        Node::Not(_) => return Some(("leave out of all", None)),
        Node::Equal(..) => "find by a value of",
        Node::OneOf(..) => "find by a list of values of",
        Node::Match(_) => "find by a range of",
        Node::LinksTo(..) => "find by what is named in",
        Node::LinkedFrom(..) => "find by being named in",
    };
    Some((verb, node.index()))
}
