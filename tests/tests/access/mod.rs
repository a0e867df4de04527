//! Who sees what: tokens, scopes and consents, by every path.

/// The patient reads who saw and did what.
mod audit;
/// How tokens are shown, and what is said to who shows none that does.
mod bearer;
/// Every kind of token.
pub(crate) mod callers;
/// Conditional interactions: they match only what the caller may see.
mod conditional;
/// Consents: what patients decided about their records holds from the next request on.
mod consent;
/// What is open without a token, and what is not.
mod directory;
/// Breaking the glass: for a reason, for an hour, and the patient is told.
mod emergency;
/// Who may write consents gains nothing by it.
mod escalation;
/// `$everything`: what is hidden is in none of it.
mod everything;
/// What the hunt found, one by one.
mod hidden;
/// Other issuers: their tokens count by the keys that they publish, and no others.
mod issuer;
/// Random records and consents: what is fetched by any path is what may be seen.
mod leaks;
/// What a resource that is seen tells of others that are hidden.
mod masked;
/// Every interaction and operation, asked by everybody.
mod matrix;
/// Identity providers: who signs in there is known here, and grants no more than how sure it is allows.
mod provider;
/// What scopes grant, and what no scope does.
mod scopes;
/// What there is one of at a time: a hidden one refuses no other.
mod unique;
