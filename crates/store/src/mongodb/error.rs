//! What went wrong with the database, as the store's callers know it.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR};

use crate::{Limit, StoreError, TooCostly};

/// `OutOfDiskSpace`.
const NO_SPACE: i32 = 14031;

/// `TransactionTooLargeForCache`.
const TOO_LARGE: i32 = 388;

/// `MaxTimeMSExpired`.
const TIME_OVER: i32 = 50;

/// `WriteConflict`, `NoSuchTransaction` and `LockTimeout`: another transaction is in the way, or has ended this one.
const IN_THE_WAY: [i32; 3] = [112, 251, 24];

/// What a server says that ends, gives up being the primary, or has lost what it knew of a query when it began again; in order of the numbers:
/// `HostUnreachable`, `HostNotFound`, `CursorNotFound`, `NetworkTimeout`, `ShutdownInProgress`, `FailedToSatisfyReadPreference`,
/// `ReadConcernMajorityNotAvailableYet`, `QueryPlanKilled`, `PrimarySteppedDown`, `CursorKilled`, `SnapshotTooOld`, `SnapshotUnavailable`,
/// `ExceededTimeLimit`, `SocketException`, `NotMaster` of old, `NotWritablePrimary`, `InterruptedAtShutdown`,
/// `InterruptedDueToReplStateChange`, `NotPrimaryNoSecondaryOk`, `NotPrimaryOrSecondary`.
const AWAY: [i32; 20] =
    [6, 7, 43, 89, 91, 133, 134, 175, 189, 237, 239, 246, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436];

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
    match code(error) {
        Some(NO_SPACE) => return StoreError::Full,
        Some(TIME_OVER) => return StoreError::TooCostly(TooCostly { index: None, limit: Limit::Time }),
        Some(TOO_LARGE) => {
            return StoreError::TooLarge("one transaction has more than the database keeps in its cache".to_owned());
        }
        _ => {}
    }
    match &*error.kind {
        ErrorKind::ServerSelection { .. } | ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => {
            StoreError::Unreachable(format!("the database does not answer: {}", error.kind))
        }
        kind if is_away(error) => StoreError::Unreachable(format!("the database cannot do it now: {kind}")),
        kind => StoreError::Engine(format!("the database failed: {kind}")),
    }
}

/// Whether what another transaction does is the reason.
pub(super) fn is_in_the_way(error: &Error) -> bool {
    code(error).is_some_and(|code| IN_THE_WAY.contains(&code))
}

/// Whether the same may work later, or with another server.
fn is_away(error: &Error) -> bool {
    error.contains_label(TRANSIENT_TRANSACTION_ERROR)
        || error.contains_label(RETRYABLE_WRITE_ERROR)
        || code(error).is_some_and(|code| AWAY.contains(&code))
}

/// What the server calls it.
pub(super) fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::InsertMany(error) => error.write_errors.iter().flatten().next().map(|error| error.code),
        _ => None,
    }
}
