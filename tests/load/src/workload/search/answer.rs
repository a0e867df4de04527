//! Looking at an answer: a fast wrong one is an error.

use serde_json::Value;

use super::queries::Search;

/// What an answer said.
pub(crate) struct Answer {
    pub(super) total: Option<u64>,
    /// Index rows touched, where the answer tells.
    pub(super) rows: Option<u64>,
}

/// How far an estimated total may be off: five times the standard deviation where one in 64 is looked at, and for large numbers, which
/// are estimated from fewer, half of it.
fn estimate_error_max(expected: u64) -> f64 {
    let expected = expected.max(1) as f64;
    (5.0 * (64.0 * expected).sqrt()).max(expected / 2.0)
}

impl Answer {
    /// Reads the answer to a search; an error unless it is right as far as the facts tell.
    pub(crate) fn read(search: &Search, status: u16, body: &[u8]) -> Result<Answer, String> {
        let refuse = |text: String| Err(format!("{}: {text}", search.text()));
        if status != 200 {
            return refuse(format!("{status}: {}", String::from_utf8_lossy(body)));
        }
        let bundle: Value = serde_json::from_slice(body).map_err(|error| format!("{}: {error}", search.text()))?;
        let entries = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of_mode = |mode: &'static str| entries.iter().filter(move |entry| entry["search"]["mode"] == mode);
        let matches = of_mode("match").count();
        let total = bundle["total"].as_u64();
        if let (Some(expected), Some(total)) = (search.total, total) {
            let is_estimate = !bundle["_total"].is_null();
            let error = total.abs_diff(expected) as f64;
            if (is_estimate && error > estimate_error_max(expected)) || (!is_estimate && total != expected) {
                return refuse(format!("{total} matches, not {expected}"));
            }
        }
        let count = search.parameters.iter().rev().find(|(name, _)| *name == "_count");
        let count = count.and_then(|(_, count)| count.parse::<u64>().ok());
        let is_counted = search.parameters.iter().any(|(name, _)| *name == "_summary");
        if let (Some(expected), Some(count), false) = (search.total, count, is_counted)
            && matches as u64 != expected.min(count)
        {
            return refuse(format!("{matches} entries, not {}", expected.min(count)));
        }
        let joins = search.parameters.iter().any(|(name, _)| *name == "_include");
        if joins && matches > 0 && of_mode("include").next().is_none() {
            return refuse("nothing was included".to_owned());
        }
        let steps = of_mode("outcome").flat_map(|entry| entry["resource"]["issue"].as_array().into_iter().flatten());
        let rows: Vec<_> = steps.filter_map(|issue| rows_in(issue["diagnostics"].as_str()?)).collect();
        let rows = (!rows.is_empty()).then(|| rows.iter().sum());
        Ok(Answer { total, rows })
    }
}

/// The rows that a step of the plan touched: `intersect Patient.name, 17 rows`.
fn rows_in(step: &str) -> Option<u64> {
    let (before, _) = step.split_once(" rows")?;
    before.rsplit(' ').next()?.parse().ok()
}

/// The path and query of the next page.
pub(super) fn next_link(body: &[u8]) -> Option<String> {
    const NEXT: &str = r#""relation":"next","url":""#;
    let head = std::str::from_utf8(&body[..body.len().min(16 << 10)])
        .or_else(|error| std::str::from_utf8(&body[..error.valid_up_to()]));
    let (_, rest) = head.ok()?.split_once(NEXT)?;
    let (url, _) = rest.split_once('"')?;
    let (_, path) = url.split_once("/fhir")?;
    Some(format!("/fhir{path}"))
}

/// How many resources a page has, without reading them.
pub(super) fn entries_in(body: &[u8]) -> usize {
    const MODE: &[u8] = br#""search":{"mode":"match"}"#;
    body.windows(MODE.len()).filter(|window| *window == MODE).count()
}
