//! Who sees what: tokens, scopes and consents, by every path.

/// Consents: what patients decided about their records holds from the next request on.
mod consent;
/// Breaking the glass: for a reason, for an hour, and the patient is told.
mod emergency;
