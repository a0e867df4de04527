//! What went wrong with the database, as the store's callers know it.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind};

use crate::{Limit, StoreError, TooCostly};

/// `OutOfDiskSpace`.
const NO_SPACE: i32 = 14031;

/// `MaxTimeMSExpired`.
const TIME_OVER: i32 = 50;

/// Why the database did not do what it was asked.
pub(super) enum Failed {
    Driver(Error),
    /// It has not answered within this time.
    Late(Duration),
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> StoreError {
        match failed {
            Failed::Driver(error) => of_driver(&error),
            Failed::Late(time) => StoreError::Unreachable(format!("the database has not answered within {time:?}")),
        }
    }
}

/// Never with the URL, which may hold a password: only what the driver or the server says.
pub(super) fn of_driver(error: &Error) -> StoreError {
    match &*error.kind {
        ErrorKind::Command(failed) if failed.code == NO_SPACE => StoreError::Full,
        ErrorKind::Command(failed) if failed.code == TIME_OVER => {
            StoreError::TooCostly(TooCostly { index: None, limit: Limit::Time })
        }
        ErrorKind::ServerSelection { .. } | ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => {
            StoreError::Unreachable(format!("the database does not answer: {}", error.kind))
        }
        kind => StoreError::Engine(format!("the database failed: {kind}")),
    }
}
