//! The files there are.

use fhir::json::quote;
use fhir::{Instant, Outcome};
use repository::{History, HistoryScope, Session};

use super::lines::Published;
use super::operation::DEFINITION;
use super::split::{SECOND, Span, split};

/// How far ahead slots are published.
const WEEKS_MAX: i64 = 26;

const WEEK: i64 = 7 * 24 * 60 * 60 * SECOND;

/// Slots are cut into parts by their start, no finer than a minute; all else by when it was written, no finer than the clock.
const FINEST_START: i64 = 60 * SECOND;
const FINEST_WRITTEN: i64 = SECOND / 1000;

/// From 1970 to 2112: whatever was written, in parts that keep their names.
const EVER: Span = Span { from: Instant(0), to: Instant(1 << 52) };

/// The manifest, <https://build.fhir.org/ig/HL7/bulk-data/branches/bulk-publish/bulk-publish.html>.
pub(super) fn manifest(session: &Session<'_>, base_url: &str) -> Result<String, Outcome> {
    let request = format!("{base_url}/$bulk-publish");
    let mut output = Vec::new();
    for published in Published::ALL {
        for span in spans(session, published)? {
            let url = format!("{request}?{}", published.file(span));
            output.push(format!(r#"{{"type":"{}","url":{}}}"#, published.resource_type(), quote(&url)));
        }
    }
    Ok(format!(
        r#"{{"manifestType":"{DEFINITION}","transactionTime":"{}","request":{},"requiresAccessToken":false,"outputFormat":"application/fhir+ndjson","output":[{}],"error":[]}}"#,
        changed(session)?.to_rfc3339(),
        quote(&request),
        output.join(",")
    ))
}

/// The parts into which the published resources of a type are cut.
fn spans(session: &Session<'_>, published: Published) -> Result<Vec<Span>, Outcome> {
    let mut count = |span| session.count(published.resource_type(), &published.query(span, session.now()));
    let now = session.now();
    if published != Published::Slot {
        return split(EVER, FINEST_WRITTEN, &mut count);
    }
    let mut parts = Vec::new();
    let monday = (now.0 - MONDAY).div_euclid(WEEK) * WEEK + MONDAY;
    for week in 0..WEEKS_MAX {
        let from = monday + week * WEEK;
        parts.extend(split(Span { from: Instant(from), to: Instant(from + WEEK) }, FINEST_START, &mut count)?);
    }
    Ok(parts)
}

/// 1970-01-05T00:00:00Z: weeks begin on Mondays, whenever they are asked for, and so files keep their names.
const MONDAY: i64 = 4 * 24 * 60 * 60 * SECOND;

/// When something that may be published was last written or deleted.
fn changed(session: &Session<'_>) -> Result<Instant, Outcome> {
    let mut last = Instant(0);
    for published in Published::ALL {
        let scope = HistoryScope::Collection(published.resource_type().to_owned());
        let history = History { scope, since: None, before: None, after: None, limit: 1, total: false };
        let newest = session.history(&history)?.versions.first().map(|version| Instant::from_millis(version.time));
        last = last.max(newest.unwrap_or(last));
    }
    Ok(last)
}
