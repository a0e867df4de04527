//! Filters that are checked here, on many documents at once: what the database cannot check, and what has so many alternatives that it
//! would take too long.

use std::collections::BTreeSet;

use super::condition::{Condition, single_rows};
use super::joins::Join;
use super::reader::{Met, Reader};
use crate::find::by_rows;
use crate::mongodb::homes::Known;
use crate::{Filter, Match, StoreError};

/// How many values of one list weigh as much as a condition of its own.
const LISTED: usize = 256;

/// A filter, with what follows from the indexes that nothing has a row in folded away.
pub(super) enum Tree<'f> {
    Everything,
    Nothing,
    /// At least two, those without joins first.
    All(Vec<Tree<'f>>),
    /// The same.
    Any(Vec<Tree<'f>>),
    Not(Box<Tree<'f>>),
    /// A [`Filter::Match`] or [`Filter::OneOf`].
    Row(&'f Filter),
    Join(Box<Join<'f>>),
}

impl<'f> Tree<'f> {
    /// `None` where it rests on words, which are not read with candidates.
    pub(super) fn new(known: &Known, filter: &'f Filter) -> Option<Tree<'f>> {
        let each = |filters: &'f [Filter]| {
            let mut trees = filters.iter().map(|filter| Tree::new(known, filter)).collect::<Option<Vec<_>>>()?;
            trees.sort_by_key(Tree::has_join);
            Some(trees)
        };
        Some(match filter {
            Filter::All(filters) => Tree::all(each(filters)?),
            Filter::Any(filters) => Tree::any(each(filters)?),
            Filter::Not(filter) => Tree::new(known, filter)?.not(),
            Filter::Match(Match { index, .. }) | Filter::OneOf { index, .. } => match known.may_have(*index) {
                true => Tree::Row(filter),
                false => Tree::Nothing,
            },
            Filter::Word { .. } => return None,
            Filter::LinksTo { links, names, to } => Tree::Join(Box::new(Join::new(links, names, to, true))),
            Filter::LinkedFrom { links, names, from } => Tree::Join(Box::new(Join::new(links, names, from, false))),
        })
    }

    pub(super) fn not(self) -> Tree<'f> {
        match self {
            Tree::Everything => Tree::Nothing,
            Tree::Nothing => Tree::Everything,
            Tree::Not(tree) => *tree,
            tree => Tree::Not(Box::new(tree)),
        }
    }

    fn all(mut trees: Vec<Tree<'f>>) -> Tree<'f> {
        trees.retain(|tree| !matches!(tree, Tree::Everything));
        match trees.len() {
            _ if trees.iter().any(|tree| matches!(tree, Tree::Nothing)) => Tree::Nothing,
            0 => Tree::Everything,
            1 => trees.remove(0),
            _ => Tree::All(trees),
        }
    }

    fn any(mut trees: Vec<Tree<'f>>) -> Tree<'f> {
        trees.retain(|tree| !matches!(tree, Tree::Nothing));
        match trees.len() {
            _ if trees.iter().any(|tree| matches!(tree, Tree::Everything)) => Tree::Everything,
            0 => Tree::Nothing,
            1 => trees.remove(0),
            _ => Tree::Any(trees),
        }
    }

    pub(super) fn has_join(&self) -> bool {
        match self {
            Tree::Everything | Tree::Nothing | Tree::Row(_) => false,
            Tree::All(trees) | Tree::Any(trees) => trees.iter().any(Tree::has_join),
            Tree::Not(tree) => tree.has_join(),
            Tree::Join(_) => true,
        }
    }

    /// Whether the database can check it in the query, without anything being found before.
    pub(super) fn is_of_queries(&self) -> bool {
        match self {
            Tree::Everything | Tree::Nothing => true,
            Tree::All(trees) | Tree::Any(trees) => trees.iter().all(Tree::is_of_queries),
            Tree::Not(tree) => tree.is_of_queries(),
            Tree::Row(Filter::Match(wanted)) => Condition::matching(wanted).1,
            Tree::Row(_) => true,
            Tree::Join(_) => false,
        }
    }

    /// About how many conditions the database would have to check.
    pub(super) fn weight(&self) -> usize {
        match self {
            Tree::Everything | Tree::Nothing => 0,
            Tree::All(trees) => trees.iter().map(Tree::weight).sum(),
            Tree::Any(trees) => {
                let singles = trees.iter().filter(|tree| tree.is_single()).count();
                let others = trees.iter().filter(|tree| !tree.is_single()).map(Tree::weight).sum::<usize>();
                others + singles.div_ceil(LISTED)
            }
            Tree::Not(tree) => tree.weight(),
            Tree::Row(Filter::OneOf { values, .. }) => 1 + values.len() / LISTED,
            Tree::Row(_) | Tree::Join(_) => 1,
        }
    }

    /// Whether it is satisfied by documents with one of some rows, and by no others.
    pub(super) fn is_of_rows(&self) -> bool {
        match self {
            Tree::Row(Filter::OneOf { .. }) => true,
            Tree::Any(trees) => trees.iter().all(Tree::is_of_rows),
            tree => tree.is_single(),
        }
    }

    fn is_single(&self) -> bool {
        matches!(self, Tree::Row(Filter::Match(Match { range, .. })) if range.one_value().is_some())
    }

    /// The texts of rows one of which each document has that satisfies this; `None` where that is not easily seen.
    pub(super) fn texts(&self) -> Option<BTreeSet<String>> {
        match self {
            Tree::Row(filter) => {
                let (texts, others) = single_rows(std::slice::from_ref(*filter));
                others.is_empty().then_some(texts)
            }
            Tree::Any(trees) => {
                let texts = trees.iter().map(Tree::texts).collect::<Option<Vec<_>>>()?;
                Some(texts.into_iter().flatten().collect())
            }
            Tree::All(trees) => trees.iter().filter_map(Tree::texts).min_by_key(BTreeSet::len),
            Tree::Nothing => Some(BTreeSet::new()),
            Tree::Everything | Tree::Not(_) | Tree::Join(_) => None,
        }
    }

    /// Which of these satisfy it, one answer for each.
    pub(super) fn accepts(&mut self, reader: &mut Reader<'_>, met: &[&Met]) -> Result<Vec<bool>, StoreError> {
        match self {
            Tree::Everything => Ok(vec![true; met.len()]),
            Tree::Nothing => Ok(vec![false; met.len()]),
            Tree::All(trees) => settle(reader, trees, met, false),
            Tree::Any(trees) => settle(reader, trees, met, true),
            Tree::Not(tree) => Ok(tree.accepts(reader, met)?.into_iter().map(|accepted| !accepted).collect()),
            Tree::Row(filter) => {
                Ok(met.iter().map(|met| by_rows(filter, &met.pairs().collect::<Vec<_>>()).unwrap_or(false)).collect())
            }
            Tree::Join(join) => join.accepts(reader, met),
        }
    }

    /// Leaves those that satisfy it.
    pub(super) fn sift(&mut self, reader: &mut Reader<'_>, met: &mut Vec<Met>) -> Result<(), StoreError> {
        let mut accepted = self.accepts(reader, &met.iter().collect::<Vec<_>>())?.into_iter();
        met.retain(|_| accepted.next().unwrap_or(false));
        Ok(())
    }
}

/// Asks one part after the other about those that no part before has settled: an answer `settles` ends it, and without such an answer
/// it is the other one.
fn settle(
    reader: &mut Reader<'_>,
    trees: &mut [Tree<'_>],
    met: &[&Met],
    settles: bool,
) -> Result<Vec<bool>, StoreError> {
    let mut answers = vec![!settles; met.len()];
    let mut open: Vec<usize> = (0..met.len()).collect();
    for tree in trees {
        if open.is_empty() {
            break;
        }
        let asked: Vec<_> = open.iter().map(|at| met[*at]).collect();
        let mut said = tree.accepts(reader, &asked)?.into_iter();
        open.retain(|at| {
            let is_settled = said.next() == Some(settles);
            answers[*at] ^= is_settled;
            !is_settled
        });
    }
    Ok(answers)
}
