//! What every backend must do.

use crate::Store;

/// Runs the whole contract against fresh stores made by `make`.
pub fn contract(_make: &dyn Fn() -> Box<dyn Store>) {
    todo!()
}
