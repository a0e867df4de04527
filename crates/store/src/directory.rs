//! The directory of a process: nobody else uses it meanwhile.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::StoreError;

const LOCK_FILE: &str = "lock";

#[cfg(feature = "mongodb")]
const PLACE_FILE: &str = "place";

/// Makes the directory if it is missing, and takes it for this process for as long as the file lives. `Unusable` says why that cannot be.
pub(crate) fn take(directory: &Path) -> Result<File, StoreError> {
    fs::create_dir_all(directory).map_err(|error| unusable(directory, &error))?;
    lock(directory)
}

/// That the directory cannot be used at all.
pub(crate) fn unusable(directory: &Path, error: &io::Error) -> StoreError {
    StoreError::Unusable(format!("the directory `{}` cannot be used: {error}", directory.display()))
}

/// What tells a directory that [`take`] has taken from all others: made by chance when it is first asked for, and kept in it.
#[cfg(feature = "mongodb")]
pub(crate) fn place(directory: &Path) -> Result<String, StoreError> {
    use std::hash::{BuildHasher, RandomState};
    use std::io::Write;

    let path = directory.join(PLACE_FILE);
    let is_name = |name: &String| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(name) = fs::read_to_string(&path).ok().filter(is_name) {
        return Ok(name);
    }
    let chance = || RandomState::new().hash_one(std::process::id());
    let name = format!("{:016x}{:016x}", chance(), chance());
    let made = File::create(&path).and_then(|mut file| {
        file.write_all(name.as_bytes())?;
        file.sync_all()?;
        File::open(directory)?.sync_all()
    });
    made.map_err(|error| unusable(directory, &error))?;
    Ok(name)
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
