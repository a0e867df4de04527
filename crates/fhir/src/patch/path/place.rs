//! Where an element stands in its resource, and changing what stands there. A primitive stands in two places at once: its value,
//! and beside it, under the name with an underscore, its id and extensions.

use rustc_hash::FxHashSet;

use crate::json::{Document, Kind, Node, Value};

/// A step down from the root.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Member(String),
    Item(usize),
}

/// An element's place: the object around it, its JSON name there, and its index if it may repeat.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) parent: Vec<Step>,
    pub(super) name: String,
    pub(super) index: Option<usize>,
}

/// What an element is written as: the value and what stands beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) value: Option<Value>,
    pub(super) sibling: Option<Value>,
}

/// The steps from the root to a value.
pub(super) fn steps(document: &Document, target: Node<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut node = document.root();
    while node.position() != target.position() {
        let holds =
            |child: Node<'_>| child.span().start <= target.span().start && target.span().end <= child.span().end;
        let found = match node.kind() {
            Kind::Object => {
                let found = node.members().find(|(_, child)| holds(*child));
                found.map(|(name, child)| (Step::Member(name.to_owned()), child))
            }
            _ => {
                let found = node.items().enumerate().find(|(_, child)| holds(*child));
                found.map(|(index, child)| (Step::Item(index), child))
            }
        };
        let Some((step, child)) = found else { break };
        steps.push(step);
        node = child;
    }
    steps
}

impl Place {
    /// The place that steps lead to; `None` for the root.
    pub(super) fn of(mut steps: Vec<Step>) -> Option<Place> {
        let index = match steps.last()? {
            Step::Item(index) => Some(*index),
            Step::Member(_) => None,
        };
        if index.is_some() {
            steps.pop();
        }
        let Some(Step::Member(name)) = steps.pop() else { return None };
        // What stands beside a value is at the value's place.
        let name = name.strip_prefix('_').map_or(name.clone(), str::to_owned);
        Some(Place { parent: steps, name, index })
    }

    fn names(&self) -> [String; 2] {
        [self.name.clone(), format!("_{}", self.name)]
    }

    /// The positions in the document of all items of the list that the place is in, and of what stands beside them.
    pub(super) fn items(&self, document: &Document) -> FxHashSet<u32> {
        let mut parent = Some(document.root());
        for step in &self.parent {
            parent = parent.and_then(|node| match step {
                Step::Member(name) => node.get(name),
                Step::Item(index) => node.items().nth(*index),
            });
        }
        let names = self.names();
        let lists = parent.into_iter().flat_map(|parent| names.iter().filter_map(move |name| parent.get(name)));
        lists.flat_map(Node::items).map(Node::position).collect()
    }

    /// How many items stand in the list that the place is in.
    pub(super) fn count(&self, root: &Value) -> usize {
        let Some(parent) = get(root, &self.parent) else { return 0 };
        let counts = self.names().map(|name| parent.get(&name).map_or(0, |list| list.items().len()));
        counts[0].max(counts[1])
    }

    /// Whether something stands there.
    pub(super) fn is_there(&self, root: &Value) -> bool {
        let parent = get(root, &self.parent);
        parent.is_some_and(|parent| self.names().iter().any(|name| parent.get(name).is_some()))
    }

    /// The steps to the object beside a value, which is made if there is none.
    pub(super) fn beside(&self, root: &mut Value) -> Vec<Step> {
        let [_, name] = self.names();
        if let Some(parent) = get_mut(root, &self.parent) {
            match self.index {
                None if parent.get(&name).is_none() => parent.set(&name, Value::object()),
                None => {}
                Some(index) => {
                    pad(parent, &name, index + 1);
                    if let Some(Value::Array(items)) = parent.get_mut(&name)
                        && items[index] == Value::Null
                    {
                        items[index] = Value::object();
                    }
                }
            }
        }
        let steps = self.parent.iter().cloned().chain([Step::Member(name)]);
        steps.chain(self.index.map(Step::Item)).collect()
    }

    /// Takes the element away, and each object around it that is left empty.
    pub(super) fn delete(&self, root: &mut Value) {
        let names = self.names();
        if let Some(parent) = get_mut(root, &self.parent) {
            for name in &names {
                match (parent.get_mut(name), self.index) {
                    (Some(Value::Array(items)), Some(index)) if index < items.len() => {
                        items.remove(index);
                    }
                    (Some(_), None) => drop(parent.remove(name)),
                    _ => {}
                }
            }
        }
        tidy(root, &self.parent, &names);
    }

    /// Puts other content in the element's place.
    pub(super) fn replace(&self, root: &mut Value, content: Content) {
        let names = self.names();
        let index = self.index;
        let Some(parent) = get_mut(root, &self.parent) else { return };
        for (name, new) in names.iter().zip([content.value, content.sibling]) {
            match (parent.get_mut(name), index) {
                (Some(Value::Array(items)), Some(index)) if index < items.len() => {
                    items[index] = new.unwrap_or(Value::Null);
                }
                (Some(_), None) if new.is_none() => drop(parent.remove(name)),
                (_, None) => {
                    if let Some(new) = new {
                        parent.set(name, new);
                    }
                }
                (_, Some(index)) => {
                    if let Some(new) = new {
                        insert(parent, name, index, Some(new), true);
                    }
                }
            }
        }
        tidy(root, &self.parent, &names);
    }

    /// Puts an item before the one at `index` of the place's list, or at its end; the list need not be there yet.
    pub(super) fn insert(&self, root: &mut Value, index: usize, content: Content) {
        let names = self.names();
        let count = self.count(root);
        if let Some(parent) = get_mut(root, &self.parent) {
            let [value, sibling] = &names;
            let has = |name: &str, new: &Option<Value>| new.is_some() || parent.get(name).is_some();
            let (has_value, has_sibling) = (has(value, &content.value), has(sibling, &content.sibling));
            for (name, is_there, new) in [(value, has_value, content.value), (sibling, has_sibling, content.sibling)] {
                if is_there {
                    pad(parent, name, count);
                    insert(parent, name, index, new, false);
                }
            }
        }
        tidy(root, &self.parent, &names);
    }

    /// Moves an item inside the place's list.
    pub(super) fn shift(&self, root: &mut Value, from: usize, to: usize) {
        let count = self.count(root);
        let Some(parent) = get_mut(root, &self.parent) else { return };
        for name in self.names() {
            if parent.get(&name).is_some() {
                pad(parent, &name, count);
            }
            if let Some(Value::Array(items)) = parent.get_mut(&name) {
                let item = items.remove(from);
                items.insert(to, item);
            }
        }
        tidy(root, &self.parent, &self.names());
    }
}

/// Fills a list with nulls up to `count` items.
fn pad(parent: &mut Value, name: &str, count: usize) {
    if parent.get(name).is_none() {
        parent.set(name, Value::Array(Vec::new()));
    }
    if let Some(Value::Array(items)) = parent.get_mut(name)
        && items.len() < count
    {
        items.resize(count, Value::Null);
    }
}

fn insert(parent: &mut Value, name: &str, index: usize, new: Option<Value>, is_instead: bool) {
    pad(parent, name, index + usize::from(is_instead));
    if let Some(Value::Array(items)) = parent.get_mut(name) {
        let new = new.unwrap_or(Value::Null);
        match items.get_mut(index).filter(|_| is_instead) {
            Some(item) => *item = new,
            None => items.insert(index.min(items.len()), new),
        }
    }
}

/// Takes away lists that hold nothing, and then each object around them that is left empty.
fn tidy(root: &mut Value, parent: &[Step], names: &[String; 2]) {
    if let Some(parent) = get_mut(root, parent) {
        for name in names {
            let is_void = parent.get(name).is_some_and(|list| match list {
                Value::Array(items) => items.iter().all(|item| *item == Value::Null),
                value => *value == Value::object(),
            });
            if is_void {
                parent.remove(name);
            }
        }
    }
    let is_empty = get(root, parent).is_some_and(|parent| *parent == Value::object());
    if is_empty && let Some(place) = Place::of(parent.to_vec()) {
        // The object may stand beside a value that stays.
        let raw = match &parent[parent.len() - 1 - usize::from(place.index.is_some())] {
            Step::Member(name) => name.clone(),
            Step::Item(_) => return,
        };
        if raw.starts_with('_') {
            let emptied = Place { name: raw, ..place };
            emptied.clear(root);
        } else {
            place.delete(root);
        }
    }
}

impl Place {
    /// Takes away an empty object that stands beside a value, without moving the items after it.
    fn clear(&self, root: &mut Value) {
        let Some(parent) = get_mut(root, &self.parent) else { return };
        match (parent.get_mut(&self.name), self.index) {
            (Some(Value::Array(items)), Some(index)) if index < items.len() => items[index] = Value::Null,
            _ => drop(parent.remove(&self.name)),
        }
        let bare = self.name.trim_start_matches('_').to_owned();
        tidy(root, &self.parent, &[bare, self.name.clone()]);
    }
}

/// The value that steps lead to.
pub(super) fn get<'v>(root: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Item(index) => value.items().get(*index),
    })
}

/// The value that steps lead to, to change.
pub(super) fn get_mut<'v>(root: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(root, |value, step| match (step, value) {
        (Step::Member(name), value) => value.get_mut(name),
        (Step::Item(index), Value::Array(items)) => items.get_mut(*index),
        (Step::Item(_), _) => None,
    })
}
