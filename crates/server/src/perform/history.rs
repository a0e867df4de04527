//! History of a resource, a type or everything, <https://hl7.org/fhir/R4/http.html#history>.

use std::fmt::Write;

use fhir::{DateTime, Instant, IssueType, Outcome};
use repository::{Counted, History, HistoryPage, HistoryScope, Method, Millis, Version};
use search::Handling;
use store::Page;

use super::pages::{Pages, push_bytes, write_entries};
use super::{Call, Caller};
use crate::project::View;
use crate::respond::{Answer, Refused};

pub(super) fn history(caller: &Caller<'_>, call: &Call, scope: &HistoryScope) -> Result<Answer, Refused> {
    let asked = Asked::of(call)?;
    let view = View::of_parameters(call.parameters.iter().filter(|(name, value)| !only_counts(name, value)))?;
    let pages = Pages::new(caller, &path(scope), &asked.applied, asked.count, &call.general)?;
    let mut history = History {
        scope: scope.clone(),
        since: asked.since,
        before: asked.before,
        after: match &pages.position.page {
            Page::After(cursor) => Some(cursor.clone()),
            Page::First | Page::Before(_) => None,
        },
        limit: pages.count,
        total: pages.position.total.is_none(),
    };
    if let Some(period) = asked.at {
        during(caller, &mut history, period)?;
    }
    let page = caller.session.history(&history)?;
    Ok(Answer::resource(bundle(caller, &view, &pages, page)))
}

/// The parameters of a history.
#[derive(Default)]
struct Asked {
    count: Option<usize>,
    since: Option<Millis>,
    before: Option<Millis>,
    /// First and first after.
    at: Option<(Millis, Millis)>,
    applied: Vec<(String, String)>,
}

impl Asked {
    fn of(call: &Call) -> Result<Asked, Outcome> {
        let mut asked = Asked::default();
        for (name, value) in &call.parameters {
            match name.as_str() {
                "_count" => asked.count = Some(number(name, value)?),
                "_since" => asked.since = Some(period(name, value)?.0),
                "_before" => asked.before = Some(period(name, value)?.0),
                "_at" => asked.at = Some(period(name, value)?),
                _ if only_counts(name, value) => asked.count = Some(0),
                "_summary" | "_elements" => {}
                "_list" => return Err(Outcome::new(IssueType::NotSupported, "_list is not served")),
                _ if name.starts_with('_') || call.preferences.handling == Handling::Lenient => continue,
                _ => {
                    let text = format!("`{name}` is no parameter of a history: `_count`, `_since`, `_before`, `_at`");
                    return Err(Outcome::new(IssueType::BadRequest, text));
                }
            }
            asked.applied.push((name.clone(), value.clone()));
        }
        Ok(asked)
    }
}

fn only_counts(name: &str, value: &str) -> bool {
    name == "_summary" && value == "count"
}

fn number(name: &str, value: &str) -> Result<usize, Outcome> {
    value.parse().map_err(|_| Outcome::new(IssueType::BadRequest, format!("{name} `{value}` is no whole number")))
}

fn period(name: &str, value: &str) -> Result<(Millis, Millis), Outcome> {
    // A time has no space: it was a `+` that the client left unencoded.
    let Some(time) = DateTime::parse(&value.replace(' ', "+")) else {
        let text = format!("{name} `{value}` is no time such as `2026-03-01T09:00:00Z`");
        return Err(Outcome::new(IssueType::BadRequest, text));
    };
    let (first, after) = time.range();
    Ok((first.as_millis(), after.as_millis()))
}

/// Narrows the history of a resource to the versions that were current at some time of a period.
fn during(caller: &Caller<'_>, history: &mut History, (first, after): (Millis, Millis)) -> Result<(), Outcome> {
    if !matches!(history.scope, HistoryScope::Document(_)) {
        return Err(Outcome::new(IssueType::NotSupported, "_at is served for the history of one resource only"));
    }
    let newest_before =
        History { before: Some(first + 1), since: None, after: None, limit: 1, total: false, ..history.clone() };
    let page = caller.session.history(&newest_before)?;
    history.since = page.versions.first().map(|version| version.time).max(history.since);
    history.before = Some(history.before.map_or(after, |before| before.min(after)));
    Ok(())
}

fn bundle(caller: &Caller<'_>, view: &View, pages: &Pages<'_>, page: HistoryPage) -> String {
    let mut out = String::new();
    let next = page.next.filter(|_| pages.count > 0);
    pages.open_bundle(&mut out, "history", page.total.map(Counted::exactly).or(pages.position.total), next, None);
    write_entries(&mut out, &page.versions, |out, version| write_entry(out, caller, view, version));
    out.push('}');
    out
}

fn write_entry(out: &mut String, caller: &Caller<'_>, view: &View, version: &Version) {
    let (base_url, key) = (&caller.state.base_url, version.key.as_str());
    let method = Method::of(version);
    let _ = write!(out, r#"{{"fullUrl":"{base_url}/{key}""#);
    if let Some(body) = &version.body {
        out.push_str(r#","resource":"#);
        push_bytes(out, &view.of(body, caller.state.definitions));
    }
    let url = if method == Method::Post { version.key.collection() } else { key };
    let status = match method {
        Method::Delete => "204 No Content",
        _ if version.version == 1 => "201 Created",
        _ => "200 OK",
    };
    let _ = write!(
        out,
        r#","request":{{"method":"{}","url":"{url}"}},"response":{{"status":"{status}","etag":"W/\"{}\"","lastModified":"{}"}}}}"#,
        method.as_str(),
        version.version,
        Instant::from_millis(version.time),
    );
}

fn path(scope: &HistoryScope) -> String {
    match scope {
        HistoryScope::All => "_history".to_owned(),
        HistoryScope::Collection(name) => format!("{name}/_history"),
        HistoryScope::Document(key) => format!("{}/_history", key.as_str()),
    }
}
