//! How many documents satisfy a filter: from kept numbers where they tell, else counted, or estimated from samples.

use std::borrow::Cow;
use std::ops::Bound;

use roaring::RoaringTreemap;

use super::node::Node;
use super::page::Search;
use super::scan::Reader;
use super::set::PROBE_ROWS;
use super::simplify::{FrequentRow, covered, home};
use crate::embedded::homes;
use crate::find::{SAMPLE_SHARES, share};
use crate::{Counted, Filter, Index, Match, StoreError};

/// How many documents of a sample tell enough.
const ENOUGH: u64 = 64;

/// How many rows an estimate touches, about: a finer sample that would take more is left alone.
const ESTIMATE_ROWS: u64 = 512;

/// How many rows of one sample are touched at most: a few of its documents may be joined to very many others.
const SAMPLE_ROWS_MAX: u64 = 64 * ESTIMATE_ROWS;

/// How many rows are read at most to find candidates of a conjunction.
const CANDIDATES_READ: u64 = 2048;

/// How many candidates of a conjunction are looked at to tell what share of them are hits, and how often others as well where few are.
const CANDIDATES: u64 = 16;
const ROUNDS: u64 = 16;

/// So many hits among the candidates are few.
const FEW: u64 = 8;

impl Search<'_, '_> {
    /// The number of all hits, each counted unless that is known.
    pub(super) fn count(&mut self, filter: &Filter) -> Result<Counted, StoreError> {
        if let Some(known) = self.known_count()? {
            return Ok(known);
        }
        let Some(commit) = self.reader.totals_of(self.node)? else { return self.count_anew() };
        let (lists, start) = (&self.reader.view.tables.lists, self.reader.touched());
        if let Some(total) = lists.total(commit, filter) {
            self.reader.note("count as before", None, start, total);
            return Ok(Counted::exactly(total));
        }
        let counted = self.count_anew()?;
        lists.keep_total(commit, filter, counted.count, self.reader.touched() - start);
        Ok(counted)
    }

    fn count_anew(&mut self) -> Result<Counted, StoreError> {
        let start = self.reader.touched();
        if let Some(count) = self.reader.count_ranges(self.node)? {
            self.reader.note("count a range of", self.node.index(), start, count);
            return Ok(Counted::exactly(count));
        }
        if let Some(count) = self.reader.count_but_for(self.node)? {
            self.reader.note("count but for some", None, start, count);
            return Ok(Counted::exactly(count));
        }
        Ok(Counted::exactly(self.whole()?.len()))
    }

    /// The number of all hits where that takes at most so many rows. `shown` are already found, and `more` says whether there are others.
    pub(super) fn count_within(&mut self, rows: u64, shown: u64, more: bool) -> Result<Option<Counted>, StoreError> {
        if !more {
            return Ok(Some(Counted::exactly(shown)));
        }
        if let Some(known) = self.known_count()? {
            return Ok(Some(known));
        }
        let start = self.reader.touched();
        if self.guess()?.rows <= rows
            && let Some(count) = self.reader.attempt(None, rows, |reader| reader.count_all(self.node))?
        {
            self.reader.note("count", self.node.index(), start, count);
            return Ok(Some(Counted::exactly(count)));
        }
        Ok(None)
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

    /// About how many hits there are, by samples; where those cost too much, the guess. Taken once.
    pub(super) fn estimate(&mut self) -> Result<u64, StoreError> {
        if let Some(estimate) = self.estimate {
            return Ok(estimate);
        }
        let start = self.reader.touched();
        let estimate = match self.reader.candidates(self.node, self.implied)? {
            Some(candidates) => self.reader.estimate_among(&candidates, self.node)?,
            None => self.reader.estimate_alone(self.node)?,
        };
        let estimate = match estimate {
            Some(estimate) => estimate,
            None => self.guess()?.hits,
        };
        self.reader.note("estimate from samples", None, start, estimate);
        self.estimate = Some(estimate);
        Ok(estimate)
    }
}

impl Reader<'_> {
    /// Since which commit totals of the node are right: all that satisfy it are of one collection, and nothing of others decides that they do.
    fn totals_of(&self, node: &Node<'_>) -> Result<Option<usize>, StoreError> {
        if !self.is_committed || self.level().is_some() || node.is_joined() {
            return Ok(None);
        }
        Ok(home(self.view, node)?.map(|home| self.view.commit_of(home)))
    }

    /// How many documents have a value whose number is kept, but for some that are left out: what is not counted one by one is not read.
    /// `None` where the node is no such thing, or those to be left out are many.
    fn count_but_for(&self, node: &Node<'_>) -> Result<Option<u64>, StoreError> {
        let Some(((index, value), out)) = value_but_for(node) else { return Ok(None) };
        let Some(all) = self.view.kept_count(index, value)? else { return Ok(None) };
        let out = Node::any(out.into_iter().cloned());
        let most = all.saturating_mul(PROBE_ROWS);
        if !self.is_source(&out) || self.guess(&out)?.rows > most {
            return Ok(None);
        }
        let Some(out) = self.set(&out, most.saturating_mul(2))? else { return Ok(None) };
        Ok(Some(all - self.having_among(&out, index, value)?.len()))
    }

    /// The least number of documents that have a value but for some, where those that may be left out are fewer than the others.
    pub(super) fn most_of(&self, node: &Node<'_>) -> Result<Option<u64>, StoreError> {
        let Some(((index, value), out)) = value_but_for(node) else { return Ok(None) };
        let Some(mut most) = self.view.kept_count(index, value)? else { return Ok(None) };
        let least = most / 2;
        for part in out {
            if !part.is_found_by_rows() {
                return Ok(None);
            }
            most = most.saturating_sub(self.guess(part)?.hits);
        }
        Ok((most > least).then_some(most))
    }

    /// What holds for all that satisfy the node, and is found by rows: the rarest part of a conjunction.
    fn candidates<'n, 'f>(
        &self,
        node: &'n Node<'f>,
        implied: Option<FrequentRow<'f>>,
    ) -> Result<Option<Cow<'n, Node<'f>>>, StoreError> {
        let parts = match node {
            Node::All(parts) => parts.as_slice(),
            Node::Not(_) => &[],
            _ => return Ok(None),
        };
        let sources = self.by_cost(parts.iter().filter(|part| part.is_found_by_rows()).collect())?;
        let implied = || implied.map(|(index, value)| Cow::Owned(Node::Equal(index, value)));
        Ok(sources.first().map(|part| Cow::Borrowed(*part)).or_else(implied))
    }

    /// About how many of the candidates satisfy the node: as many as of some that are spread evenly. `None` where that costs too much.
    fn estimate_among(&self, candidates: &Node<'_>, node: &Node<'_>) -> Result<Option<u64>, StoreError> {
        let kept = self.kept(candidates)?;
        let mut levels = (0..SAMPLE_SHARES.len() as u8).map(Some).chain([None]);
        let mut sample = (u64::MAX, RoaringTreemap::new());
        let (mut hits, mut looked_at) = (0, 0);
        for round in 0..ROUNDS {
            let enough = (round + 1) * CANDIDATES;
            while sample.1.len() < enough
                && let Some(level) = levels.next()
            {
                let share = level.map_or(1, share);
                let expected = kept.map_or(sample.1.len().saturating_mul(sample.0 / share), |kept| kept / share);
                let rows = if expected <= CANDIDATES_READ { CANDIDATES_READ } else { 0 };
                match self.attempt(level, rows, |reader| reader.whole_set(candidates))? {
                    Some(set) => sample = (share, set),
                    None => break,
                }
            }
            if round > 0 && sample.1.len() < enough {
                break;
            }
            let Some(more) = self.look_at_some(&sample.1, node, round)? else { break };
            hits += more;
            looked_at += sample.1.len().min(CANDIDATES);
            if hits >= FEW {
                break;
            }
        }
        if looked_at == 0 {
            return Ok(None);
        }
        let (share, sample) = sample;
        let all = kept.unwrap_or(sample.len().saturating_mul(share));
        // A sample that has none does not say that there are none.
        Ok(Some((all as f64 * hits.max(1) as f64 / looked_at as f64) as u64))
    }

    /// How many of [`CANDIDATES`] documents of a set, others in each round, satisfy the node; `None` where that costs too much.
    fn look_at_some(&self, set: &RoaringTreemap, node: &Node<'_>, round: u64) -> Result<Option<u64>, StoreError> {
        let wanted = set.len().min(CANDIDATES);
        // These places are spread evenly.
        let is_looked_at = |place: u64| (place + round) * wanted % set.len() < wanted;
        self.attempt(None, SAMPLE_ROWS_MAX, |reader| {
            let mut hits = 0;
            for (_, number) in (0..).zip(set).filter(|(place, _)| is_looked_at(*place)) {
                hits += u64::from(reader.accepts(node, number, reader.probe(number)?)?);
            }
            Ok(hits)
        })
    }

    /// What the coarsest sample says that has enough hits or is the last that costs little; `None` where none costs little.
    fn estimate_alone(&self, node: &Node<'_>) -> Result<Option<u64>, StoreError> {
        let mut estimate = None;
        for level in 0..SAMPLE_SHARES.len() as u8 {
            let before = self.touched();
            let hits = self.attempt(Some(level), SAMPLE_ROWS_MAX, |sample| sample.count_all(node))?;
            let Some(hits) = hits else { break };
            estimate = Some(hits * share(level));
            let next = SAMPLE_SHARES.get(usize::from(level) + 1).map_or(1, |next| share(level) / next);
            if hits >= ENOUGH || (self.touched() - before).saturating_mul(next) > ESTIMATE_ROWS {
                break;
            }
        }
        Ok(estimate)
    }

    /// How many documents of this population satisfy the node.
    fn count_all(&self, node: &Node<'_>) -> Result<u64, StoreError> {
        match self.count_ranges(node)? {
            Some(count) => Ok(count),
            None => Ok(self.whole_set(node)?.len()),
        }
    }

    /// The same without a set of them, where the node amounts to ranges and no document is in several.
    fn count_ranges(&self, node: &Node<'_>) -> Result<Option<u64>, StoreError> {
        match disjoint_ranges(node) {
            Some(ranges) if self.is_single(ranges[0].index)? => {
                ranges.iter().try_fold(0, |sum, range| Ok(sum + self.count_matching(range)?)).map(Some)
            }
            _ => Ok(None),
        }
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

/// The value that a conjunction asks for, if it asks for one alone, and what it leaves out.
fn value_but_for<'n, 'f>(node: &'n Node<'f>) -> Option<(FrequentRow<'f>, Vec<&'n Node<'f>>)> {
    let Node::All(parts) = node else { return None };
    let (mut value, mut out) = (None, Vec::new());
    for part in parts {
        match part {
            Node::Not(part) => out.push(&**part),
            Node::Equal(index, of) if value.is_none() => value = Some((*index, *of)),
            _ => return None,
        }
    }
    Some((value?, out))
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
