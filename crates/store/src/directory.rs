//! The directory of a process: nobody else uses it meanwhile.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::StoreError;

const LOCK_FILE: &str = "lock";

/// Makes the directory if it is missing, and takes it for this process for as long as the file lives. `Unusable` says why that cannot be.
pub(crate) fn take(directory: &Path) -> Result<File, StoreError> {
    fs::create_dir_all(directory).map_err(|error| unusable(directory, &error))?;
    lock(directory)
}

/// That the directory cannot be used at all.
pub(crate) fn unusable(directory: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable(format!("the directory `{}` cannot be used: {error}", directory.display()))
}
fn lock(directory: &Path) -> Result<File, StoreError> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(directory.join(LOCK_FILE));
    let directory = directory.display();
    let file = file.map_err(|error| StoreError::Unusable(format!("no file can be made in `{directory}`: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Unusable(format!(
            "the directory `{directory}` is in use by another process: stop it, or choose another directory"
        ))),
        Err(TryLockError::Error(error)) => {
            Err(StoreError::Unusable(format!("the directory `{directory}` cannot be locked: {error}")))
        }
    }
}
