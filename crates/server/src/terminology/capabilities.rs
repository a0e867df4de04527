//! What the terminology operations can do, <https://hl7.org/fhir/R4/terminologycapabilities.html>: `/metadata?mode=terminology`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Node, quote};
use fhir::{Outcome, published};
use repository::{Access, Count, SearchRequest};
use search::{Handling, Scope};
use services::EXPANSION_INPUTS;
use store::Page;

use crate::State;

/// How many CodeSystem resources are told beside those that are always there; they are read for it.
const STORED_MAX: usize = 1000;

/// How many are read at one time.
const PAGE: usize = 100;

/// Code systems by url, each with its versions.
type Systems = BTreeMap<String, BTreeSet<String>>;

/// The TerminologyCapabilities as JSON: for everybody, and made anew only when code systems have changed.
pub(crate) fn capabilities(state: &State) -> Result<Bytes, Outcome> {
    let changes = state.repository.changes_of("CodeSystem")?;
    if let Some(known) = state.terminology.load_full().filter(|known| known.0 == changes) {
        return Ok(known.1.clone());
    }
    let made = Bytes::from(make(state)?);
    state.terminology.store(Some(Arc::new((changes, made.clone()))));
    Ok(made)
}

fn make(state: &State) -> Result<String, Outcome> {
    let (systems, is_whole) = systems(state)?;
    let date = state.repository.now();
    let systems = systems.iter().map(|(url, versions)| {
        let versions = versions.iter().map(|version| format!(r#"{{"code":{}}}"#, quote(version)));
        let versions = versions.collect::<Vec<_>>().join(",");
        let versions = if versions.is_empty() { versions } else { format!(r#","version":[{versions}]"#) };
        format!(r#"{{"uri":{}{versions},"subsumption":true}}"#, quote(url))
    });
    let parameters = EXPANSION_INPUTS.iter().map(|name| format!(r#"{{"name":{}}}"#, quote(name)));
    Ok(format!(
        r#"{{"resourceType":"TerminologyCapabilities","status":"active","date":"{date}","kind":"instance","description":{},"software":{{"name":"Flint","version":"{}"}},"implementation":{{"description":"Flint","url":{}}},"codeSystem":[{}],"expansion":{{"hierarchical":false,"paging":true,"incomplete":false,"parameter":[{}],"textFilter":{}}},"codeSearch":"all","validateCode":{{"translations":true}},"translation":{{"needsMap":true}}}}"#,
        quote(&description(state, is_whole)),
        env!("CARGO_PKG_VERSION"),
        quote(&state.base_url),
        systems.collect::<Vec<_>>().join(","),
        parameters.collect::<Vec<_>>().join(","),
        quote("each word of the filter must begin a word of the display or of another text of the code, in any case"),
    ))
}

fn description(state: &State, is_whole: bool) -> String {
    let mut text = "Code systems and value sets of R4, and those that were loaded.".to_owned();
    if !is_whole {
        text += &format!(" More than {STORED_MAX} code systems were loaded, which are not all told here.");
    }
    if let Some(server) = state.repository.terminology_server() {
        text += &format!(" What is not known here is asked of {}.", server.url());
    }
    text
}

/// The code systems with their versions; and whether these are all.
fn systems(state: &State) -> Result<(Systems, bool), Outcome> {
    let mut systems: Systems = published::urls("CodeSystem").map(|url| (url.to_owned(), BTreeSet::new())).collect();
    // Definitions are in nobody's record, and the operations know them whoever asks.
    let session = state.repository.open(Access::full());
    let scope = Scope { resource_type: Some("CodeSystem"), compartment: None };
    let query = session.registry().query(&scope, &[], Handling::Strict, state.repository.now())?;
    let (mut next, mut count) = (Page::First, 0);
    loop {
        let request = SearchRequest { query: &query, page: next, limit: PAGE, total: Count::None, explain: false };
        let found = session.search(&request)?;
        for body in found.matches.iter().filter_map(|version| version.body.as_ref()) {
            let Ok(document) = Document::parse(body) else { continue };
            let text = |name: &str| document.root().get(name).and_then(Node::as_str);
            let Some(url) = text("url") else { continue };
            let versions = systems.entry(url.into_owned()).or_default();
            versions.extend(text("version").map(Cow::into_owned));
        }
        count += found.matches.len();
        match found.next {
            Some(_) if count >= STORED_MAX => return Ok((systems, false)),
            Some(cursor) => next = Page::After(cursor),
            None => return Ok((systems, true)),
        }
    }
}
