//! What can be said of a change without looking at the store: done once, however often the commit is tried.

use std::collections::HashSet;
use std::sync::Arc;

use fhir::json::{Document, Kind};
use fhir::{IssueType, Outcome, reference};
use search::{Criterion, parse_query_string};
use store::Key;

use super::references::{self, Site};
use crate::session::version_number;
use crate::{Act, Change, Method, Patch, Refusal, Session, Target};

/// A change, checked and compiled.
pub(super) struct Draft {
    pub(super) method: Method,
    pub(super) resource_type: &'static str,
    /// The resource it is about, where the caller named it.
    pub(super) target: Option<Key>,
    /// The condition of a conditional interaction.
    pub(super) criteria: Option<Criteria>,
    pub(super) document: Option<Arc<Document>>,
    /// The id in the document.
    pub(super) body_id: Option<String>,
    /// Where references stand in the document.
    pub(super) sites: Vec<Site>,
    pub(super) patch: Option<Patch>,
    pub(super) if_match: Option<IfMatch>,
    pub(super) if_none_match: bool,
    pub(super) full_url: Option<String>,
}

/// A query string that decides, compiled.
pub(super) struct Criteria {
    pub(super) resource_type: &'static str,
    pub(super) text: String,
    pub(super) criterion: Criterion,
}

/// `If-Match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// `*`: any version, but there must be one.
    Any,
    Version(u64),
}

/// All changes of a transaction, or the refusals of those that are wrong in themselves.
pub(super) fn all(session: &Session<'_>, changes: Vec<Change>) -> Result<Vec<Draft>, Refusal> {
    let mut drafts = Vec::with_capacity(changes.len());
    for (at, change) in changes.into_iter().enumerate() {
        drafts.push(Draft::new(session, change).map_err(|outcome| Refusal::of(at, outcome))?);
    }
    let mut full_urls = HashSet::default();
    for (at, draft) in drafts.iter().enumerate() {
        if let Some(full_url) = &draft.full_url
            && !full_urls.insert(full_url.clone())
        {
            let text = format!("the fullUrl `{full_url}` stands on two entries; each needs its own");
            return Err(Refusal::of(at, Outcome::new(IssueType::BadRequest, text)));
        }
    }
    for draft in &mut drafts {
        if let Some(document) = &draft.document {
            draft.sites = references::sites(session.setup().definitions, document, &full_urls);
        }
    }
    Ok(drafts)
}

impl Draft {
    fn new(session: &Session<'_>, change: Change) -> Result<Draft, Outcome> {
        match change {
            Change::Create { resource_type, document, if_none_exist, full_url } => {
                let mut draft = Draft::empty(session, Method::Post, resource_type)?;
                draft.hold(document)?;
                draft.full_url = full_url;
                draft.criteria = if_none_exist.map(|text| Criteria::new(session, resource_type, text)).transpose()?;
                Ok(draft)
            }
            Change::Update { target, document, if_match, if_none_match, full_url } => {
                let mut draft = Draft::aimed(session, Method::Put, target, if_match)?;
                draft.hold(document)?;
                draft.full_url = full_url;
                draft.if_none_match = if_none_match;
                draft.refuse_another_id()?;
                Ok(draft)
            }
            Change::Patch { target, patch, if_match } => {
                let draft = Draft::aimed(session, Method::Patch, target, if_match)?;
                Ok(Draft { patch: Some(patch), ..draft })
            }
            Change::Delete { target, if_match } => Draft::aimed(session, Method::Delete, target, if_match),
        }
    }

    fn empty(session: &Session<'_>, method: Method, resource_type: &'static str) -> Result<Draft, Outcome> {
        session.access.permit(method.act(), resource_type)?;
        Ok(Draft {
            method,
            resource_type,
            target: None,
            criteria: None,
            document: None,
            body_id: None,
            sites: Vec::new(),
            patch: None,
            if_match: None,
            if_none_match: false,
            full_url: None,
        })
    }

    fn aimed(
        session: &Session<'_>,
        method: Method,
        target: Target,
        if_match: Option<String>,
    ) -> Result<Draft, Outcome> {
        let if_match = if_match.as_deref().map(IfMatch::parse).transpose()?;
        match target {
            Target::Key(key) => {
                let name = key.collection();
                let resource_type = session.setup().definitions.resource_type(name).ok_or_else(|| {
                    Outcome::new(IssueType::NotFound, format!("`{name}` is not a resource type of FHIR R4"))
                })?;
                if !reference::is_id(key.id()) {
                    let text = format!("the id `{}` is not 1 to 64 letters, digits, `-` and `.`", key.id());
                    return Err(Outcome::new(IssueType::BadRequest, text));
                }
                Ok(Draft { target: Some(key), if_match, ..Draft::empty(session, method, resource_type)? })
            }
            Target::Criteria { resource_type, query } => {
                let criteria = Some(Criteria::new(session, resource_type, query)?);
                Ok(Draft { criteria, if_match, ..Draft::empty(session, method, resource_type)? })
            }
        }
    }

    /// Takes the content, which must be of the right type and of a form that an id and `meta` can be set in.
    fn hold(&mut self, document: Document) -> Result<(), Outcome> {
        let root = document.root();
        match root.resource_type() {
            Some(found) if found == self.resource_type => {}
            found => {
                let wanted = self.resource_type;
                let found = found.map_or("no resourceType".to_owned(), |found| format!("resourceType `{found}`"));
                let text = format!("the content has {found} where `{wanted}` is addressed");
                return Err(Outcome::new(IssueType::BadRequest, text).at(format!("{wanted}.resourceType")));
            }
        }
        if root.get("meta").is_some_and(|meta| meta.kind() != Kind::Object) {
            let text = "`meta` is not an object";
            return Err(Outcome::new(IssueType::Structure, text).at(format!("{}.meta", self.resource_type)));
        }
        self.body_id = match root.get("id").map(|id| id.as_str()) {
            None => None,
            Some(Some(id)) => Some(id.into_owned()),
            Some(None) => {
                let text = "`id` is not a string";
                return Err(Outcome::new(IssueType::Structure, text).at(format!("{}.id", self.resource_type)));
            }
        };
        self.document = Some(Arc::new(document));
        Ok(())
    }

    /// An update's content carries the id that the URL names, <https://hl7.org/fhir/R4/http.html#update>.
    fn refuse_another_id(&self) -> Result<(), Outcome> {
        let refuse =
            |text: String| Err(Outcome::new(IssueType::BadRequest, text).at(format!("{}.id", self.resource_type)));
        match (&self.target, self.body_id.as_deref()) {
            (Some(key), None) => refuse(format!("the content has no id where the URL names `{}`", key.id())),
            (Some(key), Some(id)) if id != key.id() => {
                refuse(format!("the content has the id `{id}` where the URL names `{}`", key.id()))
            }
            (None, Some(id)) if !reference::is_id(id) => {
                refuse(format!("the id `{id}` is not 1 to 64 letters, digits, `-` and `.`"))
            }
            _ => Ok(()),
        }
    }
}

impl Draft {
    /// Compiles the condition again, for a session with other search parameters.
    pub(super) fn compile(&mut self, session: &Session<'_>) -> Result<(), Outcome> {
        if let Some(criteria) = &mut self.criteria {
            *criteria = Criteria::new(session, criteria.resource_type, std::mem::take(&mut criteria.text))?;
        }
        Ok(())
    }
}

impl Criteria {
    /// Compiles a query string strictly: a condition that was not understood must not decide anything.
    pub(super) fn new(session: &Session<'_>, resource_type: &'static str, text: String) -> Result<Criteria, Outcome> {
        session.access.permit(Act::Search, resource_type)?;
        let registry = session.registry();
        let now = session.repository.now();
        let compile = |parameters: &[(String, String)]| registry.condition(resource_type, parameters, now);
        let criterion = compile(&parse_query_string(&text)?)?.criterion;
        if criterion == compile(&[])?.criterion {
            let text = format!(
                "the condition `{text}` holds for every {resource_type}; it needs a search parameter that narrows it"
            );
            return Err(Outcome::new(IssueType::BadRequest, text));
        }
        Ok(Criteria { resource_type, text, criterion })
    }
}

impl IfMatch {
    /// Takes `W/"3"`, `"3"`, `3` and `*`.
    fn parse(text: &str) -> Result<IfMatch, Outcome> {
        let text = text.trim();
        let tag = text.strip_prefix("W/").unwrap_or(text);
        let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
        match version_number(tag) {
            Some(version) => Ok(IfMatch::Version(version)),
            None if tag == "*" => Ok(IfMatch::Any),
            None => Err(Outcome::new(
                IssueType::BadRequest,
                format!("If-Match `{text}` is not a version such as `W/\"3\"`"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_if_match() {
        let cases = [
            ("W/\"3\"", Some(IfMatch::Version(3))),
            ("\"3\"", Some(IfMatch::Version(3))),
            (" 3 ", Some(IfMatch::Version(3))),
            ("*", Some(IfMatch::Any)),
            ("W/\"x\"", None),
            ("03", None),
            ("-1", None),
            ("", None),
            ("\"1\", \"2\"", None),
        ];
        for (text, expected) in cases {
            assert_eq!(IfMatch::parse(text).ok(), expected, "{text}");
        }
    }
}
