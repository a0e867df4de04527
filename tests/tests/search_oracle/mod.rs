//! The proof that search is right: a second search, slow and simple, that looks at every resource and compares by the words of
//! <https://hl7.org/fhir/R4/search.html>. It shares neither code nor indexes with the server's.

/// Random queries: the same answers from both.
mod answers;
/// Resources to search.
mod corpus;
/// Separators in values.
mod escapes;
/// Every parameter with every modifier.
mod every_parameter;
/// The same questions as `_filter`.
mod expressions;
/// What belongs with what is found.
mod includes;
/// Bad values, and strange ones.
mod malformed;
/// One value against one element.
mod matching;
/// Words, lists and terminology.
mod meaning;
/// Places and distances.
mod near;
/// Who comes before whom.
mod order;
/// Whole queries: chains, `_has`, alternatives.
mod query;
/// Makes random queries.
mod questions;
/// Resources with a value in every element.
mod samples;
/// What prefixes say.
mod spans;
/// Totals, near and exact.
mod totals;
/// Yes, no, or the server's choice.
mod truth;
/// What units measure.
mod units;
/// What elements say.
mod values;
/// All resources as documents.
mod world;
