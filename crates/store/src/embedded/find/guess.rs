//! How large things are, about: from kept numbers and samples, without reading what they stand for.

use roaring::RoaringTreemap;

use super::meet::SEEK_ROWS;
use super::node::{Links, Node};
use super::scan::{Reader, Way};
use super::set::PROBE_ROWS;
use super::simplify;
use crate::find::{SAMPLE_SHARES, share};
use crate::{Index, Match, StoreError};

/// Up to how many rows of a value are counted that is too rare for its number to be kept, and what is taken for the number where they are
/// not counted.
const RARE: u64 = 64;

/// How many rows of a sample tell enough of a range.
const ENOUGH: u64 = 16;

/// How many rows of a sample are read for a guess at most.
const SAMPLED_MAX: usize = 1024;

/// Of more values than these only some are looked up.
const VALUES_LOOKED_UP: usize = 32;

/// How many documents are taken to name one document that is not known to be named by many.
const LINKS: u64 = 16;

/// Documents that are found with about so many rows are looked up to tell how many others name them.
const FAR_ROWS: u64 = 1024;

/// A part whose set takes no more rows than this needs no better guess of its neighbors.
const CHEAP: u64 = 256;

/// About how much a node stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Guess {
    /// How many rows finding its documents touches.
    pub(super) rows: u64,
    /// How many documents satisfy it, rather too many than too few.
    pub(super) hits: u64,
}

impl Guess {
    fn same(number: u64) -> Guess {
        Guess { rows: number, hits: number }
    }
}

impl Reader<'_> {
    /// About how much reading the node's set in this population would touch and find.
    pub(super) fn guess(&self, node: &Node<'_>) -> Result<Guess, StoreError> {
        let Guess { rows, hits } = self.guess_of_all(node)?;
        Ok(match self.level() {
            Some(level) => Guess { rows: rows / share(level), hits: hits / share(level) },
            None => Guess { rows, hits },
        })
    }

    fn guess_of_all(&self, node: &Node<'_>) -> Result<Guess, StoreError> {
        Ok(match node {
            Node::Everything | Node::Not(_) => Guess::same(self.documents_in_all()?),
            Node::Nothing => Guess::same(0),
            Node::Equal(index, value) => Guess::same(self.guess_value(*index, value)?),
            Node::OneOf(index, values) => {
                if let Some(known) = self.known_list(*index, values)? {
                    return Ok(Guess::same(known));
                }
                let step = values.len().div_ceil(VALUES_LOOKED_UP);
                let mut sum = 0;
                for value in values.iter().step_by(step) {
                    sum += self.guess_value(*index, value)?;
                }
                Guess::same(sum.saturating_mul(step as u64).max(values.len() as u64))
            }
            Node::Match(wanted) => self.guess_range(wanted)?,
            Node::Word(_, set) => Guess { rows: 0, hits: set.len() },
            Node::Any(nodes) => {
                let mut sum = Guess::same(0);
                for node in nodes {
                    let part = self.guess_of_all(node)?;
                    sum.rows = sum.rows.saturating_add(part.rows);
                    sum.hits = sum.hits.saturating_add(part.hits);
                }
                sum
            }
            Node::All(nodes) => self.guess_conjunction(nodes)?,
            Node::LinksTo(by, to) => {
                let far = self.guess_of_all(to)?;
                let hits = self.guess_linking(by, to, far)?;
                Guess { rows: far.rows.saturating_add(hits), hits }
            }
            Node::LinkedFrom(_, from) => {
                let far = self.guess_of_all(from)?;
                Guess { rows: far.rows.saturating_add(far.hits.saturating_mul(PROBE_ROWS)), hits: far.hits }
            }
        })
    }

    /// How many documents have one of these values, where that was found out before.
    fn known_list(&self, index: Index, values: &[&[u8]]) -> Result<Option<u64>, StoreError> {
        let Some((commit, name)) = self.kept_list(index, values)? else { return Ok(None) };
        Ok(self.view.tables.lists.set(commit, &name).map(|known| known.len()))
    }

    /// About how many documents have this row; those of a rare value are counted, up to [`RARE`].
    fn guess_value(&self, index: Index, value: &[u8]) -> Result<u64, StoreError> {
        match (self.view.kept_count(index, value)?, self.level()) {
            (Some(count), _) => Ok(count),
            // A sample has too few of the rows to tell.
            (None, Some(_)) => Ok(RARE),
            (None, None) => {
                let mut count = 0;
                for row in self.equal(index, value, 0, u64::MAX, Way::Up)?.take(RARE as usize) {
                    row?;
                    count += 1;
                }
                Ok(count)
            }
        }
    }

    /// About how many documents name those that satisfy `to`. Many may name one, so these are looked up where they are found with few
    /// rows.
    fn guess_linking(&self, by: &Links<'_>, to: &Node<'_>, far: Guess) -> Result<u64, StoreError> {
        if let Some(known) = by.known.borrow().linking {
            return Ok(known);
        }
        let looked_up = match far.rows <= FAR_ROWS {
            true => self.attempt(None, 2 * FAR_ROWS, |reader| reader.count_linking(by, &reader.whole_set(to)?))?,
            false => None,
        };
        let linking = looked_up.unwrap_or_else(|| far.hits.saturating_mul(LINKS));
        by.known.borrow_mut().linking = Some(linking);
        Ok(linking)
    }

    /// About how many rows name these documents, from kept numbers.
    fn count_linking(&self, by: &Links<'_>, far: &RoaringTreemap) -> Result<u64, StoreError> {
        let step = (far.len() as usize).div_ceil(VALUES_LOOKED_UP).max(1);
        let mut sum: u64 = 0;
        for number in far.iter().step_by(step) {
            for name in self.names_of(number, by)? {
                for index in by.links {
                    sum = sum.saturating_add(self.view.kept_count(*index, &name)?.unwrap_or(LINKS));
                }
            }
        }
        Ok(sum.saturating_mul(step as u64))
    }

    fn guess_conjunction(&self, nodes: &[Node<'_>]) -> Result<Guess, StoreError> {
        let mut least = Guess::same(self.documents_in_all()?);
        let positive = nodes.iter().filter(|node| !matches!(node, Node::Not(_)));
        let (ranges, others): (Vec<_>, Vec<_>) = positive.partition(|node| is_dear_to_guess(node));
        for node in others.into_iter().chain(ranges) {
            if least.rows > CHEAP || !is_dear_to_guess(node) {
                let part = self.guess_of_all(node)?;
                least = Guess { rows: least.rows.min(part.rows), hits: least.hits.min(part.hits) };
            }
        }
        // What is found by one part is looked for in the other lists, or checked.
        let check = match nodes.iter().all(Node::is_of_rows) {
            true => (nodes.len() as u64 - 1) * (1 + SEEK_ROWS),
            false => PROBE_ROWS,
        };
        Ok(Guess { rows: least.rows.saturating_add(least.hits.saturating_mul(check)), hits: least.hits })
    }

    /// The parts with a guess of what finding them touches, those that are cheap to find first. Ranges are not looked at beside a part
    /// that is cheap in any case, and then come last.
    pub(super) fn by_cost<'n, 'f>(&self, nodes: Vec<&'n Node<'f>>) -> Result<Vec<&'n Node<'f>>, StoreError> {
        if nodes.len() < 2 {
            return Ok(nodes);
        }
        let (ranges, others): (Vec<_>, Vec<_>) = nodes.into_iter().partition(|node| is_dear_to_guess(node));
        let mut parts = Vec::new();
        for node in others {
            parts.push((self.guess(node)?.rows, node));
        }
        let least = parts.iter().map(|(rows, _)| *rows).min().unwrap_or(u64::MAX);
        for node in ranges {
            parts.push((if least > CHEAP { self.guess(node)?.rows } else { u64::MAX }, node));
        }
        // Of parts that look alike the last: the first of a search is mostly its collection.
        parts.reverse();
        parts.sort_by_key(|(rows, _)| *rows);
        Ok(parts.into_iter().map(|(_, node)| node).collect())
    }

    fn guess_range(&self, wanted: &Match) -> Result<Guess, StoreError> {
        if let Some(known) = self.ranges.borrow().get(wanted) {
            return Ok(*known);
        }
        let guess = self.sample_range(wanted)?;
        self.ranges.borrow_mut().insert(wanted.clone(), guess);
        Ok(guess)
    }

    /// From the coarsest sample that has enough rows in the range.
    fn sample_range(&self, wanted: &Match) -> Result<Guess, StoreError> {
        let mut guess = Guess::same(0);
        for level in 0..SAMPLE_SHARES.len() as u8 {
            let sample = self.sample(level);
            let (mut rows, mut hits) = (0, 0);
            for row in sample.range(wanted)?.take(SAMPLED_MAX) {
                let (value, _) = row?;
                rows += 1;
                hits += u64::from(wanted.test.as_ref().is_none_or(|test| test.accepts(value)));
            }
            self.spend(sample)?;
            // One more: a sample that has none does not say that there are none.
            guess = Guess { rows: (rows + 1) * share(level), hits: (hits + 1) * share(level) };
            if rows >= ENOUGH {
                break;
            }
        }
        Ok(guess)
    }

    /// About how many rows an index has, if each of its documents has one.
    pub(super) fn guess_index(&self, index: Index) -> Result<u64, StoreError> {
        match simplify::of_index(self.view, index)? {
            Some(collection) => simplify::documents(self.view, collection),
            None => self.documents_in_all(),
        }
    }

    pub(super) fn documents_in_all(&self) -> Result<u64, StoreError> {
        Ok(self.view.tables.current.len(self.view.txn)?)
    }
}

/// Whether a guess means reading a sample.
fn is_dear_to_guess(node: &Node<'_>) -> bool {
    !matches!(node, Node::Everything | Node::Nothing | Node::Equal(..) | Node::OneOf(..) | Node::Word(..))
}
