//! Masking what a document names.

use fhir::json::{Document, Edit, Kind, Node, splice};
use fhir::narrative::links;
use fhir::{IssueType, Outcome};
use store::{Key, Version};

use crate::Session;
use crate::session::parse_stored;
use crate::transact::references::{is_link, is_reference};

/// Instead of what is masked.
const MASKED: &str =
    r#"{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"masked"}]}"#;

/// Instead of a narrative that links to what is hidden.
const NARRATIVE: &str = r#""<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>masked</p></div>""#;

const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
const REDACTED: &str = "REDACTED";

/// A step on the way to a value in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Item(usize),
}

/// A reference that was masked: the way to it, and how it was written.
pub(super) type Reference = (Vec<Step>, String);

/// What a document became.
pub(super) struct Covered {
    pub(super) text: String,
    /// The references that were masked; `None` where something else was, too.
    pub(super) references: Option<Vec<Reference>>,
    /// Whether it was labeled for that.
    pub(super) is_labeled: bool,
}

/// A document while it is masked.
pub(super) struct Cover<'a> {
    session: &'a Session<'a>,
    document: &'a Document,
    is_hidden: &'a dyn Fn(&Key) -> Result<bool, Outcome>,
    edits: Vec<Edit>,
    path: Vec<Step>,
    references: Vec<Reference>,
    /// Something else than references was masked.
    has_others: bool,
}

impl<'a> Cover<'a> {
    pub(super) fn new(
        session: &'a Session<'a>,
        document: &'a Document,
        is_hidden: &'a dyn Fn(&Key) -> Result<bool, Outcome>,
    ) -> Cover<'a> {
        let (edits, path, references) = (Vec::new(), Vec::new(), Vec::new());
        Cover { session, document, is_hidden, edits, path, references, has_others: false }
    }

    /// The text with all masked that names what is hidden; `None` when nothing does.
    pub(super) fn covered(mut self) -> Result<Option<Covered>, Outcome> {
        self.object(self.document.root())?;
        if self.edits.is_empty() {
            return Ok(None);
        }
        let label = label(self.document);
        let is_labeled = label.is_some();
        self.edits.extend(label);
        let references = (!self.has_others).then_some(self.references);
        Ok(Some(Covered { text: splice(self.document.text(), self.edits), references, is_labeled }))
    }

    fn object(&mut self, object: Node<'_>) -> Result<(), Outcome> {
        if let Some(reference) = object.get("reference").filter(|node| node.kind() == Kind::String)
            && is_reference(object)
            && self.names_hidden(reference)?
        {
            self.edits.push(Edit { range: object.span(), text: MASKED.to_owned() });
            self.references.push((self.path.clone(), object.raw().to_owned()));
            return Ok(());
        }
        for (name, member) in object.members() {
            self.path.push(Step::Member(name.to_owned()));
            match member.kind() {
                Kind::String if name == "div" => self.narrative(member)?,
                Kind::String if self.links_to_hidden(member)? => self.hide(object, name, member, MASKED),
                Kind::Array => self.array(object, name, member)?,
                Kind::Object => self.object(member)?,
                _ => {}
            }
            self.path.pop();
        }
        Ok(())
    }

    fn array(&mut self, object: Node<'_>, name: &str, array: Node<'_>) -> Result<(), Outcome> {
        for (at, item) in array.items().enumerate() {
            match item.kind() {
                Kind::Object => {
                    self.path.push(Step::Item(at));
                    self.object(item)?;
                    self.path.pop();
                }
                Kind::String if self.links_to_hidden(item)? => {
                    self.hide(object, name, array, &format!("[{MASKED}]"));
                    return Ok(());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn names_hidden(&self, text: Node<'_>) -> Result<bool, Outcome> {
        match text.as_str().and_then(|text| self.session.local(&text)) {
            Some(key) => (self.is_hidden)(&key),
            None => Ok(false),
        }
    }

    /// Whether it is a uri that leads to what is hidden.
    fn links_to_hidden(&self, text: Node<'_>) -> Result<bool, Outcome> {
        let definitions = self.session.setup().definitions;
        Ok(self.names_hidden(text)? && is_link(definitions, self.document, text.span().start))
    }

    fn narrative(&mut self, div: Node<'_>) -> Result<(), Outcome> {
        let Some(xhtml) = div.as_str() else { return Ok(()) };
        for link in links(&xhtml) {
            if let Some(key) = self.session.local(&link)
                && (self.is_hidden)(&key)?
            {
                self.edits.push(Edit { range: div.span(), text: NARRATIVE.to_owned() });
                self.has_others = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Puts `why` in the place of a primitive, where the extensions of primitives stand, and of those that it has.
    fn hide(&mut self, object: Node<'_>, name: &str, value: Node<'_>, why: &str) {
        self.has_others = true;
        let text = self.document.text();
        // The value stands behind its name, quotes and a colon.
        let member = value.span().start - name.len() - 3..value.span().end;
        match object.get(&format!("_{name}")) {
            None => self.edits.push(Edit { range: member, text: format!("\"_{name}\":{why}") }),
            Some(extensions) => {
                let is_first = text[..member.start].ends_with('{');
                let range = if is_first { member.start..member.end + 1 } else { member.start - 1..member.end };
                self.edits.push(Edit { range, text: String::new() });
                self.edits.push(Edit { range: extensions.span(), text: why.to_owned() });
            }
        }
    }
}

/// Labels a resource as redacted; what is contained bears no labels.
fn label(document: &Document) -> Option<Edit> {
    let meta = document.root().get("meta")?;
    let coding = format!(r#"{{"system":"{OBSERVATION_VALUE}","code":"{REDACTED}"}}"#);
    let (at, text) = match meta.get("security").filter(|labels| labels.kind() == Kind::Array) {
        Some(_) if is_redacted(document) => return None,
        Some(labels) if labels.is_empty() => (labels.span().end - 1, coding),
        Some(labels) => (labels.span().end - 1, format!(",{coding}")),
        None => (meta.span().end - 1, format!(r#","security":[{coding}]"#)),
    };
    Some(Edit { range: at..at, text })
}

/// The labels of a resource, and which of them says that it was redacted.
pub(super) fn redaction<'d>(document: &'d Document) -> Option<(Node<'d>, usize)> {
    let labels = document.root().path(&["meta", "security"])?;
    let is_redacted = |label: Node<'d>| {
        let is = |name: &str, value: &str| label.get(name).is_some_and(|node| node.is_str(value));
        is("system", OBSERVATION_VALUE) && is("code", REDACTED)
    };
    Some((labels, labels.items().position(is_redacted)?))
}

fn is_redacted(document: &Document) -> bool {
    redaction(document).is_some()
}

/// Refuses to replace a resource by content that was masked for somebody. What came redacted from elsewhere is kept as it is.
pub(crate) fn refuse_redacted(document: &Document, current: Option<&Version>) -> Result<(), Outcome> {
    let Some((key, body)) = current.and_then(|version| Some((&version.key, version.body.as_ref()?))) else {
        return Ok(());
    };
    if !is_redacted(document) || is_redacted(&parse_stored(key, body)?) {
        return Ok(());
    }
    let text =
        "the content is labeled `REDACTED` and what it would replace is not: what was masked in it would be lost";
    let resource_type = document.root().resource_type().unwrap_or_default();
    Err(Outcome::new(IssueType::Invalid, text).at(format!("{resource_type}.meta.security")))
}
