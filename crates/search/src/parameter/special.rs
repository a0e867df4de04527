//! Special parameters: what R4 defines by words alone, <https://hl7.org/fhir/R4/search.html#special>.
//!
//! None has rows. Each is refused by name, so that no answer pretends to have been filtered.

use fhir::{IssueType, Outcome};

/// Why a parameter that R4 defines is not answered.
pub(crate) fn refuse(resource_type: &str, code: &str) -> Outcome {
    Outcome::new(IssueType::NotSupported, format!("parameter `{code}` of {resource_type} is not served"))
}

/// What is asked of other indexes than any of its own, with its definition where there is one: served on every type.
pub(crate) const APART: [(&str, &str); 2] = [("_filter", "http://hl7.org/fhir/SearchParameter/filter"), ("_list", "")];

/// Whether R4 defines a parameter that has no definition as a resource.
pub(crate) fn is_defined(code: &str) -> bool {
    matches!(code, "_list" | "_text" | "_content" | "_filter" | "_query")
}
