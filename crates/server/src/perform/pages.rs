//! The Bundles that come in pages: their links, <https://hl7.org/fhir/R4/http.html#paging>.

use std::fmt::Write;

use fhir::Outcome;
use repository::{Counted, Cursor, Requester};
use search::query_string;
use store::Page;

use super::Caller;
use crate::State;
use crate::negotiate::{General, PAGE};
use crate::page::Position;

/// How many entries a page has when nothing is said.
pub(crate) const COUNT_DEFAULT: usize = 50;

/// How many entries a page has at most; `_count` above this is lowered to it.
pub(crate) const COUNT_MAX: usize = 1000;

/// The extension that marks a total which is an estimate.
const ESTIMATED: &str = "https://flint.example/fhir/StructureDefinition/estimated";

/// One page of a search or history.
pub(super) struct Pages<'a> {
    state: &'a State,
    /// Path and query that say what is listed: a token holds for these only.
    subject: String,
    /// For whom the tokens hold.
    holder: String,
    /// What comes after the subject's query in every link.
    form: String,
    token: Option<&'a str>,
    pub(super) position: Position,
    /// How many entries the page has at most.
    pub(super) count: usize,
}

impl<'a> Pages<'a> {
    /// The page that a request is about. `applied` are the parameters that take effect, `_count` or not.
    pub(super) fn new(
        caller: &Caller<'a>,
        path: &str,
        applied: &[(String, String)],
        count: Option<usize>,
        general: &'a General,
    ) -> Result<Pages<'a>, Outcome> {
        let state = caller.state;
        let count = count.unwrap_or(COUNT_DEFAULT).min(COUNT_MAX);
        let pairs = applied.iter().filter(|(name, _)| name != "_count" && name != "_explain");
        let query = query_string(pairs.map(|(name, value)| (name.as_str(), value.as_str())));
        let subject = format!("{path}?{query}");
        let count_text = count.to_string();
        let mut form = vec![("_count", count_text.as_str())];
        form.extend(
            applied.iter().filter(|(name, _)| name == "_explain").map(|(_, value)| ("_explain", value.as_str())),
        );
        form.extend(general.format.as_deref().map(|format| ("_format", format)));
        form.extend(general.pretty.then_some(("_pretty", "true")));
        let separator = if query.is_empty() { "" } else { "&" };
        let form = format!("{separator}{}", query_string(form));
        let holder = caller.session.requester().map_or(String::new(), Requester::line);
        let token = general.page.as_deref();
        let position = match token {
            Some(token) => state.pages.open_token(&[&holder, subject.as_str()].concat(), token)?,
            None => Position { page: Page::First, total: None },
        };
        Ok(Pages { state, subject, holder, form, token, position, count })
    }

    /// Opens the Bundle: everything up to its entries.
    pub(super) fn open_bundle(
        &self,
        out: &mut String,
        kind: &str,
        total: Option<Counted>,
        next: Option<Cursor>,
        previous: Option<Cursor>,
    ) {
        let _ = write!(out, r#"{{"resourceType":"Bundle","type":"{kind}""#);
        if let Some(total) = total {
            let _ = write!(out, r#","total":{}"#, total.count);
            if !total.exact {
                let _ = write!(out, r#","_total":{{"extension":[{{"url":"{ESTIMATED}","valueBoolean":true}}]}}"#);
            }
        }
        out.push_str(r#","link":["#);
        self.link(out, "self", self.token);
        out.push(',');
        self.link(out, "first", None);
        let bound = [&self.holder, self.subject.as_str()].concat();
        let turn = |page| self.state.pages.sign(&bound, &Position { page, total });
        if let Some(cursor) = previous {
            out.push(',');
            self.link(out, "previous", Some(&turn(Page::Before(cursor))));
        }
        if let Some(cursor) = next {
            out.push(',');
            self.link(out, "next", Some(&turn(Page::After(cursor))));
        }
        out.push(']');
    }

    /// What stands in a link needs no escape in JSON: it is percent-encoded.
    fn link(&self, out: &mut String, relation: &str, token: Option<&str>) {
        let (base_url, subject, form) = (&self.state.base_url, &self.subject, &self.form);
        let separator = if subject.starts_with('?') { "" } else { "/" };
        let _ = write!(out, r#"{{"relation":"{relation}","url":"{base_url}{separator}{subject}{form}"#);
        if let Some(token) = token {
            let _ = write!(out, "&{PAGE}={token}");
        }
        out.push_str(r#""}"#);
    }
}

/// Writes a list of entries, or nothing at all: FHIR has no empty arrays.
pub(super) fn write_entries<T>(
    out: &mut String,
    entries: impl IntoIterator<Item = T>,
    mut entry: impl FnMut(&mut String, T),
) {
    let mut separator = r#","entry":["#;
    for item in entries {
        out.push_str(separator);
        separator = ",";
        entry(out, item);
    }
    if separator == "," {
        out.push(']');
    }
}

/// Writes stored bytes as they are.
pub(super) fn push_bytes(out: &mut String, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => out.push_str(text),
        Err(_) => out.push_str("null"),
    }
}
