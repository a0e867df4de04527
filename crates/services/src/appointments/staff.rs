//! Who books for a practice: its practitioners, the record keeper, and whoever asks while authentication is off.

use repository::{Key, Requester, Transaction};

/// Whether the caller is one of them.
pub(crate) fn asks(transaction: &Transaction<'_>) -> bool {
    transaction.requester().is_none_or(Requester::is_practice)
}

/// Whether one of them brings a slot in the same transaction.
pub(super) fn brings(transaction: &Transaction<'_>, slot: &Key) -> bool {
    asks(transaction) && transaction.is_written(slot)
}
