//! A filter made ready to run: flattened, with constants folded away.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::rc::Rc;

use roaring::RoaringTreemap;

use super::simplify::FrequentRow;
use crate::{Filter, Index, Match, Range, StoreError, VALUE_MAX};

#[derive(Clone, Debug)]
pub(super) enum Node<'f> {
    Everything,
    Nothing,
    /// At least two, none of them `All` or a constant.
    All(Vec<Node<'f>>),
    /// At least two, none of them `Any` or a constant.
    Any(Vec<Node<'f>>),
    Not(Box<Node<'f>>),
    /// Documents with this very row.
    Equal(Index, &'f [u8]),
    /// Documents with one of these rows at least; the values, two or more, are sorted. Following references makes thousands of them.
    OneOf(Index, Vec<&'f [u8]>),
    Match(&'f Match),
    /// These documents, which are those with a word of the index: found before anything else, at a cost that hardly depends on how many
    /// they are.
    Word(Index, Rc<RoaringTreemap>),
    /// [`Filter::LinksTo`].
    LinksTo(Links<'f>, Box<Node<'f>>),
    /// [`Filter::LinkedFrom`].
    LinkedFrom(Links<'f>, Box<Node<'f>>),
}

/// How documents name one another, see [`Filter::LinksTo`].
#[derive(Clone, Debug)]
pub(super) struct Links<'f> {
    pub(super) links: &'f [Index],
    pub(super) names: &'f [Index],
    /// Which documents on the far side were looked at, so that each is looked at once.
    pub(super) known: Rc<RefCell<Known>>,
}

/// What was found out about the far side of a join.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) accepted: RoaringTreemap,
    pub(super) refused: RoaringTreemap,
    /// About how many documents name one that is accepted, once that was guessed.
    pub(super) linking: Option<u64>,
}

impl<'f> Links<'f> {
    fn new(links: &'f [Index], names: &'f [Index]) -> Links<'f> {
        Links { links, names, known: Rc::default() }
    }
}

/// Finds the documents with all of some words.
type Words<'w> = &'w dyn Fn(Index, Vec<&[u8]>) -> Result<Rc<RoaringTreemap>, StoreError>;

impl<'f> Node<'f> {
    pub(super) fn new(filter: &'f Filter, words: Words<'_>) -> Result<Node<'f>, StoreError> {
        let each = |filters: &'f [Filter]| {
            let nodes = filters.iter().map(|filter| Node::new(filter, words));
            nodes.collect::<Result<Vec<_>, StoreError>>().map(Vec::into_iter)
        };
        Ok(match filter {
            Filter::All(filters) => Node::conjoined(filters, words)?,
            Filter::Any(filters) => Node::any(each(filters)?),
            Filter::Not(filter) => Node::new(filter, words)?.not(),
            Filter::Match(wanted) => Node::matching(wanted),
            Filter::OneOf { index, values } => Node::having_one_of(*index, values),
            Filter::Word { index, word } => Node::having_words(*index, vec![word.as_slice()], words)?,
            Filter::LinksTo { links, names, to } => {
                Node::joined(Node::LinksTo, Links::new(links, names), Node::new(to, words)?)
            }
            Filter::LinkedFrom { links, names, from } => {
                Node::joined(Node::LinkedFrom, Links::new(links, names), Node::new(from, words)?)
            }
        })
    }

    fn having_one_of(index: Index, values: &'f [Vec<u8>]) -> Node<'f> {
        let mut values: Vec<_> = values.iter().map(Vec::as_slice).filter(|value| value.len() <= VALUE_MAX).collect();
        match values.len() {
            0 => Node::Nothing,
            1 => Node::Equal(index, values.remove(0)),
            _ => Node::OneOf(index, values),
        }
    }

    /// The words of one index are looked up together: few documents have all of them.
    fn conjoined(filters: &'f [Filter], words: Words<'_>) -> Result<Node<'f>, StoreError> {
        let mut wanted = BTreeMap::<Index, Vec<&[u8]>>::new();
        let mut nodes = Vec::new();
        for filter in filters {
            match filter {
                Filter::Word { index, word } => wanted.entry(*index).or_default().push(word),
                filter => nodes.push(Node::new(filter, words)?),
            }
        }
        for (index, wanted) in wanted {
            nodes.push(Node::having_words(index, wanted, words)?);
        }
        Ok(Node::all(nodes.into_iter()))
    }

    fn having_words(index: Index, wanted: Vec<&[u8]>, words: Words<'_>) -> Result<Node<'f>, StoreError> {
        let set = words(index, wanted)?;
        Ok(if set.is_empty() { Node::Nothing } else { Node::Word(index, set) })
    }

    /// A join to documents that satisfy `far`.
    pub(super) fn joined(join: fn(Links<'f>, Box<Node<'f>>) -> Node<'f>, links: Links<'f>, far: Node<'f>) -> Node<'f> {
        match far {
            Node::Nothing => Node::Nothing,
            far => join(links, Box::new(far)),
        }
    }

    pub(super) fn all(nodes: impl Iterator<Item = Node<'f>>) -> Node<'f> {
        let mut parts = Vec::new();
        for node in nodes {
            match node {
                Node::Everything => {}
                Node::Nothing => return Node::Nothing,
                Node::All(inner) => parts.extend(inner),
                node => parts.push(node),
            }
        }
        gather_words(&mut parts, |set, other| *set &= other);
        if parts.iter().any(|part| matches!(part, Node::Word(_, set) if set.is_empty())) {
            return Node::Nothing;
        }
        match parts.len() {
            0 => Node::Everything,
            1 => parts.remove(0),
            _ => Node::All(parts),
        }
    }

    pub(super) fn any(nodes: impl Iterator<Item = Node<'f>>) -> Node<'f> {
        let mut parts = Vec::new();
        for node in nodes {
            match node {
                Node::Nothing => {}
                Node::Everything => return Node::Everything,
                Node::Any(inner) => parts.extend(inner),
                node => parts.push(node),
            }
        }
        gather_values(&mut parts);
        gather_words(&mut parts, |set, other| *set |= other);
        match parts.len() {
            0 => Node::Nothing,
            1 => parts.remove(0),
            _ => Node::Any(parts),
        }
    }

    pub(super) fn not(self) -> Node<'f> {
        match self {
            Node::Everything => Node::Nothing,
            Node::Nothing => Node::Everything,
            Node::Not(node) => *node,
            node => Node::Not(Box::new(node)),
        }
    }

    fn matching(wanted: &'f Match) -> Node<'f> {
        match wanted.range.one_value() {
            Some(value) if value.len() > VALUE_MAX || !wanted.accepts(value) => Node::Nothing,
            Some(value) => Node::Equal(wanted.index, value),
            None if is_empty(wanted.range.low.as_ref(), wanted.range.high.as_ref()) => Node::Nothing,
            None => Node::Match(wanted),
        }
    }

    /// The index that it is about, the first if it is about several.
    pub(super) fn index(&self) -> Option<Index> {
        match self {
            Node::Everything | Node::Nothing => None,
            Node::All(nodes) | Node::Any(nodes) => nodes.first()?.index(),
            Node::Not(node) => node.index(),
            Node::Equal(index, _) | Node::OneOf(index, _) | Node::Word(index, _) => Some(*index),
            Node::Match(wanted) => Some(wanted.index),
            Node::LinksTo(by, _) | Node::LinkedFrom(by, _) => by.links.first().copied(),
        }
    }

    /// The single rows that each of its documents has, as far as is easily seen.
    pub(super) fn rows(&self) -> Vec<FrequentRow<'f>> {
        let row = |part: &Node<'f>| match part {
            Node::Equal(index, value) => Some((*index, *value)),
            _ => None,
        };
        self.conjunction().iter().filter_map(row).collect()
    }

    /// Whether its documents are just those with one row, or with all of several.
    pub(super) fn is_of_rows(&self) -> bool {
        self.conjunction().iter().all(|part| matches!(part, Node::Equal(..)))
    }

    /// Whether its documents are found by rows of their own.
    pub(super) fn is_found_by_rows(&self) -> bool {
        match self {
            Node::Equal(..) | Node::OneOf(..) | Node::Match(_) | Node::Word(..) => true,
            Node::Any(nodes) => nodes.iter().all(Node::is_found_by_rows),
            _ => false,
        }
    }

    /// Whether other documents decide which ones satisfy this.
    pub(super) fn is_joined(&self) -> bool {
        match self {
            Node::LinksTo(..) | Node::LinkedFrom(..) => true,
            Node::All(nodes) | Node::Any(nodes) => nodes.iter().any(Node::is_joined),
            Node::Not(node) => node.is_joined(),
            Node::Everything | Node::Nothing | Node::Equal(..) | Node::OneOf(..) | Node::Match(_) | Node::Word(..) => {
                false
            }
        }
    }

    /// The parts that all must hold.
    pub(super) fn conjunction(&self) -> &[Node<'f>] {
        match self {
            Node::All(nodes) => nodes,
            node => std::slice::from_ref(node),
        }
    }

    /// Whether only documents with a row in one of the indexes can satisfy this, as far as is easily seen.
    pub(super) fn requires(&self, indexes: &[Index]) -> bool {
        match self {
            Node::Everything | Node::Nothing | Node::Not(_) | Node::Word(..) => false,
            Node::All(nodes) => nodes.iter().any(|node| node.requires(indexes)),
            Node::Any(nodes) => nodes.iter().all(|node| node.requires(indexes)),
            Node::Equal(index, _) | Node::OneOf(index, _) => indexes.contains(index),
            Node::Match(wanted) => indexes.contains(&wanted.index),
            Node::LinksTo(by, _) => by.links.iter().all(|link| indexes.contains(link)),
            Node::LinkedFrom(..) => false,
        }
    }
}

/// Bounds on values.
pub(super) type Span<'s> = (Bound<&'s [u8]>, Bound<&'s [u8]>);

impl Node<'_> {
    /// Bounds on the values of the row that documents which satisfy this have in an index, if they have just one there.
    pub(super) fn span_of_only_row(&self, index: Index) -> Option<Span<'_>> {
        let spans = self.conjunction().iter().filter_map(|part| part.span(index));
        // Nothing is found where two have nothing in common, and so also not in one of them.
        spans.reduce(|a, b| common(a, b).unwrap_or(a))
    }

    /// Bounds on the values of those rows in an index by which documents satisfy this, when it is about nothing else.
    fn span(&self, index: Index) -> Option<Span<'_>> {
        match self {
            Node::Equal(at, value) if *at == index => Some((Bound::Included(value), Bound::Included(value))),
            Node::OneOf(at, values) if *at == index => {
                Some((Bound::Included(values.first()?), Bound::Included(values.last()?)))
            }
            Node::Match(wanted) if wanted.index == index => Some(span_of(&wanted.range)),
            Node::Any(nodes) => {
                let spans = nodes.iter().map(|node| node.span(index)).collect::<Option<Vec<_>>>()?;
                spans.into_iter().reduce(|a, b| (outer(a.0, b.0, Ordering::Less), outer(a.1, b.1, Ordering::Greater)))
            }
            _ => None,
        }
    }
}

/// Of two bounds on one side the one that lets more pass; of two ends it is the one that compares as `outward` with the other.
fn outer<'s>(a: Bound<&'s [u8]>, b: Bound<&'s [u8]>, outward: Ordering) -> Bound<&'s [u8]> {
    match (a, b) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => Bound::Unbounded,
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => match x.cmp(y) {
            Ordering::Equal if matches!(a, Bound::Included(_)) => a,
            order if order == outward => a,
            _ => b,
        },
    }
}

fn span_of(range: &Range) -> Span<'_> {
    (range.low.as_ref().map(Vec::as_slice), range.high.as_ref().map(Vec::as_slice))
}

/// The part of a range that lies within the bounds, if there is one.
pub(super) fn part_within(range: &Range, span: Span<'_>) -> Option<Range> {
    common(span_of(range), span)
        .map(|(low, high)| Range { low: low.map(<[u8]>::to_vec), high: high.map(<[u8]>::to_vec) })
}

/// The values within both bounds, unless there can be none.
fn common<'s>(a: Span<'s>, b: Span<'s>) -> Option<Span<'s>> {
    let inner = |a, b, outward| if outer(a, b, outward) == a { b } else { a };
    let (low, high) = (inner(a.0, b.0, Ordering::Less), inner(a.1, b.1, Ordering::Greater));
    (!is_empty(low, high)).then_some((low, high))
}

/// Puts single values of one index together.
fn gather_values(parts: &mut Vec<Node<'_>>) {
    let mut values = BTreeMap::<Index, Vec<&[u8]>>::new();
    parts.retain_mut(|part| match part {
        Node::Equal(index, value) => {
            values.entry(*index).or_default().push(value);
            false
        }
        Node::OneOf(index, more) => {
            values.entry(*index).or_default().append(more);
            false
        }
        _ => true,
    });
    for (index, mut values) in values {
        values.sort_unstable();
        values.dedup();
        parts.push(match values.as_slice() {
            [value] => Node::Equal(index, value),
            _ => Node::OneOf(index, values),
        });
    }
}

/// Puts the sets of words of one index together; they come first, as nothing is easier to check.
fn gather_words(parts: &mut Vec<Node<'_>>, join: impl Fn(&mut RoaringTreemap, &RoaringTreemap)) {
    let mut sets = BTreeMap::<Index, Rc<RoaringTreemap>>::new();
    parts.retain(|part| {
        let Node::Word(index, set) = part else { return true };
        match sets.entry(*index) {
            Entry::Occupied(mut known) => join(Rc::make_mut(known.get_mut()), set),
            Entry::Vacant(vacant) => drop(vacant.insert(set.clone())),
        }
        false
    });
    parts.splice(0..0, sets.into_iter().map(|(index, set)| Node::Word(index, set)));
}

/// Ranges turned inside out; the engine must not see them.
fn is_empty<T: Ord>(low: Bound<T>, high: Bound<T>) -> bool {
    match (low, high) {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (Bound::Included(low) | Bound::Excluded(low), Bound::Excluded(high) | Bound::Included(high)) => low >= high,
    }
}
