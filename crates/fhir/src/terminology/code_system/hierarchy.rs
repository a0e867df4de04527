//! Which concept stands below which, labeled so that any two are compared without walking.
//!
//! Every concept is numbered in the order of a walk from the top, so that those below it by the walk's own tree are one span of
//! numbers. What else stands below it, by its other parents, is a short list of further spans.

use std::ops::Range;

/// How many spans labeling may look at. Clinical terminologies need a few for each concept; what needs more is compared by walking.
const SPANS_MAX: usize = 20_000_000;

/// Links between concepts, each named by its position; never in a circle.
#[derive(Clone, Default)]
pub(super) struct Hierarchy {
    parents: Lists<u32>,
    children: Lists<u32>,
    /// Of each concept: its number and those below it in the walk's tree.
    own: Vec<Range<u32>>,
    /// The concepts in the order of their numbers.
    order: Vec<u32>,
    /// Of each concept: further spans of numbers below it, in order, apart from each other. `None` where they were too many.
    further: Option<Lists<Range<u32>>>,
}

/// A list for each concept, all in one piece of memory.
#[derive(Clone)]
pub(super) struct Lists<T> {
    ends: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Lists<T> {
        Lists { ends: Vec::new(), items: Vec::new() }
    }
}

impl<T> Lists<T> {
    /// Lists of `count` concepts from items that are sorted by the concept they belong to.
    pub(super) fn new(count: usize, items: impl Iterator<Item = (u32, T)>) -> Lists<T> {
        let mut lists = Lists { ends: Vec::with_capacity(count), items: Vec::new() };
        for (owner, item) in items {
            lists.open(owner);
            lists.items.push(item);
        }
        lists.open(count as u32);
        lists.items.shrink_to_fit();
        lists
    }

    /// Ends the lists before that of `owner`.
    fn open(&mut self, owner: u32) {
        while self.ends.len() < owner as usize {
            self.ends.push(self.items.len() as u32);
        }
    }

    pub(super) fn of(&self, owner: u32) -> &[T] {
        let Some(end) = self.ends.get(owner as usize) else { return &[] };
        let start = owner.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.items[start as usize..*end as usize]
    }

    /// All items with their owners, in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..self.ends.len() as u32).flat_map(|owner| self.of(owner).iter().map(move |item| (owner, item)))
    }
}

impl Hierarchy {
    /// The hierarchy of `count` concepts by pairs of child and parent. A link that would close a circle is left out.
    pub(super) fn new(count: usize, mut links: Vec<(u32, u32)>) -> Hierarchy {
        links.retain(|(child, parent)| child != parent);
        links.sort_unstable();
        links.dedup();
        let mut hierarchy = Hierarchy::linked(count, &links);
        let mut circles = hierarchy.walk();
        if !circles.is_empty() {
            circles.sort_unstable();
            links.retain(|link| circles.binary_search(link).is_err());
            hierarchy = Hierarchy::linked(count, &links);
            hierarchy.walk();
        }
        hierarchy
    }

    fn linked(count: usize, links: &[(u32, u32)]) -> Hierarchy {
        let mut turned: Vec<_> = links.iter().map(|(child, parent)| (*parent, *child)).collect();
        turned.sort_unstable();
        Hierarchy {
            parents: Lists::new(count, links.iter().copied()),
            children: Lists::new(count, turned.into_iter()),
            own: vec![0..0; count],
            ..Hierarchy::default()
        }
    }

    /// Numbers and labels the concepts; gives back the links that close circles.
    fn walk(&mut self) -> Vec<(u32, u32)> {
        let count = self.own.len() as u32;
        let mut walk = Walk { spans: vec![Vec::new(); count as usize], ..Walk::default() };
        // Concepts of which no top is reached, since they stand in a circle, are begun with after all others.
        let tops = (0..count).filter(|at| self.parents.of(*at).is_empty()).collect::<Vec<_>>();
        for top in tops.into_iter().chain(0..count) {
            if self.own[top as usize].is_empty() {
                self.walk_from(top, &mut walk);
            }
        }
        let is_labeled = walk.count <= SPANS_MAX;
        let spans =
            walk.spans.into_iter().zip(0..).flat_map(|(spans, at)| spans.into_iter().map(move |span| (at, span)));
        self.further = is_labeled.then(|| Lists::new(count as usize, spans));
        walk.circles
    }

    fn walk_from(&mut self, top: u32, walk: &mut Walk) {
        let mut stack = vec![(top, 0)];
        self.enter(top);
        while let Some((at, next)) = stack.last_mut() {
            let at = *at;
            let Some(child) = self.children.of(at).get(*next).copied() else {
                stack.pop();
                self.leave(at, walk);
                continue;
            };
            *next += 1;
            let own = &self.own[child as usize];
            if own.is_empty() {
                self.enter(child);
                stack.push((child, 0));
            } else if own.end == u32::MAX {
                walk.circles.push((child, at));
            }
        }
    }

    fn enter(&mut self, at: u32) {
        // The end is set when it is left; until then it stands for "on the way".
        self.own[at as usize] = self.order.len() as u32..u32::MAX;
        self.order.push(at);
    }

    /// All below it are labeled: its spans are its own and those of its children.
    fn leave(&mut self, at: u32, walk: &mut Walk) {
        let own = self.own[at as usize].start..self.order.len() as u32;
        self.own[at as usize] = own.clone();
        let mut spans: Vec<Range<u32>> = Vec::new();
        for child in self.children.of(at) {
            walk.count += 1 + walk.spans[*child as usize].len();
            if walk.count > SPANS_MAX {
                return;
            }
            let below = std::iter::once(&self.own[*child as usize]).chain(&walk.spans[*child as usize]);
            spans.extend(below.filter(|span| span.end != u32::MAX && !holds(&own, span)).cloned());
        }
        spans.sort_unstable_by_key(|span| span.start);
        let mut merged: Vec<Range<u32>> = Vec::new();
        for span in spans {
            match merged.last_mut().filter(|last| last.end >= span.start) {
                Some(last) => last.end = last.end.max(span.end),
                None => merged.push(span),
            }
        }
        merged.shrink_to_fit();
        walk.spans[at as usize] = merged;
    }

    /// The concepts just above one.
    pub(super) fn parents(&self, at: u32) -> &[u32] {
        self.parents.of(at)
    }

    /// The concepts just below one.
    pub(super) fn children(&self, at: u32) -> &[u32] {
        self.children.of(at)
    }

    /// Whether one stands below another, by any way.
    pub(super) fn is_below(&self, below: u32, above: u32) -> bool {
        let (Some(own), Some(number)) = (self.own.get(above as usize), self.own.get(below as usize)) else {
            return false;
        };
        let number = number.start;
        if own.contains(&number) {
            return below != above;
        }
        match &self.further {
            Some(further) => {
                let spans = further.of(above);
                let after = spans.partition_point(|span| span.start <= number);
                after.checked_sub(1).is_some_and(|last| spans[last].contains(&number))
            }
            None => self.above(below).contains(&above),
        }
    }

    /// The concepts below one, each once.
    pub(super) fn below(&self, at: u32) -> Vec<u32> {
        match &self.further {
            Some(further) => {
                let own = self.own.get(at as usize).map_or(0..0, |own| own.start + 1..own.end);
                let spans = std::iter::once(&own).chain(further.of(at));
                spans.flat_map(|span| &self.order[span.start as usize..span.end as usize]).copied().collect()
            }
            None => self.reach(at, &self.children),
        }
    }

    /// How many stand below one.
    pub(super) fn count_below(&self, at: u32) -> usize {
        match &self.further {
            Some(further) => {
                let own = self.own.get(at as usize).map_or(0, |own| own.len() - 1);
                own + further.of(at).iter().map(ExactSizeIterator::len).sum::<usize>()
            }
            None => self.below(at).len(),
        }
    }

    /// The concepts above one, nearest first, each once.
    pub(super) fn above(&self, at: u32) -> Vec<u32> {
        self.reach(at, &self.parents)
    }

    fn reach(&self, start: u32, next: &Lists<u32>) -> Vec<u32> {
        let mut found: Vec<u32> = next.of(start).to_vec();
        let mut seen: rustc_hash::FxHashSet<u32> = found.iter().copied().collect();
        let mut done = 0;
        while let Some(at) = found.get(done).copied() {
            found.extend(next.of(at).iter().copied().filter(|other| seen.insert(*other)));
            done += 1;
        }
        found
    }

    /// All links, child and parent, sorted.
    pub(super) fn links(&self) -> impl Iterator<Item = (u32, u32)> {
        self.parents.pairs().map(|(child, parent)| (child, *parent))
    }
}

/// What a walk has found so far.
#[derive(Default)]
struct Walk {
    spans: Vec<Vec<Range<u32>>>,
    /// How many were looked at.
    count: usize,
    circles: Vec<(u32, u32)>,
}

fn holds(outer: &Range<u32>, inner: &Range<u32>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
