//! The embedded backend: one LMDB environment in a directory, one writer thread with group commit.

use std::path::Path;
use std::sync::Arc;

use crate::{Batch, Clock, Committed, Snapshot, Statistics, Store, StoreError};

/// A store in a directory of this machine.
pub struct Embedded {}

impl Embedded {
    /// Opens the store in `directory`, or makes one there. Only one process may have it open.
    pub fn open(_directory: &Path, _clock: Arc<dyn Clock>) -> Result<Embedded, StoreError> {
        todo!()
    }
}

impl Store for Embedded {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>, StoreError> {
        todo!()
    }
    fn commit(&self, _batch: Batch) -> Result<Committed, StoreError> {
        todo!()
    }
    fn statistics(&self) -> Result<Statistics, StoreError> {
        todo!()
    }
}
