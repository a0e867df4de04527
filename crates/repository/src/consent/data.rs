//! Which data of a patient, as an expression about no resource type in particular: patients whose expressions are equal are judged together.

use std::sync::Arc;

use super::provision::{Effect, What};

/// A set of data. Made by its functions, which fold what is trivial, so that equal meanings mostly are equal expressions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Data {
    Everything,
    Nothing,
    /// What is labeled neither as restricted nor as sensitive.
    Normal,
    /// What a permit is about: rather too little where something is not known.
    Surely(Arc<What>),
    /// What a deny is about: rather too much.
    Perhaps(Arc<What>),
    /// At least two, none of them `All`: however many are put together, it gets no deeper.
    All(Vec<Data>),
    /// At least two, none of them `Any`.
    Any(Vec<Data>),
    Not(Box<Data>),
}

impl Data {
    /// What a provision of this effect is about.
    pub(super) fn of(what: &What, effect: Effect) -> Data {
        match effect {
            _ if *what == What::default() => Data::Everything,
            Effect::Deny => Data::Perhaps(Arc::new(what.clone())),
            Effect::Permit | Effect::Silent => Data::Surely(Arc::new(what.clone())),
        }
    }

    pub(super) fn and(self, other: Data) -> Data {
        match (self, other) {
            (Data::Everything, data) | (data, Data::Everything) => data,
            (Data::Nothing, _) | (_, Data::Nothing) => Data::Nothing,
            (one, other) if one == other => one,
            (Data::All(parts), Data::All(more)) => Data::All(join(parts, more)),
            (Data::All(parts), other) | (other, Data::All(parts)) => Data::All(join(parts, vec![other])),
            (one, other) => Data::All(vec![one, other]),
        }
    }

    pub(super) fn or(self, other: Data) -> Data {
        match (self, other) {
            (Data::Nothing, data) | (data, Data::Nothing) => data,
            (Data::Everything, _) | (_, Data::Everything) => Data::Everything,
            (one, other) if one == other => one,
            (Data::Any(parts), Data::Any(more)) => Data::Any(join(parts, more)),
            (Data::Any(parts), other) | (other, Data::Any(parts)) => Data::Any(join(parts, vec![other])),
            (one, other) => Data::Any(vec![one, other]),
        }
    }

    pub(super) fn without(self, other: Data) -> Data {
        self.and(other.negated())
    }

    pub(super) fn negated(self) -> Data {
        match self {
            Data::Everything => Data::Nothing,
            Data::Nothing => Data::Everything,
            Data::Not(data) => *data,
            data => Data::Not(Box::new(data)),
        }
    }
}

/// Among how many parts an equal one is looked for.
const ALIKE: usize = 16;

fn join(mut parts: Vec<Data>, more: Vec<Data>) -> Vec<Data> {
    for part in more {
        if parts.len() > ALIKE || !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts
}
