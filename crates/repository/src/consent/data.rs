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
    Both(Box<[Data; 2]>),
    Either(Box<[Data; 2]>),
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
            both => Data::Both(Box::new(both.into())),
        }
    }

    pub(super) fn or(self, other: Data) -> Data {
        match (self, other) {
            (Data::Nothing, data) | (data, Data::Nothing) => data,
            (Data::Everything, _) | (_, Data::Everything) => Data::Everything,
            (one, other) if one == other => one,
            both => Data::Either(Box::new(both.into())),
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
