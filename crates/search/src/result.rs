//! Parameters about the answer rather than the matches: `_count`, `_total`, `_summary`, `_elements`, `_contained`,
//! <https://hl7.org/fhir/R4/search.html#return>.

use fhir::{IssueType, Outcome};

use crate::refusal::Refusal;
use crate::{Query, Summary, Total};

/// Applies a parameter; `None` when it is none of these.
pub(crate) fn apply(query: &mut Query, name: &str, value: &str) -> Option<Result<(), Refusal>> {
    let wrong = |form| Some(Err(Refusal::bad_value(name, value, form)));
    match name {
        "_count" => match count(value) {
            Some(count) => query.count = Some(count),
            None => return wrong("a whole number, 0 or more"),
        },
        "_total" => match value {
            "accurate" => query.total = Total::Accurate,
            "estimate" => query.total = Total::Estimate,
            "none" => query.total = Total::None,
            _ => return wrong("`accurate`, `estimate` or `none`"),
        },
        "_summary" => match value {
            "true" => query.summary = Summary::True,
            "text" => query.summary = Summary::Text,
            "data" => query.summary = Summary::Data,
            "count" => query.summary = Summary::Count,
            "false" => query.summary = Summary::False,
            _ => return wrong("`true`, `text`, `data`, `count` or `false`"),
        },
        "_elements" => {
            let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !value.split(',').all(is_name) {
                return wrong("names of elements separated by commas");
            }
            query.elements.extend(value.split(',').map(str::to_owned));
        }
        "_contained" if value == "false" => {}
        "_contained" | "_containedType" => {
            let text = format!("parameter `{name}` is not served: only resources of their own are found");
            return Some(Err(Refusal::Unknown(Outcome::new(IssueType::NotSupported, text))));
        }
        _ => return None,
    }
    Some(Ok(()))
}

/// A number too large to count to is as good as any.
fn count(value: &str) -> Option<usize> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| value.parse().unwrap_or(usize::MAX))
}
