//! Who sees what: tokens, scopes and consents, by every path.

/// Every kind of token.
mod callers;
/// Consents: what patients decided about their records holds from the next request on.
mod consent;
/// Breaking the glass: for a reason, for an hour, and the patient is told.
mod emergency;
/// Every interaction and operation, asked by everybody.
mod matrix;
