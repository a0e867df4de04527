//! What every backend must do, and what tests of it need.

mod compare;
mod conditions;
mod documents;
mod history;
mod limits;
#[cfg(feature = "mongodb")]
mod mongod;
mod pages;
mod random;
mod reindex;
mod replay;
mod search;
mod support;
mod threads;
mod walk;
mod words;

pub use self::compare::find_alike;
#[cfg(feature = "mongodb")]
pub use self::mongod::{Mongod, PASSWORD, ReplicaSet};
pub use self::random::Random;
pub use self::support::TestClock;

use std::sync::Arc;

use crate::{Clock, Store};

/// Makes an empty store that takes its times from the given clock.
pub type Make<'m> = &'m dyn Fn(Arc<dyn Clock>) -> Box<dyn Store>;

/// Runs the whole contract against fresh stores. Panics where a store does not keep it.
pub fn contract(make: Make<'_>) {
    documents::contract(make);
    conditions::contract(make);
    history::contract(make);
    limits::contract(make);
    pages::contract(make);
    search::contract(make);
    threads::contract(make);
    reindex::contract(make);
    replay::contract(make);
    walk::contract(make);
    words::contract(make);
}
