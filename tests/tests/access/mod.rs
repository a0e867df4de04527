//! Who sees what: tokens, scopes and consents, by every path.

/// Consents: what patients decided about their records holds from the next request on.
mod consent;
/// Breaking the glass: for a reason, for an hour, and the patient is told.
mod emergency;
/// Other issuers: their tokens count by the keys that they publish, and no others.
mod issuer;
/// Identity providers: who signs in there is known here, and grants no more than how sure it is allows.
mod provider;
