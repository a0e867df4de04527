//! What every backend must do, and what tests of it need.

mod random;
mod search;
mod support;

pub use self::random::Random;
pub use self::support::TestClock;

use std::sync::Arc;

use crate::{Clock, Store};

/// Makes an empty store that takes its times from the given clock.
pub type Make<'m> = &'m dyn Fn(Arc<dyn Clock>) -> Box<dyn Store>;

/// Runs the whole contract against fresh stores. Panics where the store does not keep it.
pub fn contract(make: Make<'_>) {
    search::contract(make);
}
