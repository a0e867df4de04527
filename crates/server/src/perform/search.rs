//! Search, <https://hl7.org/fhir/R4/search.html>: a searchset Bundle spliced from stored bytes.

use std::fmt::Write;

use fhir::json::quote;
use fhir::{Issue, IssueType, Outcome};
use repository::{ContainedMatch, Count, Counted, Requester, SearchPage, SearchRequest, Version};
use search::{Query, Scope, Summary, Total};

use super::pages::{Pages, push_bytes, write_entries};
use super::{Call, Caller};
use crate::State;
use crate::negotiate::General;
use crate::project::View;
use crate::respond::{Answer, Refused};

pub(super) fn search(caller: &Caller<'_>, call: &Call, scope: &Scope) -> Result<Answer, Refused> {
    // Those of a batch come after what it has changed.
    let session = caller.session.renewed();
    let now = session.now();
    let query = session.registry().search(scope, &call.parameters, call.preferences.handling, now)?;
    let caller = Caller { session, sent: caller.sent.clone(), ..*caller };
    answer(&caller, &query, &path(scope), &call.general)
}

/// A page of a compiled search; `path` is that of its links.
pub(super) fn answer(caller: &Caller<'_>, query: &Query, path: &str, general: &General) -> Result<Answer, Refused> {
    let state = caller.state;
    let pages = Pages::new(caller, path, &query.applied, query.count, general)?;
    let only_counts = query.summary == Summary::Count || pages.count == 0;
    let request = SearchRequest {
        query,
        page: pages.position.page.clone(),
        limit: if only_counts { 0 } else { pages.count },
        total: count(state, query, only_counts, pages.position.total),
        explain: query.explain,
    };
    let page = caller.session.search(&request)?;
    Ok(Answer::resource(searchset(caller, query, &pages, page, only_counts)))
}

/// How to count: later pages carry what was counted for the first.
fn count(state: &State, query: &Query, only_counts: bool, counted: Option<Counted>) -> Count {
    match query.total {
        _ if only_counts => Count::Exact,
        _ if counted.is_some() => Count::None,
        Total::Accurate => Count::Exact,
        Total::Estimate => Count::Within(state.limits.count_rows),
        Total::None => Count::None,
    }
}

fn searchset(caller: &Caller<'_>, query: &Query, pages: &Pages<'_>, page: SearchPage, only_counts: bool) -> String {
    let (mut next, mut previous) = (page.next, page.previous);
    if only_counts {
        (next, previous) = (None, None);
    }
    let bodies = page.matches.iter().chain(&page.included).filter_map(|version| version.body.as_ref());
    let bodies = bodies.chain(page.contained.iter().map(|contained| &contained.body));
    let bytes: usize = bodies.map(|body| body.len() + ENTRY_BYTES).sum();
    let mut out = String::with_capacity(bytes + ENTRY_BYTES * 4);
    pages.open_bundle(&mut out, "searchset", page.total.or(pages.position.total), next, previous);
    let view = View::of_query(query);
    let included_view = if let View::Elements(_) = view { View::Whole } else { view.clone() };
    let matches = page.matches.iter().map(|version| Entry::Resource(version, "match", &view));
    let contained = page.contained.iter().map(|contained| Entry::Contained(contained, &view));
    let included = page.included.iter().map(|version| Entry::Resource(version, "include", &included_view));
    let outcome = notes(caller, query, page.includes_cut, page.plan);
    let outcome = outcome.as_ref().map(Entry::Outcome);
    write_entries(&mut out, matches.chain(contained).chain(included).chain(outcome), |out, entry| {
        entry.write(out, caller)
    });
    out.push('}');
    out
}

/// About what an entry has around its resource.
const ENTRY_BYTES: usize = 160;

enum Entry<'a> {
    Resource(&'a Version, &'static str, &'a View),
    /// A match inside another resource.
    Contained(&'a ContainedMatch, &'a View),
    Outcome(&'a Outcome),
}

impl Entry<'_> {
    fn write(self, out: &mut String, caller: &Caller<'_>) {
        match self {
            Entry::Resource(version, mode, view) => {
                let (base_url, key) = (&caller.state.base_url, version.key.as_str());
                let _ = write!(out, r#"{{"fullUrl":"{base_url}/{key}","resource":"#);
                let body = version.body.as_ref().map(|body| view.of(body, caller.state.definitions));
                push_bytes(out, &body.unwrap_or_default());
                let _ = write!(out, r#","search":{{"mode":"{mode}"}}}}"#);
            }
            Entry::Contained(contained, view) => {
                let url = format!("{}/{}#{}", caller.state.base_url, contained.container, contained.id);
                let _ = write!(out, r#"{{"fullUrl":{},"resource":"#, quote(&url));
                push_bytes(out, &view.of(&contained.body, caller.state.definitions));
                out.push_str(r#","search":{"mode":"match"}}"#);
            }
            Entry::Outcome(outcome) => {
                let _ = write!(out, r#"{{"resource":{},"search":{{"mode":"outcome"}}}}"#, outcome.to_json());
            }
        }
    }
}

/// Warnings, and what was done where `_explain` asks for it.
fn notes(caller: &Caller<'_>, query: &Query, includes_cut: bool, plan: Vec<String>) -> Option<Outcome> {
    let mut issues = query.warnings.clone();
    // Every third party is told, so that nobody learns from it that something is.
    if caller.session.requester().is_some_and(Requester::is_third_party) {
        let text = "what patients do not share with the caller is left out";
        issues.push(Issue { code: IssueType::Suppressed, ..Issue::information(text) });
    }
    if includes_cut {
        let text = "more resources are included than one page may hold: some are left out";
        issues.push(Issue::warning(IssueType::TooCostly, text));
    }
    issues.extend(plan.into_iter().map(Issue::information));
    (!issues.is_empty()).then_some(Outcome { issues })
}

/// The path of a search's links: always that of the GET.
fn path(scope: &Scope) -> String {
    let resource_type = scope.resource_type;
    match &scope.compartment {
        Some(within) => format!("{}/{}/{}", within.code, within.id, resource_type.unwrap_or("*")),
        None => resource_type.unwrap_or_default().to_owned(),
    }
}
