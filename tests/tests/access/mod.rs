//! Who sees what: tokens, scopes and consents, by every path.

/// Consents: what patients decided about their records holds from the next request on.
mod consent;
