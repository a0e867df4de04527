//! Parameters about the answer rather than the matches: `_count`, `_total`, `_summary`, `_elements`, `_contained`, `_explain`,
//! <https://hl7.org/fhir/R4/search.html#return>.

use crate::refusal::{Refusal, shortened};
use crate::{Contained, Query, Summary, Total};

/// What a query says once; `_elements` may be said in parts.
const ONCE: [&str; 6] = ["_count", "_total", "_summary", "_explain", "_contained", "_containedType"];

/// Applies a parameter; `None` when it is none of these.
pub(crate) fn apply(query: &mut Query, name: &str, value: &str) -> Option<Result<(), Refusal>> {
    let wrong = |form| Some(Err(Refusal::bad_value(name, value, form)));
    if ONCE.contains(&name) && query.applied.iter().any(|(other, _)| other == name) {
        return Some(Err(Refusal::bad(format!("parameter `{name}` stands more than once, it has one value"))));
    }
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
        "_explain" => match value {
            "true" => query.explain = true,
            "false" => query.explain = false,
            _ => return wrong("`true` or `false`"),
        },
        "_elements" => {
            let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !value.split(',').all(is_name) {
                return wrong("names of elements separated by commas");
            }
            query.elements.extend(value.split(',').map(str::to_owned));
        }
        "_contained" => match value {
            "false" => query.contained = Contained::False,
            "true" => query.contained = Contained::True,
            "both" => query.contained = Contained::Both,
            _ => return wrong("`false`, `true` or `both`"),
        },
        "_containedType" => match value {
            "container" => query.contained_alone = false,
            "contained" => query.contained_alone = true,
            _ => return wrong("`container` or `contained`"),
        },
        "_query" => {
            let text =
                format!("parameter `_query` has the value `{}`, this server has no named queries", shortened(value));
            return Some(Err(Refusal::bad(text)));
        }
        _ => return None,
    }
    Some(Ok(()))
}

/// Refuses what a search for contained resources cannot answer: it has no order but that of their containers, and does not count.
pub(crate) fn check_contained(query: &Query, is_condition: bool) -> Result<(), Refusal> {
    if query.contained == Contained::False {
        return Ok(());
    }
    let others = [
        (is_condition, "a condition"),
        (!query.sort.is_empty(), "`_sort`"),
        (query.includes.iter().any(|include| !include.reverse), "`_include`"),
        (query.includes.iter().any(|include| include.reverse), "`_revinclude`"),
        (query.total == Total::Accurate, "`_total=accurate`"),
        (query.summary == Summary::Count, "`_summary=count`"),
        (query.count == Some(0), "`_count=0`"),
    ];
    match others.iter().find(|(is_there, _)| *is_there) {
        Some((_, other)) => Err(Refusal::bad(format!("parameter `_contained` does not go with {other}"))),
        None => Ok(()),
    }
}

/// A number too large to count to is as good as any.
fn count(value: &str) -> Option<usize> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| value.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Handling;
    use crate::testing::{check_refused, query};

    #[test]
    fn shapes_the_answer() {
        let text = "_count=20&_total=none&_summary=text&_elements=id,name&_elements=gender&_contained=false";
        let query = query("Patient", text, Handling::Strict).expect("valid");
        assert_eq!((query.count, query.total, query.summary), (Some(20), Total::None, Summary::Text));
        assert_eq!(query.elements, ["id", "name", "gender"]);
        assert_eq!(query.applied.len(), 6);
    }

    #[test]
    fn counts_far() {
        for (value, expected) in [("0", 0), ("007", 7), ("99999999999999999999999", usize::MAX)] {
            assert_eq!(
                query("Patient", &format!("_count={value}"), Handling::Strict).expect("valid").count,
                Some(expected)
            );
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Patient",
            &[
                ("_count=-1", "parameter `_count` has the value `-1`, expected a whole number"),
                ("_count=", "expected a whole number"),
                ("_count=ten", "expected a whole number"),
                ("_total=all", "expected `accurate`, `estimate` or `none`"),
                ("_summary=yes", "expected `true`, `text`, `data`, `count` or `false`"),
                ("_explain=yes", "parameter `_explain` has the value `yes`, expected `true` or `false`"),
                ("_elements=", "expected names of elements"),
                ("_elements=name,,id", "expected names of elements"),
                ("_count=2&_count=3", "parameter `_count` stands more than once"),
                ("_total=none&_total=none", "parameter `_total` stands more than once"),
                ("_summary=true&_summary=text", "parameter `_summary` stands more than once"),
                ("_query=mine", "parameter `_query` has the value `mine`, this server has no named queries"),
                ("_contained=yes", "parameter `_contained` has the value `yes`, expected `false`, `true` or `both`"),
                (
                    "_containedType=all",
                    "parameter `_containedType` has the value `all`, expected `container` or `contained`",
                ),
                ("_contained=both&_sort=_id", "parameter `_contained` does not go with `_sort`"),
                ("_include=*&_contained=true", "parameter `_contained` does not go with `_include`"),
                ("_contained=true&_revinclude=*", "parameter `_contained` does not go with `_revinclude`"),
                ("_contained=true&_total=accurate", "parameter `_contained` does not go with `_total=accurate`"),
                ("_contained=true&_summary=count", "parameter `_contained` does not go with `_summary=count`"),
                ("_contained=true&_count=0", "parameter `_contained` does not go with `_count=0`"),
            ],
        );
    }
}
